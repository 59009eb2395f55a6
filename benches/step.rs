//! One training step, forward, backward and Adam, as a share of what the machine allows: the flops of its matrix products at the machine's own rate
//! of matrix products, plus 28 bytes per parameter (Adam reads and writes weight and two moments, and reads the gradient) at its own copy bandwidth. The bandwidth
//! is measured before, the rate by turns with the step, everything on one thread.
//!
//! `cargo bench --bench step [-- mlp|gpt2|kinds|depth|batch]`

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mupc::check::setting::{Base, setting};
use mupc::loader::NoFiles;
use mupc::network::{Network, compile_with_lengths};
use mupc::numeric::build::{Purpose, build};
use mupc::numeric::data::{Column, Source, bind};
use mupc::numeric::matrix::{Layout, multiply};
use mupc::numeric::pages::HugePages;
use mupc::numeric::program::{Kernel, Program};
use mupc::numeric::train::{Routine, Trainer};
use mupc::optimizer::Optimizer;
use mupc::parameterization::Named;
use mupc::rational::Rational;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

/// Bytes that Adam moves per parameter.
const ADAM: f64 = 28.0;
/// How long one measurement may take.
const PATIENCE: Duration = Duration::from_millis(1000);
/// How long a piece of work is repeated before it is another one's turn.
const TURN: Duration = Duration::from_millis(25);

/// What the machine can do on one thread.
#[derive(Clone, Copy)]
struct Roof {
    /// Flops per second of matrix products.
    flops: f64,
    /// Bytes per second, read and written.
    bytes: f64,
}

/// The side of the matrices of the roof.
const SIDE: usize = 1024;
/// The numbers that are copied.
const COPIED: usize = 16 << 20;

/// What the roof is measured with.
struct Gauge {
    left: Vec<f32>,
    right: Vec<f32>,
    product: Vec<f32>,
    /// Bytes per second of copies that follow each other at once: later ones find some of the data in a cache.
    bytes: f64,
}

impl Gauge {
    fn new() -> Gauge {
        let square = |entry: f32| vec![entry; SIDE * SIDE];
        let (from, mut to) = (vec![1.0_f32; COPIED], vec![0.0_f32; COPIED]);
        let copy = shortest(PATIENCE, || {
            to.copy_from_slice(black_box(&from));
            black_box(&to);
        });
        let bytes = 2.0 * 4.0 * COPIED as f64 / copy;
        Gauge { left: square(1.0), right: square(0.5), product: square(0.0), bytes }
    }

    fn multiply(&mut self) {
        let layout = Layout { offset: 0, row: SIDE, column: 1 };
        let (left, right) = ((&self.left[..], layout), (&self.right[..], layout));
        multiply((SIDE, SIDE, SIDE), (&mut self.product, layout), left, right, 1.0, false);
        black_box(&self.product);
    }

    /// The roof, and the shortest times of some work, in seconds: by turns with products, so that both see the same machine.
    fn beside<const N: usize>(&mut self, work: &mut dyn FnMut(usize)) -> (Roof, [f64; N]) {
        let (started, mut rounds) = (Instant::now(), 0);
        let (mut product, mut own) = (f64::INFINITY, [f64::INFINITY; N]);
        while rounds < 3 || started.elapsed() < PATIENCE {
            product = product.min(shortest(TURN, || self.multiply()));
            for (which, best) in own.iter_mut().enumerate() {
                *best = best.min(shortest(TURN, || work(which)));
            }
            rounds += 1;
        }
        (Roof { flops: 2.0 * (SIDE as f64).powi(3) / product, bytes: self.bytes }, own)
    }
}

impl Roof {
    /// Seconds of matrix products and of the optimizer.
    fn bound(self, program: &Program) -> [f64; 2] {
        let flops = 2.0 * program.multiplications() as f64;
        [flops / self.flops, ADAM * program.weight_count() as f64 / self.bytes]
    }
}

/// The shortest time, in seconds, of what is done again and again for a while.
fn shortest(patience: Duration, mut work: impl FnMut()) -> f64 {
    let (started, mut best) = (Instant::now(), f64::INFINITY);
    while best.is_infinite() || started.elapsed() < patience {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    best
}

fn spec(name: &str, lengths: &[(&str, i64)]) -> Network {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs").join(name);
    let text = std::fs::read_to_string(path).unwrap();
    let lengths: Vec<(String, i64)> =
        lengths.iter().map(|(name, length)| (name.to_string(), *length)).collect();
    compile_with_lengths(name, &text, &mut NoFiles, &[], &lengths).unwrap()
}

/// A network in training, with its batch.
struct Case {
    trainer: Trainer<f32>,
    batch: Vec<Column>,
}

impl Case {
    fn new(network: &Network, values: &[i64], batch: usize) -> Case {
        let graph = &network.graph;
        let calculus = network.calculus();
        let found = network.parameterize((Named::Mup, Optimizer::Adam)).unwrap();
        let values: Vec<Rational> = values.iter().map(|value| Rational::integer(*value)).collect();
        let numbers =
            setting(&calculus, &found, &values, &values, &Base { learning_rate: 1e-4, ..Base::default() });
        let program = build(graph, &values, batch, &numbers, Purpose::Training).unwrap();
        let bound = bind(&Source::Synthetic { seed: 1 }, graph, &values).unwrap();
        let batch = bound.batch(&(0..batch).collect::<Vec<_>>());
        let trainer = Trainer::new(Arc::new(program), &numbers, Routine::default(), 0);
        Case { trainer, batch }
    }

    fn line(&mut self, label: &str, gauge: &mut Gauge) {
        let program = Arc::clone(&self.trainer.machine.program);
        let (roof, [step, evaluate]) = gauge.beside(&mut |which| match which {
            0 => drop(black_box(self.trainer.step(&self.batch))),
            _ => drop(black_box(self.trainer.evaluate())),
        });
        let [products, traffic] = roof.bound(&program);
        let bytes = 4.0 * (program.numbers() + 2 * program.weight_count()) as f64;
        println!(
            "{label:<28}{:>10}{:>10.3}{:>10.3}{:>10.3}{:>10.3}{:>8.0} %{:>10.1}{:>10.1}",
            program.weight_count(),
            1e3 * step,
            1e3 * (step - evaluate),
            1e3 * products,
            1e3 * traffic,
            100.0 * (products + traffic) / step,
            bytes / 1e6,
            roof.flops / 1e9
        );
    }
}

impl Case {
    /// Where a step without its optimizer spends its time, by kind of instruction.
    fn kinds(&mut self) {
        let trainer = &mut self.trainer;
        let passes = [
            shortest(PATIENCE, || {
                black_box(trainer.machine.forward());
            }),
            shortest(PATIENCE, || trainer.machine.backward()),
        ];
        println!(
            "    a whole pass {:.3} ms forward, {:.3} ms backward; of it:",
            1e3 * passes[0],
            1e3 * passes[1]
        );
        let [forward, backward] = self.passes();
        let program = Arc::clone(&self.trainer.machine.program);
        let mut spent: BTreeMap<&str, (usize, f64, f64)> = BTreeMap::new();
        for (at, instruction) in program.instructions.iter().enumerate().filter(|(_, own)| !own.once) {
            let own = spent.entry(kind(&instruction.kernel)).or_default();
            *own = (own.0 + 1, own.1 + forward[at], own.2 + backward[at]);
        }
        for (kind, (count, forward, backward)) in spent {
            println!(
                "    {kind:<24}{count:>4} instructions{:>10.3} ms forward{:>10.3} ms backward",
                1e3 * forward,
                1e3 * backward
            );
        }
    }

    /// Seconds of every instruction forward and backward: from when a pass reaches it to when it reaches the next, at best.
    fn passes(&mut self) -> [Vec<f64>; 2] {
        let program = Arc::clone(&self.trainer.machine.program);
        let mut best = [0, 1].map(|_| vec![f64::INFINITY; program.instructions.len()]);
        let seed = vec![1e-3; program.lengths[program.loss.slot]];
        for _ in 0..20 {
            let mut clock = Clock { best: &mut best[0], last: None };
            self.trainer.machine.forward_with(&mut |at| clock.reach(Some(at)));
            clock.reach(None);
            let mut clock = Clock { best: &mut best[1], last: None };
            self.trainer.machine.backward_from(&seed, &mut |reached| clock.reach(Some(reached.at)));
            clock.reach(None);
        }
        best.map(|own| {
            own.into_iter().map(|seconds| if seconds.is_finite() { seconds } else { 0.0 }).collect()
        })
    }
}

/// How long every instruction of a pass takes, at best.
struct Clock<'a> {
    best: &'a mut [f64],
    last: Option<(usize, Instant)>,
}

impl Clock<'_> {
    /// The pass is at another instruction, or at its end.
    fn reach(&mut self, at: Option<usize>) {
        let now = Instant::now();
        if let Some((before, since)) = self.last {
            self.best[before] = self.best[before].min((now - since).as_secs_f64());
        }
        self.last = at.map(|at| (at, Instant::now()));
    }
}

fn kind(kernel: &Kernel) -> &'static str {
    match kernel {
        Kernel::Product(product) if product.forward.is_matrices() => "matrix products",
        Kernel::Product(_) => "other products",
        Kernel::Linear(_) => "sums, rearrangements",
        Kernel::Chain(_) | Kernel::Activation(_) => "elementwise chains",
        Kernel::Rows(..) | Kernel::Normalized(_) => "softmax, normalizations",
        Kernel::Lookup(_) => "lookups",
        Kernel::Largest(_) => "largest entries",
        Kernel::Dropout(..) => "dropout",
    }
}

const PERCEPTRON: [(&str, i64); 1] = [("pixels", 64)];
const TRANSFORMER: [(&str, i64); 4] = [("head", 32), ("seq", 64), ("vocab", 96), ("L", 2)];

fn main() {
    let only = std::env::args().skip(1).find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| only.as_ref().is_none_or(|only| only == name);
    let gauge = &mut Gauge::new();
    println!("copies {:.1} GB/s, one thread", gauge.bytes / 1e9);
    println!(
        "{:<28}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "network", "params", "step ms", "Adam ms", "products", "traffic", "share", "MB", "Gflop/s"
    );
    if wanted("mlp") {
        let network = spec("mlp.mup", &PERCEPTRON);
        for batch in [64, 256] {
            for n in [64, 128, 256, 512, 1024, 2048] {
                Case::new(&network, &[n], batch).line(&format!("mlp n = {n}, batch {batch}"), gauge);
            }
        }
    }
    if wanted("gpt2") {
        let network = spec("gpt2.mup", &TRANSFORMER);
        for batch in [4, 16] {
            for n in [64, 128, 256, 512, 1024] {
                Case::new(&network, &[n, 2], batch).line(&format!("gpt2 n = {n}, batch {batch}"), gauge);
            }
        }
    }
    if wanted("kinds") {
        for n in [256, 512] {
            println!("passes of gpt2, n = {n}, batch 16:");
            Case::new(&spec("gpt2.mup", &TRANSFORMER), &[n, 2], 16).kinds();
        }
        println!("passes of mlp, n = 512, batch 64:");
        Case::new(&spec("mlp.mup", &PERCEPTRON), &[512], 64).kinds();
    }
    if wanted("depth") {
        for depth in [2, 4, 8, 16] {
            let network = spec("resmlp.mup", &[]);
            Case::new(&network, &[256, depth], 64).line(&format!("resmlp L = {depth}, n = 256"), gauge);
        }
    }
    if wanted("batch") {
        let network = spec("mlp.mup", &PERCEPTRON);
        for batch in [16, 32, 64, 128, 256, 512] {
            Case::new(&network, &[512], batch).line(&format!("mlp batch {batch}, n = 512"), gauge);
        }
        let network = spec("gpt2.mup", &TRANSFORMER);
        for batch in [1, 2, 4, 8, 16, 32] {
            Case::new(&network, &[256, 2], batch).line(&format!("gpt2 batch {batch}, n = 256"), gauge);
        }
    }
}
