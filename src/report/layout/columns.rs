//! Horizontal places: every layer in turn is moved as near as possible to its neighbours, in the sense of least squares, without
//! changing its order. That is an isotonic regression, solved exactly by pooling adjacent violators.

/// A node, as far as its horizontal place goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Column {
    /// Its width.
    pub width: f64,
    /// A bend or port: it wants to be straight above its neighbours more than others do.
    pub thin: bool,
    /// The fixed place of its left edge, if it stands on the spine.
    pub fixed: Option<f64>,
}

/// An edge, as far as horizontal places go: where it ends, from the left edges of its nodes.
#[derive(Clone, Copy, Debug)]
pub struct Tie {
    pub from: usize,
    pub from_at: f64,
    pub to: usize,
    pub to_at: f64,
}

/// A wish: to stand here, this much.
type Wish = (f64, f64);

/// The left edge of every node.
pub fn columns(columns: &[Column], ties: &[Tie], layers: &[Vec<usize>]) -> Vec<f64> {
    let mut ties_above = vec![Vec::new(); columns.len()];
    let mut ties_below = vec![Vec::new(); columns.len()];
    for tie in ties {
        ties_above[tie.to].push(*tie);
        ties_below[tie.from].push(*tie);
    }
    let ties = Ties { above: ties_above, below: ties_below, columns };
    let mut left = vec![0.0; columns.len()];
    layers.iter().for_each(|layer| settle(layer, columns, &mut left, |_, _| Vec::new()));
    for _ in 0..4 {
        layers
            .iter()
            .for_each(|layer| settle(layer, columns, &mut left, |node, left| ties.upper(node, left)));
        layers
            .iter()
            .rev()
            .for_each(|layer| settle(layer, columns, &mut left, |node, left| ties.lower(node, left)));
    }
    let both = |node: usize, left: &[f64]| [ties.upper(node, left), ties.lower(node, left)].concat();
    layers.iter().for_each(|layer| settle(layer, columns, &mut left, both));
    layers.iter().rev().for_each(|layer| settle(layer, columns, &mut left, both));
    layers.iter().for_each(|layer| settle(layer, columns, &mut left, |node, left| ties.straight(node, left)));
    left
}

/// The edges of every node, upwards and downwards.
struct Ties<'a> {
    above: Vec<Vec<Tie>>,
    below: Vec<Vec<Tie>>,
    columns: &'a [Column],
}

impl Ties<'_> {
    /// How much an edge wants to be straight: the longer the more, and hardly if it leads to the spine, which is straight already.
    fn weight(&self, tie: &Tie) -> f64 {
        let (from, to) = (&self.columns[tie.from], &self.columns[tie.to]);
        match (from.thin, to.thin) {
            _ if from.fixed.is_some() || to.fixed.is_some() => 0.1,
            (true, true) => 8.0,
            (true, false) | (false, true) => 1.0,
            (false, false) => 2.0,
        }
    }

    fn upper(&self, node: usize, left: &[f64]) -> Vec<Wish> {
        let wish = |tie: &Tie| (left[tie.from] + tie.from_at - tie.to_at, self.weight(tie));
        self.above[node].iter().map(wish).collect()
    }

    fn lower(&self, node: usize, left: &[f64]) -> Vec<Wish> {
        let wish = |tie: &Tie| (left[tie.to] + tie.to_at - tie.from_at, self.weight(tie));
        self.below[node].iter().map(wish).collect()
    }

    /// The wishes of the last walk: to be straight below what is above, else above what is below.
    fn straight(&self, node: usize, left: &[f64]) -> Vec<Wish> {
        let (mut upper, lower) = (self.upper(node, left), self.lower(node, left));
        let strong = |wishes: &[Wish]| wishes.iter().any(|wish| wish.1 >= 1.0);
        if strong(&upper) || !strong(&lower) {
            upper.iter_mut().for_each(|wish| wish.1 *= 8.0);
            return upper;
        }
        lower
    }
}

/// Moves one layer to where its nodes wish to be.
fn settle(
    layer: &[usize],
    columns: &[Column],
    left: &mut [f64],
    wishes: impl Fn(usize, &[f64]) -> Vec<Wish>,
) {
    const FIXED: f64 = 1e9;
    let mut wanted: Vec<Wish> = Vec::with_capacity(layer.len());
    let mut before = Vec::with_capacity(layer.len());
    let mut taken = 0.0;
    for (at, node) in layer.iter().enumerate() {
        if at > 0 {
            taken += space(&columns[layer[at - 1]], &columns[*node]);
        }
        before.push(taken);
        let (place, weight) = match columns[*node].fixed {
            Some(place) => (place, FIXED),
            None => median(wishes(*node, left)).unwrap_or((left[*node], 0.01)),
        };
        wanted.push((place - taken, weight));
    }
    for ((node, place), taken) in layer.iter().zip(isotonic(&wanted)).zip(before) {
        left[*node] = place + taken;
    }
}

/// From the left edge of one to that of the next.
fn space(left: &Column, right: &Column) -> f64 {
    let gap = if left.thin || right.thin { 0.7 * super::GAP } else { super::GAP };
    left.width + gap
}

/// The weighted median (of two in the middle, their mean) with the whole weight.
fn median(mut wishes: Vec<Wish>) -> Option<Wish> {
    wishes.sort_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = wishes.iter().map(|wish| wish.1).sum();
    let mut seen = 0.0;
    for (at, (place, weight)) in wishes.iter().enumerate() {
        seen += weight;
        if 2.0 * seen == total {
            let next = wishes.get(at + 1).map_or(*place, |wish| wish.0);
            return Some(((place + next) / 2.0, total));
        }
        if 2.0 * seen > total {
            return Some((*place, total));
        }
    }
    None
}

/// The increasing numbers nearest to the wanted ones.
fn isotonic(wanted: &[Wish]) -> Vec<f64> {
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (place, weight) in wanted {
        let mut pool = (*place, *weight, 1);
        while let Some(last) = pools.last().filter(|last| last.0 > pool.0) {
            let weight = last.1 + pool.1;
            pool = ((last.0 * last.1 + pool.0 * pool.1) / weight, weight, last.2 + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    pools.into_iter().flat_map(|(place, _, count)| std::iter::repeat_n(place, count)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pooling_keeps_the_order_and_the_mean() {
        assert_eq!(isotonic(&[(1.0, 1.0), (5.0, 1.0), (3.0, 1.0), (9.0, 2.0)]), [1.0, 4.0, 4.0, 9.0]);
    }

    #[test]
    fn a_fixed_column_does_not_give_way() {
        let fixed = Column { width: 10.0, fixed: Some(0.0), ..Column::default() };
        let free = Column { width: 50.0, ..Column::default() };
        let left = columns(&[fixed, free], &[], &[vec![0, 1]]);
        assert!(left[0].abs() < 1e-6 && left[1] >= 10.0 + super::super::GAP - 1e-6, "{left:?}");
    }
}
