//! The fields of musl's primitives, and which of their values are possible while
//! somebody waits.

use crate::backend::observe::wait::World;
use crate::backend::observe::wait::futex::FutexCall;
use crate::model::Pid;

/// From the futex of a join to the thread's descriptor, and to its id.
pub(super) const JOIN_STATE: u64 = 0x38;
pub(in crate::backend::observe) const THREAD_ID: u64 = 0x30;
pub(super) const JOINABLE: u32 = 2;

/// Set in a mutex or rwlock that is waited for.
pub(super) const WAITED_FOR: u32 = 0x8000_0000;
/// Set in a mutex whose holder has died.
pub(super) const DIED: u32 = 0x4000_0000;
const SHARED: u32 = 0x80;
const ROBUST: u32 = 4;
const INHERIT: u32 = 8;
/// What a normal mutex holds instead of an owner: EBUSY.
const BUSY: u32 = 16;
const WRITER: u32 = 0x7fff_ffff;
/// Thread ids are below 2²² (`PID_MAX_LIMIT`).
const PID_LIMIT: u32 = 1 << 22;
/// More threads than these do not wait for one thing.
const MOST_WAITERS: u32 = 1 << 22;
/// How an rwlock is held, by its word: `None` by a writer, else by so many
/// readers.
pub(in crate::backend::observe) fn rwlock_count(word: u32) -> Option<u32> {
    Some(word & WRITER).filter(|&count| count != WRITER)
}

/// Whether a field that counts who waits may be right.
pub(super) fn counts(waiters: u32) -> bool {
    (1..MOST_WAITERS).contains(&waiters)
}

/// A mutex.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mutex {
    pub(super) kind: u32,
    pub(super) word: u32,
    pub(super) waiters: u32,
}

/// Who holds a mutex, as its word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    /// The word does not say.
    Unsaid,
    /// The thread of this id.
    Thread(u32),
    /// A thread that has ended.
    Dead,
}

impl Mutex {
    pub(super) fn read(world: &World, pid: Pid, lock: u64) -> Option<Self> {
        let [kind, word, waiters] = world.words(pid, lock).ok()?;
        Some(Mutex { kind, word, waiters })
    }

    pub(super) fn is_robust(&self) -> bool {
        self.kind & ROBUST != 0
    }

    /// Who holds it, if it is one that passes priorities on; 0 for nobody.
    pub(super) fn inherited(&self) -> Option<u32> {
        let known = self.kind & INHERIT != 0 && self.kind & !(SHARED | ROBUST | INHERIT | 3) == 0 && self.kind & 3 != 3;
        Some(self.word & !(WAITED_FOR | DIED)).filter(|&holder| known && holder < PID_LIMIT)
    }

    /// Whether only one process has it.
    pub(super) fn is_private(&self) -> bool {
        self.kind & SHARED == 0
    }

    pub(super) fn kind_word(&self) -> &'static str {
        ["normal", "recursive", "error-checking", "?"][(self.kind & 3) as usize]
    }

    /// Who holds it, if a mutex that this call waits for may look so.
    pub(super) fn owner(&self, call: &FutexCall) -> Option<Owner> {
        let known = self.kind & !(SHARED | ROBUST | 3) == 0 && self.kind & INHERIT == 0 && self.kind & 3 != 3;
        if !known || self.is_private() != call.private || !counts(self.waiters) {
            return None;
        }
        if call.value & WAITED_FOR == 0 {
            return None;
        }
        let awaited = call.value & !WAITED_FOR;
        let word = self.word & !WAITED_FOR;
        if self.kind & !SHARED == 0 {
            return (awaited == BUSY && word == BUSY).then_some(Owner::Unsaid);
        }
        // Others may have had it since the wait began: the ids need not be the same.
        let is_id = |word: u32| (1..PID_LIMIT).contains(&(word & !DIED));
        match word & !DIED {
            0 if word == DIED && awaited == DIED && !self.is_robust() => Some(Owner::Dead),
            id if is_id(word) && is_id(awaited) => Some(Owner::Thread(id)),
            _ => None,
        }
    }
}

/// An rwlock: word, waiters, shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rwlock(pub(super) [u32; 3]);

impl Rwlock {
    pub(super) fn read(world: &World, pid: Pid, lock: u64) -> Option<Self> {
        world.words(pid, lock).ok().map(Rwlock)
    }

    /// Whether an rwlock that this call waits for may look so. Only a writer
    /// keeps readers out.
    pub(super) fn plausible(&self, call: &FutexCall, reads: bool) -> bool {
        let Rwlock([word, waiters, shared]) = *self;
        let held = |word: u32| if reads { word & WRITER == WRITER } else { word & WRITER != 0 };
        call.value & WAITED_FOR != 0
            && held(call.value)
            && held(word)
            && counts(waiters)
            && shared & !SHARED == 0
            && (shared == 0) == call.private
    }
}

/// Whether the words of a semaphore that this call waits for may be these: value,
/// waiters, private. From 1.2.4 on a bit says that it is waited for.
pub(super) fn is_semaphore(call: &FutexCall, [value, waiters, private]: [u32; 3]) -> bool {
    let empty = [u32::MAX, WAITED_FOR];
    empty.contains(&call.value)
        && value == call.value
        && counts(waiters)
        && private & !SHARED == 0
        && (private == SHARED) == call.private
}
