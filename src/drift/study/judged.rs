//! From points to powers and verdicts.

use crate::check::record::{self, Predicted, Verdict};
use crate::check::verdict::judge;
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
            (curve.fit, curve.verdict, curve.reason) = (found.fit, Some(found.verdict), found.reason);
            (curve.predicted, curve.source) = (Some(predicted), Some(source.to_string()));
        }
        None => curve.fit = crate::check::fit::fit(&series).map(|own| own.fit),
    }
    curve
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
