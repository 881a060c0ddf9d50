//! What happens to a child in the course of its life, and who descends from
//! it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Nanos, Pid};

/// Something that happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// When we learned of it, on `CLOCK_MONOTONIC`.
    pub at: Nanos,
    /// What it was.
    pub what: Happening,
}

/// What can happen to a child, and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happening {
    /// clone(2) was called.
    Created {
        /// The process it made.
        pid: Pid,
    },
    /// It became its program: a close-on-exec pipe that it held has closed.
    Executed,
    /// A signal stopped it: waitid(2), `WSTOPPED`.
    Stopped {
        /// Which one.
        signal: i32,
    },
    /// It goes on: waitid(2), `WCONTINUED`.
    Continued,
    /// We sent a signal.
    Signalled {
        /// Which one.
        signal: i32,
        /// To whom.
        target: Target,
        /// Why it does nothing, where that is known.
        #[serde(default)]
        unheard: Option<Unheard>,
    },
    /// It ended: its pidfd became readable.
    Ended {
        /// How.
        exit: Exit,
    },
    /// We reaped it: its number may be another's from here on.
    Reaped,
    /// It will be started again.
    Delayed {
        /// After this time.
        by: Nanos,
    },
    /// It could not be started.
    Failed,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// The code it ended with, where it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Whether it left a core dump.
    pub core: bool,
}

/// Why a signal does nothing to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unheard {
    /// The child ignores it.
    Ignored,
    /// Everybody does who has no handler for it.
    ByDefault,
    /// It stops nobody in an orphaned process group: who would let it go on again?
    Orphaned,
}

impl Unheard {
    /// As people say it, of a signal that was sent.
    pub const fn words(self) -> &'static str {
        match self {
            Unheard::Ignored => "the child ignores it",
            Unheard::ByDefault => "ignored, for want of a handler",
            Unheard::Orphaned => "dropped: its group is orphaned",
        }
    }
}

/// Whom a signal is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The child alone.
    #[default]
    Child,
    /// Its process group.
    Group,
    /// It and all that descends from it.
    Tree,
}

impl Target {
    /// All of them.
    pub const ALL: [Target; 3] = [Target::Child, Target::Group, Target::Tree];

    /// As people say it.
    pub const fn words(self) -> &'static str {
        match self {
            Target::Child => "the child",
            Target::Group => "its process group",
            Target::Tree => "its whole tree",
        }
    }
}

/// A process that descends from a child.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relative {
    /// The process.
    pub pid: Pid,
    /// Its parent now.
    pub parent: Pid,
    /// Generations below the child; an orphan has lost its place and stands
    /// at one.
    pub depth: u16,
    /// Its name, made visible.
    pub name: Arc<str>,
    /// The letter of its state; `Z` is a zombie.
    pub state: char,
    /// Its parent has ended before it, and another process took it over.
    pub orphan: bool,
}

impl Relative {
    /// Whether it has ended and waits to be reaped.
    pub fn is_zombie(&self) -> bool {
        self.state == 'Z'
    }
}
