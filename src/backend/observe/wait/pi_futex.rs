//! A futex that passes priorities on, of whatever make: `FUTEX_LOCK_PI`, `futex(2)`.
//!
//! ```text
//! futex(word, LOCK_PI, _, time-out)
//! word   thread id of the holder | 0x80000000 waited for | 0x40000000 the holder died
//! ```
//!
//! That word is no library's but the kernel's: it lends the waiter's priority to the
//! thread in it. glibc's mutexes have a decoder of their own, which knows more; what is
//! left are those of musl, and programs that do so themselves.

use super::futex::{FutexCall, Operation, route};
use super::owner::{Dead, name};
use super::{Decoder, Facts, World, musl};
use crate::model::wait::{Wait, WaitKind};

const WAITERS: u32 = 0x8000_0000;
const DIED: u32 = 0x4000_0000;

/// A lock whose holder the kernel knows.
#[derive(Debug)]
pub(super) struct PiFutex;

impl Decoder for PiFutex {
    fn key(&self) -> &'static str {
        "pi_futex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadMutexPi, WaitKind::Futex]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a futex that passes its priority on to the holder (FUTEX_LOCK_PI), of musl's mutexes or \
         of the program's own. The kernel itself keeps the holder's thread id in the word and the mark that somebody \
         waits; both must be there, before and after."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts).filter(|call| call.operation == Operation::LockPi)?;
        let [word] = world.words(facts.pid, call.address).ok()?;
        let holder = word & !(WAITERS | DIED);
        if word & WAITERS == 0 || holder == 0 {
            return None;
        }
        let site = world.call_site(facts);
        let of_musl = site.as_deref().is_some_and(|site| musl::waits_in_mutex(facts, world, site));
        let (kind, what, before) = if of_musl {
            (WaitKind::PthreadMutexPi, "musl mutex", 4)
        } else {
            (WaitKind::Futex, "futex that passes priorities on", 0)
        };
        let start = call.address.saturating_sub(before);
        let mut wait = call.wait(kind, format!("{what} in {}", world.place(facts.pid, start)));
        wait.address = Some(start);
        wait.evidence.push(format!("futex({:#x}, operation {:#x})", call.address, call.raw));
        wait.evidence.push(format!("the kernel keeps its holder in the word: {word:#x}, thread {holder}"));
        wait.evidence.extend(site.as_deref().map(route));
        name(facts, world, &call, holder, (call.private, Dead::HandedOn), &mut wait);
        let unchanged = world.still_there(facts) && world.words(facts.pid, call.address) == Ok([word]);
        unchanged.then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::wait::{Certainty, Holder};

    fn decoded(operation: u32, word: u32) -> Wait {
        let machine = Machine::futex(operation, word, 0);
        machine.set_words(DATA, &[word, 0, 0, 0, 0]);
        machine.decode().unwrap()
    }

    #[test]
    fn the_kernel_names_the_holder_whoever_made_the_lock() {
        for operation in [0x86, 0x8d] {
            let wait = decoded(operation, WAITERS | PID as u32);
            assert_eq!((wait.kind, wait.certainty), (WaitKind::Futex, Certainty::Certain), "{wait:#?}");
            assert_eq!(wait.holders, [Holder { pid: PID, tid: Some(PID) }]);
        }
    }

    #[test]
    fn another_operation_or_a_word_without_marks_names_nobody() {
        for (operation, word) in [(0x80, WAITERS | PID as u32), (0x86, PID as u32), (0x86, WAITERS), (0x86, 0)] {
            let wait = decoded(operation, word);
            assert!(
                wait.holders.is_empty() && wait.certainty == Certainty::Unknown,
                "{operation:#x} {word:#x} {wait:#?}"
            );
        }
    }

    #[test]
    fn a_holder_that_is_gone_is_not_the_locks_end() {
        let wait = decoded(0x86, WAITERS | DIED | 0x3d_0900);
        assert_eq!((wait.holders.len(), wait.orphaned, wait.partial), (0, false, true), "{wait:#?}");
    }
}
