//! Texts made to hurt: time and memory stay in proportion to the text, nothing overflows a small stack, nothing panics. Work is
//! counted in allocations, which no machine changes.

#[path = "../benches/networks/families.rs"]
mod families;

use std::rc::Rc;

use allocation_counter::AllocationInfo;
use families::FAMILIES;
use mupc::graph::walk::{MOST_WALKS, Semantics, interpret};
use mupc::graph::{Block, BlockId, Graph, NodeId};
use mupc::loader::Loader;
use mupc::optimizer::Optimizer;
use mupc::parameterization::verdict::classify;
use mupc::parameterization::{Named, ScalingTable, parameterize};
use mupc::size::analysis::{Calculus, analyze};
use mupc::{compile, compile_with};

const MEGABYTE: usize = 1 << 20;
/// Memory that every compilation may take.
const BASE: usize = 64 * MEGABYTE;

/// Derives, classifies and tabulates.
fn analyze_all(graph: &Graph) {
    let calculus = Calculus::new(graph);
    let Ok(found) = parameterize(&calculus, Named::Mup, Optimizer::Adam) else { return };
    classify(&calculus, &analyze(&calculus, Rc::clone(&found.abc), Optimizer::Adam));
    let table = ScalingTable::new(&calculus, &found);
    assert_eq!(table.parameters.len(), graph.params.len());
}

/// The number of operations, or the errors, of a text that was analyzed on a stack of 2 MB; and what that allocated.
fn run(text: &str) -> (Result<usize, String>, AllocationInfo) {
    let text = text.to_string();
    let work = move || {
        let mut outcome = Ok(0);
        let allocated = allocation_counter::measure(|| {
            outcome = compile(&text).map_err(|errors| errors.to_string()).map(|network| {
                analyze_all(&network.graph);
                network.graph.len()
            });
        });
        (outcome, allocated)
    };
    let thread = std::thread::Builder::new().stack_size(2 * MEGABYTE).spawn(work);
    thread.expect("a thread").join().expect("no panic")
}

/// What a text of this length may hold in memory at once.
fn assert_bounded(name: &str, text: &str, allocated: &AllocationInfo) {
    let (peak, bound) = (allocated.bytes_max as usize, BASE + 4_000 * text.len());
    assert!(peak < bound, "{name}: {peak} bytes for a text of {}", text.len());
    let (count, bound) = (allocated.count_total as usize, 200_000 + 500 * text.len());
    assert!(count < bound, "{name}: {count} allocations for a text of {}", text.len());
}

/// It compiles, within bounds.
fn compiles(name: &str, text: &str) -> usize {
    let (outcome, allocated) = run(text);
    assert_bounded(name, text, &allocated);
    outcome.unwrap_or_else(|errors| panic!("{name}: {}", &errors[..errors.len().min(2_000)]))
}

/// It does not, and says this.
fn refuses(name: &str, text: &str, message: &str) {
    let (outcome, allocated) = run(text);
    assert_bounded(name, text, &allocated);
    let errors = outcome.expect_err(name);
    assert!(errors.contains(message), "{name}: {}", &errors[..errors.len().min(2_000)]);
    assert!(errors.len() < MEGABYTE, "{name}: {} bytes of errors", errors.len());
}

fn network(body: &str) -> String {
    format!(
        "scale n = 64, L = 8, m = 1\ninput data[8]\ntarget y[1]\nx = linear(data, n)\n{body}\nloss mse(readout(x, 1), y)\n"
    )
}

/// A text of about so many bytes.
fn repeated(piece: &str, bytes: usize) -> String {
    piece.repeat(bytes / piece.len())
}

#[test]
fn work_and_memory_grow_with_the_network() {
    for family in FAMILIES {
        let [small, large] = [2_000, 8_000].map(|size| {
            let (outcome, allocated) = run(&family.text(size));
            let operations = outcome.unwrap_or_else(|errors| panic!("{}: {errors}", family.name)) as f64;
            (allocated.count_total as f64 / operations, allocated.bytes_max as f64 / operations)
        });
        assert!(large.0 < 1.2 * small.0, "{}: {small:?} {large:?} allocations, bytes", family.name);
        assert!(large.1 < 1.6 * small.1, "{}: {small:?} {large:?} allocations, bytes", family.name);
        assert!(large.1 < 8_000.0, "{}: {large:?} allocations, bytes", family.name);
    }
}

#[test]
fn long_expressions() {
    let size = MEGABYTE / 8;
    compiles("sum", &network(&format!("x = x{}", repeated(" + x", MEGABYTE))));
    compiles("difference", &network(&format!("x = x{}", repeated(" - x", size))));
    compiles("product", &network(&format!("x = x{}", repeated(" * x", MEGABYTE))));
    compiles("indexed sum", &network(&format!("x[i] = x[i]{}", repeated(" + x[i]", size))));
    compiles("number", &network(&format!("x = x * (1{})", repeated(" + 1", size))));
    refuses("powers", &network(&format!("x = x{}", repeated("^2", size))), "power of a power");
    refuses("minus", &network(&format!("x = {}x", repeated("- ", size))), "minus");
    refuses("calls", &network(&format!("x = {}x", repeated("relu(", size))), "nested more than");
}

#[test]
fn long_lists() {
    let size = MEGABYTE / 8;
    let params: Vec<String> = (0..MEGABYTE / 10).map(|at| format!("p{at}[n]")).collect();
    refuses("unused parameters", &network(&format!("param {}", params.join(", "))), "never used");
    let dims: Vec<String> = (0..size / 10).map(|at| format!("d{at} = {at} + 1")).collect();
    compiles("dims", &format!("dim {}\n{}", dims.join(", "), network("")));
    refuses("axes", &network(&format!("param w[n{}]", repeated(", n", size))), "axes");
    refuses("arguments", &network(&format!("x = relu(x{})", repeated(", x", size))), "relu");
    refuses("letters", &network(&format!("x[i{}] = x[i]", repeated(", i", size))), "twice");
    refuses("data", &format!("{}{}", network(""), repeated("input x[8]\n", size)), "taken");
    refuses("losses", &format!("{}{}", network(""), repeated("loss mse(x, y)\n", size)), "one loss");
}

#[test]
fn scale_symbols() {
    let symbols = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("s{at} = 1")).collect();
        let product: Vec<String> = (0..count).map(|at| format!("s{at}")).collect();
        let layers = "x = relu(linear(x, n * width))\n".repeat(200);
        format!("scale {}\ndim width = {}\n{}", names.join(", "), product.join(" * "), network(&layers))
    };
    compiles("60 symbols", &symbols(60));
    refuses("70 symbols", &symbols(70), "too many scale symbols");
}

#[test]
fn numbers() {
    compiles("exponent", &network("x = relu(linear(x, m^1000))"));
    compiles("root", &network("x = relu(linear(x, m^(1/1000)))"));
    refuses("exponent too large", &network("x = relu(linear(x, m^1001))"), "exponent");
    refuses("exponent too fine", &network("x = relu(linear(x, m^(1/1001)))"), "exponent");
    refuses("number too long", &network(&format!("x = x * 1{}", "0".repeat(MEGABYTE))), "too large");
    refuses("number too fine", &network(&format!("x = x * 0.{}1", "0".repeat(MEGABYTE))), "too");
    refuses("squares", &network(&format!("dim d0 = 2\n{}x = linear(x, d64)", squares(64))), "not fit");
    let primes = "dim a = m^(997/991) * m^(983/977) * m^(971/967) * m^(953/947)\nx = linear(x, a)";
    refuses("primes", &network(primes), "exponent");
}

fn squares(count: usize) -> String {
    (1..=count).map(|at| format!("dim d{at} = d{0} * d{0}\n", at - 1)).collect()
}

#[test]
fn repetitions() {
    let million = "repeat 1_000_000_000_000";
    assert!(compiles("count", &network(&format!("{million} {{ x = relu(linear(x, n)) }}"))) < 100);
    for body in ["x = x * x", "x = x + relu(x)", "x = 2 * x + linear(x, n)", "x = exp(x)"] {
        let (open, close) = (format!("{million} {{ ").repeat(90), "}".repeat(90));
        compiles(body, &network(&format!("{open}{body}{close}")));
    }
    refuses("depth", &network(&repeated("repeat 2 {\n", MEGABYTE)), "nested more than");
    // A register of streams: what is large moves on by one stream with every repetition.
    for count in ["L", "1_000_000"] {
        let start: String = (0..1000).map(|at| format!("s{at} = 0 * x\n")).collect();
        let moves: String = (0..999).map(|at| format!("s{at} = s{}\n", at + 1)).collect();
        let text = format!("{start}repeat {count} {{\n{moves}s999 = x\nx = linear(s0 + x, n)\n}}");
        compiles("register", &network(&text));
    }
}

/// A reading that never has enough of a block.
struct Restless(usize);

impl Semantics for Restless {
    type Value = ();
    type Error = std::convert::Infallible;

    fn apply(&mut self, _: &Graph, _: NodeId, _: &[()]) -> Result<(), Self::Error> {
        self.0 += 1;
        Ok(())
    }

    fn repeat(&mut self, _: &Graph, _: BlockId, _: &Block, _: &mut [()]) -> bool {
        true
    }

    fn settle(&mut self, _: &Graph, _: BlockId, _: &Block, _: &mut [()]) -> bool {
        true
    }
}

#[test]
fn walks_end() {
    let depth = 90;
    let (open, close) = ("repeat L { ".repeat(depth), "}".repeat(depth));
    let network = compile(&network(&format!("{open}x = relu(x){close}"))).expect("it compiles");
    let mut restless = Restless(0);
    let Ok(_) = interpret(&network.graph, &mut restless);
    let most = (MOST_WALKS + depth + 1) * network.graph.len();
    assert!(restless.0 <= most, "{} nodes walked, not {most}", restless.0);
}

#[test]
fn definitions() {
    let doubling = |from: &str| -> String {
        let step = |at: usize| format!("def f{at}(x[.., i]) {{ return f{0}(f{0}(x)) }}\n", at - 1);
        format!("def f0(x[.., i]) {{ return {from} }}\n{}", (1..90).map(step).collect::<String>())
    };
    let many = |from: &str| format!("{}{}", doubling(from), network("x = f89(x)"));
    refuses("doubling", &many("relu(x)"), "too many operations");
    refuses("doubling nothing", &many("x"), "too many operations");
    refuses(
        "circle",
        &format!("def f(x) {{ return g(x) }}\ndef g(x) {{ return f(x) }}\n{}", network("x = f(x)")),
        "calls itself",
    );
    let chain: String = (1..20_000).map(|at| format!("def f{at}(x) {{ return f{}(x) }}\n", at - 1)).collect();
    let deep = format!("def f0(x) {{ return x }}\n{chain}{}", network("x = f19999(x)"));
    refuses("deep", &deep, "too deep");
}

/// Long names on a long way down, and thousands of parameters at its end.
#[test]
fn names_and_paths() {
    refuses("name", &network(&format!("{} = x", "a".repeat(MEGABYTE))), "too long");
    let name = |at: usize| format!("{}{at}", "n".repeat(190));
    let step = |at: usize| format!("def {}(x) {{ return {}(x) }}\n", name(at), name(at - 1));
    let chain: String = (1..90).map(step).collect();
    let layers = repeated("x = linear(x, n)\n", MEGABYTE / 8).replace("x, n", "x, 64");
    let last = format!("def {}(x) {{\n{layers}return x\n}}\n", name(0));
    let text = format!("{last}{chain}input x[64]\ntarget y[1]\nloss mse(readout({}(x), 1), y)\n", name(89));
    refuses("path", &text, "path is too long");
}

#[test]
fn broken_texts() {
    for text in ["", " \n\t", "# nothing", "\0", "\u{feff}", "\"", "loss", "é", "\u{202e}x = 1"] {
        refuses(text, text, "error");
    }
    for piece in [
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "+",
        "=",
        ",",
        "\"",
        "@",
        "0",
        "a ",
        "é",
        "x = (\n",
        "def f(x) {\n",
        "x = 1 +\n",
        "repeat",
    ] {
        let (outcome, allocated) = run(&repeated(piece, MEGABYTE / 16));
        assert_bounded(piece, &repeated(piece, MEGABYTE / 16), &allocated);
        assert!(outcome.expect_err(piece).len() < MEGABYTE, "{piece}");
    }
}

/// Every file uses the next one, and the last the first; or there is no last.
struct Endless(Option<usize>);

impl Loader for Endless {
    fn load(&mut self, path: &str, _: &str) -> Result<(String, String), String> {
        let at: usize = path.parse().map_err(|_| "not a number".to_string())?;
        let next = self.0.map_or(at + 1, |count| (at + 1) % count);
        Ok((path.to_string(), format!("use \"{next}\"\n").repeat(3)))
    }
}

#[test]
fn uses() {
    for (count, message) in
        [(Some(1), "use each other"), (Some(40), "use each other"), (None, "too many files")]
    {
        let errors = compile_with("0", "use \"1\"", &mut Endless(count)).expect_err("no end").to_string();
        assert!(errors.contains(message) && errors.len() < MEGABYTE, "{errors}");
    }
}
