//! A pthread mutex of glibc on x86-64 that stores its owner
//! (`sysdeps/x86/nptl/bits/struct_mutex.h`):
//!
//! ```text
//! +0   lock    0 free, 1 held, 2 held and waited for
//! +4   count   of a recursive mutex
//! +8   owner   thread id of the holder
//! +12  nusers  the holder, and waiters of condition variables that use it
//! +16  kind    0 normal, 1 recursive, 2 error-checking, 3 adaptive
//!              | 0x80 shared between processes, | 0x100 elided, | 0x200 not elided
//! ```
//!
//! Waiters sleep in `futex(lock, FUTEX_WAIT, 2)` inside `__lll_lock_wait`, or
//! with a time-out in `FUTEX_WAIT_BITSET`. The look-alikes: stdio's and
//! malloc's internal locks (`__lll_lock_wait_private`), `GMutex` and others that
//! call `syscall` themselves, a barrier's bytes, `std::atomic::wait` on a 2,
//! musl's locks.

use super::futex::{FutexCall, Operation, is_library, route};
use super::owner::{Dead, name};
use super::{Decoder, Facts, World, glibc_nameless};
use crate::backend::observe::target::stack::CallSite;
use crate::model::Pid;
use crate::model::wait::{Wait, WaitKind};

const KIND_MASK: u32 = 0x3;
const PSHARED: u32 = 0x80;
const ELISION: u32 = 0x300;
const RECURSIVE: u32 = 1;
/// Thread ids are below 2²² (`PID_MAX_LIMIT`).
const PID_LIMIT: u32 = 1 << 22;

/// The first fields of `pthread_mutex_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    lock: u32,
    count: u32,
    owner: u32,
    nusers: u32,
    kind: u32,
}

impl Fields {
    fn read(world: &World, pid: Pid, address: u64) -> Option<Self> {
        let [lock, count, owner, nusers, kind] = world.words(pid, address).ok()?;
        Some(Fields { lock, count, owner, nusers, kind })
    }

    /// Whether a mutex that is waited for may look so.
    fn plausible(&self, private: bool) -> bool {
        let kind = self.kind & !ELISION;
        let recursion = if kind & KIND_MASK == RECURSIVE { self.count >= 1 } else { self.count == 0 };
        self.lock == 2
            && kind & !(KIND_MASK | PSHARED) == 0
            && (kind & PSHARED == 0) == private
            && recursion
            && (1..PID_LIMIT).contains(&self.owner)
            && (1..0x1_0000).contains(&self.nusers)
    }

    fn kind_word(&self) -> &'static str {
        ["normal", "recursive", "error-checking", "adaptive"][(self.kind & KIND_MASK) as usize]
    }
}

/// A mutex that stores who holds it.
#[derive(Debug)]
pub(super) struct PthreadMutex;

impl Decoder for PthreadMutex {
    fn key(&self) -> &'static str {
        "pthread_mutex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadMutex]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a pthread mutex (pthread_mutex_lock(3), C11 mtx_lock, std::mutex of C++). glibc \
         writes the holder's thread id into the mutex, so the holder is read from there. It is recognised by the \
         place in glibc where the thread sleeps, by its caller, and by the fields of the mutex (lock word, kind, \
         owner, users), all read again after the thread was seen still waiting. A holder that is no living thread \
         any more makes the lock orphaned. Only glibc from 2.34 on is decoded; with others the wait is shown as a \
         futex."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        let timed = call.operation == Operation::WaitBitset && call.timed;
        let plain = call.operation == Operation::Wait && !call.timed;
        if call.value != 2 || !call.address.is_multiple_of(8) || !(plain || timed) {
            return None;
        }
        let fields = Fields::read(world, facts.pid, call.address)?;
        if !fields.plausible(call.private) {
            return None;
        }
        let mut site = world.call_site(facts)?;
        if !waits_in_mutex_code(&site, timed) {
            // What calls have left on the stack may stand in between.
            site = world.live_call_site(facts).filter(|site| waits_in_mutex_code(site, timed))?.into();
        }
        // Where the program's own code is in the same file as glibc's, and neither has names.
        let nameless = site.at.name().is_empty() && site.caller().is_some_and(|code| code.name().is_empty());
        if nameless && !is_library(&site.at.file) && !glibc_nameless::takes_mutex(facts, world, &call) {
            return None;
        }
        let mut wait = call.wait(WaitKind::PthreadMutex, resource(facts, world, &call));
        wait.evidence.push(format!("owner word = {} at {:#x}", fields.owner, call.address + 8));
        wait.evidence.push(format!(
            "lock word = 2 (held and waited for), nusers = {}, kind = {:#x} ({})",
            fields.nusers,
            fields.kind,
            fields.kind_word()
        ));
        wait.evidence.push(route(&site));
        name(facts, world, &call, fields.owner, (call.private, Dead::Orphaned), &mut wait);
        // Last: whoever was found to hold it, or not to live, did so meanwhile.
        confirm(facts, world, &call, fields)?;
        Some(wait)
    }
}

/// As [`PthreadMutex`], of a wait that may be over: whoever held the mutex has
/// perhaps let go of it. Where the thread was in its code and what the mutex is
/// by its kind stay.
pub(super) fn past(facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
    let call = FutexCall::of(facts)?;
    let timed = call.operation == Operation::WaitBitset && call.timed;
    let plain = call.operation == Operation::Wait && !call.timed;
    if call.value != 2 || !call.address.is_multiple_of(8) || !(plain || timed) {
        return None;
    }
    let fields = Fields::read(world, facts.pid, call.address)?;
    let kind = fields.kind & !ELISION;
    if kind & !(KIND_MASK | PSHARED) != 0 || (kind & PSHARED == 0) != call.private || fields.owner >= PID_LIMIT {
        return None;
    }
    let site = world.call_site(facts)?;
    if !waits_in_mutex_code(&site, timed) || !named_mutex_function(&site) {
        return None;
    }
    let mut wait = call.wait(WaitKind::PthreadMutex, resource(facts, world, &call));
    wait.certainty = crate::model::wait::Certainty::Derived;
    wait.evidence.push(route(&site));
    Some(wait)
}

/// Whether glibc's function is named, and is a mutex's.
fn named_mutex_function(site: &CallSite) -> bool {
    let inner = site.callers.iter().take_while(|code| code.file == site.at.file).take(3);
    inner
        .filter(|code| !code.name().is_empty())
        .take(1)
        .any(|code| is_mutex_function(code.name().trim_start_matches('_')))
}

fn resource(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> String {
    format!("mutex in {}", world.place(facts.pid, call.address))
}

/// Whether the thread is inside of glibc's code for mutexes.
fn waits_in_mutex_code(site: &CallSite, timed: bool) -> bool {
    if !site.at.runtime.known_glibc() {
        return false;
    }
    // These are not exported: nameless in a stripped libc, named in a static or
    // unstripped one.
    let at = site.at.name().trim_start_matches('_');
    let sleeps = match at {
        "" => true,
        "lll_lock_wait" => !timed,
        _ => timed && (at.starts_with("futex_abstimed_wait") || at.starts_with("lll_clocklock")),
    };
    let Some(first) = site.caller() else { return false };
    if !sleeps || first.file != site.at.file {
        return false;
    }
    // The way out of libc: the nearest frame that has a name must be a mutex's,
    // or that of a condition variable which takes its mutex again, through a
    // nameless function of its own.
    let inner = site.callers.iter().take_while(|code| code.file == site.at.file).take(3);
    let named = inner.enumerate().find(|(_, code)| !code.name().is_empty());
    match named {
        None => true,
        Some((depth, code)) => {
            let name = code.name().trim_start_matches('_');
            is_mutex_function(name) || (depth > 0 && (name.starts_with("pthread_cond_") || name.starts_with("cnd_")))
        }
    }
}

fn is_mutex_function(name: &str) -> bool {
    name.starts_with("pthread_mutex_")
        || name.starts_with("mtx_")
        || name.starts_with("lll_clocklock_wait")
        || name.starts_with("lll_lock_elision")
}

/// Sees the thread still in its call, and then the mutex unchanged. A thread
/// that waits for itself might have been seen before and after it held the
/// lock: then it must not have run in between.
fn confirm(facts: &Facts<'_>, world: &mut World, call: &FutexCall, fields: Fields) -> Option<()> {
    let inner_self = world.has_inner_number(facts.pid, facts.tid, fields.owner as Pid);
    let before = if inner_self { world.times_run(facts.pid, facts.tid) } else { None };
    let first = if inner_self { Fields::read(world, facts.pid, call.address)? } else { fields };
    let unchanged = first == fields
        && world.still_there(facts)
        && Fields::read(world, facts.pid, call.address)? == fields
        && (!inner_self || world.times_run(facts.pid, facts.tid) == before);
    unchanged.then_some(())
}

#[cfg(test)]
mod tests;
