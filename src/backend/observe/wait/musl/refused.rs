//! A mutex of musl that passes priorities on, and that the kernel has refused to a
//! thread: as it would close a loop, or for want of a holder. musl then lets the thread
//! sleep on a word of its own stack that nobody else knows
//! (`src/thread/pthread_mutex_timedlock.c`).

use super::decoder::Waiter;
use crate::backend::observe::wait::World;
use crate::backend::observe::wait::futex::route;
use crate::model::wait::{Certainty, Wait, WaitKind};

impl Waiter<'_> {
    /// The wait of a thread in the function that takes a mutex, if it is for nothing.
    pub(super) fn refused(&self, world: &World) -> Option<Wait> {
        let nothing = || world.words(self.facts.pid, self.call.address) == Ok([0]);
        if self.call.value != 0 || !self.call.private || !self.is_above_stack_pointer() || !nothing() {
            return None;
        }
        let mut wait = self.call.wait(WaitKind::PthreadMutexPi, "a mutex that the kernel has refused");
        wait.address = None;
        wait.orphaned = !self.call.timed;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("sleeps on a word of its own stack, {:#x}, which is 0", self.call.address));
        wait.evidence.push(route(self.site));
        let until = if self.call.timed { "until its time-out" } else { "for ever" };
        wait.evidence.push(format!(
            "the kernel has refused {}, as a loop or for want of a holder: musl lets the thread sleep {until}",
            self.function
        ));
        wait.evidence.push("which mutex it is cannot be told".to_owned());
        (world.still_there(self.facts) && nothing()).then_some(wait)
    }
}
