//! Tables (CSV) and arrays (.npy) of a user's, from their bytes.
//!
//! **CSV.** A first row without any number is a header. Columns `x.0`, `x.1`, ... of a header are one array `x`. A column without any number holds labels: its
//! different words, sorted, are the classes. Everything else must be a finite number; what is missing is an error with its line and column.
//!
//! **.npy.** Any real or whole type, either byte order, C or Fortran order.

use std::collections::BTreeSet;

use npyz::{DType, NpyFile, Order, TypeChar};

use super::arrays::{Array, Arrays, ArraysError};

/// Why a file is no data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Rows of unlike lengths, or no CSV at all.
    #[error("{file}: {reason}")]
    Table {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// A value that is missing or is no number.
    #[error(
        "{file}:{line}: column `{column}` {what}; every value must be a finite number, or every one a label"
    )]
    Value {
        /// The file.
        file: String,
        /// Counts from 1, the header included.
        line: u64,
        /// Its name or number.
        column: String,
        /// What stands there.
        what: String,
    },
    /// No array that can be used.
    #[error("{file}: {reason}")]
    Array {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// Arrays that do not belong together.
    #[error("{0}")]
    Arrays(#[from] ArraysError),
}

/// Reads a table.
///
/// # Errors
/// If a value is missing or is no number, or rows differ in length.
pub fn table(file: &str, bytes: &[u8]) -> Result<Arrays, ReadError> {
    let wrong = |reason: String| ReadError::Table { file: file.to_string(), reason };
    let mut reader = csv::ReaderBuilder::new().has_headers(false).trim(csv::Trim::All).from_reader(bytes);
    let rows: Result<Vec<csv::StringRecord>, csv::Error> = reader.records().collect();
    let rows = rows.map_err(|error| wrong(ragged(&error).unwrap_or_else(|| error.to_string())))?;
    let Some(first) = rows.first() else { return Err(wrong("it is empty".to_string())) };
    if let Some(other) = [";", "\t"].into_iter().find(|own| first.len() == 1 && first[0].contains(own)) {
        return Err(wrong(format!("its columns stand between {other:?}; put commas between them")));
    }
    let header = first.iter().all(|cell| cell.parse::<f64>().is_err());
    if header && rows.len() == 1 {
        return Err(wrong("it has a header and no examples".to_string()));
    }
    let name = |at: usize| match header {
        true => first[at].to_string(),
        false => (at + 1).to_string(),
    };
    let body = &rows[usize::from(header)..];
    let columns = (0..first.len()).map(|at| column(file, &name(at), at, body));
    let columns = columns.collect::<Result<Vec<Array>, ReadError>>()?;
    let columns = if header { joined(&columns) } else { columns };
    Ok(Arrays::new(file, columns, true)?)
}

/// What is wrong with a row that is longer or shorter than the first.
fn ragged(error: &csv::Error) -> Option<String> {
    let csv::ErrorKind::UnequalLengths { pos: Some(place), expected_len, len } = error.kind() else {
        return None;
    };
    Some(format!("line {} has {len} columns where the lines before it have {expected_len}", place.line()))
}

fn column(file: &str, name: &str, at: usize, rows: &[csv::StringRecord]) -> Result<Array, ReadError> {
    let cells = || rows.iter().map(|row| &row[at]);
    let number = |cell: &str| cell.parse::<f32>().ok().filter(|number| number.is_finite());
    let worded = cells().all(|cell| cell.parse::<f32>().is_err());
    let labels: BTreeSet<&str> = if worded { cells().collect() } else { BTreeSet::new() };
    let value = |row: &csv::StringRecord| {
        let cell = &row[at];
        let label = || labels.iter().position(|label| *label == cell).map(|place| place as f32);
        let found = if worded { label() } else { number(cell) };
        found.filter(|_| !is_missing(cell)).ok_or_else(|| ReadError::Value {
            file: file.to_string(),
            line: row.position().map_or(0, csv::Position::line),
            column: name.to_string(),
            what: if cell.is_empty() { "is empty".to_string() } else { format!("has `{cell}`") },
        })
    };
    Ok(Array {
        name: name.to_string(),
        shape: Vec::new(),
        entries: rows.iter().map(value).collect::<Result<_, _>>()?,
        examples: rows.len(),
    })
}

/// What tables write where they have no value.
fn is_missing(cell: &str) -> bool {
    matches!(cell.to_ascii_lowercase().as_str(), "" | "na" | "nan" | "n/a" | "null" | "none" | "?")
}

/// Makes one array of columns `x.0`, `x.1`, ... that stand side by side.
fn joined(columns: &[Array]) -> Vec<Array> {
    let together =
        |one: &Array, next: &Array| stem(&one.name).is_some() && stem(&one.name) == stem(&next.name);
    columns.chunk_by(together).map(join).collect()
}

/// `x` of `x.0`.
fn stem(name: &str) -> Option<&str> {
    let (stem, place) = name.rsplit_once('.')?;
    place.parse::<usize>().ok().map(|_| stem)
}

fn join(group: &[Array]) -> Array {
    let Some(stem) = stem(&group[0].name) else { return group[0].clone() };
    let (examples, width) = (group[0].examples, group.len());
    let entries = (0..examples * width).map(|at| group[at % width].entries[at / width]).collect();
    Array { name: stem.to_string(), shape: vec![width], entries, examples }
}

/// Reads one array; `name` is the input or target that it is for.
///
/// # Errors
/// If the bytes are no .npy file, its type is neither real nor whole, or an entry is not finite.
pub fn npy(file: &str, name: &str, bytes: &[u8]) -> Result<Array, ReadError> {
    let wrong = |reason: String| ReadError::Array { file: file.to_string(), reason };
    let array = NpyFile::new(bytes).map_err(|error| wrong(format!("no .npy file: {error}")))?;
    let shape: Vec<usize> = array.shape().iter().map(|length| *length as usize).collect();
    let (order, promised) = (array.order(), array.len());
    let Some((examples, shape)) = shape.split_first() else {
        return Err(wrong("a single number; the first axis must count the examples".to_string()));
    };
    let cut = |error: String| match error.contains("fill whole buffer") {
        true => format!("the file ends before the last of its {promised} numbers: was it copied to its end?"),
        false => error,
    };
    let entries = entries(array).map_err(|error| wrong(cut(error)))?;
    let entries = if order == Order::Fortran { in_c_order(&entries, *examples, shape) } else { entries };
    if let Some(at) = entries.iter().position(|entry| !entry.is_finite()) {
        let example = at / shape.iter().product::<usize>().max(1) + 1;
        return Err(wrong(format!(
            "an entry of example {example} is not a finite number: is a value missing?"
        )));
    }
    Ok(Array { name: name.to_string(), shape: shape.to_vec(), entries, examples: *examples })
}

/// The entries in the order of the file.
fn entries(array: NpyFile<&[u8]>) -> Result<Vec<f32>, String> {
    let dtype = array.dtype();
    let DType::Plain(kind) = &dtype else {
        return Err(format!("its entries are records ({})", dtype.descr()));
    };
    macro_rules! of {
        ($number:ty) => {{
            let entries = array.into_vec::<$number>().map_err(|error| error.to_string())?;
            Ok(entries.into_iter().map(|entry| entry as f32).collect())
        }};
    }
    match (kind.type_char(), kind.size_field()) {
        (TypeChar::Float, 4) => of!(f32),
        (TypeChar::Float, 8) => of!(f64),
        (TypeChar::Int, 1) => of!(i8),
        (TypeChar::Int, 2) => of!(i16),
        (TypeChar::Int, 4) => of!(i32),
        (TypeChar::Int, 8) => of!(i64),
        (TypeChar::Uint, 1) => of!(u8),
        (TypeChar::Uint, 2) => of!(u16),
        (TypeChar::Uint, 4) => of!(u32),
        (TypeChar::Uint, 8) => of!(u64),
        (TypeChar::Bool, _) => {
            let entries = array.into_vec::<bool>().map_err(|error| error.to_string())?;
            Ok(entries.into_iter().map(|entry| f32::from(u8::from(entry))).collect())
        }
        _ => Err(format!("its entries are {}, neither real nor whole numbers", dtype.descr())),
    }
}

/// From the first axis fastest to the last axis fastest.
fn in_c_order(entries: &[f32], examples: usize, shape: &[usize]) -> Vec<f32> {
    let lengths: Vec<usize> = std::iter::once(examples).chain(shape.iter().copied()).collect();
    let place = |mut at: usize| {
        let mut index = vec![0; lengths.len()];
        for (own, length) in index.iter_mut().zip(&lengths).rev() {
            (*own, at) = (at % length, at / length);
        }
        index.iter().zip(&lengths).rev().fold(0, |place, (own, length)| place * length + own)
    };
    (0..entries.len()).map(|at| entries[place(at)]).collect()
}
