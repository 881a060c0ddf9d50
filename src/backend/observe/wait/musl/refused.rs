//! A mutex of musl that passes priorities on, and that the kernel has refused to a
//! thread: as it would close a loop, or for want of a holder. musl then lets the thread
//! sleep on a word of its own stack that nobody else knows
//! (`src/thread/pthread_mutex_timedlock.c`). Which mutex it is tells the caller's code
//! before the call, and the mutex itself who holds it.

use super::decoder::Waiter;
use super::shape::Mutex;
use crate::backend::observe::wait::World;
use crate::backend::observe::wait::futex::{FutexCall, route};
use crate::backend::observe::wait::owner::{Dead, name};
use crate::model::wait::{Certainty, Wait, WaitKind};

impl Waiter<'_> {
    /// The wait of a thread in the function that takes a mutex, if it is for nothing.
    pub(super) fn refused(&self, world: &mut World) -> Option<Wait> {
        let (facts, call) = (self.facts, &self.call);
        let nothing = |world: &World| world.words(facts.pid, call.address) == Ok([0]);
        if call.value != 0 || !call.private || !self.is_above_stack_pointer() || !nothing(world) {
            return None;
        }
        let mutex = self.object(world, |waiter, world, object| inherited(waiter, world, object).is_some());
        let held = |world: &World| mutex.and_then(|mutex| inherited(self, world, mutex));
        let before = held(world);
        let mut wait = self.wait(world, WaitKind::PthreadMutexPi, "mutex", mutex);
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("sleeps on a word of its own stack, {:#x}, which is 0", call.address));
        wait.evidence.push(route(self.site));
        let until = if call.timed { "until its time-out" } else { "for ever" };
        wait.evidence.push(format!(
            "the kernel has refused {}, as a loop or for want of a holder: musl lets the thread sleep {until}",
            self.function
        ));
        match (mutex, before) {
            (Some(address), Some((holder @ 1.., private))) => {
                name(facts, world, &FutexCall { address, ..*call }, holder, (private, Dead::Orphaned), &mut wait);
            }
            _ => wait.orphaned = !call.timed,
        }
        (world.still_there(facts) && nothing(world) && held(world) == before).then_some(wait)
    }
}

/// Who holds the mutex here, if it is one that passes priorities on, and whether it is of
/// one process alone.
fn inherited(waiter: &Waiter<'_>, world: &World, mutex: u64) -> Option<(u32, bool)> {
    let fields = Mutex::read(world, waiter.facts.pid, mutex).filter(|_| mutex.is_multiple_of(8))?;
    Some((fields.inherited()?, fields.is_private()))
}
