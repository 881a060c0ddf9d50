//! `tokio::sync::Mutex`, for the contrast of suspending and blocking.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use tokio::sync::{Mutex, MutexGuard};

use super::Exclusion;
use crate::backend::lab::locks::{Family, Info};
use crate::model::lock::OwnCount;

/// The version that Cargo.lock fixes; a test compares.
const VERSION: &str = "1.54.1";

/// The mutex of the crate `tokio`, each contending thread being an executor of
/// one task.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct TokioMutex {
    lock: Mutex<()>,
    suspensions: AtomicU64,
}

/// Wakes the thread that polls.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    static WAKER: Waker = Waker::from(Arc::new(Unpark(thread::current())));
}

impl Exclusion for TokioMutex {
    const INFO: Info = Info {
        key: "tokio_mutex",
        name: "tokio::sync::Mutex",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "A semaphore with one permit. lock() is a future: where the lock is held, the task puts itself in \
            a queue and returns Pending (is suspended), and its thread is free for other tasks; unlocking gives the \
            permit to the first in the queue and wakes that task. So nobody barges in, and a guard may be held \
            across an await. Here each thread drives one task and parks while it is suspended; the suspensions are \
            counted. Even uncontended it costs more than a blocking mutex.",
    };

    type Held<'a> = MutexGuard<'a, ()>;

    #[inline]
    fn lock(&self) -> MutexGuard<'_, ()> {
        let mut future = pin!(self.lock.lock());
        WAKER.with(|waker| {
            let mut context = Context::from_waker(waker);
            loop {
                match future.as_mut().poll(&mut context) {
                    Poll::Ready(held) => return held,
                    Poll::Pending => self.suspend(),
                }
            }
        })
    }

    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, ()>> {
        self.lock.try_lock().ok()
    }

    #[inline]
    fn unlock(&self, held: MutexGuard<'_, ()>) {
        drop(held);
    }

    fn own_counts(&self) -> Vec<OwnCount> {
        vec![OwnCount::new("suspensions", self.suspensions.load(Relaxed))]
    }
}

impl TokioMutex {
    #[cold]
    fn suspend(&self) {
        self.suspensions.fetch_add(1, Relaxed);
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_shown_is_the_one_in_cargo_lock() {
        let row = format!("name = \"tokio\"\nversion = \"{}\"\n", super::VERSION);
        assert!(include_str!("../../../../../Cargo.lock").contains(&row));
    }
}
