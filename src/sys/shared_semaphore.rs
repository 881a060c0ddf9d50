//! Semaphores that processes share: `sem_overview(7)`, unnamed ones in memory
//! that all of them map.

use std::cell::UnsafeCell;
use std::fmt;
use std::io;
use std::time::Duration;

use super::clock;
use crate::model::Nanos;

/// One of them, at a place in shared memory.
#[repr(transparent)]
pub struct SharedSemaphore(UnsafeCell<libc::sem_t>);

// SAFETY: that several threads and processes use it at once is what it is for.
unsafe impl Sync for SharedSemaphore {}

impl SharedSemaphore {
    /// Makes it usable, with the value 0. It must be done once, before anybody
    /// uses it.
    ///
    /// # Errors
    /// `ENOSYS` where semaphores cannot be shared.
    pub fn initialise(&self) -> io::Result<()> {
        // SAFETY: memory for one semaphore.
        check(unsafe { libc::sem_init(self.0.get(), 1, 0) })
    }

    /// Takes one, waiting for at most `timeout`; whether there was one.
    pub fn wait(&self, timeout: Duration) -> bool {
        let until = clock::realtime() + Nanos::from(timeout);
        let until = libc::timespec {
            tv_sec: (until.0 / 1_000_000_000) as libc::time_t,
            tv_nsec: (until.0 % 1_000_000_000) as libc::c_long,
        };
        // SAFETY: an initialised semaphore and a time of our own. An error is
        // a time-out or a signal: none was taken.
        unsafe { libc::sem_timedwait(self.0.get(), &raw const until) == 0 }
    }

    /// Adds one.
    pub fn post(&self) {
        // SAFETY: an initialised semaphore. It fails only above two thousand
        // million, which is as good as one more.
        let _ = unsafe { libc::sem_post(self.0.get()) };
    }
}

impl fmt::Debug for SharedSemaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSemaphore")
    }
}

fn check(result: i32) -> io::Result<()> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_taken_for_each_that_was_added() {
        // SAFETY: initialised on the next line, before anybody uses it.
        let semaphore: SharedSemaphore = unsafe { std::mem::zeroed() };
        semaphore.initialise().unwrap();
        assert!(!semaphore.wait(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                semaphore.post();
                semaphore.post();
            });
            for _ in 0..2 {
                assert!(semaphore.wait(Duration::from_secs(20)));
            }
        });
        assert!(!semaphore.wait(Duration::from_millis(1)));
    }
}
