//! What threads of C++ wait for in the standard library itself, which waits by futexes of
//! its own: `std::latch`, `std::barrier`, semaphores, futures, `std::atomic::wait`
//! (libstdc++ `bits/atomic_wait.h`, `bits/atomic_futex.h`; libc++ `atomic.cpp`).
//!
//! ```text
//! futex(word, WAIT, the word as it is)       or of a number beside it that counts notifications
//! futex(word, WAIT, 0x80000000)              a future
//! ```
//!
//! The number beside it stands in a pool of the library's, and what shares it is told by no
//! place: so it is of what the kernel cannot wait on, being no int, as the phase of a barrier.
//!
//! The numbers look like any other's: the function decides, by its name, or by debug
//! information where the compiler has put it into the program's own. What they are built
//! of pthread with (mutexes, condition variables) is told as that.

use super::futex::{FutexCall, Operation, route};
use super::{Decoder, Facts, World};
use crate::backend::observe::target::demangle::readable;
use crate::model::wait::{Wait, WaitKind};

/// So many of the innermost functions are looked at.
const DEPTH: usize = 12;
/// What has a part of these in the mangled names of its functions, or of those made for
/// it, the plainest last: each of the others waits by that.
const THINGS: &[(&[&str], &str)] = &[
    (&["St5latch4wait", "St5latch15arrive_and_wait"], "std::latch"),
    (&["St7barrierI", "St14__tree_barrierI"], "std::barrier"),
    (&["St18counting_semaphoreI", "St18__atomic_semaphore", "St20__platform_semaphore"], "std::counting_semaphore"),
    (&["St28__atomic_futex_unsigned_base", "St13__future_base"], "std::future"),
    (&["15__platform_wait", "21__platform_wait_until", "__atomic_wait"], "std::atomic"),
];

/// A thread that waits in the standard library of C++.
#[derive(Debug)]
pub(super) struct CxxWait;

impl Decoder for CxxWait {
    fn key(&self) -> &'static str {
        "cxx_wait"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::CxxWait]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a latch, barrier, semaphore, future or atomic of the standard library of C++, which \
         sleeps on a futex of its own. It is recognised by the functions of the library that it is in: by their names \
         or, where the compiler has put them into the program's own functions, by debug information. Without either it \
         stays a futex. Nobody holds such a thing: whoever counts down, arrives or sets it acts next."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if !world.is_precise() || !matches!(call.operation, Operation::Wait | Operation::WaitBitset) {
            return None;
        }
        let functions = world.functions(facts, DEPTH);
        let (what, function) = thing(&functions)?;
        let site = world.call_site(facts)?;
        if !world.still_there(facts) {
            return None;
        }
        let mut wait = call.ownerless(WaitKind::CxxWait, what, call.address, facts.pid, world);
        if what == "std::barrier" || wait.resource.contains("__waiter_pool_base") {
            (wait.resource, wait.address) = (what.into(), None);
            wait.evidence.push("the futex is in a pool of the library's, not in the thing itself".to_owned());
        }
        wait.evidence.push(format!("in {}, futex value {:#x}", readable(function), call.value));
        wait.evidence.push(route(&site));
        wait.evidence.push("nobody holds it: whoever acts next cannot be told".to_owned());
        Some(wait)
    }
}

/// What is waited for by one of these functions, innermost first, and by which.
fn thing(functions: &[String]) -> Option<(&'static str, &str)> {
    let plain: Vec<String> = functions.iter().map(|name| name.replace("St3__1", "St")).collect();
    let is_own = |name: &&String| {
        ["_ZSt", "_ZNSt", "_ZNKSt"].iter().any(|beginning| name.starts_with(beginning)) || *name == "syscall"
    };
    // What it waits by stands at the inner end: an outer function of that name is another's.
    let inner = plain.iter().take_while(is_own).count();
    THINGS.iter().find_map(|(parts, what)| {
        let at = plain[..inner].iter().position(|name| parts.iter().any(|part| name.contains(part)))?;
        Some((*what, functions[at].as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(functions: &[&str]) -> Option<&'static str> {
        let functions: Vec<String> = functions.iter().map(|&name| name.to_owned()).collect();
        thing(&functions).map(|(what, _)| what)
    }

    const PLATFORM: &str = "_ZNSt8__detail15__platform_waitIiEEvPKT_i";

    #[test]
    fn the_outermost_thing_of_the_library_is_what_is_waited_for() {
        // What waits for a latch is put into its caller always, but for what is made for it.
        let made = "_ZSt21__atomic_wait_addressIiZNKSt5latch4waitEvEUlvE_EvPKiT0_";
        assert_eq!(what(&["syscall", PLATFORM, made, "main"]), Some("std::latch"));
        let plain = "_ZSt23__atomic_wait_address_vIiZNSt13__atomic_base4waitEvEUlvE_EvPKiT0_";
        assert_eq!(what(&["syscall", PLATFORM, plain, "main"]), Some("std::atomic"));
        assert_eq!(what(&["syscall", PLATFORM, "_ZNKSt3__17barrierINS_7nothingEE4waitEv"]), Some("std::barrier"));
        let future = "_ZNSt28__atomic_futex_unsigned_base19_M_futex_wait_untilEPjjbNSt6chronoE";
        assert_eq!(what(&["syscall", future, "_ZNSt13__future_base13_State_baseV24waitEv"]), Some("std::future"));
    }

    #[test]
    fn another_function_in_between_waits_for_something_else() {
        assert_eq!(what(&["syscall", "_ZN2my4parkEv", "_ZNKSt5latch4waitEv"]), None);
        assert_eq!(what(&["syscall", "_ZNSt6thread4joinEv"]), None);
        assert_eq!(what(&["_Z4workIZNKSt5latch4waitEvEUlvE_Evv", PLATFORM]), None);
        assert_eq!(what(&[]), None);
    }
}
