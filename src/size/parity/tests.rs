//! What the questions of dependence cost.

use super::*;

/// How many nodes all searches visit, per node of the graph.
fn visits(body: &str) -> usize {
    let text = format!(
        "scale n = 64\ninput data[8]\ntarget y[1]\nx = linear(data, n)\n{body}\nloss mse(readout(x, 1), y)"
    );
    let network = crate::compile(&text).unwrap();
    let shaped = Shaped::new(&network.graph);
    let mut signs = Signs::new(&shaped);
    let Ok(_) = interpret(&network.graph, &mut signs);
    signs.dependence.visited() / network.graph.len()
}

#[test]
fn known_networks_ask_what_is_near() {
    for body in [
        "repeat 12 { x += mlp(layer_norm(x), 4*n, gelu) }".to_string(),
        "x += mlp(layer_norm(x), 4*n, gelu)\n".repeat(100),
        "x = x + linear(x, n)\n".repeat(1000),
        "h = x\n".to_string() + &"h = h + linear(x, n)\n".repeat(50) + "x = h",
        "param w[n, n]\nx[i] = w[i, j] * x[j]\n".to_string()
            + &"x = relu(x)\nx[i] = w[i, j] * x[j]\n".repeat(1000),
        "param w[n, n]\nx[i] = w[i, j] * x[j]\n".to_string()
            + &"x = relu(x)\nx[j] = w[i, j] * x[i]\n".repeat(1000),
        format!("x = x{}", " + linear(x, n)".repeat(5_000)),
    ] {
        assert!(visits(&body) < 20, "{} visits per node: {:.200}", visits(&body), body);
    }
}

/// A long trunk, weights used before it, and all of them again behind it: every search must cross the trunk.
#[test]
fn searches_are_given_up_together() {
    let weights: String =
        (0..300).map(|at| format!("param w{at}[n, n]\nh{at}[i] = w{at}[i, j] * x[j]\n")).collect();
    let trunk = "x = relu(x)\n".repeat(10_000);
    let again: String = (0..300).map(|at| format!("g{at}[j] = w{at}[i, j] * x[i]\n")).collect();
    let sum: String = (0..300).map(|at| format!(" + h{at} + g{at}")).collect();
    let visited = visits(&format!("{weights}{trunk}{again}x = x{sum}"));
    assert!((100..=400).contains(&visited), "{visited} visits per node");
}
