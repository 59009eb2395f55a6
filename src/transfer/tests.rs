//! Curves, drifts and verdicts on made-up losses, whose optima are known.

use super::curve::{Lowest, Shape};
use super::knob::{Grid, Knob, Place};
use super::record::{Curve, Point, Study, Verdict, Wider};
use super::request::{Course, Search};
use super::statistics::{line, lowest, quantile};
use super::study::measure;
use super::sweep::next_places;
use super::verdict::{Limits, judge};
use crate::numeric::train::Routine;

const WIDTHS: [i64; 5] = [64, 128, 256, 512, 1024];

/// Uniform numbers from a seed: splitmix64.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The sum of twelve: nearly normal.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum::<f64>() - 6.0
    }
}

/// ln loss over an optimum: a slow slope to the left, a steep one to the right, and a cliff.
fn height(x: f64, optimum: f64) -> Option<f64> {
    let away = x - optimum;
    let slope = if away < 0.0 { 0.12 } else { 0.25 };
    (away < 3.2).then_some(slope * away * away)
}

pub(super) fn point(log2: f64, losses: Vec<Option<f64>>) -> Point {
    let logs: Option<Vec<f64>> = losses.iter().map(|loss| loss.map(f64::ln)).collect();
    let mean = logs.map(|logs| (logs.iter().sum::<f64>() / logs.len() as f64).exp());
    Point { log2, losses, mean }
}

/// A study of which only the curves are known.
pub(super) fn made_up(curves: Vec<Curve>) -> Study {
    Study {
        parameterization: "made up".to_string(),
        optimizer: "adam".to_string(),
        knob: Knob::Lr,
        fixed: Vec::new(),
        curves,
        drift: None,
        predicted: None,
        unpredicted: None,
        wider: Wider { holds: None, worse_at: Vec::new() },
        noise: 0.0,
        verdict: Verdict::Undecided,
        reason: String::new(),
        advice: None,
    }
}

/// Curves whose optimum moves by `drift` per doubling, on a grid of half octaves around it.
fn study(random: &mut Uniform, drift: f64, seeds: usize, noise: f64, bend: f64) -> Study {
    let curve = |(at, value): (usize, i64)| {
        let optimum = -6.3 + drift * at as f64;
        let own: Vec<f64> = (0..seeds).map(|_| 0.3 * noise * random.normal()).collect();
        let mut loss = |x: f64, seed: usize| {
            let height = bend * height(x, optimum + own[seed])? - 0.1 * at as f64;
            Some((height + 0.2 * noise * random.normal()).exp())
        };
        let middle = optimum.round();
        let places = (-8..=8).map(|step| middle + f64::from(step) / 2.0);
        let points = places.map(|x| point(x, (0..seeds).map(|seed| loss(x, seed)).collect()));
        Curve { value, points: points.collect(), optimum: None, obstacle: None, level: false, regret: None }
    };
    let curves = WIDTHS.into_iter().enumerate().map(curve).collect();
    let mut study = made_up(curves);
    measure(&mut study, 1.0);
    judge(&mut study, seeds, Some(2), Limits::default());
    study
}

/// Shares of verdicts among so many studies, and of drifts whose interval holds the true one.
fn shares(trials: u64, drift: f64, noise: f64, bend: f64) -> ([f64; 3], f64) {
    let (mut counts, mut held) = ([0.0; 3], 0.0);
    for trial in 0..trials {
        let study = study(&mut Uniform(trial.wrapping_mul(0xA24B_AED4_963E_E407)), drift, 3, noise, bend);
        let at = match study.verdict {
            Verdict::Transfers => 0,
            Verdict::DoesNot => 1,
            Verdict::Undecided => 2,
        };
        counts[at] += 100.0 / trials as f64;
        let own = study.drift.unwrap();
        held += if own.low <= drift && drift <= own.high { 100.0 / trials as f64 } else { 0.0 };
    }
    (counts, held)
}

#[test]
fn what_stands_still_transfers_and_what_walks_does_not() {
    for (noise, wanted) in [(0.1, 99.0), (0.5, 70.0)] {
        let ([transfers, does_not, _], held) = shares(400, 0.0, noise, 1.0);
        println!("noise {noise}: {transfers} {does_not} {held}");
        assert!(transfers > wanted && does_not < 1.0 && held > 95.0, "{transfers} {does_not} {held}");
        for drift in [-1.0, -0.5, 0.5] {
            let ([transfers, does_not, _], held) = shares(400, drift, noise, 1.0);
            println!("noise {noise}, drift {drift}: {transfers} {does_not} {held}");
            assert!(
                does_not > 95.0 && transfers == 0.0 && held > 90.0,
                "{drift}: {transfers} {does_not} {held}"
            );
        }
    }
}

/// A drift at the margin itself is rarely called one or the other, where it has a cost.
#[test]
fn near_the_margin_nothing_is_claimed() {
    let ([transfers, _, undecided], _) = shares(400, 0.25, 0.5, 1.0);
    assert!(transfers < 5.0 && undecided > 30.0, "{transfers} {undecided}");
}

/// Optima that walk through a flat valley cost nothing: that is transfer.
#[test]
fn a_flat_valley_costs_nothing() {
    let ([transfers, does_not, _], _) = shares(100, -0.5, 0.02, 0.02);
    println!("flat valley: {transfers} {does_not}");
    assert!(transfers > 95.0, "{transfers} {does_not}");
    let found = study(&mut Uniform(1), -0.5, 3, 0.02, 0.02);
    assert!(found.reason.contains("nothing"), "{}", found.reason);
}

#[test]
fn regret_is_the_cost_of_standing_still() {
    let found = study(&mut Uniform(7), -1.0, 3, 0.0, 1.0);
    let costs: Vec<f64> =
        found.curves.iter().filter_map(|curve| curve.regret.as_ref()?.ratio).map(f64::ln).collect();
    // 0, then 0.25 d^2 for an optimum d octaves to the left, as far as no run diverges (beyond 3.2). The curve is steeper to the right, so a parabola is
    // lowest a little to the left of it.
    for (at, cost) in costs.iter().enumerate() {
        let (least, most) = (0.25 * (at as f64 - 0.25).max(0.0).powi(2), 0.25 * (at as f64).powi(2) + 1e-9);
        assert!((least..=most).contains(cost), "{at}: {cost} is not between {least} and {most}");
    }
    assert_eq!(costs.len(), 3);
    assert_eq!(found.curves[3].regret.as_ref().unwrap().loss, None);
    assert!(found.reason.contains("diverges at 512"), "{}", found.reason);
    assert_eq!((found.wider.holds, found.wider.worse_at.clone()), (Some(false), vec![128, 256, 512]));
}

#[test]
fn a_parabola_is_found_exactly() {
    let points: Vec<(f64, f64)> =
        [-8.0, -7.5, -7.0, -6.0].map(|x: f64| (x, 2.0 + 0.3 * (x + 7.2).powi(2))).to_vec();
    assert!((lowest(&points).unwrap() + 7.2).abs() < 1e-9);
    let hill: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, -y)).collect();
    assert_eq!(lowest(&hill), None);
    let straight = line(&[(0.0, 1.0, 0.1), (1.0, 3.0, 0.2), (2.0, 5.0, 0.3)]).unwrap();
    assert!((straight.slope - 2.0).abs() < 1e-12 && straight.chi_squared < 1e-12);
    assert!((quantile(2.0) - 4.302_65).abs() < 1e-4 && (quantile(0.0) - 1.96).abs() < 1e-3);
}

/// What one seed cannot stand is beyond every height; beside it there is no parabola.
#[test]
fn cliffs_and_edges() {
    let shape = |losses: &[[Option<f64>; 2]]| {
        let points: Vec<Point> =
            losses.iter().enumerate().map(|(x, losses)| point(x as f64, losses.to_vec())).collect();
        Shape::new(&points)
    };
    let (high, low) = ([Some(2.0), Some(2.0)], [Some(1.0), Some(1.0)]);
    let cliff = shape(&[high, low, [Some(0.5), None]]);
    assert!(
        matches!(cliff.lowest(1.0), Lowest::Inside(bottom) if bottom.x == 1.0 && bottom.seeds == [1.0, 1.0])
    );
    assert_eq!(cliff.at(1.5), None);
    assert_eq!(shape(&[low, high]).lowest(1.0), Lowest::First(0.0));
    assert_eq!(shape(&[high, low]).lowest(1.0), Lowest::Last(1.0));
    assert_eq!(shape(&[[None, Some(1.0)]]).lowest(1.0), Lowest::Nowhere);
    assert_eq!(shape(&[]).lowest(1.0), Lowest::Nowhere);
}

/// Tries what is to be tried next until nothing is.
fn search(optimum: f64, grid: Grid, search: Search) -> Vec<Place> {
    let try_out =
        |place: Place| (place, point(place.log2(), vec![height(place.log2(), optimum).map(f64::exp)]));
    let mut points: Vec<(Place, Point)> = grid.places().into_iter().map(try_out).collect();
    loop {
        let known = |place: &Place| points.iter().any(|(own, _)| own == place);
        let mut next = next_places(&points, grid, 1, search);
        next.retain(|place| !known(place));
        if next.is_empty() {
            return points.into_iter().map(|(place, _)| place).collect();
        }
        points.extend(next.into_iter().map(try_out));
        points.sort_by_key(|(place, _)| *place);
    }
}

#[test]
fn optima_are_bracketed_and_refined() {
    let (grid, wide) = (Grid::octaves(-8, -4), Search { halvings: 2, reach: 6 });
    for optimum in [-13.3, -9.1, -6.1, -4.0, 1.4] {
        let places = search(optimum, grid, wide);
        let best =
            places.iter().min_by(|a, b| (a.log2() - optimum).abs().total_cmp(&(b.log2() - optimum).abs()));
        let at = places.iter().position(|place| Some(place) == best).unwrap();
        assert!(at > 0 && at + 1 < places.len(), "{optimum}: {places:?}");
        assert!(places[at + 1].0 - places[at - 1].0 <= Place::OCTAVE / 2, "{optimum}: {places:?}");
        assert!(places.len() <= 5 + 12, "{optimum}: {} places", places.len());
    }
    assert_eq!(search(-6.1, grid, Search { halvings: 0, reach: 0 }), grid.places());
    assert_eq!(
        search(-20.0, grid, Search { halvings: 0, reach: 3 }).first(),
        Some(&Place(-11 * Place::OCTAVE))
    );
}

#[test]
fn runs_without_hope_are_ended_and_others_are_not() {
    let course = Course { steps: 100, routine: Routine::default(), early_stop: true };
    let losses = |late: f64| [vec![1.0; 20], vec![late; 10]].concat();
    assert!(course.is_hopeless(&losses(2.1)) && !course.is_hopeless(&losses(1.9)));
    assert!(!course.is_hopeless(&losses(9.0)[..24]), "too early");
    assert!(!Course { early_stop: false, ..course }.is_hopeless(&losses(9.0)));
    assert_eq!((course.tail(), Course { steps: 3, ..course }.tail()), (10, 1));
}

#[test]
fn places_are_exact() {
    assert_eq!(Place::of_value(0.0078125).map(|place| place.to_string()).as_deref(), Some("2^-7"));
    assert_eq!(Place::of_value((-6.5f64).exp2()), Some(Place(-104)));
    assert_eq!((Place::of_value(0.01), Place::of_value(0.0), Place::of_log2(0.01)), (None, None, None));
    assert_eq!(Grid { step: 8, ..Grid::octaves(-2, 0) }.places().len(), 5);
}

/// What the advice asks for decides most of the studies that were open, and not all: it is an estimate from few seeds.
#[test]
fn advice_decides() {
    let (mut asked, mut decided) = (0.0, 0.0);
    for trial in 0..600u64 {
        let random = |salt: u64| Uniform((trial + salt).wrapping_mul(0xA24B_AED4_963E_E407));
        let drift = [0.0, 0.1, -0.45][trial as usize % 3];
        let first = study(&mut random(0), drift, 3, 0.7, 1.0);
        let told = first.advice.unwrap_or_default();
        let words = told.strip_prefix("about ").and_then(|rest| rest.split_once(" seeds (`--seeds`)"));
        let Some(seeds) = words.and_then(|(count, _)| count.parse::<usize>().ok()) else { continue };
        asked += 1.0;
        let again = study(&mut random(1 << 20), drift, seeds, 0.7, 1.0);
        decided += f64::from(u8::from(again.verdict != Verdict::Undecided));
    }
    println!("{asked} open, {decided} of them decided");
    assert!(asked > 50.0 && decided > 0.6 * asked, "{decided} of {asked}");
}
