//! What a verdict rests on besides the numbers: when a measurement above or below its prediction says less than it seems to.

use super::{Comparison, ROUNDING};
use crate::check::record::{Point, Predicted, Quantity, Verdict};
use crate::check::verdict::{Judgement, judge};
use crate::graph::{NodeId, ParamId};
use crate::numeric::measure::Moment;
use crate::size::Size;
use crate::size::realized::reason::{Excuses, Subject, excuses};

/// What was measured, and of what.
#[derive(Clone, Copy)]
pub(super) struct Measurement<'m> {
    /// The place in the causal order: the number of the node.
    pub order: usize,
    /// What of it.
    pub quantity: Quantity,
    /// When.
    pub step: usize,
    /// Sizes at every value of the symbol.
    pub series: &'m [Point],
    /// Below these, sizes are rounding.
    pub floors: &'m [f64],
}

impl Measurement<'_> {
    fn judge(self, predicted: &Predicted) -> Judgement {
        judge(predicted, self.series, self.floors)
    }
}

impl<'a> Comparison<'a, '_> {
    /// The verdict; `early` is the prediction for small steps.
    pub(super) fn reconsidered(
        &self,
        measured: Measurement,
        predicted: &Predicted,
        early: &Predicted,
    ) -> Judgement {
        let mut judged = measured.judge(predicted);
        if judged.verdict == Verdict::Below && measured.judge(early).verdict == Verdict::Agrees {
            judged.verdict = Verdict::Agrees;
            judged.reason = Some(format!(
                "as for small steps, {}; a larger rate adds the predicted power",
                in_words(early)
            ));
        }
        if let Some(doubt) = self.doubt(measured, predicted, judged.verdict) {
            (judged.verdict, judged.reason) = (Verdict::Unmeasured, Some(doubt));
        }
        if judged.verdict == Verdict::Below {
            let known = self.excuse(measured).or_else(|| self.out_of_line(measured));
            judged.reason = known.or(judged.reason);
        }
        judged
    }

    /// Why a verdict does not count.
    fn doubt(&self, measured: Measurement, predicted: &Predicted, verdict: Verdict) -> Option<String> {
        let Measurement { order, quantity, .. } = measured;
        if verdict != Verdict::Agrees && self.is_rounding(order, quantity) {
            return Some("moved by what rounding leaves of a gradient that is zero".to_string());
        }
        if verdict != Verdict::Above {
            return None;
        }
        if quantity.is_backward() && self.logits_explode() {
            return Some(
                "explosion: the logits grow from the start, until the loss is saturated".to_string(),
            );
        }
        let mixed = |beside: Option<Predicted>, own: &str, other: &str| {
            let beside = beside.filter(|beside| measured.judge(beside).verdict != Verdict::Above)?;
            let (predicted, beside) = (in_words(predicted), in_words(&beside));
            Some(format!("between {predicted} {own} and {beside} {other}: neither rules at this rate"))
        };
        mixed(self.beside_kinks(measured), "of entries that cross a kink", "of all entries").or_else(|| {
            mixed(
                self.beside_propagation(measured),
                "of what its input does",
                "of its update, later in the rate",
            )
        })
    }

    /// Whether the logits are larger than Θ(1) at initialization: gradients start from a loss that counts on logits of Θ(1).
    fn logits_explode(&self) -> bool {
        let outputs = self.calculus.graph().outputs.iter();
        outputs.map(|output| &self.realized.initial[output.index()]).any(|size| *size > Size::one())
    }

    /// Whether a parameter moves by a gradient that is zero but for rounding, or this is what such a move does.
    fn is_rounding(&self, order: usize, quantity: Quantity) -> bool {
        let id = NodeId::new(order);
        match quantity {
            Quantity::EntryChange => {
                self.calculus.graph().as_param(id).is_some_and(|param| self.is_unfelt(param))
            }
            Quantity::Update => {
                let mut sites = self.calculus.shaped.sites.iter().filter(|site| site.node == id).peekable();
                sites.peek().is_some() && sites.all(|site| self.is_unfelt(site.param))
            }
            _ => false,
        }
    }

    /// Whether the gradient of a parameter is zero or rounding at every moment of every run, and not always zero.
    pub(super) fn is_unfelt(&self, param: ParamId) -> bool {
        let of = |sizes: &[Option<f64>]| sizes.get(param.index()).copied().flatten();
        let pair = |moment: &Moment| of(&moment.entry_gradient).zip(of(&moment.entry_summands));
        let moments = || self.runs.iter().flat_map(|run| &run.moments).filter_map(|(_, own)| pair(own));
        let mut some = moments().filter(|(gradient, _)| *gradient > 0.0);
        some.next().is_some() && moments().all(|(gradient, summands)| gradient <= ROUNDING * summands)
    }

    /// Why a bound is not attained, where the calculus knows.
    fn excuse(&self, measured: Measurement) -> Option<String> {
        let reason = self.excuses().of(self.subject(measured)?, measured.step)?;
        Some(format!("{}: {reason}", reason.name()))
    }

    /// Whether an update falls short because it lines up with its input ever less than assumed, by its own measurement from the first value to the last.
    fn out_of_line(&self, measured: Measurement) -> Option<String> {
        let id = NodeId::new(measured.order);
        let mut sites = self.calculus.shaped.sites.iter();
        let site = sites.find(|site| site.node == id && measured.quantity == Quantity::Update)?;
        let assumed = self.alignment(site, measured.step)?;
        let networks = &self.prepared.networks;
        let logarithms = |place: usize| {
            let length = self.fan_in(site.node, site.operand, &networks[place].values);
            let ratios: Vec<f64> = self.lined_up(site, place, measured.step).map(f64::ln).collect();
            (length.ln(), ratios.iter().sum::<f64>() / ratios.len() as f64)
        };
        let ((short, low), (long, high)) = (logarithms(0), logarithms(networks.len() - 1));
        let power = (high - low) / (long - short);
        (power < assumed.value - 0.1).then(|| {
            format!(
                "alignment: update and input line up by the fan-in to the power of {power:.2} over these widths, where {} is assumed",
                assumed.assumed
            )
        })
    }

    /// The power of small steps that stands beside a kink's, if it is what may be seen instead.
    fn beside_kinks(&self, measured: Measurement) -> Option<Predicted> {
        let size = self.excuses().without_kinks(self.subject(measured)?, measured.step)?;
        Some(self.predicted(size))
    }

    /// The power of the update in a change: with small steps what has the lower power of the rate wins in the limit; at a rate that is no limit
    /// the other, which may grow faster with the width, adds to it.
    fn beside_propagation(&self, measured: Measurement) -> Option<Predicted> {
        let moment = self.realized.steps.get(measured.step.checked_sub(1)?)?;
        let update = moment.update.get(measured.order).filter(|size| !size.is_zero())?;
        (measured.quantity == Quantity::Change).then(|| self.predicted(update))
    }

    fn excuses(&self) -> &Excuses<'a, 'a> {
        self.excuses.get_or_init(|| excuses(self.calculus, self.realized))
    }

    fn subject(&self, measured: Measurement) -> Option<Subject> {
        let id = NodeId::new(measured.order);
        Some(match measured.quantity {
            Quantity::Value => Subject::Initial(id),
            Quantity::Gradient => Subject::Fresh(id),
            Quantity::Change => Subject::Change(id),
            Quantity::GradientChange => Subject::GradientChange(id),
            Quantity::Update => Subject::Update(id),
            Quantity::Propagation => Subject::Propagation(id),
            Quantity::EntryChange => Subject::Moved(self.calculus.graph().as_param(id)?),
            Quantity::Entries | Quantity::Epsilon => return None,
        })
    }
}

fn in_words(predicted: &Predicted) -> String {
    match predicted {
        Predicted::Zero => "zero".to_string(),
        Predicted::Power { exponent, .. } => format!("power {exponent}"),
        Predicted::Beyond => "beyond every power".to_string(),
    }
}
