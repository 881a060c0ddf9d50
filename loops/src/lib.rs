//! Loops that are built for speed, while the rest of the program is built for size.
//!
//! A loop that does nothing but use a lock is to run at the lock's own speed. Most locks
//! are put into it whole at any level of optimisation; `std::sync::Mutex` is not where
//! size counts, and two calls for each acquisition cost a sixth of it. How a crate is
//! optimised is said for it as a whole, so that such a loop stands in one of its own.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Mutex, PoisonError};

/// So many times: takes the lock, adds one to what it protects by a plain load and a
/// plain store, and lets it go.
pub fn std_mutex(lock: &Mutex<()>, protected: &AtomicU64, laps: u64) {
    for _ in 0..laps {
        let held = lock.lock().unwrap_or_else(PoisonError::into_inner);
        protected.store(protected.load(Relaxed).wrapping_add(1), Relaxed);
        drop(held);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lap_counts() {
        let (lock, protected) = (Mutex::new(()), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| std_mutex(&lock, &protected, 10_000));
            }
        });
        assert_eq!(protected.into_inner(), 40_000);
    }
}
