//! What to train on: `--data` and `--set`, for every command that runs networks.

use std::path::Path;

use clap::Args;

use super::failure::Failure;
use super::files::{self, Spec};
use crate::diagnostic::did_you_mean;
use crate::graph::Graph;
use crate::network::Network;
use crate::numeric::data::read::{ReadError, npy, table};
use crate::numeric::data::{Array, Arrays, Source, Text, bind, lengths};
use crate::rational::Rational;

/// Names of the data sets within.
const NAMES: [&str; 3] = ["digits", "text", "synthetic"];

/// What to train on, and at which lengths.
#[derive(Debug, Args)]
pub struct DataArguments {
    /// What to train on: `digits`, `text`, `synthetic`, a table FILE.csv, a text FILE.txt, or arrays NAME=FILE.npy, each with `--data`.
    /// If not given: what the spec's own experiment says, else what fits it.
    #[arg(long, value_name = "DATA")]
    pub data: Vec<String>,
    /// Another number for a `dim` or `scale` of the spec.
    #[arg(long, value_name = "NAME=NUMBER", num_args = 1..)]
    pub set: Vec<String>,
}

impl DataArguments {
    /// The network at the lengths that the user, its own experiment and the data ask for, in this order; and the data.
    pub fn network(&self, spec: &Spec) -> Result<(Network, Source), Failure> {
        let mut set = numbers(&self.set)?;
        let chosen = self.chosen()?;
        let declared = spec.compile(&[])?.graph;
        // A spec's own experiment has the lengths of the data that it names; a user's arrays have others.
        if let Some(source @ Source::Arrays(_)) = &chosen {
            add(&mut set, lengths(source, &declared));
        }
        let experiment = declared.experiment.iter().flat_map(|own| &own.lengths);
        add(&mut set, experiment.map(|(name, length)| (name.text.clone(), *length)));
        let network = spec.compile(&set)?;
        let source = chosen.unwrap_or_else(|| suited(&network.graph));
        add(&mut set, lengths(&source, &network.graph));
        Ok((spec.compile(&set)?, source))
    }

    /// What the user asks for, read.
    fn chosen(&self) -> Result<Option<Source>, Failure> {
        let Some(first) = self.data.first() else { return Ok(None) };
        if let ([_], Some(source)) = (self.data.as_slice(), within(first)) {
            return Ok(Some(source));
        }
        let (_, path) = named(first);
        match (extension(path), self.data.as_slice()) {
            ("csv", [_]) => {
                let table = table(path, &files::bytes(Path::new(path))?).map_err(failed)?;
                Ok(Some(Source::Arrays(table)))
            }
            ("txt", [_]) => {
                let text = String::from_utf8_lossy(&files::bytes(Path::new(path))?).into_owned();
                Ok(Some(Source::Text(Text::new(path, &text))))
            }
            ("npy", all) | (_, all @ [_, _, ..]) => arrays(all).map(|arrays| Some(Source::Arrays(arrays))),
            _ => Err(unknown(first)),
        }
    }
}

/// What `--set` says: names of dims and scale symbols with their numbers.
pub fn numbers(set: &[String]) -> Result<Vec<(String, i64)>, Failure> {
    let read = |text: &String| {
        let pair =
            text.split_once('=').and_then(|(name, value)| Some((name.trim(), value.trim().parse().ok()?)));
        let pair = pair.filter(|(_, value): &(&str, i64)| *value > 0);
        let error = || {
            Failure::new(format!(
                "--set: `{text}` is not of the form `name=number` with a whole number from 1 on, as in `L=2`"
            ))
        };
        pair.map(|(name, value)| (name.to_string(), value)).ok_or_else(error)
    };
    set.iter().map(read).collect()
}

/// One of the data sets within.
fn within(name: &str) -> Option<Source> {
    match name {
        "digits" => Some(Source::Digits),
        "text" => Some(Source::Text(Text::pentateuch())),
        "synthetic" => Some(Source::Synthetic { seed: 1 }),
        _ => None,
    }
}

/// Adds lengths that are not set yet.
fn add(set: &mut Vec<(String, i64)>, more: impl IntoIterator<Item = (String, i64)>) {
    for (name, length) in more {
        if !set.iter().any(|(own, _)| *own == name) {
            set.push((name, length));
        }
    }
}

/// The name before `=`, if there is one, and the file.
fn named(word: &str) -> (Option<&str>, &str) {
    word.split_once('=').map_or((None, word), |(name, path)| (Some(name.trim()), path))
}

fn extension(path: &str) -> &str {
    Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or("")
}

/// Arrays of their own files; one without a name has that of its file.
fn arrays(words: &[String]) -> Result<Arrays, Failure> {
    let read = |word: &String| -> Result<Array, Failure> {
        let (name, path) = named(word);
        if extension(path) != "npy" {
            return Err(Failure::Other(
                format!("--data: `{word}` is no .npy file"),
                Some(
                    "name one array per input and target, as in `--data image=x.npy --data label=y.npy`"
                        .to_string(),
                ),
            ));
        }
        let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
        npy(path, name.unwrap_or(stem), &files::bytes(Path::new(path))?).map_err(failed)
    };
    let arrays: Vec<Array> = words.iter().map(read).collect::<Result<_, _>>()?;
    let names: Vec<&str> = words.iter().map(|word| named(word).1).collect();
    Arrays::new(names.join(", "), arrays, false).map_err(|error| failed(error.into()))
}

fn failed(error: ReadError) -> Failure {
    Failure::new(error.to_string())
}

fn unknown(word: &str) -> Failure {
    let help = did_you_mean(word, NAMES).unwrap_or_else(|| {
        "give `digits`, `text`, `synthetic`, a table FILE.csv, a text FILE.txt, or arrays NAME=FILE.npy"
            .to_string()
    });
    Failure::Other(format!("--data: no data set `{word}`"), Some(help))
}

/// The data of a spec's own experiment; else text where a network reads classes, digits where it reads 64 numbers and gives 10 classes
/// after the change of lengths; else random data.
fn suited(graph: &Graph) -> Source {
    if let Some(source) = graph.experiment.as_ref().and_then(|own| within(&own.data.text)) {
        return source;
    }
    let whole_inputs = graph.data.iter().any(|data| !data.target && data.classes.is_some());
    let classes = graph.data.iter().any(|data| data.target && data.classes.is_some());
    let fits = |source: &Source| {
        let values: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
        bind(source, graph, &values).is_ok() || !lengths(source, graph).is_empty()
    };
    let text = Source::Text(Text::pentateuch());
    match (whole_inputs, classes) {
        (true, true) if fits(&text) => text,
        (false, true) if fits(&Source::Digits) => Source::Digits,
        _ => Source::Synthetic { seed: 1 },
    }
}
