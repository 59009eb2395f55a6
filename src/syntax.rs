//! The language: its tree ([`ast`]), its grammar (`parser`) and its canonical form (`format`).

pub mod ast;
