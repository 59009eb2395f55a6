//! Which parameterization: a name, and for residual networks the exponent of depth.

use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use crate::graph::Graph;
use crate::graph::rules::Custom;
use crate::rational::Rational;

/// A parameterization with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Named {
    /// Standard parameterization: what frameworks do without further thought.
    Sp,
    /// Neural-tangent parameterization.
    Ntk,
    /// Mean-field parameterization.
    MeanField,
    /// Maximal-update parameterization.
    Mup,
    /// The same with branches over L^(1/2) (Yang, Yu, Zhu & Hayou 2023, TP-VI).
    DepthMup,
    /// The same with branches over L (Dey et al. 2025).
    CompleteP,
}

impl Named {
    /// Every one, by its name on the command line.
    pub const ALL: [Named; 6] =
        [Named::Sp, Named::Ntk, Named::MeanField, Named::Mup, Named::DepthMup, Named::CompleteP];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Named::Sp => "sp",
            Named::Ntk => "ntk",
            Named::MeanField => "mean-field",
            Named::Mup => "mup",
            Named::DepthMup => "depth-mup",
            Named::CompleteP => "complete-p",
        }
    }

    /// What it does in width.
    pub fn width(self) -> Named {
        match self {
            Named::Sp | Named::Ntk | Named::MeanField | Named::Mup => self,
            Named::DepthMup | Named::CompleteP => Named::Mup,
        }
    }

    /// The exponent of its residual multiplier L^-alpha; none if the number of repetitions counts as finite.
    pub fn alpha(self) -> Option<Rational> {
        match self {
            Named::Sp | Named::Ntk | Named::MeanField | Named::Mup => None,
            Named::DepthMup => Some(Rational::HALF),
            Named::CompleteP => Some(Rational::ONE),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Not the name of a parameterization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown parameterization `{0}`; known are {list}", list = Named::ALL.map(Named::name).join(", "))]
pub struct UnknownParameterization(String);

impl FromStr for Named {
    type Err = UnknownParameterization;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Named::ALL.into_iter().find(|named| named.name() == name);
        known.ok_or_else(|| UnknownParameterization(name.to_string()))
    }
}

/// A named parameterization with its exponent of depth and, if the spec defines it, its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheme {
    /// What it does in width.
    pub named: Named,
    /// The exponent of the residual multiplier L^-alpha; none if the number of repetitions counts as finite.
    pub alpha: Option<Rational>,
    /// What the spec says of its own, on top of that.
    pub custom: Option<Rc<Custom>>,
}

impl Scheme {
    /// Another exponent of depth.
    pub fn with_alpha(self, alpha: Rational) -> Scheme {
        Scheme { alpha: Some(alpha), ..self }
    }
}

impl From<Named> for Scheme {
    fn from(named: Named) -> Scheme {
        Scheme { named, alpha: named.alpha(), custom: None }
    }
}

/// `mup`, or `mup, alpha 2/3` where the exponent is not the name's own.
impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(custom) = &self.custom {
            return f.pad(&custom.name.text);
        }
        match self.alpha.filter(|alpha| self.named.alpha() != Some(*alpha)) {
            Some(alpha) => f.pad(&format!("{}, alpha {alpha}", self.named)),
            None => f.pad(self.named.name()),
        }
    }
}

/// Parameterizations may inherit from each other this often.
const DEEPEST: usize = 32;

/// Why a name stands for no parameterization.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoScheme {
    /// There is none of that name.
    #[error("unknown parameterization `{0}`")]
    Unknown(String),
    /// A parameterization of the spec inherits from one that is not there.
    #[error("`{heir}` inherits from `{base}`, an unknown parameterization")]
    UnknownBase {
        /// The parameterization of the spec.
        heir: String,
        /// What it names behind `from`.
        base: String,
    },
    /// Parameterizations that inherit from each other, or too many in a row.
    #[error("`{0}` inherits from itself, or from more than {DEEPEST} others one behind the other")]
    Circle(String),
}

impl NoScheme {
    /// The name that was not found, if a misspelling may be the reason.
    pub fn missing(&self) -> Option<&str> {
        match self {
            NoScheme::Unknown(name) | NoScheme::UnknownBase { base: name, .. } => Some(name),
            NoScheme::Circle(_) => None,
        }
    }
}

impl Scheme {
    /// The parameterization of a name: one that the spec defines, or a known one.
    pub fn find(graph: &Graph, name: &str) -> Result<Scheme, NoScheme> {
        Scheme::find_below(graph, name, DEEPEST)
    }

    fn find_below(graph: &Graph, name: &str, levels: usize) -> Result<Scheme, NoScheme> {
        let known = || name.parse::<Named>().map_err(|_| NoScheme::Unknown(name.to_string()));
        let Some(own) = graph.parameterizations.iter().find(|custom| custom.name.text == name) else {
            return known().map(Scheme::from);
        };
        let base = own.base.as_ref().map_or("mup", |base| base.text.as_str());
        let circle = || NoScheme::Circle(name.to_string());
        let base: Scheme = match levels.checked_sub(1) {
            _ if base == name => known().map_err(|_| circle())?.into(),
            None => return Err(circle()),
            Some(levels) => Scheme::find_below(graph, base, levels).map_err(|error| match error {
                NoScheme::Unknown(base) => NoScheme::UnknownBase { heir: name.to_string(), base },
                other => other,
            })?,
        };
        let mut custom = own.clone();
        if let Some(below) = &base.custom {
            custom.rules.splice(0..0, below.rules.iter().cloned());
            custom.optimizer = custom.optimizer.or(below.optimizer.clone());
        }
        Ok(Scheme { named: base.named, alpha: own.alpha.or(base.alpha), custom: Some(Rc::new(custom)) })
    }

    /// Every name that [`Scheme::find`] knows.
    pub fn names(graph: &Graph) -> Vec<&str> {
        let own = graph.parameterizations.iter().map(|custom| custom.name.text.as_str());
        Named::ALL.iter().map(|named| named.name()).chain(own).collect()
    }
}
