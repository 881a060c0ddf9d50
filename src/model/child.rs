//! Child processes that the program supervises.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ink::Stroke;
pub use super::launch::ChildSpec;
use super::life::{Exit, Moment, Relative};
use super::process::Switches;
use super::{Bytes, Fault, Nanos, Pid};

/// The number a supervised child keeps for its whole life here; unlike a pid
/// it is never used again.
pub type ChildId = u64;

/// Which of a child's streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line that a child wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputLine {
    /// When it was read, on `CLOCK_MONOTONIC`.
    pub at: Nanos,
    /// Where it was written.
    pub stream: Stream,
    /// The text, made visible, without its line end.
    pub text: Arc<str>,
    /// How it looks, over its whole length, where a look was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strokes: Option<Arc<[Stroke]>>,
    /// It goes on with the line of this stream before, which was too long for one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
}

/// What a child used, from getrusage(2) at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From start to end.
    pub wall: Nanos,
    /// CPU time in user mode.
    pub user: Nanos,
    /// CPU time in the kernel.
    pub system: Nanos,
    /// The most memory it had resident, see [`Usage::max_rss_is_ours`].
    pub max_rss: Bytes,
    /// The figure is that of the program which started it: the kernel counts
    /// what a process had before execve(2) too, and a child that begins in its
    /// parent's memory has all of that. Its own peak lies below.
    #[serde(default)]
    pub max_rss_is_ours: bool,
    /// Context switches.
    pub switches: Switches,
    /// Page faults that needed no I/O.
    pub minor_faults: u64,
    /// Page faults that did.
    pub major_faults: u64,
}

/// What a child that runs is using, read once a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LiveUsage {
    /// CPU time so far, its ended threads included.
    pub cpu_time: Nanos,
    /// CPUs used since the reading before: 1.0 is one whole CPU.
    pub cpu: f32,
    /// Memory resident now.
    pub rss: Bytes,
}

/// A child's standard input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdinState {
    /// It can be written to.
    Open {
        /// Bytes that the child has not taken yet.
        queued: u64,
    },
    /// It has been closed, by us or by the child.
    Closed,
}

/// What a program in a terminal asked about keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyboard {
    /// Cursor keys are `ESC O` and a letter (DECCKM).
    pub application_cursor: bool,
    /// Pastes come between `CSI 200 ~` and `CSI 201 ~`.
    pub marked_paste: bool,
}

/// Where a child stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildState {
    /// It runs (or sleeps).
    Running,
    /// A signal stopped it.
    Stopped {
        /// Which one.
        signal: i32,
    },
    /// It ended and was reaped.
    Ended {
        /// How.
        exit: Exit,
        /// What it used.
        usage: Usage,
    },
    /// It never ran.
    NotStarted(Fault),
}

/// How a child came to be where it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Course {
    /// What happened to it, oldest first.
    pub moments: Arc<[Moment]>,
    /// How many moments before these were dropped to bound its memory.
    pub dropped: u64,
    /// Who descends from it.
    pub family: Arc<[Relative]>,
    /// The system calls that starting it took, as they were made.
    pub calls: Arc<[Arc<str>]>,
    /// How often it was started.
    pub starts: u32,
    /// When it is started again, where it is.
    pub next_start: Option<Nanos>,
    /// When it gets SIGKILL, where it was asked to end and has not yet.
    pub kill_at: Option<Nanos>,
}

/// One supervised child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChildView {
    /// Its number here.
    pub id: ChildId,
    /// Its pid, while it has one.
    pub pid: Option<Pid>,
    /// The command line, made visible.
    pub command: Arc<str>,
    /// When it was started, on `CLOCK_MONOTONIC`.
    pub started: Nanos,
    /// Where it stands.
    pub state: ChildState,
    /// The code a shell would end with for it, once it has ended or has failed
    /// to start.
    #[serde(default)]
    pub code: Option<u8>,
    /// What it uses, while it lives and has been looked at.
    pub live: Option<LiveUsage>,
    /// What it used at each of the last looks, oldest first.
    #[serde(default)]
    pub history: Arc<[LiveUsage]>,
    /// Its course so far.
    #[serde(default)]
    pub course: Course,
    /// What was asked for.
    #[serde(default)]
    pub spec: Arc<ChildSpec>,
    /// Whether its standard input can be written to.
    pub stdin: StdinState,
    /// How it wants keys.
    #[serde(default)]
    pub keyboard: Keyboard,
    /// Bytes read from its standard output.
    pub stdout_bytes: u64,
    /// Bytes read from its standard error.
    pub stderr_bytes: u64,
    /// Lines dropped from the beginning of the log to bound its memory.
    pub dropped_lines: u64,
    /// What the lines of its log may take; as much again what is no line yet.
    #[serde(default)]
    pub log_limit: Bytes,
    /// The log, oldest first. Shared with the supervisor: blocks that are full
    /// never change.
    pub log: Vec<Arc<[OutputLine]>>,
}

/// All supervised children, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Children {
    /// The children.
    pub children: Vec<Arc<ChildView>>,
}
