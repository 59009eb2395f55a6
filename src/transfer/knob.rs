//! Hyperparameters that can be swept, and grids of their values in powers of two.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::check::setting::Base;

/// A hyperparameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Knob {
    /// The learning rate at the base size.
    Lr,
    /// A factor on the initial standard deviation of all parameters.
    Init,
    /// A factor in front of the logits.
    Output,
    /// A factor in front of products of activations that a softmax reads.
    Attention,
    /// Weight decay at the base size.
    Decay,
    /// Examples per step.
    Batch,
}

impl Knob {
    /// Every hyperparameter.
    pub const ALL: [Knob; 6] =
        [Knob::Lr, Knob::Init, Knob::Output, Knob::Attention, Knob::Decay, Knob::Batch];

    /// Its name on the command line and in stores.
    pub fn name(self) -> &'static str {
        match self {
            Knob::Lr => "lr",
            Knob::Init => "init",
            Knob::Output => "output",
            Knob::Attention => "attention",
            Knob::Decay => "decay",
            Knob::Batch => "batch",
        }
    }

    /// What it is, for a reader.
    pub fn words(self) -> &'static str {
        match self {
            Knob::Lr => "learning rate",
            Knob::Init => "init scale",
            Knob::Output => "output multiplier",
            Knob::Attention => "attention multiplier",
            Knob::Decay => "weight decay",
            Knob::Batch => "batch size",
        }
    }

    /// The chosen numbers and the batch size with another value of this one.
    pub fn turned(self, mut chosen: Base, batch: usize, place: Place) -> (Base, usize) {
        let value = place.value();
        match self {
            Knob::Lr => chosen.learning_rate = value,
            Knob::Init => chosen.init_scale = value,
            Knob::Output => chosen.output_multiplier = value,
            Knob::Attention => chosen.attention_multiplier = value,
            Knob::Decay => chosen.weight_decay = value,
            Knob::Batch => return (chosen, value.round().max(1.0) as usize),
        }
        (chosen, batch)
    }

    /// The finest step between two of its values: batch sizes are whole.
    pub fn finest(self) -> i32 {
        match self {
            Knob::Batch => Place::OCTAVE,
            _ => 1,
        }
    }

    /// Its smallest and largest value.
    pub fn limits(self) -> (Place, Place) {
        match self {
            Knob::Batch => (Place(0), Place(20 * Place::OCTAVE)),
            _ => (Place(-60 * Place::OCTAVE), Place(60 * Place::OCTAVE)),
        }
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Knob {
    type Err = String;

    fn from_str(name: &str) -> Result<Knob, String> {
        let names = Knob::ALL.map(Knob::name).join(", ");
        let known = Knob::ALL.into_iter().find(|knob| knob.name() == name);
        known.ok_or_else(|| format!("`{name}` is not a hyperparameter; known are {names}"))
    }
}

/// A value of a hyperparameter: a power of two in sixteenths of an octave, so that equal values are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub i32);

impl Place {
    /// From a value to twice it.
    pub const OCTAVE: i32 = 16;

    /// The value.
    pub fn value(self) -> f64 {
        self.log2().exp2()
    }

    /// Its logarithm to the base 2.
    pub fn log2(self) -> f64 {
        f64::from(self.0) / f64::from(Place::OCTAVE)
    }

    /// The place with this logarithm; `None` between places.
    pub fn of_log2(log2: f64) -> Option<Place> {
        let place = log2 * f64::from(Place::OCTAVE);
        (place.abs() < 1e6 && place == place.round()).then_some(Place(place as i32))
    }

    /// The place of a value; `None` if it is no power of two in sixteenths.
    pub fn of_value(value: f64) -> Option<Place> {
        let place = value.log2() * f64::from(Place::OCTAVE);
        let near = place.is_finite() && (place - place.round()).abs() < 1e-9 && place.abs() < 1e6;
        near.then(|| Place(place.round() as i32))
    }
}

/// `2^-7`, `2^-6.5`.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("2^{}", self.log2()))
    }
}

/// Evenly spaced places, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The smallest.
    pub first: Place,
    /// The largest.
    pub last: Place,
    /// From one to the next, in sixteenths of an octave.
    pub step: i32,
}

impl Grid {
    /// Whole powers of two.
    pub fn octaves(first: i32, last: i32) -> Grid {
        let place = |octave: i32| Place(octave * Place::OCTAVE);
        Grid { first: place(first), last: place(last), step: Place::OCTAVE }
    }

    /// Every place.
    pub fn places(self) -> Vec<Place> {
        let step = usize::try_from(self.step).unwrap_or(1).max(1);
        (self.first.0..=self.last.0).step_by(step).map(Place).collect()
    }
}
