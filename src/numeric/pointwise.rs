//! Chains of elementwise operations in one pass over memory: bias, nonlinearity, gate, residual sum.
//!
//! A chain takes its first operand through a row of links. The backward pass does not keep what stood between the links: it computes it
//! again, a tile at a time, in the cache.

use smallvec::SmallVec;

use super::function::{map, slopes};
use super::linear::total;
use super::real::{Real, vectorized};
use crate::graph::Func;

/// Entries that are worked on at a time.
pub(super) const TILE: usize = 256;

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
    pub(super) fn prepare(&mut self, entries: usize) {
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
    pub(super) fn looks_back(&self) -> bool {
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
        vectorized(
            #[inline(always)]
            move || self.pull_tiles(&[], operands, gradient, into, scratch),
        );
    }

    /// Takes the gradient of the result back to that of the first operand, in place; `first` is that operand, of which only a chain that looks back needs the numbers.
    #[inline(always)]
    pub(super) fn pull_tiles<T: Real>(
        &self,
        first: &[T],
        operands: &[&[T]],
        gradient: &mut [T],
        into: &mut [Option<Receiver<'_, T>>],
        scratch: &mut [T],
    ) {
        into[1..].iter_mut().flatten().for_each(|into| into.prepare(gradient.len()));
        let (between, loaded) = scratch.split_at_mut(self.links.len() * TILE);
        for (tile, flow) in gradient.chunks_mut(TILE).enumerate() {
            self.pull_tile(first, operands, (tile * TILE, flow), into, between, &mut loaded[..TILE]);
        }
    }

    /// One tile, which starts at a place of the result.
    #[inline(always)]
    fn pull_tile<T: Real>(
        &self,
        first: &[T],
        operands: &[&[T]],
        (start, flow): (usize, &mut [T]),
        into: &mut [Option<Receiver<'_, T>>],
        between: &mut [T],
        loaded: &mut [T],
    ) {
        let (again, size) = (self.run_again(), flow.len());
        self.recompute(again, first, operands, (start, size), between, loaded);
        for (at, link) in self.links.iter().enumerate().rev() {
            let before = if at < again { &between[at * TILE..at * TILE + size] } else { &[] };
            pull(link, operands, (start, before), flow, into, loaded);
        }
    }

    /// How many numbers a run needs besides its operands.
    pub fn scratch(&self) -> usize {
        (self.links.len() + 2) * TILE
    }

    /// The values.
    pub fn forward<T: Real>(&self, operands: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        let first = Some(operands[0]);
        vectorized(
            #[inline(always)]
            move || self.forward_tiles(first, operands, out, scratch),
        );
    }

    /// The values over the first operand, which stands in `out`.
    pub fn forward_in_place<T: Real>(&self, operands: &[&[T]], out: &mut [T], scratch: &mut [T]) {
        vectorized(
            #[inline(always)]
            move || self.forward_tiles(None, operands, out, scratch),
        );
    }

    #[inline(always)]
    pub(super) fn forward_tiles<T: Real>(
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
            self.run_tile(operands, start, out, loaded);
        }
    }

    /// All links on a tile, which starts at a place of the result.
    #[inline(always)]
    pub(super) fn run_tile<T: Real>(
        &self,
        operands: &[&[T]],
        start: usize,
        tile: &mut [T],
        loaded: &mut [T],
    ) {
        for link in &self.links {
            apply(link, operands, start, tile, loaded);
        }
    }

    /// The way back of a chain that does not look back, on a tile.
    #[inline(always)]
    pub(super) fn pull_back<T: Real>(
        &self,
        operands: &[&[T]],
        (start, flow): (usize, &mut [T]),
        into: &mut [Option<Receiver<'_, T>>],
        loaded: &mut [T],
    ) {
        for link in self.links.iter().rev() {
            pull(link, operands, (start, &[]), flow, into, loaded);
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
        vectorized(
            #[inline(always)]
            move || self.backward_tiles(operands, gradient, into, scratch),
        );
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
        for (tile, gradient) in gradient.chunks(TILE).enumerate() {
            let (start, flow) = (tile * TILE, &mut flowing[..gradient.len()]);
            flow.copy_from_slice(gradient);
            self.pull_tile(operands[0], operands, (start, flow), into, between, loaded);
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
        first: &[T],
        operands: &[&[T]],
        (start, size): (usize, usize),
        between: &mut [T],
        loaded: &mut [T],
    ) {
        if links == 0 {
            return;
        }
        between[..size].copy_from_slice(&first[start..start + size]);
        for (at, link) in self.links.iter().enumerate().take(links - 1) {
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
