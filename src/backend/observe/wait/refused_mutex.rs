//! A priority-inheriting pthread mutex that the kernel has refused
//! (`nptl/pthread_mutex_lock.c`, `pthread_mutex_timedlock.c`).
//!
//! The kernel knows who holds such a mutex and whom its holder waits for. It refuses
//! one that would close a loop (`EDEADLK`), or whose holder is gone (`ESRCH`). A mutex
//! of the normal type has no error for that: glibc lets the thread sleep for ever, or
//! until its time-out, on a zero of its own stack.
//!
//! ```text
//! sp ─► ┌ sleeps ┐ ┌ futex_abstimed_wait ┐ ┌ …mutex_lock…  0 ◄── the futex ┐ ┌ the caller: call pthread_mutex_lock
//! ```
//!
//! Which mutex it is tells the caller's code before the call.

use super::futex::{FutexCall, Operation};
use super::kernel_mutex::Fields;
use super::owner::{Dead, name};
use super::{Call, Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// The functions in between have small frames.
const NEAR: u64 = 512;
/// By what it is called.
const LOCKS: [&str; 6] = [
    "pthread_mutex_lock",
    "pthread_mutex_timedlock",
    "pthread_mutex_clocklock",
    "mtx_lock",
    "mtx_timedlock",
    "pthread_mutex_cond_lock",
];

/// A thread that the C library lets sleep because its lock was refused.
#[derive(Debug)]
pub(super) struct RefusedMutex;

impl Decoder for RefusedMutex {
    fn key(&self) -> &'static str {
        "refused_mutex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadMutexPi, WaitKind::PthreadMutexRobustPi]
    }

    fn explain(&self) -> &'static str {
        "The thread has asked for a pthread mutex that passes its priority on (PI), and the kernel has refused: to wait \
         would have closed a loop of such mutexes, or the holder is gone. glibc then lets it sleep for ever, on a word \
         of the thread's own stack. It is recognised by that word in the frame of glibc's function, its value, and by \
         what its caller calls. The mutex, whose word names the holder, is found by the caller's code before the call."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        let &Call::Blocked { sp, .. } = facts.call else { return None };
        let is_near = call.address > sp && call.address - sp < NEAR;
        if call.operation != Operation::WaitBitset || call.value != 0 || !is_near {
            return None;
        }
        let frames = world.frames(facts);
        let depth = frames.iter().position(|frame| (frame.registers.sp..frame.cfa).contains(&call.address))?;
        let caller = frames.get(depth + 1)?;
        let code = world.frame_code(facts);
        if depth == 0 || !code.get(..=depth)?.iter().all(|code| code.runtime.known_glibc()) {
            return None;
        }
        // Its own name is not exported; that by which it is called is.
        let called = world.called_from(facts.pid, caller.registers.pc)?;
        let function = called.name().trim_start_matches('_');
        let (function, argument) = if called.runtime.known_glibc() && LOCKS.contains(&function) {
            (function.to_owned(), world.first_argument(facts.pid, caller))
        } else {
            // A function of the program's own whose last call is that, and no call any more.
            let (function, argument) = world.last_call(facts.pid, caller)?;
            LOCKS.contains(&&*function).then_some((function, Some(argument)))?
        };
        let function = function.as_str();
        let mutex = argument.and_then(|address| mutex(facts, world, address));
        let Some((address, fields, kind)) = mutex else { return Some(unnamed(&call, function)) };
        let call = FutexCall { address, ..call };
        let mut wait = call.wait(kind, format!("mutex in {}", world.place(facts.pid, address)));
        wait.certainty = Certainty::Derived;
        let Fields { word, owner, nusers, kind } = fields;
        wait.evidence.push(format!("mutex word = {word:#x}: thread {}, at {address:#x}", fields.holder()));
        wait.evidence.push(format!("owner = {owner}, nusers = {nusers}, kind = {kind:#x}"));
        wait.evidence.push(refused(&call, function));
        if fields.holder() == 0 {
            wait.orphaned = !call.timed;
            wait.evidence.push("nobody holds it any more, but nobody will wake the thread".to_owned());
        } else {
            name(facts, world, &call, fields.holder(), (fields.is_private(), Dead::Orphaned), &mut wait);
        }
        let unchanged = world.still_there(facts) && Fields::read(world, facts.pid, address) == Some(fields);
        unchanged.then_some(wait)
    }
}

/// A priority-inheriting mutex at this address.
fn mutex(facts: &Facts<'_>, world: &World, address: u64) -> Option<(u64, Fields, WaitKind)> {
    let fields = Fields::read(world, facts.pid, address).filter(|_| address.is_multiple_of(8))?;
    let kind = fields.inherits().filter(|_| fields.plausible() || fields.is_free())?;
    Some((address, fields, kind))
}

/// Which mutex it is cannot be told; that the thread waits for nothing can.
fn unnamed(call: &FutexCall, function: &str) -> Wait {
    let mut wait = call.wait(WaitKind::PthreadMutexPi, "a mutex that the kernel has refused");
    wait.address = None;
    wait.certainty = Certainty::Derived;
    wait.orphaned = !call.timed;
    wait.evidence.push(refused(call, function));
    wait.evidence.push("which mutex it is cannot be told".to_owned());
    wait
}

fn refused(call: &FutexCall, function: &str) -> String {
    let until = if call.timed { "until its time-out" } else { "for ever" };
    format!("the kernel has refused {function}, as a loop or for want of a holder: glibc lets the thread sleep {until}")
}
