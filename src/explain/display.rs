//! Explanations as text and as JSON.

use std::fmt;

use serde_json::{Value, json};

use super::{Explanation, Section, Step, TermLine};

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for section in &self.sections {
            write!(f, "\n{section}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        for step in &self.steps {
            write!(f, "{step}")?;
        }
        self.conclusions.iter().try_for_each(|line| writeln!(f, "  => {line}"))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  {} = {}   {}", self.quantity, self.size, self.rule)?;
        match self.source {
            "" => writeln!(f)?,
            source => writeln!(f, "   [{source}]")?,
        }
        let several = self.terms.len() > 1;
        for term in self.terms.iter().filter(|term| several || term.factors.len() > 1) {
            let mark = if several && term.largest { "largest: " } else { "" };
            writeln!(f, "      {mark}{term}")?;
        }
        match self.through.as_slice() {
            [] => Ok(()),
            through => writeln!(f, "      passed on from {}", through.join(", ")),
        }
    }
}

impl fmt::Display for TermLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factors: Vec<String> = self.factors.iter().map(|(name, size)| format!("{name} {size}")).collect();
        write!(f, "{} = {}", factors.join(" * "), self.size)
    }
}

impl Explanation {
    /// The same as JSON.
    pub fn to_json(&self) -> Value {
        json!({ "title": self.title, "sections": self.sections.iter().map(section).collect::<Vec<_>>() })
    }
}

fn section(section: &Section) -> Value {
    let steps: Vec<Value> = section.steps.iter().map(step).collect();
    json!({ "title": section.title, "steps": steps, "conclusions": section.conclusions })
}

fn step(step: &Step) -> Value {
    let terms: Vec<Value> = step.terms.iter().map(term).collect();
    json!({
        "quantity": step.quantity,
        "size": step.size,
        "rule": step.rule,
        "source": step.source,
        "terms": terms,
        "through": step.through,
    })
}

fn term(term: &TermLine) -> Value {
    let factors: Vec<Value> = term.factors.iter().map(|(name, size)| json!({ "name": name, "size": size })).collect();
    json!({ "factors": factors, "size": term.size, "largest": term.largest })
}
