//! Optimizers by their published laws, written here a second time as plain loops, and spectral ones by what their steps are.

use mupc::graph::ParamId;
use mupc::numeric::program::{MatrixAxes, Weight};
use mupc::numeric::setting::{ParamSetting, Start};
use mupc::numeric::update::{Memory, Update};
use mupc::optimizer::{Decay, Optimizer};
use smallvec::smallvec;

const ROWS: usize = 3;
const COLUMNS: usize = 5;
const RATE: f64 = 0.1;
const EPSILON: f64 = 1e-3;
const DECAY: f64 = 0.2;
const MEMORY: Memory = Memory { momentum: 0.9, first: 0.8, second: 0.95 };

/// The direction of every entry, from the step (counted from 1), the gradient and two memories.
type Law<'l> = dyn Fn(i32, &[f64], &mut [Vec<f64>; 2]) -> Vec<f64> + 'l;

/// Weights and gradients of a few steps: nothing special about them.
fn weights() -> Vec<f64> {
    (0..ROWS * COLUMNS).map(|at| ((at * 5 + 1) as f64).sin()).collect()
}

fn gradient(step: usize) -> Vec<f64> {
    (0..ROWS * COLUMNS).map(|at| ((at * 7 + step * 11) as f64).cos() * (1.0 + step as f64)).collect()
}

fn update(optimizer: Optimizer, decay: Decay, weight_decay: f64) -> Update<f64> {
    let weight = Weight {
        param: ParamId(0),
        repetition: smallvec![],
        slot: 0,
        shape: smallvec![ROWS, COLUMNS],
        matrix: MatrixAxes { blocks: smallvec![], rows: smallvec![0], columns: smallvec![1] },
    };
    let setting = ParamSetting {
        multiplier: 1.0,
        start: Start::Constant(0.0),
        optimizer: Some(optimizer),
        learning_rate: RATE,
        epsilon: EPSILON,
        weight_decay,
    };
    Update::new(&weight, setting, decay, MEMORY).unwrap()
}

/// The weights after three steps at rates of 1, 1/2 and 1/4 of the full one.
fn trained(optimizer: Optimizer, decay: Decay, weight_decay: f64) -> Vec<f64> {
    let mut update = update(optimizer, decay, weight_decay);
    let mut weights = weights();
    (0..3).for_each(|step| update.step(&mut weights, &gradient(step), 0.5_f64.powi(step as i32), 1.0));
    weights
}

/// The same by a law: given step (from 1), gradient and two memories, the direction of every entry.
fn by_law(
    decay: Decay,
    weight_decay: f64,
    law: impl Fn(i32, &[f64], &[f64], &mut [Vec<f64>; 2]) -> Vec<f64>,
) -> Vec<f64> {
    let mut own = weights();
    let mut memories = [vec![0.0; own.len()], vec![0.0; own.len()]];
    for step in 0..3 {
        let rate = RATE * 0.5_f64.powi(step);
        let mut g = gradient(step as usize);
        if decay == Decay::Coupled {
            g.iter_mut().zip(&own).for_each(|(g, w)| *g += weight_decay * w);
        }
        let direction = law(step + 1, &own, &g, &mut memories);
        for (w, u) in own.iter_mut().zip(direction) {
            let shrink = match decay {
                Decay::Coupled => 0.0,
                Decay::Decoupled => rate * weight_decay,
                Decay::Independent => rate / RATE * weight_decay,
            };
            *w = *w - shrink * *w - rate * u;
        }
    }
    own
}

fn assert_near(found: &[f64], expected: &[f64], what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{what}: {found} instead of {expected}");
    }
}

fn norm(entries: &[f64]) -> f64 {
    entries.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// m / (1 - b^t) over the root of v / (1 - b^t), plus eps (Kingma & Ba 2014, algorithm 1).
fn adam(t: i32, g: &[f64], memories: &mut [Vec<f64>; 2]) -> Vec<f64> {
    let [first, second] = memories;
    let each = |at: usize| {
        first[at] = MEMORY.first * first[at] + (1.0 - MEMORY.first) * g[at];
        second[at] = MEMORY.second * second[at] + (1.0 - MEMORY.second) * g[at] * g[at];
        let (m, v) = (first[at] / (1.0 - MEMORY.first.powi(t)), second[at] / (1.0 - MEMORY.second.powi(t)));
        m / (v.sqrt() + EPSILON)
    };
    (0..g.len()).map(each).collect()
}

#[test]
fn entrywise_laws_with_every_decay() {
    for decay in Decay::ALL {
        for weight_decay in [0.0, DECAY] {
            let near = |optimizer, law: &Law| {
                let expected = by_law(decay, weight_decay, |t, _, g, memories| law(t, g, memories));
                assert_near(
                    &trained(optimizer, decay, weight_decay),
                    &expected,
                    &format!("{optimizer} {decay:?} {weight_decay}"),
                );
            };
            near(Optimizer::Sgd, &|_, g, [m, _]| {
                m.iter_mut().zip(g).for_each(|(m, g)| *m = MEMORY.momentum * *m + g);
                m.clone()
            });
            near(Optimizer::Adam, &|t, g, memories| adam(t, g, memories));
            near(Optimizer::AdamW, &|t, g, memories| adam(t, g, memories));
            near(Optimizer::Adagrad, &|_, g, [_, v]| {
                v.iter_mut().zip(g).for_each(|(v, g)| *v += g * g);
                g.iter().zip(&*v).map(|(g, v)| g / (v.sqrt() + EPSILON)).collect()
            });
            near(Optimizer::RmsProp, &|_, g, [_, v]| {
                v.iter_mut()
                    .zip(g)
                    .for_each(|(v, g)| *v = MEMORY.second * *v + (1.0 - MEMORY.second) * g * g);
                g.iter().zip(&*v).map(|(g, v)| g / (v.sqrt() + EPSILON)).collect()
            });
            near(Optimizer::Lion, &|_, g, [m, _]| {
                let step = g
                    .iter()
                    .zip(&*m)
                    .map(|(g, m)| (MEMORY.first * m + (1.0 - MEMORY.first) * g).signum())
                    .collect();
                m.iter_mut().zip(g).for_each(|(m, g)| *m = MEMORY.second * *m + (1.0 - MEMORY.second) * g);
                step
            });
            near(Optimizer::Sign, &|_, g, _| g.iter().map(|g| g.signum()).collect());
        }
    }
}

/// LARS and LAMB step as far as the weights are long, along the gradient and along Adam's direction.
#[test]
fn layerwise_laws() {
    let lars = by_law(Decay::Decoupled, DECAY, |_, w, g, _| {
        let size = norm(g) + EPSILON;
        g.iter().map(|g| g * norm(w) / size).collect()
    });
    assert_near(&trained(Optimizer::Lars, Decay::Decoupled, DECAY), &lars, "lars");
    let lamb = by_law(Decay::Decoupled, DECAY, |t, w, g, memories| {
        let direction = adam(t, g, memories);
        let size = norm(&direction);
        direction.iter().map(|u| u * norm(w) / size).collect()
    });
    assert_near(&trained(Optimizer::Lamb, Decay::Decoupled, DECAY), &lamb, "lamb");
}

/// Adafactor steps relative to the size of the weights, and forgets the size of the gradient.
#[test]
fn adafactor_is_relative() {
    let step = |scale: f64, gain: f64| {
        let mut update = update(Optimizer::Adafactor, Decay::Decoupled, 0.0);
        let start: Vec<f64> = weights().iter().map(|w| scale * w).collect();
        let mut moved = start.clone();
        let gradient: Vec<f64> = gradient(0).iter().map(|g| gain * g).collect();
        update.step(&mut moved, &gradient, 1.0, 1.0);
        moved.iter().zip(&start).map(|(moved, start)| moved - start).collect::<Vec<f64>>()
    };
    let one = step(1.0, 1.0);
    assert!((norm(&one) / (RATE * norm(&weights())) - 1.0).abs() < 1e-6, "{}", norm(&one));
    let larger: Vec<f64> = one.iter().map(|own| 8.0 * own).collect();
    assert_near(&step(8.0, 1.0), &larger, "eight times the weights");
    assert_near(&step(1.0, 64.0), &one, "a larger gradient");
}

/// The first step of a spectral optimizer, over its rate.
fn first_step(optimizer: Optimizer) -> Vec<f64> {
    let mut update = update(optimizer, Decay::Decoupled, 0.0);
    let mut moved = weights();
    update.step(&mut moved, &gradient(0), 1.0, 1.0);
    weights().iter().zip(&moved).map(|(start, moved)| (start - moved) / RATE).collect()
}

/// G as rows.
fn matrix(entries: &[f64]) -> faer::Mat<f64> {
    faer::Mat::from_fn(ROWS, COLUMNS, |row, column| entries[row * COLUMNS + column])
}

fn singular(entries: &[f64]) -> Vec<f64> {
    let found = matrix(entries).svd().unwrap();
    let values = found.S().column_vector();
    (0..values.nrows()).map(|at| values[at]).collect()
}

/// Muon's steps have all singular values near 1 times the factor of the shape, and the singular vectors of the gradient: G^T times the
/// step is symmetric.
#[test]
fn muon_makes_singular_values_equal() {
    let largest = COLUMNS.max(ROWS) as f64;
    for (optimizer, factor) in [
        (Optimizer::Muon, 1.0),
        (Optimizer::MuonJordan, (ROWS as f64 / COLUMNS as f64).max(1.0).sqrt()),
        (Optimizer::MuonMoonlight, 0.2 * largest.sqrt()),
    ] {
        let step = first_step(optimizer);
        let rank = singular(&gradient(0)).iter().filter(|own| **own > 1e-9).count();
        for value in singular(&step).iter().take(rank) {
            assert!((0.65..1.25).contains(&(value / factor)), "{optimizer}: {value}");
        }
        let product = matrix(&gradient(0)).transpose() * matrix(&step);
        let symmetric = (&product - product.transpose()).norm_max() / product.norm_max();
        assert!(symmetric < 1e-12, "{optimizer}: {symmetric}");
    }
}

/// Shampoo's first step is U V^T of the gradient but for eps; so is SOAP's, whose basis is that of the gradient.
#[test]
fn the_first_steps_of_shampoo_and_soap() {
    for optimizer in [Optimizer::Shampoo, Optimizer::Soap] {
        let step = first_step(optimizer);
        let found = matrix(&gradient(0)).svd().unwrap();
        let rank = singular(&gradient(0)).iter().filter(|own| **own > 1e-9).count();
        for value in singular(&step).iter().take(rank) {
            assert!((value - 1.0).abs() < 0.02, "{optimizer}: {value}");
        }
        let turned = found.U().transpose() * matrix(&step) * found.V();
        let off = |i: usize, j: usize| if i == j { 0.0 } else { turned[(i, j)].abs() };
        let most = (0..rank)
            .flat_map(|i| (0..rank).map(move |j| (i, j)))
            .map(|(i, j)| off(i, j))
            .fold(0.0, f64::max);
        assert!(most < 0.02, "{optimizer}: {most}");
    }
}
