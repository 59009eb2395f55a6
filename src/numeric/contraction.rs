//! Products of two tensors with sums over shared axes, as matrix products wherever there is a matrix.
//!
//! The labels of a product fall into four groups: *rows* (left operand and result), *columns* (right operand and result), *sums*
//! (both operands) and *blocks* (all three: heads, experts). If each group of each tensor can be walked with one stride, the
//! product is a loop over blocks of matrix products on the tensors as they lie; a tensor that cannot is packed first. Products
//! without sums, or without a matrix worth the name, are plain loops.

use smallvec::SmallVec;

use super::linear::dot;
use super::matrix::{Layout, multiply};
use super::nest::{Nest, strides};
use super::real::Real;

/// The axes of a tensor that lies in order: labels with lengths.
pub type Axes = SmallVec<[(u8, usize); 6]>;

/// A product that is ready to run.
#[derive(Clone, Debug)]
pub struct Contraction {
    how: How,
    /// Whether the result is zeroed first where it is not added to.
    length: usize,
}

#[derive(Clone, Debug)]
enum How {
    /// Operands of the nest: result, left, right.
    Loops(Nest<3>),
    Matrices(Box<Matrices>),
}

#[derive(Clone, Debug)]
struct Matrices {
    /// Rows, columns, sums.
    size: (usize, usize, usize),
    /// How many sums are taken at a time.
    panel: usize,
    /// Offsets of result, left and right per block.
    blocks: Nest<3>,
    out: Tensor,
    left: Tensor,
    right: Tensor,
}

/// How a tensor is seen as matrices.
#[derive(Clone, Debug)]
struct Tensor {
    layout: Layout,
    /// Packed size and the nest (packed, original) if it must be packed.
    packed: Option<(usize, Nest<2>)>,
}

/// Which axes of a tensor a group is, in the group's order.
type Group = SmallVec<[(u8, usize); 4]>;

impl Contraction {
    /// Plans out = left * right. Every label stands in at least two of the three.
    pub fn new(left: &Axes, right: &Axes, out: &Axes) -> Contraction {
        let has = |axes: &Axes, label: u8| axes.iter().any(|(own, _)| *own == label);
        let length = out.iter().map(|(_, length)| length).product();
        let group = |of: &Axes, keep: &dyn Fn(u8) -> bool| -> Group {
            of.iter().filter(|(label, length)| *length > 1 && keep(*label)).copied().collect()
        };
        let rows = group(out, &|label| has(left, label) && !has(right, label));
        let columns = group(out, &|label| has(right, label) && !has(left, label));
        let blocks = group(out, &|label| has(left, label) && has(right, label));
        let sums = [left, right].map(|of| group(of, &|label| !has(out, label)));
        let product = |group: &Group| group.iter().map(|(_, length)| length).product::<usize>();
        let (m, n, k, b) = (product(&rows), product(&columns), product(&sums[0]), product(&blocks));
        let thin = (m == 1 || n == 1) && b > 1;
        if k == 1 || thin || (m == 1 && n == 1) || m * n * k < 64 {
            return Contraction { how: How::Loops(loops(left, right, out)), length };
        }
        let plan = |sums: &Group| {
            let out = tensor(out, &blocks, &rows, &columns);
            let left = tensor(left, &blocks, &rows, sums);
            let right = tensor(right, &blocks, sums, &columns);
            (out, left, right)
        };
        let cost = |plan: &(Tensor, Tensor, Tensor)| {
            let size = |tensor: &Tensor| tensor.packed.as_ref().map_or(0, |(size, _)| *size);
            size(&plan.0) + size(&plan.1) + size(&plan.2)
        };
        let plans = [plan(&sums[0]), plan(&sums[1])];
        let [first, second] = plans;
        let (out_tensor, left_tensor, right_tensor) =
            if cost(&second) < cost(&first) { second } else { first };
        let turned = is_thin((m, n, k), &out_tensor, &left_tensor, &right_tensor) && blocks.is_empty();
        let out_tensor = if turned { turn(out, &rows, &columns, &out_tensor) } else { out_tensor };
        let moves = |axes: &Axes, tensor: &Tensor, size: usize| block_strides(axes, tensor, &blocks, size);
        let steps = [
            moves(out, &out_tensor, m * n),
            moves(left, &left_tensor, m * k),
            moves(right, &right_tensor, k * n),
        ];
        let axes = blocks
            .iter()
            .enumerate()
            .map(|(at, (_, length))| (*length, [steps[0][at], steps[1][at], steps[2][at]]));
        let blocks = Nest::new(axes, [0; 3]);
        let panel = panel((m, n, k), &left_tensor, &right_tensor);
        let [out, left, right] = [out_tensor, left_tensor, right_tensor];
        let matrices = Matrices { size: (m, n, k), panel, blocks, out, left, right };
        Contraction { how: How::Matrices(Box::new(matrices)), length }
    }

    /// How many numbers it needs for packing.
    pub fn scratch(&self) -> usize {
        let size = |tensor: &Tensor| tensor.packed.as_ref().map_or(0, |(size, _)| *size);
        match &self.how {
            How::Loops(_) => 0,
            How::Matrices(plan) => size(&plan.out) + size(&plan.left) + size(&plan.right),
        }
    }

    /// Multiplications of one run.
    pub fn multiplications(&self) -> usize {
        match &self.how {
            How::Loops(nest) => nest.points(),
            How::Matrices(plan) => plan.size.0 * plan.size.1 * plan.size.2 * plan.blocks.points(),
        }
    }

    /// Whether it is made of matrix products.
    pub fn is_matrices(&self) -> bool {
        matches!(self.how, How::Matrices(_))
    }

    /// out = factor * left * right, or out += ... .
    pub fn run<T: Real>(
        &self,
        factor: f64,
        left: &[T],
        right: &[T],
        out: &mut [T],
        accumulate: bool,
        scratch: &mut [T],
    ) {
        let factor = T::of(factor);
        match &self.how {
            How::Loops(nest) => {
                if !accumulate {
                    out[..self.length].fill(T::zero());
                }
                products(nest, factor, left, right, out);
            }
            How::Matrices(plan) => plan.run(factor, left, right, out, accumulate, scratch),
        }
    }
}

/// All three tensors walked together.
fn loops(left: &Axes, right: &Axes, out: &Axes) -> Nest<3> {
    let mut labels: Axes = out.clone();
    labels.extend(
        left.iter().chain(right).filter(|(label, _)| !out.iter().any(|(own, _)| own == label)).copied(),
    );
    labels.dedup_by_key(|(label, _)| *label);
    let mut seen: SmallVec<[u8; 8]> = SmallVec::new();
    labels.retain(|(label, _)| {
        let new = !seen.contains(label);
        seen.push(*label);
        new
    });
    let steps = |axes: &Axes, label: u8| {
        let lengths: SmallVec<[usize; 6]> = axes.iter().map(|(_, length)| *length).collect();
        axes.iter().zip(strides(&lengths)).find(|((own, _), _)| *own == label).map_or(0, |(_, stride)| stride)
    };
    let axes = labels
        .iter()
        .map(|(label, length)| (*length, [steps(out, *label), steps(left, *label), steps(right, *label)]));
    Nest::new(axes, [0; 3])
}

/// A tensor as matrices with the given groups of rows and columns; packed if a group has no single stride.
fn tensor(axes: &Axes, blocks: &Group, rows: &Group, columns: &Group) -> Tensor {
    let lengths: SmallVec<[usize; 6]> = axes.iter().map(|(_, length)| *length).collect();
    let own = strides(&lengths);
    let stride_of = |label: u8| axes.iter().position(|(other, _)| *other == label).map_or(0, |at| own[at]);
    let single = |group: &Group| -> Option<usize> {
        let together = |pair: &[(u8, usize)]| stride_of(pair[0].0) == stride_of(pair[1].0) * pair[1].1;
        group.windows(2).all(together).then(|| group.last().map_or(1, |(label, _)| stride_of(*label)))
    };
    if let (Some(row), Some(column)) = (single(rows), single(columns)) {
        return Tensor { layout: Layout { offset: 0, row, column }, packed: None };
    }
    let order: Axes = blocks.iter().chain(rows).chain(columns).copied().collect();
    let packed_lengths: SmallVec<[usize; 6]> = order.iter().map(|(_, length)| *length).collect();
    let packed = strides(&packed_lengths);
    let nest =
        order.iter().zip(&packed).map(|((label, length), stride)| (*length, [*stride, stride_of(*label)]));
    let width = columns.iter().map(|(_, length)| length).product();
    let size = packed_lengths.iter().product();
    Tensor {
        layout: Layout { offset: 0, row: width, column: 1 },
        packed: Some((size, Nest::new(nest, [0; 2]))),
    }
}

/// Whether a small batch meets a large weight whose sums lie side by side. The product would be written in the order of the weight's rows, so all of the weight
/// would be transposed into the cache first; it is cheaper to write the product the other way round and transpose that.
fn is_thin((m, n, k): (usize, usize, usize), out: &Tensor, left: &Tensor, right: &Tensor) -> bool {
    /// A weight smaller than this is transposed in no time.
    const LARGE: usize = 1 << 14;
    /// A batch larger than this is worth the transposition.
    const MOST: usize = 512;
    let plain = out.packed.is_none() && left.packed.is_none() && right.packed.is_none();
    let by_rows = out.layout.column == 1 && right.layout.row == 1 && right.layout.column > 1;
    let by_columns = out.layout.row == 1 && left.layout.column == 1 && left.layout.row > 1;
    let thin = |batch: usize, other: usize| batch <= MOST && 2 * batch <= other && other * k >= LARGE;
    plain && (by_rows && thin(m, n) || by_columns && thin(n, m))
}

/// The result of a product in the other order, to be transposed afterwards.
fn turn(axes: &Axes, rows: &Group, columns: &Group, tensor: &Tensor) -> Tensor {
    let length = |group: &Group| group.iter().map(|(_, length)| length).product::<usize>();
    let by_rows = tensor.layout.column == 1;
    let (slow, fast) = if by_rows { (columns, rows) } else { (rows, columns) };
    let order: Axes = slow.iter().chain(fast).copied().collect();
    let strides_of =
        |axes: &Axes| strides(&axes.iter().map(|(_, length)| *length).collect::<SmallVec<[usize; 6]>>());
    let (own, turned) = (strides_of(axes), strides_of(&order));
    let stride_of = |label: u8| axes.iter().position(|(other, _)| *other == label).map_or(0, |at| own[at]);
    let nest =
        order.iter().zip(&turned).map(|((label, length), stride)| (*length, [*stride, stride_of(*label)]));
    let (row, column) = if by_rows { (1, length(rows)) } else { (length(columns), 1) };
    let size = length(rows) * length(columns);
    Tensor { layout: Layout { offset: 0, row, column }, packed: Some((size, Nest::new(nest, [0; 2]))) }
}

/// How far a tensor moves per step of each block axis.
fn block_strides(axes: &Axes, tensor: &Tensor, blocks: &Group, matrix: usize) -> SmallVec<[usize; 4]> {
    if tensor.packed.is_some() {
        let lengths: SmallVec<[usize; 6]> = blocks.iter().map(|(_, length)| *length).collect();
        return strides(&lengths).iter().map(|stride| stride * matrix).collect();
    }
    let lengths: SmallVec<[usize; 6]> = axes.iter().map(|(_, length)| *length).collect();
    let own = strides(&lengths);
    let stride_of = |label: u8| axes.iter().position(|(other, _)| *other == label).map_or(0, |at| own[at]);
    blocks.iter().map(|(label, _)| stride_of(*label)).collect()
}

impl Matrices {
    fn run<T: Real>(
        &self,
        factor: T,
        left: &[T],
        right: &[T],
        out: &mut [T],
        accumulate: bool,
        scratch: &mut [T],
    ) {
        let size = |tensor: &Tensor| tensor.packed.as_ref().map_or(0, |(size, _)| *size);
        let (for_left, rest) = scratch.split_at_mut(size(&self.left));
        let (for_right, rest) = rest.split_at_mut(size(&self.right));
        let left = packed(&self.left, left, for_left);
        let right = packed(&self.right, right, for_right);
        match &self.out.packed {
            None => self.blocks(factor, left, right, out, accumulate),
            Some((size, nest)) => {
                let own = &mut rest[..*size];
                self.blocks(factor, left, right, own, false);
                unpack(nest, own, out, accumulate);
            }
        }
    }

    fn blocks<T: Real>(&self, factor: T, left: &[T], right: &[T], out: &mut [T], accumulate: bool) {
        let (inner, steps) = self.blocks.inner();
        let at = |layout: Layout, offset: usize| Layout { offset, ..layout };
        self.blocks.each(|starts| {
            for block in 0..inner {
                let [o, l, r] = [0, 1, 2].map(|operand| starts[operand] + block * steps[operand]);
                let out = (&mut *out, at(self.out.layout, o));
                let (left, right) = ((left, at(self.left.layout, l)), (right, at(self.right.layout, r)));
                self.panels(out, left, right, factor, accumulate);
            }
        });
    }
}

impl Matrices {
    /// One matrix product, in panels of the sums where that is faster.
    fn panels<T: Real>(
        &self,
        (out, out_layout): (&mut [T], Layout),
        (left, left_layout): (&[T], Layout),
        (right, right_layout): (&[T], Layout),
        factor: T,
        accumulate: bool,
    ) {
        let (m, n, k) = self.size;
        for start in (0..k).step_by(self.panel) {
            let panel = self.panel.min(k - start);
            let left_at = Layout { offset: left_layout.offset + start * left_layout.column, ..left_layout };
            let right_at = Layout { offset: right_layout.offset + start * right_layout.row, ..right_layout };
            let add = accumulate || start > 0;
            multiply((m, n, panel), (&mut *out, out_layout), (left, left_at), (right, right_at), factor, add);
        }
    }
}

/// How many sums are taken at a time. Where they lie far apart in both operands (the gradient of a weight, a sum over positions), the product packs as many as fit a cache; half of
/// that is faster. Where a small batch meets a large weight whose sums are a page of memory or more apart, the product goes through the weight in strips, from page to page, and memory cannot be
/// read ahead, unless a panel has so few pages that all of them are followed at once.
fn panel((m, n, k): (usize, usize, usize), left: &Tensor, right: &Tensor) -> usize {
    /// Numbers in a page of memory, in single precision.
    const PAGE: usize = 1024;
    /// The panel of the gradient of a weight, and the largest batch that gains.
    const SUMS: usize = 256;
    /// The smallest panel.
    const FEW: usize = 64;
    let far = |tensor: &Tensor, near: usize, pages: usize| {
        tensor.packed.is_none() && near == 1 && tensor.layout.row.max(tensor.layout.column) >= pages
    };
    let (left_far, right_far) =
        (|pages| far(left, left.layout.row, pages), |pages| far(right, right.layout.column, pages));
    let thin = |batch: usize, other: usize| batch <= SUMS && 2 * batch <= other;
    match () {
        () if left_far(2) && right_far(2) => SUMS,
        () if right_far(PAGE) && thin(m, n) => FEW.max(m),
        () if left_far(PAGE) && thin(n, m) => FEW.max(n),
        () => k.max(1),
    }
}

fn packed<'a, T: Real>(tensor: &Tensor, source: &'a [T], scratch: &'a mut [T]) -> &'a [T] {
    let Some((_, nest)) = &tensor.packed else { return source };
    let (length, [to, from]) = nest.inner();
    nest.each(|[at, start]| match (to, from) {
        (1, 1) => scratch[at..at + length].copy_from_slice(&source[start..start + length]),
        _ => (0..length).for_each(|step| scratch[at + step * to] = source[start + step * from]),
    });
    scratch
}

fn unpack<T: Real>(nest: &Nest<2>, packed: &[T], out: &mut [T], accumulate: bool) {
    let (length, [from, to]) = nest.inner();
    nest.each(|[start, at]| {
        let numbers = packed[start..].iter().step_by(from.max(1)).take(length);
        match (to, accumulate) {
            (1, false) => out[at..at + length].iter_mut().zip(numbers).for_each(|(to, from)| *to = *from),
            (1, true) => out[at..at + length].iter_mut().zip(numbers).for_each(|(to, from)| *to += *from),
            (_, false) => numbers.enumerate().for_each(|(step, from)| out[at + step * to] = *from),
            (_, true) => numbers.enumerate().for_each(|(step, from)| out[at + step * to] += *from),
        }
    });
}

/// out += factor * left * right, entry by entry.
fn products<T: Real>(nest: &Nest<3>, factor: T, left: &[T], right: &[T], out: &mut [T]) {
    let (length, [to, l, r]) = nest.inner();
    nest.each(|[at, a, b]| match (to, l, r) {
        (0, 1, 1) => out[at] += factor * dot(&left[a..a + length], &right[b..b + length]),
        (1, 1, 1) => {
            let pairs = left[a..a + length].iter().zip(&right[b..b + length]);
            out[at..at + length].iter_mut().zip(pairs).for_each(|(out, (a, b))| *out += factor * *a * *b);
        }
        (1, 1, 0) | (1, 0, 1) => {
            let (moving, start, fixed) = if l == 1 { (left, a, right[b]) } else { (right, b, left[a]) };
            let fixed = factor * fixed;
            let pairs = out[at..at + length].iter_mut().zip(&moving[start..start + length]);
            pairs.for_each(|(out, moving)| *out += fixed * *moving);
        }
        _ => {
            for step in 0..length {
                out[at + step * to] += factor * left[a + step * l] * right[b + step * r];
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn axes(labels: &[u8], lengths: &[usize]) -> Axes {
        labels.iter().map(|label| (*label, lengths[usize::from(*label)])).collect()
    }

    fn entries(axes: &Axes, seed: usize) -> Vec<f64> {
        let length = axes.iter().map(|(_, length)| length).product();
        (0..length).map(|at: usize| ((at * 31 + seed * 17) % 23) as f64 - 11.0).collect()
    }

    /// The definition: a loop over everything.
    fn naive(left: &Axes, right: &Axes, out: &Axes, a: &[f64], b: &[f64]) -> Vec<f64> {
        let mut result = vec![0.0; out.iter().map(|(_, length)| length).product()];
        products(&loops(left, right, out), 1.0, a, b, &mut result);
        result
    }

    proptest! {
        #[test]
        fn matrices_and_loops_agree(
            lengths in prop::collection::vec(1..5_usize, 6),
            places in Just((0..6_u8).collect::<Vec<u8>>()).prop_shuffle(),
            other in Just((0..6_u8).collect::<Vec<u8>>()).prop_shuffle(),
            third in Just((0..6_u8).collect::<Vec<u8>>()).prop_shuffle(),
            kinds in prop::collection::vec(0..4_u8, 6),
            accumulate: bool,
        ) {
            let big: Vec<usize> = lengths.iter().map(|length| length * 2).collect();
            // Which of the three a label is in: all, left and result, right and result, both operands.
            let pick = |order: &[u8], absent: u8| -> Axes {
                let labels: Vec<u8> = order.iter().copied().filter(|label| kinds[usize::from(*label)] != absent).collect();
                axes(&labels, &big)
            };
            let (left, right, out) = (pick(&places, 2), pick(&other, 1), pick(&third, 3));
            let (a, b) = (entries(&left, 1), entries(&right, 2));
            let plan = Contraction::new(&left, &right, &out);
            let mut expected = naive(&left, &right, &out, &a, &b);
            let mut result = vec![1.0; expected.len()];
            if accumulate {
                expected.iter_mut().for_each(|entry| *entry += 1.0);
            }
            plan.run(1.0, &a, &b, &mut result, accumulate, &mut vec![0.0; plan.scratch()]);
            prop_assert_eq!(result, expected);
        }
    }

    /// A small batch and a weight whose sums are far apart, in both orders of the operands: in panels of the sums.
    #[test]
    fn panels_are_products() {
        let lengths = [8, 130, 1030];
        let [y, w, x]: [Axes; 3] = [&[0, 1][..], &[1, 2], &[0, 2]].map(|labels| axes(labels, &lengths));
        for (left, right) in [(&y, &w), (&w, &y)] {
            let plan = Contraction::new(left, right, &x);
            assert!(matches!(&plan.how, How::Matrices(plan) if plan.panel == 64));
            let (a, b) = (entries(left, 1), entries(right, 2));
            let expected = naive(left, right, &x, &a, &b);
            for accumulate in [false, true] {
                let mut result = vec![1.0; expected.len()];
                plan.run(1.0, &a, &b, &mut result, accumulate, &mut vec![0.0; plan.scratch()]);
                let one = if accumulate { 1.0 } else { 0.0 };
                assert!(result.iter().zip(&expected).all(|(own, wanted)| *own == wanted + one));
            }
        }
    }

    /// A small batch and a large weight, in both orders of the operands: written the other way round and transposed.
    #[test]
    fn thin_products_are_products() {
        let lengths = [8, 130, 150];
        let [x, w, y]: [Axes; 3] = [&[0, 2][..], &[1, 2], &[0, 1]].map(|labels| axes(labels, &lengths));
        for (left, right) in [(&x, &w), (&w, &x)] {
            let plan = Contraction::new(left, right, &y);
            assert!(plan.scratch() == 8 * 130, "{} numbers of scratch", plan.scratch());
            let (a, b) = (entries(left, 1), entries(right, 2));
            let expected = naive(left, right, &y, &a, &b);
            for accumulate in [false, true] {
                let mut result = vec![1.0; expected.len()];
                plan.run(1.0, &a, &b, &mut result, accumulate, &mut vec![0.0; plan.scratch()]);
                let one = if accumulate { 1.0 } else { 0.0 };
                assert!(result.iter().zip(&expected).all(|(own, wanted)| *own == wanted + one));
            }
        }
    }
}
