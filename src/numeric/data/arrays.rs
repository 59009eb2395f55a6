//! A user's own examples: arrays with names, whose first axis counts the examples.
//!
//! An array goes to the input or target of its name. If no name of the spec occurs, the columns of a table are dealt out from left to right to
//! inputs and targets in the order in which the spec declares them. Real inputs are divided by the
//! root mean square of all their entries, as every other source has them: entries of size 1 are what all rules count on. Targets stay as they are.

use std::sync::Arc;

use super::fit::Sizes;
use super::{BindError, Column, Wanted};
use crate::dim::Dim;
use crate::graph::Data;

/// One array: (examples) x (axes), the last axis fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    /// The input or target that it is for; empty if the file does not say.
    pub name: String,
    /// Its axes behind that of the examples.
    pub shape: Vec<usize>,
    /// Its entries.
    pub entries: Vec<f32>,
    /// How many examples there are.
    pub examples: usize,
}

impl Array {
    fn width(&self) -> usize {
        self.shape.iter().product()
    }

    /// One more than the largest entry, if all are whole and none is negative.
    fn classes(&self) -> Option<usize> {
        let whole = self.entries.iter().all(|entry| entry.fract() == 0.0 && *entry >= 0.0);
        let largest = self.entries.iter().copied().fold(0.0, f32::max);
        (whole && !self.entries.is_empty()).then_some(largest as usize + 1)
    }
}

/// Arrays that belong together.
#[derive(Clone, Debug)]
pub struct Arrays(Arc<Own>);

#[derive(Debug)]
struct Own {
    /// What they are called in messages.
    name: String,
    arrays: Vec<Array>,
    examples: usize,
    /// Whether the arrays are the columns of one table.
    table: bool,
}

impl Own {
    /// What arrays there are, the first few by name.
    fn names(&self) -> String {
        const SHOWN: usize = 6;
        let names = self.arrays.iter().take(SHOWN).map(|array| format!("`{}`", array.name));
        let more = match self.arrays.len() {
            count if count > SHOWN => format!(" and {} more", count - SHOWN),
            _ => String::new(),
        };
        names.collect::<Vec<_>>().join(", ") + &more
    }

    /// How the columns of a table would have to be called.
    fn naming(&self, wanted: &Wanted) -> String {
        match (self.table, wanted.entries()) {
            (false, _) => String::new(),
            (true, 1) => format!(" (a column for it is called `{}`)", wanted.name),
            (true, count) => {
                format!(" (columns for it are called `{0}.0` to `{0}.{1}`)", wanted.name, count - 1)
            }
        }
    }
}

/// Arrays that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArraysError {
    /// Not as many examples everywhere.
    #[error("`{one}` has {has} examples, but `{other}` has {differs}: every array needs a row per example")]
    Examples {
        /// One array.
        one: String,
        /// Its examples.
        has: usize,
        /// Another one.
        other: String,
        /// Its examples.
        differs: usize,
    },
    /// Nothing in them.
    #[error("{0} has no examples")]
    Empty(String),
}

impl Arrays {
    /// Joins arrays with as many examples each. `table` says that they are columns whose order counts.
    ///
    /// # Errors
    /// If there are no examples, or not as many everywhere.
    pub fn new(name: impl Into<String>, arrays: Vec<Array>, table: bool) -> Result<Arrays, ArraysError> {
        let name = name.into();
        let Some(first) = arrays.first().filter(|first| first.examples > 0) else {
            return Err(ArraysError::Empty(name));
        };
        if let Some(other) = arrays.iter().find(|other| other.examples != first.examples) {
            return Err(ArraysError::Examples {
                one: first.name.clone(),
                has: first.examples,
                other: other.name.clone(),
                differs: other.examples,
            });
        }
        let examples = first.examples;
        Ok(Arrays(Arc::new(Own { name, arrays, examples, table })))
    }

    /// The examples as rows of numbers: all columns from left to right.
    pub fn rows(&self) -> impl Iterator<Item = Vec<f64>> + '_ {
        let entries = |array: &Array, example: usize| {
            let width = array.width();
            array.entries[example * width..(example + 1) * width].iter().map(|own| f64::from(*own)).collect()
        };
        (0..self.0.examples).map(move |example| {
            self.0.arrays.iter().flat_map(|array| -> Vec<f64> { entries(array, example) }).collect()
        })
    }

    fn named(&self, name: &str) -> Option<usize> {
        self.0.arrays.iter().position(|array| array.name == name)
    }

    /// How many columns there are in all.
    fn columns(&self) -> usize {
        self.0.arrays.iter().map(Array::width).sum()
    }

    /// Whether arrays go where their names say.
    fn is_named<'n>(&self, mut names: impl Iterator<Item = &'n str>) -> bool {
        names.any(|name| self.named(name).is_some())
    }

    /// The lengths that the arrays would give to every input and target: their shapes, and the number of classes where all entries are whole.
    pub(super) fn sizes(&self, data: &[Data], shapes: &[&[Dim]]) -> Vec<Sizes> {
        match self.is_named(data.iter().map(|data| data.name.as_str())) {
            true => data.iter().zip(shapes).map(|(data, shape)| self.size_of(data, shape)).collect(),
            false => self.dealt(data, shapes),
        }
    }

    fn size_of(&self, data: &Data, shape: &[Dim]) -> Sizes {
        let Some(array) = self.named(&data.name).map(|at| &self.0.arrays[at]) else {
            return Sizes::default();
        };
        let axes = match (array.shape.len() == shape.len(), shape.len()) {
            (true, _) => array.shape.iter().map(|length| Some(*length as i64)).collect(),
            (false, 1) => vec![Some(array.width() as i64)],
            (false, _) => Vec::new(),
        };
        Sizes { axes, classes: data.classes.as_ref().and(array.classes()).map(|classes| classes as i64) }
    }

    /// The lengths of one vector and one target without axes in a table without their names: the last column is the target.
    fn dealt(&self, data: &[Data], shapes: &[&[Dim]]) -> Vec<Sizes> {
        let classes = |data: &Data| {
            let last = self.0.arrays.last()?;
            data.classes.as_ref().and(last.classes()).map(|classes| classes as i64)
        };
        match (data, shapes) {
            ([input, target], [[_], []])
                if self.0.table && self.columns() > 1 && !input.target && target.target =>
            {
                let axes = vec![Some(self.columns() as i64 - 1)];
                vec![Sizes { axes, classes: None }, Sizes { axes: Vec::new(), classes: classes(target) }]
            }
            _ => data.iter().map(|_| Sizes::default()).collect(),
        }
    }
}

/// Where the entries of an input or target are: parts of arrays, one behind the other.
#[derive(Clone, Debug)]
struct Part {
    /// Array and entry within its row, for every entry.
    places: Vec<(usize, usize)>,
    /// What real entries are multiplied by.
    scale: f32,
}

/// How the columns of a graph are filled.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    arrays: Arrays,
    parts: Vec<Part>,
}

pub(super) fn plan(arrays: &Arrays, wanted: &[Wanted]) -> Result<Plan, BindError> {
    let places = match arrays.is_named(wanted.iter().map(|wanted| wanted.name.as_str())) {
        true => wanted.iter().map(|wanted| by_name(arrays, wanted)).collect::<Result<Vec<_>, _>>()?,
        false => by_place(arrays, wanted)?,
    };
    let mut plan = Plan { arrays: arrays.clone(), parts: Vec::new() };
    for (wanted, places) in wanted.iter().zip(places) {
        let mut part = Part { places, scale: 1.0 };
        match wanted.classes {
            Some(classes) => plan.check_classes(wanted, classes, &part)?,
            None if !wanted.target => part.scale = plan.scale(&part),
            None => {}
        }
        plan.parts.push(part);
    }
    Ok(plan)
}

fn by_name(arrays: &Arrays, wanted: &Wanted) -> Result<Vec<(usize, usize)>, BindError> {
    let own = &arrays.0;
    let Some(at) = arrays.named(&wanted.name) else {
        return Err(BindError::unlike(
            wanted,
            format!("{} has only {}{}", own.name, own.names(), own.naming(wanted)),
        ));
    };
    let array = &own.arrays[at];
    let flat = array.shape.len() == 1 || wanted.shape.len() == 1;
    let fits = array.shape == wanted.shape || (flat && array.width() == wanted.entries());
    if !fits {
        let lengths: Vec<String> = array.shape.iter().map(usize::to_string).collect();
        let each = match lengths.is_empty() {
            true => "a single number".to_string(),
            false => format!("an array [{}]", lengths.join(", ")),
        };
        return Err(BindError::unlike(wanted, format!("an example in {} is {each} there", own.name)));
    }
    Ok((0..array.width()).map(|entry| (at, entry)).collect())
}

/// Deals the columns of a table out from left to right.
fn by_place(arrays: &Arrays, wanted: &[Wanted]) -> Result<Vec<Vec<(usize, usize)>>, BindError> {
    let own = &arrays.0;
    let each = own.arrays.iter().enumerate();
    let mut columns = each.flat_map(|(at, array)| (0..array.width()).map(move |entry| (at, entry)));
    let needed: usize = wanted.iter().map(Wanted::entries).sum();
    if own.table && needed == arrays.columns() {
        return Ok(wanted.iter().map(|wanted| columns.by_ref().take(wanted.entries()).collect()).collect());
    }
    let Some(first) = wanted.first() else { return Ok(Vec::new()) };
    let (name, has) = (&own.name, arrays.columns());
    Err(BindError::unlike(
        first,
        match own.table {
            true => format!(
                "{name} has {has} column{} where inputs and targets take {needed}, and none has a name of the spec (as in `{}.0`)",
                if has == 1 { "" } else { "s" },
                first.name
            ),
            false => {
                format!("{name} has no array of that name; name it, as in `--data {}=FILE.npy`", first.name)
            }
        },
    ))
}

impl Plan {
    fn entry(&self, example: usize, (array, entry): (usize, usize)) -> f32 {
        let array = &self.arrays.0.arrays[array];
        array.entries[example * array.width() + entry]
    }

    fn rows<'p>(&'p self, part: &'p Part) -> impl Iterator<Item = (usize, f32)> + 'p {
        let row = move |example| part.places.iter().map(move |place| (example, self.entry(example, *place)));
        (0..self.examples()).flat_map(row)
    }

    fn check_classes(&self, wanted: &Wanted, classes: usize, part: &Part) -> Result<(), BindError> {
        let fits = |entry: f32| entry.fract() == 0.0 && entry >= 0.0 && (entry as usize) < classes;
        match self.rows(part).find(|(_, entry)| !fits(*entry)) {
            None => Ok(()),
            Some((example, entry)) => {
                let name = &self.arrays.0.name;
                let has = format!("{name} has {entry} in example {} (classes count from 0)", example + 1);
                Err(BindError::unlike(wanted, has))
            }
        }
    }

    /// One over the root mean square of all entries.
    fn scale(&self, part: &Part) -> f32 {
        let (count, squares) = self
            .rows(part)
            .fold((0.0, 0.0), |(count, sum), (_, entry)| (count + 1.0, sum + f64::from(entry).powi(2)));
        if squares > 0.0 { (count / squares).sqrt() as f32 } else { 1.0 }
    }

    pub(super) fn examples(&self) -> usize {
        self.arrays.0.examples
    }

    pub(super) fn example(&self, example: usize, columns: &mut [Column]) {
        for (part, column) in self.parts.iter().zip(columns) {
            let entries = part.places.iter().map(|place| self.entry(example, *place));
            match column {
                Column::Real(_) => column.real(entries.map(|entry| part.scale * entry)),
                Column::Whole(_) => column.whole(entries.map(|entry| entry as u32)),
            }
        }
    }

    pub(super) fn describe(&self) -> String {
        format!("{}: {} examples", self.arrays.0.name, self.arrays.0.examples)
    }
}
