//! A mutex of three states over futex(2), written out.
//!
//! U. Drepper: Futexes Are Tricky, 2011, section 6, "mutex3":
//! <https://www.akkadia.org/drepper/futex.pdf>.

use std::borrow::Cow;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::thread::futex;

use super::Exclusion;
use crate::backend::lab::locks::{Family, Info};

const FREE: u32 = 0;
const HELD: u32 = 1;
const CONTENDED: u32 = 2;

/// A futex mutex without any spinning.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct FutexMutex {
    /// | value | meaning | who changes it |
    /// |---|---|---|
    /// | 0 | free | any thread: to 1 (fast path), or to 2 (it has waited, so others may) |
    /// | 1 | held, nobody sleeps | the holder to 0; a thread that comes to wait, to 2 |
    /// | 2 | held, somebody may sleep | the holder to 0, and then it wakes one |
    state: AtomicU32,
    calls: AtomicU64,
}

impl Exclusion for FutexMutex {
    const INFO: Info = Info {
        key: "futex_mutex",
        name: "futex mutex",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed("Drepper, Futexes Are Tricky, 2011, mutex3"),
        explanation: "The three-state mutex that std and glibc build on, without their spinning: 0 free, 1 held, 2 held \
            and somebody may sleep. A thread that finds it held writes 2 and sleeps in the kernel at once. So under \
            contention each hand-off pays system calls and a context switch, while a waiting thread uses no CPU. \
            Its calls of futex(2) are counted.",
    };

    type Held<'a> = ();

    #[inline]
    fn lock(&self) {
        if self.state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_err() {
            self.lock_contended();
        }
    }

    #[inline]
    fn try_lock(&self) -> Option<()> {
        self.state.compare_exchange(FREE, HELD, Acquire, Relaxed).ok().map(drop)
    }

    #[inline]
    fn unlock(&self, (): ()) {
        if self.state.swap(FREE, Release) == CONTENDED {
            self.wake();
        }
    }

    fn futex_calls(&self) -> Option<u64> {
        Some(self.calls.load(Relaxed))
    }
}

impl FutexMutex {
    #[cold]
    #[inline(never)]
    fn lock_contended(&self) {
        // Whoever has waited takes the lock as contended: it cannot know
        // whether others still sleep.
        while self.state.swap(CONTENDED, Acquire) != FREE {
            self.calls.fetch_add(1, Relaxed);
            // EAGAIN (the word has changed) and EINTR both mean: look again.
            let _ = futex::wait(&self.state, futex::Flags::PRIVATE, CONTENDED, None);
        }
    }

    #[cold]
    fn wake(&self) {
        self.calls.fetch_add(1, Relaxed);
        // It fails for no address of ours.
        let _ = futex::wake(&self.state, futex::Flags::PRIVATE, 1);
    }
}
