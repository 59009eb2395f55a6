//! Reading specs and writing files.

use std::collections::HashMap;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};

use super::failure::Failure;
use crate::diagnostic::did_you_mean;
use crate::loader::Loader;
use crate::network::{Network, compile_growing, compile_with, compile_with_lengths};

/// A spec longer than this is a mistake.
const LARGEST: u64 = 64 << 20;

/// The spec that stands for standard input.
pub fn is_standard_input(path: &Path) -> bool {
    path == Path::new("-")
}

/// What a spec is called in messages.
pub fn name(path: &Path) -> String {
    if is_standard_input(path) { "<stdin>".to_string() } else { path.display().to_string() }
}

/// Reads and compiles a spec with the files that it uses.
pub fn compile(path: &Path) -> Result<Network, Failure> {
    let text = read_spec(path)?;
    let mut loader = FileLoader::default();
    loader.remember(path);
    Ok(compile_with(&name(path), &text, &mut loader)?)
}

/// Reads and compiles a spec with the files of the parameterizations that are asked for.
pub fn compile_for(path: &Path, parameterizations: &[&str]) -> Result<Network, Failure> {
    Spec::read(path, parameterizations)?.compile(&[])
}

/// The texts of a spec and of the files of parameterizations, read once: standard input cannot be read twice.
#[derive(Debug)]
pub struct Spec {
    path: PathBuf,
    text: String,
    rules: Vec<(String, String)>,
}

impl Spec {
    /// Reads them.
    pub fn read(path: &Path, parameterizations: &[&str]) -> Result<Spec, Failure> {
        let mut rules: Vec<(String, String)> = Vec::new();
        for name in parameterizations.iter().filter_map(|name| file_of(name)) {
            if !rules.iter().any(|(known, _)| known == name) {
                rules.push((name.to_string(), read_spec(Path::new(name))?));
            }
        }
        Ok(Spec { path: path.to_path_buf(), text: read_spec(path)?, rules })
    }

    /// Compiles them, with other numbers for some dims and scale symbols.
    pub fn compile(&self, lengths: &[(String, i64)]) -> Result<Network, Failure> {
        let mut loader = FileLoader::default();
        loader.remember(&self.path);
        let name = name(&self.path);
        Ok(compile_with_lengths(&name, &self.text, &mut loader, &self.rules, lengths)?)
    }

    /// Compiles the spec, with other numbers for some dims and scale symbols, so that one scale symbol grows and the others keep their numbers.
    pub fn compile_growing(&self, lengths: &[(String, i64)], grows: &str) -> Result<Network, Failure> {
        let mut loader = FileLoader::default();
        loader.remember(&self.path);
        Ok(compile_growing(&name(&self.path), &self.text, &mut loader, lengths, grows)?)
    }
}

/// The file in `FILE.mup:NAME` or `FILE.mup`.
fn file_of(name: &str) -> Option<&str> {
    let end = name.rfind(".mup")? + ".mup".len();
    (name[end..].is_empty() || name[end..].starts_with(':')).then_some(&name[..end])
}

/// The name of a parameterization: behind the colon of `FILE.mup:NAME`, or the only one of `FILE.mup`.
pub fn name_in_file(name: &str) -> Result<String, Failure> {
    let Some(file) = file_of(name) else { return Ok(name.to_string()) };
    if let Some(own) = name[file.len()..].strip_prefix(':') {
        return Ok(own.to_string());
    }
    let text = read_spec(Path::new(file))?;
    let heads = text.lines().filter_map(|line| line.trim_start().strip_prefix("parameterization "));
    let names: Vec<&str> =
        heads.filter_map(|head| head.split([' ', '{']).find(|word| !word.is_empty())).collect();
    match names.as_slice() {
        [only] => Ok((*only).to_string()),
        [] => Err(Failure::new(format!("{file} holds no `parameterization`"))),
        [first, ..] => Err(Failure::Other(
            format!("{file} holds several parameterizations: {}", names.join(", ")),
            Some(format!("say which one, as in `-p {file}:{first}`")),
        )),
    }
}

/// Reads a spec.
pub fn read_spec(path: &Path) -> Result<String, Failure> {
    let found = if is_standard_input(path) { read(io::stdin().lock()) } else { read_file(path) };
    let failed = |reason| Failure::Other(format!("cannot read {}: {reason}", name(path)), similar(path));
    let text = found.map_err(failed)?;
    match text.trim().is_empty() {
        true => Err(Failure::Other(
            format!("{} is empty", name(path)),
            Some("a spec needs at least an input, a parameter and a loss".to_string()),
        )),
        false => Ok(text),
    }
}

fn read_file(path: &Path) -> Result<String, String> {
    if path.is_dir() {
        return Err("it is a directory".to_string());
    }
    read(fs::File::open(path).map_err(|error| reason(&error))?)
}

fn read(from: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    from.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(format!("it is longer than {} MiB", LARGEST >> 20));
    }
    String::from_utf8(bytes).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1;
        let byte = error.as_bytes().get(offset).copied().unwrap_or_default();
        format!("it is not UTF-8 text: byte 0x{byte:02x} at offset {offset}, line {line}")
    })
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_string(),
        io::ErrorKind::PermissionDenied => "permission denied".to_string(),
        io::ErrorKind::IsADirectory => "it is a directory".to_string(),
        _ => error.to_string(),
    }
}

/// A spec beside a missing one with nearly its name.
fn similar(path: &Path) -> Option<String> {
    if path.exists() || is_standard_input(path) {
        return None;
    }
    beside(path, "mup")
}

/// Reads data.
pub fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| {
        let similar = path.extension().and_then(|own| own.to_str()).and_then(|own| beside(path, own));
        Failure::Other(format!("cannot read {}: {}", path.display(), reason(&error)), similar)
    };
    fs::read(path).map_err(failed)
}

/// A file with this extension in the folder of a missing one, with nearly its name.
fn beside(path: &Path, extension: &str) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let files = fs::read_dir(folder).ok()?.flatten().take(1000).map(|entry| entry.file_name());
    let names: Vec<String> = files.filter_map(|name| name.into_string().ok()).collect();
    let ends = format!(".{extension}");
    did_you_mean(
        path.file_name()?.to_str()?,
        names.iter().map(String::as_str).filter(|name| name.ends_with(&ends)),
    )
}

/// Finds the files of `use` beside the file that uses them.
#[derive(Debug, Default)]
struct FileLoader {
    /// The name under which a file was first read, so that two ways to one file are one file.
    names: HashMap<PathBuf, String>,
}

impl FileLoader {
    fn remember(&mut self, path: &Path) -> String {
        let identity = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        self.names.entry(identity).or_insert_with(|| name(path)).clone()
    }
}

impl Loader for FileLoader {
    fn load(&mut self, path: &str, from: &str) -> Result<(String, String), String> {
        let beside = Path::new(from).parent().unwrap_or(Path::new("")).join(path);
        let beside: PathBuf = beside.components().filter(|part| *part != Component::CurDir).collect();
        let text = read_file(&beside)
            .map_err(|reason| format!("{}: {reason}{}", beside.display(), hint(&beside)))?;
        Ok((self.remember(&beside), text))
    }
}

fn hint(path: &Path) -> String {
    similar(path).map(|text| format!("; {text}")).unwrap_or_default()
}

/// Replaces a file as a whole: a reader sees the old text or the new one.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text).map_err(|error| cannot_write(path, &error))
}

/// Why a file cannot be written.
pub fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_string(),
        _ => reason(error),
    };
    Failure::new(format!("cannot write {}: {why}", path.display()))
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let known = fs::metadata(&path).ok();
    if known.as_ref().is_some_and(|known| !known.is_file()) {
        return fs::write(&path, text);
    }
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let new = path.with_file_name(name);
    let written = write_new(&new, text, known).and_then(|()| fs::rename(&new, &path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

fn write_new(path: &Path, text: &str, like: Option<fs::Metadata>) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    like.map_or(Ok(()), |like| file.set_permissions(like.permissions()))?;
    file.sync_all()
}
