//! Sleeping on a word of memory that processes share: futex(2), without
//! `FUTEX_PRIVATE_FLAG`.

use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, Timespec};

/// How a sleep ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// Somebody woke us, or the kernel did for no reason: look again.
    Woken,
    /// The word was not as expected: there was no sleep.
    Changed,
    /// The time was over.
    TimedOut,
}

/// Sleeps while `word` is `expected`, until woken, at most for `timeout`.
pub fn wait(word: &AtomicU32, expected: u32, timeout: Duration) -> Woken {
    let timeout = Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
    match futex::wait(word, Flags::empty(), expected, Some(&timeout)) {
        Err(Errno::AGAIN) => Woken::Changed,
        Err(Errno::TIMEDOUT) => Woken::TimedOut,
        // A signal, or an error that cannot be for a valid address.
        Ok(()) | Err(_) => Woken::Woken,
    }
}

/// Wakes one process or thread that sleeps on `word`.
pub fn wake_one(word: &AtomicU32) {
    // Nobody there is as good as one woken.
    let _ = futex::wake(word, Flags::empty(), 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::Ordering;

    #[test]
    fn sleeps_only_while_the_word_is_as_expected() {
        let word = AtomicU32::new(1);
        assert_eq!(wait(&word, 2, Duration::from_secs(10)), Woken::Changed);
        assert_eq!(wait(&word, 1, Duration::from_millis(1)), Woken::TimedOut);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                word.store(0, Ordering::SeqCst);
                wake_one(&word);
            });
            while word.load(Ordering::SeqCst) == 1 {
                wait(&word, 1, Duration::from_secs(10));
            }
        });
    }
}
