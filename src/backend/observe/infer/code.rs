//! The code of a process as it is asked: where it goes on if a call unwinds, and
//! from where a blocked thread goes on if its system call returns.

use std::collections::HashMap;

use crate::backend::observe::rehearsal::{Function, Memory, Stage};
use crate::backend::observe::target::lsda::landing_pad;
use crate::backend::observe::target::unwind::{Frame, Walk};
use crate::backend::observe::wait::OnStage;

/// A table of call sites is read so far.
const TABLE: usize = 64 << 10;

/// The code and the memory of a process, as far as they have been read.
pub(super) struct CodeOf<'c> {
    pub(super) stage: &'c OnStage<'c>,
    pub(super) memory: Memory<'c>,
    /// Where a call goes on if it unwinds, by the address it returns to.
    pub(super) pads: HashMap<u64, Option<u64>>,
}

impl CodeOf<'_> {
    /// Where a frame goes on if the call it is in unwinds.
    pub(super) fn pad(&mut self, frame: &Frame) -> Option<u64> {
        let pc = frame.registers.pc;
        if let Some(known) = self.pads.get(&pc) {
            return *known;
        }
        let look = |at| {
            let mut table = vec![0; TABLE];
            let length = self.memory.fill(at, &mut table);
            // The call ends before the address that it returns to.
            landing_pad(&table[..length], frame.function, pc - 1)
        };
        let pad = frame.exceptions.filter(|_| !is_outermost(&self.stage.function(frame.function))).and_then(look);
        self.pads.insert(pc, pad);
        pad
    }
}

/// Whether a function of the runtime has called all others: it holds no lock of
/// theirs, and there is much to clean up.
fn is_outermost(function: &Function) -> bool {
    const OF_RUST: [&str; 3] = ["12thread_start", "10lang_start", "19lang_start_internal"];
    function.name.as_ref().is_some_and(|name| OF_RUST.iter().any(|part| name.contains(part)))
}

/// From where a thread goes on, and with which result: behind the function of the
/// C library that it is in, and behind that of its runtime which takes the lock it
/// waits for. These return nothing that they could have found; what they keep in
/// registers is not told.
pub(super) fn beginning<'w>(walk: &'w Walk, timed: bool, stage: &dyn Stage) -> Option<(&'w Frame, Option<u64>)> {
    const RUST: [&str; 6] = [
        "14lock_contended",
        "14read_contended",
        "15write_contended",
        "9lock_slow",
        "16lock_shared_slow",
        "19lock_exclusive_slow",
    ];
    // In musl those without a limit jump to those with one.
    const PTHREAD: [&str; 6] = [
        "pthread_mutex_lock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_wrlock",
        "pthread_mutex_timedlock",
        "pthread_rwlock_timedrdlock",
        "pthread_rwlock_timedwrlock",
    ];
    let mut result = None;
    let mut frames = walk.frames.iter().map(|frame| (frame, stage.function(frame.registers.pc - 1))).peekable();
    // A function without a table is musl's, linked statically.
    while let Some((_, function)) = frames.next_if(|(frame, function)| function.library || frame.bare) {
        let name = function.name.as_deref().unwrap_or("");
        let locks = PTHREAD.iter().any(|function| name.ends_with(function));
        result = (locks && !timed).then_some(0);
    }
    // One of them may have put another into itself, or not.
    for (depth, (frame, _)) in frames.clone().take(3).enumerate() {
        let takes = |(_, function): (&Frame, Function)| {
            function.name.is_some_and(|name| RUST.iter().any(|part| name.contains(part)))
        };
        if !frames.clone().skip(depth).take(3 - depth).any(takes) {
            return Some((frame, if depth == 0 { result } else { Some(1) }));
        }
    }
    frames.nth(3).map(|(frame, _)| (frame, Some(1)))
}
