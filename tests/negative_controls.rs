//! Negative controls by experiment: a network is trained under a parameterization with one rule broken, and held against the predictions of
//! the right one. The check must fail, and its first wrong finding must be at the parameter or tensor whose rule was broken. With every rule
//! right, nothing is found: that is checked on the same networks, sizes and seeds.

mod common;

use common::analyzed::spec;
use mupc::check::compare::compare;
use mupc::check::record::{Finding, Quantity, Record, Verdict};
use mupc::check::request::Request;
use mupc::check::runs::{Course, run_all};
use mupc::check::setting::Base;
use mupc::loader::NoFiles;
use mupc::network::{Network, Question, compile_with_lengths};
use mupc::numeric::data::{Source, lengths};
use mupc::numeric::train::Routine;
use mupc::parameterization::{Parameterization, Scheme};
use mupc::{Named, Optimizer};

/// A network that is trained, and at which sizes.
struct Trial {
    text: String,
    source: Source,
    right: Named,
    optimizer: Optimizer,
    symbol: &'static str,
    values: Vec<i64>,
    set: Vec<(String, i64)>,
}

impl Trial {
    fn new(text: String, source: Source, optimizer: Optimizer) -> Trial {
        let values = vec![64, 128, 256, 512];
        Trial { text, source, right: Named::Mup, optimizer, symbol: "n", values, set: Vec::new() }
    }

    /// With a parameterization called `broken` at the end.
    fn network(&self, rules: &str) -> Network {
        let base = self.right.name();
        let text = format!("{}\nparameterization broken from {base} {{\n{rules}\n}}\n", self.text);
        let compile = |set: &[(String, i64)]| {
            compile_with_lengths("control", &text, &mut NoFiles, &[], set)
                .unwrap_or_else(|error| panic!("{error}"))
        };
        let first = compile(&self.set);
        let own = lengths(&self.source, &first.graph);
        compile(&own.into_iter().chain(self.set.iter().cloned()).collect::<Vec<_>>())
    }

    fn question(&self) -> Question {
        Question::new(self.right, self.optimizer)
    }

    fn request(&self, network: &Network) -> Request {
        let graph = &network.graph;
        let learning_rate = if self.optimizer == Optimizer::Sgd { 0.125 } else { 0.5_f64.powi(10) };
        Request {
            question: self.question(),
            symbol: graph.scales.iter().position(|scale| scale.name == self.symbol).unwrap(),
            values: self.values.clone(),
            base: graph.scales.iter().map(|scale| scale.base).collect(),
            batch: 16,
            chosen: Base { learning_rate, output_multiplier: 0.25, ..Base::default() },
            source: self.source.clone(),
            course: Course {
                seeds: vec![0, 1, 2],
                steps: vec![0, 1, 3],
                routine: Routine::default(),
                memory: 1 << 30,
                threads: 2,
            },
        }
    }

    /// Trains under one parameterization and compares with the right one.
    fn record(&self, network: &Network, trained: &Parameterization) -> Record {
        let request = self.request(network);
        let right = network.parameterize(self.question()).unwrap();
        let prepared = request.prepare(network, trained).unwrap();
        let runs = run_all(&request.course, &prepared, &()).unwrap();
        let calculus = network.calculus_for(&request.question);
        compare(&calculus, &request, &prepared, &right, &runs)
    }

    /// The right parameterization survives at these sizes.
    fn holds(&self) {
        let network = self.network("");
        let right = network.parameterize(self.question()).unwrap();
        let record = self.record(&network, &right);
        assert!(!record.is_refuted(), "{}", line(record.culprit().unwrap()));
        assert!(wrong(&record).is_none(), "{}", line(wrong(&record).unwrap()));
        assert!(record.verdict.agrees > 20);
    }

    /// One broken rule, in the language's own words.
    fn fails(&self, rule: &str, culprits: &[&str]) {
        let network = self.network(rule);
        let scheme = Scheme::find(&network.graph, "broken").unwrap();
        let broken = network.parameterize(Question::new(scheme, self.optimizer)).unwrap();
        blames(&self.record(&network, &broken), rule, culprits);
    }

    /// Branches that are added as they are.
    fn fails_without_branch_multipliers(&self, culprits: &[&str]) {
        let network = self.network("");
        let own = network.parameterize(self.question()).unwrap();
        let mut abc = own.abc.as_ref().clone();
        assert!(!abc.branches.is_empty());
        abc.branches.clear();
        let broken = Parameterization { abc: abc.into(), ..own };
        blames(&self.record(&network, &broken), "no branch multipliers", culprits);
    }

    /// The rates, multipliers and initializations that are right for another optimizer.
    fn fails_with_table_of(&self, other: Optimizer, culprits: &[&str]) {
        let network = self.network("");
        let own = network.parameterize(self.question()).unwrap();
        let other = network.parameterize(Question::new(self.right, other)).unwrap();
        let broken = Parameterization { abc: other.abc.clone(), ..own };
        blames(&self.record(&network, &broken), "the other optimizer's table", culprits);
    }
}

/// The first finding that is above its prediction, or below it where a parameter's own size, its movement and what that movement does are
/// never mere bounds.
fn wrong(record: &Record) -> Option<&Finding> {
    let attained = |quantity| {
        matches!(quantity, Quantity::Entries | Quantity::EntryChange | Quantity::Update | Quantity::Epsilon)
    };
    let wrong = |finding: &&Finding| match finding.verdict {
        Verdict::Above => true,
        Verdict::Below => attained(finding.quantity),
        Verdict::Agrees | Verdict::Unmeasured => false,
    };
    record.findings.iter().filter(wrong).min_by_key(|finding| finding.causal_order())
}

fn blames(record: &Record, rule: &str, culprits: &[&str]) {
    let first = wrong(record).unwrap_or_else(|| panic!("`{rule}` goes unnoticed"));
    assert!(culprits.contains(&first.subject.as_str()), "`{rule}`: {}", line(first));
}

fn line(finding: &Finding) -> String {
    let fit = finding.fit.as_ref().map(|fit| (fit.low, fit.exponent, fit.high));
    let Finding { subject, quantity, step, predicted, verdict, .. } = finding;
    format!("{subject}: {} after {step}: {predicted:?}, {fit:?}, {}", quantity.name(), verdict.name())
}

fn mlp(optimizer: Optimizer) -> Trial {
    let text = std::fs::read_to_string("specs/mlp.mup").unwrap();
    Trial::new(text, Source::Digits, optimizer)
}

fn tied() -> Trial {
    Trial::new(spec("tied-embedding"), Source::Synthetic { seed: 1 }, Optimizer::Adam)
}

/// Attention whose heads grow. What `first` receives through the scores falls like n^(-3/2), what it receives through the values like n^-1; from 64
/// on the mixture still looks too steep, so these widths begin at 128.
fn attention() -> Trial {
    let trial = Trial::new(spec("attention-growing-head"), Source::Synthetic { seed: 1 }, Optimizer::Adam);
    Trial { values: vec![128, 256, 512, 1024], ..trial }
}

/// Residual blocks whose number grows.
fn deep() -> Trial {
    let text = std::fs::read_to_string("specs/resmlp.mup").unwrap();
    let set = vec![("n".to_string(), 64)];
    let values = vec![2, 4, 8, 16, 32];
    let trial = Trial::new(text, Source::Digits, Optimizer::Adam);
    Trial { right: Named::DepthMup, symbol: "L", values, set, ..trial }
}

#[test]
fn the_right_rules_hold() {
    mlp(Optimizer::Adam).holds();
    mlp(Optimizer::Sgd).holds();
    attention().holds();
    tied().holds();
    deep().holds();
}

#[test]
fn initializations() {
    let mlp = mlp(Optimizer::Adam);
    mlp.fails("fc1.weight: init n^(-1/2)", &["fc1.weight"]);
    mlp.fails("fc2.weight: init 1", &["fc2.weight"]);
    mlp.fails("fc2.weight: init n^-1", &["fc2.weight"]);
    mlp.fails("readout.weight: init n^(-1/2)", &["readout.weight"]);
    mlp.fails("readout.weight: init 1", &["readout.weight"]);
}

#[test]
fn learning_rates_of_adam() {
    let mlp = mlp(Optimizer::Adam);
    mlp.fails("fc1.weight: lr n^-1", &["fc1.weight"]);
    mlp.fails("fc1.bias: lr n^(1/2)", &["fc1.bias"]);
    mlp.fails("fc1.bias: lr n^-1", &["fc1.bias"]);
    mlp.fails("fc2.weight: lr 1", &["fc2.weight"]);
    mlp.fails("fc2.weight: lr n^(-1/2)", &["fc2.weight"]);
    mlp.fails("readout.weight: lr 1", &["readout.weight"]);
    tied().fails("table: lr n^-1", &["table"]);
    attention().fails("query: lr 1", &["query"]);
}

#[test]
fn learning_rates_of_gradient_descent() {
    let mlp = mlp(Optimizer::Sgd);
    mlp.fails("fc1.weight: lr 1", &["fc1.weight"]);
    mlp.fails("fc2.weight: lr n^-1", &["fc2.weight"]);
    mlp.fails("readout.weight: lr 1", &["readout.weight"]);
}

#[test]
fn multipliers() {
    attention().fails("s: multiplier head^(-1/2)", &["s"]);
    tied().fails("logits: multiplier 1", &["logits"]);
    // A factor in front of a product acts forward on what it gives and backward on what it reads.
    mlp(Optimizer::Adam).fails("readout.y: multiplier n", &["readout.y", "x'2"]);
    mlp(Optimizer::Adam).fails("fc2.weight: multiplier n^(1/2)", &["fc2.weight", "fc2%9"]);
}

/// Without the multiplier of its branches a residual stream grows with depth.
#[test]
fn residual_multiplier() {
    deep().fails_without_branch_multipliers(&["block.x", "block.x'2", "x"]);
}

#[test]
fn eps() {
    mlp(Optimizer::Adam).fails("fc2.weight: eps 1", &["fc2.weight"]);
    mlp(Optimizer::Adam).fails("fc1.bias: eps 1", &["fc1.bias"]);
}

#[test]
fn tables_of_other_optimizers() {
    mlp(Optimizer::Sgd).fails_with_table_of(Optimizer::Adam, &["fc1.weight"]);
    mlp(Optimizer::Adam).fails_with_table_of(Optimizer::Sgd, &["fc1.weight"]);
}
