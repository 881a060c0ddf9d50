//! What threads of C++ wait for in the standard library itself, which waits by futexes of
//! its own: `std::latch`, `std::barrier`, semaphores, futures, `std::atomic::wait`
//! (libstdc++ `bits/atomic_wait.h`, `bits/atomic_futex.h`; libc++ `atomic.cpp`).
//!
//! ```text
//! futex(word, WAIT, the word as it is)       or of a number beside it that counts notifications
//! futex(word, WAIT, 0x80000000)              a future
//! ```
//!
//! The numbers look like any other's: the function decides, by its name, or by debug
//! information where the compiler has put it into the program's own. What they are built
//! of pthread with (mutexes, condition variables) is told as that.

use super::futex::{FutexCall, Operation, route};
use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// So many of the innermost functions are looked at.
const DEPTH: usize = 12;
/// By how their names begin, the plainest first: each of them waits by the last.
const THINGS: &[(&[&str], &str)] = &[
    (&["std::latch::"], "std::latch"),
    (&["std::barrier<", "std::barrier::", "std::__tree_barrier"], "std::barrier"),
    (&["std::counting_semaphore", "std::__atomic_semaphore", "std::__platform_semaphore"], "std::counting_semaphore"),
    (&["std::__atomic_futex_unsigned", "std::__future_base"], "std::future"),
    (&["std::__detail::__platform_wait", "std::__atomic_wait", "std::__libcpp_atomic_wait"], "std::atomic"),
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
        let mut wait = call.wait(WaitKind::CxxWait, format!("{what} in {}", world.place(facts.pid, call.address)));
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("in {function}, futex value {:#x}", call.value));
        wait.evidence.push(route(&site));
        wait.evidence.push("nobody holds it: whoever acts next cannot be told".to_owned());
        Some(wait)
    }
}

/// What is waited for by one of these functions, innermost first, and by which.
fn thing(functions: &[String]) -> Option<(&'static str, &str)> {
    let plain: Vec<String> = functions.iter().map(|name| name.replace("std::__1::", "std::")).collect();
    // What it waits by stands at the inner end: an outer function of that name is another's.
    let inner = plain.iter().take_while(|name| name.starts_with("std::") || *name == "syscall").count();
    THINGS.iter().find_map(|(beginnings, what)| {
        let is = |name: &String| beginnings.iter().any(|beginning| name.starts_with(beginning));
        let at = plain[..inner].iter().position(is)?;
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

    #[test]
    fn the_outermost_thing_of_the_library_is_what_is_waited_for() {
        let platform = "std::__detail::__platform_wait<int>";
        assert_eq!(what(&["syscall", platform, "std::latch::wait", "main"]), Some("std::latch"));
        assert_eq!(what(&["syscall", platform, "std::__atomic_wait_address", "main"]), Some("std::atomic"));
        assert_eq!(what(&["syscall", platform, "std::__1::barrier<>::wait"]), Some("std::barrier"));
        let future = "std::__atomic_futex_unsigned_base::_M_futex_wait_until";
        assert_eq!(what(&["syscall", future, "std::__future_base::_State_baseV2::wait"]), Some("std::future"));
    }

    #[test]
    fn another_function_in_between_waits_for_something_else() {
        assert_eq!(what(&["syscall", "my::park", "std::latch::wait"]), None);
        assert_eq!(what(&["syscall", "std::thread::join"]), None);
        assert_eq!(what(&["std::latchkey::wait", "mystd::latch::wait"]), None);
        assert_eq!(what(&[]), None);
    }
}
