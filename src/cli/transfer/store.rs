//! Stores of runs as files.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::cli::failure::{Answer, Failure};
use crate::cli::files;
use crate::network::Network;
use crate::report::{Annotations, graph_json};
use crate::transfer::fingerprint::Fingerprint;
use crate::transfer::prepare::Prepare;
use crate::transfer::request::Request;
use crate::transfer::runs::Run;
use crate::transfer::store::{Contents, Header, StoreError, line_of, merge, read};

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        Failure::new(error.to_string())
    }
}

/// A store that runs are appended to. A line is written at once and lies on the disk before the next one is.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: Mutex<File>,
    failure: Mutex<Option<String>>,
}

impl Writer {
    /// Adds a run.
    pub fn append(&self, run: &Run) -> Result<(), ()> {
        let mut file = self.file.lock().map_err(|_| ())?;
        let written = file.write_all(line_of(run).as_bytes()).and_then(|()| file.sync_data());
        written.map_err(|error| {
            if let Ok(mut failure) = self.failure.lock() {
                *failure = Some(format!("cannot write {}: {error}", self.path.display()));
            }
        })
    }

    /// Why a run could not be added, if so.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().ok()?.clone()
    }
}

/// What all runs of a sweep have in common.
pub fn header(network: &Network, request: &Request, prepare: &Prepare, schedule: &str) -> Header {
    let graph = &network.graph;
    let (mupc, version) = Header::format();
    // The sizes of the scale symbols have fields of their own.
    let mut json = graph_json::json(graph, &Annotations::none());
    json["scales"] = graph.symbol_names().into();
    let others = graph.scales.iter().zip(&request.base).enumerate();
    let others = others.filter(|(at, _)| *at != request.symbol);
    let memory = request.course.routine.memory;
    Header {
        mupc,
        version,
        spec: Fingerprint::of_text(&json.to_string()).to_string(),
        network: graph.name.clone(),
        data: prepare.data.clone(),
        examples: Fingerprint::of_data(&prepare.bound).to_string(),
        over: request.symbol_name(graph).to_string(),
        fixed: others.map(|(_, (scale, value))| (scale.name.clone(), value.to_string())).collect(),
        steps: request.course.steps,
        schedule: schedule.to_string(),
        momenta: [memory.momentum, memory.first, memory.second],
        clip: request.course.routine.clip,
        early_stop: request.course.early_stop,
    }
}

/// What a store holds already, and a notice about what was wrong with it; a store that does not exist holds nothing.
pub fn known(path: &Path, header: &Header, resume: bool) -> Result<(Contents, String), Failure> {
    let name = path.display().to_string();
    if !path.exists() {
        return Ok((Contents::default(), String::new()));
    }
    let contents = read(&name, &files::bytes(path)?)?;
    contents.belongs_to(&name, header)?;
    if !resume && !contents.runs.is_empty() {
        return Err(Failure::Other(
            format!("{name} holds {} runs already", contents.runs.len()),
            Some("go on with it by `--resume`, or choose another `--store`".to_string()),
        ));
    }
    let notice = match contents.truncated {
        true => format!(
            "notice: the last line of {name} was not written to its end; it is taken away, its run is done again\n"
        ),
        false => String::new(),
    };
    Ok((contents, notice))
}

/// Opens a store for more runs, without the unfinished line that it may end in.
pub fn open(path: &Path, header: &Header, contents: &Contents) -> Result<Writer, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
    if contents.truncated {
        file.set_len(contents.whole).map_err(failed)?;
    }
    if contents.header.is_none() {
        file.write_all(header.line().as_bytes()).map_err(failed)?;
    }
    file.sync_all().map_err(failed)?;
    Ok(Writer { path: path.to_path_buf(), file: Mutex::new(file), failure: Mutex::new(None) })
}

/// `mupc transfer merge`.
pub fn run_merge(into: &Path, from: &[PathBuf]) -> Result<Answer, Failure> {
    let (mut stores, mut remarks) = (Vec::new(), String::new());
    for path in from {
        let name = path.display().to_string();
        let contents = read(&name, &files::bytes(path)?)?;
        if contents.truncated {
            remarks +=
                &format!("notice: the last line of {name} was not written to its end; it is left out\n");
        }
        stores.push((name, contents));
    }
    if into.exists() && !from.iter().any(|own| own == into) {
        return Err(Failure::Other(
            format!("{} exists already", into.display()),
            Some("name it among the stores to be joined, too, if it is one of them".to_string()),
        ));
    }
    let Some((header, runs)) = merge(&stores)? else {
        return Err(Failure::new("all of these stores are empty"));
    };
    let lines: String = runs.iter().map(line_of).collect();
    files::write(into, &(header.line() + &lines))?;
    let text = format!("{} runs of {} stores in {}\n", runs.len(), from.len(), into.display());
    Ok(Answer { remarks, ..Answer::text(text) })
}
