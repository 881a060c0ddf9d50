//! What the code of a thread has told of its wait, kept for the next look.

use crate::backend::observe::target::stack::CallSite;
use crate::model::Pid;
use crate::model::wait::WaitKind;

/// So many return addresses tell where a thread is.
const WAY: usize = 4;

/// What the code has told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) kind: WaitKind,
    pub(super) what: &'static str,
    /// How far before the word the lock begins.
    pub(super) before: u64,
    /// What it would do, in words.
    pub(super) next: &'static str,
}

/// Where a thread waits, and on what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pid: Pid,
    way: Vec<u64>,
    value: u32,
    timed: bool,
}

impl Place {
    /// Of a thread that is at `site`; `value` tells apart what waits there in different
    /// ways.
    pub(super) fn of(pid: Pid, site: &CallSite, value: u32, timed: bool) -> Self {
        let way = std::iter::once(&site.at).chain(&site.callers).map(|code| code.address);
        Place { pid, way: way.take(WAY).collect(), value, timed }
    }
}
