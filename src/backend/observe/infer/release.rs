//! How a thread would let go of a lock, and which acts do that.

use super::held::{Held, RUST_COUNT};
use super::manner::Manner;
use super::{Asked, Cleanup};
use crate::backend::observe::rehearsal::{Act, Event};
use crate::model::wait::WaitKind;

/// Whether a thread would let go of the lock is not the same on all ways.
pub(super) struct Unclear;

/// How a thread would let go of a lock.
pub(super) struct Release<'n> {
    /// In which frame; `None` for where it goes on.
    pub(super) cleanup: Option<&'n Cleanup>,
    pub(super) event: &'n Event,
    /// More than once, if it reads it more than once.
    pub(super) times: usize,
}

impl<'n> Release<'n> {
    /// The release by a thread, if that is the first thing it would do with the
    /// lock, whichever way.
    pub(super) fn of(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Option<Self> {
        if asked.let_go == Some(lock) {
            return None;
        }
        if let Manner::Any { .. } = asked.manner {
            return Self::by_going_on(asked, kind, held, lock);
        }
        // The landing pad of an initialisation covers nothing but that: who waits for
        // one is outside of it, unless it waits for itself.
        if asked.wants == Some(lock) && kind != WaitKind::CxaGuard {
            return Self::of_itself(asked, kind, held, lock).or_else(|| Self::before_it_takes(asked, kind, held, lock));
        }
        let onward = match asked.onward.first(lock).filter(|_| asked.manner == Manner::Plain) {
            Some(_) => Some(Self::onward(asked, kind, held, lock)?),
            None => None,
        };
        let found = Self::by_cleanup(asked, kind, held, lock).ok()?.or(onward)?;
        let is_other = !asked.manner.may_lack(kind, found.event.size) || asked.let_go.is_some_and(|own| own != lock);
        is_other.then_some(found)
    }

    /// The release by what the thread does next, if that is what it does first with
    /// the lock.
    pub(super) fn onward(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Option<Self> {
        let (event, times) = asked.onward.first(lock).filter(|(event, _)| lets_go(kind, held, event))?;
        Some(Release { cleanup: None, event, times: if held == Held::Alone { 1 } else { times } })
    }

    /// The release by the code that cleans up after the frames.
    pub(super) fn by_cleanup(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Result<Option<Self>, Unclear> {
        let mut found: Option<Release<'n>> = None;
        for cleanup in asked.unwound.iter().filter(|cleanup| cleanup.outcome.touches(lock)) {
            // Where a frame locks it first, or not on all ways the same, nothing is
            // clear, of the frames outside of it neither.
            let first = cleanup.outcome.first(lock).filter(|(event, _)| lets_go(kind, held, event));
            let (event, times) = first.ok_or(Unclear)?;
            let times = if held == Held::Alone { 1 } else { times };
            let before = found.as_ref().map_or(0, |release| release.times);
            found = Some(Release { cleanup: Some(cleanup), event, times: before + times });
        }
        Ok(found)
    }

    /// The release of a lock that the thread waits for and holds already, by the
    /// guards that are alive where it takes it.
    fn before_it_takes(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Option<Self> {
        let mut touching = asked.unwound.iter().filter(|cleanup| cleanup.outcome.touches(lock));
        if touching.any(|cleanup| cleanup.depth >= asked.believed) {
            return None;
        }
        Self::by_cleanup(asked, kind, held, lock).ok().flatten()
    }

    /// The release of a lock that the thread waits for and holds already. A guard
    /// may also be alive while its lock is taken anew, as behind a condition
    /// variable: only who lets go of it twice, if it gets it, has it once.
    fn of_itself(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Option<Self> {
        let (first, second) = asked.onward.second(lock, |event| !leaves_count(kind, event))?;
        let any = |event| lets_go(kind, Held::Alone, event) || lets_go(kind, Held::Shared(1), event);
        (any(first) && lets_go(kind, held, second)).then_some(Release { cleanup: None, event: second, times: 1 })
    }
}

/// Whether this is how a mutex is locked: of the standard library, four bytes, or
/// of `parking_lot`, one.
pub(super) fn takes(act: &Act) -> bool {
    *act == Act::CompareExchange { expected: Some(0), new: Some(1) }
}

/// Whether this is how a lock held in this way is let go of.
fn lets_go(kind: WaitKind, held: Held, event: &Event) -> bool {
    let add = |amount: i64, size: usize| {
        let mask = if size >= 8 { u64::MAX } else { (1 << (8 * size)) - 1 };
        event.size == size && event.act == Act::Add(Some(amount.cast_unsigned() & mask))
    };
    let swap = |expected: u64, new: u64, size: usize| {
        let act = Act::CompareExchange { expected: Some(expected), new: Some(new) };
        event.size == size && event.act == act
    };
    match (kind, held) {
        (WaitKind::RustMutex, _) => event.size == 4 && event.act == Act::Exchange(Some(0)),
        // As musl does, where its function has no name.
        (WaitKind::PthreadMutex, _) if event.size == 4 => event.act == Act::Exchange(Some(0)),
        // The guard of the initialisation says how it ended.
        (WaitKind::RustOnce, _) => event.size == 4 && matches!(event.act, Act::Exchange(_)),
        (WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite, Held::Alone) => add(-i64::from(RUST_COUNT), 4),
        (WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite, Held::Shared(_)) => add(-1, 4),
        (WaitKind::ParkingLot, Held::Alone) => {
            // As 0.12 lets go of a mutex and an RwLock, and as 0.13 does; and as both end
            // an initialisation, well or not.
            let ends = event.size == 1 && matches!(event.act, Act::Exchange(Some(1 | 2)));
            swap(1, 0, 1) || swap(8, 0, 8) || add(-1, 1) || add(-8, 8) || ends
        }
        (WaitKind::ParkingLot, Held::Shared(_)) => add(-16, 8) || leaves_upgradable(event),
        (WaitKind::PthreadMutex, _) => {
            matches!(&event.act, Act::Call(name) if matches!(&**name, "pthread_mutex_unlock" | "mtx_unlock"))
        }
        (WaitKind::CxaGuard, _) => {
            matches!(&event.act, Act::Call(name) if matches!(&**name, "__cxa_guard_abort" | "__cxa_guard_release"))
        }
        (WaitKind::PthreadRwlockRead | WaitKind::PthreadRwlockWrite, _) => {
            matches!(&event.act, Act::Call(name) if &**name == "pthread_rwlock_unlock")
        }
        _ => false,
    }
}

/// Whether this is how an upgradable reader of `parking_lot` lets go: one reader and
/// its mark at once, or by a function if somebody waits.
pub(super) fn leaves_upgradable(event: &Event) -> bool {
    const READER: u64 = 0b1_0000 | 0b100;
    const PARKED: u64 = 1;
    match &event.act {
        Act::Call(name) => &**name == "unlock_upgradable_slow",
        Act::Add(Some(amount)) => event.size == 8 && *amount == READER.wrapping_neg(),
        Act::CompareExchange { expected: Some(expected), new: Some(new) } => {
            // By the function, whoever is parked last is woken along with it.
            let left = expected.checked_sub(READER);
            event.size == 8 && left.is_some_and(|left| *new == left || *new == left & !PARKED)
        }
        _ => false,
    }
}

/// Whether this leaves a lock held as it is: who lets go of an `RwLock` of Rust that
/// others wait for, or are taken to wait for, clears their marks before it wakes them.
fn leaves_count(kind: WaitKind, event: &Event) -> bool {
    let rwlock = matches!(kind, WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite);
    match event.act {
        Act::CompareExchange { expected: Some(expected), new: Some(new) } => {
            rwlock && event.size == 4 && (expected ^ new) & u64::from(RUST_COUNT) == 0
        }
        _ => false,
    }
}

/// An act, for people.
pub(super) fn in_words(act: &Act) -> String {
    match act {
        Act::Exchange(Some(new)) => format!("atomic exchange with {new}"),
        Act::Add(Some(_)) => "atomic subtraction".to_owned(),
        Act::CompareExchange { .. } => "atomic compare-exchange".to_owned(),
        Act::Call(name) => name.to_string(),
        Act::Exchange(None) | Act::Add(None) | Act::Other => "atomic access".to_owned(),
    }
}
