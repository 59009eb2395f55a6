//! What a reader is shown: tables, charts and pictures. This room computes nothing; it writes down what the others found.

pub mod annotations;
pub mod graph_dot;
pub mod graph_json;
pub mod graph_svg;
pub mod graph_text;
mod layout;
mod notation;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

pub use annotations::Annotations;
