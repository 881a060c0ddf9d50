//! `std::sync::Mutex`.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use super::Exclusion;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::quiet::Row;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::streak::Streak;
use crate::backend::lab::locks::{Family, Info};

/// The standard library's mutex.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct StdMutex(Mutex<()>);

impl Exclusion for StdMutex {
    const INFO: Info = Info {
        key: "std_mutex",
        name: "std::sync::Mutex",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later, futex")),
        explanation: "Four bytes: 0 free, 1 held, 2 held and somebody may sleep. A free lock is taken with one \
            compare-and-swap. Otherwise the thread spins up to a hundred times while the word is 1, then writes 2 and \
            sleeps in futex(2). Unlocking swaps in 0 and wakes one sleeper if the word was 2. The woken thread has to \
            win the word again: a running thread can take the lock in between (barging), which is fast and not fair.",
    };

    type Held<'a> = MutexGuard<'a, ()>;

    #[inline]
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, ()>> {
        match self.0.try_lock() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[inline]
    fn unlock(&self, held: MutexGuard<'_, ()>) {
        drop(held);
    }

    /// Where code is to be small, std's `lock` and the guard's `drop` become functions,
    /// and two calls for each lap cost a sixth of it. Of a mutex of this type they have
    /// one caller in the whole program, and so they are put into the loop.
    #[inline(never)]
    fn laps(&self, section: &Section, laps: u64) {
        let only_here: &Mutex<dyn Any + Send> = &self.0;
        for _ in 0..laps {
            let held = only_here.lock().unwrap_or_else(PoisonError::into_inner);
            section.count_one();
            drop(held);
        }
    }

    /// Put into the loop in the same way, as a mutex of yet another type.
    #[inline(never)]
    fn row(&self, pen: &Pen<'_>, section: &Section, streak: &mut Streak, laps: u64) -> Row {
        let only_here: &Mutex<dyn Debug + Send> = &self.0;
        Row::of(pen, section, streak, laps, (|| only_here.lock().unwrap_or_else(PoisonError::into_inner), drop))
    }
}
