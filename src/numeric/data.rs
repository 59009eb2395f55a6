//! Data sets, fitted to the inputs and targets of a graph.
//!
//! A [`Source`] says where examples come from; [`bind`] fits it to a graph at given values of its scale symbols and gives a [`Bound`], whose
//! rows are the same whatever the width. Which part of a source goes where follows from shapes and numbers of classes alone, never from
//! names (but the columns of a user's table and the user's arrays have names, and those count). What does not fit is a [`BindError`] that says
//! what the spec wants and what the source has, before any work is done.
//!
//! [`lengths`] is the other direction: which named lengths of a spec the source would set.

mod arrays;
mod digits;
mod fit;
pub mod read;
mod synthetic;
mod text;
mod wanted;

use crate::graph::Graph;
use crate::rational::Rational;

pub use arrays::{Array, Arrays, ArraysError};
pub use fit::{BindError, lengths};
pub use text::Text;
pub use wanted::Wanted;

/// Where examples come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// Handwritten digits: 1797 images of 8 by 8 pixels in 10 classes.
    Digits,
    /// The characters of a text.
    Text(Text),
    /// A user's table or arrays.
    Arrays(Arrays),
    /// Random inputs and a random teacher: fits every graph.
    Synthetic {
        /// Chooses inputs and teacher.
        seed: u64,
    },
}

/// Examples of one input or target, row by row: (examples) x (entries, the last axis fastest).
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Numbers.
    Real(Vec<f32>),
    /// Whole numbers: classes, tokens.
    Whole(Vec<u32>),
}

impl Column {
    /// An empty column for what a graph wants.
    fn of(wanted: &Wanted, examples: usize) -> Column {
        let room = examples.saturating_mul(wanted.entries());
        match wanted.classes {
            Some(_) => Column::Whole(Vec::with_capacity(room)),
            None => Column::Real(Vec::with_capacity(room)),
        }
    }

    /// How many entries there are, of all examples together.
    pub fn len(&self) -> usize {
        match self {
            Column::Real(entries) => entries.len(),
            Column::Whole(entries) => entries.len(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds real entries.
    fn real(&mut self, entries: impl IntoIterator<Item = f32>) {
        match self {
            Column::Real(own) => own.extend(entries),
            Column::Whole(_) => unreachable!("a part is bound to a column of its own kind"),
        }
    }

    /// Adds whole entries.
    fn whole(&mut self, entries: impl IntoIterator<Item = u32>) {
        match self {
            Column::Whole(own) => own.extend(entries),
            Column::Real(_) => unreachable!("a part is bound to a column of its own kind"),
        }
    }
}

/// Examples fitted to a graph.
#[derive(Clone, Debug)]
pub struct Bound {
    wanted: Vec<Wanted>,
    plan: Plan,
}

/// How the rows of every input and target are made.
#[derive(Clone, Debug)]
enum Plan {
    Digits(digits::Plan),
    Text(text::Plan),
    Arrays(arrays::Plan),
    Synthetic(synthetic::Plan),
}

impl Bound {
    /// How many different examples there are.
    pub fn examples(&self) -> usize {
        match &self.plan {
            Plan::Digits(plan) => plan.examples(),
            Plan::Text(plan) => plan.examples(),
            Plan::Arrays(plan) => plan.examples(),
            Plan::Synthetic(_) => synthetic::EXAMPLES,
        }
    }

    /// The inputs and targets that the columns are for, by [`DataId`](crate::graph::DataId).
    pub fn wanted(&self) -> &[Wanted] {
        &self.wanted
    }

    /// The rows of some examples, one column per input or target, by [`DataId`](crate::graph::DataId). An example has the same rows in every batch
    /// and at every width. Numbers beyond the last example begin again at the first.
    pub fn batch(&self, examples: &[usize]) -> Vec<Column> {
        let mut columns: Vec<Column> =
            self.wanted.iter().map(|wanted| Column::of(wanted, examples.len())).collect();
        for example in examples.iter().map(|example| example % self.examples()) {
            match &self.plan {
                Plan::Digits(plan) => plan.example(example, &mut columns),
                Plan::Text(plan) => plan.example(example, &mut columns),
                Plan::Arrays(plan) => plan.example(example, &mut columns),
                Plan::Synthetic(plan) => plan.example(example, &mut columns),
            }
        }
        columns
    }

    /// What the examples are, in one line.
    pub fn describe(&self) -> String {
        match &self.plan {
            Plan::Digits(plan) => plan.describe(),
            Plan::Text(plan) => plan.describe(),
            Plan::Arrays(plan) => plan.describe(),
            Plan::Synthetic(plan) => plan.describe(),
        }
    }
}

/// Fits a source to a graph at these values of its scale symbols.
///
/// # Errors
/// If a length is not a whole number at these values, or if the source has nothing that fits an input or target.
pub fn bind(source: &Source, graph: &Graph, values: &[Rational]) -> Result<Bound, BindError> {
    let wanted = wanted::wanted(graph, values)?;
    let plan = match source {
        Source::Digits => digits::plan(&wanted).map(Plan::Digits),
        Source::Text(text) => text::plan(text, &wanted).map(Plan::Text),
        Source::Arrays(arrays) => arrays::plan(arrays, &wanted).map(Plan::Arrays),
        Source::Synthetic { seed } => Ok(Plan::Synthetic(synthetic::plan(*seed, &wanted))),
    };
    let plan = plan.map_err(|error| error.with_lengths(source, graph, values))?;
    Ok(Bound { wanted, plan })
}

#[cfg(test)]
mod tests;
