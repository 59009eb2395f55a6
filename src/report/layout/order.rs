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
    let mut sorter = Sorter { place: vec![0; layered.layer.len()], spine: &layered.spine };
    layers.iter().for_each(|layer| sorter.note(layer));
    let mut best = (crossings(layered, tips, &sorter.place), layers.clone());
    for _ in 0..ROUNDS {
        layers.iter_mut().skip(1).for_each(|layer| sorter.arrange(layer, &above));
        layers.iter_mut().rev().skip(1).for_each(|layer| sorter.arrange(layer, &below));
        let count = crossings(layered, tips, &sorter.place);
        if count < best.0 {
            best = (count, layers.clone());
        }
    }
    best.1
}

/// Sorts layers, one after another.
struct Sorter<'a> {
    /// The place of every node in its layer.
    place: Vec<usize>,
    spine: &'a [bool],
}

impl Sorter<'_> {
    fn note(&mut self, layer: &[usize]) {
        layer.iter().enumerate().for_each(|(at, node)| self.place[*node] = at);
    }

    /// Sorts a layer by the mean place of its neighbours on one side; the spine stays on the left.
    fn arrange(&mut self, layer: &mut Vec<usize>, neighbours: &[Vec<Tip>]) {
        let mut keyed: Vec<(f64, usize)> =
            layer.iter().map(|node| (self.wish(*node, &neighbours[*node]), *node)).collect();
        keyed.sort_by(|left, right| left.0.total_cmp(&right.0));
        *layer = keyed.into_iter().map(|(_, node)| node).collect();
        self.note(layer);
    }

    fn wish(&self, node: usize, neighbours: &[Tip]) -> f64 {
        if self.spine[node] {
            return -1.0;
        }
        if neighbours.is_empty() {
            return self.place[node] as f64;
        }
        let sum: f64 = neighbours.iter().map(|(other, tip)| self.place[*other] as f64 + tip * 0.9).sum();
        sum / neighbours.len() as f64
    }
}

/// How many pairs of edges cross (Barth, Jünger & Mutzel 2004: inversions, counted with a binary indexed tree).
fn crossings(layered: &Layered, tips: &[(f64, f64)], place: &[usize]) -> usize {
    let mut between = vec![Vec::new(); layered.count];
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
