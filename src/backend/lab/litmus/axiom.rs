//! How a model says what it forbids: axioms over relations, and the cycle that
//! violates one.

use std::collections::VecDeque;

use super::execution::Execution;
use super::relation::Relation;

/// A violated axiom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The axiom's name.
    pub axiom: &'static str,
    /// What it says, in words.
    pub meaning: &'static str,
    /// The cycle, where [`Execution::explain`] asks for it: each event, and the
    /// relation that leads to the next.
    pub cycle: Vec<(usize, &'static str)>,
}

/// A name and what it says.
#[derive(Clone, Copy, Debug)]
pub struct Axiom {
    /// The name.
    pub name: &'static str,
    /// In words.
    pub meaning: &'static str,
}

/// Relations with the names under which a cycle shows them.
pub type Parts<'a> = &'a [(&'static str, &'a Relation)];

/// Whether an execution is consistent.
pub type Consistency = Result<(), Violation>;

impl Axiom {
    /// acyclic(union of the parts)
    ///
    /// # Errors
    /// The violation.
    pub fn acyclic(self, x: &Execution, parts: Parts<'_>) -> Consistency {
        let mut all = Relation::empty(x.size());
        for (_, part) in parts {
            all.unite(part);
        }
        if all.is_acyclic() {
            return Ok(());
        }
        let shortest = || {
            let around = all.closure();
            let within = (0..x.size()).filter(|&e| around.contains(e, e));
            within.filter_map(|e| path(x.size(), parts, e, e)).min_by_key(Vec::len)
        };
        Err(self.violated(x, shortest))
    }

    /// irreflexive(first⁺ ; second?), with the parts of either.
    ///
    /// # Errors
    /// The violation.
    pub fn irreflexive(self, x: &Execution, first: Parts<'_>, second: Parts<'_>, whole: &Relation) -> Consistency {
        if whole.is_irreflexive() {
            return Ok(());
        }
        let shortest = || {
            let starts = (0..x.size()).filter(|&a| whole.contains(a, a));
            let pairs = starts.flat_map(|a| (0..x.size()).map(move |b| (a, b)));
            let cycle = |(a, b): (usize, usize)| {
                let mut there = path(x.size(), first, a, b)?;
                if a != b {
                    there.extend(path(x.size(), second, b, a)?);
                }
                Some(there)
            };
            pairs.filter_map(cycle).min_by_key(Vec::len)
        };
        Err(self.violated(x, shortest))
    }

    /// empty(pairs): each of them would close a cycle with `back`.
    ///
    /// # Errors
    /// The violation.
    pub fn empty(self, x: &Execution, pairs: &Relation, forth: &'static str, back: Parts<'_>) -> Consistency {
        if pairs.is_empty() {
            return Ok(());
        }
        let cycle = || {
            pairs.pairs().find_map(|(a, b)| {
                let mut cycle = vec![(a, forth)];
                cycle.extend(path(x.size(), back, a, b)?);
                Some(cycle)
            })
        };
        Err(self.violated(x, cycle))
    }

    fn violated(self, x: &Execution, cycle: impl FnOnce() -> Option<Vec<(usize, &'static str)>>) -> Violation {
        let cycle = if x.explain { cycle().unwrap_or_default() } else { Vec::new() };
        Violation { axiom: self.name, meaning: self.meaning, cycle }
    }
}

/// The shortest way from `from` to `to`, at least one step long: each event on
/// it but the last, with the name of the step that leaves it. Where several
/// parts make the same step the first names it.
fn path(size: usize, parts: Parts<'_>, from: usize, to: usize) -> Option<Vec<(usize, &'static str)>> {
    let mut came: Vec<Option<(usize, &'static str)>> = vec![None; size];
    let mut queue = VecDeque::from([from]);
    while let Some(at) = queue.pop_front() {
        for (name, part) in parts {
            for next in part.row(at).iter() {
                if came[next].is_none() {
                    came[next] = Some((at, name));
                    queue.push_back(next);
                }
            }
        }
        if came[to].is_some() {
            break;
        }
    }
    let mut steps = Vec::new();
    let mut at = to;
    loop {
        let (before, name) = came[at]?;
        steps.push((before, name));
        at = before;
        if at == from {
            steps.reverse();
            return Some(steps);
        }
    }
}
