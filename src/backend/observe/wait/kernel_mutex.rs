//! pthread mutexes whose word the kernel knows: priority-inheriting ones and
//! robust ones (`futex(2)`, `nptl/pthread_mutex_lock.c`).
//!
//! ```text
//! word   thread id of the holder | 0x80000000 waited for | 0x40000000 the holder died
//! PI     futex(word, LOCK_PI)                      kind | 0x20
//! robust futex(word, WAIT, the word as it is)      kind | 0x10, never private
//! both   futex(word, LOCK_PI), never private       kind | 0x30
//!        | 0x100, 0x200 about elision: the latter where the program chose the type
//! ```
//!
//! The other fields are those of every mutex; `owner` repeats the id. The kernel
//! hands such a lock on when its holder dies, so it is never orphaned. The
//! look-alike: `std::future` of C++ waits on 0x80000000, which names nobody.

use super::futex::{FutexCall, Operation, route};
use super::owner::{Dead, name};
use super::{Decoder, Facts, World};
use crate::model::Pid;
use crate::model::wait::{Wait, WaitKind};

const WAITERS: u32 = 0x8000_0000;
const DIED: u32 = 0x4000_0000;
const ROBUST: u32 = 0x10;
const INHERIT: u32 = 0x20;
const PSHARED: u32 = 0x80;
const TYPE: u32 = 0x3;
const ELISION: u32 = 0x300;
/// All that a kind may say.
const KNOWN: u32 = TYPE | ROBUST | INHERIT | PSHARED | ELISION;

/// The first fields of such a mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) word: u32,
    pub(super) owner: u32,
    pub(super) nusers: u32,
    pub(super) kind: u32,
}

impl Fields {
    pub(super) fn read(world: &World, pid: Pid, address: u64) -> Option<Self> {
        let [word, _, owner, nusers, kind] = world.words(pid, address).ok()?;
        Some(Fields { word, owner, nusers, kind })
    }

    /// The thread id in the word.
    pub(super) fn holder(&self) -> u32 {
        self.word & !(WAITERS | DIED)
    }

    pub(super) fn is_private(&self) -> bool {
        self.kind & PSHARED == 0
    }

    /// The kind of a mutex that passes priorities on; `None` for any other.
    pub(super) fn inherits(&self) -> Option<WaitKind> {
        match self.kind & (ROBUST | INHERIT) {
            INHERIT => Some(WaitKind::PthreadMutexPi),
            bits if bits == ROBUST | INHERIT => Some(WaitKind::PthreadMutexRobustPi),
            _ => None,
        }
    }

    /// Whether a mutex that nobody holds may look so.
    pub(super) fn is_free(&self) -> bool {
        self.word == 0 && self.owner == 0 && self.nusers < 0x1_0000 && self.kind & !KNOWN == 0
    }

    /// Whether a mutex that is held may look so.
    pub(super) fn plausible(&self) -> bool {
        let held = self.holder() != 0 && self.holder() == self.owner && (1..0x1_0000).contains(&self.nusers);
        held && self.kind & !KNOWN == 0
    }
}

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
        let fields = Fields::read(world, facts.pid, call.address)?;
        let known_kind = match (call.operation, fields.kind & (ROBUST | INHERIT)) {
            (Operation::LockPi, INHERIT) => WaitKind::PthreadMutexPi,
            (Operation::LockPi, bits) if bits == ROBUST | INHERIT && !call.private => WaitKind::PthreadMutexRobustPi,
            (Operation::Wait | Operation::WaitBitset, ROBUST) if !call.private && call.value == fields.word => {
                WaitKind::PthreadMutexRobust
            }
            _ => return None,
        };
        if !fields.plausible() || fields.word & WAITERS == 0 {
            return None;
        }
        let site = world.call_site(facts)?;
        if !site.at.runtime.known_glibc() || site.at.name() == "syscall" {
            return None;
        }
        let mut wait = call.wait(known_kind, format!("mutex in {}", world.place(facts.pid, call.address)));
        let Fields { word, owner, nusers, kind } = fields;
        wait.evidence.push(format!("mutex word = {word:#x}: thread {}, at {:#x}", fields.holder(), call.address));
        wait.evidence.push(format!("owner = {owner}, nusers = {nusers}, kind = {kind:#x}"));
        wait.evidence.push(route(&site));
        name(facts, world, &call, fields.holder(), (fields.is_private(), Dead::HandedOn), &mut wait);
        let unchanged = world.still_there(facts) && world.words(facts.pid, call.address) == Ok([word]);
        unchanged.then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::wait::Holder;

    fn decoded(operation: u32, value: u32, kind: u32) -> Wait {
        let word = WAITERS | PID as u32;
        let machine = Machine::futex(operation, value, 0);
        machine.set_words(DATA, &[word, 0, PID as u32, 1, kind]);
        machine.stack("", &["pthread_mutex_lock", "!main"]);
        machine.decode().unwrap()
    }

    #[test]
    fn a_type_that_the_program_chose_does_not_hide_the_mutex() {
        let word = WAITERS | PID as u32;
        for (operation, value, kind, expected) in [
            (0x86, 0, 0x20, WaitKind::PthreadMutexPi),
            (0x86, 0, 0x220, WaitKind::PthreadMutexPi),
            (0x86, 0, 0x221, WaitKind::PthreadMutexPi),
            (0, word, 0x290, WaitKind::PthreadMutexRobust),
            (0, word, 0x91, WaitKind::PthreadMutexRobust),
            (6, 0, 0x2b0, WaitKind::PthreadMutexRobustPi),
        ] {
            let wait = decoded(operation, value, kind);
            assert_eq!(wait.kind, expected, "kind {kind:#x}: {wait:#?}");
            assert_eq!(wait.holders, [Holder { pid: PID, tid: Some(PID) }]);
        }
    }

    #[test]
    fn bits_without_a_meaning_are_refused() {
        for kind in [0x420, 0x2020, 0x24, 0x28] {
            assert_eq!(decoded(0x86, 0, kind).kind, WaitKind::Futex, "kind {kind:#x}");
        }
    }
}
