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
use crate::model::sorting;
use crate::model::wait::{Certainty, Wait, WaitKind};

/// Threads that cannot go on as far as is seen, and who may yet act all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// The threads, by id.
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
    /// Processes that hold nothing of it, and may end a wait all the same.
    helpers: Vec<usize>,
}

impl Graph {
    /// The loops whose threads wait for nobody outside of them, for ever, as far as is seen,
    /// and where nobody beside them runs.
    pub(super) fn open_loops(&mut self, nodes: &[Node<'_>]) -> Vec<Open> {
        let mut found = Vec::new();
        for part in self.strong_parts(&vec![false; self.to.len()]) {
            let inside = |at: &usize| part.binary_search(at).is_ok();
            let (threads, processes): (Vec<usize>, Vec<usize>) = part.iter().partition(|&&at| at < nodes.len());
            let closed = |&at: &usize| is_closed(&nodes[at]) && !self.stranger[at] && self.to[at].iter().all(inside);
            if part.len() < 2 || !threads.iter().all(closed) {
                continue;
            }
            let of_processes = processes.iter().flat_map(|&process| self.to[process].iter().copied());
            let beside: Vec<usize> = of_processes.filter(|at| !inside(at)).collect();
            if beside.iter().any(|&at| nodes[at].wait.is_none() || !nodes[at].settled) {
                continue;
            }
            for &at in &beside {
                self.quiet[at] = nodes[at].wait.is_some_and(|wait| !wait.timed && wait.holders.is_empty());
            }
            let helps = |&helper: &usize| self.helps[helper].iter().any(inside);
            let helpers = (nodes.len()..self.to.len()).filter(helps).filter(|at| !inside(at)).collect();
            found.push(Open { threads, beside, helpers });
        }
        found
    }

    /// Those behind a loop that somebody may free who holds nothing of it.
    pub(super) fn outsiders(&self, nodes: &[Node<'_>], may: &[bool], verdicts: &[Verdict]) -> Vec<Doubt> {
        let held = |at: usize| !self.to[at].is_empty() && !self.stranger[at] && self.to[at].iter().all(|&to| !may[to]);
        let is_behind = |&at: &usize| verdicts[at] == Verdict::Unknown && held(at);
        let mut found = Vec::new();
        for helper in nodes.len()..self.to.len() {
            for at in self.helps[helper].iter().copied().filter(is_behind) {
                let by = self.to[helper].iter().find(|&&by| by != at && acts(nodes, may, by));
                found.extend(by.map(|&by| Doubt { threads: vec![nodes[at].id], is_loop: false, by: nodes[by].id }));
            }
        }
        found
    }

    /// Who may end a loop, if it is no deadlock.
    pub(super) fn doubt(&self, open: &Open, nodes: &[Node<'_>], may: &[bool]) -> Option<Doubt> {
        let able = || open.threads.iter().filter(|&&at| may[at]);
        let of_helpers = || open.helpers.iter().flat_map(|&helper| &self.to[helper]);
        let unseen = || able().find(|&&at| nodes[at].wait.is_some_and(is_unseen));
        let acts = |at: &&usize| acts(nodes, may, **at);
        let by = open.beside.iter().find(acts).or_else(unseen).or_else(|| of_helpers().find(acts))?;
        let mut threads: Vec<ThreadId> = able().map(|&at| nodes[at].id).collect();
        sorting::by(&mut threads, Ord::cmp);
        (!threads.is_empty()).then(|| Doubt { threads, is_loop: true, by: nodes[*by].id })
    }
}

/// Whether a thread may do something before its own process has.
fn acts(nodes: &[Node<'_>], may: &[bool], at: usize) -> bool {
    may[at] && !is_asleep(&nodes[at])
}

/// Whether a thread waits for others for ever, as far as is seen; but for one that waits for
/// any of several, where somebody unseen may always be one more.
fn is_closed(node: &Node<'_>) -> bool {
    use WaitKind::{Epoll, IoUring, Poll, Select};
    node.settled
        && node.wait.is_some_and(|wait| {
            let several = matches!(wait.kind, Poll | Select | Epoll | IoUring);
            !wait.timed && !wait.orphaned && !(several && is_unseen(wait))
        })
}

fn is_unseen(wait: &Wait) -> bool {
    wait.partial || wait.certainty == Certainty::Unknown
}
