//! The maximal-update tables of every spec, kept as text so that a change of any exponent is seen and read.

mod common;

use std::fmt::Write;

use common::analyzed::{Analyzed, analyzed, calculus, specs};
use mupc::optimizer::Optimizer;
use mupc::parameterization::Named;

/// One line per parameter: own multiplier, initialization, learning rate, eps, decay, gradient of what it gives out, movement.
fn report(found: &Analyzed) -> String {
    let graph = found.calculus.graph();
    let mut text = String::new();
    let line = "param | role | multiplier | init | rate | eps | weight decay | movement";
    writeln!(text, "{}\n{line}", found.table.plan).unwrap();
    for (id, param) in graph.param_ids() {
        let [multiplier, init, rate] = found.row(&param.path);
        let optional =
            |power: &Option<_>| power.as_ref().map_or_else(|| "-".to_string(), |power| found.text(power));
        let [epsilon, decay] =
            [&found.table.epsilon, &found.table.weight_decay].map(|column| optional(&column[id.index()]));
        let rate = if param.frozen { "-".to_string() } else { rate };
        let (role, movement) =
            (found.calculus.shaped.role_name(id), found.judged(&param.path).movement.name());
        let path = &param.path;
        writeln!(text, "{path} | {role} | {multiplier} | {init} | {rate} | {epsilon} | {decay} | {movement}")
            .unwrap();
    }
    for (tensor, factor) in found.multipliers() {
        writeln!(text, "in front of {tensor}: {factor}").unwrap();
    }
    for output in &graph.outputs {
        let (initial, change) = (&found.sizes.initial[output.index()], &found.sizes.change[output.index()]);
        let label = found.calculus.label(*output);
        writeln!(text, "output {label}: {} and moves by {}", found.size(initial), found.size(change))
            .unwrap();
    }
    for problem in &found.class.problems {
        writeln!(text, "problem: {}", mupc::parameterization::verdict::describe(found.calculus, problem))
            .unwrap();
    }
    writeln!(
        text,
        "verdict: {}, features move by {}",
        found.class.verdict,
        found.size(&found.class.feature_change)
    )
    .unwrap();
    text
}

#[test]
fn maximal_update_tables() {
    let mut settings = insta::Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("specs/snapshots");
    for (name, text) in specs() {
        let calculus = calculus(&text);
        let both = [Optimizer::Adam, Optimizer::Sgd];
        let shown = both.map(|optimizer| report(&analyzed(&calculus, Named::Mup, optimizer)));
        settings.bind(|| insta::assert_snapshot!(name.as_str(), shown.join("\n")));
    }
}
