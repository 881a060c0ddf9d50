//! Threads that can never go on: four ways to tie them up, and a notification
//! that came too early.

use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock};

use super::{Knot, PREFIX};
use crate::backend::lab::locks::exclusion::{Exclusion, Normal, PthreadMutex, StdMutex};
use crate::model::graph::Verdict;
use crate::sys::thread::start_thread;

pub(super) const ABBA: Knot = Knot {
    tie: || ring::<PthreadMutex<Normal>>(2),
    threads: 2,
    verdict: Verdict::Deadlocked,
    or_else: &[],
    statement: "Each holds what the other wants, and neither lets go: a deadlock. Take locks in one order everywhere, \
                or both at once.",
};

pub(super) const ABBA_STD: Knot = Knot {
    tie: || ring::<StdMutex>(2),
    threads: 2,
    // A std Mutex does not store its holder: it is inferred where that can be
    // done for certain.
    verdict: Verdict::Deadlocked,
    or_else: &[Verdict::Unknown],
    statement: "A std Mutex says that it is held and not by whom: its holder has to be inferred from what the threads' \
                own code has done, and where that cannot be told, nobody is named.",
};

pub(super) const CYCLE: Knot = Knot {
    tie: || ring::<PthreadMutex<Normal>>(5),
    threads: 5,
    verdict: Verdict::Deadlocked,
    or_else: &[],
    statement: "Dining philosophers, each with the fork on the left: the chain of waits comes back to where it began. \
                One who takes the right fork first breaks it.",
};

pub(super) const SELF: Knot = Knot {
    tie: || {
        spawn("again", || {
            let lock = PthreadMutex::<Normal>::default();
            lock.lock();
            lock.lock();
        });
    },
    threads: 1,
    verdict: Verdict::Deadlocked,
    or_else: &[],
    statement: "A normal mutex does not know its own holder when it comes again: the thread waits for itself. An \
                error-checking one returns EDEADLK, a recursive one counts.",
};

pub(super) const UPGRADE: Knot = Knot {
    tie: || {
        spawn("upgrades", || {
            let lock = RwLock::new(());
            let _read = lock.read();
            drop(lock.write());
        });
    },
    threads: 1,
    // Who reads is not stored in the lock: it is inferred as well.
    verdict: Verdict::Deadlocked,
    or_else: &[Verdict::Unknown],
    statement: "A writer waits until nobody reads, the writer itself included: it waits for its own read guard. Let go \
                of it first and look again, or use parking_lot's upgradable read.",
};

pub(super) const MISSED_NOTIFY: Knot = Knot {
    tie: || {
        let pair = Arc::new((Mutex::new(()), Condvar::new()));
        pair.1.notify_one();
        spawn("waits", move || {
            // No predicate: the notification was the only thing there was.
            if let Ok(guard) = pair.0.lock() {
                drop(pair.1.wait(guard));
            }
        });
    },
    threads: 1,
    // Nobody holds anything, so nobody can be named.
    verdict: Verdict::Waiting,
    or_else: &[Verdict::Unknown, Verdict::Stuck],
    statement: "A Condvar keeps nothing: a notification that finds nobody waiting is gone, and the wait that comes after \
                it never ends. Set a flag under the mutex before notifying, and wait only while it is not set.",
};

/// So many threads, each with a lock, that want the next one's.
fn ring<L: Exclusion>(threads: usize) {
    let locks: Arc<[L]> = (0..threads).map(|_| L::default()).collect();
    let all_hold = Arc::new(Barrier::new(threads));
    for me in 0..threads {
        let (locks, all_hold) = (locks.clone(), all_hold.clone());
        spawn(&format!("{me}"), move || {
            let held = locks[me].lock();
            all_hold.wait();
            let second = locks[(me + 1) % locks.len()].lock();
            locks[(me + 1) % locks.len()].unlock(second);
            locks[me].unlock(held);
        });
    }
}

/// A thread that is left to its fate: the process is killed.
fn spawn(name: &str, life: impl FnOnce() + Send + 'static) {
    // Where there are no threads, none is seen, and the experiment says so.
    let _ = start_thread(&format!("{PREFIX}{name}"), Box::new(life));
}
