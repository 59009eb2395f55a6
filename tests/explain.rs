//! Explanations can be checked with pencil and paper: every product is the product of its factors, every result the largest of its
//! terms, and every size that a step uses was found before.

use std::collections::HashSet;

use mupc::explain::{Explanation, Section, Step};
use mupc::{Named, Network, Optimizer};

fn network(path: &str) -> Network {
    mupc::compile(&std::fs::read_to_string(path).unwrap()).unwrap_or_else(|errors| panic!("{path}\n{errors}"))
}

/// Powers of the symbols as written: `n^-1/2 L`, `1`; none for zero and beyond.
fn powers(size: &str) -> Option<Vec<(String, f64)>> {
    if size == "0" || size == "unbounded" {
        return None;
    }
    let power = |factor: &str| {
        let (symbol, exponent) = factor.split_once('^').unwrap_or((factor, "1"));
        let (above, below) = exponent.split_once('/').unwrap_or((exponent, "1"));
        (symbol.to_string(), above.parse::<f64>().unwrap() / below.parse::<f64>().unwrap())
    };
    Some(size.split(' ').filter(|factor| *factor != "1").map(power).collect())
}

/// The product of sizes as written.
fn product(sizes: &[&str]) -> Option<Vec<(String, f64)>> {
    let mut total = std::collections::BTreeMap::<String, f64>::new();
    for size in sizes {
        for (symbol, exponent) in powers(size)? {
            *total.entry(symbol).or_default() += exponent;
        }
    }
    Some(total.into_iter().filter(|(_, exponent)| exponent.abs() > 1e-9).collect())
}

fn check_step(step: &Step, known: &HashSet<String>, context: &str) {
    for term in &step.terms {
        let factors: Vec<&str> = term.factors.iter().map(|(_, size)| size.as_str()).collect();
        if let (Some(left), Some(right)) = (product(&factors), product(&[&term.size])) {
            assert_eq!(left, right, "{context}: {term}");
        }
    }
    let Some(largest) = step.terms.iter().find(|term| term.largest) else { return };
    assert_eq!(product(&[&largest.size]), product(&[&step.size]), "{context}: {step}");
    let tensor = |name: &str| name.starts_with('|') || name.starts_with("D(") || name.starts_with("G");
    let premises = largest.factors.iter().filter(|(name, _)| tensor(name));
    for (name, size) in premises {
        let changed = format!("D({})", name.trim_matches('|'));
        let found = known.contains(&format!("{name} {size}")) || known.contains(&format!("{changed} {size}"));
        assert!(found, "{context}: {name} = {size} is used before it is found\n{step}");
    }
}

fn check_section(section: &Section, context: &str) {
    let mut known = HashSet::new();
    for step in &section.steps {
        let context = format!("{context}, {}", section.title);
        check_step(step, &known, &context);
        let passed = step.through.iter().chain([&step.quantity]);
        known.extend(passed.map(|quantity| format!("{quantity} {}", step.size)));
    }
}

fn check(explanation: &Explanation) -> usize {
    explanation.sections.iter().for_each(|section| check_section(section, &explanation.title));
    explanation.sections.iter().map(|section| section.steps.len()).sum()
}

#[test]
fn every_explanation_of_every_spec_adds_up() {
    let mut steps = 0;
    for folder in ["specs", "tests/specs"] {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.extension().is_none_or(|extension| extension != "mup") {
                continue;
            }
            let network = network(&entry.to_string_lossy());
            let calculus = network.calculus();
            for (named, optimizer) in [(Named::Mup, Optimizer::Sgd), (Named::Ntk, Optimizer::Adam)] {
                let Ok(found) = network.parameterize((named, optimizer)) else {
                    let narrow = ["mixtral-8x7b.mup", "deepseek-mla.mup", "mamba-130m.mup"]
                        .iter()
                        .any(|name| entry.ends_with(name));
                    assert!(narrow && named == Named::Ntk, "{}", entry.display());
                    continue;
                };
                for param in &network.graph.params {
                    steps += check(&mupc::explain::explain(&calculus, &found, &param.path).unwrap());
                }
            }
        }
    }
    assert!(steps > 2000, "{steps} steps");
}

#[test]
fn tensors_are_explained_too() {
    let network = network("specs/gpt2.mup");
    let explanation = network.explain(Named::Mup, Optimizer::Adam, "h.attn.s").unwrap();
    assert!(check(&explanation) > 10);
    insta::assert_snapshot!("gpt2_scores", explanation);
}

#[test]
fn a_tied_table_in_words() {
    insta::assert_snapshot!(
        "gpt2_wte",
        network("specs/gpt2.mup").explain(Named::Mup, Optimizer::Sgd, "wte").unwrap()
    );
}

#[test]
fn the_json_twin_has_the_same_steps() {
    let network = network("specs/mlp.mup");
    let explanation = network.explain(Named::Mup, Optimizer::Adam, "fc2.weight").unwrap();
    let json = explanation.to_json();
    let sections = json["sections"].as_array().unwrap();
    assert_eq!(sections.len(), explanation.sections.len());
    for (ours, twin) in explanation.sections.iter().zip(sections) {
        assert_eq!(ours.steps.len(), twin["steps"].as_array().unwrap().len());
        assert_eq!(ours.title, twin["title"].as_str().unwrap());
    }
}

#[test]
fn an_unknown_name_gets_advice() {
    let errors = network("specs/mlp.mup").explain(Named::Mup, Optimizer::Adam, "fc2.wieght").unwrap_err();
    assert!(errors.to_string().contains("did you mean `fc2.weight`?"), "{errors}");
}
