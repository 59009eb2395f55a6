//! Moments over draws at initialization.

use rayon::prelude::*;

use super::judged::{exact, power, predicted};
use super::{Rated, Study};
use crate::drift::descent::outputs;
use crate::drift::fluctuation::{Law, ratio, spread};
use crate::drift::record::{Curve, Kind, Point, Section};
use crate::drift::request::{RequestError, Sized};
use crate::kernel::tangent::{Tangent, copy_weights, one, program};
use crate::numeric::data::Column;
use crate::numeric::initial::start;
use crate::numeric::machine::Machine;

/// Groups of draws for the scatter of a variance.
const GROUPS: usize = 8;

impl Study<'_> {
    /// Moments over draws.
    pub(super) fn fluctuation(&self, case: &Rated) -> Result<Section, RequestError> {
        let graph = self.graph;
        let input = one(&self.common.probe, 0, self.request.probe);
        let mut curves: [Vec<Point>; 3] = Default::default();
        for sized in case.case.sized.iter().filter(|_| !self.watch.stopped()) {
            let found = self.draws(sized, &input)?;
            self.watch.finished(1);
            let at = sized.value as f64;
            let law = self.common.hidden.and_then(|hidden| Law::of(graph, &sized.values, hidden));
            let told =
                |point: Point| Point { depth_over_width: law.as_ref().map(Law::depth_over_width), ..point };
            let expected = law.as_ref().map(Law::ratio);
            if self.common.hidden.is_some() {
                let squares: Vec<f64> = found.iter().map(|own| own.0).collect();
                curves[0].push(Point { expected, ..told(ratio(at, &squares)) });
            }
            let kernels: Vec<f64> = found.iter().map(|own| own.1).collect();
            curves[1].push(told(ratio(at, &kernels)));
            curves[2].push(told(spread(at, &kernels, GROUPS)));
        }
        let [activations, kernels, spreads] = curves;
        let power = (power(-1, 1), "Hanin & Nica 2020: of the order of depth over width");
        let power = self.in_width().then_some(power);
        let mut all = vec![
            Curve::measured("E K(x,x)^2 / (E K(x,x))^2", kernels),
            predicted("relative variance of K(x,x)", spreads, power),
        ];
        if self.common.hidden.is_some() {
            all.insert(0, exact("E|h|^4 / (E|h|^2)^2", activations));
        }
        Ok(Section {
            kind: Kind::Fluctuation,
            parameterization: case.case.name.to_string(),
            about: format!(
                "over {} draws at initialization, one input; h is the last hidden layer, K the kernel of the first output",
                self.request.draws
            ),
            variable: self.symbol(),
            learning_rate: None,
            curves: all,
        })
    }

    /// |h|^2 and K(x, x) of the first output, by draw.
    pub(super) fn draws(&self, sized: &Sized, input: &[Column]) -> Result<Vec<(f64, f64)>, RequestError> {
        let graph = self.graph;
        let failed = |error| RequestError::Tangent { symbol: self.symbol(), value: sized.value, error };
        let tangent = Tangent::<f32>::new(graph, &sized.values, 1, &sized.setting, self.common.output)
            .map_err(failed)?;
        let tangent = tangent.of_first_entry();
        let hidden = match self.common.hidden {
            Some(hidden) => {
                let made = program(graph, &sized.values, 1, &sized.setting, hidden).map_err(failed)?;
                Some(Machine::<f32>::new(made.into()))
            }
            None => None,
        };
        let draw = |(tangent, hidden): &mut (Tangent<f32>, Option<Machine<f32>>), seed: usize| {
            // Seeds of their own: other questions count from zero.
            let mut first = tangent.machine().clone();
            start(&mut first, &sized.setting, 1_000_000 + seed as u64);
            tangent.follow(&first);
            let kernel = tangent.kernel(input, &sized.factors).0[0];
            let squares = hidden.as_mut().map_or(0.0, |machine| {
                copy_weights(&first, machine);
                machine.load(input);
                outputs(machine).iter().map(|own| own * own).sum()
            });
            (squares, kernel)
        };
        let all = (0..self.request.draws).into_par_iter();
        Ok(all.map_init(|| (tangent.clone(), hidden.clone()), draw).collect())
    }
}
