//! The graph as a self-contained SVG picture.
//!
//! Time runs downwards. A white card is a chain of operations, one per line, that nothing else looks into; parameters stand in it
//! as pills, coloured by role, once for every site. A frame is an instance of a definition or, with a double border and
//! `× L` in its title, a repetition, around which its streams go as dashed lines. Residual streams are straight and thick.

mod card;
mod draw;
mod scene;

use crate::graph::Graph;
use crate::report::Annotations;
use crate::report::notation::Notation;

/// What a picture shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct SvgOptions {
    /// Sizes beside the shapes.
    pub sizes: bool,
    /// How many definitions deep the picture goes: what is deeper becomes one card. Repetitions do not count.
    pub depth: Option<usize>,
    /// No shapes and no formulas: the architecture alone.
    pub compact: bool,
}

/// Draws the graph.
pub fn svg(graph: &Graph, annotations: &Annotations<'_>, options: &SvgOptions) -> String {
    let notation = Notation::new(graph, annotations);
    let scene = scene::Scene::new(&notation, options);
    draw::draw(&notation, &scene, options)
}

/// Draws the architecture alone, small enough for the top of a page: each definition is one card.
pub fn compact(graph: &Graph, annotations: &Annotations<'_>) -> String {
    svg(graph, annotations, &SvgOptions { depth: Some(0), compact: true, ..SvgOptions::default() })
}

/// Fill and border of parameters of a role.
pub(super) fn palette(role: Option<&str>) -> (&'static str, &'static str) {
    match role {
        Some("input-like") => ("#D3E5F5", "#4F86B5"),
        Some("hidden") => ("#FBE0BD", "#C6822B"),
        Some("output-like") => ("#D5EBD3", "#5B9A5A"),
        Some("vector-like") => ("#E7DCF2", "#8A68AD"),
        Some("scalar-like") => ("#F8D7DC", "#BC6472"),
        Some("finite") => ("#E4E4E4", "#858585"),
        _ => ("#EDF0F4", "#8793A3"),
    }
}
