//! The wait chains of a graph, in the order in which they deserve a look.
//!
//! ```text
//! deadlock   worker-2 ⇄ worker-5, and whoever waits behind them
//! chain      tar ► gzip                     one for each thread that nobody waits for
//! alike      1,000 × cat ► bash             those that differ in nothing but their number
//! ```
//!
//! It is made once for each reading, not for each frame: every edge is walked a
//! few times at most.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use crate::model::Nanos;
use crate::model::graph::{GraphThread, ThreadId, Verdict, WaitGraph};
use crate::model::sorting;
use crate::model::wait::{Holder, Wait, WaitKind};

/// So many holders of one wait are followed.
const FOLLOWED: usize = 16;

/// A chain: who waits, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// The thread it begins with; for a deadlock the first of its loop.
    pub head: ThreadId,
    /// Other threads that wait in the very same way.
    pub alike: Vec<ThreadId>,
    /// The worst verdict along it.
    pub verdict: Verdict,
    /// Which deadlock of the graph it is.
    pub deadlock: Option<usize>,
    /// How many waits long it is.
    pub length: usize,
    /// When its first wait began.
    pub since: Option<Nanos>,
    /// It may have begun before.
    pub at_least: bool,
}

/// How chains of one verdict are ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Those that last longest first.
    #[default]
    Oldest,
    /// Those of most waits first.
    Longest,
}

/// The threads of the graph that a holder stands for.
pub fn holding(graph: &WaitGraph, holder: Holder) -> &[GraphThread] {
    let own = graph.threads_of(holder.pid);
    match holder.tid {
        None => own,
        Some(tid) => own.iter().position(|thread| thread.id.tid == tid).map_or(&[], |at| &own[at..=at]),
    }
}

/// Whether a thread waits for somebody: for one who can be named, who is hidden
/// or who is gone.
pub fn is_held_up(thread: &GraphThread) -> bool {
    let hidden = thread.verdict == Verdict::Unknown;
    let somebody = |wait: &Wait| !wait.holders.is_empty() || wait.orphaned || (hidden && wait.partial);
    thread.verdict.is_for_ever() || thread.wait.as_deref().is_some_and(somebody)
}

/// All chains of a graph, the worst and oldest first.
pub fn chains(graph: &WaitGraph) -> Vec<Chain> {
    let mut walk = Walk::new(graph);
    let mut found = Vec::new();
    for (index, deadlock) in graph.deadlocks.iter().enumerate() {
        let Some(&head) = deadlock.cycle.first() else { continue };
        for at in deadlock.stuck.iter().chain(&deadlock.cycle).filter_map(|id| graph.place(*id)) {
            walk.seen[at] = true;
        }
        let waits = deadlock.cycle.iter().filter_map(|id| graph.thread(*id)?.wait.as_deref());
        let last = waits.max_by_key(|wait| (wait.since, !wait.at_least));
        let (since, at_least) = begun(last);
        let (verdict, length) = (Verdict::Deadlocked, deadlock.cycle.len());
        found.push(Chain { head, alike: Vec::new(), verdict, deadlock: Some(index), length, since, at_least });
    }
    let waits: Vec<usize> = (0..graph.threads.len()).filter(|at| is_held_up(&graph.threads[*at])).collect();
    let awaited = walk.awaited();
    // Those that nobody waits for begin a chain; a loop that may yet end has
    // none, so its oldest does.
    let mut rest: Vec<usize> = waits.iter().copied().filter(|at| awaited[*at]).collect();
    sorting::by_key(&mut rest, |at| (oldest(since(&graph.threads[*at])), *at));
    let heads: Vec<usize> = waits.into_iter().filter(|at| !awaited[*at]).chain(rest).collect();
    let mut groups: BTreeMap<Kindred<'_>, usize> = BTreeMap::new();
    for at in heads {
        if walk.seen[at] {
            continue;
        }
        let (length, verdict) = walk.from(at);
        let thread = &graph.threads[at];
        if let Some(key) = kindred(thread, verdict) {
            let group = *groups.entry(key).or_insert(found.len());
            if group < found.len() {
                let chain: &mut Chain = &mut found[group];
                chain.alike.push(thread.id);
                continue;
            }
        }
        let (since, at_least) = begun(thread.wait.as_deref());
        found.push(Chain { head: thread.id, alike: Vec::new(), verdict, deadlock: None, length, since, at_least });
    }
    sort(&mut found, Order::Oldest);
    found
}

/// Puts chains in order: by verdict, then as asked for.
pub fn sort(chains: &mut [Chain], order: Order) {
    let length = |chain: &Chain| std::cmp::Reverse(chain.length);
    match order {
        Order::Oldest => sorting::by_key(chains, |c| (c.verdict, oldest(c.since), length(c), c.head)),
        Order::Longest => sorting::by_key(chains, |c| (c.verdict, length(c), oldest(c.since), c.head)),
    }
}

fn since(thread: &GraphThread) -> Option<Nanos> {
    thread.wait.as_ref()?.since
}

fn begun(wait: Option<&Wait>) -> (Option<Nanos>, bool) {
    wait.map_or((None, false), |wait| (wait.since, wait.at_least))
}

fn oldest(since: Option<Nanos>) -> Nanos {
    since.unwrap_or(Nanos(u64::MAX))
}

/// What threads have in common that wait in the very same way; first what tells most
/// of them apart.
type Kindred<'g> = (&'g [Holder], WaitKind, Verdict, &'g str, &'g str);

fn kindred(thread: &GraphThread, verdict: Verdict) -> Option<Kindred<'_>> {
    let wait: &Wait = thread.wait.as_deref().filter(|wait| !wait.holders.is_empty())?;
    // Ends of different pipes to one process are alike, different locks are not.
    let resource = if wait.kind.is_lock() { &*wait.resource } else { "" };
    Some((&wait.holders, wait.kind, verdict, &thread.process, resource))
}

/// A walk along the edges of a graph.
struct Walk<'g> {
    graph: &'g WaitGraph,
    edges: Edges,
    seen: Vec<bool>,
    /// How many waits follow, and the worst verdict among them.
    known: Vec<(usize, Verdict)>,
}

impl<'g> Walk<'g> {
    fn new(graph: &'g WaitGraph) -> Self {
        let count = graph.threads.len();
        let (seen, known) = (vec![false; count], vec![(0, Verdict::Running); count]);
        Walk { graph, edges: Edges::of(graph), seen, known }
    }

    /// Whether somebody waits for each thread.
    fn awaited(&self) -> Vec<bool> {
        let mut awaited = vec![false; self.seen.len()];
        for at in 0..self.seen.len() {
            for to in self.edges.from(at).filter(|to| *to != at) {
                awaited[to] = true;
            }
        }
        awaited
    }

    /// How many waits long the chain from a thread is, and the worst verdict
    /// along it. A loop is walked once.
    fn from(&mut self, start: usize) -> (usize, Verdict) {
        let mut path = vec![(start, self.enter(start))];
        while let Some((at, onward)) = path.last_mut() {
            let at = *at;
            if let Some(edge) = onward.next() {
                let next = self.edges.to[edge];
                if self.seen[next] {
                    self.add(at, next);
                } else {
                    path.push((next, self.enter(next)));
                }
                continue;
            }
            path.pop();
            if let Some((waiter, _)) = path.last() {
                self.add(*waiter, at);
            }
        }
        self.known[start]
    }

    /// Begins with a thread; the edges that are left to be walked from it.
    fn enter(&mut self, at: usize) -> Range<usize> {
        let thread = &self.graph.threads[at];
        self.seen[at] = true;
        self.known[at] = (usize::from(is_held_up(thread)), thread.verdict);
        self.edges.range(at)
    }

    fn add(&mut self, waiter: usize, of: usize) {
        let (length, verdict) = self.known[of];
        // Behind a deadlock one is stuck, not part of it.
        let verdict = if verdict == Verdict::Deadlocked { Verdict::Stuck } else { verdict };
        let known = &mut self.known[waiter];
        *known = (known.0.max(length + 1), known.1.min(verdict));
    }
}

/// Whom each thread waits for, where that can be told: a thread, or the only one
/// of a process.
struct Edges {
    /// Where the edges of each thread begin, and the end of them all.
    begin: Vec<usize>,
    /// The threads that they lead to, by their places.
    to: Vec<usize>,
}

impl Edges {
    fn of(graph: &WaitGraph) -> Self {
        let mut edges = Edges { begin: Vec::with_capacity(graph.threads.len() + 1), to: Vec::new() };
        for thread in &graph.threads {
            edges.begin.push(edges.to.len());
            let holders = thread.wait.as_ref().map_or(&[][..], |wait| &wait.holders);
            edges.to.extend(holders.iter().take(FOLLOWED).filter_map(|holder| match holder.tid {
                Some(tid) => graph.place(ThreadId { pid: holder.pid, tid }),
                None => graph.only_thread_of(holder.pid),
            }));
        }
        edges.begin.push(edges.to.len());
        edges
    }

    fn range(&self, at: usize) -> Range<usize> {
        self.begin[at]..self.begin[at + 1]
    }

    fn from(&self, at: usize) -> impl Iterator<Item = usize> {
        self.to[self.range(at)].iter().copied()
    }
}

/// The chains of a graph, shared by all that draw them.
pub type Chains = Arc<[Chain]>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Pid;
    use crate::model::graph::Deadlock;
    use crate::model::process::State;
    use crate::model::wait::Certainty;

    fn id(n: Pid) -> ThreadId {
        ThreadId { pid: n, tid: n }
    }

    fn thread(n: Pid, on: &[Pid], since: u64, verdict: Verdict) -> GraphThread {
        let mut wait = Wait::new(WaitKind::PipeRead, format!("pipe {n}"));
        wait.holders = on.iter().map(|&pid| Holder { pid, tid: None }).collect();
        wait.since = Some(Nanos(since));
        GraphThread {
            id: id(n),
            process: Arc::from("p"),
            thread: Arc::from("t"),
            state: State::Sleeping,
            wait: (!on.is_empty()).then(|| Arc::new(wait)),
            verdict,
        }
    }

    fn graph(threads: Vec<GraphThread>) -> WaitGraph {
        WaitGraph { threads, ..WaitGraph::default() }
    }

    use Verdict::{Deadlocked, Running, Stuck, Unknown, Waiting};

    #[test]
    fn only_who_nobody_waits_for_begins_a_chain() {
        let graph = graph(vec![
            thread(1, &[2], 50, Waiting),
            thread(2, &[3], 40, Waiting),
            thread(3, &[], 0, Running),
            thread(4, &[3], 10, Waiting),
        ]);
        let found = chains(&graph);
        let seen: Vec<_> = found.iter().map(|c| (c.head.pid, c.length)).collect();
        assert_eq!(seen, [(4, 2), (1, 3)].map(|(pid, length): (Pid, usize)| (pid, length - 1)), "the oldest first");
        let mut found = found;
        sort(&mut found, Order::Longest);
        assert_eq!(found[0].head.pid, 1);
    }

    #[test]
    fn a_deadlock_comes_first_and_swallows_who_waits_behind_it() {
        let mut graph = graph(vec![
            thread(1, &[9], 1, Waiting),
            thread(2, &[3], 40, Deadlocked),
            thread(3, &[2], 30, Deadlocked),
            thread(4, &[3], 10, Stuck),
            thread(5, &[8], 20, Unknown),
        ]);
        graph.deadlocks = vec![Deadlock {
            cycle: vec![id(2), id(3)],
            stuck: vec![id(2), id(3), id(4)],
            certainty: Certainty::Certain,
        }];
        let found = chains(&graph);
        let seen: Vec<_> = found.iter().map(|c| (c.head.pid, c.verdict, c.deadlock)).collect();
        assert_eq!(seen, [(2, Deadlocked, Some(0)), (5, Unknown, None), (1, Waiting, None)]);
    }

    #[test]
    fn a_loop_that_may_yet_end_is_one_chain() {
        let found = chains(&graph(vec![thread(1, &[2], 9, Waiting), thread(2, &[1], 5, Waiting)]));
        assert_eq!(found.iter().map(|c| c.head.pid).collect::<Vec<_>>(), [2], "begun by its oldest");
    }

    #[test]
    fn a_crowd_that_waits_alike_is_one_line() {
        let mut threads: Vec<GraphThread> = (10..1_010).map(|n| thread(n, &[2], n as u64, Waiting)).collect();
        threads.insert(0, thread(2, &[], 0, Running));
        let found = chains(&graph(threads));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].head.pid, found[0].alike.len()), (10, 999));
    }

    #[test]
    fn the_worst_along_a_chain_is_its_verdict() {
        let found = chains(&graph(vec![thread(1, &[2], 9, Waiting), thread(2, &[7], 5, Unknown)]));
        assert_eq!((found.len(), found[0].verdict, found[0].length), (1, Unknown, 2));
    }
}
