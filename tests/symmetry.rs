//! What adds up at random and what adds up coherently at initialization: small networks with the size of one tensor, under muP if nothing
//! else is said.

mod common;

use common::analyzed::{analyzed, calculus};
use mupc::optimizer::Optimizer;
use mupc::parameterization::Named;

const PARAMS: [&str; 11] = [
    "w[n, 10]",
    "w2[n, 10]",
    "u[n, n]",
    "v[n, n]",
    "uh[2, n, n]",
    "vh[2, n, n]",
    "gain[n]",
    "ones[n] = 1",
    "wide[n^(3/2), n]",
    "back[n^(3/2), n]",
    "last[3, n]",
];

/// |x_0| of a tensor of a network of width n, given its body.
fn initial(named: Named, body: &str, tensor: &str) -> String {
    let words: Vec<&str> = body.split(|c: char| !c.is_alphanumeric()).collect();
    let used = |param: &&&str| words.contains(&param.split('[').next().unwrap());
    let params = PARAMS.iter().filter(used).map(|param| format!("param {param}\n")).collect::<String>();
    let text =
        format!("scale n = 64\ninput x[10], first[4, 10], second[10]\ntarget wanted[3]\n{params}{body}");
    let calculus = calculus(&text);
    analyzed(&calculus, named, Optimizer::Adam).initial(tensor)
}

fn assert_initial(body: &str, tensor: &str, expected: &str) {
    assert_eq!(initial(Named::Mup, body, tensor), expected, "{body}");
}

/// muP's 1/n in front of scores; keys and queries of the same input with weights of their own: mean zero, n^(1/2) of n.
#[test]
fn queries_times_keys_are_odd() {
    let body = "
        z[t, o] = w[o, i] * first[t, i]
        q[t, o] = u[o, i] * z[t, i]
        k[t, o] = v[o, i] * z[t, i]
        s[t, r] = q[t, o] * k[r, o]
        h[o] = s[0, 1] * q[2, o]
        y[c] = last[c, o] * h[o]
        loss mse(y, wanted)";
    assert_initial(body, "s", "n^-1/2");
    assert_eq!(initial(Named::Sp, body, "s"), "1");
    // With one weight for both the products are squares.
    let tied = body.replace("v[o, i]", "u[o, i]");
    assert_initial(&tied, "s", "1");
    assert_eq!(initial(Named::Sp, &tied, "s"), "n^1/2");
    // An even function of the key changes nothing: the query alone makes the sum odd.
    let even = body.replace("k[r, o]", "relu(k)[r, o]");
    assert_initial(&even, "s", "n^-1/2");
    // Of both: coherent.
    let both = even.replace("q[t, o] * relu", "relu(q)[t, o] * relu");
    assert_initial(&both, "s", "1");
}

/// A normalization of every channel by itself lets signs through.
#[test]
fn normalizing_channels_keeps_oddness() {
    let body = |normalized: &str| {
        format!(
            "z[t, o] = w[o, i] * first[t, i]
             q[t, o] = u[o, i] * z[t, i]
             k[t, o] = v[o, i] * z[t, i]
             p[t, o] = {normalized}
             s[t, r] = p[t, o] * k[r, o]
             h[o] = s[0, 1] * z[2, o]
             y[c] = last[c, o] * h[o]
             loss mse(y, wanted)"
        )
    };
    assert_initial(&body("batch_normalize(q)"), "s", "n^-1/2");
    assert_initial(&body("batch_normalize(q[t, o], over t)"), "s", "n^-1/2");
    assert_initial(&body("batch_normalize(relu(q))"), "s", "n^-1/2");
    let both = body("batch_normalize(relu(q))").replace("* k[r, o]", "* relu(k)[r, o]");
    assert_initial(&both, "s", "1");
}

/// Turning by positions keeps oddness.
#[test]
fn rotary_positions_keep_oddness() {
    let body = |turn: &str| {
        format!(
            "z[t, o] = w[o, i] * first[t, i]
             q[t, h, c] = uh[h, c, i] * z[t, i]
             k[t, h, c] = vh[h, c, i] * z[t, i]
             s[h, t, r] = {turn}(q)[t, h, c] * {turn}(k)[r, h, c]
             p[t, r] = mean(s[h, t, r], over h)
             b[o] = p[t, r] * z[r, o]
             y[c] = last[c, o] * b[o]
             loss mse(y, wanted)"
        )
    };
    assert_initial(&body("rotary"), "s", "n^-1/2");
    assert_initial(&body("identity"), "s", "n^-1/2");
    assert_initial(&body("rotary").replace("vh[", "uh["), "s", "1");
}

/// The mean over n coordinates: of an odd function n^(-1/2), of an even one 1. muP puts 1/n in front of both, for training makes both
/// coherent.
#[test]
fn sums_of_outputs() {
    let body = |act: &str| {
        format!(
            "h[o] = {act}(w[o, i] * x[i])
             s = sum(h)
             y[c] = last[c, o] * h[o] * s
             loss mse(y, wanted)"
        )
    };
    for odd in ["tanh", "erf", "sin", "dropout"] {
        let act = if odd == "dropout" { "dropout(h0, 0.1)".to_string() } else { format!("{odd}(h0)") };
        let text = body("tanh")
            .replace("h[o] = tanh(w[o, i] * x[i])", &format!("h0[o] = w[o, i] * x[i]\nh = {act}"));
        assert_initial(&text, "s", "n^-1/2");
        assert_eq!(initial(Named::Sp, &text, "s"), "1", "{odd}");
    }
    for even in ["relu", "gelu", "silu", "sigmoid", "square", "abs", "cos"] {
        assert_initial(&body(even), "s", "1");
        assert_eq!(initial(Named::Sp, &body(even), "s"), "n^1/2", "{even}");
    }
}

/// The mean over positions is over data: coherent, and finite.
#[test]
fn means_over_positions() {
    let body = "
        z[t, o] = tanh(w[o, i] * first[t, i])
        m[o] = mean(z[t, o], over t)
        y[c] = last[c, o] * m[o]
        loss mse(y, wanted)";
    assert_initial(body, "m", "1");
}

/// x + x is 2 x: odd as x is, and as large.
#[test]
fn a_tensor_added_to_itself() {
    let body = "
        a[o] = w[o, i] * x[i]
        b = a + a
        s = sum(b)
        y[c] = last[c, o] * b[o] * s
        loss mse(y, wanted)";
    assert_initial(body, "b", "1");
    assert_initial(body, "s", "n^-1/2");
    // Of terms that are odd in different weights the sum is odd in both.
    let independent = body.replace("b = a + a", "c[o] = w2[o, i] * second[i]\nb = a + c");
    assert_initial(&independent, "s", "n^-1/2");
    // x^2 + x is not odd.
    let mixed = body.replace("b = a + a", "b = a + square(a)");
    assert_initial(&mixed, "s", "1");
    // Products multiply parities: x * x is even, x * y odd.
    let squared = body.replace("b = a + a", "b = a * a");
    assert_initial(&squared, "s", "1");
    let product = body.replace("b = a + a", "c[o] = u[o, i] * a[i]\nb = a * c");
    assert_initial(&product, "s", "n^-1/2");
}

/// A gain or bias that starts as a constant flips nothing; a random gain does.
#[test]
fn gains_and_biases() {
    let body = "
        a[o] = relu(w[o, i] * x[i])
        b = a * gain
        s = sum(b)
        y[c] = last[c, o] * b[o] * s
        loss mse(y, wanted)";
    assert_initial(body, "s", "n^-1/2");
    let constant = body.replace("a * gain", "a * ones");
    assert_initial(&constant, "s", "1");
}

/// Hidden maps keep sizes however many there are, and each is odd.
#[test]
fn deep_linear_chains() {
    let body = "
        h = linear(x, n)
        repeat 50 { h = linear(h, n) }
        s = sum(h)
        y[c] = last[c, o] * h[o] * s
        loss mse(y, wanted)";
    for named in [Named::Mup, Named::Sp, Named::Ntk] {
        assert_eq!(initial(named, body, "h"), "1", "{named}");
    }
    assert_initial(body, "s", "n^-1/2");
}

/// W' W x lines up with x: as large as the operator norm allows, n^(1/2) (n^(3/2) / n)^(1/2) for a map back from n^(3/2).
#[test]
fn a_tied_autoencoder_is_aligned() {
    let body = |decoder: &str| {
        format!(
            "a[o] = tanh(w[o, i] * x[i])
             code[k] = wide[k, o] * a[o]
             b[o] = {decoder}[k, o] * code[k]
             y[c] = last[c, o] * b[o]
             loss mse(y, wanted)"
        )
    };
    assert_eq!(initial(Named::Ntk, &body("wide"), "b"), "n^1/4");
    assert_initial(&body("wide"), "b", "1");
    assert_eq!(initial(Named::Ntk, &body("back"), "b"), "1");
}

/// A recurrence uses its weight the same way round: it stays fresh, in a repetition as when written out, whatever the function.
#[test]
fn a_recurrence_stays_fresh() {
    for act in ["tanh", "relu", "gelu"] {
        let step = format!("z[o] = u[o, i] * h[i]\nh = {act}(z)\n");
        let around = |steps: &str| {
            format!(
                "h[o] = tanh(w[o, i] * x[i])
                 {steps}
                 y[c] = last[c, o] * h[o]
                 loss mse(y, wanted)"
            )
        };
        for text in [around(&step.repeat(4)), around(&format!("repeat 4 {{ {step} }}"))] {
            for named in [Named::Mup, Named::Sp, Named::Ntk] {
                assert_eq!(initial(named, &text, "h"), "1", "{named} {text}");
            }
        }
    }
}

/// The state of a recurrence and what its weight makes of it are not independent: their product need not have mean zero, in a
/// repetition as when written out.
#[test]
fn a_recurrence_against_its_own_state() {
    let step = "z[o] = u[o, i] * h[i]\ng = sum(z * h)\nh = tanh(z) + h * g\n";
    let around = |steps: &str| {
        format!("h[o] = tanh(w[o, i] * x[i])\n{steps}\ny[c] = last[c, o] * h[o]\nloss mse(y, wanted)")
    };
    let size = |text: &str| initial(Named::Mup, text, "y");
    assert_eq!(size(&around(&step.repeat(3))), size(&around(&format!("repeat 3 {{ {step} }}"))));
    assert_eq!(initial(Named::Mup, &around(&step.repeat(2)), "g"), "1");
    let once = around(step);
    assert_eq!(initial(Named::Mup, &once, "g"), "n^-1/2", "the first state does not know the weight yet");
}

/// Two inputs through one tower correlate; through towers of their own they do not.
#[test]
fn siamese_towers() {
    let body = |other: &str| {
        format!(
            "a[o] = tanh(w[o, i] * x[i])
             b[o] = tanh({other}[o, i] * second[i])
             score = sum(a * b)
             y[c] = last[c, o] * a[o] * score
             loss mse(y, wanted)"
        )
    };
    assert_initial(&body("w"), "score", "1");
    assert_initial(&body("w2"), "score", "n^-1/2");
}
