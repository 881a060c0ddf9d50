//! What threads of a running program wait for, lock by lock, as it was observed
//! over a stretch of time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::histogram::Distribution;
use super::wait::{Certainty, WaitKind};
use super::{Fault, Nanos, Pid};

/// How it was observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Every block and every wake-up, told by the scheduler's tracepoints.
    SchedEvents,
    /// Readings of `/proc` at intervals: what lies between two is not seen.
    #[default]
    Sampling,
}

/// A thread that waited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiter {
    /// The thread.
    pub tid: Pid,
    /// Its name; empty where it had gone before it could be read.
    pub name: Arc<str>,
    /// How often it waited.
    pub waits: u64,
    /// How long in all.
    pub waited: Nanos,
}

/// A thread that ended waits of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waker {
    /// Its process, which is another where a lock is shared between processes.
    pub pid: Pid,
    /// The thread.
    pub tid: Pid,
    /// Its name; empty where it had gone before it could be read.
    pub name: Arc<str>,
    /// How many waits it ended.
    pub wakes: u64,
}

/// How often one thread woke another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// The thread that woke.
    pub waker: Pid,
    /// The thread that was woken.
    pub woken: Pid,
    /// How often.
    pub wakes: u64,
}

/// The calls by which a thread came to wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Innermost first: functions, with their lines of source where those are
    /// known. The last is `…` where further ones could not be found.
    pub frames: Vec<Arc<str>>,
    /// How many waits it stands for.
    pub waits: u64,
}

/// One thing that was waited for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContendedLock {
    /// Its address in the process.
    pub address: u64,
    /// What it is.
    pub kind: WaitKind,
    /// It in words, with the place in memory.
    pub resource: Arc<str>,
    /// How sure kind and address are.
    pub certainty: Certainty,
    /// Whether the futex is one that processes may share.
    pub shared: bool,
    /// Waits that ended while it was observed. Sampled: those that were seen.
    pub waits: u64,
    /// Threads that were waiting when the time was up.
    pub waiting: u64,
    /// How long the waits that ended took in all. Sampled: estimated, by the time
    /// between readings.
    pub waited: Nanos,
    /// From block to wake-up, each wait whose beginning and end were told;
    /// `None` where it was sampled.
    pub wait: Option<Distribution>,
    /// Waits ended by a thread that is not proven to have woken through this
    /// lock: by time-out, a signal, or a wake-up that was lost.
    pub unproven: u64,
    /// Who waited, the longest first.
    pub waiters: Vec<Waiter>,
    /// Who woke, the most frequent first.
    pub wakers: Vec<Waker>,
    /// Who woke whom, the most frequent first.
    pub pairs: Vec<Pair>,
    /// The calls by which threads came to wait, the most frequent first.
    pub stacks: Vec<Stack>,
}

/// What was observed over a stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Contention {
    /// The process.
    pub pid: Pid,
    /// Its name.
    pub process: Arc<str>,
    /// How long it was observed.
    pub observed: Nanos,
    /// Whether this is all since the observation began, or the last part of it.
    pub total: bool,
    /// Whether the process has ended.
    pub ended: bool,
    /// Threads it has.
    pub threads: usize,
    /// How.
    pub source: Source,
    /// Events that did not fit into the ring.
    pub lost: u64,
    /// Waits on futexes that ended.
    pub waits: u64,
    /// Blocks for other reasons (input and output, sleep), which are no part of
    /// `locks`.
    pub other_blocks: u64,
    /// What cannot be told, or not so well, and the way out.
    pub notes: Vec<Fault>,
    /// Locks first, then what nobody holds; the longest waited for first.
    pub locks: Vec<ContendedLock>,
}

/// The last second and all since the beginning.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The last second.
    pub second: Contention,
    /// All.
    pub total: Contention,
}
