//! From points to powers and verdicts.

use crate::check::record::{self, Fit, Predicted, Verdict};
use crate::check::verdict::{SLACK, judge};
use crate::drift::record::{Curve, Point};
use crate::rational::Rational;

/// A fraction as an exponent.
pub(super) fn power(numerator: i64, denominator: i64) -> Rational {
    Rational::new(numerator, denominator).unwrap_or(Rational::ZERO)
}

/// A curve with a power that a theorem predicts, if one does.
pub(super) fn predicted(quantity: &str, points: Vec<Point>, power: Option<(Rational, &str)>) -> Curve {
    // Values of a fit are whole; what they are multiplied by moves no slope.
    let whole = |own: &Point| record::Point::new((own.at * 1024.0).round() as i64, own.seeds.clone());
    let series: Vec<record::Point> = points.iter().map(whole).collect();
    let mut curve = Curve::measured(quantity, points);
    match power {
        Some((power, source)) => {
            let predicted = Predicted::power(power);
            let found = judge(&predicted, &series, &[]);
            let near = found.fit.as_ref().filter(|_| found.verdict == Verdict::Agrees);
            curve.reason = found.reason.or_else(|| near.and_then(|fit| nearly(fit, &predicted)));
            (curve.fit, curve.verdict) = (found.fit, Some(found.verdict));
            (curve.predicted, curve.source) = (Some(predicted), Some(source.to_string()));
        }
        None => curve.fit = crate::check::fit::fit(&series).map(|own| own.fit),
    }
    curve
}

/// A theorem is not proved by what comes near to it: where the interval of a fit does not hold the prediction, but agrees by the tolerance, this is said.
fn nearly(fit: &Fit, predicted: &Predicted) -> Option<String> {
    let Predicted::Power { value, .. } = predicted else { return None };
    let outside = *value < fit.low || *value > fit.high;
    outside.then(|| format!("but only within the tolerance of {SLACK}: the interval excludes it"))
}

/// A curve whose values are predicted one by one.
pub(super) fn exact(quantity: &str, points: Vec<Point>) -> Curve {
    let mut curve = Curve::measured(quantity, points);
    let judged: Vec<(f64, &Point)> =
        curve.points.iter().filter_map(|own| Some((own.expected?, own))).collect();
    if judged.is_empty() {
        curve.reason = Some("exact for chains of relu or linear layers without biases only".to_string());
        return curve;
    }
    let above = judged.iter().find(|(expected, own)| *expected < own.low);
    let below = judged.iter().find(|(expected, own)| *expected > own.high);
    curve.verdict = Some(match (above, below) {
        (Some(_), _) => Verdict::Above,
        (None, Some(_)) => Verdict::Below,
        (None, None) => Verdict::Agrees,
    });
    curve.source = Some("Hanin & Nica 2020: the product over layers of 1 + 5/n".to_string());
    curve
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A power with hardly any scatter: five sizes, four seeds each.
    fn points(exponent: f64) -> Vec<Point> {
        let sizes = [64.0, 128.0, 256.0, 512.0, 1024.0];
        let seeds = |at: f64| [0.999, 1.0, 1.0005, 1.001].map(|own| own * at.powf(exponent)).to_vec();
        sizes.into_iter().map(|at| Point::new(at, seeds(at))).collect()
    }

    #[test]
    fn agreement_by_tolerance_only_is_said_to_be() {
        let half = Some((power(-1, 2), "a theorem"));
        let plain = predicted("a size", points(-0.5), half);
        assert_eq!((plain.verdict, plain.reason), (Some(Verdict::Agrees), None));
        for exponent in [-0.45, -0.55] {
            let near = predicted("a size", points(exponent), half);
            assert_eq!(near.verdict, Some(Verdict::Agrees));
            assert_eq!(
                near.reason.as_deref(),
                Some("but only within the tolerance of 0.1: the interval excludes it")
            );
        }
        let far = predicted("a size", points(-0.3), half);
        assert_eq!((far.verdict, far.reason), (Some(Verdict::Above), None));
    }
}
