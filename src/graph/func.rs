//! Elementwise functions and the few facts the exponent calculus needs of each.

/// An elementwise function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Func {
    /// max(x, 0)
    Relu,
    /// x, or 0.01 x below 0
    LeakyRelu,
    /// x Φ(x)
    Gelu,
    /// x / (1 + e^-x), also called swish
    Silu,
    /// x, or e^x - 1 below 0
    Elu,
    /// log(1 + e^x)
    Softplus,
    /// Hyperbolic tangent.
    Tanh,
    /// Error function.
    Erf,
    /// 1 / (1 + e^-x)
    Sigmoid,
    /// Sine.
    Sin,
    /// Cosine.
    Cos,
    /// e^x
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// x²
    Square,
    /// 1/x
    Recip,
    /// |x|
    Abs,
    /// -1, 0 or 1. Its derivative counts as zero: no gradient goes through it.
    Sign,
}

/// How a function behaves far from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// Like x to this whole or half power, told as twice the power: `Power(2)` is linear.
    Power(i64),
    /// Bounded; its derivative vanishes.
    Saturating,
    /// Bounded, and its derivative does not vanish (sine).
    Oscillating,
    /// Like log x.
    Logarithmic,
    /// Faster than any power.
    Exponential,
}

/// What the calculus knows of a function (theory of elementwise maps: TP-IV appendix, "pseudo-Lipschitz" maps).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Law {
    /// Its name in the language.
    pub name: &'static str,
    /// phi(-x) = -phi(x).
    pub odd: bool,
    /// phi(c x) = c^p phi(x) for c > 0, told as twice p.
    pub homogeneous: Option<i64>,
    /// Whether phi(0) = 0. Functions with a pole at zero say false.
    pub zero_at_zero: bool,
    /// Far from zero.
    pub growth: Growth,
}

impl Law {
    /// Whether it is constant but for a jump at zero.
    pub fn jumps(&self) -> bool {
        self.homogeneous == Some(0)
    }
}

impl Func {
    /// Every function.
    pub const ALL: [Func; 18] = [
        Func::Relu,
        Func::LeakyRelu,
        Func::Gelu,
        Func::Silu,
        Func::Elu,
        Func::Softplus,
        Func::Tanh,
        Func::Erf,
        Func::Sigmoid,
        Func::Sin,
        Func::Cos,
        Func::Exp,
        Func::Log,
        Func::Sqrt,
        Func::Square,
        Func::Recip,
        Func::Abs,
        Func::Sign,
    ];

    /// The facts.
    pub fn law(self) -> Law {
        use Growth::{Exponential, Logarithmic, Oscillating, Power, Saturating};
        let (name, odd, homogeneous, zero_at_zero, growth) = match self {
            Func::Relu => ("relu", false, Some(2), true, Power(2)),
            Func::LeakyRelu => ("leaky_relu", false, Some(2), true, Power(2)),
            Func::Gelu => ("gelu", false, None, true, Power(2)),
            Func::Silu => ("silu", false, None, true, Power(2)),
            Func::Elu => ("elu", false, None, true, Power(2)),
            Func::Softplus => ("softplus", false, None, false, Power(2)),
            Func::Tanh => ("tanh", true, None, true, Saturating),
            Func::Erf => ("erf", true, None, true, Saturating),
            Func::Sigmoid => ("sigmoid", false, None, false, Saturating),
            Func::Sin => ("sin", true, None, true, Oscillating),
            Func::Cos => ("cos", false, None, false, Oscillating),
            Func::Exp => ("exp", false, None, false, Exponential),
            Func::Log => ("log", false, None, false, Logarithmic),
            Func::Sqrt => ("sqrt", false, Some(1), true, Power(1)),
            Func::Square => ("square", false, Some(4), true, Power(4)),
            Func::Recip => ("recip", true, Some(-2), false, Power(-2)),
            Func::Abs => ("abs", false, Some(2), true, Power(2)),
            Func::Sign => ("sign", true, Some(0), true, Saturating),
        };
        Law { name, odd, homogeneous, zero_at_zero, growth }
    }

    /// Its name in the language.
    pub fn name(self) -> &'static str {
        self.law().name
    }

    /// The function of a name.
    pub fn named(name: &str) -> Option<Func> {
        let name = if name == "swish" { "silu" } else { name };
        Func::ALL.into_iter().find(|func| func.name() == name)
    }
}
