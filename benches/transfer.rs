//! The reference sweep against what the machine allows: `cargo bench --bench transfer`.
//!
//! 64-n-n-10 relu perceptrons on the digits, muP with Adam, n = 64, 128, ..., 1024, ten learning rates 2^-12 ... 2^-3, three seeds, 200 steps of 64
//! examples: 150 runs. The bound is what the machine allows, measured before and after the sweep on as many threads at once: the flops of its products at the
//! rate of large ones, plus the bytes that Adam moves at the bandwidth of copies. Beside it, what the same products and the same passes of Adam take by
//! themselves. `-- quick` does three rates instead of ten.

use std::sync::Arc;
use std::time::Instant;

use mupc::check::setting::Base;
use mupc::graph::ParamId;
use mupc::numeric::contraction::{Axes, Contraction};
use mupc::numeric::data::Source;
use mupc::numeric::matrix::{Layout, multiply};
use mupc::numeric::pages::HugePages;
use mupc::numeric::program::{MatrixAxes, Weight};
use mupc::numeric::setting::{ParamSetting, Start};
use mupc::numeric::train::Routine;
use mupc::numeric::update::{Memory, Update};
use mupc::optimizer::Decay;
use mupc::rational::Rational;
use mupc::transfer::knob::{Grid, Knob};
use mupc::transfer::prepare::Prepare;
use mupc::transfer::request::{Arm, Course, Request, Search};
use mupc::transfer::sweep::{Ending, sweep};
use mupc::{Named, Optimizer, Question};

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

const SPEC: &str = "scale n = 64
    input image[64]
    target label in 10
    x = relu(linear(image, n) as first)
    x = relu(linear(x, n) as second)
    loss cross_entropy(readout(x, 10), label)";
const WIDTHS: [i64; 5] = [64, 128, 256, 512, 1024];
const SEEDS: u64 = 3;
const STEPS: usize = 200;
const BATCH: usize = 64;

fn request(threads: usize, last: i32) -> Request {
    let arm = Arm {
        question: Question::new(Named::Mup, Optimizer::Adam),
        knob: Knob::Lr,
        grid: Grid::octaves(-12, last),
        chosen: Base::default(),
        batch: BATCH,
    };
    Request {
        arms: vec![arm],
        symbol: 0,
        values: WIDTHS.to_vec(),
        base: vec![Rational::integer(64)],
        seeds: (0..SEEDS).collect(),
        source: Source::Digits,
        course: Course { steps: STEPS, routine: Routine::default(), early_stop: false },
        search: Search { halvings: 0, reach: 0 },
        memory: 1 << 32,
        threads,
    }
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "quick");
    let last = if quick { -10 } else { -3 };
    let rates = (last + 13) as usize;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let steps = rates * SEEDS as usize * STEPS;
    let before = Roof::measure(threads);
    let own = timed(|| reference(threads, last));
    let roof = before.or(Roof::measure(threads));
    let products = timed(|| side_by_side(threads, steps, products));
    let adam = timed(|| side_by_side(threads, steps, adam));
    println!("{} runs on {threads} threads", rates * WIDTHS.len() * SEEDS as usize);
    println!("{:<28}{:>10}{:>16}", "", "seconds", "processor time");
    for (name, (wall, processor)) in
        [("the sweep", own), ("matrix products alone", products), ("Adam alone", adam)]
    {
        println!("{name:<28}{wall:>10.2}{processor:>16.2}");
    }
    let parts = products.1 + adam.1;
    println!("processor time over that of products and Adam: {:.2}", own.1 / parts);
    let [flops, traffic] = roof.bound(steps);
    println!(
        "products of 1024 x 1024 {:.0} Gflop/s, copies {:.1} GB/s, all threads: {flops:.1} + {traffic:.1} s",
        roof.flops / 1e9,
        roof.bytes / 1e9
    );
    println!("the sweep over this bound: {:.2}", own.0 / (flops + traffic));
}

/// What all threads at once can do.
#[derive(Clone, Copy)]
struct Roof {
    /// Flops per second of large matrix products.
    flops: f64,
    /// Bytes per second, read and written.
    bytes: f64,
}

impl Roof {
    /// How long each of both is measured.
    const SECONDS: f64 = 0.6;

    fn measure(threads: usize) -> Roof {
        let side = 1024;
        let layout = Layout { offset: 0, row: side, column: 1 };
        let flops = rates(threads, 2.0 * (side as f64).powi(3), || {
            let (left, right) = (vec![1.0_f32; side * side], vec![0.5_f32; side * side]);
            let mut out = vec![0.0_f32; side * side];
            let size = (side, side, side);
            move || multiply(size, (&mut out, layout), (&left, layout), (&right, layout), 1.0, false)
        });
        let length = 16 << 20;
        let bytes = rates(threads, 8.0 * length as f64, || {
            let (from, mut to) = (vec![1.0_f32; length], vec![0.0_f32; length]);
            move || to.copy_from_slice(std::hint::black_box(&from))
        });
        Roof { flops, bytes }
    }

    /// The better of two.
    fn or(self, other: Roof) -> Roof {
        Roof { flops: self.flops.max(other.flops), bytes: self.bytes.max(other.bytes) }
    }

    /// Seconds of the products of so many steps at every width, and of their passes of Adam: 28 bytes per parameter.
    fn bound(self, steps: usize) -> [f64; 2] {
        let sum = |of: fn(f64) -> f64| WIDTHS.iter().map(|n| of(*n as f64)).sum::<f64>() * steps as f64;
        let multiplications =
            sum(|n| BATCH as f64 * (2.0 * (64.0 * n + n * n + 10.0 * n) + n * n + 10.0 * n));
        let params = sum(|n| 64.0 * n + n * n + 10.0 * n);
        [2.0 * multiplications / self.flops, 28.0 * params / self.bytes]
    }
}

/// How much work per second all threads together do, each at its best.
fn rates<W: FnMut()>(threads: usize, amount: f64, prepare: impl Fn() -> W + Sync) -> f64 {
    let best = || {
        let mut work = prepare();
        let (started, mut best) = (Instant::now(), f64::INFINITY);
        while started.elapsed().as_secs_f64() < Roof::SECONDS {
            let start = Instant::now();
            work();
            best = best.min(start.elapsed().as_secs_f64());
        }
        amount / best
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(best)).collect();
        running.into_iter().map(|thread| thread.join().expect("a product does not fail")).sum()
    })
}

fn reference(threads: usize, last: i32) {
    let network = mupc::compile(SPEC).expect("the spec is sound");
    let request = request(threads, last);
    let found = network.parameterize(request.arms[0].question.clone()).expect("it has a parameterization");
    let prepare = Prepare::new(&request, &network, vec![found]).expect("the request holds together");
    let swept = sweep(&request, &prepare, &[], None, &()).expect("threads start");
    assert!(swept.ending == Ending::Complete && swept.runs.iter().all(|run| run.loss.is_some()));
}

/// Seconds on the wall and of processor time.
fn timed(work: impl FnOnce()) -> (f64, f64) {
    let (start, processor) = (Instant::now(), processor_seconds());
    work();
    (start.elapsed().as_secs_f64(), processor_seconds() - processor)
}

/// User time of this process in seconds, where the system says it (Linux); else not a number.
fn processor_seconds() -> f64 {
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return f64::NAN };
    let after = text.rsplit(')').next().unwrap_or_default();
    let ticks = after.split_whitespace().nth(11).and_then(|ticks| ticks.parse::<f64>().ok());
    ticks.map_or(f64::NAN, |ticks| ticks / 100.0)
}

/// So many steps at every width, dealt out to threads.
fn side_by_side(threads: usize, steps: usize, work: fn(usize, usize)) {
    std::thread::scope(|scope| {
        for thread in 0..threads {
            scope.spawn(move || {
                let share = steps / threads + usize::from(thread < steps % threads);
                WIDTHS.iter().for_each(|width| work(*width as usize, share));
            });
        }
    });
}

/// The products of steps, as they are planned for training: forward, and the gradients of all weights and of all inputs but the first.
fn products(width: usize, steps: usize) {
    struct Layer {
        plans: [Contraction; 3],
        weight: Vec<f32>,
        gradient: Vec<f32>,
    }
    let layer = |(from, to): (usize, usize)| {
        let axes = |labels: [u8; 2]| -> Axes {
            labels.into_iter().map(|label| (label, [BATCH, to, from][usize::from(label)])).collect()
        };
        let (input, weight, output) = (axes([0, 2]), axes([1, 2]), axes([0, 1]));
        let plans = [
            Contraction::new(&weight, &input, &output),
            Contraction::new(&output, &input, &weight),
            Contraction::new(&output, &weight, &input),
        ];
        Layer { plans, weight: vec![0.01; from * to], gradient: vec![0.0; from * to] }
    };
    let mut layers: Vec<Layer> = [(64, width), (width, width), (width, 10)].into_iter().map(layer).collect();
    let mut scratch =
        vec![0.0_f32; layers.iter().flat_map(|own| &own.plans).map(Contraction::scratch).max().unwrap_or(0)];
    let mut tensors = [0, 1].map(|_| vec![0.1_f32; BATCH * width.max(64)]);
    for _ in 0..steps {
        for (at, Layer { plans, weight, gradient }) in layers.iter_mut().enumerate() {
            let [left, right] = &mut tensors;
            plans[0].run(1.0, weight, left, right, false, &mut scratch);
            plans[1].run(1.0, right, left, gradient, false, &mut scratch);
            if at > 0 {
                plans[2].run(1.0, right, weight, left, false, &mut scratch);
            }
        }
        tensors[0].fill(0.1);
    }
    std::hint::black_box(tensors);
}

/// Adam's passes over all weights.
fn adam(width: usize, steps: usize) {
    let count = 64 * width + width * width + width * 10;
    let weight = Weight {
        param: ParamId(0),
        repetition: Default::default(),
        slot: 0,
        shape: [count].into_iter().collect(),
        matrix: MatrixAxes::default(),
    };
    let setting = ParamSetting {
        multiplier: 1.0,
        start: Start::Normal(1.0),
        optimizer: Some(Optimizer::Adam),
        learning_rate: 1e-3,
        epsilon: 1e-8,
        weight_decay: 0.0,
    };
    let update = Update::<f32>::new(&weight, setting, Decay::default(), Memory::default());
    let mut update = update.expect("it is trained");
    let (mut weights, gradient) = (vec![0.1_f32; count], vec![0.01_f32; count]);
    (0..steps).for_each(|_| update.step(&mut weights, &gradient, 1.0, 1.0));
    std::hint::black_box(Arc::new(weights));
}
