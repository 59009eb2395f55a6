//! What a reader is shown: tables, charts and pictures. This room computes nothing; it writes down what the others found.

pub mod annotations;
pub mod chart;
pub mod check_html;
pub mod check_text;
pub mod classify_json;
pub mod classify_text;
pub mod compare_text;
pub mod drift_html;
pub mod drift_text;
pub mod graph_dot;
pub mod graph_json;
pub mod graph_svg;
pub mod graph_text;
pub mod kernel_html;
pub mod kernel_text;
mod layout;
pub mod limit_html;
pub mod limit_text;
mod notation;
pub mod npy;
mod page;
pub mod phase_svg;
pub mod phase_text;
pub mod plot;
pub mod power;
#[cfg(test)]
mod samples;
pub mod table_csv;
pub mod table_json;
pub mod table_latex;
pub mod table_markdown;
mod table_row;
pub mod table_text;
pub mod test_text;
#[cfg(test)]
mod tests;
pub mod transfer_csv;
pub mod transfer_html;
pub mod transfer_text;

pub use annotations::Annotations;
