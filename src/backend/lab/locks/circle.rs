//! Circles among the orders in which locks are taken: whoever takes a lock while
//! holding another adds an edge from the one to the other, and a circle of edges
//! means that threads can wait in a circle, if they come at the wrong time,
//! whether or not they ever have. (I. Molnar, A. van de Ven: lockdep, Linux
//! 2.6.18, 2006.)

use std::collections::BTreeSet;

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

/// A shortest circle, if there is any: nodes each of which has an edge to the
/// next, the last to the first.
pub(super) fn shortest(edges: &BTreeSet<(usize, usize)>) -> Option<Vec<usize>> {
    let around = edges.iter().filter_map(|&(from, to)| path(edges, to, from));
    // It begins with `to`, and ends with `from`, which has an edge to it.
    around.min_by_key(Vec::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_circle_is_found() {
        let line = BTreeSet::from([(0, 1), (1, 2), (0, 2)]);
        assert_eq!(shortest(&line), None);
        assert_eq!(path(&line, 0, 2), Some(vec![0, 2]));
        let both = BTreeSet::from([(0, 1), (1, 2), (2, 0), (5, 6), (6, 5)]);
        assert_eq!(shortest(&both), Some(vec![6, 5]));
        assert_eq!(shortest(&BTreeSet::from([(3, 3)])), Some(vec![3]), "a lock taken while it is held");
    }
}
