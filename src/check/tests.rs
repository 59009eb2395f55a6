//! Fits and verdicts on made-up series, whose exponents are known.

use proptest::prelude::*;

use super::fit::fit;
use super::record::{Finding, Overall, Point, Predicted, Quantity, Verdict};
use super::verdict::judge;
use crate::rational::Rational;

const WIDTHS: [i64; 5] = [64, 128, 256, 512, 1024];

/// Normal numbers from a seed: splitmix64 and the polar-free Box-Muller transform.
struct Normal(u64);

impl Normal {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn next(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }
}

/// What a root mean square over n entries scatters by, and 5 %.
fn typical(n: f64) -> f64 {
    (1.0 / n + 0.05f64.powi(2)).sqrt()
}

/// Sizes with lognormal noise.
fn series(
    normal: &mut Normal,
    values: &[i64],
    seeds: usize,
    size: impl Fn(f64) -> f64,
    noise: impl Fn(f64) -> f64,
) -> Vec<Point> {
    let one = |normal: &mut Normal, n: f64| size(n) * (noise(n) * normal.next()).exp();
    values.iter().map(|n| Point::new(*n, (0..seeds).map(|_| one(normal, *n as f64)).collect())).collect()
}

fn predict(exponent: f64) -> Predicted {
    Predicted::power(Rational::new((exponent * 4.0) as i64, 4).unwrap())
}

/// Shares of above, below, agrees and unmeasured among so many trials.
fn shares(
    trials: u64,
    predicted: f64,
    seeds: usize,
    size: impl Fn(f64) -> f64 + Copy,
    noise: impl Fn(f64) -> f64 + Copy,
) -> [f64; 4] {
    let mut counts = [0.0; 4];
    for trial in 0..trials {
        let mut normal = Normal(trial.wrapping_mul(0xA24B_AED4_963E_E407));
        let points = series(&mut normal, &WIDTHS, seeds, size, noise);
        let at = match judge(&predict(predicted), &points, &[]).verdict {
            Verdict::Above => 0,
            Verdict::Below => 1,
            Verdict::Agrees => 2,
            Verdict::Unmeasured => 3,
        };
        counts[at] += 100.0 / trials as f64;
    }
    counts
}

/// Of 100 trials: seeds that scatter as those of a root mean square do, and as those of a few coordinates do.
const TRIALS: u64 = 20_000;

#[test]
fn false_alarms_are_rare() {
    for exponent in [-1.0, -0.5, 0.0, 0.5, 1.0] {
        let [above, below, agrees, _] = shares(TRIALS, exponent, 3, |n| 3.0 * n.powf(exponent), typical);
        assert!(above == 0.0 && below < 0.01 && agrees > 99.9, "{above} {below} {agrees}");
    }
    let [above, below, agrees, _] = shares(TRIALS, 0.0, 3, |_| 1.0, |_| 0.22);
    println!("noise 22 %: {above:.3} above, {below:.3} below, {agrees:.3} agree");
    assert!(above < 0.1 && agrees > 99.0, "{above} {below} {agrees}");
}

#[test]
fn a_prediction_half_a_power_off_is_refuted() {
    for exponent in [-1.0, 0.0, 0.5] {
        let [above, ..] = shares(TRIALS, exponent - 0.5, 3, |n| n.powf(exponent), typical);
        let [_, below, ..] = shares(TRIALS, exponent + 0.5, 3, |n| n.powf(exponent), typical);
        println!("typical noise, off by 1/2: {above:.2} above, {below:.2} below");
        assert!(above > 98.0 && below > 98.0, "{above} {below}");
    }
    let [above, ..] = shares(TRIALS, 0.0, 3, f64::sqrt, |_| 0.22);
    println!("noise 22 %, off by 1/2: {above:.2} above");
    assert!(above > 95.0, "{above}");
}

#[test]
fn mixtures_of_powers_agree_with_the_larger() {
    for (mixed, wanted) in [(1.0, 99.9), (3.0, 99.5), (10.0, 93.0)] {
        let [above, _, agrees, _] = shares(TRIALS, 0.0, 3, |n| 1.0 + mixed / n.sqrt(), typical);
        println!("n^0 + {mixed} n^-1/2: {above:.3} above, {agrees:.2} agree");
        assert!(above < 0.01 && agrees > wanted, "{mixed}: {above} {agrees}");
    }
    // Predicting the smaller of the two powers is wrong, and the larger one the more visible the wider.
    let [above, ..] = shares(TRIALS, -0.5, 3, |n| 1.0 + 3.0 / n.sqrt(), typical);
    assert!(above > 80.0, "{above}");
}

fn points(values: &[i64], sizes: &[[f64; 3]]) -> Vec<Point> {
    values.iter().zip(sizes).map(|(value, seeds)| Point::new(*value, seeds.to_vec())).collect()
}

fn verdict(predicted: &Predicted, sizes: &[[f64; 3]]) -> (Verdict, Option<String>) {
    let judgement = judge(predicted, &points(&WIDTHS, sizes), &[1e-7; 5]);
    (judgement.verdict, judgement.reason)
}

#[test]
fn zero_is_judged_by_the_floor() {
    assert_eq!(verdict(&Predicted::Zero, &[[0.0; 3]; 5]), (Verdict::Agrees, None));
    assert_eq!(verdict(&Predicted::Zero, &[[5e-8; 3]; 5]), (Verdict::Agrees, None));
    let (above, reason) = verdict(&Predicted::Zero, &[[0.0; 3], [0.0; 3], [2e-3; 3], [1e-3; 3], [1e-3; 3]]);
    assert_eq!((above, reason.as_deref()), (Verdict::Above, Some("predicted zero, measured 2.0e-3 at 256")));
    assert_eq!(verdict(&predict(0.5), &[[0.0; 3]; 5]).0, Verdict::Below);
    let (floor, reason) = verdict(&predict(-1.0), &[[5e-8; 3]; 5]);
    assert_eq!(
        (floor, reason.as_deref()),
        (Verdict::Unmeasured, Some("at the floor of rounding from 64 on"))
    );
}

#[test]
fn divergence_is_a_result() {
    let diverged = [f64::INFINITY; 3];
    let (agrees, reason) = verdict(&Predicted::Beyond, &[[1.0; 3], [9.0; 3], diverged, diverged, diverged]);
    assert_eq!((agrees, reason.as_deref()), (Verdict::Agrees, Some("diverged at 256")));
    assert_eq!(verdict(&predict(0.0), &[diverged; 5]).0, Verdict::Unmeasured);
    let sizes = [[1.0, 1.01, 0.99], [1.41, 1.42, 1.4], [2.0, 2.02, 1.98], [2.83, 2.8, 2.84], diverged];
    assert_eq!(verdict(&predict(0.5), &sizes).0, Verdict::Agrees);
    assert_eq!(verdict(&predict(0.0), &sizes).0, Verdict::Above);
}

#[test]
fn growth_beyond_powers_has_growing_slopes() {
    let mut normal = Normal(1);
    let depths = [2, 4, 8, 16, 32];
    let grown = series(&mut normal, &depths, 3, |depth| (0.5 * depth).exp(), |_| 0.05);
    assert_eq!(judge(&Predicted::Beyond, &grown, &[]).verdict, Verdict::Agrees);
    let power = series(&mut normal, &depths, 3, |depth| depth.powi(2), |_| 0.05);
    assert_eq!(judge(&Predicted::Beyond, &power, &[]).verdict, Verdict::Below);
}

#[test]
fn few_sizes_measure_nothing() {
    let one = points(&[64], &[[1.0; 3]]);
    assert!(fit(&one).is_none() && fit(&[]).is_none());
    let lonely = [Point::new(64, vec![1.0]), Point::new(128, vec![1.0])];
    assert_eq!(judge(&predict(0.0), &lonely, &[]).verdict, Verdict::Unmeasured);
    let scattered = points(&[64, 128], &[[1.0, 2.0, 0.3], [1.0, 0.4, 2.5]]);
    let judgement = judge(&predict(0.0), &scattered, &[]);
    assert_eq!(judgement.verdict, Verdict::Unmeasured);
    assert!(judgement.reason.unwrap().contains("scatter too much"));
}

/// Where few units cross a kink, smaller networks show what is left without them: no slope leads from one to the other.
#[test]
fn what_few_entries_carry_is_not_compared() {
    let chance = [f64::NAN, f64::NAN, 3e-8];
    let small = [3e-8, 3.1e-8, 2.9e-8];
    let large = [6e-6, 6.2e-6, 5.8e-6];
    let judged = judge(&predict(0.0), &points(&[64, 128, 256, 512], &[small, chance, large, large]), &[]);
    assert_eq!(judged.verdict, Verdict::Agrees);
    let judged = judge(&predict(0.0), &points(&[64, 128, 256, 512], &[small, small, chance, large]), &[]);
    assert_eq!(judged.verdict, Verdict::Unmeasured);
    assert!(judged.reason.unwrap().contains("few entries up to 256"));
}

#[test]
fn the_culprit_comes_before_what_it_causes() {
    let finding = |subject: &str, order, quantity, step, verdict| Finding {
        subject: subject.to_string(),
        order,
        quantity,
        step,
        predicted: Predicted::Zero,
        series: Vec::new(),
        fit: None,
        verdict,
        reason: None,
    };
    let findings = [
        finding("x", 1, Quantity::Gradient, 1, Verdict::Above),
        finding("late", 2, Quantity::Value, 3, Verdict::Above),
        finding("y", 9, Quantity::Change, 1, Verdict::Above),
        finding("y", 8, Quantity::Update, 1, Verdict::Above),
        finding("first", 0, Quantity::Value, 0, Verdict::Agrees),
    ];
    let overall = Overall::of(&findings);
    let wanted = Overall { agrees: 1, above: 4, below: 0, unmeasured: 0, culprit: Some(3) };
    assert_eq!((overall.total(), overall), (5, wanted));
}

proptest! {
    /// The exponent does not depend on the unit in which sizes are measured, and a power n^d adds d to it.
    #[test]
    fn fits_are_equivariant(seed in any::<u64>(), factor in 1e-6f64..1e6, shift in -2.0f64..2.0) {
        let plain = fit(&series(&mut Normal(seed), &WIDTHS, 3, |n| n.sqrt() + 2.0, typical)).unwrap().fit;
        let size = |n: f64| factor * n.powf(shift) * (n.sqrt() + 2.0);
        let moved = fit(&series(&mut Normal(seed), &WIDTHS, 3, size, typical)).unwrap().fit;
        for (a, b) in [
            (plain.exponent, moved.exponent),
            (plain.low, moved.low),
            (plain.high, moved.high),
            (plain.extrapolated, moved.extrapolated),
        ] {
            prop_assert!((a + shift - b).abs() < 1e-9, "{a} + {shift} against {b}");
        }
    }

    /// Without noise, the slope of a power is the power.
    #[test]
    fn exact_powers_are_exact(exponent in -2.0f64..2.0) {
        let found = fit(&series(&mut Normal(0), &WIDTHS, 2, |n| n.powf(exponent), |_| 0.0)).unwrap().fit;
        prop_assert!((found.exponent - exponent).abs() < 1e-9 && (found.high - found.low) < 1e-6);
    }
}
