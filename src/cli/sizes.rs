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
        .ok_or(format!("`{text}` is not a rate such as 0.01 or 2^-7"))
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
    let symbol = graph.scales.iter().position(|scale| scale.name == name.trim()).ok_or_else(|| {
        let names = graph.scales.iter().map(|scale| scale.name.as_str());
        Failure::Other(
            format!("--over: `{name}` is not a scale symbol of this network"),
            did_you_mean(name, names),
        )
    })?;
    let values = values_of(values).ok_or_else(form)?;
    Ok((symbol, values))
}

/// The first value, twice it, and so on.
fn doubled(first: i64, last: i64) -> Vec<i64> {
    std::iter::successors(Some(first), |value| value.checked_mul(2))
        .take_while(|value| *value <= last)
        .collect()
}

/// `64..1024` doubled, or a list.
fn values_of(text: &str) -> Option<Vec<i64>> {
    let mut values: Vec<i64> = match text.split_once("..") {
        Some((first, last)) => {
            let (first, last): (i64, i64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
            if first <= 0 {
                return None;
            }
            doubled(first, last)
        }
        None => text
            .split(',')
            .map(|value| value.trim().parse().ok().filter(|value| *value > 0))
            .collect::<Option<_>>()?,
    };
    values.sort_unstable();
    values.dedup();
    (!values.is_empty()).then_some(values)
}

/// Whether a symbol counts the repetitions of a block.
pub fn counts_repetitions(graph: &Graph, symbol: usize) -> bool {
    let symbol = crate::dim::Symbol(symbol as u16);
    graph.blocks.iter().any(|block| !block.count.powers.exponent(symbol).is_zero())
}
