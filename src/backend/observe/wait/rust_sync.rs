//! What else threads of Rust programs wait for in the standard library
//! (`library/std/src/sys/sync`), all by `futex(word, WAIT_BITSET | PRIVATE, …)`:
//!
//! ```text
//! Condvar        the word is a counter of notifications
//! Once           4 low bits: being initialised, and waited for
//! park           the word is 0xffffffff
//! RwLock read    the word is the lock's state
//! RwLock write   the word at +4 of the lock counts wake-ups; the state is at +0
//! state          30 bits: all set, a writer; else how many readers | 1 << 30 readers wait | 1 << 31 writers wait
//! ```
//!
//! The values of one look like those of another: the function on the stack
//! decides.

use super::futex::{FutexCall, Operation, read_by, route};
use super::rust::std_caller;
use super::{Decoder, Facts, World};
use crate::model::wait::{Mode, Wait, WaitKind};

/// 30 bits of an `RwLock`: all set, a writer; else how many readers.
pub(super) const COUNT: u32 = (1 << 30) - 1;
/// What the word of a thread holds while it is parked.
pub(super) const PARKED: u32 = u32::MAX;

/// A thread that waits in Rust's standard library, other than for a mutex.
#[derive(Debug)]
pub(super) struct RustSync;

impl Decoder for RustSync {
    fn key(&self) -> &'static str {
        "rust_sync"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[
            WaitKind::RustCondvar,
            WaitKind::RustOnce,
            WaitKind::RustPark,
            WaitKind::RustRwlockRead,
            WaitKind::RustRwlockWrite,
        ]
    }

    fn explain(&self) -> &'static str {
        "The thread waits in Rust's standard library: for a Condvar or Barrier, for another thread's initialisation of \
         a Once, OnceLock or LazyLock, parked (thread::park, a channel, a scope's end), or for an RwLock. It is \
         recognised by the function on the stack and the value that it waits on. None of these stores who must act; \
         of an RwLock it is known whether one writer or how many readers hold it. Whose own code would let go of the \
         RwLock, or end the initialisation, is named as inferred, by why, deadlocks and the Waits panel."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if call.operation != Operation::WaitBitset || !call.private {
            return None;
        }
        let site = world.call_site(facts)?;
        let (kind, what) = kind_of(std_caller(&site)?, &call)?;
        let lock = if kind == WaitKind::RustRwlockWrite { call.address.checked_sub(4)? } else { call.address };
        let [state] = world.words(facts.pid, lock).ok()?;
        if !world.still_there(facts) {
            return None;
        }
        let mut wait = call.ownerless(kind, what, lock, facts.pid, world);
        wait.evidence.push(route(&site));
        tell_state(&mut wait, state, &call);
        Some(wait)
    }
}

/// What the word of a lock says, or that nothing says who must act.
pub(super) fn tell_state(wait: &mut Wait, state: u32, call: &FutexCall) {
    wait.evidence.push(match wait.kind {
        WaitKind::RustMutex => {
            format!("mutex word = {state} (locked and waited for); it does not say who holds it")
        }
        WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite => {
            wait.mode = Mode::All;
            match state & COUNT {
                COUNT => "a writer holds it; the lock does not store which thread".to_owned(),
                0 => "nobody holds it: it is changing hands".to_owned(),
                count => format!("{}; the lock does not store who", read_by(count)),
            }
        }
        _ => format!("futex value {}; who must act is not stored", call.value),
    });
}

/// What the waiting function of std (mangled) waits for.
fn kind_of(function: &str, call: &FutexCall) -> Option<(WaitKind, &'static str)> {
    let is = |parts: &[&str]| parts.iter().all(|part| function.contains(part));
    if is(&["utex", "7Condvar"]) {
        return Some((WaitKind::RustCondvar, "Condvar"));
    }
    // The compiler may put the wait for its condition variable into it.
    if is(&["7Barrier4wait"]) {
        return Some((WaitKind::RustCondvar, "Barrier"));
    }
    if is(&["utex", "4Once"]) && !call.timed {
        return Some((WaitKind::RustOnce, "Once"));
    }
    if (is(&["6Parker"]) || is(&["6thread", "4park"])) && call.value == PARKED {
        return Some((WaitKind::RustPark, "park token"));
    }
    if is(&["14read_contended"]) && !call.timed {
        return Some((WaitKind::RustRwlockRead, "RwLock"));
    }
    if is(&["15write_contended"]) && !call.timed {
        return Some((WaitKind::RustRwlockWrite, "RwLock"));
    }
    None
}
