//! `mupc graph`.

use super::args::{GraphArguments, GraphFormat};
use super::failure::{Answer, Failure};
use super::files;
use crate::graph::{Graph, NodeId, ParamId};
use crate::network::Network;
use crate::report::graph_svg::SvgOptions;
use crate::report::{Annotations, graph_dot, graph_json, graph_svg, graph_text};
use crate::shape::{Role, Shaped, Site};
use crate::size::analysis::{Sizes, analyze};

/// Shows the graph of a spec.
pub fn run(args: &GraphArguments) -> Result<Answer, Failure> {
    let network = args.rules.compile(&args.spec)?;
    let sizes = if args.sizes { Some(sizes(&network, args)?) } else { None };
    let text = drawn(&network.graph, sizes.as_ref(), args);
    match args.output.as_ref().filter(|path| !files::is_standard_input(path)) {
        None => Ok(Answer::text(text)),
        Some(path) => files::write(path, &text).map(|()| Answer::text(String::new())),
    }
}

fn sizes(network: &Network, args: &GraphArguments) -> Result<Sizes, Failure> {
    let question = args.rules.question(&network.graph)?;
    let found = network.parameterize(question.clone())?;
    Ok(analyze(&network.calculus_for(&question), found.abc, found.plan))
}

fn drawn(graph: &Graph, sizes: Option<&Sizes>, args: &GraphArguments) -> String {
    let shaped = Shaped::new(graph);
    let names = graph.symbol_names();
    let role = |param: ParamId| Some(shaped.role_name(param));
    let site = |node: NodeId, operand| shaped.site_at(node, operand).map(Site::role).map(Role::name);
    let size = |id: NodeId| sizes.map(|sizes| size(sizes, id, &names));
    let dim = |dim: &_| graph.dim_name(dim).map(str::to_string);
    let annotations = Annotations { role: &role, site: &site, size: &size, dim: &dim };
    let options = SvgOptions { sizes: args.sizes, depth: args.depth, ..SvgOptions::default() };
    match args.format {
        GraphFormat::Text => graph_text::text(graph, &annotations),
        GraphFormat::Json => format!("{:#}\n", graph_json::json(graph, &annotations)),
        GraphFormat::Dot => graph_dot::dot(graph, &annotations),
        GraphFormat::Svg if args.compact => graph_svg::compact(graph, &annotations),
        GraphFormat::Svg => graph_svg::svg(graph, &annotations, &options),
    }
}

/// A size at initialization and, if it changes, how much: `n^-1/2, moves 1`.
fn size(sizes: &Sizes, id: NodeId, names: &[String]) -> String {
    let initial = sizes.initial[id.index()].display(names).to_string();
    match &sizes.change[id.index()] {
        change if change.is_zero() => initial,
        change => format!("{initial} → {}", change.display(names)),
    }
}
