//! Softmax of random scores: what draws of two rows of scores make of the kernels of the values.
//!
//! With p the softmax of a row of scores at x and p' that of one at x', heads that are many give the covariance E[p' K p], K that of the values. The
//! tangent is E[p' T p] with the values' tangent T, and the sum over pairs of scores of their tangent G times E[J K J'], J = diag(p) - p p
//! (Hron et al. 2020, "Infinite attention: NNGP and NTK for deep attention networks", arXiv 2006.10540).

/// Softmax over the Gaussians of every draw, in place: (Gaussians) x (draws).
pub(super) fn softmax(scores: &mut [f64], count: usize) {
    let mut most = vec![f64::NEG_INFINITY; count];
    for row in scores.chunks_exact(count) {
        most.iter_mut().zip(row).for_each(|(most, own)| *most = most.max(*own));
    }
    let mut sums = vec![0.0; count];
    for row in scores.chunks_exact_mut(count) {
        for ((own, most), sum) in row.iter_mut().zip(&most).zip(&mut sums) {
            *own = (*own - most).exp();
            *sum += *own;
        }
    }
    for row in scores.chunks_exact_mut(count) {
        row.iter_mut().zip(&sums).for_each(|(own, sum)| *own /= sum);
    }
}

/// Kernels behind two rows: (entries of the row at x) x (those at x').
#[derive(Debug, Default)]
pub(super) struct Behind {
    /// Covariances of the values.
    pub values: Vec<f64>,
    /// Tangents of the values; empty if no tangent is asked for.
    pub tangents: Vec<f64>,
    /// Tangents of the scores; empty as well.
    pub scores: Vec<f64>,
}

/// Room for sums over draws.
#[derive(Debug, Default)]
pub(super) struct Room {
    by_values: Vec<f64>,
    by_scores: Vec<f64>,
    totals: [Vec<f64>; 2],
}

/// Adds up rows of a table with factors.
#[inline(always)]
fn combined(table: &[f64], count: usize, factors: impl Iterator<Item = f64>, out: &mut Vec<f64>) {
    out.clear();
    out.resize(count, 0.0);
    for (row, factor) in table.chunks_exact(count).zip(factors) {
        out.iter_mut().zip(row).for_each(|(out, own)| *out += factor * own);
    }
}

/// The covariance of two mixtures whose weights are `one` at x and `two` at x', (entries) x (draws), and its tangent, if it is asked for.
pub(super) fn mixed(
    (one, two): (&[f64], &[f64]),
    count: usize,
    behind: &Behind,
    room: &mut Room,
) -> (f64, f64) {
    let mut found = (0.0, 0.0);
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            found.0 = value(one, two, count, behind, room);
            if !behind.tangents.is_empty() {
                found.1 = tangent(one, two, count, behind, room);
            }
        },
    );
    found
}

#[inline(always)]
fn mean(one: &[f64], two: &[f64]) -> f64 {
    crate::numeric::linear::dot(one, two) / one.len() as f64
}

#[inline(always)]
fn value(one: &[f64], two: &[f64], count: usize, behind: &Behind, room: &mut Room) -> f64 {
    let columns = two.len() / count;
    let mut sum = 0.0;
    for (own, values) in one.chunks_exact(count).zip(behind.values.chunks_exact(columns)) {
        combined(two, count, values.iter().copied(), &mut room.by_values);
        sum += mean(own, &room.by_values);
    }
    sum
}

/// With K, T and G the three kernels behind: p' (T + G K) p, less what the normalization takes away, sum by sum of J K J' = (pp')(K - K p' - p K + p K p').
#[inline(always)]
fn tangent(one: &[f64], two: &[f64], count: usize, behind: &Behind, room: &mut Room) -> f64 {
    let columns = two.len() / count;
    let Room { by_values, by_scores, totals } = room;
    totals.iter_mut().for_each(|total| {
        total.clear();
        total.resize(count, 0.0);
    });
    let mut sum = 0.0;
    for (at, own) in one.chunks_exact(count).enumerate() {
        let row = at * columns..(at + 1) * columns;
        let (values, scores) = (&behind.values[row.clone()], &behind.scores[row.clone()]);
        let whole = behind.tangents[row].iter().zip(values).zip(scores);
        combined(two, count, whole.map(|((tangent, value), score)| tangent + value * score), by_values);
        sum += mean(own, by_values);
        combined(two, count, values.iter().copied(), by_values);
        combined(two, count, scores.iter().copied(), by_scores);
        sum -= shares(own, by_values, by_scores);
        for (total, part) in totals.iter_mut().zip([&*by_values, &*by_scores]) {
            total.iter_mut().zip(own.iter().zip(part)).for_each(|(total, (own, part))| *total += own * part);
        }
    }
    sum += mean(&totals[0], &totals[1]);
    for (at, own) in two.chunks_exact(count).enumerate() {
        let column = |kernel: &[f64]| kernel.iter().skip(at).step_by(columns).copied().collect::<Vec<f64>>();
        combined(one, count, column(&behind.values).into_iter(), by_values);
        combined(one, count, column(&behind.scores).into_iter(), by_scores);
        sum -= shares(own, by_values, by_scores);
    }
    sum
}

/// The mean of a product of three.
#[inline(always)]
fn shares(own: &[f64], one: &[f64], two: &[f64]) -> f64 {
    own.iter().zip(one).zip(two).map(|((own, one), two)| own * one * two).sum::<f64>() / own.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two draws of three and two scores, against sums written out with Jacobians.
    #[test]
    fn mixtures_are_those_of_jacobians() {
        let count = 2;
        let mut one = vec![0.3, -1.0, 0.2, 2.0, -0.7, 0.1];
        let mut two = vec![1.0, 0.5, -0.4, 0.9];
        softmax(&mut one, count);
        softmax(&mut two, count);
        let behind = Behind {
            values: vec![1.0, 0.2, -0.3, 0.8, 0.5, 0.1],
            tangents: vec![2.0, 0.1, 0.4, 1.5, -0.2, 0.6],
            scores: vec![0.7, -0.1, 0.3, 0.9, 0.2, 1.1],
        };
        let (mut value, mut tangent) = (0.0, 0.0);
        for draw in 0..count {
            let p = |at: usize| one[at * count + draw];
            let q = |at: usize| two[at * count + draw];
            let slope = |of: &dyn Fn(usize) -> f64, at: usize, by: usize| {
                of(at) * (f64::from(u8::from(at == by)) - of(by))
            };
            for (u, v) in (0..3).flat_map(|u| [(u, 0), (u, 1)]) {
                value += p(u) * q(v) * behind.values[2 * u + v] / 2.0;
                tangent += p(u) * q(v) * behind.tangents[2 * u + v] / 2.0;
                for (i, j) in (0..3).flat_map(|i| [(i, 0), (i, 1)]) {
                    let slopes = slope(&p, u, i) * slope(&q, v, j);
                    tangent += slopes * behind.values[2 * u + v] * behind.scores[2 * i + j] / 2.0;
                }
            }
        }
        let found = mixed((&one, &two), count, &behind, &mut Room::default());
        assert!((found.0 - value).abs() < 1e-14 && (found.1 - tangent).abs() < 1e-14, "{found:?}");
    }
}
