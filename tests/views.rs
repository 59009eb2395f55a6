//! The pictures of the published networks.

use std::path::Path;

use mupc::graph::{Graph, NodeId, Op};
use mupc::report::graph_svg::{self, SvgOptions};
use mupc::report::{Annotations, graph_dot, graph_json, graph_text};
use mupc::shape::{Role, Shaped, Site};

fn compile(name: &str) -> Graph {
    let text = std::fs::read_to_string(Path::new("specs").join(name)).unwrap();
    mupc::compile(&text).unwrap_or_else(|errors| panic!("{name}: {errors}")).graph
}

/// Calls `show` with the roles of a graph's parameters.
fn annotated<T>(graph: &Graph, show: impl FnOnce(&Annotations<'_>) -> T) -> T {
    let shaped = Shaped::new(graph);
    let site = |node: NodeId, operand| shaped.site_at(node, operand).map(Site::role).map(Role::name);
    show(&Annotations { role: &|param| Some(shaped.role_name(param)), site: &site, ..Annotations::none() })
}

#[test]
fn text_of_gpt2() {
    let graph = compile("gpt2.mup");
    insta::assert_snapshot!(annotated(&graph, |notes| graph_text::text(&graph, notes)));
}

#[test]
fn compact_picture_of_gpt2() {
    let graph = compile("gpt2.mup");
    let picture = annotated(&graph, |notes| graph_svg::compact(&graph, notes));
    for seen in ["h × L", "attn", "mlp", "query.weight", "wte (tied)", "input-like", "output-like"] {
        assert!(picture.contains(seen), "{seen}");
    }
    assert!(!picture.contains("gelu"), "a compact picture shows definitions as cards");
}

/// Uses of parameters as an operand.
fn uses(graph: &Graph) -> usize {
    let used = |id: NodeId| {
        graph.node(id).operands.iter().filter(|operand| graph.as_param(**operand).is_some()).count()
    };
    graph.ids().map(used).sum()
}

fn check(path: &Path) {
    let graph = compile(&path.file_name().unwrap().to_string_lossy());
    annotated(&graph, |notes| {
        let text = graph_text::text(&graph, notes);
        let params = text.lines().filter(|line| line.trim_start().starts_with("param ")).count();
        assert_eq!(params, graph.params.len());
        let open = text.lines().filter(|line| line.ends_with('{')).count();
        assert_eq!(open, text.lines().filter(|line| line.trim() == "}").count());

        let json = graph_json::json(&graph, notes);
        assert_eq!(json["nodes"].as_array().unwrap().len(), graph.len());
        assert_eq!(json["params"].as_array().unwrap().len(), graph.params.len());

        let dot = graph_dot::dot(&graph, notes);
        assert!(graph.ids().all(|id| dot.contains(&format!(" n{} [label=", id.index()))));

        let picture = graph_svg::svg(&graph, notes, &SvgOptions::default());
        let pills = picture.matches("rx=\"8\"").count();
        assert_eq!(pills, uses(&graph), "a pill for every use of a parameter in {}", path.display());
        let carries = graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Carry(_))).count();
        assert_eq!(picture.matches("stroke-dasharray").count(), carries);
    });
}

#[test]
fn every_spec_is_drawn_whole() {
    insta::glob!("../specs", "*.mup", check);
}
