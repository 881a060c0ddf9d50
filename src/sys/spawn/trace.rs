//! The system calls that starting a child really made, as they were made.
//!
//! The child writes each call into memory that it shares with its parent, so
//! this is no list of what ought to happen: a call that was left out is not in
//! it, and one that failed has its error. Questions for the disposition of each of
//! 64 signals are one entry with a count.

use std::cell::Cell;
use std::path::PathBuf;

use rustix::io::Errno;

use crate::sys::syscalls;

/// Entries that fit; a start makes about twenty, and one for each directory of
/// a long `PATH`.
const ROOM: usize = 64;

/// A system call and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Call {
    /// Its number.
    pub number: i64,
    /// Its first three arguments, as they were passed.
    pub args: [usize; 3],
    /// What it returned; a negative one is an error's number.
    pub result: i64,
    /// How often it was made in a row.
    pub times: u32,
    /// Whether it returned at all: an execve(2) that works does not.
    pub returned: bool,
}

impl Call {
    /// The call's name.
    pub fn name(&self) -> &'static str {
        syscalls::name(self.number).unwrap_or("system call")
    }

    /// Its error, where it failed.
    pub fn error(&self) -> Option<Errno> {
        (self.returned && self.result < 0).then(|| Errno::from_raw_os_error(-self.result as i32))
    }
}

/// What starting a child took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// The system calls, in order; each clone is the parent's, and what follows
    /// it its child's.
    pub calls: Vec<Call>,
    /// The files that execve(2) was tried with, by the first argument of its
    /// entries in `calls`.
    pub candidates: Vec<PathBuf>,
}

impl Trail {
    /// Adds those of another attempt.
    pub(super) fn add(&mut self, later: Trail) {
        let before = self.candidates.len();
        self.calls.extend(later.calls.into_iter().map(|mut call| {
            if call.number == libc::SYS_execve {
                call.args[0] += before;
            }
            call
        }));
        self.candidates.extend(later.candidates);
    }
}

/// Where the calls are written to.
pub(super) struct Trace {
    entries: [Cell<Call>; ROOM],
    used: Cell<usize>,
}

impl Default for Trace {
    fn default() -> Self {
        Trace { entries: std::array::from_fn(|_| Cell::default()), used: Cell::new(0) }
    }
}

impl Trace {
    /// Notes a call. Without a branch that could panic: it runs between clone
    /// and execve.
    pub(super) fn note(&self, call: Call) {
        let used = self.used.get();
        if let Some(last) = self.entries.get(used.wrapping_sub(1)) {
            let before = last.get();
            let same = call.number == libc::SYS_rt_sigaction && before.number == call.number;
            if same && call.returned && call.result >= 0 && before.result >= 0 {
                last.set(Call { times: before.times.wrapping_add(1), ..before });
                return;
            }
        }
        if let Some(entry) = self.entries.get(used) {
            entry.set(Call { times: 1, ..call });
            // SAFETY: ours; volatile, because the parent's compiler does not
            // know that a call into `clone` wrote it.
            unsafe { self.used.as_ptr().write_volatile(used + 1) };
        }
    }

    /// Completes the entry noted last: it came back after all.
    pub(super) fn returned(&self, call: Call) {
        if let Some(last) = self.entries.get(self.used.get().wrapping_sub(1)) {
            last.set(Call { times: 1, ..call });
        }
    }

    /// What was noted, once the child has left our memory.
    pub(super) fn calls(&self) -> Vec<Call> {
        // SAFETY: nobody writes any more; volatile as above.
        let used = unsafe { self.used.as_ptr().read_volatile() };
        // SAFETY: as above.
        self.entries.iter().take(used).map(|entry| unsafe { entry.as_ptr().read_volatile() }).collect()
    }
}
