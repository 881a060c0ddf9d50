//! Processes and threads as one reading of the process table shows them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::wait::Wait;
use super::{Bytes, Fault, Nanos};

/// A process or thread id in this program's own pid namespace.
pub type Pid = i32;

/// The state letter of `/proc/PID/stat`, see `proc_pid_stat(5)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "char", from = "char")]
pub enum State {
    /// `R`: on a CPU or queued for one.
    Running,
    /// `S`: asleep, woken by a signal.
    Sleeping,
    /// `D`: asleep in the kernel, not woken by a signal.
    Disk,
    /// `T`: stopped by a signal.
    Stopped,
    /// `t`: stopped by its tracer.
    Traced,
    /// `Z`: ended, not yet reaped by its parent.
    Zombie,
    /// `X`: being removed.
    Dead,
    /// `I`: an idle kernel thread.
    Idle,
    /// `P`: a parked kernel thread.
    Parked,
    /// A letter this program does not know.
    Other(char),
}

impl From<char> for State {
    fn from(letter: char) -> Self {
        match letter {
            'R' => State::Running,
            'S' => State::Sleeping,
            'D' => State::Disk,
            'T' => State::Stopped,
            't' => State::Traced,
            'Z' => State::Zombie,
            'X' | 'x' => State::Dead,
            'I' => State::Idle,
            'P' => State::Parked,
            other => State::Other(other),
        }
    }
}

impl From<State> for char {
    fn from(state: State) -> Self {
        match state {
            State::Running => 'R',
            State::Sleeping => 'S',
            State::Disk => 'D',
            State::Stopped => 'T',
            State::Traced => 't',
            State::Zombie => 'Z',
            State::Dead => 'X',
            State::Idle => 'I',
            State::Parked => 'P',
            State::Other(letter) => letter,
        }
    }
}

impl State {
    /// The letter.
    pub fn letter(self) -> char {
        self.into()
    }

    /// The state in a word or two.
    pub fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Sleeping => "sleeping",
            State::Disk => "uninterruptible",
            State::Stopped => "stopped",
            State::Traced => "traced",
            State::Zombie => "zombie",
            State::Dead => "dead",
            State::Idle => "idle",
            State::Parked => "parked",
            State::Other(_) => "unknown state",
        }
    }
}

/// Context switches since a task began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// The task gave the CPU up (it blocked).
    pub voluntary: u64,
    /// The CPU was taken from it.
    pub involuntary: u64,
}

/// Bytes that really went to or came from storage, `/proc/PID/io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Io {
    /// `read_bytes` so far.
    pub read: Bytes,
    /// `write_bytes` so far.
    pub written: Bytes,
    /// Bytes read per second since the reading before.
    pub read_rate: f64,
    /// Bytes written per second since the reading before.
    pub write_rate: f64,
}

/// The system call a task is blocked in, decoded for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockedCall {
    /// The kernel's number on this architecture.
    pub number: i64,
    /// `futex`, `read`, or `syscall 999` for one that is not known.
    pub name: std::borrow::Cow<'static, str>,
    /// The six argument registers as they stand.
    pub args: [u64; 6],
}

/// One process, summed over its threads where the kernel sums.
///
/// Immutable once published: an unchanged process is the same `Arc` in the
/// next table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Process id (thread group id).
    pub pid: Pid,
    /// Parent, 0 for none in this namespace.
    pub ppid: Pid,
    /// Process group.
    pub pgrp: Pid,
    /// Session.
    pub session: Pid,
    /// Effective user id.
    pub uid: u32,
    /// The user's name, or the id in digits.
    pub user: Arc<str>,
    /// Of the main thread.
    pub state: State,
    /// `comm`: at most 15 bytes, set by the process.
    pub name: Arc<str>,
    /// The arguments; empty for a kernel thread or a zombie.
    pub cmdline: Arc<[Arc<str>]>,
    /// Whether this is a kernel thread.
    pub kernel: bool,
    /// Share of one CPU since the reading before (1.0 is one CPU busy);
    /// `None` at the first reading.
    pub cpu: Option<f32>,
    /// User and system time so far.
    pub cpu_time: Nanos,
    /// Nice value.
    pub nice: i8,
    /// Resident memory.
    pub rss: Bytes,
    /// Virtual memory.
    pub virt: Bytes,
    /// How many threads.
    pub threads: u32,
    /// When it started, after boot (`starttime`).
    pub started: Nanos,
    /// Of the main thread; `None` where not watched or not readable.
    pub switches: Option<Switches>,
    /// `None` where not watched or not permitted.
    pub io: Option<Io>,
    /// Where in the kernel the main thread sleeps; `None` where it does not or
    /// the kernel does not tell.
    pub wchan: Option<Arc<str>>,
    /// The system call the main thread is blocked in, where permitted.
    pub call: Option<BlockedCall>,
    /// What the main thread waits for; `None` while it runs.
    pub wait: Option<Arc<Wait>>,
    /// Set while a reading of this process hangs: since when
    /// (`CLOCK_MONOTONIC`); the other fields are then as they were.
    pub stale: Option<Nanos>,
}

impl Process {
    /// The command line as one string, or the name in brackets for a process
    /// that has none.
    pub fn command(&self) -> String {
        if self.cmdline.is_empty() { format!("[{}]", self.name) } else { self.cmdline.join(" ") }
    }
}

/// One thread of a process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    /// The process it belongs to.
    pub pid: Pid,
    /// Thread id; equal to `pid` for the main thread.
    pub tid: Pid,
    /// Its own `comm`.
    pub name: Arc<str>,
    /// Its own state.
    pub state: State,
    /// Share of one CPU since the reading before.
    pub cpu: Option<f32>,
    /// User and system time so far.
    pub cpu_time: Nanos,
    /// When it started, after boot.
    pub started: Nanos,
    /// The CPU it ran on last.
    pub last_cpu: u32,
    /// `None` where not watched or not readable.
    pub switches: Option<Switches>,
    /// As in [`Process::wchan`].
    pub wchan: Option<Arc<str>>,
    /// As in [`Process::call`].
    pub call: Option<BlockedCall>,
    /// What it waits for; `None` while it runs.
    pub wait: Option<Arc<Wait>>,
}

/// How many tasks are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Processes.
    pub processes: u32,
    /// Threads of all processes.
    pub threads: u32,
    /// Main threads running.
    pub running: u32,
    /// Main threads in `D`.
    pub disk: u32,
    /// Stopped or traced.
    pub stopped: u32,
    /// Zombies.
    pub zombies: u32,
}

/// One reading of all processes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ProcessTable {
    /// By pid, ascending.
    pub processes: Vec<Arc<Process>>,
    /// By (pid, tid), ascending; only of processes with more than one thread,
    /// and only where threads are watched.
    pub threads: Vec<Arc<Thread>>,
    /// Counts by state.
    pub tally: Tally,
    /// Whether command lines and waits have been read too; the very first
    /// reading is published without them.
    pub complete: bool,
    /// What could not be read, and why.
    pub faults: Vec<Fault>,
}

impl ProcessTable {
    /// The process with this pid.
    pub fn process(&self, pid: Pid) -> Option<&Arc<Process>> {
        self.processes.binary_search_by_key(&pid, |p| p.pid).ok().map(|i| &self.processes[i])
    }

    /// The watched threads of one process.
    pub fn threads_of(&self, pid: Pid) -> &[Arc<Thread>] {
        let from = self.threads.partition_point(|t| t.pid < pid);
        let to = self.threads.partition_point(|t| t.pid <= pid);
        &self.threads[from..to]
    }
}
