//! Joining a thread: `pthread_join(3)`, `thrd_join`, Rust's `JoinHandle::join`.
//!
//! glibc keeps a thread's id in its descriptor (`struct pthread`, `nptl/descr.h`);
//! the kernel clears it and wakes the joiner when the thread ends:
//!
//! ```text
//! futex(&descriptor->tid, WAIT_BITSET, tid, no time-out)       not private: the kernel wakes it
//! descriptor +0x0 its own address, +0x10 its own address, +0x2d0 tid
//! ```

use super::futex::{FutexCall, Operation, route};
use super::{Decoder, Facts, World, glibc};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

/// Where the id stands in glibc's thread descriptor on x86-64.
pub(super) const TID: u64 = 0x2d0;

/// A thread that waits for another thread's end.
#[derive(Debug)]
pub(super) struct ThreadJoin;

impl Decoder for ThreadJoin {
    fn key(&self) -> &'static str {
        "thread_join"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::ThreadJoin]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for another thread of its process to end (pthread_join(3), thread::join of Rust and C++). \
         The id of the joined thread is the value that the futex call waits for. It is recognised by that id being \
         a living thread of the process, and by the thread descriptor of glibc around it or the function on the \
         stack."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        // A semaphore shared between processes waits the same way, on 0.
        if call.private || call.operation != Operation::WaitBitset || call.value == 0 {
            return None;
        }
        let tid = world.thread_by_inner_number(facts.pid, call.value as Pid)?;
        let site = world.call_site(facts)?;
        if !site.at.runtime.known_glibc() || site.at.name() == "syscall" {
            return None;
        }
        let in_descriptor = is_descriptor(facts, world, call.address);
        if !in_descriptor && !glibc::function(facts, world, &site)?.contains("join") {
            return None;
        }
        let unchanged = world.words(facts.pid, call.address) == Ok([call.value]) && world.still_there(facts);
        if tid == facts.tid || !unchanged {
            return None;
        }
        let mut wait = call.wait(WaitKind::ThreadJoin, format!("thread {tid}"));
        wait.certainty = Certainty::Certain;
        wait.within = true;
        wait.holders.push(Holder { pid: facts.pid, tid: Some(tid) });
        wait.evidence.push(format!("waits for the id {} at {:#x} to be cleared", call.value, call.address));
        if in_descriptor {
            wait.evidence.push(format!("it stands in glibc's thread descriptor at {:#x}", call.address - TID));
        }
        wait.evidence.push(route(&site));
        Some(wait)
    }
}

/// As [`ThreadJoin`], of a wait that may be over: then the thread has ended, and
/// only the function on the stack tells.
pub(super) fn past(facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
    let call = FutexCall::of(facts)?;
    if call.private || call.operation != Operation::WaitBitset || call.value == 0 {
        return None;
    }
    let site = world.call_site(facts)?;
    let function = glibc::function(facts, world, &site)?;
    if !function.starts_with("pthread_") && !function.starts_with("thrd_") || !function.contains("join") {
        return None;
    }
    let mut wait = call.wait(WaitKind::ThreadJoin, "the end of a thread");
    wait.certainty = Certainty::Derived;
    wait.evidence.push(route(&site));
    Some(wait)
}

fn is_descriptor(facts: &Facts<'_>, world: &World, address: u64) -> bool {
    let Some(descriptor) = address.checked_sub(TID) else { return false };
    let Ok([tcb, _, own]) = world.longs(facts.pid, descriptor) else { return false };
    tcb == descriptor && own == descriptor
}
