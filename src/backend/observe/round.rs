//! One round over all processes, and how what is published of them is changed.

use std::sync::Arc;

use crate::backend::Topics;
use crate::model::Nanos;

/// One round over all processes.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// When it began.
    pub at: Nanos,
    /// Whether shares and rates are measured: enough time has passed.
    pub measure: bool,
    /// Whether waits at the ends of pipes and sockets are looked at again.
    pub ends: bool,
    /// What is watched.
    pub topics: Topics,
}

/// What is published of a process or a thread, to be changed: a copy of it where others
/// hold it.
pub fn edit<T: Clone>(shown: &mut Arc<T>) -> &mut T {
    Arc::make_mut(shown)
}
