//! `mupc phase`.

mod arguments;

pub use arguments::{PhaseArguments, function};

use std::time::Instant;

use super::failure::{Answer, Failure, Status};
use super::files::Spec;
use super::limit::nothing_done;
use super::output;
use super::progress::Meter;
use crate::diagnostic::{Diagnostic, Diagnostics, Stage};
use crate::graph::Func;
use crate::limit::block::{NoBlock, find};
use crate::limit::maps::{Activation, Layer};
use crate::limit::phase::{cell, grid, landmarks, spaced, traced};
use crate::limit::record::Diagram;
use crate::limit::trainable::NotTrained;
use crate::network::Network;
use crate::report::{phase_svg, phase_text};
use crate::source::Span;
use crate::watch::Watch;

/// Draws the phase diagram of a spec's layer, and trains deep networks of it all over the diagram; it holds if these learn where signals get through.
pub fn run(args: &PhaseArguments) -> Result<Answer, Failure> {
    let started = Instant::now();
    let spec = Spec::read(&args.spec, &[])?;
    let network = spec.compile(&[])?;
    let func = layer(args, &network)?;
    let activation = Activation::new(func);
    let plane = args.plane()?;
    let weights = spaced(plane.weights.0, plane.weights.1, plane.cells);
    let biases = spaced(0.0, plane.largest_bias, plane.cells.div_ceil(2));
    let course = args.course(func);
    let points = args.points(&plane);
    let runs = points.len() * course.rates.len();
    output::threads(args.threads)?;
    let mut cells_seen = Meter::counting("cells", weights.len() * biases.len(), args.output.quiet);
    let cells = grid(&activation, &weights, &biases, &cells_seen);
    cells_seen.end();
    if cells.is_empty() {
        return Err(nothing_done("the diagram was drawn"));
    }
    let trained = match args.untrained {
        true => None,
        false => {
            cells_seen = Meter::counting("runs", runs, args.output.quiet);
            let found = course.train(&activation, &points, &cells_seen).map_err(|error| failed(&error))?;
            cells_seen.end();
            Some(found)
        }
    };
    let own = Layer { weight: args.weight_variance, bias: args.bias_variance };
    let record = Diagram {
        network: network.graph.name.clone(),
        command: output::command(),
        activation: func.name().to_string(),
        own: cell(&activation, own),
        edge: traced(&activation, &plane),
        landmarks: landmarks(&activation, &plane),
        biases,
        weights,
        cells,
        trained,
        complete: !cells_seen.stopped(),
        seconds: started.elapsed().as_secs_f64(),
    };
    let text = args.output.answer(
        &record,
        || phase_text::text(&record),
        || phase_svg::html(&record),
        || vec![("phase.svg".to_string(), phase_svg::svg(&record))],
    )?;
    let holds = record.trained.as_ref().is_none_or(|own| own.holds);
    Ok(Answer { status: Status::if_complete(record.complete, holds), ..Answer::text(text) })
}

/// The activation of the spec's layers, or the one that was named.
fn layer(args: &PhaseArguments, network: &Network) -> Result<Func, Failure> {
    if let Some(func) = args.activation {
        return Ok(func);
    }
    let block = find(&network.graph).map_err(|error| refused(network, &error))?;
    match block.func {
        Func::Log | Func::Sqrt | Func::Recip => Err(Failure::new(format!(
            "the layers of this spec apply {}, which has no mean square of a Gaussian",
            block.func.name()
        ))),
        Func::Sign => Err(Failure::new(
            "the layers of this spec apply sign, whose correlation map is infinitely steep at equal inputs: there is no edge of chaos to find".to_string(),
        )),
        func => Ok(func),
    }
}

fn refused(network: &Network, error: &NoBlock) -> Failure {
    shown_where(network, error.to_string(), error.help.clone(), &error.places)
}

/// Why a spec has not the structure that is needed, with the place.
pub fn shown_where(network: &Network, reason: String, help: String, places: &[Span]) -> Failure {
    let item = with_places(Diagnostic::new(Stage::Analysis, reason).help(help), places);
    Failure::from(Diagnostics { sources: network.sources.clone(), items: vec![item] })
}

/// Where a node was written and, if that is a definition, where it was called.
pub fn with_places(item: Diagnostic, places: &[Span]) -> Diagnostic {
    let labels = ["here", "called here"];
    places.iter().zip(labels).fold(item, |item, (span, label)| item.at(*span, label))
}

fn failed(error: &NotTrained) -> Failure {
    Failure::new(format!("deep networks cannot be trained: {error}"))
}
