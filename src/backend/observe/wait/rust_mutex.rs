//! `std::sync::Mutex` of Rust on Linux (`library/std/src/sys/sync/mutex/futex.rs`):
//!
//! ```text
//! word   0 unlocked, 1 locked, 2 locked and perhaps waited for
//! wait   futex(word, WAIT_BITSET | PRIVATE, 2, no time-out, 0, all bits)
//! ```
//!
//! The word does not say who holds it. A condition variable after two
//! notifications waits in the same way on a 2, so does glibc's timed code: only
//! the caller, `Mutex::lock_contended`, tells a mutex from these.

use super::futex::{FutexCall, Operation, route};
use super::rust::std_caller;
use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// A thread that locks a Rust mutex.
#[derive(Debug)]
pub(super) struct RustMutex;

impl Decoder for RustMutex {
    fn key(&self) -> &'static str {
        "rust_mutex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::RustMutex]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a Mutex of Rust's standard library. It is recognised by the way std calls futex, by the \
         mutex word (2: locked and waited for), and by the function on the stack, lock_contended. Such a mutex does \
         not store its holder: the one thread whose own code would let go of it next is named, as inferred, by why, \
         deadlocks and the Waits panel. In a program without symbols it cannot be told from a condition \
         variable and stays a futex."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if call.operation != Operation::WaitBitset || !call.private || call.timed || call.value != 2 {
            return None;
        }
        if world.words(facts.pid, call.address) != Ok([2]) {
            return None;
        }
        let site = world.call_site(facts)?;
        let caller = std_caller(&site)?;
        let is_mutex = caller.contains("14lock_contended") && caller.contains("utex5Mutex")
            || caller.contains("14lock_contended") && caller.contains("5mutex5futex");
        if !is_mutex || !world.still_there(facts) {
            return None;
        }
        let mut wait = call.wait(WaitKind::RustMutex, format!("Mutex in {}", world.place(facts.pid, call.address)));
        wait.certainty = Certainty::Derived;
        wait.partial = true;
        wait.evidence.push(format!("mutex word = 2 (locked and waited for) at {:#x}", call.address));
        wait.evidence.push(route(&site));
        wait.evidence.push("a Mutex of Rust's standard library does not store who holds it".to_owned());
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::target::module::Runtime;
    use crate::backend::observe::wait::fixture::{DATA, Machine};

    const LOCK: &str = "_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE";

    fn kind(operation: u32, value: u32, word: u32, timeout: u64, at: &str, callers: &[&str]) -> WaitKind {
        let machine = Machine::futex(operation, value, timeout);
        machine.set_words(DATA, &[word]);
        machine.runtime(Runtime::Unknown);
        machine.stack(at, callers);
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty() && !wait.orphaned, "a Rust mutex stores no holder: {wait:#?}");
        wait.kind
    }

    #[test]
    fn a_mutex_is_told_by_word_and_caller() {
        assert_eq!(kind(0x89, 2, 2, 0, "syscall", &[&format!("!{LOCK}")]), WaitKind::RustMutex);
        let older = "!_ZN3std3sys4unix5locks11futex_mutex5Mutex14lock_contended17h0123456789abcdefE";
        assert_eq!(kind(0x89, 2, 2, 0, "syscall", &[older]), WaitKind::RustMutex);
    }

    #[test]
    fn a_condition_variable_whose_counter_is_two_is_no_mutex() {
        let condvar = "!_ZN3std3sys4sync7condvar5futex7Condvar4wait17h0123456789abcdefE";
        let wait = "!_ZN3std3sys3pal4unix5futex10futex_wait17h0123456789abcdefE";
        for callers in [&[condvar][..], &[wait, condvar]] {
            assert_eq!(kind(0x89, 2, 2, 0, "syscall", callers), WaitKind::RustCondvar, "{callers:?}");
        }
    }

    #[test]
    fn what_only_looks_like_one_stays_a_futex() {
        let lock = format!("!{LOCK}");
        for (operation, value, word, timeout, at, callers) in [
            (0x89, 2, 2, 0, "syscall", &[""][..]),            // stripped
            (0x89, 2, 2, 0, "", &["pthread_cond_clockwait"]), // glibc on the monotonic clock
            (0x89, 2, 1, 0, "syscall", &[&lock]),             // changing hands
            (0x89, 5, 2, 0, "syscall", &[&lock]),
            (0x89, 2, 2, 0x7fff_0000_0000, "syscall", &[&lock]), // std never limits a lock
            (0x80, 2, 2, 0, "syscall", &[&lock]),
            (0x89, 2, 2, 0, "syscall", &["!_ZN6parker14lock_contendedE"]),
        ] {
            assert_eq!(kind(operation, value, word, timeout, at, callers), WaitKind::Futex, "{callers:?}");
        }
    }
}
