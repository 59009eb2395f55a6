//! The pictures of a small graph, and what every picture must be.

use super::graph_svg::SvgOptions;
use super::samples::{Sketch, annotations, residual, wide};
use super::{Annotations, graph_dot, graph_json, graph_svg, graph_text};
use crate::graph::{Func, Graph};

#[test]
fn text_of_a_residual_network() {
    insta::assert_snapshot!(graph_text::text(&residual(), &annotations()));
}

#[test]
fn json_of_a_residual_network() {
    insta::assert_snapshot!(format!("{:#}", graph_json::json(&residual(), &annotations())));
}

#[test]
fn dot_of_a_residual_network() {
    insta::assert_snapshot!(graph_dot::dot(&residual(), &annotations()));
}

#[test]
fn compact_svg_of_a_residual_network() {
    insta::assert_snapshot!(graph_svg::compact(&residual(), &annotations()));
}

/// Every variant of the picture.
fn pictures(graph: &Graph) -> Vec<String> {
    let of = |annotations: &Annotations<'_>, sizes, depth| {
        graph_svg::svg(graph, annotations, &SvgOptions { sizes, depth, compact: false })
    };
    vec![
        of(&annotations(), true, None),
        of(&Annotations::none(), true, Some(1)),
        of(&annotations(), false, Some(0)),
        graph_svg::compact(graph, &annotations()),
    ]
}

/// Whether elements close in the order in which they open, and attributes are quoted.
fn is_well_formed(xml: &str) -> bool {
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1) {
        let Some((tag, text)) = tag.split_once('>') else { return false };
        let name = tag.split_whitespace().next().unwrap_or_default();
        if text.contains('>') || tag.matches('"').count() % 2 == 1 {
            return false;
        }
        match name.strip_prefix('/') {
            Some(name) if open.pop() != Some(name) => return false,
            Some(_) => {}
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    open.is_empty()
}

#[test]
fn pictures_are_well_formed() {
    let mut graph = residual();
    graph.name = "a <b> & \"c\" \u{1}".to_string();
    assert!(!is_well_formed("<a><b></a></b>"));
    for picture in pictures(&graph).into_iter().chain(pictures(&Graph::default())) {
        assert!(is_well_formed(&picture), "{picture}");
        assert!(!picture.contains("NaN") && !picture.contains("inf"), "{picture}");
    }
}

#[test]
fn depth_hides_what_is_deeper() {
    let [full, one, none, compact] = &pictures(&residual())[..] else { panic!("four pictures") };
    assert!(
        full.contains("gelu") && one.contains("gelu") && !none.contains("gelu") && !compact.contains("gelu")
    );
    assert!(none.contains("mlp") && none.contains("block × L") && none.contains("up.weight"));
    assert!(full.contains("Θ(n<tspan") && !none.contains("Θ("));
}

#[test]
fn tied_parameters_stand_at_every_site() {
    let mut sketch = Sketch::new("tied");
    let x = sketch.data("x", false, &[wide()]);
    let weight = sketch.param("shared", &[wide()]);
    let y = sketch.add("y", x, weight);
    let y = sketch.map(Func::Tanh, y);
    sketch.add("z", y, weight);
    let picture = graph_svg::svg(&sketch.graph, &Annotations::none(), &SvgOptions::default());
    assert_eq!(picture.matches("shared (tied)").count(), 2, "{picture}");
}

/// Deep and long graphs, as no spec has them.
#[test]
fn large_graphs_are_written_and_drawn() {
    let mut sketch = Sketch::new("large");
    let mut x = sketch.data("x", false, &[wide()]);
    for _ in 0..90 {
        sketch.enter("f");
        x = sketch.norm(x);
    }
    for at in 0..3000 {
        let y = sketch.map(Func::Relu, x);
        x = if at % 2 == 0 { sketch.add("x", x, y) } else { y };
    }
    let graph = sketch.graph;
    assert!(pictures(&graph).iter().all(|picture| is_well_formed(picture)));
    assert!(graph_text::text(&graph, &Annotations::none()).lines().count() > 4500);
    assert!(graph_dot::dot(&graph, &Annotations::none()).ends_with("}\n"));
    assert!(graph_json::json(&graph, &Annotations::none()).is_object());
}
