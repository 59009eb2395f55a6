//! Chains of elementwise operations in one pass over memory: bias, nonlinearity, gate, residual sum.
//!
//! A chain takes its first operand through a row of links. The backward pass does not keep what stood between the links: it computes it
//! again, a tile at a time, in the cache.

use pulp::NullaryFnOnce;
use smallvec::SmallVec;

use super::function::{slope, value};
use super::linear::total;
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

/// Where the gradient of an operand goes.
#[derive(Debug)]
pub struct Receiver<'a, T> {
    /// One entry per entry of the operand.
    pub entries: &'a mut [T],
    /// Whether what stands there is of no use: it is replaced, not added to.
    pub fresh: bool,
}

impl<T: Real> Receiver<'_, T> {
    /// A receiver of as many entries as there are gets each once, and can be written over; others are zeroed, to be added to.
    fn prepare(&mut self, entries: usize) {
        if self.fresh && self.entries.len() != entries {
            self.entries.fill(T::zero());
            self.fresh = false;
        }
    }

    /// The gradients of neighbours.
    #[inline(always)]
    fn take(&mut self, start: usize, numbers: &[T]) {
        let own = &mut self.entries[start..start + numbers.len()];
        match self.fresh {
            true => own.copy_from_slice(numbers),
            false => own.iter_mut().zip(numbers).for_each(|(own, number)| *own += *number),
        }
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

    /// Whether its gradient depends on what went into it.
    fn looks_back(&self) -> bool {
        match self {
            Link::Map(_) | Link::Multiply { .. } => true,
            Link::Scale(_) | Link::Add { .. } => false,
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
    /// How many of its links must be run again on the way back: up to the last one whose gradient depends on what went into it.
    fn run_again(&self) -> usize {
        self.links.iter().rposition(Link::looks_back).map_or(0, |last| last + 1)
    }

    /// Whether the way back needs the first operand.
    pub fn looks_back(&self) -> bool {
        self.run_again() > 0
    }

    /// The gradients of a chain that does not look back, the first operand's over that of the result.
    pub fn backward_in_place<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &mut [T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        pulp::Arch::new().dispatch(BackwardInPlace { chain: self, operands, gradient, into, scratch });
    }

    #[inline(always)]
    fn backward_tiles_in_place<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &mut [T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        into.iter_mut().flatten().for_each(|into| into.prepare(gradient.len()));
        for (tile, flow) in gradient.chunks_mut(TILE).enumerate() {
            for link in self.links.iter().rev() {
                pull(link, operands, (tile * TILE, &[]), flow, into, &mut scratch[..TILE]);
            }
        }
    }

    /// How many numbers a run needs besides its operands.
    pub fn scratch(&self) -> usize {
        (self.links.len() + 2) * TILE
    }

    /// The values.
    pub fn forward<T: Real>(&self, operands: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let first = Some(operands[0]);
        pulp::Arch::new().dispatch(Forward { chain: self, first, operands, out, scratch });
    }

    /// The values over the first operand, which stands in `out`.
    pub fn forward_in_place<T: Real>(&self, operands: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        pulp::Arch::new().dispatch(Forward { chain: self, first: None, operands, out, scratch });
    }

    #[inline(always)]
    fn forward_tiles<T: Real>(
        &self,
        first: Option<&[T]>,
        operands: &[&[T]],
        out: &mut [T],
        scratch: &mut [T],
    ) {
        let loaded = &mut scratch[..TILE];
        for (tile, out) in out.chunks_mut(TILE).enumerate() {
            let start = tile * TILE;
            if let Some(first) = first {
                out.copy_from_slice(&first[start..start + out.len()]);
            }
            for link in &self.links {
                apply(link, operands, start, out, loaded);
            }
        }
    }

    /// The gradients of the operands: `into[i]` receives operand i's; none if nobody wants it.
    pub fn backward<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &[T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        pulp::Arch::new().dispatch(Backward { chain: self, operands, gradient, into, scratch });
    }

    #[inline(always)]
    fn backward_tiles<T: Real>(
        &self,
        operands: &[&[T]],
        gradient: &[T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        into.iter_mut().flatten().for_each(|into| into.prepare(gradient.len()));
        let (between, rest) = scratch.split_at_mut(self.links.len() * TILE);
        let (flowing, loaded) = rest.split_at_mut(TILE);
        let again = self.run_again();
        for (tile, gradient) in gradient.chunks(TILE).enumerate() {
            let (start, size) = (tile * TILE, gradient.len());
            self.recompute(again, operands, start, size, between, loaded);
            let flow = &mut flowing[..size];
            flow.copy_from_slice(gradient);
            for (at, link) in self.links.iter().enumerate().rev() {
                let before = if at < again { &between[at * TILE..at * TILE + size] } else { &[] };
                pull(link, operands, (start, before), flow, into, loaded);
            }
            if let Some(first) = &mut into[0] {
                first.take(start, flow);
            }
        }
    }

    /// What goes into the first so many links.
    #[inline(always)]
    fn recompute<T: Real>(
        &self,
        links: usize,
        operands: &[&[T]],
        start: usize,
        size: usize,
        between: &mut [T],
        loaded: &mut [T],
    ) {
        if links == 0 {
            return;
        }
        between[..size].copy_from_slice(&operands[0][start..start + size]);
        for (at, link) in self.links.iter().enumerate().take(links - 1) {
            let (before, after) = between.split_at_mut((at + 1) * TILE);
            let after = &mut after[..size];
            after.copy_from_slice(&before[at * TILE..at * TILE + size]);
            apply(link, operands, start, after, loaded);
        }
    }
}

/// A forward pass. A type of its own, because what is compiled for the vectors of the machine must be inlined there, which a closure need
/// not be.
struct Forward<'a, T> {
    chain: &'a Chain,
    first: Option<&'a [T]>,
    operands: &'a [&'a [T]],
    out: &'a mut [T],
    scratch: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.chain.forward_tiles(self.first, self.operands, self.out, self.scratch);
    }
}

/// A backward pass in place.
struct BackwardInPlace<'a, 'i, T> {
    chain: &'a Chain,
    operands: &'a [&'a [T]],
    gradient: &'a mut [T],
    into: &'a mut [Option<Receiver<'i, T>>],
    scratch: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for BackwardInPlace<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.chain.backward_tiles_in_place(self.operands, self.gradient, self.into, self.scratch);
    }
}

/// A backward pass.
struct Backward<'a, 'i, T> {
    chain: &'a Chain,
    operands: &'a [&'a [T]],
    gradient: &'a [T],
    into: &'a mut [Option<Receiver<'i, T>>],
    scratch: &'a mut [T],
}

impl<T: Real> NullaryFnOnce for Backward<'_, '_, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.chain.backward_tiles(self.operands, self.gradient, self.into, self.scratch);
    }
}

/// One link, in place.
#[inline(always)]
fn apply<T: Real>(link: &Link, operands: &[&[T]], start: usize, tile: &mut [T], loaded: &mut [T]) {
    match *link {
        Link::Map(func) => map(func, tile),
        Link::Scale(factor) => {
            let factor = T::of(factor);
            for x in tile {
                *x *= factor;
            }
        }
        Link::Add { operand, access, factor } => {
            let (other, factor) = (load(operands[operand], access, start, tile.len(), loaded), T::of(factor));
            for (x, u) in tile.iter_mut().zip(other) {
                *x += factor * *u;
            }
        }
        Link::Multiply { operand, access, factor } => {
            let (other, factor) = (load(operands[operand], access, start, tile.len(), loaded), T::of(factor));
            for (x, u) in tile.iter_mut().zip(other) {
                *x = factor * *x * *u;
            }
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
    into: &mut [Option<Receiver<'_, T>>],
    loaded: &mut [T],
) {
    match *link {
        Link::Map(func) => slopes(func, before, flow),
        Link::Scale(factor) => {
            let factor = T::of(factor);
            for g in flow {
                *g *= factor;
            }
        }
        Link::Add { operand, access, factor } => {
            if let Some(into) = &mut into[operand] {
                let factor = T::of(factor);
                let tile = &mut loaded[..flow.len()];
                for (own, g) in tile.iter_mut().zip(&*flow) {
                    *own = factor * *g;
                }
                spread(into, access, start, tile);
            }
        }
        Link::Multiply { operand, access, factor } => {
            let factor = T::of(factor);
            if let Some(into) = &mut into[operand] {
                let tile = &mut loaded[..flow.len()];
                for (own, (g, x)) in tile.iter_mut().zip(flow.iter().zip(before)) {
                    *own = factor * *g * *x;
                }
                spread(into, access, start, tile);
            }
            let other = load(operands[operand], access, start, flow.len(), loaded);
            for (g, u) in flow.iter_mut().zip(other) {
                *g = factor * *g * *u;
            }
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
fn spread<T: Real>(into: &mut Receiver<'_, T>, access: Access, start: usize, tile: &[T]) {
    let mut done = 0;
    while done < tile.len() {
        let (at, run) = run_at(access, start + done);
        let run = run.min(tile.len() - done);
        let from = &tile[done..done + run];
        match access.every {
            1 => into.take(at, from),
            _ => into.entries[at] += total(from),
        }
        done += run;
    }
}

/// One loop per function, so that each becomes vector instructions.
macro_rules! per_function {
    ($func:expr, $each:ident($argument:expr): $($name:ident)*) => {
        match $func { $(Func::$name => $each(Func::$name, $argument)),* }
    };
}

#[inline(always)]
fn map<T: Real>(func: Func, tile: &mut [T]) {
    #[inline(always)]
    fn each<T: Real>(func: Func, tile: &mut [T]) {
        for x in tile {
            *x = value(func, *x);
        }
    }
    per_function!(func, each(tile): Relu LeakyRelu Gelu Silu Elu Softplus Tanh Erf Sigmoid Sin Cos Exp Log Sqrt Square Recip Abs Sign);
}

#[inline(always)]
fn slopes<T: Real>(func: Func, before: &[T], flow: &mut [T]) {
    #[inline(always)]
    fn each<T: Real>(func: Func, (before, flow): (&[T], &mut [T])) {
        for (g, x) in flow.iter_mut().zip(before) {
            *g *= slope(func, *x, value(func, *x));
        }
    }
    per_function!(func, each((before, flow)): Relu LeakyRelu Gelu Silu Elu Softplus Tanh Erf Sigmoid Sin Cos Exp Log Sqrt Square Recip Abs Sign);
}
