//! A plan is made once: a training step allocates nothing of its own. (The library of matrix products takes room to pack its operands, and gives it back, in every call.)

use std::sync::Arc;

use allocation_counter::AllocationInfo;
use mupc::check::setting::{Base, setting, values};
use mupc::network::{Network, Question};
use mupc::numeric::build::{Purpose, build};
use mupc::numeric::data::{Source, bind};
use mupc::numeric::program::{Kernel, Program};
use mupc::numeric::rows::Along;
use mupc::numeric::setting::Setting;
use mupc::numeric::train::{Routine, Trainer};
use mupc::{Named, Optimizer};

/// A plan at the spec's own lengths, with the numbers of muP.
fn planned(network: &Network, optimizer: Optimizer, purpose: Purpose) -> (Arc<Program>, Setting) {
    let graph = &network.graph;
    let at = values(graph, &[]);
    let question = Question::new(Named::Mup, optimizer);
    let found = network.parameterize(question.clone()).unwrap_or_else(|error| panic!("{error}"));
    let numbers = setting(&network.calculus_for(&question), &found, &at, &at, &Base::default());
    (Arc::new(build(graph, &at, 4, &numbers, purpose).unwrap()), numbers)
}

/// What one step allocates, after a first one.
fn step(network: &Network, optimizer: Optimizer) -> AllocationInfo {
    let (graph, at) = (&network.graph, values(&network.graph, &[]));
    let (program, numbers) = planned(network, optimizer, Purpose::Training);
    let data = bind(&Source::Synthetic { seed: 3 }, graph, &at).unwrap_or_else(|error| panic!("{error}"));
    let batch = data.batch(&[0, 1, 2, 3]);
    let routine = Routine { clip: Some(1.0), ..Routine::default() };
    let mut trainer: Trainer<f32> = Trainer::new(program, &numbers, routine, 0);
    trainer.step(&batch);
    allocation_counter::measure(|| {
        trainer.step(&batch);
    })
}

/// No matrix product: every other kind of instruction.
const ELEMENTWISE: &str = "
scale n = 32, L = 2
dim vocab = 16
input tokens in vocab
target goal[n]
x = embed(tokens, vocab, n)
repeat L as block {
  param gain[n] = 1, bias[n] = 0
  h = gelu(layer_norm(x)) * gain + bias
  p[i] = softmax(h, over i)
  z[a:4, b] = h[(a b)]
  y[(a b)] = dropout(z, 0.1)[a, b]
  x += 0.5*p + silu(h) + y
}
loss mse(x, goal)
";

const NETWORK: &str = "
scale n = 32, L = 2
dim seq = 8, vocab = 16
input tokens[seq] in vocab
target next[seq] in vocab
x = embed(tokens, vocab, n) + position(seq, n)
repeat L as block {
  x += causal_attention(layer_norm(x), 4, 8)
  x += mlp(layer_norm(x), 4*n, gelu)
}
loss mean(cross_entropy(readout(layer_norm(x), vocab), next))
";

fn compiled(text: &str) -> Network {
    mupc::compile(text).unwrap_or_else(|error| panic!("{error}"))
}

const OPTIMIZERS: [Optimizer; 5] =
    [Optimizer::Sgd, Optimizer::Adam, Optimizer::Lion, Optimizer::Adafactor, Optimizer::Lamb];

#[test]
fn a_training_step_allocates_nothing() {
    for optimizer in OPTIMIZERS {
        assert_eq!(step(&compiled(ELEMENTWISE), optimizer).count_total, 0, "{optimizer}");
    }
}

#[test]
fn matrix_products_give_their_room_back() {
    for optimizer in OPTIMIZERS {
        let info = step(&compiled(NETWORK), optimizer);
        assert_eq!((info.count_current, info.bytes_current), (0, 0), "{optimizer}");
        // One product's room at a time.
        assert!(info.count_max <= 2, "{optimizer}: {info:?}");
    }
}

/// Biases, residual sums, masks and shares are written over what they are made of; what a normalization came from is kept, because its gradient needs it.
#[test]
fn results_lie_over_what_nobody_needs() {
    let (program, _) = planned(&compiled(NETWORK), Optimizer::Adam, Purpose::Tangent);
    let in_place = |wanted: &dyn Fn(&Kernel) -> bool| {
        let own = program.instructions.iter().filter(|own| wanted(&own.kernel));
        (own.clone().filter(|own| own.is_in_place()).count(), own.count())
    };
    let along = |kernel: &Kernel| match kernel {
        Kernel::Rows(along, _) => Some(*along),
        _ => None,
    };
    assert_eq!(in_place(&|kernel| along(kernel) == Some(Along::Softmax)), (2, 2));
    assert_eq!(in_place(&|kernel| matches!(along(kernel), Some(Along::Causal { .. }))), (2, 2));
    assert_eq!(in_place(&|kernel| along(kernel) == Some(Along::Standardize)), (0, 5));
    // The sum of two embeddings and four of the stream; not so five gains and two gelus, whose gradients look back.
    assert_eq!(in_place(&|kernel| matches!(kernel, Kernel::Chain(_))), (5, 12));
}
