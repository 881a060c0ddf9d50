//! The initialisation of a static variable inside a function of C++, as libstdc++
//! guards it (`libsupc++/guard.cc`; Itanium C++ ABI, section 3.3.3):
//!
//! ```text
//! +0  1 done        +1  1 being done        +2  1 waited for
//! wait   futex(guard, FUTEX_WAIT, 0x10100, no time-out), not private
//! ```
//!
//! The guard does not say which thread does it. The look-alike: any program's own
//! word of that value; `__cxa_guard_acquire` must have called.

use super::futex::{FutexCall, Operation, route};
use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

const WAITED_FOR: u32 = 0x1_0100;

/// A thread that waits for another's initialisation of a static variable.
#[derive(Debug)]
pub(super) struct CxaGuard;

impl Decoder for CxaGuard {
    fn key(&self) -> &'static str {
        "cxa_guard"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::CxaGuard]
    }

    fn explain(&self) -> &'static str {
        "The thread waits until another has initialised a static variable inside a function of C++ \
         (__cxa_guard_acquire). It is recognised by that function on the stack and by the bytes of the guard. The \
         guard does not store who initialises: the one thread whose own code would abandon the initialisation, were \
         it unwound, is named, as inferred, by why, deadlocks and the Waits panel."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if call.operation != Operation::Wait || call.timed || call.value != WAITED_FOR {
            return None;
        }
        if world.words(facts.pid, call.address) != Ok([WAITED_FOR]) {
            return None;
        }
        let site = world.call_site(facts)?;
        // The way there is through syscall(2), whose return address is exact.
        let acquires = |code: &str| code.starts_with("__cxa_guard_acquire");
        if site.at.name() != "syscall" || site.among(2, acquires).is_none() || !world.still_there(facts) {
            return None;
        }
        let place = world.place(facts.pid, call.address);
        let mut wait = call.wait(WaitKind::CxaGuard, format!("initialisation of a static variable, guard in {place}"));
        wait.certainty = Certainty::Derived;
        wait.partial = true;
        wait.evidence.push(format!("guard = {WAITED_FOR:#x} (being done and waited for) at {:#x}", call.address));
        wait.evidence.push(route(&site));
        wait.evidence.push("the guard does not store which thread does it".to_owned());
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine};

    fn kind(value: u32, word: u32, at: &str, caller: &str) -> WaitKind {
        let machine = Machine::futex(0, value, 0);
        machine.set_words(DATA, &[word]);
        machine.stack(at, &[caller, "!main"]);
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty(), "{wait:#?}");
        wait.kind
    }

    #[test]
    fn the_caller_and_the_bytes_decide() {
        let all = WAITED_FOR;
        assert_eq!(kind(all, all, "syscall", "__cxa_guard_acquire"), WaitKind::CxaGuard);
        assert_eq!(kind(all, 1, "syscall", "__cxa_guard_acquire"), WaitKind::Futex, "done meanwhile");
        assert_eq!(kind(all, all, "syscall", "std::atomic::wait"), WaitKind::Futex);
        assert_eq!(kind(2, 2, "syscall", "__cxa_guard_acquire"), WaitKind::Futex);
        assert_eq!(kind(all, all, "", "__cxa_guard_acquire"), WaitKind::Futex, "not through syscall");
    }
}
