//! The language: its tree ([`ast`]), its grammar ([`parser`]) and its canonical form ([`format`](mod@format)).

pub mod ast;
pub mod format;
pub mod lengths;
mod lexer;
pub mod parser;
mod token;
