//! Chains of elementwise operations in one pass over memory: bias, nonlinearity, gate, residual sum.
//!
//! A chain takes its first operand through a row of links. The backward pass does not keep what stood between the links: it computes it
//! again, a tile at a time, in the cache.

use smallvec::SmallVec;

use super::function::{slope, value};
use super::real::Real;
use crate::graph::Func;

/// Entries that are worked on at a time.
const TILE: usize = 256;

/// Which entry of an operand belongs to an entry of the result: (place / every) mod of. Operands of the same shape have `every` 1 and
/// `of` their length; a bias along the last axis has `every` 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// How many neighbours share an entry.
    pub every: usize,
    /// After how many entries it begins anew.
    pub of: usize,
}

/// One step of a chain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Link {
    /// y = phi(x)
    Map(Func),
    /// y = c x
    Scale(f64),
    /// y = x + c u
    Add {
        /// Which operand u is.
        operand: usize,
        /// How it is laid out.
        access: Access,
        /// c
        factor: f64,
    },
    /// y = c x u
    Multiply {
        /// Which operand u is.
        operand: usize,
        /// How it is laid out.
        access: Access,
        /// c
        factor: f64,
    },
}

/// Links after one another; operand 0 enters at the left and has the shape of the result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// The links.
    pub links: SmallVec<[Link; 4]>,
}

/// A forward pass that is compiled where it is dispatched; a closure of this length would be compiled apart, for the oldest machine.
struct Forward<'a, T> {
    chain: &'a Chain,
    operands: &'a [&'a [T]],
    out: &'a mut [T],
    scratch: &'a mut [T],
}

impl<T: Real> pulp::NullaryFnOnce for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.chain.forward_tiles(self.operands, self.out, self.scratch);
    }
}

/// The same backward.
struct Backward<'a, 'o, T> {
    chain: &'a Chain,
    operands: &'a [&'a [T]],
    gradient: &'a [T],
    into: &'a mut [Option<&'o mut [T]>],
    scratch: &'a mut [T],
}

impl<T: Real> pulp::NullaryFnOnce for Backward<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.chain.backward_tiles(self.operands, self.gradient, self.into, self.scratch);
    }
}

impl Link {
    /// The operand that it reads besides what comes along the chain.
    pub fn operand(&self) -> Option<usize> {
        match self {
            Link::Map(_) | Link::Scale(_) => None,
            Link::Add { operand, .. } | Link::Multiply { operand, .. } => Some(*operand),
        }
    }

    /// The same with another numbering of operands.
    pub fn renumbered(mut self, number: impl Fn(usize) -> usize) -> Link {
        if let Link::Add { operand, .. } | Link::Multiply { operand, .. } = &mut self {
            *operand = number(*operand);
        }
        self
    }
}

impl Chain {
    /// How many numbers a run needs besides its operands.
    pub fn scratch(&self) -> usize {
        (self.links.len() + 2) * TILE
    }

    /// The values.
    pub fn forward<T: Real>(&self, operands: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        pulp::Arch::new().dispatch(Forward { chain: self, operands, out, scratch });
    }

    #[inline(always)]
    fn forward_tiles<T: Real>(&self, operands: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let loaded = &mut scratch[..TILE];
        for (tile, out) in out.chunks_mut(TILE).enumerate() {
            let start = tile * TILE;
            out.copy_from_slice(&operands[0][start..start + out.len()]);
            for link in &self.links {
                apply(link, operands, start, out, loaded);
            }
        }
    }

    /// The gradients of the operands: `into[i]` is where operand i's is added to; none if nobody wants it.
    pub fn backward<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &[T],
        into: &mut [Option<&mut [T]>],
        scratch: &mut [T],
    ) {
        pulp::Arch::new().dispatch(Backward { chain: self, operands, gradient, into, scratch });
    }

    #[inline(always)]
    fn backward_tiles<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &[T],
        into: &mut [Option<&mut [T]>],
        scratch: &mut [T],
    ) {
        let (between, rest) = scratch.split_at_mut(self.links.len() * TILE);
        let (flowing, loaded) = rest.split_at_mut(TILE);
        for (tile, gradient) in gradient.chunks(TILE).enumerate() {
            let (start, size) = (tile * TILE, gradient.len());
            self.recompute(operands, start, size, between, loaded);
            let flow = &mut flowing[..size];
            flow.copy_from_slice(gradient);
            for (at, link) in self.links.iter().enumerate().rev() {
                let before = &between[at * TILE..at * TILE + size];
                pull(link, operands, (start, before), flow, into, loaded);
            }
            if let Some(first) = &mut into[0] {
                let pairs = first[start..start + size].iter_mut().zip(&*flow);
                pairs.for_each(|(into, flow)| *into += *flow);
            }
        }
    }

    /// What goes into every link.
    #[inline(always)]
    fn recompute<T: Real>(
        &self,
        operands: &[&[T]],
        start: usize,
        size: usize,
        between: &mut [T],
        loaded: &mut [T],
    ) {
        if self.links.is_empty() {
            return;
        }
        between[..size].copy_from_slice(&operands[0][start..start + size]);
        for (at, link) in self.links.iter().enumerate().take(self.links.len() - 1) {
            let (before, after) = between.split_at_mut((at + 1) * TILE);
            let after = &mut after[..size];
            after.copy_from_slice(&before[at * TILE..at * TILE + size]);
            apply(link, operands, start, after, loaded);
        }
    }
}

/// One link, in place.
#[inline(always)]
fn apply<T: Real>(link: &Link, operands: &[&[T]], start: usize, tile: &mut [T], loaded: &mut [T]) {
    match *link {
        Link::Map(func) => map(func, tile),
        Link::Scale(factor) => {
            let factor = T::of(factor);
            tile.iter_mut().for_each(|x| *x *= factor);
        }
        Link::Add { operand, access, factor } => {
            let (other, factor) = (load(operands[operand], access, start, tile.len(), loaded), T::of(factor));
            tile.iter_mut().zip(other).for_each(|(x, u)| *x += factor * *u);
        }
        Link::Multiply { operand, access, factor } => {
            let (other, factor) = (load(operands[operand], access, start, tile.len(), loaded), T::of(factor));
            tile.iter_mut().zip(other).for_each(|(x, u)| *x = factor * *x * *u);
        }
    }
}

/// Takes a gradient back through one link; `before` is what went into it.
#[inline(always)]
fn pull<T: Real>(
    link: &Link,
    operands: &[&[T]],
    (start, before): (usize, &[T]),
    flow: &mut [T],
    into: &mut [Option<&mut [T]>],
    loaded: &mut [T],
) {
    match *link {
        Link::Map(func) => slopes(func, before, flow),
        Link::Scale(factor) => {
            let factor = T::of(factor);
            flow.iter_mut().for_each(|g| *g *= factor);
        }
        Link::Add { operand, access, factor } => {
            if let Some(into) = &mut into[operand] {
                let factor = T::of(factor);
                spread(into, access, start, flow.len(), |at| factor * flow[at]);
            }
        }
        Link::Multiply { operand, access, factor } => {
            let factor = T::of(factor);
            if let Some(into) = &mut into[operand] {
                spread(into, access, start, flow.len(), |at| factor * flow[at] * before[at]);
            }
            let other = load(operands[operand], access, start, flow.len(), loaded);
            flow.iter_mut().zip(other).for_each(|(g, u)| *g = factor * *g * *u);
        }
    }
}

/// The entries of an operand that belong to a tile.
#[inline(always)]
fn load<'a, T: Real>(
    operand: &'a [T],
    access: Access,
    start: usize,
    size: usize,
    loaded: &'a mut [T],
) -> &'a [T] {
    if access.every == 1 && start % access.of + size <= access.of {
        let from = start % access.of;
        return &operand[from..from + size];
    }
    let mut done = 0;
    while done < size {
        let place = start + done;
        let (entry, run) = run_at(access, place);
        let run = run.min(size - done);
        match access.every {
            1 => loaded[done..done + run].copy_from_slice(&operand[entry..entry + run]),
            _ => loaded[done..done + run].fill(operand[entry]),
        }
        done += run;
    }
    &loaded[..size]
}

/// The entry of a place, and for how many places on it (or its neighbours, one by one) goes.
#[inline(always)]
fn run_at(access: Access, place: usize) -> (usize, usize) {
    let entry = (place / access.every) % access.of;
    match access.every {
        1 => (entry, access.of - entry),
        _ => (entry, access.every - place % access.every),
    }
}

/// Adds a tile to the entries it belongs to.
#[inline(always)]
fn spread<T: Real>(into: &mut [T], access: Access, start: usize, size: usize, entry: impl Fn(usize) -> T) {
    let mut done = 0;
    while done < size {
        let (at, run) = run_at(access, start + done);
        let run = run.min(size - done);
        match access.every {
            1 => {
                let into = &mut into[at..at + run];
                (0..run).for_each(|step| into[step] += entry(done + step));
            }
            _ => into[at] += (0..run).map(|step| entry(done + step)).sum(),
        }
        done += run;
    }
}

/// One loop per function, so that each becomes vector instructions.
macro_rules! per_function {
    ($func:expr, $run:ident: $($name:ident),*) => {
        match $func { $(Func::$name => $run(Func::$name)),* }
    };
}

#[inline(always)]
fn map<T: Real>(func: Func, tile: &mut [T]) {
    #[inline(always)]
    fn each<T: Real>(func: Func, tile: &mut [T]) {
        tile.iter_mut().for_each(|x| *x = value(func, *x));
    }
    let mut run = |func| each(func, tile);
    per_function!(func, run: Relu, LeakyRelu, Gelu, Silu, Elu, Softplus, Tanh, Erf, Sigmoid, Sin, Cos, Exp, Log, Sqrt, Square, Recip, Abs);
}

#[inline(always)]
fn slopes<T: Real>(func: Func, before: &[T], flow: &mut [T]) {
    #[inline(always)]
    fn each<T: Real>(func: Func, before: &[T], flow: &mut [T]) {
        flow.iter_mut().zip(before).for_each(|(g, x)| *g *= slope(func, *x, value(func, *x)));
    }
    let mut run = |func| each(func, before, flow);
    per_function!(func, run: Relu, LeakyRelu, Gelu, Silu, Elu, Softplus, Tanh, Erf, Sigmoid, Sin, Cos, Exp, Log, Sqrt, Square, Recip, Abs);
}
