//! Taylor polynomials beside the network.

use super::judged::{power, predicted};
use super::{Rated, Study, is_smooth};
use crate::drift::descent::{Descent, outputs};
use crate::drift::model::{Degree, Model};
use crate::drift::record::{Curve, Kind, Point, Section};
use crate::drift::request::Sized;
use crate::parameterization::Named;

impl Study<'_> {
    /// Taylor polynomials beside the network.
    pub(super) fn models(&self, case: &Rated) -> Section {
        let degrees: Vec<Degree> = match is_smooth(self.graph) {
            true => vec![Degree::Linear, Degree::Quadratic],
            false => vec![Degree::Linear],
        };
        let mut curves = Vec::new();
        for degree in degrees {
            let (name, exponent) = match degree {
                Degree::Linear => ("linear", power(-1, 2)),
                Degree::Quadratic => ("quadratic", power(-1, 1)),
            };
            let found =
                self.each(&case.case.sized, |sized, seed| self.tracked(degree, sized, case.rate, seed));
            let of = |own: fn(&(f64, f64)) -> f64| -> Vec<Point> {
                found.iter().map(|(at, runs)| Point::new(*at, runs.iter().map(own).collect())).collect()
            };
            let power = match case.case.regime {
                Some(Named::Ntk) => Some((exponent, "Lee et al. 2019; Dyer & Gur-Ari 2020")),
                _ => None,
            };
            let mut end = predicted(&format!("{name} model: distance at the end"), of(|own| own.0), power);
            end.bound = true;
            curves.push(end);
            curves.push(Curve::measured(format!("{name} model: steps that it tracks"), of(|own| own.1)));
        }
        self.section(Kind::Models, case, curves)
    }

    /// How far a model is off at the end, and the steps before it was off by more than the share.
    pub(super) fn tracked(&self, degree: Degree, sized: &Sized, rate: f64, seed: u64) -> (f64, f64) {
        let (batch, targets) = (&self.common.batch, &self.common.targets);
        let mut network = Descent::<f64>::new(sized, batch, targets, rate, seed);
        let mut model = Model::new(degree, sized, batch, targets, rate, seed);
        let origin = model.outputs();
        let mut machine = network.machine().clone();
        let (mut off, mut steps) = (0.0, self.request.steps as f64);
        for step in 1..=self.request.steps {
            network.step();
            model.step();
            network.give(&mut machine);
            let (own, other) = (outputs(&mut machine), model.outputs());
            let square = |one: &[f64], two: &[f64]| -> f64 {
                one.iter().zip(two).map(|(one, two)| (one - two).powi(2)).sum()
            };
            off = (square(&own, &other) / square(&own, &origin)).sqrt();
            if (off.is_nan() || off > self.request.share) && steps == self.request.steps as f64 {
                steps = step as f64 - 1.0;
            }
        }
        (off, steps.max(0.5))
    }
}
