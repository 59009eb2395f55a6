//! A plan is made once: a training step allocates nothing.

use std::sync::Arc;

use mupc::check::setting::{Base, setting, values};
use mupc::network::{Network, Question};
use mupc::numeric::build::{Purpose, build};
use mupc::numeric::data::{Source, bind};
use mupc::numeric::train::{Routine, Trainer};
use mupc::{Named, Optimizer};

/// Allocations and bytes of one step, after a first one.
fn step(network: &Network, optimizer: Optimizer) -> (u64, u64) {
    let graph = &network.graph;
    let at = values(graph, &[]);
    let question = Question::new(Named::Mup, optimizer);
    let found = network.parameterize(question.clone()).unwrap_or_else(|error| panic!("{error}"));
    let numbers = setting(&network.calculus_for(&question), &found, &at, &at, &Base::default());
    let program = Arc::new(build(graph, &at, 4, &numbers, Purpose::Training).unwrap());
    let data = bind(&Source::Synthetic { seed: 3 }, graph, &at).unwrap_or_else(|error| panic!("{error}"));
    let batch = data.batch(&[0, 1, 2, 3]);
    let routine = Routine { clip: Some(1.0), ..Routine::default() };
    let mut trainer: Trainer<f32> = Trainer::new(program, &numbers, routine, 0);
    // Matrix products keep their packing space from the first call on.
    trainer.step(&batch);
    let counted = allocation_counter::measure(|| {
        trainer.step(&batch);
    });
    (counted.count_total, counted.bytes_total)
}

const NETWORK: &str = "
scale n = 32, L = 2
dim seq = 8, vocab = 16
input tokens[seq] in vocab
target next[seq] in vocab
x = embed(tokens, n) + position_embedding(seq, n)
repeat L as block {
  x += attention(layer_norm(x), 4, 8)
  x += mlp(layer_norm(x), 4*n, gelu)
}
loss cross_entropy(readout(layer_norm(x), vocab), next)
";

#[test]
fn a_training_step_allocates_nothing() {
    let network = mupc::compile(NETWORK).unwrap_or_else(|error| panic!("{error}"));
    for optimizer in [Optimizer::Sgd, Optimizer::Adam, Optimizer::Lion, Optimizer::Adafactor, Optimizer::Lamb]
    {
        assert_eq!(step(&network, optimizer), (0, 0), "{optimizer}");
    }
}
