//! How powers of the scale symbols are written: `n^-1/2` in text, `n^{-1/2}` in LaTeX, `{"n": "-1/2"}` in JSON.

use serde_json::{Map, Value};

use crate::dim::{Dim, Monomial};
use crate::rational::Rational;
use crate::size::Size;

/// In text: `n^-1/2`, `n^3/2 L^-1`, `1`.
pub fn text(power: &Monomial, symbols: &[String]) -> String {
    power.display(symbols).to_string()
}

/// In JSON: an object from scale symbol to power, powers of 0 left out.
pub fn json(power: &Monomial, symbols: &[String]) -> Value {
    let entry = |(symbol, exponent): (_, Rational)| (name(symbol, symbols), exponent.to_string().into());
    Value::Object(power.iter().map(entry).collect::<Map<_, _>>())
}

/// A size in JSON: powers, or the word `zero` or `unbounded`.
pub fn size_json(size: &Size, symbols: &[String]) -> Value {
    match size {
        Size::Zero => "zero".into(),
        Size::Beyond => "unbounded".into(),
        Size::Power(power) => json(power, symbols),
    }
}

/// In LaTeX: `$n^{-1/2}$`.
pub fn latex(power: &Monomial, symbols: &[String]) -> String {
    let factors: Vec<_> =
        power.iter().map(|(symbol, exponent)| raised(&name(symbol, symbols), exponent)).collect();
    format!("${}$", or_one(factors.join(r"\,")))
}

/// A length in LaTeX: `4n`, `n/64`, without dollars.
pub fn latex_dim(dim: &Dim, symbols: &[String]) -> String {
    let (mut above, mut below) = (Vec::new(), Vec::new());
    let (numerator, denominator) = (dim.coefficient.numerator(), dim.coefficient.denominator());
    above.extend((numerator != 1).then(|| numerator.to_string()));
    below.extend((denominator != 1).then(|| denominator.to_string()));
    for (symbol, exponent) in dim.powers.iter() {
        let side = if exponent.is_negative() { &mut below } else { &mut above };
        side.push(raised(&name(symbol, symbols), exponent.abs()));
    }
    let above = or_one(above.join(" "));
    match below.len() {
        0 => above,
        1 => format!("{above}/{}", below[0]),
        _ => format!("{above}/({})", below.join(" ")),
    }
}

/// Text in LaTeX with every special character escaped.
pub fn latex_escape(text: &str) -> String {
    let escape = |c: char| match c {
        '\\' => r"\textbackslash{}".to_string(),
        '{' | '}' | '$' | '&' | '#' | '%' | '_' => format!(r"\{c}"),
        '^' => r"\textasciicircum{}".to_string(),
        '~' => r"\textasciitilde{}".to_string(),
        c if c.is_control() => " ".to_string(),
        c => c.to_string(),
    };
    text.chars().map(escape).collect()
}

fn or_one(text: String) -> String {
    if text.is_empty() { "1".to_string() } else { text }
}

fn raised(name: &str, exponent: Rational) -> String {
    let name = match name.chars().count() {
        1 => name.to_string(),
        _ => format!(r"\mathit{{{}}}", latex_escape(name)),
    };
    if exponent == Rational::ONE { name } else { format!("{name}^{{{exponent}}}") }
}

fn name(symbol: crate::dim::Symbol, symbols: &[String]) -> String {
    symbols.get(usize::from(symbol.0)).map_or("?", String::as_str).to_string()
}

/// A factor between two widths with four digits: `0.1875`, `5.333`, `1.2e-7`.
pub fn factor(value: f64) -> String {
    let digits = value.abs().log10().floor();
    if value == 0.0 || !value.is_finite() || !(-4.0..6.0).contains(&digits) {
        return format!("{value:.3e}");
    }
    let places = (3.0 - digits).clamp(0.0, 8.0) as usize;
    let fixed = format!("{value:.places$}");
    match fixed.contains('.') {
        true => fixed.trim_end_matches('0').trim_end_matches('.').to_string(),
        false => fixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::Symbol;

    fn symbols() -> Vec<String> {
        ["n", "L", "heads_2"].map(String::from).to_vec()
    }

    fn monomial(powers: &[(u16, i64, i64)]) -> Monomial {
        let power = |(symbol, p, q): &(u16, i64, i64)| {
            Monomial::power(Symbol(*symbol), Rational::new(*p, *q).unwrap())
        };
        powers.iter().map(power).fold(Monomial::one(), |product, power| product.mul(&power).unwrap())
    }

    #[test]
    fn powers_in_every_notation() {
        let power = monomial(&[(0, -1, 2), (1, 1, 1), (2, -2, 1)]);
        assert_eq!(text(&power, &symbols()), "n^-1/2 L heads_2^-2");
        assert_eq!(latex(&power, &symbols()), r"$n^{-1/2}\,L\,\mathit{heads\_2}^{-2}$");
        assert_eq!(json(&power, &symbols()), serde_json::json!({"n": "-1/2", "L": "1", "heads_2": "-2"}));
        let one = Monomial::one();
        assert_eq!(
            (text(&one, &[]), latex(&one, &[]), json(&one, &[]).to_string()),
            ("1".into(), "$1$".into(), "{}".into())
        );
    }

    #[test]
    fn lengths_in_latex() {
        let dim = |coefficient: (i64, i64), powers: &[(u16, i64, i64)]| {
            let coefficient = Rational::new(coefficient.0, coefficient.1).unwrap();
            latex_dim(&Dim { coefficient, powers: monomial(powers) }, &symbols())
        };
        assert_eq!(dim((4, 1), &[(0, 1, 1)]), "4 n");
        assert_eq!(dim((7, 2), &[(0, 3, 2)]), "7 n^{3/2}/2");
        assert_eq!(dim((1, 64), &[(0, 1, 1), (1, -1, 1)]), "n/(64 L)");
        assert_eq!(dim((50257, 1), &[]), "50257");
    }

    #[test]
    fn factors_have_four_digits() {
        let cases =
            [(0.1875, "0.1875"), (16.0 / 3.0, "5.333"), (1.0, "1"), (0.99999, "1"), (123456.0, "123456")];
        for (value, wanted) in
            cases.into_iter().chain([(2e6, "2.000e6"), (1.5e-7, "1.500e-7"), (0.00012, "0.00012")])
        {
            assert_eq!(factor(value), wanted);
        }
        assert_eq!(factor(f64::INFINITY), "inf");
    }
}
