//! The AND/OR wait-for graph: who can still go on, and who never can.
//!
//! ```text
//! thread ──waits for──► all of / any of ──► thread
//!                                       └─► process ──any of its threads──► …
//! ```
//!
//! Who can go on is the least set that holds whoever waits for nobody and is
//! closed under "everybody it waits for is in it" (AND) or "somebody is" (OR).
//! It is computed twice. The wide set takes everybody in who *may* be able to
//! go on: what is hidden counts as able. Who is not even in that set is stuck
//! for ever, and the strongly connected parts of the stuck are the deadlocks.
//! The narrow set takes in only who is *seen* to be able; between the two, the
//! answer is unknown.
//!
//! A thread that sleeps until another one of its process wakes it may be woken, for
//! all that is known, but does nothing before: a process does not act by it. Where all
//! threads of a process sleep so, none ever wakes: of those that wait for a lock, and of
//! those that hold one that is waited for, that is said. Others may have nothing to do.
//!
//! ```text
//! who holds a lock that is waited for, and waits for what nobody in particular does
//!     all threads of its process sleep ──► stuck: nobody is left to wake it
//!     else                             ──► unknown: perhaps only who waits for it could
//! ```
//!
//! A loop that is none because somebody beside it may yet act, or because of what cannot
//! be seen, is told with whoever that is ([`Doubt`]).
//!
//! Knapp, "Deadlock detection in distributed databases", ACM Computing Surveys
//! 19(4), 1987 (the AND-OR model); Tarjan, "Depth-first search and linear graph
//! algorithms", SIAM J. Comput. 1(2), 1972.

mod deadlocks;
mod doubts;

use std::collections::HashMap;

pub use self::doubts::Doubt;
use crate::model::Pid;
use crate::model::graph::{Deadlock, ThreadId, Verdict};
use crate::model::wait::{Certainty, Make, Mode, Wait, WaitKind};

/// A thread and what it waits for.
#[derive(Clone, Copy, Debug)]
pub struct Node<'w> {
    /// Which.
    pub id: ThreadId,
    /// What it waits for; `None` while it runs.
    pub wait: Option<&'w Wait>,
    /// Whether it has ended: it will do nothing more.
    pub ended: bool,
    /// Whether it is known to have been in this very wait all along, while all
    /// others were read. One that may have moved on since may do anything.
    pub settled: bool,
}

/// What has been found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Of each node, in their order.
    pub verdicts: Vec<Verdict>,
    /// By their first thread.
    pub deadlocks: Vec<Deadlock>,
    /// The loops that are none, since somebody may yet act.
    pub doubts: Vec<Doubt>,
    /// Of each node, whether nobody in particular ends its wait, and that matters to
    /// others, or to itself.
    pub matters: Vec<bool>,
}

/// Who can go on among `nodes`, which hold all threads of each process that is
/// in them at all.
pub fn analyse(nodes: &[Node<'_>]) -> Analysis {
    let mut graph = Graph::new(nodes);
    let loops = graph.open_loops(nodes);
    let may = graph.able(nodes, Reading::Wide);
    let seen = graph.able(nodes, Reading::Narrow);
    let mut verdicts: Vec<Verdict> = (0..nodes.len())
        .map(|at| match nodes[at].wait {
            _ if !may[at] => Verdict::Stuck,
            None => Verdict::Running,
            Some(_) if seen[at] => Verdict::Waiting,
            Some(_) => Verdict::Unknown,
        })
        .collect();
    // Who waits for what it holds is among those that could have woken it.
    for at in (0..nodes.len()).filter(|&at| graph.presses[at] && !may[at]) {
        let waiters = graph.from[at].clone();
        graph.to[at] = waiters;
    }
    let deadlocks = graph.deadlocks(nodes, &may, &mut verdicts);
    let doubts = graph.doubts(loops, nodes, &may, &verdicts);
    let mut matters = std::mem::take(&mut graph.presses);
    for (matters, hopeless) in matters.iter_mut().zip(&graph.hopeless) {
        *matters |= hopeless;
    }
    Analysis { verdicts, deadlocks, doubts, matters }
}

/// How what cannot be seen is taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// It may be able to act.
    Wide,
    /// It is not seen to be able.
    Narrow,
}

/// The nodes as numbers: the threads first, then the processes that hold
/// something as a whole.
struct Graph {
    /// Whom each waits for, without repetition.
    to: Vec<Vec<usize>>,
    /// Who waits for each.
    from: Vec<Vec<usize>>,
    /// Whose wait each may end though it holds nothing.
    helps: Vec<Vec<usize>>,
    /// Threads beside a loop of which nobody is seen to end their sleep.
    quiet: Vec<bool>,
    /// Whether each waits for somebody who is not among the nodes.
    stranger: Vec<bool>,
    /// Of each process, whether all its threads sleep until it wakes them itself: it has
    /// nothing to do, and that it never will nobody can tell.
    idle: Vec<bool>,
    /// Whether each thread holds a lock that others wait for, and sleeps until any other of
    /// its process wakes it.
    presses: Vec<bool>,
    /// Whether each waits for such a wake, or for a lock of nobody knows whom, while all of
    /// its process sleep; and who else of that process waits for nobody in particular.
    hopeless: Vec<bool>,
}

impl Graph {
    fn new(nodes: &[Node<'_>]) -> Self {
        let mut number: HashMap<(Pid, Option<Pid>), usize> =
            nodes.iter().enumerate().map(|(at, node)| ((node.id.pid, Some(node.id.tid)), at)).collect();
        let mut threads: HashMap<Pid, Vec<usize>> = HashMap::new();
        for (at, node) in nodes.iter().enumerate() {
            threads.entry(node.id.pid).or_default().push(at);
        }
        let mut to: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
        let mut stranger = vec![false; nodes.len()];
        let mut idle = Vec::new();
        let mut helpers = Vec::new();
        for (at, node) in nodes.iter().enumerate() {
            let wait = node.wait;
            let holders = wait.map_or(&[][..], |wait| &wait.holders).iter().map(|holder| (holder.pid, holder.tid));
            let besides = wait.map_or(&[][..], |wait| &wait.besides).iter().map(|&pid| (pid, None));
            let count = holders.len();
            for (place, key) in holders.chain(besides).enumerate() {
                let known = number.get(&key).copied().or_else(|| {
                    let own = threads.get(&key.0).filter(|_| key.1.is_none())?;
                    // One that has ended does nothing more; all of them: it is
                    // on its way out, which is an act.
                    let alive: Vec<usize> = own.iter().copied().filter(|&thread| !nodes[thread].ended).collect();
                    stranger.push(alive.is_empty());
                    // One that waits for a lock of nobody has something to do, and never will.
                    let is_idle = |&thread: &usize| {
                        is_asleep(&nodes[thread]) && !nodes[thread].wait.is_some_and(|wait| wait.orphaned)
                    };
                    idle.push(alive.iter().all(is_idle));
                    to.push(alive);
                    number.insert(key, to.len() - 1);
                    Some(to.len() - 1)
                });
                match known {
                    Some(other) if place >= count => helpers.push((other, at)),
                    Some(holder) => to[at].push(holder),
                    None => stranger[at] = true,
                }
            }
            to[at].sort_unstable();
            to[at].dedup();
        }
        let mut from = vec![Vec::new(); to.len()];
        for (at, onward) in to.iter().enumerate() {
            for &holder in onward {
                from[holder].push(at);
            }
        }
        let mut helps = vec![Vec::new(); to.len()];
        for (helper, waiter) in helpers {
            helps[helper].push(waiter);
        }
        let is_ownerless = |at: usize| {
            let wait = nodes[at].wait.filter(|_| is_asleep(&nodes[at]));
            // Whatever a futex is for, nobody but its own process wakes it.
            let is_told = |wait: &Wait| wait.certainty != Certainty::Unknown || wait.kind == WaitKind::Futex;
            wait.filter(|wait| wait.holders.is_empty() && !wait.orphaned && is_told(wait))
        };
        let wants_lock = |&waiter: &usize| nodes.get(waiter).is_some_and(|node| node.wait.is_some_and(is_lock));
        let (mut presses, mut hopeless) = (vec![false; nodes.len()], vec![false; nodes.len()]);
        for at in 0..nodes.len() {
            let may_be_event = |wait: &Wait| is_event(wait) || wait.kind == WaitKind::Futex;
            presses[at] = is_ownerless(at).is_some_and(may_be_event) && from[at].iter().any(wants_lock);
        }
        for own in threads.values() {
            let all_sleep = own.iter().all(|&at| nodes[at].ended || is_asleep(&nodes[at]));
            // Where one of its locks is never let go of, nobody of a process is idle.
            if all_sleep && own.iter().any(|&at| presses[at] || is_ownerless(at).is_some_and(is_lock)) {
                for &at in own {
                    hopeless[at] = is_ownerless(at).is_some();
                }
            }
        }
        Graph { to, from, helps, quiet: vec![false; nodes.len()], stranger, idle, presses, hopeless }
    }

    /// Who is able to go on. Each edge is walked at most once.
    fn able(&self, nodes: &[Node<'_>], reading: Reading) -> Vec<bool> {
        // How many of those that it waits for must still turn out to be able.
        let mut missing: Vec<usize> = (0..self.to.len())
            .map(|at| {
                let stranger = self.stranger[at];
                let Some(node) = nodes.get(at) else { return usize::from(!stranger) };
                if self.hopeless[at] || self.presses[at] && reading == Reading::Narrow {
                    return usize::MAX;
                }
                need(node, self.to[at].len(), stranger, reading)
            })
            .collect();
        let mut able: Vec<bool> = missing.iter().map(|&missing| missing == 0).collect();
        let mut new: Vec<usize> = (0..able.len()).filter(|&at| able[at]).collect();
        while let Some(at) = new.pop() {
            // A thread that only its own process wakes does not make that able to act.
            let quiet = reading == Reading::Narrow && self.quiet.get(at) == Some(&true);
            let alone = quiet || nodes.get(at).is_some_and(is_asleep);
            let waiters = self.from[at].iter().copied();
            for waiter in waiters.filter(|&waiter| !alone || waiter < nodes.len() || self.idle[waiter - nodes.len()]) {
                missing[waiter] = missing[waiter].saturating_sub(1);
                if missing[waiter] == 0 && !std::mem::replace(&mut able[waiter], true) {
                    new.push(waiter);
                }
            }
            // That somebody might end a wait in another way is not seen, only not ruled out.
            if reading == Reading::Wide && self.is_awake(at, nodes) {
                for helper in std::iter::once(at).chain(self.from[at].iter().copied()) {
                    for &waiter in &self.helps[helper] {
                        if !std::mem::replace(&mut able[waiter], true) {
                            new.push(waiter);
                        }
                    }
                }
            }
        }
        able
    }

    /// Whether one that is able may act of its own accord: a process does what one of its
    /// threads does, or, with nothing to do, whatever may come.
    fn is_awake(&self, at: usize, nodes: &[Node<'_>]) -> bool {
        nodes.get(at).map_or_else(|| self.stranger[at] || self.idle[at - nodes.len()], |node| !is_asleep(node))
    }
}

/// How many of the `known` it waits for must be able before it is; 0 where it is
/// able whatever they are, `usize::MAX` where it never is.
fn need(node: &Node<'_>, known: usize, stranger: bool, reading: Reading) -> usize {
    let Some(wait) = node.wait else { return 0 };
    if wait.timed || !node.settled {
        return 0;
    }
    let named = known > 0 || stranger;
    if wait.orphaned && !named {
        return usize::MAX;
    }
    match reading {
        Reading::Wide => {
            match wait.mode {
                _ if !named || wait.certainty == Certainty::Unknown => 0,
                Mode::Any if wait.partial || stranger => 0,
                // Whoever is hidden may act; those that are seen must as well.
                Mode::All => known,
                Mode::Any => 1,
            }
        }
        Reading::Narrow => match wait.mode {
            _ if !named => {
                if is_event(wait) && wait.certainty != Certainty::Unknown {
                    0
                } else {
                    usize::MAX
                }
            }
            Mode::All if stranger || wait.partial => usize::MAX,
            Mode::All => known,
            Mode::Any => 1,
        },
    }
}

/// Whether a thread sleeps until another one of its process wakes it: it does nothing before
/// that one has done something.
fn is_asleep(node: &Node<'_>) -> bool {
    node.wait.is_some_and(|wait| !wait.timed && node.settled && wait.within)
}

/// Whether a wait is for something that one must let go of.
fn is_lock(wait: &Wait) -> bool {
    wait.kind.is_lock() && wait.make != Make::ParkingLotCondvar
}

/// Whether a wait ends by something that happens, which nobody in
/// particular must do. The others have a holder, seen or not.
fn is_event(wait: &Wait) -> bool {
    use WaitKind::{
        CxxWait, Disk, Epoll, Eventfd, FifoOpen, InetAccept, InetConnect, InetRecv, InetSend, IoUring, Other, Poll,
        PosixMq, PthreadBarrier, PthreadCond, RustCondvar, RustPark, Select, Semaphore, Signal, Sleep, SysvMsg,
        SysvSem, TtyRead, UnixAccept, UnixConnect,
    };
    let kind = wait.kind;
    let condvar = wait.make == Make::ParkingLotCondvar;
    let threads = condvar
        || matches!(
            kind,
            PthreadCond | PthreadBarrier | Semaphore | RustCondvar | RustPark | CxxWait | Signal | Eventfd
        );
    let streams =
        matches!(kind, InetAccept | InetConnect | InetRecv | InetSend | UnixAccept | UnixConnect | TtyRead | FifoOpen);
    let several = matches!(kind, Poll | Select | Epoll | IoUring | PosixMq | SysvMsg | SysvSem);
    threads || streams || several || matches!(kind, Disk | Sleep | Other)
}

#[cfg(test)]
mod tests;
