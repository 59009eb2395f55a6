//! Stores of runs as files.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use fs4::{FileExt, TryLockError};

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

/// A store that no other process writes to. The lock is the operating system's: it ends with the process, however that ends.
#[derive(Debug)]
pub struct Claimed {
    path: PathBuf,
    file: File,
    notice: String,
}

impl Claimed {
    /// Opens a store for writing, and makes it where there is none.
    ///
    /// # Errors
    /// If another process writes to it.
    pub fn new(path: &Path) -> Result<Claimed, Failure> {
        let file = OpenOptions::new().read(true).create(true).append(true).open(path);
        let file = file.map_err(|error| files::cannot_write(path, &error))?;
        let notice = match FileExt::try_lock(&file) {
            Ok(()) => String::new(),
            Err(TryLockError::WouldBlock) => return Err(taken(path)),
            // Some file systems of clusters have no locks; work must be possible there, too.
            Err(TryLockError::Error(error)) => format!(
                "notice: {} cannot be locked ({error}); see that no other process writes to it\n",
                path.display()
            ),
        };
        Ok(Claimed { path: path.to_path_buf(), file, notice })
    }

    /// What is in it. Read by the handle that holds the lock: on Windows no other may.
    fn bytes(&mut self) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        let read = self.file.read_to_end(&mut bytes);
        read.map_err(|error| Failure::new(format!("cannot read {}: {error}", self.path.display())))?;
        Ok(bytes)
    }

    /// What it holds already, and notices.
    pub fn known(&mut self, header: &Header, resume: bool) -> Result<(Contents, String), Failure> {
        let bytes = self.bytes()?;
        let (contents, notice) = known(&self.path, &bytes, header, resume)?;
        Ok((contents, std::mem::take(&mut self.notice) + &notice))
    }

    /// Makes it ready for more runs: without the unfinished line that it may end in.
    pub fn writer(mut self, header: &Header, contents: &Contents) -> Result<Writer, Failure> {
        let mut prepare = || {
            if contents.truncated {
                self.file.set_len(contents.whole)?;
            }
            if contents.header.is_none() {
                self.file.write_all(header.line().as_bytes())?;
            }
            self.file.sync_all()
        };
        prepare().map_err(|error| files::cannot_write(&self.path, &error))?;
        Ok(Writer { path: self.path, file: Mutex::new(self.file), failure: Mutex::new(None) })
    }
}

fn taken(path: &Path) -> Failure {
    Failure::Other(
        format!("another process writes to {}", path.display()),
        Some(
            "wait for it, or give this one a `--store` of its own, with `--shard` if they share one sweep; `mupc transfer merge` joins stores"
                .to_string(),
        ),
    )
}

/// What a store holds, for a plan: it is not written to.
pub fn peek(path: &Path, header: &Header) -> Result<(Contents, String), Failure> {
    let bytes = if path.exists() { files::bytes(path)? } else { Vec::new() };
    known(path, &bytes, header, true)
}

fn known(path: &Path, bytes: &[u8], header: &Header, resume: bool) -> Result<(Contents, String), Failure> {
    let name = path.display().to_string();
    let contents = read(&name, bytes)?;
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

/// `mupc transfer merge`.
pub fn run_merge(into: &Path, from: &[PathBuf]) -> Result<Answer, Failure> {
    if into.exists() && !from.iter().any(|own| own == into) {
        return Err(Failure::Other(
            format!("{} exists already", into.display()),
            Some("name it among the stores to be joined, too, if it is one of them".to_string()),
        ));
    }
    // Nobody may add to what is about to be replaced.
    let mut claimed = if into.exists() { Some(Claimed::new(into)?) } else { None };
    let (mut stores, mut remarks) = (Vec::new(), String::new());
    for path in from {
        let name = path.display().to_string();
        let bytes = match claimed.as_mut().filter(|claimed| claimed.path == *path) {
            Some(claimed) => claimed.bytes()?,
            None => files::bytes(path)?,
        };
        let contents = read(&name, &bytes)?;
        if contents.truncated {
            remarks +=
                &format!("notice: the last line of {name} was not written to its end; it is left out\n");
        }
        stores.push((name, contents));
    }
    let Some((header, runs)) = merge(&stores)? else {
        return Err(Failure::new("all of these stores are empty"));
    };
    let lines: String = runs.iter().map(line_of).collect();
    files::write(into, &(header.line() + &lines))?;
    let text = format!("{} runs of {} stores in {}\n", runs.len(), from.len(), into.display());
    Ok(Answer { remarks, ..Answer::text(text) })
}
