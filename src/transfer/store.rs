//! Runs as text: a line of JSON that says what all runs have in common, then a line for every run.
//!
//! A store only grows. Whoever is killed while writing leaves at most one unfinished line at the end, which is taken away when the store is
//! read next. A store belongs to one spec, one data set and one course of training; which parameterizations, optimizers, hyperparameters, sizes and
//! seeds it holds is free.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::runs::{Key, Run};

/// What a file must begin with to be a store.
const FORMAT: &str = "transfer runs";
/// Counts the incompatible changes of the format.
const VERSION: u32 = 1;

/// What all runs of a store have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Always `transfer runs`.
    pub mupc: String,
    /// The version of the format.
    pub version: u32,
    /// The fingerprint of the network that the spec means, at the lengths of the sweep.
    pub spec: String,
    /// The network's name.
    pub network: String,
    /// What the runs trained on, in words.
    pub data: String,
    /// The fingerprint of the examples.
    pub examples: String,
    /// The scale symbol that was varied.
    pub over: String,
    /// The values of the others.
    pub fixed: Vec<(String, String)>,
    /// Steps of training.
    pub steps: usize,
    /// The schedule of the learning rate.
    pub schedule: String,
    /// SGD's momentum and the two memories of Adam.
    pub momenta: [f64; 3],
    /// The largest norm of all gradients together.
    pub clip: Option<f64>,
    /// Whether runs without hope were ended.
    pub early_stop: bool,
}

impl Header {
    /// The format's name and version, for the header of this version.
    pub fn format() -> (String, u32) {
        (FORMAT.to_string(), VERSION)
    }

    /// Its line.
    pub fn line(&self) -> String {
        line(self)
    }

    /// The first field in which another header differs.
    pub fn difference(&self, other: &Header) -> Option<Difference> {
        let fields = |own: &Header| match serde_json::to_value(own) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        };
        let (ours, theirs) = (fields(self), fields(other));
        let differing = ours.iter().find(|(name, value)| theirs.get(*name) != Some(*value));
        differing.map(|(name, value)| match name.as_str() {
            "spec" => Difference {
                field: "network".to_string(),
                there: format!("{} ({})", other.network, other.spec),
                here: format!(
                    "{} ({}), by name and fingerprint of graph and lengths",
                    self.network, self.spec
                ),
            },
            _ => Difference {
                field: name.replace('_', " "),
                there: plain(theirs.get(name).unwrap_or(&Value::Null)),
                here: plain(value),
            },
        })
    }
}

/// What two headers differ in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name of the field.
    pub field: String,
    /// Its value in the store.
    pub there: String,
    /// Its value in the sweep, or in another store.
    pub here: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { field, there, here } = self;
        write!(f, "{field} {there}, not {here}")
    }
}

/// A value of a header for a reader: `L = 2, M = 3` for pairs, texts without quotes.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let each = parts.iter().map(|part| match part.as_array().map(Vec::as_slice) {
                Some([name, value]) => format!("{} = {}", plain(name), plain(value)),
                _ => plain(part),
            });
            each.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A store that was read.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// What its runs have in common; none if the file is empty.
    pub header: Option<Header>,
    /// Its runs, in the order in which they ended.
    pub runs: Vec<Run>,
    /// How many bytes of the file are whole lines.
    pub whole: u64,
    /// Whether the rest of the file is the beginning of a line.
    pub truncated: bool,
}

/// Why a store cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Something else.
    #[error("{0} is not a store of `mupc transfer`: its first line is not that of one")]
    NotAStore(String),
    /// Another version of the format.
    #[error("{0} was written in version {1} of the format; this program reads version {VERSION}")]
    Version(String, u32),
    /// A line that is not a run.
    #[error("{path}, line {line} is no run ({why}): take the line away, and its run is done again")]
    Line {
        /// The file.
        path: String,
        /// Its line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// Runs of another network, data set or course.
    #[error("{path} belongs to another sweep: {what}; choose another `--store`")]
    Other {
        /// The file.
        path: String,
        /// What differs.
        what: Difference,
    },
    /// Stores of different sweeps.
    #[error("{path} and {first} belong to different sweeps: {what}")]
    Foreign {
        /// The file.
        path: String,
        /// The first of the stores.
        first: String,
        /// What differs.
        what: Difference,
    },
    /// Two results of one run.
    #[error(
        "{0} and another store disagree about {1}: were they made by different versions or on different machines?"
    )]
    Conflict(String, String),
}

/// One line of JSON.
fn line(value: &impl Serialize) -> String {
    // Numbers, texts and lists have JSON; nothing here can fail.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}

/// The line of a run.
pub fn line_of(run: &Run) -> String {
    line(run)
}

/// Reads a store.
///
/// # Errors
/// If it is none, or a line before its last is broken.
pub fn read(path: &str, bytes: &[u8]) -> Result<Contents, StoreError> {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut contents = Contents { whole: end as u64, truncated: end < bytes.len(), ..Contents::default() };
    for (at, text) in text.lines().enumerate() {
        if at == 0 {
            contents.header = Some(header(path, text)?);
        } else {
            let run = serde_json::from_str(text);
            let wrong = |why: String| StoreError::Line { path: path.to_string(), line: at + 1, why };
            contents.runs.push(run.map_err(|error| wrong(reason(&error)))?);
        }
    }
    // What has no whole line and does not begin like a store is some other file, and not to be written over.
    let first = format!("{{\"mupc\":\"{FORMAT}\"");
    let common = first.len().min(bytes.len());
    if contents.header.is_none() && bytes[..common] != first.as_bytes()[..common] {
        return Err(StoreError::NotAStore(path.to_string()));
    }
    Ok(contents)
}

fn header(path: &str, text: &str) -> Result<Header, StoreError> {
    let not_one = || StoreError::NotAStore(path.to_string());
    let value: Value = serde_json::from_str(text).map_err(|_| not_one())?;
    if value["mupc"] != FORMAT {
        return Err(not_one());
    }
    match value["version"].as_u64() {
        Some(version) if version == u64::from(VERSION) => {}
        other => return Err(StoreError::Version(path.to_string(), other.unwrap_or(0) as u32)),
    }
    serde_json::from_value(value).map_err(|_| not_one())
}

/// What is wrong with a line, without the count of lines within it, which is always 1.
fn reason(error: &serde_json::Error) -> String {
    error.to_string().replace(" at line 1 column ", " at column ")
}

impl Contents {
    /// Holds it against the sweep that wants to use it.
    ///
    /// # Errors
    /// If it belongs to another.
    pub fn belongs_to(&self, path: &str, header: &Header) -> Result<(), StoreError> {
        match self.header.as_ref().and_then(|own| header.difference(own)) {
            Some(what) => Err(StoreError::Other { path: path.to_string(), what }),
            None => Ok(()),
        }
    }
}

/// Joins stores of one sweep; a run that is in several of them is there once.
///
/// # Errors
/// If they belong to different sweeps, or disagree about a run.
pub fn merge(stores: &[(String, Contents)]) -> Result<Option<(Header, Vec<Run>)>, StoreError> {
    let mut first: Option<(&str, &Header)> = None;
    let mut runs: BTreeMap<Key, Run> = BTreeMap::new();
    for (path, contents) in stores {
        let own = contents.header.as_ref();
        if let Some(((first, header), own)) = first.zip(own)
            && let Some(what) = header.difference(own)
        {
            return Err(StoreError::Foreign { path: path.clone(), first: first.to_string(), what });
        }
        first = first.or(own.map(|own| (path.as_str(), own)));
        for run in &contents.runs {
            let same = |known: &Run| {
                known.loss == run.loss
                    && known.fingerprint == run.fingerprint
                    && known.diverged_at == run.diverged_at
            };
            match runs.get(&run.key()) {
                Some(known) if !same(known) => {
                    return Err(StoreError::Conflict(path.clone(), described(run)));
                }
                Some(_) => {}
                None => {
                    runs.insert(run.key(), run.clone());
                }
            }
        }
    }
    Ok(first.map(|(_, header)| (header.clone(), runs.into_values().collect())))
}

/// A run in words.
fn described(run: &Run) -> String {
    let Run { parameterization, optimizer, knob, value, log2, seed, .. } = run;
    format!("{parameterization} with {optimizer} at {value}, {knob} = 2^{log2}, seed {seed}")
}
