//! Primitives of pthread that nobody holds: condition variables, semaphores,
//! barriers, one-time initialisation.
//!
//! ```text
//! pthread_cond_t     futex at +40 or +44 (__g_signals of a group), value 0 (2.36)
//! sem_t              futex at +0 the value, 0; +4 how many wait; +8 private or not
//! pthread_barrier_t  futex at +4 the round; +8 how many it takes
//! pthread_once_t     the word itself: 1 being initialised, | generation of forks << 2
//! ```
//!
//! Their values look like many others', so the function that the thread is in
//! decides, and the fields must agree.

use super::futex::{FutexCall, Operation, route};
use super::{Decoder, Facts, World, glibc};
use crate::backend::observe::target::module::Runtime;
use crate::backend::observe::target::stack::CallSite;
use crate::model::wait::{Wait, WaitKind};

/// A thread that waits in one of them.
#[derive(Debug)]
pub(super) struct PthreadSync;

impl Decoder for PthreadSync {
    fn key(&self) -> &'static str {
        "pthread_sync"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadCond, WaitKind::Semaphore, WaitKind::PthreadBarrier, WaitKind::PthreadOnce]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a condition variable to be signalled, a semaphore to be posted, the other threads of a \
         barrier, or another thread's one-time initialisation (pthread_cond_wait(3), sem_wait(3), \
         pthread_barrier_wait(3), pthread_once(3); threading.Lock of Python is a semaphore). It is recognised by the \
         function of glibc it is in and by the fields there. Nobody holds such a thing: any thread might signal or \
         post, so nobody is named. Who runs the one-time initialisation is, as inferred, by why, deadlocks and the \
         Waits panel: the thread in which pthread_once has called the program back."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if !matches!(call.operation, Operation::Wait | Operation::WaitBitset) {
            return None;
        }
        let site = world.call_site(facts)?;
        let function = glibc::function(facts, world, &site)?;
        let (kind, what, start) = match &*function {
            "pthread_cond_wait"
            | "pthread_cond_timedwait"
            | "pthread_cond_clockwait"
            | "cnd_wait"
            | "cnd_timedwait" => (WaitKind::PthreadCond, "condition variable", condition(&call, &site)),
            name if name.starts_with("sem_") => (WaitKind::Semaphore, "semaphore", semaphore(facts, world, &call)?),
            "pthread_barrier_wait" => (WaitKind::PthreadBarrier, "barrier", call.address.checked_sub(4)?),
            "pthread_once" | "pthread_once_slow" | "call_once" if call.value & 3 == 1 => {
                (WaitKind::PthreadOnce, "once", call.address)
            }
            _ => return None,
        };
        if !world.still_there(facts) {
            return None;
        }
        let mut wait = call.ownerless(kind, what, start, facts.pid, world);
        let function = function.split("_slow").next().unwrap_or(&function);
        wait.evidence.push(format!("in {function}, futex at +{}, value {}", call.address - start, call.value));
        if kind == WaitKind::PthreadBarrier
            && let Ok([count]) = world.words(facts.pid, start + 8)
        {
            wait.evidence.push(format!("the barrier is for {count} threads"));
        }
        wait.evidence.push(route(&site));
        wait.evidence.extend(world.managed_runtime(facts.pid).map(|runtime| format!("in {runtime}")));
        wait.evidence.push(who_acts(kind).to_owned());
        Some(wait)
    }
}

/// What is known of who ends such a wait.
pub(super) fn who_acts(kind: WaitKind) -> &'static str {
    match kind {
        WaitKind::PthreadOnce => "it does not store which thread runs the initialisation",
        _ => "nobody holds it: whoever acts next cannot be told",
    }
}

/// The start of the condition variable around a futex word: its two groups'
/// words lie at +40 and +44. From 2.41 on it is laid out anew; then it stays the
/// word.
fn condition(call: &FutexCall, site: &CallSite) -> u64 {
    let offset = if call.address.is_multiple_of(8) { 40 } else { 44 };
    let known = matches!(site.at.runtime, Runtime::Glibc(minor) if minor < 41);
    if known { call.address.saturating_sub(offset) } else { call.address }
}

fn semaphore(facts: &Facts<'_>, world: &World, call: &FutexCall) -> Option<u64> {
    let [_, waiters, private] = world.words(facts.pid, call.address).ok()?;
    // `private` is 0 for a semaphore of one process, 128 for a shared one.
    let agrees = call.value == 0 && waiters > 0 && (private == 0) == call.private && private & !0x80 == 0;
    (agrees && call.address.is_multiple_of(8)).then_some(call.address)
}
