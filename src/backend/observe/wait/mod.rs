//! What a blocked thread waits for: the registry of decoders.
//!
//! The sampler gathers the cheap [`Facts`] of a blocked thread; [`decode`] asks
//! the decoders in order; the first that recognises the wait names it. What a
//! decoder needs beyond the facts (memory, descriptors, file locks) it gets
//! from the [`World`], which builds each index only when it is asked for.

use std::sync::Arc;

use crate::model::process::{BlockedCall, State};
use crate::model::wait::Wait;
use crate::model::{Nanos, Pid};
use crate::sys::procroot::ProcRoot;

/// What is known of a blocked thread before any decoder looks at it.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its process.
    pub pid: Pid,
    /// The thread.
    pub tid: Pid,
    /// Its state.
    pub state: State,
    /// The system call it is in, with stack pointer and program counter; or
    /// why that is not known.
    pub call: &'a Call,
    /// Where in the kernel it sleeps: the content of `wchan`, empty or `0`
    /// where the kernel does not tell.
    pub wchan: &'a str,
    /// Since when it has been seen in this very wait.
    pub since: Option<Nanos>,
}

/// The content of `/proc/PID/task/TID/syscall`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// It was running.
    Running,
    /// It is blocked in a system call.
    Blocked {
        /// Number, name and arguments.
        call: BlockedCall,
        /// User stack pointer.
        sp: u64,
        /// User program counter.
        pc: u64,
    },
    /// It is blocked, but not in a system call (a page fault, a kernel thread).
    Outside,
    /// The file could not be read; mostly `EACCES` or `EPERM`.
    Unreadable(rustix::io::Errno),
}

/// Where decoders look things up during one scan.
#[derive(Debug)]
pub struct World {
    /// The proc file system.
    pub root: Arc<ProcRoot>,
}

impl World {
    /// A world with nothing looked up yet.
    pub fn new(root: Arc<ProcRoot>) -> Self {
        World { root }
    }

    /// Forgets what may have changed since the scan before.
    pub fn begin_scan(&mut self) {}
}

/// What the thread waits for; `None` for one that does not wait.
pub fn decode(_facts: &Facts<'_>, _world: &mut World) -> Option<Wait> {
    None
}
