//! The loops among those that can never go on: strongly connected parts.

use super::{Graph, Node};
use crate::model::graph::{Deadlock, ThreadId, Verdict};
use crate::model::sorting;
use crate::model::wait::Certainty;

impl Graph {
    /// The strongly connected parts of those that are not able, and who is
    /// behind each.
    pub(super) fn deadlocks(&self, nodes: &[Node<'_>], may: &[bool], verdicts: &mut [Verdict]) -> Vec<Deadlock> {
        let mut found = Vec::new();
        for part in self.strong_parts(may) {
            let loops = part.len() > 1 || part.iter().any(|&at| self.to[at].contains(&at));
            let mut threads: Vec<usize> = part.iter().copied().filter(|&at| at < nodes.len()).collect();
            if !loops || threads.is_empty() {
                continue;
            }
            sorting::by_key(&mut threads, |&at| nodes[at].id);
            for &at in &threads {
                verdicts[at] = Verdict::Deadlocked;
            }
            let certainties = threads.iter().filter_map(|&at| nodes[at].wait.map(|wait| wait.certainty));
            found.push(Deadlock {
                cycle: self.walk(&threads, &part, nodes.len()).into_iter().map(|at| nodes[at].id).collect(),
                stuck: self.behind(&part, may, nodes),
                certainty: certainties.max().unwrap_or(Certainty::Unknown),
            });
        }
        sorting::by(&mut found, |a, b| a.cycle.cmp(&b.cycle));
        found
    }

    /// The threads of a part in the order in which one waits for the next, from
    /// the first on; where it is more than one loop, the others behind.
    fn walk(&self, threads: &[usize], part: &[usize], nodes: usize) -> Vec<usize> {
        let mut order: Vec<usize> = Vec::with_capacity(threads.len());
        let mut seen = vec![false; part.iter().max().map_or(0, |last| last + 1)];
        for &start in threads {
            let mut at = Some(start);
            while let Some(here) = at.filter(|&here| !std::mem::replace(&mut seen[here], true)) {
                if here < nodes {
                    order.push(here);
                }
                at = self.to[here].iter().copied().find(|&next| part.binary_search(&next).is_ok() && !seen[next]);
            }
        }
        order
    }

    /// A part and all who are stuck behind it, by id.
    fn behind(&self, part: &[usize], may: &[bool], nodes: &[Node<'_>]) -> Vec<ThreadId> {
        let mut reached = vec![false; self.to.len()];
        let mut new: Vec<usize> = part.to_vec();
        for &at in part {
            reached[at] = true;
        }
        while let Some(at) = new.pop() {
            for &waiter in &self.from[at] {
                if !may[waiter] && !std::mem::replace(&mut reached[waiter], true) {
                    new.push(waiter);
                }
            }
        }
        let mut ids: Vec<ThreadId> = (0..nodes.len()).filter(|&at| reached[at]).map(|at| nodes[at].id).collect();
        sorting::by(&mut ids, Ord::cmp);
        ids
    }

    /// Tarjan's algorithm among those that are not able, with a stack of its own:
    /// a chain may be longer than a thread's. Each part is sorted.
    pub(super) fn strong_parts(&self, may: &[bool]) -> Vec<Vec<usize>> {
        const NEW: usize = usize::MAX;
        let count = self.to.len();
        let (mut index, mut low) = (vec![NEW; count], vec![0; count]);
        let mut on_stack = vec![false; count];
        let (mut stack, mut parts, mut next) = (Vec::new(), Vec::new(), 0);
        let mut path: Vec<(usize, usize)> = Vec::new();
        for root in (0..count).filter(|&at| !may[at]) {
            if index[root] != NEW {
                continue;
            }
            path.push((root, 0));
            while let Some(&mut (at, ref mut edge)) = path.last_mut() {
                if *edge == 0 && index[at] == NEW {
                    (index[at], low[at]) = (next, next);
                    next += 1;
                    stack.push(at);
                    on_stack[at] = true;
                }
                let onward = self.to[at].get(*edge).copied();
                *edge += 1;
                match onward {
                    Some(holder) if may[holder] => {}
                    Some(holder) if index[holder] == NEW => path.push((holder, 0)),
                    Some(holder) if on_stack[holder] => low[at] = low[at].min(index[holder]),
                    Some(_) => {}
                    None => {
                        path.pop();
                        if let Some(&(before, _)) = path.last() {
                            low[before] = low[before].min(low[at]);
                        }
                        if low[at] == index[at] {
                            let from = stack.iter().rposition(|&other| other == at).unwrap_or(0);
                            let mut part = stack.split_off(from);
                            for &member in &part {
                                on_stack[member] = false;
                            }
                            part.sort_unstable();
                            parts.push(part);
                        }
                    }
                }
            }
        }
        parts
    }
}
