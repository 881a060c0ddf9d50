//! The wait-for graph of some threads: who waits for whom, who can never go on,
//! and the deadlocks among them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::process::State;
use super::wait::{Certainty, Wait};
use super::{Nanos, Pid};

/// A thread, by its own number and its process's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ThreadId {
    /// The process.
    pub pid: Pid,
    /// The thread.
    pub tid: Pid,
}

/// What can become of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Part of a loop that can never end.
    Deadlocked,
    /// It can never go on: whoever could free it is deadlocked, stuck or gone.
    Stuck,
    /// Who must act cannot be seen.
    Unknown,
    /// It waits, and whoever must act can.
    Waiting,
    /// It does not wait.
    Running,
}

impl Verdict {
    /// The verdict in a word.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Deadlocked => "deadlocked",
            Verdict::Stuck => "stuck",
            Verdict::Unknown => "unknown",
            Verdict::Waiting => "waiting",
            Verdict::Running => "running",
        }
    }

    /// Whether it can never go on.
    pub fn is_for_ever(self) -> bool {
        matches!(self, Verdict::Deadlocked | Verdict::Stuck)
    }
}

/// One thread of the graph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GraphThread {
    /// Which.
    pub id: ThreadId,
    /// The name of its process.
    pub process: Arc<str>,
    /// Its own name.
    pub thread: Arc<str>,
    /// Its state.
    pub state: State,
    /// What it waits for; `None` while it runs.
    pub wait: Option<Arc<Wait>>,
    /// What can become of it.
    pub verdict: Verdict,
}

/// Threads each of which can go on only after another of them has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlock {
    /// The threads of the loop, each waiting for the next where that is a single
    /// loop; begins with the smallest id.
    pub cycle: Vec<ThreadId>,
    /// All threads that can never go on because of it: the loop and whoever
    /// waits behind it, by id.
    pub stuck: Vec<ThreadId>,
    /// That of the least certain wait in the loop.
    pub certainty: Certainty,
}

/// A process of which nothing could be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Which.
    pub pid: Pid,
    /// Why, in words.
    pub why: String,
}

/// How the evidence of a wait begins that tells why it is not said to last for ever.
pub const WAY_OUT: &str = "it may yet end:";

/// What is said of a process whose threads [wait for each other](wait_for_each_other), and no
/// more: it may be meant to do nothing.
pub const FOR_EACH_OTHER: &str = "each of its threads waits for another to act";

/// Whether all threads of a process wait until another one of it acts, though not for each
/// other's locks.
pub fn wait_for_each_other(threads: &[GraphThread]) -> bool {
    let is_for_its_own = |thread: &GraphThread| thread.wait.as_ref().is_some_and(|wait| wait.within && !wait.timed);
    threads.len() > 1
        && threads.iter().all(is_for_its_own)
        && threads.iter().any(|thread| thread.verdict == Verdict::Waiting)
}

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanned {
    /// Processes.
    pub processes: usize,
    /// Their threads.
    pub threads: usize,
}

/// The wait-for graph of some threads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WaitGraph {
    /// The threads, by id.
    pub threads: Vec<GraphThread>,
    /// The deadlocks among them, by their first thread.
    pub deadlocks: Vec<Deadlock>,
    /// Loops that are not called deadlocks, and why, in a sentence each; no recording has them.
    #[serde(skip)]
    pub unclaimed: Vec<String>,
    /// Processes that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// How much was looked at.
    pub scanned: Scanned,
    /// What it took to read and to analyse, by the wall clock.
    pub took: Nanos,
}

impl WaitGraph {
    /// Where the thread of this id stands.
    pub fn place(&self, id: ThreadId) -> Option<usize> {
        self.threads.binary_search_by_key(&id, |thread| thread.id).ok()
    }

    /// The thread of this id.
    pub fn thread(&self, id: ThreadId) -> Option<&GraphThread> {
        self.place(id).map(|at| &self.threads[at])
    }

    /// The threads of one process.
    pub fn threads_of(&self, pid: Pid) -> &[GraphThread] {
        let from = self.threads.partition_point(|thread| thread.id.pid < pid);
        let to = self.threads.partition_point(|thread| thread.id.pid <= pid);
        &self.threads[from..to]
    }

    /// Where the thread of a process stands that has no other; its number is the
    /// process's, unless the first thread has ended.
    pub fn only_thread_of(&self, pid: Pid) -> Option<usize> {
        let first = self.threads.partition_point(|thread| thread.id.pid < pid);
        let of_it = |at: usize| self.threads.get(at).is_some_and(|thread| thread.id.pid == pid);
        (of_it(first) && !of_it(first + 1)).then_some(first)
    }

    /// The deadlock in which, or behind which, a thread is.
    pub fn deadlock_of(&self, id: ThreadId) -> Option<&Deadlock> {
        self.deadlocks.iter().find(|deadlock| deadlock.stuck.binary_search(&id).is_ok())
    }

    /// Whether anything could be told of a process: not of one that may not be read,
    /// of all whose threads it is only known that they sleep.
    pub fn tells_of(&self, pid: Pid) -> bool {
        let may_be_read = self.unreadable.iter().all(|process| process.pid != pid);
        let told = |thread: &GraphThread| {
            thread.wait.as_ref().is_none_or(|wait| may_be_read || wait.certainty != Certainty::Unknown)
        };
        self.threads.iter().any(|thread| thread.id.pid == pid && told(thread))
    }

    /// Whether any thread can never go on.
    pub fn has_stuck(&self) -> bool {
        self.threads.iter().any(|thread| thread.verdict.is_for_ever())
    }
}
