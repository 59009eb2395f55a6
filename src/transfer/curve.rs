//! From final losses to the best value of a hyperparameter.
//!
//! All arithmetic is on y = ln loss against x = log2 of the hyperparameter. A point counts if every seed has a finite loss there; where a run
//! diverged, the curve is beyond every height.
//!
//! The best point of a curve is the one with the least mean y over the seeds. It has to stand between two others, else the optimum is at the edge
//! of what was tried. A parabola through the points within one step of the grid, mean by mean and seed by seed, has its lowest point between the two
//! neighbours, or is held there. Where a neighbour diverged there is a cliff and no parabola: then the best point is the optimum.

use super::record::Point;
use super::statistics::{lowest, mean};

/// A usable point.
#[derive(Clone, Debug, PartialEq)]
struct Usable {
    x: f64,
    /// ln loss by seed.
    y: Vec<f64>,
}

/// A curve that can be read between its points.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// By ascending x; `None` where a seed diverged.
    points: Vec<(f64, Option<Usable>)>,
}

/// The lowest place of a curve, between others.
#[derive(Clone, Debug, PartialEq)]
pub struct Bottom {
    /// Where it is for the mean over the seeds.
    pub x: f64,
    /// Where it is for single seeds.
    pub seeds: Vec<f64>,
    /// From the best point to the farther one of its neighbours.
    pub spacing: f64,
    /// ln loss by seed at the best point.
    pub y: Vec<f64>,
}

/// Where a curve is lowest.
#[derive(Clone, Debug, PartialEq)]
pub enum Lowest {
    /// Between others.
    Inside(Bottom),
    /// At the smallest value that was tried.
    First(f64),
    /// At the largest one.
    Last(f64),
    /// Everything diverged.
    Nowhere,
}

impl Shape {
    /// The curve of points with positive losses.
    pub fn new(points: &[Point]) -> Shape {
        let usable = |point: &Point| {
            let y: Option<Vec<f64>> = point.losses.iter().map(|loss| loss.map(logarithm)).collect();
            (point.log2, y.filter(|y| !y.is_empty()).map(|y| Usable { x: point.log2, y }))
        };
        Shape { points: points.iter().map(usable).collect() }
    }

    /// The number of its best point.
    pub fn best(&self) -> Option<usize> {
        let means = self.points.iter().enumerate();
        let means = means.filter_map(|(at, (_, own))| Some((at, mean(&own.as_ref()?.y))));
        means.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
    }

    /// Whether the point at the end where the curve is lowest is no lower than the one beside it, but for two standard errors of a difference (`noise` is the
    /// standard deviation among seeds): then values beyond it promise nothing.
    pub fn is_level_at_end(&self, lowest: &Lowest, noise: f64) -> bool {
        let (end, beside) = match lowest {
            Lowest::First(_) => (self.points.first(), self.points.get(1)),
            Lowest::Last(_) => (self.points.last(), self.points.iter().rev().nth(1)),
            Lowest::Inside(_) | Lowest::Nowhere => return false,
        };
        let height = |point: Option<&(f64, Option<Usable>)>| Some(point?.1.as_ref()?.y.clone());
        let (Some(end), Some(beside)) = (height(end), height(beside)) else { return false };
        let error = noise * (2.0 / end.len() as f64).sqrt();
        mean(&beside) - mean(&end) <= (2.0 * error).max(1e-3)
    }

    /// Its lowest place; points farther from the best one than `window` have no say.
    pub fn lowest(&self, window: f64) -> Lowest {
        let Some(best) = self.best() else { return Lowest::Nowhere };
        let (x, own) = &self.points[best];
        let Some(own) = own else { return Lowest::Nowhere };
        if best == 0 {
            return Lowest::First(*x);
        }
        let Some((right, after)) = self.points.get(best + 1) else { return Lowest::Last(*x) };
        let (left, before) = &self.points[best - 1];
        let spacing = (x - left).max(right - x);
        if before.is_none() || after.is_none() {
            let seeds = vec![*x; own.y.len()];
            return Lowest::Inside(Bottom { x: *x, seeds, spacing, y: own.y.clone() });
        }
        let near: Vec<&Usable> = self.around(best, window.max(spacing));
        let vertex = |y: &dyn Fn(&Usable) -> f64| {
            let points: Vec<(f64, f64)> = near.iter().map(|own| (own.x, y(own))).collect();
            lowest(&points).unwrap_or(*x).clamp(*left, *right)
        };
        let seeds = (0..own.y.len()).map(|seed| vertex(&|point| point.y[seed])).collect();
        Lowest::Inside(Bottom { x: vertex(&|point| mean(&point.y)), seeds, spacing, y: own.y.clone() })
    }

    /// The usable points about the best one, without a gap, within a distance.
    fn around(&self, best: usize, window: f64) -> Vec<&Usable> {
        let near = |own: &&(f64, Option<Usable>)| (own.0 - self.points[best].0).abs() <= window + 1e-9;
        let usable = |own: &'_ (f64, Option<Usable>)| own.1.is_some();
        let left = self.points[..best].iter().rev().take_while(|own| near(own) && usable(own));
        let right = self.points[best..].iter().take_while(|own| near(own) && usable(own));
        let mut found: Vec<&Usable> = left.chain(right).filter_map(|own| own.1.as_ref()).collect();
        found.sort_by(|a, b| a.x.total_cmp(&b.x));
        found
    }

    /// ln loss by seed anywhere between the first and the last point, along straight lines; `None` beyond them and beside a point that diverged.
    pub fn at(&self, x: f64) -> Option<Vec<f64>> {
        let exact = self.points.iter().find(|(own, _)| (own - x).abs() < 1e-9);
        if let Some((_, own)) = exact {
            return own.as_ref().map(|own| own.y.clone());
        }
        let pair = self.points.windows(2).find(|pair| pair[0].0 < x && x < pair[1].0)?;
        let (left, right) = (pair[0].1.as_ref()?, pair[1].1.as_ref()?);
        let share = (x - left.x) / (right.x - left.x);
        Some(left.y.iter().zip(&right.y).map(|(a, b)| a + share * (b - a)).collect())
    }

    /// Whether a place is among those that were tried.
    pub fn spans(&self, x: f64) -> bool {
        let ends = self.points.first().zip(self.points.last());
        ends.is_some_and(|(first, last)| first.0 - 1e-9 <= x && x <= last.0 + 1e-9)
    }
}

/// ln of a loss. What is fitted to the last digit has no smaller loss than this.
fn logarithm(loss: f64) -> f64 {
    loss.max(1e-30).ln()
}
