//! Names as values of options, with a suggestion for a misspelt one.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command};

use crate::diagnostic::nearest;
use crate::parameterization::Named;

/// Any name; the known ones are suggested.
#[derive(Clone, Debug)]
pub struct Suggested;

impl TypedValueParser for Suggested {
    type Value = String;

    fn parse_ref(&self, _: &Command, _: Option<&Arg>, value: &OsStr) -> Result<String, clap::Error> {
        Ok(value.to_string_lossy().into_owned())
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Named::ALL.into_iter().map(|named| PossibleValue::new(named.name()))))
    }
}

/// One of some names, with a suggestion for a misspelt one.
pub fn one_of<const N: usize, T>(names: [&'static str; N]) -> OneOf<T> {
    OneOf { names: names.to_vec(), of: PhantomData }
}

/// Reads one of some names.
#[derive(Clone, Debug)]
pub struct OneOf<T> {
    names: Vec<&'static str>,
    of: PhantomData<fn() -> T>,
}

impl<T: FromStr + Clone + Send + Sync + 'static> TypedValueParser for OneOf<T> {
    type Value = T;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<T, clap::Error> {
        let text = value.to_string_lossy();
        text.parse().map_err(|_| self.unknown(command, arg, &text))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.names.iter().map(PossibleValue::new)))
    }
}

impl<T> OneOf<T> {
    fn unknown(&self, command: &Command, arg: Option<&Arg>, text: &str) -> clap::Error {
        let mut error = clap::Error::new(ErrorKind::InvalidValue).with_cmd(command);
        let known = self.names.iter().map(|name| (*name).to_string()).collect();
        let arg = arg.map_or_else(|| "...".to_string(), Arg::to_string);
        error.insert(ContextKind::InvalidArg, ContextValue::String(arg));
        error.insert(ContextKind::InvalidValue, ContextValue::String(text.to_string()));
        error.insert(ContextKind::ValidValue, ContextValue::Strings(known));
        if let Some(name) = nearest(text, self.names.iter().copied()) {
            error.insert(ContextKind::SuggestedValue, ContextValue::String(name.to_string()));
        }
        error
    }
}
