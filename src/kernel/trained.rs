//! The finite network beside its limit: the same spec with the same start, trained on the same examples.

use std::sync::Arc;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::prior::{Prior, fan_in};
use crate::graph::Graph;
use crate::numeric::build::{BuildError, Purpose, build};
use crate::numeric::data::{Bound, Column};
use crate::numeric::setting::{ParamSetting, Setting, Start};
use crate::numeric::train::{Routine, Trainer};
use crate::optimizer::Optimizer;
use crate::rational::Rational;

/// How the network is trained: Adam in the standard parameterization.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Course {
    /// Passes over the examples.
    pub epochs: usize,
    /// Examples per step.
    pub batch: usize,
    /// The learning rate.
    pub rate: f64,
    /// Chooses the start and the order of the examples.
    pub seed: u64,
}

impl Default for Course {
    /// 20 passes, 25 examples per step, rate 2^-10.
    fn default() -> Course {
        Course { epochs: 20, batch: 25, rate: 1.0 / 1024.0, seed: 0 }
    }
}

/// The numbers that a network of these lengths starts with.
pub fn setting(graph: &Graph, values: &[Rational], prior: &Prior, rate: f64) -> Setting {
    let own = graph.param_ids().zip(&prior.params).map(|((param, _), own)| ParamSetting {
        multiplier: 1.0,
        start: match own.constant {
            Some(value) => Start::Constant(value),
            None => Start::Normal((own.variance / fan_in(graph, values, param)).sqrt()),
        },
        optimizer: own.trained.then_some(Optimizer::Adam),
        learning_rate: rate,
        epsilon: 1e-8,
        weight_decay: 0.0,
    });
    Setting { params: own.collect(), ..Setting::default() }
}

/// The share of test examples whose class the trained network finds. Examples are numbers of the bound data.
///
/// # Errors
/// If the network cannot be run at these lengths.
pub fn accuracy(
    graph: &Graph,
    values: &[Rational],
    prior: &Prior,
    (data, train, test): (&Bound, &[usize], &[usize]),
    course: Course,
) -> Result<Option<f64>, BuildError> {
    let setting = setting(graph, values, prior, course.rate);
    let batch = course.batch.clamp(1, train.len().max(1));
    let program = Arc::new(build(graph, values, batch, &setting, Purpose::Training)?);
    let mut trainer = Trainer::<f32>::new(program, &setting, Routine::default(), course.seed);
    let mut order = train.to_vec();
    let mut stream = ChaCha8Rng::seed_from_u64(course.seed);
    for _ in 0..course.epochs {
        order.shuffle(&mut stream);
        for examples in order.chunks_exact(batch) {
            trainer.step(&data.batch(examples));
        }
    }
    let Some(target) = graph.data.iter().position(|own| own.target && own.classes.is_some()) else {
        return Ok(None);
    };
    let (mut right, mut all) = (0, 0);
    for examples in test.chunks(batch) {
        // A last short batch is filled up with its first example.
        let full: Vec<usize> =
            examples.iter().copied().chain(std::iter::repeat(examples[0])).take(batch).collect();
        let columns = data.batch(&full);
        trainer.machine.load(&columns);
        trainer.machine.forward();
        let program = Arc::clone(&trainer.machine.program);
        let (Some(output), Column::Whole(labels)) = (program.outputs.first(), &columns[target]) else {
            return Ok(None);
        };
        let logits = trainer.machine.values(output.slot);
        let classes = output.shape.last().copied().unwrap_or(1);
        let per_example = labels.len() / batch;
        let rows = logits.chunks_exact(classes).zip(labels).take(examples.len() * per_example);
        for (row, label) in rows {
            all += 1;
            right += usize::from(largest(row, output.scale) == *label as usize);
        }
    }
    Ok((all > 0).then(|| right as f64 / all as f64))
}

fn largest(row: &[f32], scale: f64) -> usize {
    let better = |best: usize, at: usize| {
        if f64::from(row[at]) * scale > f64::from(row[best]) * scale { at } else { best }
    };
    (0..row.len()).fold(0, better)
}
