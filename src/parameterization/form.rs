//! Equivalent ways of writing one parameterization.
//!
//! The published muP tables look different and are one parameterization: a gauge shift (see [`crate::abc`]) moves a factor between
//! multiplier, initialization and learning rate. A form says where the factors shall stand.

use std::fmt;
use std::str::FromStr;

use super::Parameterization;
use super::custom::{Key, Written};
use crate::abc::Abc;
use crate::dim::Monomial;
use crate::graph::{Init, Multiplier, Op, ParamId};
use crate::rational::Rational;
use crate::shape::Site;
use crate::size::analysis::Calculus;

/// Where the factors of a parameterization stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As the parameterization defines or derives it. For muP: no multipliers where none is needed (TP-V Table 3).
    #[default]
    Native,
    /// No parameter of a single use has a multiplier of its own (TP-V Table 3).
    NoMultipliers,
    /// Readouts start with entries of size 1 behind a multiplier (TP-V Table 8; what microsoft/mup does).
    OutputMultiplier,
    /// Every random parameter starts with entries of size 1, behind a multiplier (NTK, mean field and unit scaling are written so).
    Unit,
    /// Square roots on both sides: every matrix starts with one over the square root of a width (TP-IV Table 1, TP-V Table 9).
    Symmetric,
}

impl Form {
    /// Every form.
    pub const ALL: [Form; 5] =
        [Form::Native, Form::NoMultipliers, Form::OutputMultiplier, Form::Symmetric, Form::Unit];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Form::Native => "native",
            Form::OutputMultiplier => "output-multiplier",
            Form::Symmetric => "symmetric",
            Form::Unit => "unit",
            Form::NoMultipliers => "no-multipliers",
        }
    }

    /// Where readers may have seen it.
    pub fn source(self) -> &'static str {
        match self {
            Form::Native => "as derived; for muP the form of TP-V Table 3",
            Form::OutputMultiplier => "TP-V Table 8, microsoft/mup",
            Form::Symmetric => "TP-IV Table 1, TP-V Table 9",
            Form::Unit => "every entry of size 1: the form of NTK, mean field and unit scaling",
            Form::NoMultipliers => "TP-V Table 3",
        }
    }

    /// The size that a parameter's initial entries shall have, if the form has a say.
    fn entry(self, site: &Site) -> Option<Monomial> {
        let minus_half = Rational::HALF.neg()?;
        match (self, site.fan_in.is_one(), site.fan_out.is_one()) {
            (Form::Unit, _, _) => Some(Monomial::one()),
            (Form::Native | Form::NoMultipliers, _, _) | (_, true, true) | (_, false, false) => None,
            (Form::OutputMultiplier, false, true) => Some(Monomial::one()),
            (Form::OutputMultiplier, true, false) => None,
            (Form::Symmetric, false, true) => site.fan_in.pow(minus_half),
            (Form::Symmetric, true, false) => site.fan_out.pow(minus_half),
        }
    }

    /// The same parameterization in this form. Parameters that are used more than once, start as constants or stand behind a written
    /// multiplier stay as they are.
    pub fn apply(self, calculus: &Calculus, given: &Parameterization) -> Parameterization {
        let mut shifted = given.clone();
        let mut abc: Abc = given.abc.as_ref().clone();
        for (param, _) in calculus.graph().param_ids() {
            if let Some(factor) = self.shift(calculus, &abc, param) {
                let own = &mut abc.params[param.index()];
                let law = &given.laws[param.index()];
                *own = own.shift(&factor, law).unwrap_or_else(|| own.clone());
                let gradient = &mut shifted.gradient[param.index()];
                *gradient = gradient.as_ref().and_then(|gradient| gradient.mul(&factor));
            }
        }
        shifted.abc = abc.into();
        shifted.form = self;
        for (param, _) in calculus.graph().param_ids() {
            let at = param.index();
            shifted.epsilon[at] = given.epsilon[at].as_ref().and(shifted.derived_epsilon(param));
        }
        shifted.written = written(given, &shifted);
        let decay = shifted.decay;
        shifted.with_decay(calculus, decay)
    }

    /// The factor that goes from a parameter's initialization into its multiplier.
    fn shift(self, calculus: &Calculus, abc: &Abc, param: ParamId) -> Option<Monomial> {
        let [site] = calculus.shaped.sites_of[param.index()][..] else { return None };
        let site = &calculus.shaped.sites[site];
        let open = !matches!(
            calculus.graph().node(site.node).op,
            Op::Contract { multiplier: Multiplier::Written(_) | Multiplier::Hole, .. }
        );
        let random = calculus.graph().param(param).init == Init::Random;
        if !(open && random) {
            return None;
        }
        let own = &abc.params[param.index()];
        match self {
            Form::NoMultipliers => Monomial::one().div(&own.multiplier),
            _ => own.init_std.div(&self.entry(site)?),
        }
    }
}

/// What rules say, in the gauge of another form: eps and weight decay change like what is derived for them.
fn written(from: &Parameterization, to: &Parameterization) -> Written {
    let own = |(&(param, key), power): (&(ParamId, Key), &Monomial)| {
        let scaling = &to.abc.params[param.index()];
        let like = |from: Option<Monomial>, to: Option<Monomial>| power.mul(&to?.div(&from?)?);
        let power = match key {
            Key::Multiplier => Some(scaling.multiplier.clone()),
            Key::Init => Some(scaling.init_std.clone()),
            Key::Rate => Some(scaling.learning_rate.clone()),
            Key::Epsilon => like(from.derived_epsilon(param), to.derived_epsilon(param)),
            Key::Decay => like(from.derived_decay(param), to.derived_decay(param)),
        };
        ((param, key), power.unwrap_or_else(|| from.written[&(param, key)].clone()))
    };
    from.written.iter().map(own).collect()
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Not the name of a form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown form `{0}`; known are {list}", list = Form::ALL.map(Form::name).join(", "))]
pub struct UnknownForm(String);

impl FromStr for Form {
    type Err = UnknownForm;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Form::ALL.into_iter().find(|form| form.name() == name);
        known.ok_or_else(|| UnknownForm(name.to_string()))
    }
}
