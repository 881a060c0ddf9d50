//! The wait-for graph of the process table, reading after reading.
//!
//! The table is read cheaply: what did not run is not read again, and dear
//! indexes are left out. So it only raises a suspicion that threads can never
//! go on: they wait for each other, or for long for a lock that does not store
//! who holds it. A [survey](super::survey) of those then says whether it is so.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::graph::{Analysis, Node, analyse};
use super::infer;
use super::progress::{Abandoned, Progress};
use super::survey::Surveyor;
use super::unclaimed;
use crate::model::graph::{GraphThread, Scanned, ThreadId, Verdict, WaitGraph};
use crate::model::process::{Process, ProcessTable, State, Thread};
use crate::model::sorting;
use crate::model::wait::{Certainty, Wait};
use crate::model::{Nanos, Pid, Stamped};
use crate::sys::clock;

/// A lock that does not store its holder is waited for so long before somebody
/// looks for the holder.
const LONG: Nanos = Nanos::from_secs(2);
/// After so many readings a standing suspicion is looked at anew.
const RENEWED: u32 = 10;

/// A thread under suspicion and its wait, by which it is known again.
type Suspect = (ThreadId, Option<Arc<Wait>>);

/// What is kept between readings.
#[derive(Debug, Default)]
pub struct Chains {
    surveyor: Option<Surveyor>,
    suspects: Vec<Suspect>,
    confirmed: WaitGraph,
    rounds: u32,
    /// When the reading before was made.
    before: Nanos,
}

impl Chains {
    /// The graph of everybody who waits for somebody, and of whoever they wait
    /// for.
    ///
    /// # Errors
    /// [`Abandoned`] where a reading hung so long that another thread has taken
    /// over.
    pub fn update(
        &mut self,
        table: &Stamped<ProcessTable>,
        open: impl FnOnce() -> Surveyor,
        progress: &Arc<Progress>,
    ) -> Result<WaitGraph, Abandoned> {
        let began = clock::monotonic();
        let before = std::mem::replace(&mut self.before, table.at);
        let threads = waiting(&table.value);
        let nodes: Vec<Node<'_>> = threads.iter().map(|seen| seen.node(before)).collect();
        let Analysis { mut verdicts, doubts, .. } = analyse(&nodes);
        let suspects: Vec<Suspect> = threads
            .iter()
            .zip(&verdicts)
            .filter(|(seen, verdict)| verdict.is_for_ever() || seen.is_open_for_long(table.at))
            .map(|(seen, _)| (seen.id, seen.wait.cloned()))
            .collect();
        self.confirm(suspects, open, progress)?;
        for (seen, verdict) in threads.iter().zip(&mut verdicts) {
            let surveyed = self.confirmed.thread(seen.id);
            if verdict.is_for_ever() || surveyed.is_some_and(|surveyed| seen.is_still(surveyed)) {
                *verdict = surveyed.map_or(Verdict::Waiting, |surveyed| surveyed.verdict);
            }
        }
        let mut graph = WaitGraph {
            threads: threads.iter().zip(verdicts).map(|(seen, verdict)| self.thread(seen, verdict)).collect(),
            deadlocks: self.confirmed.deadlocks.clone(),
            unclaimed: Vec::new(),
            unreadable: Vec::new(),
            scanned: Scanned {
                processes: table.value.tally.processes as usize,
                threads: table.value.tally.threads as usize,
            },
            took: Nanos::ZERO,
        };
        unclaimed::tell(&mut graph, &doubts);
        graph.took = clock::monotonic().since(began);
        Ok(graph)
    }

    /// Surveys the suspects, unless they are the same as before.
    fn confirm(
        &mut self,
        suspects: Vec<Suspect>,
        open: impl FnOnce() -> Surveyor,
        progress: &Arc<Progress>,
    ) -> Result<(), Abandoned> {
        self.rounds = self.rounds.wrapping_add(1);
        if suspects.is_empty() {
            // A surveyor remembers files; nobody needs that now.
            *self = Chains { before: self.before, rounds: self.rounds, ..Chains::default() };
            return Ok(());
        }
        let known = suspects.len() == self.suspects.len() && suspects.iter().zip(&self.suspects).all(is_same);
        if known && !self.rounds.is_multiple_of(RENEWED) {
            return Ok(());
        }
        let pids = sorting::set(suspects.iter().map(|(id, _)| id.pid));
        let surveyor = self.surveyor.get_or_insert_with(open);
        let pids: Vec<Pid> = pids.into_iter().collect();
        self.confirmed = surveyor.why_watched(&pids, progress)?;
        self.suspects = suspects;
        Ok(())
    }

    /// What the survey says of a thread, which is more than the table does.
    fn thread(&self, seen: &Seen<'_>, verdict: Verdict) -> GraphThread {
        let surveyed = self.confirmed.thread(seen.id).filter(|thread| thread.verdict == verdict);
        let is_more = |wait: &Arc<Wait>| verdict.is_for_ever() || wait.certainty == Certainty::Inferred;
        let wait = match surveyed.and_then(|thread| thread.wait.clone()).filter(is_more) {
            Some(wait) => Some(dated(wait, seen.wait)),
            _ => seen.wait.cloned(),
        };
        let (process, thread) = (seen.process.name.clone(), seen.name.clone());
        GraphThread { id: seen.id, process, thread, state: seen.state, wait, verdict }
    }
}

fn is_same((one, other): (&Suspect, &Suspect)) -> bool {
    let waits = match (&one.1, &other.1) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    one.0 == other.0 && waits
}

/// The wait, with the beginning that the table has seen.
fn dated(mut wait: Arc<Wait>, seen: Option<&Arc<Wait>>) -> Arc<Wait> {
    let is_better = |seen: &&Arc<Wait>| seen.since.is_some() && !(seen.at_least && wait.since.is_some());
    if let Some(seen) = seen.filter(is_better).filter(|seen| seen.since != wait.since) {
        let own = Wait::of_ones_own(&mut wait);
        (own.since, own.at_least) = (seen.since, seen.at_least);
    }
    wait
}

/// A thread of the table.
#[derive(Clone, Copy)]
struct Seen<'t> {
    id: ThreadId,
    process: &'t Process,
    name: &'t Arc<str>,
    state: State,
    wait: Option<&'t Arc<Wait>>,
}

impl<'t> Seen<'t> {
    /// `before` is when the table before was read: a wait that is younger has
    /// been seen once only.
    fn node(&self, before: Nanos) -> Node<'t> {
        let settled = self.wait.is_none_or(|wait| wait.since.is_some_and(|since| since < before));
        Node { id: self.id, wait: self.wait.map(AsRef::as_ref), ended: self.ended(), settled }
    }

    fn ended(&self) -> bool {
        matches!(self.state, State::Zombie | State::Dead)
    }

    /// Whether it waits for long for a lock that does not store its holder.
    fn is_open_for_long(&self, now: Nanos) -> bool {
        let wait = self.wait.filter(|wait| infer::is_open(wait));
        wait.and_then(|wait| wait.since).is_some_and(|since| now.since(since).0 >= LONG.0)
    }

    /// Whether it is in the same wait as it was when it was surveyed.
    fn is_still(&self, surveyed: &GraphThread) -> bool {
        let what = |wait: &Arc<Wait>| (wait.kind, wait.address);
        surveyed.wait.is_some() && self.wait.map(what) == surveyed.wait.as_ref().map(what)
    }
}

/// All threads that wait for somebody, and all threads of the processes of
/// whoever they wait for, by id.
fn waiting(table: &ProcessTable) -> Vec<Seen<'_>> {
    let mut pids: BTreeSet<Pid> = BTreeSet::new();
    let mut add = |pid: Pid, wait: Option<&Arc<Wait>>| {
        let Some(wait) = wait.filter(|wait| leads_on(wait)) else { return };
        pids.insert(pid);
        pids.extend(wait.holders.iter().map(|holder| holder.pid));
    };
    table.processes.iter().for_each(|process| add(process.pid, process.wait.as_ref()));
    table.threads.iter().for_each(|thread| add(thread.pid, thread.wait.as_ref()));
    pids.iter().filter_map(|&pid| table.process(pid)).flat_map(|process| threads(table, process)).collect()
}

/// Whether somebody must act for the wait to end who is known, or may be found.
fn leads_on(wait: &Wait) -> bool {
    !wait.holders.is_empty() || wait.orphaned || infer::is_open(wait)
}

fn threads<'t>(table: &'t ProcessTable, process: &'t Process) -> Vec<Seen<'t>> {
    let own = table.threads_of(process.pid);
    if own.is_empty() {
        let id = ThreadId { pid: process.pid, tid: process.pid };
        let Process { name, state, wait, .. } = process;
        return vec![Seen { id, process, name, state: *state, wait: wait.as_ref() }];
    }
    let seen = |thread: &'t Arc<Thread>| {
        let Thread { pid, tid, name, state, wait, .. } = &**thread;
        Seen { id: ThreadId { pid: *pid, tid: *tid }, process, name, state: *state, wait: wait.as_ref() }
    };
    own.iter().map(seen).collect()
}
