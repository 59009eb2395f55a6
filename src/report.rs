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

pub use annotations::Annotations;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dump() {
        let graph = samples::residual();
        let a = samples::annotations();
        std::fs::write(
            "/tmp/res.svg",
            graph_svg::svg(&graph, &a, &graph_svg::SvgOptions { sizes: true, ..Default::default() }),
        )
        .unwrap();
        std::fs::write("/tmp/resc.svg", graph_svg::compact(&graph, &a)).unwrap();
        println!("{}", graph_text::text(&graph, &a));
        println!("{}", graph_dot::dot(&graph, &a));
        println!("{:#}", graph_json::json(&graph, &a));
    }
}
