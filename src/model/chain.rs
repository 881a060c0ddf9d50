//! Wait chains in one reading of the process table: who waits for whom, and
//! where that ends.
//!
//! A chain is followed through waits that exactly one holder can end, since
//! only there the next link is certain. Where a chain comes back to itself
//! through locks that threads hold, no time-out and no second holder can break
//! it: that is a deadlock, provided that every wait in it stood unchanged from
//! one reading to the next.

use std::collections::{HashMap, HashSet};

use super::process::ProcessTable;
use super::wait::{Certainty, Holder, Wait};
use super::{Nanos, Pid};

/// A thread in a chain and what it waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Hop<'t> {
    /// Its process.
    pub pid: Pid,
    /// The thread.
    pub tid: Pid,
    /// What it waits for; `None` for the last, which runs or is not known.
    pub wait: Option<&'t Wait>,
}

/// Where a chain ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The last one waits for nobody in particular, or runs.
    Open,
    /// Several could end the last wait; the chain is not followed further.
    Several,
    /// Its holder does not exist any more.
    Orphaned,
    /// The last one waits for the hop of this index: a loop, with whether it is
    /// a proven deadlock.
    Loop {
        /// Where the loop begins.
        from: usize,
        /// Whether it can never end.
        deadlock: bool,
    },
}

/// A chain from a thread on.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain<'t> {
    /// The threads, the first asked for.
    pub hops: Vec<Hop<'t>>,
    /// Where it ends.
    pub end: End,
}

/// What a thread waits for.
pub fn wait_of(table: &ProcessTable, pid: Pid, tid: Pid) -> Option<&Wait> {
    if pid == tid {
        return table.process(pid)?.wait.as_deref();
    }
    table.threads_of(pid).iter().find(|t| t.tid == tid)?.wait.as_deref()
}

/// The thread that a holder stands for: the one that holds, or the main thread
/// of the only thread's process.
fn thread_of(table: &ProcessTable, holder: Holder) -> Option<Pid> {
    match holder.tid {
        Some(tid) => Some(tid),
        None => table.process(holder.pid).filter(|p| p.threads == 1).map(|p| p.pid),
    }
}

/// Follows the chain that begins with a thread. `settled` is the time before
/// which a wait must have begun to have been seen unchanged in two readings.
pub fn follow(table: &ProcessTable, pid: Pid, tid: Pid, settled: Nanos) -> Chain<'_> {
    let mut hops: Vec<Hop<'_>> = Vec::new();
    let mut place: HashMap<(Pid, Pid), usize> = HashMap::new();
    let (mut pid, mut tid) = (pid, tid);
    loop {
        if let Some(from) = place.insert((pid, tid), hops.len()) {
            let deadlock = hops[from..].iter().all(|h| h.wait.is_some_and(|w| unbreakable(w, settled)));
            return Chain { hops, end: End::Loop { from, deadlock } };
        }
        let wait = wait_of(table, pid, tid);
        hops.push(Hop { pid, tid, wait });
        let Some(wait) = wait else { return Chain { hops, end: End::Open } };
        match wait.holders.as_slice() {
            _ if wait.orphaned => return Chain { hops, end: End::Orphaned },
            [] => return Chain { hops, end: End::Open },
            [holder] => match thread_of(table, *holder) {
                Some(next) => (pid, tid) = (holder.pid, next),
                None => {
                    hops.push(Hop { pid: holder.pid, tid: holder.pid, wait: None });
                    return Chain { hops, end: End::Open };
                }
            },
            _ => return Chain { hops, end: End::Several },
        }
    }
}

/// Whether only the one named thread can end this wait, for sure.
fn unbreakable(wait: &Wait, settled: Nanos) -> bool {
    !wait.timed
        && !wait.partial
        && wait.holders.len() == 1
        && wait.holders[0].tid.is_some()
        && matches!(wait.certainty, Certainty::Certain | Certainty::Derived)
        && wait.since.is_some_and(|since| since < settled)
}

/// How bad a wait is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Part of a loop that can never end.
    Deadlocked,
    /// Its holder does not exist any more.
    Orphaned,
    /// It may go on.
    Waiting,
}

/// A thread that waits for somebody: a line in a list of chains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Blocked<'t> {
    /// Its process.
    pub pid: Pid,
    /// The thread.
    pub tid: Pid,
    /// What it waits for.
    pub wait: &'t Wait,
    /// How bad it is.
    pub verdict: Verdict,
}

/// All threads that wait for somebody who can be named, or for a holder that is
/// gone: the deadlocked ones first, then the orphaned, each by age. `settled`
/// as in [`follow`].
pub fn blocked(table: &ProcessTable, settled: Nanos) -> Vec<Blocked<'_>> {
    let dead: HashSet<(Pid, Pid)> = deadlocks(table, settled).into_iter().flatten().collect();
    let mut all: Vec<Blocked<'_>> = held(table)
        .map(|(pid, tid, wait)| {
            let verdict = match wait {
                _ if dead.contains(&(pid, tid)) => Verdict::Deadlocked,
                wait if wait.orphaned => Verdict::Orphaned,
                _ => Verdict::Waiting,
            };
            Blocked { pid, tid, wait, verdict }
        })
        .collect();
    all.sort_by_key(|b| (b.verdict, b.wait.since.unwrap_or(Nanos(u64::MAX)), b.pid, b.tid));
    all
}

/// Every thread whose wait has holders or has lost its holder.
fn held(table: &ProcessTable) -> impl Iterator<Item = (Pid, Pid, &Wait)> {
    let named = |wait: &&Wait| !wait.holders.is_empty() || wait.orphaned;
    let mains = table.processes.iter().map(|p| (p.pid, p.pid, p.wait.as_deref()));
    let others = table.threads.iter().filter(|t| t.tid != t.pid).map(|t| (t.pid, t.tid, t.wait.as_deref()));
    mains.chain(others).filter_map(move |(pid, tid, wait)| Some((pid, tid, wait.filter(named)?)))
}

/// The loops that can never end, each once: its threads, beginning with the one
/// of the smallest id.
///
/// A thread that only one other can free has one way on, so the loops are found
/// by walking each thread once.
pub fn deadlocks(table: &ProcessTable, settled: Nanos) -> Vec<Vec<(Pid, Pid)>> {
    let next: HashMap<(Pid, Pid), (Pid, Pid)> = held(table)
        .filter(|(_, _, wait)| unbreakable(wait, settled))
        .filter_map(|(pid, tid, wait)| Some(((pid, tid), (wait.holders[0].pid, wait.holders[0].tid?))))
        .collect();
    let mut walked: HashMap<(Pid, Pid), usize> = HashMap::with_capacity(next.len());
    let mut found = Vec::new();
    for (walk, start) in next.keys().enumerate() {
        let mut at = *start;
        let mut path = Vec::new();
        while let (false, Some(onward)) = (walked.contains_key(&at), next.get(&at)) {
            walked.insert(at, walk);
            path.push(at);
            at = *onward;
        }
        if walked.get(&at) == Some(&walk)
            && let Some(from) = path.iter().position(|p| *p == at)
        {
            let mut cycle = path.split_off(from);
            let smallest = cycle.iter().enumerate().min_by_key(|(_, (_, tid))| *tid).map_or(0, |(i, _)| i);
            cycle.rotate_left(smallest);
            found.push(cycle);
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::process::{Process, ProcessTable, State};
    use super::super::wait::WaitKind;
    use super::super::{Bytes, Nanos};
    use super::*;

    fn process(pid: Pid, holders: &[Holder], change: impl FnOnce(&mut Wait)) -> Arc<Process> {
        let mut wait = Wait::new(WaitKind::PthreadMutex, "mutex");
        wait.holders = holders.to_vec();
        wait.since = Some(Nanos(10));
        change(&mut wait);
        Arc::new(Process {
            pid,
            ppid: 1,
            pgrp: pid,
            session: pid,
            uid: 0,
            user: Arc::from("root"),
            state: State::Sleeping,
            name: Arc::from("p"),
            cmdline: Arc::from([]),
            kernel: false,
            cpu: None,
            cpu_time: Nanos::ZERO,
            nice: 0,
            rss: Bytes(0),
            virt: Bytes(0),
            threads: 1,
            started: Nanos::ZERO,
            switches: None,
            io: None,
            wchan: None,
            call: None,
            wait: if holders.is_empty() && !wait.orphaned { None } else { Some(Arc::new(wait)) },
            stale: None,
        })
    }

    fn by_thread(pid: Pid) -> Holder {
        Holder { pid, tid: Some(pid) }
    }

    fn table(processes: Vec<Arc<Process>>) -> ProcessTable {
        ProcessTable { processes, ..ProcessTable::default() }
    }

    #[test]
    fn a_loop_of_locks_is_a_deadlock_and_is_named_once() {
        let table = table(vec![
            process(2, &[by_thread(3)], |_| {}),
            process(3, &[by_thread(2)], |_| {}),
            process(4, &[by_thread(3)], |_| {}),
        ]);
        let chain = follow(&table, 4, 4, Nanos(100));
        assert_eq!(chain.end, End::Loop { from: 1, deadlock: true });
        assert_eq!(deadlocks(&table, Nanos(100)), [vec![(2, 2), (3, 3)]]);
        assert!(deadlocks(&table, Nanos(10)).is_empty(), "seen in one reading only");
    }

    #[test]
    fn what_could_break_a_loop_keeps_it_from_being_called_a_deadlock() {
        let breakers: [fn(&mut Wait); 4] = [
            |w| w.timed = true,
            |w| w.certainty = Certainty::Inferred,
            |w| w.holders = vec![Holder { pid: 2, tid: None }],
            |w| w.since = None,
        ];
        for (n, breaker) in breakers.into_iter().enumerate() {
            let table = table(vec![process(2, &[by_thread(3)], |_| {}), process(3, &[by_thread(2)], breaker)]);
            assert_eq!(follow(&table, 2, 2, Nanos(100)).end, End::Loop { from: 0, deadlock: false }, "{n}");
        }
        let table = table(vec![process(2, &[by_thread(3)], |_| {}), process(3, &[by_thread(2), by_thread(9)], |_| {})]);
        assert_eq!(follow(&table, 2, 2, Nanos(100)).end, End::Several);
    }

    #[test]
    fn a_ring_of_a_thousand_is_one_deadlock_found_in_one_walk() {
        let ring = 1_000;
        let table = table((0..ring).map(|n| process(10 + n, &[by_thread(10 + (n + 1) % ring)], |_| {})).collect());
        let dead = deadlocks(&table, Nanos(100));
        assert_eq!((dead.len(), dead[0].len()), (1, ring as usize));
        assert!(blocked(&table, Nanos(100)).iter().all(|b| b.verdict == Verdict::Deadlocked));
    }

    #[test]
    fn who_waits_behind_a_deadlock_is_not_part_of_it() {
        let table = table(vec![
            process(2, &[by_thread(3)], |_| {}),
            process(3, &[by_thread(2)], |_| {}),
            process(4, &[by_thread(3)], |_| {}),
            process(5, &[by_thread(5)], |_| {}),
        ]);
        assert_eq!(deadlocks(&table, Nanos(100)), [vec![(2, 2), (3, 3)], vec![(5, 5)]]);
        let verdicts: Vec<_> = blocked(&table, Nanos(100)).iter().map(|b| (b.pid, b.verdict)).collect();
        let (dead, waits) = (Verdict::Deadlocked, Verdict::Waiting);
        assert_eq!(verdicts, [(2, dead), (3, dead), (5, dead), (4, waits)]);
    }

    #[test]
    fn chains_end_where_somebody_runs_or_is_gone() {
        let table = table(vec![
            process(2, &[by_thread(3)], |_| {}),
            process(3, &[], |_| {}),
            process(5, &[], |w| w.orphaned = true),
        ]);
        let chain = follow(&table, 2, 2, Nanos(100));
        assert_eq!((chain.hops.len(), chain.end), (2, End::Open));
        assert_eq!(follow(&table, 5, 5, Nanos(100)).end, End::Orphaned);
        assert_eq!(blocked(&table, Nanos(100)).len(), 2);
    }
}
