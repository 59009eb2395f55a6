//! What a run does besides its optimizer's law: clipping and schedules of the learning rate.

use std::sync::Arc;

use mupc::check::setting::{Base, setting, values};
use mupc::network::Question;
use mupc::numeric::build::{Purpose, build};
use mupc::numeric::data::{Source, bind};
use mupc::numeric::train::{Routine, Schedule, Trainer};
use mupc::{Named, Optimizer};

const NETWORK: &str = "scale n = 16
input x[4]
target goal[2]
h = tanh(affine(x, n))
loss mse(readout(h, 2), goal)";

/// The norm of the whole gradient, and how all weights change in the first step of gradient descent.
fn first_step(routine: Routine) -> (f64, Vec<f64>) {
    let network = mupc::compile(NETWORK).unwrap_or_else(|error| panic!("{error}"));
    let graph = &network.graph;
    let at = values(graph, &[]);
    let question = Question::new(Named::Mup, Optimizer::Sgd);
    let found = network.parameterize(question.clone()).unwrap_or_else(|error| panic!("{error}"));
    let numbers = setting(&network.calculus_for(&question), &found, &at, &at, &Base::default());
    let program = Arc::new(build(graph, &at, 4, &numbers, Purpose::Training).unwrap());
    let data = bind(&Source::Synthetic { seed: 3 }, graph, &at).unwrap_or_else(|error| panic!("{error}"));
    let mut trainer: Trainer<f64> = Trainer::new(Arc::clone(&program), &numbers, routine, 0);
    let weights = |trainer: &Trainer<f64>| -> Vec<f64> {
        program.weights.iter().flat_map(|own| trainer.machine.values(own.slot).to_vec()).collect()
    };
    let before = weights(&trainer);
    trainer.step(&data.batch(&[0, 1, 2, 3]));
    let squares = |slot| trainer.machine.gradient(slot).iter().map(|entry| entry * entry).sum::<f64>();
    let norm = program.weights.iter().map(|own| squares(own.slot)).sum::<f64>().sqrt();
    (norm, weights(&trainer).iter().zip(before).map(|(now, then)| now - then).collect())
}

fn assert_times(found: &[f64], factor: f64, whole: &[f64]) {
    assert!(whole.iter().any(|entry| *entry != 0.0));
    for (found, whole) in found.iter().zip(whole) {
        assert!((found - factor * whole).abs() <= 1e-12, "{found} is not {factor} times {whole}");
    }
}

#[test]
fn gradients_are_clipped_as_one() {
    let (norm, whole) = first_step(Routine::default());
    for share in [0.25, 0.5] {
        let (_, clipped) = first_step(Routine { clip: Some(share * norm), ..Routine::default() });
        assert_times(&clipped, share, &whole);
    }
    let (_, small) = first_step(Routine { clip: Some(2.0 * norm), ..Routine::default() });
    assert_eq!(small, whole);
}

#[test]
fn schedules_are_what_they_say() {
    let (_, whole) = first_step(Routine::default());
    let rising = Schedule::WarmupCosine { warmup: 4, steps: 12 };
    let (_, quarter) = first_step(Routine { schedule: rising, ..Routine::default() });
    assert_times(&quarter, 0.25, &whole);
    let near = |schedule: Schedule, expected: &[(usize, f64)]| {
        for (step, factor) in expected {
            assert!((schedule.factor(*step) - factor).abs() < 1e-12, "{schedule:?} at {step}");
        }
    };
    near(rising, &[(0, 0.25), (3, 1.0), (4, 1.0), (8, 0.5), (12, 0.0), (20, 0.0)]);
    near(Schedule::Linear { steps: 4 }, &[(0, 1.0), (1, 0.75), (3, 0.25), (4, 0.0), (9, 0.0)]);
    near(Schedule::Constant, &[(0, 1.0), (1000, 1.0)]);
}
