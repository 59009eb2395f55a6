//! Which sizes are run: `--over`, and numbers such as `2^-7`, for every command that runs networks.

use super::failure::Failure;
use crate::diagnostic::did_you_mean;
use crate::graph::Graph;

/// `0.01` or `2^-7`.
pub fn rate(text: &str) -> Result<f64, String> {
    let value = match text.split_once('^') {
        Some((base, power)) => {
            base.parse::<f64>().ok().zip(power.parse::<f64>().ok()).map(|(base, power)| base.powf(power))
        }
        None => text.parse().ok(),
    };
    value
        .filter(|rate| rate.is_finite() && *rate > 0.0)
        .ok_or(format!("`{text}` is not a positive number such as 0.01 or 2^-7"))
}

/// The scale symbol that grows, by place, and its values: what `--over` says, else the spec's own experiment, else 64 to 1024.
///
/// # Errors
/// If `--over` is not of its form, or names no scale symbol.
pub fn sizes(over: Option<&str>, graph: &Graph) -> Result<(usize, Vec<i64>), Failure> {
    let Some(text) = over else {
        let experiment = graph.experiment.as_ref().and_then(|own| own.over.as_ref());
        if let Some((symbol, first, last)) = experiment {
            let place = graph.scales.iter().position(|scale| scale.name == symbol.text);
            return Ok((place.unwrap_or(0), doubled(*first, *last)));
        }
        if graph.scales.is_empty() {
            return Err(Failure::new("the spec declares no scale symbol: nothing can grow"));
        }
        return Ok((0, vec![64, 128, 256, 512, 1024]));
    };
    let form = || Failure::new(format!("--over: `{text}` is not of the form `n=64..1024` or `n=64,96,128`"));
    let (name, values) = text.split_once('=').ok_or_else(form)?;
    let name = name.trim();
    let symbol = graph.scales.iter().position(|scale| scale.name == name);
    let symbol = symbol.ok_or_else(|| no_scale_symbol(name, graph))?;
    let found = values_of(values).ok_or_else(form)?;
    match found.as_slice() {
        [] => Err(Failure::new(format!(
            "--over: `{text}` holds no size; sizes are 1 or more, and the smaller one comes first"
        ))),
        [only] if values.contains("..") => Err(Failure::Other(
            format!("--over: `{text}` holds {only} only; a range doubles, and two sizes are needed"),
            Some(format!(
                "give `{name}={only}..{}`, or a list such as `{name}={only},{}`",
                only.saturating_mul(4),
                only.saturating_add(only / 2 + 1)
            )),
        )),
        _ => Ok((symbol, found)),
    }
}

fn no_scale_symbol(name: &str, graph: &Graph) -> Failure {
    let names: Vec<&str> = graph.scales.iter().map(|scale| scale.name.as_str()).collect();
    let all = || match names.is_empty() {
        true => "the spec declares none: nothing can grow".to_string(),
        false => format!("its scale symbols: {}", names.join(", ")),
    };
    let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(all);
    Failure::Other(format!("--over: `{name}` is not a scale symbol of this network"), Some(help))
}

/// The first value, twice it, and so on.
fn doubled(first: i64, last: i64) -> Vec<i64> {
    std::iter::successors(Some(first), |value| value.checked_mul(2))
        .take_while(|value| *value <= last)
        .collect()
}

/// `64..1024` doubled, or a list; nothing if a size is not positive or the range is empty.
fn values_of(text: &str) -> Option<Vec<i64>> {
    let mut values: Vec<i64> = match text.split_once("..") {
        Some((first, last)) => {
            let (first, last): (i64, i64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first > 0 { doubled(first, last) } else { Vec::new() }
        }
        None => text.split(',').map(|value| value.trim().parse().ok()).collect::<Option<_>>()?,
    };
    values.sort_unstable();
    values.dedup();
    if values.first().is_some_and(|first| *first <= 0) {
        values.clear();
    }
    Some(values)
}

/// Whether a symbol counts the repetitions of a block.
pub fn counts_repetitions(graph: &Graph, symbol: usize) -> bool {
    let symbol = crate::dim::Symbol(symbol as u16);
    graph.blocks.iter().any(|block| !block.count.powers.exponent(symbol).is_zero())
}
