//! Optimizers that step along the singular vectors of a gradient: Muon, Shampoo, SOAP.
//!
//! A tensor is a stack of matrices: rows are the axes that its first use keeps, columns those that it sums, blocks those that all three
//! tensors share (heads, experts). A tensor that sums nothing is one column.
//!
//! | optimizer | direction for a gradient G | source |
//! |---|---|---|
//! | Muon | U V^T by five Newton-Schulz steps on the momentum (0.95, Nesterov) | Jordan et al. 2024 |
//! | its factors | 1; max(1, rows/columns)^(1/2); 0.2 max(rows, columns)^(1/2) | Jordan; Liu et al. 2025, arXiv 2502.16982 |
//! | Shampoo | (sum G G^T)^(-1/4) G (sum G^T G)^(-1/4) | Gupta et al. 2018, arXiv 1802.09568 |
//! | SOAP | Adam in the eigenbasis of those sums | Vyas et al. 2024, arXiv 2409.11321 |

use faer::{Mat, Side};
use smallvec::SmallVec;

use super::matrix::{Layout, multiply};
use super::nest::{Nest, strides};
use super::program::Weight;
use super::real::Real;
use crate::optimizer::Optimizer;

/// A tensor as a stack of matrices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix {
    /// How many there are.
    pub blocks: usize,
    /// Rows of each.
    pub rows: usize,
    /// Columns of each.
    pub columns: usize,
    /// From the stack (operand 0) to the tensor (operand 1).
    nest: Nest<2>,
}

impl Matrix {
    /// The matrices of a weight.
    pub fn of(weight: &Weight) -> Matrix {
        let axes = &weight.matrix;
        let order: SmallVec<[usize; 6]> =
            axes.blocks.iter().chain(&axes.rows).chain(&axes.columns).copied().collect();
        let shape: SmallVec<[usize; 6]> = order.iter().map(|axis| weight.shape[*axis]).collect();
        let (own, stacked) = (strides(&weight.shape), strides(&shape));
        let loops =
            order.iter().zip(stacked).map(|(axis, stride)| (weight.shape[*axis], [stride, own[*axis]]));
        let product = |axes: &[usize]| axes.iter().map(|axis| weight.shape[*axis]).product();
        let nest = Nest::new(loops.collect::<Vec<_>>(), [0; 2]);
        Matrix {
            blocks: product(&axes.blocks),
            rows: product(&axes.rows),
            columns: product(&axes.columns),
            nest,
        }
    }

    fn size(&self) -> usize {
        self.rows * self.columns
    }
}

/// What one of these optimizers remembers of one tensor.
#[derive(Clone, Debug)]
pub struct Spectral<T> {
    optimizer: Optimizer,
    matrix: Matrix,
    steps: i32,
    momentum: Vec<T>,
    stacked: Vec<T>,
    out: Vec<T>,
    /// Per block: sums of G G^T and G^T G.
    sums: Vec<(Mat<f64>, Mat<f64>)>,
    /// Per block: SOAP's moments.
    moments: Vec<(Mat<f64>, Mat<f64>)>,
}

/// How long Muon remembers gradients.
const MOMENTUM: f64 = 0.95;

impl<T: Real> Spectral<T> {
    /// The state at the start; none for other optimizers.
    pub fn new(optimizer: Optimizer, matrix: Matrix) -> Option<Spectral<T>> {
        let muon = matches!(optimizer, Optimizer::Muon | Optimizer::MuonJordan | Optimizer::MuonMoonlight);
        let sums = matches!(optimizer, Optimizer::Shampoo | Optimizer::Soap);
        if !muon && !sums {
            return None;
        }
        let length = matrix.blocks * matrix.size();
        let square = |_| (Mat::zeros(matrix.rows, matrix.rows), Mat::zeros(matrix.columns, matrix.columns));
        let moments = |_| (Mat::zeros(matrix.rows, matrix.columns), Mat::zeros(matrix.rows, matrix.columns));
        let count = |wanted: bool| if wanted { matrix.blocks } else { 0 };
        Some(Spectral {
            optimizer,
            steps: 0,
            momentum: vec![T::zero(); if muon { length } else { 0 }],
            stacked: vec![T::zero(); length],
            out: vec![T::zero(); length],
            sums: (0..count(sums)).map(square).collect(),
            moments: (0..count(optimizer == Optimizer::Soap)).map(moments).collect(),
            matrix,
        })
    }

    /// The direction of the step for the whole tensor; the weight moves by minus the learning rate times it.
    pub fn direction(&mut self, gradient: &[T], clip: T, epsilon: T) -> &[T] {
        self.steps += 1;
        self.stack(gradient, clip);
        let (rows, columns, size) = (self.matrix.rows, self.matrix.columns, self.matrix.size());
        for block in 0..self.matrix.blocks {
            let range = block * size..(block + 1) * size;
            let result = match self.optimizer {
                Optimizer::Shampoo => self.shampoo(block, epsilon.double()),
                Optimizer::Soap => self.soap(block, epsilon.double()),
                _ => {
                    self.remember(range.clone());
                    let mut entries = orthogonal(&self.stacked[range.clone()], rows, columns, epsilon);
                    let factor = T::of(self.factor());
                    entries.iter_mut().for_each(|entry| *entry *= factor);
                    entries
                }
            };
            self.stacked[range].copy_from_slice(&result);
        }
        self.unstack();
        &self.out
    }

    /// Muon's factor of the shape.
    fn factor(&self) -> f64 {
        let (rows, columns) = (self.matrix.rows as f64, self.matrix.columns as f64);
        match self.optimizer {
            Optimizer::MuonJordan => (rows / columns).max(1.0).sqrt(),
            Optimizer::MuonMoonlight => 0.2 * rows.max(columns).sqrt(),
            _ => 1.0,
        }
    }

    fn stack(&mut self, gradient: &[T], clip: T) {
        let (length, [to, from]) = self.matrix.nest.inner();
        let stacked = &mut self.stacked;
        self.matrix.nest.each(|[at, start]| {
            (0..length).for_each(|step| stacked[at + step * to] = clip * gradient[start + step * from]);
        });
    }

    fn unstack(&mut self) {
        let (length, [from, to]) = self.matrix.nest.inner();
        let (stacked, out) = (&self.stacked, &mut self.out);
        self.matrix.nest.each(|[start, at]| {
            (0..length).for_each(|step| out[at + step * to] = stacked[start + step * from]);
        });
    }

    /// Nesterov's momentum, in place of the gradient.
    fn remember(&mut self, range: std::ops::Range<usize>) {
        let memory = T::of(MOMENTUM);
        for (g, m) in self.stacked[range.clone()].iter_mut().zip(&mut self.momentum[range]) {
            *m = memory * *m + *g;
            *g += memory * *m;
        }
    }

    fn block(&self, block: usize) -> Mat<f64> {
        let start = block * self.matrix.size();
        let columns = self.matrix.columns;
        Mat::from_fn(self.matrix.rows, columns, |row, column| {
            self.stacked[start + row * columns + column].double()
        })
    }

    fn flat(&self, matrix: &Mat<f64>) -> Vec<T> {
        let entries =
            (0..matrix.nrows()).flat_map(|row| (0..matrix.ncols()).map(move |column| (row, column)));
        entries.map(|(row, column)| T::of(matrix[(row, column)])).collect()
    }

    fn shampoo(&mut self, block: usize, epsilon: f64) -> Vec<T> {
        let gradient = self.block(block);
        let (left, right) = &mut self.sums[block];
        *left += &gradient * gradient.transpose();
        *right += gradient.transpose() * &gradient;
        let root = |sum: &Mat<f64>| power(sum, -0.25, epsilon);
        let step = root(left) * &gradient * root(right);
        self.flat(&step)
    }

    /// Adam's memories in the basis of the moment are those of the basis now: bases settle after a few steps.
    fn soap(&mut self, block: usize, epsilon: f64) -> Vec<T> {
        const MEMORIES: [f64; 2] = [0.95, 0.95];
        let gradient = self.block(block);
        let (left, right) = &mut self.sums[block];
        let blend = |sum: &Mat<f64>, new: Mat<f64>| {
            sum * faer::Scale(MEMORIES[1]) + new * faer::Scale(1.0 - MEMORIES[1])
        };
        *left = blend(left, &gradient * gradient.transpose());
        *right = blend(right, gradient.transpose() * &gradient);
        let (left, right) = (basis(left), basis(right));
        let turned = left.transpose() * &gradient * &right;
        let steps = self.steps;
        let (first, second) = &mut self.moments[block];
        *first = &*first * faer::Scale(MEMORIES[0]) + &gradient * faer::Scale(1.0 - MEMORIES[0]);
        let squares = Mat::from_fn(turned.nrows(), turned.ncols(), |i, j| turned[(i, j)] * turned[(i, j)]);
        *second = &*second * faer::Scale(MEMORIES[1]) + squares * faer::Scale(1.0 - MEMORIES[1]);
        let mean = left.transpose() * &*first * &right;
        let corrections = MEMORIES.map(|memory| 1.0 - memory.powi(steps));
        // Directions in which there is no gradient but rounding are left alone.
        let largest = second.norm_max().sqrt();
        let floor = (epsilon + 1e-5 * largest).max(f64::MIN_POSITIVE);
        let step = Mat::from_fn(mean.nrows(), mean.ncols(), |i, j| {
            mean[(i, j)] / corrections[0] / ((second[(i, j)] / corrections[1]).sqrt() + floor)
        });
        let step = &left * step * right.transpose();
        self.flat(&step)
    }
}

/// U V^T of the singular value decomposition, by Newton-Schulz steps with Jordan's coefficients: singular values end between 0.7 and 1.2.
fn orthogonal<T: Real>(matrix: &[T], rows: usize, columns: usize, epsilon: T) -> Vec<T> {
    const STEPS: usize = 5;
    let [a, b, c] = [3.4445, -4.775, 2.0315].map(T::of);
    let (wide, long) = (rows.min(columns), rows.max(columns));
    // The short side first, so that the products are small.
    let layout = |row, column| Layout { offset: 0, row, column };
    let own = if rows <= columns { layout(columns, 1) } else { layout(1, columns) };
    let norm = matrix.iter().map(|x| x.double().powi(2)).sum::<f64>().sqrt();
    if norm == 0.0 {
        return vec![T::zero(); matrix.len()];
    }
    let mut x: Vec<T> = matrix.iter().map(|entry| *entry / (T::of(norm) + epsilon)).collect();
    let (mut gram, mut square) = (vec![T::zero(); wide * wide], vec![T::zero(); wide * wide]);
    let mut next = x.clone();
    let flipped = layout(own.column, own.row);
    let small = layout(wide, 1);
    for _ in 0..STEPS {
        multiply((wide, wide, long), (&mut gram, small), (&x, own), (&x, flipped), T::one(), false);
        multiply((wide, wide, wide), (&mut square, small), (&gram, small), (&gram, small), T::one(), false);
        square.iter_mut().zip(&gram).for_each(|(square, gram)| *square = c * *square + b * *gram);
        next.copy_from_slice(&x);
        next.iter_mut().for_each(|entry| *entry *= a);
        multiply((wide, long, wide), (&mut next, own), (&square, small), (&x, own), T::one(), true);
        std::mem::swap(&mut x, &mut next);
    }
    x
}

/// A power of a symmetric matrix on the space where it is not zero.
fn power(matrix: &Mat<f64>, exponent: f64, epsilon: f64) -> Mat<f64> {
    let Ok(found) = matrix.self_adjoint_eigen(Side::Lower) else {
        return Mat::zeros(matrix.nrows(), matrix.ncols());
    };
    let values = found.S().column_vector();
    let largest = (0..values.nrows()).map(|at| values[at]).fold(0.0, f64::max);
    let scaled = |at: usize| {
        let value = values[at];
        if value > 1e-9 * largest { (value + epsilon).powf(exponent) } else { 0.0 }
    };
    let basis = found.U();
    let turned = Mat::from_fn(basis.nrows(), basis.ncols(), |i, j| basis[(i, j)] * scaled(j));
    turned * basis.transpose()
}

/// The eigenvectors of a symmetric matrix.
fn basis(matrix: &Mat<f64>) -> Mat<f64> {
    match matrix.self_adjoint_eigen(Side::Lower) {
        Ok(found) => found.U().to_owned(),
        Err(_) => Mat::identity(matrix.nrows(), matrix.ncols()),
    }
}
