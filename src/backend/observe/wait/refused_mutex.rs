//! A PI mutex that the kernel has refused to wait for: it follows the chain of
//! such mutexes itself, and one more wait would have closed a loop, or the
//! holder has ended (`FUTEX_LOCK_PI` in `futex(2)`: `EDEADLK`, `ESRCH`).
//!
//! glibc does not tell the program, but lets the thread sleep for good
//! (`nptl/pthread_mutex_lock.c`, "Delay the thread indefinitely"):
//!
//! ```text
//! while (1) futex_abstimed_wait (&(unsigned int){0}, 0, …, NULL, …)
//!                                 on its own stack   no time-out
//! ```
//!
//! The word says nothing. Which mutex it was stands in a register that the
//! functions in between have saved: exactly one of these must point to a PI
//! mutex that is held. The look-alikes: semaphores and condition variables on a
//! stack, which wait on a 0 as well, inside of other functions.

use super::futex::{FutexCall, Operation, route};
use super::kernel_mutex::Fields;
use super::owner::{Dead, name};
use super::{Call, Decoder, Facts, World, glibc};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// The local variable that is waited on lies so near to the stack pointer.
const NEAR: u64 = 512;
/// The function with the mutex is among so many of the C library's.
const INNER: usize = 4;
/// Registers that a call leaves as they are, by their DWARF numbers.
const KEPT: [u16; 6] = [3, 6, 12, 13, 14, 15];

/// A thread that sleeps for good instead of waiting for a PI mutex.
#[derive(Debug)]
pub(super) struct RefusedMutex;

impl Decoder for RefusedMutex {
    fn key(&self) -> &'static str {
        "refused_mutex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadMutexPi]
    }

    fn explain(&self) -> &'static str {
        "The thread has tried to lock a mutex that passes its priority on (PI), and the kernel has refused to let it \
         wait: it holds what the mutex's holder waits for, or that holder has ended. glibc then lets the thread sleep \
         for good, on a word of its own stack. It is recognised by that word and by the function of glibc it is in; \
         the mutex is the one that a saved register of that function points to, if it is only one."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let &Call::Blocked { sp, .. } = facts.call else { return None };
        let call = FutexCall::of(facts)?;
        let own_stack = (sp..sp.saturating_add(NEAR)).contains(&call.address);
        if call.operation != Operation::WaitBitset || call.timed || call.value != 0 || !own_stack {
            return None;
        }
        let site = world.call_site(facts)?;
        let function = glibc::function(facts, world, &site)?;
        if !function.starts_with("pthread_mutex_") && !function.starts_with("mtx_") {
            return None;
        }
        let mut mutexes: Vec<(u64, Fields)> = Vec::new();
        for frame in world.frames(facts).iter().take(INNER) {
            for address in KEPT.iter().filter_map(|&register| frame.registers.get(register)) {
                let fields = Fields::read(world, facts.pid, address).filter(Fields::is_held_pi);
                mutexes.extend(fields.filter(|_| address.is_multiple_of(8)).map(|fields| (address, fields)));
            }
        }
        mutexes.sort_unstable_by_key(|(address, _)| *address);
        mutexes.dedup_by_key(|(address, _)| *address);
        let &[(address, fields)] = &mutexes[..] else { return None };
        let mutex = FutexCall { address, ..call };
        let mut wait = mutex.wait(WaitKind::PthreadMutexPi, format!("mutex in {}", world.place(facts.pid, address)));
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("mutex word = {:#x}: thread {}, at {address:#x}", fields.word, fields.holder()));
        wait.evidence.push(format!("owner = {}, nusers = {}, kind = {:#x}", fields.owner, fields.nusers, fields.kind));
        wait.evidence.push(route(&site));
        name(facts, world, &mutex, fields.holder(), (fields.is_private(), Dead::Orphaned), &mut wait);
        wait.evidence.push("the kernel refused to let it wait, and glibc lets it sleep for good".to_owned());
        let unchanged = world.still_there(facts) && Fields::read(world, facts.pid, address) == Some(fields);
        unchanged.then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID, STACK};
    use crate::model::wait::WaitKind;

    #[test]
    fn without_a_register_that_points_to_a_held_mutex_it_stays_a_futex() {
        let machine = Machine::new(&format!("202 {:#x} 0x189 0x0 0x0 0x0 0x0", STACK + 0x80), "futex_do_wait");
        machine.set_words(DATA, &[0x8000_0000 | PID as u32, 0, PID as u32, 1, 0x20]);
        machine.set_words(STACK + 0x80, &[0; 16]);
        machine.stack("", &["", "pthread_mutex_lock"]);
        let wait = machine.decode().unwrap();
        assert_eq!(wait.kind, WaitKind::Futex, "{wait:#?}");
        assert!(wait.holders.is_empty() && !wait.orphaned);
    }
}
