//! Loops that are not called deadlocks, and who may yet end them.
//!
//! ```text
//! worker of A ──pipe──► B ──pipe──► A ──any of its threads──┬─► worker of A   a loop
//!                                                            └─► main of A     beside it
//! ```
//!
//! Whoever is beside a loop and sleeps until something happens is not seen to end it, only
//! not ruled out.

use super::{Graph, Node, is_asleep};
use crate::model::graph::{ThreadId, Verdict};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// Threads that cannot go on as far as is seen, and who may yet act all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The threads.
    pub threads: Vec<ThreadId>,
    /// Whether they wait for each other.
    pub is_loop: bool,
    /// One beside them that may act, or one of them whose wait somebody unseen may end.
    pub by: ThreadId,
}

/// A loop that somebody may end.
pub(super) struct Open {
    /// Its threads.
    threads: Vec<usize>,
    /// Other threads of the processes in it.
    beside: Vec<usize>,
}

impl Graph {
    /// The loops whose threads wait for nobody outside of them, for ever, as far as is seen,
    /// and where nobody beside them runs.
    pub(super) fn open_loops(&mut self, nodes: &[Node<'_>]) -> Vec<Open> {
        let mut found = Vec::new();
        for mut part in self.strong_parts(&vec![false; self.to.len()]) {
            let inside = |at: &usize| part.binary_search(at).is_ok();
            // The threads come first.
            let threads = part.partition_point(|&at| at < nodes.len());
            let is_closed = |&at: &usize| is_closed(&nodes[at]) && !self.stranger[at] && self.to[at].iter().all(inside);
            if part.len() < 2 || !part[..threads].iter().all(is_closed) {
                continue;
            }
            let mut beside = Vec::new();
            for &process in &part[threads..] {
                beside.extend(self.to[process].iter().copied().filter(|at| !inside(at)));
            }
            if beside.iter().any(|&at| nodes[at].wait.is_none() || !nodes[at].settled) {
                continue;
            }
            for &at in &beside {
                self.quiet[at] = nodes[at].wait.is_some_and(|wait| !wait.timed && wait.holders.is_empty());
            }
            part.truncate(threads);
            found.push(Open { threads: part, beside });
        }
        found
    }

    /// Who may yet act, of all whom nobody is seen to free.
    pub(super) fn doubts(
        &self,
        loops: Vec<Open>,
        nodes: &[Node<'_>],
        may: &[bool],
        verdicts: &[Verdict],
    ) -> Vec<Doubt> {
        let mut found = Vec::new();
        let acts = |at: &usize| acts(nodes, may, *at);
        for Open { mut threads, beside } in loops {
            threads.retain(|&at| may[at]);
            let unseen = || threads.iter().copied().find(|&at| nodes[at].wait.is_some_and(is_unseen));
            let helper = || threads.iter().find_map(|&at| self.helper_of(at, nodes, may));
            if let Some(by) = beside.iter().copied().find(acts).or_else(unseen).or_else(helper) {
                found.push(doubt(nodes, &threads, true, by));
            }
        }
        for (at, _) in verdicts.iter().enumerate().filter(|(_, verdict)| **verdict == Verdict::Unknown) {
            let to = &self.to[at];
            if !to.is_empty()
                && !self.stranger[at]
                && to.iter().all(|&to| !may[to])
                && let Some(by) = self.helper_of(at, nodes, may)
            {
                found.push(doubt(nodes, &[at], false, by));
            }
        }
        found
    }

    /// One who holds nothing of what a thread waits for, and may end its wait all the same.
    fn helper_of(&self, thread: usize, nodes: &[Node<'_>], may: &[bool]) -> Option<usize> {
        for helper in nodes.len()..self.to.len() {
            if self.helps[helper].contains(&thread) {
                for &by in &self.to[helper] {
                    if by != thread && acts(nodes, may, by) {
                        return Some(by);
                    }
                }
            }
        }
        None
    }
}

/// Whether a thread may do something before its own process has.
fn acts(nodes: &[Node<'_>], may: &[bool], at: usize) -> bool {
    may[at] && !is_asleep(&nodes[at])
}

fn doubt(nodes: &[Node<'_>], threads: &[usize], is_loop: bool, by: usize) -> Doubt {
    Doubt { threads: threads.iter().map(|&at| nodes[at].id).collect(), is_loop, by: nodes[by].id }
}

/// Whether a thread waits for others for ever, as far as is seen; but for one that waits for
/// any of several, where somebody unseen may always be one more.
fn is_closed(node: &Node<'_>) -> bool {
    use WaitKind::{Epoll, IoUring, Poll, Select};
    node.settled
        && node.wait.is_some_and(|wait| {
            let several = matches!(wait.kind, Poll | Select | Epoll | IoUring);
            !(wait.timed || wait.orphaned || several && is_unseen(wait))
        })
}

fn is_unseen(wait: &Wait) -> bool {
    wait.partial || wait.certainty == Certainty::Unknown
}
