//! `parameterization` and `expect` blocks, as plain data: factors become powers of the scale symbols.

use crate::diagnostic::{Diagnostic, Stage};
use crate::dim::Monomial;
use crate::graph::rules::{Clause, Custom, Expectation, Factor, Rule, Said, Word};
use crate::rational::Rational;
use crate::syntax::ast::{
    self, Arg, ClauseValue, Expr, ExprKind, Ident, RulesBlock, RulesKind, Side, StmtKind, Text,
};

use super::number::is_too_fine;
use super::{Lowered, Lowering, Program};

impl<'a> Lowering<'a> {
    /// Every block of rules, those of used files first. Names in them are the spec's own.
    pub(super) fn rules(&mut self, program: &Program<'a>) {
        for unit in program.used.iter().chain([&program.main]) {
            for stmt in &unit.ast.statements {
                if let StmtKind::Rules(block) = &stmt.kind {
                    self.block_of_rules(block);
                }
            }
        }
    }

    fn block_of_rules(&mut self, block: &'a RulesBlock) {
        let rules = block.body.iter().filter_map(|stmt| match &stmt.kind {
            StmtKind::Rule(rule) => Some(self.rule(rule)),
            _ => None,
        });
        let rules = rules.collect();
        let settings = || {
            block.body.iter().filter_map(|stmt| match &stmt.kind {
                StmtKind::Setting(setting) => Some(setting),
                _ => None,
            })
        };
        let set = |key: &str| settings().rfind(|setting| setting.key.name == key);
        let worded = |key: &str| match &set(key)?.value {
            ClauseValue::Word(ident) => Some(word(ident)),
            ClauseValue::Quoted(text) => Some(quoted(text)),
            ClauseValue::Power(_) => None,
        };
        match block.kind {
            RulesKind::Expect => self.graph.expectations.push(Expectation {
                of: word(&block.title),
                with: block.other.as_ref().map(word),
                verdict: worded("verdict"),
                rules,
                braces: block.braces,
            }),
            RulesKind::Parameterization => {
                let alpha = set("alpha").and_then(|setting| match &setting.value {
                    ClauseValue::Power(expr) => self.exponent(expr).ok(),
                    ClauseValue::Word(_) | ClauseValue::Quoted(_) => None,
                });
                self.keep_parameterization(Custom {
                    name: word(&block.title),
                    base: block.other.as_ref().map(word),
                    alpha,
                    optimizer: worded("optimizer"),
                    rules,
                });
            }
        }
    }

    fn keep_parameterization(&mut self, custom: Custom) {
        let known = self.graph.parameterizations.iter().find(|known| known.name.text == custom.name.text);
        if let Some(first) = known.map(|known| known.name.span) {
            let message = format!("there are two parameterizations `{}`", custom.name.text);
            let error = Diagnostic::new(Stage::Names, message)
                .at(custom.name.span, "a second one")
                .at(first, "the first one");
            self.report(error);
            return;
        }
        self.graph.parameterizations.push(custom);
    }

    fn rule(&mut self, rule: &'a ast::Rule) -> Rule {
        let clauses = rule.clauses.iter().filter_map(|clause| {
            let (said, span) = match &clause.value {
                ClauseValue::Word(ident) => (Said::Word(ident.name.clone()), ident.span),
                ClauseValue::Quoted(text) => (Said::Word(text.value.clone()), text.span),
                ClauseValue::Power(expr) => (self.said(expr).ok()?, expr.span),
            };
            Some(Clause { key: word(&clause.key), said, span })
        });
        let clauses = clauses.collect();
        Rule { patterns: rule.patterns.iter().map(|pattern| quoted(&pattern.path)).collect(), clauses }
    }

    fn said(&mut self, expr: &'a Expr) -> Lowered<Said> {
        match &expr.kind {
            ExprKind::Number(number) if number.is_zero() => Ok(Said::Zero),
            _ => self.factor_of(expr).map(Said::Factor),
        }
    }

    /// A product of powers. What a number is does not matter, as long as it is not zero.
    fn factor_of(&mut self, expr: &'a Expr) -> Lowered<Factor> {
        let one = Factor { powers: Monomial::one(), fan_in: Rational::ZERO, fan_out: Rational::ZERO };
        match &expr.kind {
            ExprKind::Name(name) if name.name == "fan_in" => Ok(Factor { fan_in: Rational::ONE, ..one }),
            ExprKind::Name(name) if name.name == "fan_out" => Ok(Factor { fan_out: Rational::ONE, ..one }),
            ExprKind::Product(factors) => factors.iter().try_fold(one, |product, (side, factor)| {
                let power = match side {
                    Side::Times => Rational::ONE,
                    Side::Over => Rational::integer(-1),
                };
                let own = self.factor_of(factor)?;
                self.fits(product.times(&own, power), expr)
            }),
            ExprKind::Power(base, power) => {
                let (own, power) = (self.factor_of(base)?, self.exponent(power)?);
                self.fits(one.times(&own, power), expr)
            }
            ExprKind::Call(call) if call.callee.name == "sqrt" && call.args.len() == 1 => match &call.args[0]
            {
                Arg::Positional(inner) => {
                    let own = self.factor_of(inner)?;
                    self.fits(one.times(&own, Rational::HALF), expr)
                }
                Arg::Named(..) | Arg::Over(..) => Err(self.no_factor(expr)),
            },
            _ => {
                let number = self.number(expr, "a factor")?;
                if !number.coefficient.is_positive() {
                    return Err(self.no_factor(expr));
                }
                Ok(Factor { powers: number.powers, ..one })
            }
        }
    }

    fn fits(&mut self, factor: Option<Factor>, expr: &Expr) -> Lowered<Factor> {
        let Some(factor) = factor else {
            return Err(self.names_error("this exponent is too large", expr.span, "does not fit"));
        };
        let powers = factor.powers.iter().map(|(_, power)| power);
        let too_fine = powers.chain([factor.fan_in, factor.fan_out]).find(|power| is_too_fine(*power));
        too_fine.map_or(Ok(factor), |power| Err(self.too_fine(power, expr.span)))
    }

    fn no_factor(&mut self, expr: &Expr) -> super::Reported {
        let error = Diagnostic::new(Stage::Names, "a factor must be a positive power")
            .at(expr.span, "not one")
            .help("write products and quotients of symbols, dims, `fan_in`, `fan_out`, `sqrt(...)` and powers, as in `1/sqrt(fan_in)`");
        self.report(error)
    }

    /// A plain rational.
    fn exponent(&mut self, expr: &'a Expr) -> Lowered<Rational> {
        let number = self.number(expr, "an exponent")?;
        super::number::rational(&number).ok_or_else(|| {
            self.names_error("an exponent must be a plain number", expr.span, "not a plain number")
        })
    }
}

impl Factor {
    /// This times another one to a power; `None` if an exponent does not fit.
    fn times(&self, other: &Factor, power: Rational) -> Option<Factor> {
        Some(Factor {
            powers: self.powers.mul(&other.powers.pow(power)?)?,
            fan_in: self.fan_in.add(other.fan_in.mul(power)?)?,
            fan_out: self.fan_out.add(other.fan_out.mul(power)?)?,
        })
    }
}

fn word(ident: &Ident) -> Word {
    Word { text: ident.name.clone(), span: ident.span }
}

fn quoted(text: &Text) -> Word {
    Word { text: text.value.clone(), span: text.span }
}
