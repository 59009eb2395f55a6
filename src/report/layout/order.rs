//! The order of things within a layer: few crossings, by barycenters (Sugiyama, Tagawa & Toda 1981).

use super::layers::Layered;

/// How often the layers are walked down and up.
const ROUNDS: usize = 6;

/// An end of an edge: a node, and where on it (from 0, left, to 1, right).
pub type Tip = (usize, f64);

/// The nodes of every layer from left to right. `tips` tells for every edge where on its nodes it ends.
pub fn order(layered: &Layered, tips: &[(f64, f64)]) -> Vec<Vec<usize>> {
    let mut layers = vec![Vec::new(); layered.count];
    (0..layered.layer.len()).for_each(|node| layers[layered.layer[node]].push(node));
    let mut above: Vec<Vec<Tip>> = vec![Vec::new(); layered.layer.len()];
    let mut below = above.clone();
    for (edge, (from, to)) in layered.edges.iter().zip(tips) {
        above[edge.to].push((edge.from, *from));
        below[edge.from].push((edge.to, *to));
    }
    for layer in &mut layers {
        layer.sort_by_key(|node| !layered.spine[*node]);
    }
    let mut best = (crossings(layered, tips, &layers), layers.clone());
    for _ in 0..ROUNDS {
        for at in 1..layers.len() {
            arrange(&mut layers, at, at - 1, &above, &layered.spine);
        }
        for at in (1..layers.len()).rev() {
            arrange(&mut layers, at - 1, at, &below, &layered.spine);
        }
        let count = crossings(layered, tips, &layers);
        if count < best.0 {
            best = (count, layers.clone());
        }
    }
    best.1
}

/// Sorts a layer by the mean place of its neighbours in `fixed`; the spine stays on the left.
fn arrange(layers: &mut [Vec<usize>], at: usize, fixed: usize, neighbours: &[Vec<Tip>], spine: &[bool]) {
    let place = places(&layers[fixed]);
    let mut keyed: Vec<(f64, usize)> = Vec::with_capacity(layers[at].len());
    for (own, node) in layers[at].iter().enumerate() {
        let known: Vec<f64> =
            neighbours[*node].iter().map(|(other, tip)| place(*other) + tip * 0.9).collect();
        let mean = if known.is_empty() { own as f64 } else { known.iter().sum::<f64>() / known.len() as f64 };
        keyed.push((if spine[*node] { -1.0 } else { mean }, *node));
    }
    keyed.sort_by(|left, right| left.0.total_cmp(&right.0));
    layers[at] = keyed.into_iter().map(|(_, node)| node).collect();
}

/// The place of every node of a layer.
fn places(layer: &[usize]) -> impl Fn(usize) -> f64 + use<> {
    let place: std::collections::HashMap<usize, usize> =
        layer.iter().enumerate().map(|(at, node)| (*node, at)).collect();
    move |node| place.get(&node).map_or(0.0, |at| *at as f64)
}

/// How many pairs of edges cross (Barth, Jünger & Mutzel 2004: inversions, counted with a binary indexed tree).
fn crossings(layered: &Layered, tips: &[(f64, f64)], layers: &[Vec<usize>]) -> usize {
    let mut place = vec![0usize; layered.layer.len()];
    for layer in layers {
        layer.iter().enumerate().for_each(|(at, node)| place[*node] = at);
    }
    let mut between = vec![Vec::new(); layers.len()];
    for (edge, (from, to)) in layered.edges.iter().zip(tips) {
        let ends = (place[edge.from] as f64 + from * 0.9, place[edge.to] as f64 + to * 0.9);
        between[layered.layer[edge.from]].push(ends);
    }
    between.into_iter().map(inversions).sum()
}

fn inversions(mut ends: Vec<(f64, f64)>) -> usize {
    ends.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let mut places: Vec<f64> = ends.iter().map(|(_, to)| *to).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    let mut tree = vec![0usize; places.len() + 1];
    let mut count = 0;
    for (seen, (_, to)) in ends.iter().enumerate() {
        let rank = places.partition_point(|place| place < to) + 1;
        let mut at = rank;
        let mut smaller = 0;
        while at > 0 {
            smaller += tree[at];
            at &= at - 1;
        }
        count += seen - smaller;
        at = rank;
        while at < tree.len() {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    count
}
