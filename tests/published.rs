//! Published tables and what published tools compute, derived from specs.

mod common;

use common::analyzed::{Analyzed, analyzed, calculus, power, published, spec};
use mupc::concrete::Target;
use mupc::dim::Monomial;
use mupc::optimizer::Optimizer;
use mupc::parameterization::global::largest_global_rate;
use mupc::parameterization::verdict::{Fault, Problem, Verdict};
use mupc::parameterization::{Form, Named, Parameterization, parameterize};
use mupc::rational::Rational;
use mupc::size::analysis::Calculus;
use mupc::size::change::{Convention, Readout};
use toml::{Table, Value};

const BOTH: [Optimizer; 2] = [Optimizer::Adam, Optimizer::Sgd];

/// [initialization, Adam's rate, SGD's rate] of TP-V Table 3, by role.
const INPUT: [&str; 3] = ["1", "1", "n"];
const HIDDEN: [&str; 3] = ["n^-1/2", "n^-1", "1"];
const OUTPUT: [&str; 3] = ["n^-1", "n^-1", "n^-1"];
const OUTPUT_BIAS: [&str; 3] = ["1", "1", "1"];

fn assert_rows(name: &str, expected: &[(&str, [&str; 3])]) {
    let calculus = calculus(&spec(name));
    let [adam, sgd] = BOTH.map(|optimizer| analyzed(&calculus, Named::Mup, optimizer));
    for (path, [init, with_adam, with_sgd]) in expected {
        assert_eq!(adam.row(path), ["1", *init, *with_adam], "{name} {path}");
        assert_eq!(sgd.row(path), ["1", *init, *with_sgd], "{name} {path}");
    }
    let covered =
        calculus.graph().params.iter().all(|param| expected.iter().any(|(path, _)| *path == param.path));
    assert!(covered, "{name}: not every parameter is checked");
}

#[test]
fn tp_v_table_3_for_a_perceptron() {
    assert_rows(
        "tp5-mlp",
        &[("w1", INPUT), ("b1", INPUT), ("w2", HIDDEN), ("b2", INPUT), ("w3", OUTPUT), ("b3", OUTPUT_BIAS)],
    );
}

#[test]
fn tp_v_table_3_for_convolutions() {
    assert_rows(
        "tp5-cnn",
        &[
            ("conv1.weight", INPUT),
            ("conv1.bias", INPUT),
            ("conv2.weight", HIDDEN),
            ("conv2.bias", INPUT),
            ("fc.weight", OUTPUT),
            ("fc.bias", OUTPUT_BIAS),
        ],
    );
}

#[test]
fn tp_v_table_3_for_a_transformer() {
    assert_rows(
        "tp5-transformer",
        &[
            ("embed.weight", INPUT),
            ("position.weight", INPUT),
            ("block.norm1.gain", INPUT),
            ("block.norm1.bias", INPUT),
            ("block.attention.query.weight", HIDDEN),
            ("block.attention.key.weight", HIDDEN),
            ("block.attention.value.weight", HIDDEN),
            ("block.attention.out.weight", HIDDEN),
            ("block.norm2.gain", INPUT),
            ("block.norm2.bias", INPUT),
            ("block.mlp.up.weight", HIDDEN),
            ("block.mlp.up.bias", INPUT),
            ("block.mlp.down.weight", HIDDEN),
            ("block.mlp.down.bias", INPUT),
            ("layer_norm.gain", INPUT),
            ("layer_norm.bias", INPUT),
            ("readout.weight", OUTPUT),
        ],
    );
    assert_multipliers("tp5-transformer", &[("block.attention.s", "n^-1")]);
}

fn assert_multipliers(name: &str, expected: &[(&str, &str)]) {
    let calculus = calculus(&spec(name));
    for optimizer in BOTH {
        let found = analyzed(&calculus, Named::Mup, optimizer).multipliers();
        let found: Vec<_> = found.iter().map(|(tensor, power)| (tensor.as_str(), power.as_str())).collect();
        assert_eq!(found, expected, "{name} {optimizer}");
    }
}

/// TP-V Definition 4.1: q k / d where the head grows with the width; nothing where only the number of heads does.
#[test]
fn attention_scores() {
    assert_multipliers("attention-growing-head", &[("s", "n^-1")]);
    assert_multipliers("attention-growing-heads", &[]);
    for name in ["attention-growing-head", "attention-growing-heads"] {
        assert_rows(
            name,
            &[
                ("first", INPUT),
                ("query", HIDDEN),
                ("key", HIDDEN),
                ("value", HIDDEN),
                ("out", HIDDEN),
                ("last", OUTPUT),
            ],
        );
    }
}

#[test]
fn a_tied_embedding() {
    assert_rows("tied-embedding", &[("table", INPUT), ("hidden.weight", HIDDEN)]);
    assert_multipliers("tied-embedding", &[("logits", "n^-1")]);
}

/// A stack of layers between two widths that grow independently.
const TWO_WIDTHS: &str = "
    scale a = 64, b = 64
    input image[20]
    target label in 5
    x = tanh(linear(image, a) as first)
    x = tanh(linear(x, a) as square)
    x = tanh(linear(x, b) as turn)
    x = tanh(linear(x, b) as upper)
    logits = readout(x, 5)
    loss cross_entropy(logits, label)";

/// The spectral condition, with b below a: init N^-1/2 min(1, (M/N)^1/2), SGD's rate M/N, Adam's 1/N; in the form with an output multiplier
/// the hidden layers stay.
#[test]
fn layers_between_unlike_widths() {
    let calculus = calculus(TWO_WIDTHS);
    for form in [Form::Native, Form::OutputMultiplier] {
        let [adam, sgd] = BOTH.map(|optimizer| {
            let native = parameterize(&calculus, Named::Mup, optimizer).unwrap();
            common::analyzed::classified(&calculus, form.apply(&calculus, &native))
        });
        for (path, init, with_adam, with_sgd) in [
            ("square.weight", "a^-1/2", "a^-1", "1"),
            ("turn.weight", "a^-1 b^1/2", "a^-1", "a^-1 b"),
            ("upper.weight", "b^-1/2", "b^-1", "1"),
        ] {
            assert_eq!(adam.row(path), ["1", init, with_adam], "{path} {form}");
            assert_eq!(sgd.row(path), ["1", init, with_sgd], "{path} {form}");
        }
        let readout = match form {
            Form::OutputMultiplier => [["b^-1", "1", "1"], ["b^-1", "1", "b"]],
            _ => [["1", "b^-1", "b^-1"], ["1", "b^-1", "b^-1"]],
        };
        assert_eq!(
            [adam.row("readout.weight"), sgd.row("readout.weight")],
            readout.map(|row| row.map(String::from))
        );
    }
}

/// A feed-forward width of its own power.
#[test]
fn a_wide_feed_forward_block() {
    let calculus = calculus(
        "scale n = 64
         input image[20]
         target label in 5
         x = linear(image, n) as first
         x += mlp(layer_norm(x), n^(3/2), gelu)
         logits = readout(x, 5)
         loss cross_entropy(logits, label)",
    );
    let [adam, sgd] = BOTH.map(|optimizer| analyzed(&calculus, Named::Mup, optimizer));
    assert_eq!(adam.row("mlp.up.weight"), ["1", "n^-1/2", "n^-1"]);
    assert_eq!(sgd.row("mlp.up.weight"), ["1", "n^-1/2", "n^1/2"]);
    assert_eq!(adam.row("mlp.down.weight"), ["1", "n^-1", "n^-3/2"]);
    assert_eq!(sgd.row("mlp.down.weight"), ["1", "n^-1", "n^-1/2"]);
    assert!(adam.class.is_maximal() && sgd.class.is_maximal());
}

fn tools() -> Table {
    include_str!("golden/tools.toml").parse().unwrap()
}

/// What a parameterization makes of a width, against its base.
struct At<'c> {
    found: Analyzed<'c>,
    target: Target,
}

impl At<'_> {
    fn new<'c>(calculus: &'c Calculus<'static>, table: Parameterization, at: &str) -> At<'c> {
        let target = Target::parse(&[at.to_string()], &calculus.graph().scales).unwrap();
        At { found: common::analyzed::classified(calculus, table), target }
    }

    fn factor(&self, power: &Monomial) -> f64 {
        self.target.factor(power)
    }

    /// Multiplier, initialization, learning rate, against the base.
    fn row(&self, path: &str) -> [f64; 3] {
        let own = self.found.scaling(path);
        [&own.multiplier, &own.init_std, &own.learning_rate].map(|power| self.factor(power))
    }

    fn decay(&self, path: &str) -> f64 {
        self.factor(self.found.table.weight_decay[self.found.id(path).index()].as_ref().unwrap())
    }
}

fn output_multiplier<'c>(calculus: &'c Calculus<'static>, optimizer: Optimizer, at: &str) -> At<'c> {
    let native = parameterize(calculus, Named::Mup, optimizer).unwrap();
    At::new(calculus, Form::OutputMultiplier.apply(calculus, &native), at)
}

const THREE_LAYERS: &str = "
    scale n = 64
    input x[20]
    target wanted[4]
    h = relu(linear(x, n) as fc_1)
    h = relu(linear(h, n) as fc_2)
    y = linear(h, 4) as fc_3
    loss mse(y, wanted)";

/// microsoft/mup at 16 times the base width: "fc_1 Adam 1, SGD 16; fc_2 Adam 1/16, weight decay 16, SGD 1; fc_3 Adam 1, SGD 16, forward 1/16".
#[test]
fn microsoft_mup() {
    let (tools, m) = (tools(), 16.0);
    let oracle = &tools["mup"].as_table().unwrap()["example"];
    assert!(oracle.as_str().unwrap().contains("m = 16"));
    let calculus = calculus(THREE_LAYERS);
    let [adam, sgd] = BOTH.map(|optimizer| output_multiplier(&calculus, optimizer, "n=1024"));
    let at = |scaled: &At, rows: [[f64; 2]; 3]| {
        for (path, [forward, rate]) in ["fc_1.weight", "fc_2.weight", "fc_3.weight"].into_iter().zip(rows) {
            assert_eq!([scaled.row(path)[0], scaled.row(path)[2]], [forward, rate], "{path}");
        }
    };
    at(&adam, [[1.0, 1.0], [1.0, 1.0 / m], [1.0 / m, 1.0]]);
    at(&sgd, [[1.0, m], [1.0, 1.0], [1.0 / m, m]]);
    assert_eq!(["fc_1.weight", "fc_2.weight", "fc_3.weight"].map(|path| adam.decay(path)), [1.0, m, 1.0]);
    // PyTorch's default entries shrink like the square root of the width, the oracle's stay: m^1/2 times larger.
    let pytorch = adam.factor(&common::analyzed::power((-1, 2)));
    assert_eq!(adam.row("fc_3.weight")[1] / pytorch, m.sqrt());
}

#[test]
fn microsoft_mup_attention() {
    assert_eq!(tools()["mup"]["attention"].as_str(), Some("1/d"));
    let calculus = calculus(&spec("attention-growing-head"));
    let scaled = output_multiplier(&calculus, Optimizer::Adam, "n=1024");
    let scores: Vec<f64> =
        scaled.found.table.abc.contractions.values().map(|power| scaled.factor(power)).collect();
    assert_eq!(scores, [1.0 / 16.0]);
}

/// microsoft/mup's SGD: hidden rates m_out / m_in, at unlike multiples of the base.
#[test]
fn microsoft_mup_between_unlike_widths() {
    assert_eq!(tools()["mup"]["sgd_hidden_lr"].as_str(), Some("m_out/m_in"));
    let calculus = calculus(TWO_WIDTHS);
    let native = parameterize(&calculus, Named::Mup, Optimizer::Sgd).unwrap();
    let table = Form::OutputMultiplier.apply(&calculus, &native);
    let target = Target::parse(&["a=1024".into(), "b=256".into()], &calculus.graph().scales).unwrap();
    let found = common::analyzed::classified(&calculus, table);
    assert_eq!(target.factor(&found.scaling("turn.weight").learning_rate), 4.0 / 16.0);
    assert_eq!(target.factor(&found.scaling("upper.weight").learning_rate), 1.0);
}

// The rows of [completep] also scale depth, which awaits the depth parameterizations.

/// Cerebras-GPT: base width 256, base rate 6e-3.
#[test]
fn cerebras_gpt() {
    let tools = tools();
    let text = spec("tp5-transformer").replace("scale n = 128", "scale n = 256");
    let calculus = calculus(&text);
    for row in tools["cerebras_gpt"].as_table().unwrap().values().map(|row| row.as_table().unwrap()) {
        let width = row["width"].as_integer().unwrap();
        let scaled = output_multiplier(&calculus, Optimizer::Adam, &format!("n={width}"));
        let hidden = 6e-3 * scaled.row("block.mlp.up.weight")[2];
        assert_close(hidden, row["hidden_lr"].as_float().unwrap());
        assert_close(scaled.row("readout.weight")[0], row["logits"].as_float().unwrap());
        assert_eq!(scaled.row("embed.weight"), [1.0, 1.0, 1.0]);
    }
}

/// Equal to the digits that are published.
fn assert_close(found: f64, published: f64) {
    assert!((found / published - 1.0).abs() < 1e-5, "{found} against {published}");
}

/// Megatron-LM#3058: from width to width the best rate of SP halves, that of muP stays (but for the last width, by the author's grid).
#[test]
fn drift_of_the_best_rate() {
    let tools = tools();
    let measured = tools["megatron_lr_optimum"].as_table().unwrap();
    let slope = |key: &str| median_slope(&floats(&measured["width"]), &floats(&measured[key]));
    let convention = Convention { readout: Readout::Independent, ..Convention::default() };
    for name in ["tp5-mlp", "attention-growing-heads"] {
        let calculus = calculus(&spec(name)).with_convention(convention);
        let sp = parameterize(&calculus, Named::Sp, Optimizer::Adam).unwrap();
        let predicted = largest_global_rate(&calculus, &sp.abc, &Optimizer::Adam.into());
        assert_eq!(predicted, Ok(power((-1, 1))), "{name}");
        assert!((slope("sp") + 1.0).abs() < 0.01);
        // The rates of muP already hold what depends on the width: a common factor beyond 1 is too large.
        assert_eq!(largest_common_factor(&calculus), Rational::ZERO, "{name}");
        assert!(slope("mup").abs() < 0.01);
    }
}

/// The largest power of the width, in eighths, that all of muP's rates can be multiplied by.
fn largest_common_factor(calculus: &Calculus<'static>) -> Rational {
    let mup = parameterize(calculus, Named::Mup, Optimizer::Adam).unwrap();
    let eighths = (-16..=16).map(|eighths| Rational::new(eighths, 8).unwrap());
    let stable = |power: &Rational| {
        let mut abc = mup.abc.as_ref().clone();
        for own in &mut abc.params {
            own.learning_rate = own.learning_rate.mul(&common::power(*power)).unwrap();
        }
        let table = Parameterization { abc: abc.into(), ..mup.clone() };
        common::analyzed::classified(calculus, table).class.is_stable()
    };
    eighths.filter(stable).max().unwrap()
}

fn floats(value: &Value) -> Vec<f64> {
    let number = |entry: &Value| entry.as_float().unwrap_or_else(|| entry.as_integer().unwrap() as f64);
    value.as_array().unwrap().iter().map(number).collect()
}

/// The median slope between neighbours, both in logarithms.
fn median_slope(x: &[f64], y: &[f64]) -> f64 {
    let mut slopes: Vec<f64> =
        x.windows(2).zip(y.windows(2)).map(|(x, y)| (y[1] / y[0]).ln() / (x[1] / x[0]).ln()).collect();
    slopes.sort_by(f64::total_cmp);
    slopes[slopes.len() / 2]
}

#[test]
fn maximal_update_learns_features_with_every_parameter() {
    assert_eq!(published().len(), 23);
    for (name, text) in published() {
        let calculus = calculus(&text);
        for optimizer in BOTH {
            let found = analyzed(&calculus, Named::Mup, optimizer);
            if (name.as_str(), optimizer) == ("lora-gpt2", Optimizer::Sgd) {
                // A saddle: with B = 0 and a code that vanishes, gradients of both factors vanish with the width.
                assert_eq!(found.class.verdict, Verdict::Trivial);
                continue;
            }
            assert_eq!(found.class.verdict, Verdict::FeatureLearning, "{name} {optimizer}");
            assert!(found.class.is_maximal(), "{name} {optimizer}: {:?}", found.class.params);
            assert!(found.class.problems.is_empty(), "{name} {optimizer}: {:?}", found.class.problems);
        }
    }
}

/// Networks whose readout is their embedding. Without muP's factor their readout, aligned with what it embedded, starts at n^1/2.
const TIED: [(&str, &str); 2] = [("bert-base", "guess"), ("gpt2", "logits")];

fn is_tied(name: &str) -> bool {
    TIED.iter().any(|(tied, _)| *tied == name) || ["lora-gpt2", "mamba-130m", "t5-small"].contains(&name)
}

/// Networks in which a map to a finite width stands in every repetition: under NTK initialization it amplifies what training aligns with it,
/// n^1/2 in every repetition, so that no learning rate is stable for any number of them.
const NARROW: [&str; 3] = ["deepseek-mla", "mamba-130m", "mixtral-8x7b"];

#[test]
fn narrow_maps_in_a_repetition_leave_the_kernel_no_rate() {
    for name in NARROW {
        let calculus = calculus(&spec(name));
        for optimizer in BOTH {
            let found = mupc::parameterization::parameterize(&calculus, Named::Ntk, optimizer);
            assert!(
                matches!(found, Err(mupc::parameterization::Failure::Unbounded(_))),
                "{name} {optimizer}"
            );
        }
    }
}

/// A readout that starts at zero aligns with nothing at the start: features may move under NTK, too.
#[test]
fn a_readout_of_zeros_lets_features_move() {
    let calculus = calculus(&spec("dit-b2"));
    let found = analyzed(&calculus, Named::Ntk, Optimizer::Adam);
    assert_eq!(found.class.verdict, Verdict::FeatureLearning);
}

#[test]
fn the_neural_tangent_parameterization_is_a_kernel() {
    let exempt = |name: &str| is_tied(name) || NARROW.contains(&name) || name == "dit-b2";
    for (name, text) in published().into_iter().filter(|(name, _)| !exempt(name)) {
        let calculus = calculus(&text);
        for optimizer in BOTH {
            let found = analyzed(&calculus, Named::Ntk, optimizer);
            assert_eq!(
                found.class.verdict,
                Verdict::Kernel,
                "{name} {optimizer}: {:?}",
                found.class.problems
            );
            assert_eq!(found.size(&found.class.feature_change), "n^-1/2", "{name} {optimizer}");
        }
    }
}

#[test]
fn the_standard_parameterization_is_unstable_with_adam() {
    for (name, text) in published().into_iter().filter(|(name, _)| !is_tied(name)) {
        let calculus = calculus(&text);
        let found = analyzed(&calculus, Named::Sp, Optimizer::Adam);
        assert_eq!(found.class.verdict, Verdict::UnstableInTraining, "{name}");
    }
}

#[test]
fn tied_readouts_start_too_large_without_their_factor() {
    for (name, logits) in TIED {
        let calculus = calculus(&spec(name));
        for named in [Named::Sp, Named::Ntk] {
            let found = analyzed(&calculus, named, Optimizer::Adam);
            assert_eq!(found.class.verdict, Verdict::UnstableAtInit, "{name} {named}");
            let at_logits = |problem: &&Problem| calculus.label(problem.node).starts_with(logits);
            let large = found.class.problems.iter().find(at_logits).unwrap();
            assert_eq!((large.fault, found.size(&large.size)), (Fault::GrowsAtInit, "n^1/2".to_string()));
        }
    }
}

/// Parameters at the base sizes, as the papers or their code count them.
#[test]
fn published_numbers_of_parameters() {
    for (name, published) in [
        ("gpt2", 124_439_808),
        ("resnet18", 11_689_512),
        ("mlp-mixer-b16", 59_880_472),
        ("mixtral-8x7b", 46_702_792_704),
        ("siamese-koch", 38_951_745),
        ("word2vec", 18_000_000),
        ("lstm-zaremba", 19_775_200),
        ("mamba-130m", 129_135_360),
        ("t5-small", 60_506_624),
        ("unet", 31_030_658),
        ("convnet", 1_369_738),
        ("bert-base", 110_106_428),
        ("vit-b16", 86_567_656),
        ("llama3-8b", 8_030_261_248),
    ] {
        let calculus = calculus(&spec(name));
        let graph = calculus.graph();
        let bases: Vec<Rational> = graph.scales.iter().map(|scale| scale.base).collect();
        let at = |dim: &mupc::dim::Dim| dim.at(&bases).unwrap();
        let times = |product: Rational, dim: &mupc::dim::Dim| product.mul(at(dim)).unwrap();
        let count = |param: &mupc::graph::Param| {
            let own = param.shape.iter().fold(Rational::ONE, times);
            let mut block = graph.block_of(param.scope);
            let mut total = own;
            while let Some(id) = block {
                if !graph.block(id).shared {
                    total = times(total, &graph.block(id).count);
                }
                block = graph.block(id).parent;
            }
            total.to_integer().unwrap()
        };
        assert_eq!(graph.params.iter().map(count).sum::<i64>(), published, "{name}");
    }
}
