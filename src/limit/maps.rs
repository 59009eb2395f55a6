//! The maps that a layer h' = W phi(h) + b makes of variances and correlations, with W ~ N(0, sigma_w^2 / N) and b ~ N(0, sigma_b^2).
//!
//! With u, v jointly Gaussian, of variance q and correlation c (Poole, Lahiri, Raghu, Sohl-Dickstein & Ganguli 2016, arXiv 1606.05340; Schoenholz,
//! Gilmer, Ganguli & Sohl-Dickstein 2017, arXiv 1611.01232):
//!
//! ```text
//! q' = sigma_w^2 E[phi(u)^2] + sigma_b^2
//! c' = (sigma_w^2 E[phi(u) phi(v)] + sigma_b^2) / q*      at the fixed point q* of the first
//! chi_1 = sigma_w^2 E[phi'(u)^2]                          the slope of the second at c = 1, and what a layer does to squared gradients
//! ```
//!
//! chi_1 < 1: all inputs become one (ordered); chi_1 > 1: near inputs part (chaotic); the edge between them is chi_1 = 1. Correlations go to their fixed point as
//! exp(-l / xi_c) and variances as exp(-l / xi_q), with xi = -1 / ln(slope of the map at its fixed point).

use std::sync::{Arc, OnceLock};

use crate::graph::Func;
use crate::kernel::dual::{dual, is_closed};
use crate::kernel::quadrature::Rule;
use crate::kernel::series::Series;
use crate::numeric::function::{slope, value};

/// Above this a variance is taken to grow without end.
const INFINITE: f64 = 1e8;
/// Below this a variance is taken to vanish.
const NOTHING: f64 = 1e-12;
/// How near to one chi_1 is the edge.
const EDGE: f64 = 1e-6;
/// The variance of the inputs, where the search for a fixed point starts.
const START: f64 = 1.0;

/// A layer: what it does between two weight matrices, and how these start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// sigma_w^2: variance of what a weight gives out per unit mean square of what it reads.
    pub weight: f64,
    /// sigma_b^2: variance of biases.
    pub bias: f64,
}

/// The Gaussian integrals of one activation.
#[derive(Clone, Debug)]
pub struct Activation {
    /// Which.
    pub func: Func,
    /// Rules for variances up to 4^k, made when they are first needed.
    rules: Arc<[OnceLock<Rule>; 16]>,
}

/// E[phi^2], E[phi'^2] and dE[phi^2]/dq at one variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Squares {
    /// E[phi(u)^2]
    pub value: f64,
    /// E[phi'(u)^2]
    pub slope: f64,
    /// E[phi(u) phi'(u) u] / q: the derivative of the first by q.
    pub growth: f64,
}

/// Where variances go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Variance {
    /// To this number, which is positive.
    Fixed(f64),
    /// To zero.
    Vanishes,
    /// Beyond all bounds.
    Diverges,
}

/// What becomes of two inputs that are nearly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// They become one: chi_1 < 1.
    Ordered,
    /// chi_1 = 1.
    Edge,
    /// They part: chi_1 > 1.
    Chaotic,
}

/// What deep networks of a layer do to signals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signal {
    /// Where variances go.
    pub variance: Variance,
    /// The slope of the correlation map at c = 1, at that variance.
    pub chi: f64,
    /// The phase.
    pub phase: Phase,
    /// Where correlations of inputs that are not one go; none where the variance has no positive fixed point.
    pub correlation: Option<f64>,
    /// The number of layers over which correlations approach that; infinite at the edge.
    pub xi: Option<f64>,
    /// The number of layers over which variances approach their fixed point; none where they have no positive one.
    pub xi_variance: Option<f64>,
    /// 1 / |ln chi_1|: the number of layers over which squared gradients change by a factor e.
    pub xi_gradient: f64,
}

impl Signal {
    /// The number of layers through which a difference of inputs can be told: the correlation length, or that of gradients where there is none.
    pub fn depth(&self) -> f64 {
        self.xi.unwrap_or(self.xi_gradient)
    }
}

/// -1 / ln(slope), which is infinite for 1 and beyond.
fn length(slope: f64) -> f64 {
    let rate = -slope.abs().ln();
    if rate > 0.0 { 1.0 / rate } else { f64::INFINITY }
}

impl Activation {
    /// An elementwise function.
    pub fn new(func: Func) -> Activation {
        Activation { func, rules: Arc::new(std::array::from_fn(|_| OnceLock::new())) }
    }

    /// The rule that is good for this variance.
    fn rule(&self, q: f64) -> &Rule {
        let last = self.rules.len() - 1;
        let power = (0..last).find(|power| 4.0_f64.powi(*power as i32) >= q).unwrap_or(last);
        self.rules[power].get_or_init(|| Rule::for_function(self.func, 4.0_f64.powi(power as i32)))
    }

    /// The integrals at one variance.
    pub fn squares(&self, q: f64) -> Squares {
        let root = q.max(NOTHING * NOTHING).sqrt();
        let rule = self.rule(q);
        let mut found = Squares { value: 0.0, slope: 0.0, growth: 0.0 };
        for (z, w) in rule.nodes.iter().zip(&rule.weights) {
            let y = value(self.func, root * z);
            let s = slope(self.func, root * z, y);
            found.value += w * y * y;
            found.slope += w * s * s;
            found.growth += w * y * s * z / root;
        }
        if let Some((value, slope)) = dual(self.func, root * root, root * root, root * root) {
            (found.value, found.slope) = (value, slope);
        }
        found
    }

    /// Where variances go from that of the inputs, 1: the next fixed point in the direction in which they move.
    pub fn variance(&self, layer: Layer) -> Variance {
        let change = |q: f64| layer.weight * self.squares(q).value + layer.bias - q;
        let first = change(START);
        if first.abs() <= 1e-14 {
            return Variance::Fixed(START);
        }
        let step = if first > 0.0 { 1.25 } else { 0.8 };
        let (mut near, mut far) = (START, START * step);
        while change(far) * first > 0.0 {
            (near, far) = (far, far * step);
            if far > INFINITE {
                return Variance::Diverges;
            }
            if far < NOTHING {
                return Variance::Vanishes;
            }
        }
        for _ in 0..80 {
            let middle = 0.5 * (near + far);
            if change(middle) * first > 0.0 {
                near = middle;
            } else {
                far = middle;
            }
        }
        Variance::Fixed(0.5 * (near + far))
    }

    /// The correlation map at a fixed point of the variance: where a correlation goes in one layer, and the slope there.
    pub fn correlations(&self, layer: Layer, q: f64) -> impl Fn(f64) -> (f64, f64) {
        let series = (!is_closed(self.func)).then(|| Series::new(self.func, &[q], false));
        let func = self.func;
        move |c: f64| {
            let pair = match &series {
                Some(series) => series.pair(0, series, 0, c * q),
                None => dual(func, q, q, c * q).unwrap_or((f64::NAN, f64::NAN)),
            };
            ((layer.weight * pair.0 + layer.bias) / q, layer.weight * pair.1)
        }
    }

    /// Everything about deep networks of a layer.
    pub fn signal(&self, layer: Layer) -> Signal {
        let variance = self.variance(layer);
        let (q, positive) = match variance {
            Variance::Fixed(q) => (q, true),
            Variance::Vanishes => (0.0, false),
            Variance::Diverges => (INFINITE, false),
        };
        let squares = self.squares(q);
        let chi = layer.weight * squares.slope;
        let phase = match chi {
            chi if (chi - 1.0).abs() <= EDGE => Phase::Edge,
            chi if chi < 1.0 => Phase::Ordered,
            _ => Phase::Chaotic,
        };
        let (correlation, slope) = match (positive, phase) {
            (false, _) => (None, None),
            (true, Phase::Ordered | Phase::Edge) => (Some(1.0), Some(chi)),
            (true, Phase::Chaotic) => {
                let map = self.correlations(layer, q);
                let fixed = fixed_correlation(&map);
                (Some(fixed), Some(map(fixed).1))
            }
        };
        Signal {
            variance,
            chi,
            phase,
            correlation,
            xi: slope.map(|slope| if phase == Phase::Edge { f64::INFINITY } else { length(slope) }),
            xi_variance: positive.then(|| length(layer.weight * squares.growth)),
            xi_gradient: match phase {
                Phase::Edge => f64::INFINITY,
                Phase::Ordered | Phase::Chaotic => 1.0 / chi.ln().abs(),
            },
        }
    }
}

/// The largest fixed point below 1 of a map that leaves 1 with a slope above 1.
fn fixed_correlation(map: &impl Fn(f64) -> (f64, f64)) -> f64 {
    let above = |c: f64| map(c).0 > c;
    // From 1 downwards, ever further: just below 1 the map is below the diagonal.
    let mut upper = 1.0;
    let mut distance = 1e-9;
    while distance < 2.0 && !above(1.0 - distance) {
        upper = 1.0 - distance;
        distance *= 1.5;
    }
    let mut lower = (1.0 - distance).max(-1.0);
    for _ in 0..60 {
        let middle = 0.5 * (lower + upper);
        if above(middle) { lower = middle } else { upper = middle }
    }
    0.5 * (lower + upper)
}

/// The edge of chaos of an activation, with the fixed point as parameter: where chi_1 = 1 at q, sigma_w^2 = 1 / E[phi'^2] and
/// sigma_b^2 = q - sigma_w^2 E[phi^2]. Points with a negative bias variance, or with a fixed point that variances leave, are none.
pub fn edge(activation: &Activation, points: usize, largest_bias: f64) -> Vec<(f64, Layer)> {
    let (first, last) = (NOTHING.ln(), 1e4_f64.ln());
    let at = |place: usize| (first + (last - first) * place as f64 / (points - 1) as f64).exp();
    let layer = |q: f64| {
        let squares = activation.squares(q);
        let weight = 1.0 / squares.slope;
        let bias = q - weight * squares.value;
        // What is left of a difference of equal numbers is rounding.
        let bias = if bias.abs() <= 1e-12 * q.max(NOTHING) { 0.0 } else { bias };
        let stable = weight * squares.growth <= 1.0 + 1e-9;
        (stable && bias >= 0.0 && bias <= largest_bias).then_some((q, Layer { weight, bias }))
    };
    (0..points).filter_map(|place| layer(at(place))).collect()
}

/// The weight variance of the edge at one bias variance, with its fixed point: between neighbours of the traced edge, by bisection.
pub fn edge_at(activation: &Activation, bias: f64) -> Option<(f64, Layer)> {
    let trace = edge(activation, 400, f64::INFINITY);
    let of = |q: f64| {
        let squares = activation.squares(q);
        (1.0 / squares.slope, q - squares.value / squares.slope)
    };
    if let Some((q, layer)) = trace.iter().find(|(_, layer)| (layer.bias - bias).abs() <= 1e-11) {
        return Some((*q, Layer { weight: layer.weight, bias }));
    }
    let pair = trace.windows(2).find(|pair| (pair[0].1.bias - bias) * (pair[1].1.bias - bias) < 0.0)?;
    let (mut low, mut high) = (pair[0].0, pair[1].0);
    let rising = pair[0].1.bias < bias;
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if (of(middle).1 < bias) == rising { low = middle } else { high = middle }
    }
    Some((low, Layer { weight: of(low).0, bias }))
}
