//! Attention whose scores stay random: 1/sqrt(d) in front of them and many heads.

use mupc::kernel::{Gram, Points};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::Case;
use crate::finite::{distance, sampled};

/// n heads of n channels over three tokens, with this between scores and values.
fn attention(scores: &str, pattern: &str) -> String {
    format!(
        "q[t, a:n, c:n] = (linear(x, n*n) as query)[t, (a c)] k[t, a:n, c:n] = (linear(x, n*n) as key)[t, (a c)]
         v[t, a:n, c:n] = (linear(x, n*n) as value)[t, (a c)]
         s[a, t, u] = q[t, a, c] * k[u, a, c] {scores} p[a, t, u] = {pattern} z[t, (a c)] = p[a, t, u] * v[u, a, c]"
    )
}

const MEAN: &str = "m[i] = mean(linear(z, n)[t, i], over t) f = linear(m, 1)";

fn spec(body: &str) -> String {
    format!("scale n = 32 input x[3, 4] target y[1] {body} loss mse(f, y)")
}

fn random(scores: &str, pattern: &str) -> String {
    spec(&format!("{} {MEAN}", attention(scores, pattern)))
}

fn rows() -> Vec<Vec<f64>> {
    let mut stream = ChaCha8Rng::seed_from_u64(7);
    (0..3).map(|_| (0..12).map(|_| StandardNormal.sample(&mut stream)).collect()).collect()
}

fn gram(spec: &str, rows: &[Vec<f64>], power: u32) -> Gram {
    let mut limit = Case::new(spec, &[]).limit().unwrap_or_else(|error| panic!("{error}"));
    limit.draws.power = power;
    limit.gram(&Points::single(rows), &())
}

#[test]
fn finite_networks_with_many_heads_gather_around_it() {
    let softmax = attention("/ n^(1/2)", "softmax(s, over u)");
    let cases = [
        ("mean of tokens", format!("{softmax} {MEAN}")),
        ("causal", format!("{} {MEAN}", attention("/ n^(1/2)", "softmax(causal(s), over u)"))),
        ("far from uniform", format!("{} {MEAN}", attention("/ n^(1/2)", "softmax(3 * s, over u)"))),
        ("flattened", format!("{softmax} r[(t i)] = relu(linear(z, n))[t, i] f = linear(r, 1)")),
        (
            "normalized",
            format!(
                "{softmax} o = relu(linear(layer_norm(z), n)) m[i] = mean(o[t, i], over t) f = linear(m, 1)"
            ),
        ),
        (
            "before a residual stream",
            format!(
                "{softmax} o = linear(x, n) + linear(z, n) m[i] = mean(relu(o)[t, i], over t) f = linear(m, 1)"
            ),
        ),
    ];
    for (name, body) in cases {
        // Many outputs, over whose products the NNGP of a draw is a mean.
        let many = spec(&body).replace("y[1]", "y[64]").replace(", 1) loss", ", 64) loss");
        let mut case = Case::new(&many, &[]);
        let (found, limit) = sampled(&mut case, 32, 100);
        let far = (distance(&found.mean.nngp, &limit.nngp), distance(&found.mean.ntk, &limit.ntk));
        let bound = (4.0 * found.nngp_error + 4.0 / 32.0, 4.0 * found.ntk_error + 4.0 / 32.0);
        assert!(far.0 < bound.0 && far.1 < bound.1, "{name}: {far:?} is more than {bound:?}");
        assert!(found.nngp_error < 0.1 && found.ntk_error < 0.1);
        assert!(limit.errors.iter().all(|error| (1e-9..0.01).contains(error)));
    }
}

/// The Cholesky factor of a matrix.
fn factor(matrix: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let size = matrix.len();
    let mut found = vec![vec![0.0; size]; size];
    for row in 0..size {
        for column in 0..=row {
            let sum: f64 = (0..column).map(|at| found[row][at] * found[column][at]).sum();
            let rest: f64 = matrix[row][column] + if row == column { 1e-12 } else { 0.0 } - sum;
            found[row][column] = if row == column { rest.sqrt() } else { rest / found[column][column] };
        }
    }
    found
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let sum: f64 = scores.iter().map(|own| own.exp()).sum();
    scores.iter().map(|own| own.exp() / sum).collect()
}

/// Whether a query sees a key.
type Visible<'a> = &'a dyn Fn(usize, usize) -> bool;

/// Both kernels of two inputs of three tokens, from the definition: scores of a whole head drawn at both, softmax and its Jacobian written out.
/// Queries, keys and values are linear in the tokens; every one has the kernel k(a, b) = a b / 4, and its tangent is the same.
fn brute_force(x: &[f64], y: &[f64], visible: Visible, draws: usize) -> [(f64, f64); 2] {
    let token = |at: usize| if at < 3 { &x[4 * at..4 * at + 4] } else { &y[4 * at - 12..4 * at - 8] };
    let k = |a: usize, b: usize| token(a).iter().zip(token(b)).map(|(one, two)| one * two).sum::<f64>() / 4.0;
    // The scores (t, u) at x, then at y.
    let places: Vec<(usize, usize)> =
        (0..2).flat_map(|side| (0..9).map(move |at| (3 * side + at / 3, 3 * side + at % 3))).collect();
    let entry = |one: &(usize, usize), two: &(usize, usize)| k(one.0, two.0) * k(one.1, two.1);
    let matrix: Vec<Vec<f64>> =
        places.iter().map(|one| places.iter().map(|two| entry(one, two)).collect()).collect();
    let factor = factor(&matrix);
    let mut stream = ChaCha8Rng::seed_from_u64(11);
    let mut sums = [(0.0, 0.0); 2];
    for _ in 0..draws {
        let normal: Vec<f64> = (0..18).map(|_| StandardNormal.sample(&mut stream)).collect();
        let scores: Vec<f64> =
            factor.iter().map(|row| row.iter().zip(&normal).map(|(one, two)| one * two).sum()).collect();
        let (mut prior, mut tangent) = (0.0, 0.0);
        for (t, other) in (0..9).map(|at| (at / 3, at % 3)) {
            let (us, vs): (Vec<usize>, Vec<usize>) = (
                (0..3).filter(|u| visible(t, *u)).collect(),
                (0..3).filter(|u| visible(other, *u)).collect(),
            );
            let p = softmax(&us.iter().map(|u| scores[3 * t + u]).collect::<Vec<f64>>());
            let q = softmax(&vs.iter().map(|u| scores[9 + 3 * other + u]).collect::<Vec<f64>>());
            let slope = |p: &[f64], at: usize, by: usize| p[at] * (f64::from(u8::from(at == by)) - p[by]);
            for (at, u) in us.iter().enumerate() {
                for (with, v) in vs.iter().enumerate() {
                    let values = k(*u, 3 + v);
                    prior += p[at] * q[with] * values;
                    tangent += p[at] * q[with] * values;
                    for (i, a) in us.iter().enumerate() {
                        for (j, b) in vs.iter().enumerate() {
                            let scores = 2.0 * k(t, 3 + other) * k(*a, 3 + b);
                            tangent += slope(&p, at, i) * slope(&q, with, j) * values * scores;
                        }
                    }
                }
            }
        }
        // The mean over tokens, and the two weights behind.
        let (prior, tangent) = (prior / 9.0, (tangent + 2.0 * prior) / 9.0);
        for (sum, own) in sums.iter_mut().zip([prior, tangent]) {
            sum.0 += own / draws as f64;
            sum.1 += own * own / draws as f64;
        }
    }
    sums.map(|(mean, square)| (mean, ((square - mean * mean) / draws as f64).sqrt()))
}

#[test]
fn draws_of_whole_heads_have_the_same_kernels() {
    let rows = rows();
    let masks: [(&str, Visible); 2] =
        [("softmax(s, over u)", &|_, _| true), ("softmax(causal(s), over u)", &|t, u| u <= t)];
    for (pattern, visible) in masks {
        let found = gram(&random("/ n^(1/2)", pattern), &rows, 10);
        for (at, with) in [(0, 0), (0, 1), (1, 2)] {
            let drawn = brute_force(&rows[at], &rows[with], visible, 40_000);
            for (own, (mean, error)) in
                [found.nngp[3 * at + with], found.ntk[3 * at + with]].iter().zip(drawn)
            {
                assert!(
                    (own - mean).abs() < 4.0 * error + 0.01 * mean.abs(),
                    "{pattern}: {own} {mean} +- {error}"
                );
            }
        }
    }
}

#[test]
fn small_scores_mix_uniformly() {
    let rows = rows();
    let uniform = "v = linear(x, n*n) z[i] = mean(v[t, i], over t) f = linear(linear(z, n), 1)";
    let expected = gram(&spec(uniform), &rows, 8);
    let found = gram(&random("/ n^(1/2)", "softmax(0.0001 * s, over u)"), &rows, 8);
    for (own, other) in [(&found.nngp, &expected.nngp), (&found.ntk, &expected.ntk)] {
        own.iter().zip(other).for_each(|(own, other)| assert!((own - other).abs() < 1e-5, "{own} {other}"));
    }
}

#[test]
fn order_of_tokens_and_way_of_writing_change_nothing() {
    let rows = rows();
    let found = gram(&random("/ n^(1/2)", "softmax(s, over u)"), &rows, 11);
    let turned: Vec<Vec<f64>> = rows.iter().map(|row| [&row[4..], &row[..4]].concat()).collect();
    let body = format!("{} {MEAN}", attention("/ n^(1/2)", "softmax(-1 * s, over u)"));
    let swapped = body.replace("p[a, t, u] * v[u, a, c]", "(2 * v[u, a, c]) * (0.5 * p[a, t, u])");
    let others = [
        gram(&random("/ n^(1/2)", "softmax(s, over u)"), &turned, 11),
        // Scores have the distribution of their negatives.
        gram(&spec(&body), &rows, 11),
        gram(&spec(&swapped), &rows, 11),
    ];
    for other in others {
        for (own, other, error) in
            [(&found.nngp, &other.nngp, found.errors[0]), (&found.ntk, &other.ntk, found.errors[1])]
        {
            assert!(error < 0.002 && distance(own, other) < 4.0 * error, "{} {error}", distance(own, other));
        }
    }
}

#[test]
fn a_single_token_needs_no_draws_and_threads_change_nothing() {
    let spec = random("/ n^(1/2)", "softmax(causal(s), over u)");
    let limit = Case::new(&spec, &[]).limit().unwrap_or_else(|error| panic!("{error}"));
    let mut rows = rows();
    rows.push(vec![0.0; 12]);
    rows.push(rows[0].clone());
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| limit.gram(&Points::single(&rows), &()))
    };
    let found = run(1);
    assert_eq!(found, run(3));
    assert!(found.nngp.iter().chain(&found.ntk).all(|own| own.is_finite()));
    assert!((found.nngp[0] - found.nngp[4]).abs() < 1e-6 * found.nngp[0]);
    let plain = spec.replace("x[3, 4]", "x[1, 4]");
    let one = gram(&plain, &[vec![1.0, 2.0, 0.0, -1.0]], 3);
    assert!((one.nngp[0] - 1.5).abs() < 1e-12 && (one.ntk[0] - 4.5).abs() < 1e-12, "{one:?}");
}

#[test]
fn what_random_scores_do_not_allow_says_why() {
    let softmax = "softmax(s, over u)";
    let few = random("/ n^(1/2)", softmax).replace("a:n", "a:4").replace("n*n", "4*n");
    let tied = random("/ n^(1/2)", softmax).replace("* k[u, a, c]", "* q[u, a, c]");
    let parts = attention("/ n^(1/2)", softmax).replace("z[t, (a c)]", "z[t, a, c]")
        + " param w[n, n, n] g[t, a, o] = w[a, o, c] * z[t, a, c] r[(t a o)] = g[t, a, o] f = linear(r, 1)";
    let cases = [
        (few, "number of heads does not grow"),
        (tied, "share weights"),
        (random("/ n^(1/4)", softmax), "grow without bound"),
        (random("/ n^(1/2)", "softmax(s, over t)"), "another axis"),
        (random("/ n^(1/2)", "causal(s)"), "softmax mixes random values"),
        (random("/ n^(1/2)", "softmax(causal(s) + s, over u)"), "not Gaussian"),
        (
            spec(&format!("{} f = linear(relu(z)[0, ..], 1)", attention("/ n^(1/2)", softmax))),
            "attention with random scores",
        ),
        (spec(&parts), "every head has a sum of its own"),
    ];
    for (spec, reason) in cases {
        let error = Case::new(&spec, &[]).limit().expect_err(&spec);
        assert!(error.to_string().contains(reason), "{error}: {reason}");
    }
}
