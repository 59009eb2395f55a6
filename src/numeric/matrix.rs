//! The matrix product: the one place that computes outside of safe Rust, behind a check of every bound.

use super::real::Real;

/// A matrix in a slice: where it starts and how far a row and a column are apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The place of its first entry.
    pub offset: usize,
    /// From one row to the next.
    pub row: usize,
    /// From one column to the next.
    pub column: usize,
}

impl Layout {
    /// The place behind its last entry.
    fn end(self, rows: usize, columns: usize) -> usize {
        self.offset + self.row * rows.saturating_sub(1) + self.column * columns.saturating_sub(1) + 1
    }

    /// Whether every entry has a place of its own.
    fn is_injective(self, rows: usize, columns: usize) -> bool {
        let apart = |near: (usize, usize), far: (usize, usize)| near.0 >= 1 && far.0 >= near.0 * near.1;
        let (row, column) = ((self.row, rows), (self.column, columns));
        rows == 1 || columns == 1 || apart(row, column) || apart(column, row)
    }
}

/// out = factor * left right, or out += ...; `size` is (rows of the result, columns of the result, length of the sums).
///
/// # Panics
/// If a matrix does not lie within its slice or entries of the result share a place: a bug in the caller.
#[allow(unsafe_code)]
pub fn multiply<T: Real>(
    size: (usize, usize, usize),
    (out, out_layout): (&mut [T], Layout),
    (left, left_layout): (&[T], Layout),
    (right, right_layout): (&[T], Layout),
    factor: T,
    accumulate: bool,
) {
    let (rows, columns, sum) = size;
    if rows == 0 || columns == 0 || sum == 0 {
        return;
    }
    assert!(out_layout.end(rows, columns) <= out.len() && out_layout.is_injective(rows, columns), "result");
    assert!(left_layout.end(rows, sum) <= left.len(), "left operand");
    assert!(right_layout.end(sum, columns) <= right.len(), "right operand");
    keep_small_operands();
    let zero_or_one = if accumulate { T::one() } else { T::zero() };
    // SAFETY: every entry of the three matrices lies within its slice, as asserted above; the result is borrowed for writing, so it
    // overlaps neither operand, and its entries do not share places.
    unsafe {
        gemm::gemm(
            rows,
            columns,
            sum,
            out.as_mut_ptr().add(out_layout.offset),
            out_layout.column as isize,
            out_layout.row as isize,
            accumulate,
            left.as_ptr().add(left_layout.offset),
            left_layout.column as isize,
            left_layout.row as isize,
            right.as_ptr().add(right_layout.offset),
            right_layout.column as isize,
            right_layout.row as isize,
            zero_or_one,
            factor,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Tells the library of products to read an operand where it lies if the result has few rows or columns. Its own default copies the operand as soon as it would be read more than twice; on
/// everything that does not fit the nearest cache the copy costs more than it saves (docs/performance.md).
fn keep_small_operands() {
    /// How many strips of the other operand it takes for a copy.
    const STRIPS: usize = 16;
    if gemm::get_rhs_packing_threshold() != STRIPS {
        gemm::set_rhs_packing_threshold(STRIPS);
    }
}
