//! Which of equally large terms explains a size, where a repetition leads an explanation back to what it explains.
//!
//! A state that starts at zero has the size of what each step adds to it. But to say that it has this size because the step before
//! left it would be as true, and explain nothing. Sizes grow from nothing, so that every one has a term all of whose premises were
//! there before it; such a term is found by going from the sizes that need no premises to those that rest on them.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Goals, each with the premises of its largest terms, in order.
pub type Alternatives<G> = Vec<(G, Vec<Vec<G>>)>;

/// In which order goals can be reached, each resting on earlier ones only. Goals that nothing grounds have no place.
pub fn order<G: Copy + Eq + Hash>(alternatives: &[(G, Vec<Vec<G>>)]) -> HashMap<G, usize> {
    let mut missing: HashMap<(G, usize), usize> = HashMap::new();
    let mut users: HashMap<G, Vec<(G, usize)>> = HashMap::new();
    let mut ready = VecDeque::new();
    for (goal, terms) in alternatives {
        for (at, premises) in terms.iter().enumerate() {
            missing.insert((*goal, at), premises.len());
            premises.iter().for_each(|premise| users.entry(*premise).or_default().push((*goal, at)));
        }
        if terms.is_empty() || terms.iter().any(Vec::is_empty) {
            ready.push_back(*goal);
        }
    }
    let mut order = HashMap::new();
    while let Some(goal) = ready.pop_front() {
        let next = order.len();
        if *order.entry(goal).or_insert(next) != next {
            continue;
        }
        for user in users.remove(&goal).unwrap_or_default() {
            let left = missing.entry(user).or_insert(0);
            *left = left.saturating_sub(1);
            if *left == 0 {
                ready.push_back(user.0);
            }
        }
    }
    order
}

/// The first term that rests on earlier goals only.
pub fn first_grounded<G: Copy + Eq + Hash>(
    goal: G,
    terms: &[Vec<G>],
    order: &HashMap<G, usize>,
) -> Option<usize> {
    let own = order.get(&goal)?;
    let earlier = |premise: &G| order.get(premise).is_some_and(|place| place < own);
    terms.iter().position(|premises| premises.iter().all(earlier))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state `s` rests on itself or on what a step adds, `a`; `a` rests on data.
    #[test]
    fn a_loop_is_grounded_by_what_enters_it() {
        let alternatives: Alternatives<char> = [
            ('s', vec![vec!['c', 'd'], vec!['a']]),
            ('c', vec![vec!['s']]),
            ('a', vec![vec!['d']]),
            ('d', vec![]),
            ('x', vec![vec!['y']]),
            ('y', vec![vec!['x']]),
        ]
        .into();
        let terms = |goal| &alternatives.iter().find(|(own, _)| *own == goal).unwrap().1;
        let order = order(&alternatives);
        assert_eq!(first_grounded('s', terms('s'), &order), Some(1));
        assert_eq!(first_grounded('c', terms('c'), &order), Some(0));
        assert_eq!(first_grounded('x', terms('x'), &order), None);
        assert!(order[&'d'] < order[&'a'] && order[&'a'] < order[&'s'] && order[&'s'] < order[&'c']);
    }
}
