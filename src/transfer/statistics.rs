//! Little statistics: Student's quantiles, weighted lines, parabolas.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// How often an interval holds what it is about.
pub const CONFIDENCE: f64 = 0.95;

/// How many standard deviations hold so much of Student's distribution, in the middle; without degrees of freedom, of the normal distribution.
pub fn quantile(freedom: f64) -> f64 {
    const NORMAL: f64 = 1.959_963_984_540_054;
    if freedom <= 0.0 {
        return NORMAL;
    }
    StudentsT::new(0.0, 1.0, freedom)
        .map_or(f64::INFINITY, |student| student.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

/// The mean of some numbers; not a number for none.
pub fn mean(numbers: &[f64]) -> f64 {
    numbers.iter().sum::<f64>() / numbers.len() as f64
}

/// The sum of squares about the mean.
pub fn squares(numbers: &[f64]) -> f64 {
    let mean = mean(numbers);
    numbers.iter().map(|own| (own - mean).powi(2)).sum()
}

/// The variance of single numbers, pooled over groups with means of their own, and its degrees of freedom; 0 with 0 degrees where every group
/// has one number.
pub fn pooled(groups: &[Vec<f64>]) -> (f64, f64) {
    let freedom: f64 = groups.iter().map(|group| (group.len() as f64 - 1.0).max(0.0)).sum();
    let sum: f64 = groups.iter().filter(|group| group.len() > 1).map(|group| squares(group)).sum();
    if freedom > 0.0 { (sum / freedom, freedom) } else { (0.0, 0.0) }
}

/// A line through points with variances: slope, its variance, and chi^2 of what is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// The slope.
    pub slope: f64,
    /// Its variance, if the variances of the points are right.
    pub variance: f64,
    /// The squared residuals over the variances.
    pub chi_squared: f64,
}

/// The weighted least-squares line through (x, y, variance of y); `None` without two different x.
pub fn line(points: &[(f64, f64, f64)]) -> Option<Line> {
    let weight = |variance: f64| 1.0 / variance.max(1e-12);
    let total: f64 = points.iter().map(|(_, _, variance)| weight(*variance)).sum();
    let centre = |of: &dyn Fn(&(f64, f64, f64)) -> f64| {
        points.iter().map(|point| weight(point.2) * of(point)).sum::<f64>() / total
    };
    let (x, y) = (centre(&|point| point.0), centre(&|point| point.1));
    let spread: f64 = points.iter().map(|own| weight(own.2) * (own.0 - x).powi(2)).sum();
    if points.len() < 2 || spread <= 0.0 {
        return None;
    }
    let moment: f64 = points.iter().map(|own| weight(own.2) * (own.0 - x) * (own.1 - y)).sum();
    let slope = moment / spread;
    let left = |own: &(f64, f64, f64)| weight(own.2) * (own.1 - y - slope * (own.0 - x)).powi(2);
    Some(Line { slope, variance: 1.0 / spread, chi_squared: points.iter().map(left).sum() })
}

/// Where the least-squares parabola through some points has its minimum; `None` where it has none.
pub fn lowest(points: &[(f64, f64)]) -> Option<f64> {
    let x = mean(&points.iter().map(|own| own.0).collect::<Vec<_>>());
    let sum = |power: i32| points.iter().map(|own| (own.0 - x).powi(power)).sum::<f64>();
    let (count, s2, s3, s4) = (points.len() as f64, sum(2), sum(3), sum(4));
    let with = |power: i32| points.iter().map(|own| own.1 * (own.0 - x).powi(power)).sum::<f64>();
    let (t0, t1, t2) = (with(0), with(1), with(2));
    // The normal equations of a + b u + c u^2 with the sum of u equal to 0, for b and c.
    let (p, q) = (s4 - s2 * s2 / count, t2 - s2 * t0 / count);
    let determinant = s2 * p - s3 * s3;
    let (b, c) = ((t1 * p - q * s3) / determinant, (s2 * q - s3 * t1) / determinant);
    let vertex = x - b / (2.0 * c);
    (points.len() > 2 && c > 0.0 && vertex.is_finite()).then_some(vertex)
}
