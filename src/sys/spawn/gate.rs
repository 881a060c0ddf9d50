//! Keeps starting a process and stopping our own process group apart.
//!
//! `CLONE_VFORK` holds the calling thread, deaf to all but SIGKILL, until its
//! child has called execve(2). If a SIGTSTP to the whole group stops that child
//! before it gets there, the thread never comes to its own stop, so the stop of
//! this process never completes and the shell that waits for it waits for ever.
//! So every clone passes this gate, and whoever stops the group closes it
//! first.

use std::sync::{PoisonError, RwLock};

static GATE: RwLock<()> = RwLock::new(());

/// Starts a process, while nobody stops the group.
pub(super) fn while_open<T>(start: impl FnOnce() -> T) -> T {
    let _open = GATE.read().unwrap_or_else(PoisonError::into_inner);
    start()
}

/// Stops the group, while nobody starts a process.
pub fn while_closed<T>(stop: impl FnOnce() -> T) -> T {
    let _closed = GATE.write().unwrap_or_else(PoisonError::into_inner);
    stop()
}
