//! Circles among the orders in which locks are taken: whoever takes a lock while
//! holding another adds an edge from the one to the other, and a circle of edges
//! means that threads can wait in a circle, if they come at the wrong time,
//! whether or not they ever have. (I. Molnar, A. van de Ven: lockdep, Linux
//! 2.6.18, 2006.)

use std::collections::BTreeSet;

use crate::model::sorting;

/// A shortest path over the edges, both ends included.
pub(super) fn path(edges: &BTreeSet<(usize, usize)>, from: usize, to: usize) -> Option<Vec<usize>> {
    let mut paths = vec![vec![from]];
    let mut seen = BTreeSet::from([from]);
    while !paths.is_empty() {
        let mut longer = Vec::new();
        for path in paths {
            let last = *path.last()?;
            if last == to {
                return Some(path);
            }
            for &(_, next) in edges.range((last, 0)..=(last, usize::MAX)) {
                if seen.insert(next) {
                    longer.push(path.iter().copied().chain([next]).collect());
                }
            }
        }
        paths = longer;
    }
    None
}

/// For each edge a shortest circle through it, if there is any, the shortest of
/// all first: nodes each of which has an edge to the next, the last to the first.
pub(super) fn circles(edges: &BTreeSet<(usize, usize)>) -> Vec<Vec<usize>> {
    // It begins with `to`, and ends with `from`, which has an edge to it.
    let mut circles: Vec<_> = edges.iter().filter_map(|&(from, to)| path(edges, to, from)).collect();
    sorting::by_key(&mut circles, Vec::len);
    circles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_circle_comes_first() {
        let line = BTreeSet::from([(0, 1), (1, 2), (0, 2)]);
        assert!(circles(&line).is_empty());
        assert_eq!(path(&line, 0, 2), Some(vec![0, 2]));
        let both = BTreeSet::from([(0, 1), (1, 2), (2, 0), (5, 6), (6, 5)]);
        assert_eq!(circles(&both)[0], [6, 5]);
        assert_eq!(circles(&BTreeSet::from([(3, 3)])), [[3]], "a lock taken while it is held");
    }
}
