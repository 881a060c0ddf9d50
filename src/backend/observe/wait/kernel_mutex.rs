//! pthread mutexes whose word the kernel knows: priority-inheriting ones and
//! robust ones (`futex(2)`, `nptl/pthread_mutex_lock.c`).
//!
//! ```text
//! word   thread id of the holder | 0x80000000 waited for | 0x40000000 the holder died
//! PI     futex(word, LOCK_PI)                      kind | 0x20
//! robust futex(word, WAIT, the word as it is)      kind | 0x10, never private
//! both   futex(word, LOCK_PI), never private       kind | 0x30
//! ```
//!
//! The other fields are those of every mutex; `owner` repeats the id. The kernel
//! hands such a lock on when its holder dies, so it is never orphaned. The
//! look-alike: `std::future` of C++ waits on 0x80000000, which names nobody.

use super::futex::{FutexCall, Operation, route};
use super::owner::{Dead, name};
use super::{Decoder, Facts, World};
use crate::model::wait::{Wait, WaitKind};

const WAITERS: u32 = 0x8000_0000;
const DIED: u32 = 0x4000_0000;
const ROBUST: u32 = 0x10;
const INHERIT: u32 = 0x20;
const PSHARED: u32 = 0x80;
const TYPE: u32 = 0x3;

/// A mutex whose holder the kernel knows.
#[derive(Debug)]
pub(super) struct KernelMutex;

impl Decoder for KernelMutex {
    fn key(&self) -> &'static str {
        "kernel_mutex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadMutexPi, WaitKind::PthreadMutexRobust, WaitKind::PthreadMutexRobustPi]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a pthread mutex that passes its priority on to the holder (PI), or that survives its \
         holder's death (robust). The mutex word itself is the holder's thread id, which the kernel relies on. It is \
         recognised by the futex operation, the word, the mutex's kind bits and its owner field agreeing, and by the \
         thread being inside of glibc."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        let [holder, _, owner, nusers, kind] = world.words(facts.pid, call.address).ok()?;
        let known_kind = match (call.operation, kind & (ROBUST | INHERIT)) {
            (Operation::LockPi, INHERIT) => WaitKind::PthreadMutexPi,
            (Operation::LockPi, bits) if bits == ROBUST | INHERIT && !call.private => WaitKind::PthreadMutexRobustPi,
            (Operation::Wait | Operation::WaitBitset, ROBUST) if !call.private && call.value == holder => {
                WaitKind::PthreadMutexRobust
            }
            _ => return None,
        };
        let tid = holder & !(WAITERS | DIED);
        let agrees = tid != 0 && tid == owner && holder & WAITERS != 0 && (1..0x1_0000).contains(&nusers);
        if !agrees || kind & !(TYPE | ROBUST | INHERIT | PSHARED) != 0 {
            return None;
        }
        let site = world.call_site(facts)?;
        if !site.at.runtime.known_glibc() || site.at.name() == "syscall" {
            return None;
        }
        let mut wait = call.wait(known_kind, format!("mutex in {}", world.place(facts.pid, call.address)));
        wait.evidence.push(format!("mutex word = {holder:#x}: thread {tid}, at {:#x}", call.address));
        wait.evidence.push(format!("owner = {owner}, nusers = {nusers}, kind = {kind:#x}"));
        wait.evidence.push(route(&site));
        name(facts, world, &call, tid, (kind & PSHARED == 0, Dead::HandedOn), &mut wait);
        let unchanged = world.still_there(facts) && world.words(facts.pid, call.address) == Ok([holder]);
        unchanged.then_some(wait)
    }
}
