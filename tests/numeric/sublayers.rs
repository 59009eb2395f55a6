//! Instructions that are several of others give the same numbers as those: a program made for training beside one made for tangent kernels, which keeps them apart.

use mupc::network::Network;
use mupc::numeric::build::Purpose;
use mupc::numeric::machine::Machine;
use mupc::numeric::program::{Kernel, Program};
use mupc::numeric::rows::Along;

use super::differences::machine;

fn compiled(text: &str) -> Network {
    mupc::compile(text).unwrap_or_else(|error| panic!("{error}"))
}

/// A network around one step from x[seq, n] to y[seq, n].
fn around(step: &str) -> Network {
    compiled(&format!(
        "scale n = 24\ndim seq = 70, vocab = 5\ninput tokens[seq] in vocab\ntarget next[seq] in vocab\n\
         x = embed(tokens, vocab, n) + position(seq, n)\n{step}\n\
         loss mean(cross_entropy(readout(y, vocab), next))"
    ))
}

/// How many instructions are softmax behind a mask, normalizations with a chain, and functions that leave their slopes.
fn joined(program: &Program) -> [usize; 3] {
    let count = |wanted: &dyn Fn(&Kernel) -> bool| {
        program.instructions.iter().filter(|own| wanted(&own.kernel)).count()
    };
    [
        count(&|kernel| matches!(kernel, Kernel::Rows(Along::CausalSoftmax { .. }, _))),
        count(&|kernel| matches!(kernel, Kernel::Normalized(_))),
        count(&|kernel| matches!(kernel, Kernel::Activation(_))),
    ]
}

/// Loss and gradients of all weights.
fn numbers(mut machine: Machine<f64>) -> (f64, Vec<Vec<f64>>) {
    let loss = machine.forward();
    machine.backward();
    let weights = machine.program.weights.iter();
    let gradients = weights.map(|weight| machine.gradient(weight.slot).to_vec()).collect();
    (loss, gradients)
}

fn check(network: &Network, expected: [usize; 3]) {
    let [whole, apart] = [Purpose::Training, Purpose::Tangent].map(|purpose| machine(network, purpose, 3));
    assert_eq!((joined(&whole.program), joined(&apart.program)), (expected, [0; 3]));
    assert_eq!(whole.program.multiplications(), apart.program.multiplications());
    assert!(whole.program.numbers() <= apart.program.numbers());
    let (whole, apart) = (numbers(whole), numbers(apart));
    assert_eq!(whole, apart);
}

#[test]
fn masked_scores_and_their_shares() {
    check(&around("y = x + causal_attention(x, 3, 8)"), [1, 0, 0]);
    check(&around("y = x + grouped_attention(x, 4, 2, 6)"), [1, 0, 0]);
}

#[test]
fn normalizations_take_gain_and_bias_along() {
    check(&around("y = x + linear(layer_norm(x), n)"), [0, 1, 0]);
    check(&around("y = x + linear(rms_norm(x), n)"), [0, 1, 0]);
    check(&around("y = gelu(layer_norm(x))"), [0, 1, 0]);
}

#[test]
fn functions_leave_their_slopes() {
    for name in ["gelu", "silu", "tanh", "sigmoid", "softplus", "elu"] {
        check(&around(&format!("y = x + linear({name}(affine(x, 2*n)), n)")), [0, 0, 1]);
    }
}

/// What others read is not written over, and what is not asked for is not joined.
#[test]
fn what_others_read_stays_apart() {
    let kept = around("h = affine(x, n)\ny = x + gelu(h) + 0.5*h");
    assert_eq!(joined(&machine(&kept, Purpose::Training, 3).program), [0; 3]);
    let read_twice = around("h = standardize(x)\ny = h + gelu(h)");
    assert_eq!(joined(&machine(&read_twice, Purpose::Training, 3).program), [0; 3]);
}
