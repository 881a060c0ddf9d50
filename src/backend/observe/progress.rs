//! How a reading that hangs is noticed and left behind, without a lock.
//!
//! Reading a file below `/proc/PID` may block for as long as somebody holds the
//! process's memory map or a file system does not answer. The sampler says
//! which process it is about to read ([`Progress::enter`]); whoever looks after
//! it abandons the thread when that has lasted too long ([`Progress::hung`]).
//! Both sides settle with one compare-and-swap who was first, so a thread
//! either finishes its reading or knows that it has been replaced.
//!
//! ```text
//! word   bits 63..32  counts readings, so that no two look alike
//!        bits 31..0   0 between readings, the pid during one,
//!                     u32::MAX once the thread has been abandoned
//! ```

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::model::{Nanos, Pid};
use crate::sys::clock;

const ABANDONED: u64 = u32::MAX as u64;
const LOW: u64 = u32::MAX as u64;

/// The thread has been replaced: it must publish nothing more and end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this sampler has been replaced, its reading hung")]
pub struct Abandoned;

/// What one sampler thread is doing.
#[derive(Debug, Default)]
pub struct Progress {
    word: AtomicU64,
    since: AtomicU64,
    ended: AtomicBool,
}

impl Progress {
    /// Says that a reading of `pid` begins. Called by the sampler only.
    pub fn enter(&self, pid: Pid) {
        self.since.store(clock::monotonic().0, Ordering::Relaxed);
        let count = (self.word.load(Ordering::Relaxed) >> 32) + 1;
        // Release: whoever sees the word sees the time that belongs to it.
        self.word.store(count << 32 | u64::from(pid.unsigned_abs()), Ordering::Release);
    }

    /// Says that the reading is over. Called by the sampler only.
    ///
    /// # Errors
    /// [`Abandoned`] where the thread has been replaced meanwhile.
    pub fn leave(&self) -> Result<(), Abandoned> {
        let word = self.word.load(Ordering::Relaxed);
        if word & LOW == ABANDONED {
            return Err(Abandoned);
        }
        let idle = word & !LOW;
        self.word.compare_exchange(word, idle, Ordering::Relaxed, Ordering::Relaxed).map_err(|_| Abandoned)?;
        Ok(())
    }

    /// Abandons the thread if its present reading has lasted longer than
    /// `limit`: the process it reads, and since when. At most once `Some`.
    pub fn hung(&self, limit: Nanos) -> Option<(Pid, Nanos)> {
        let word = self.word.load(Ordering::Acquire);
        let pid = word & LOW;
        if pid == 0 || pid == ABANDONED {
            return None;
        }
        let since = Nanos(self.since.load(Ordering::Relaxed));
        if clock::monotonic().since(since) <= limit {
            return None;
        }
        // A time of a later reading comes with a later word: this fails then.
        self.word.compare_exchange(word, word | ABANDONED, Ordering::Relaxed, Ordering::Relaxed).ok()?;
        Some((Pid::try_from(pid).ok()?, since))
    }

    /// Whether the thread has ended.
    pub fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

/// Marks the end of the thread, however it comes.
#[derive(Debug)]
pub struct EndMark(pub std::sync::Arc<Progress>);

impl Drop for EndMark {
    fn drop(&mut self) {
        self.0.ended.store(true, Ordering::Release);
    }
}

/// A process that is not read while an abandoned thread still hangs in it.
#[derive(Clone, Debug)]
pub struct Skipped {
    /// The process.
    pub pid: Pid,
    /// Since when the reading has hung, on `CLOCK_MONOTONIC`.
    pub since: Nanos,
    /// The thread that hangs.
    pub progress: std::sync::Arc<Progress>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_that_lasts_is_abandoned_once() {
        let progress = Progress::default();
        assert_eq!(progress.hung(Nanos::ZERO), None, "nothing is being read");
        progress.enter(812);
        assert_eq!(progress.hung(Nanos::from_secs(3_600)), None, "not for long yet");
        let (pid, since) = std::iter::repeat_with(|| progress.hung(Nanos::ZERO)).flatten().next().unwrap();
        assert!(pid == 812 && since <= clock::monotonic());
        assert_eq!(progress.hung(Nanos::ZERO), None);
        assert_eq!(progress.leave(), Err(Abandoned));
        assert_eq!(progress.leave(), Err(Abandoned), "and stays so");
    }

    #[test]
    fn a_reading_that_ends_is_not() {
        let progress = Progress::default();
        for _ in 0..3 {
            progress.enter(7);
            assert_eq!(progress.leave(), Ok(()));
            assert_eq!(progress.hung(Nanos::ZERO), None);
        }
    }

    #[test]
    fn either_side_wins_never_both() {
        let progress = Progress::default();
        let (finished, hung) = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut finished = 0_u64;
                loop {
                    progress.enter(7);
                    match progress.leave() {
                        Ok(()) => finished += 1,
                        Err(Abandoned) => return finished,
                    }
                }
            });
            let hung = std::iter::repeat_with(|| progress.hung(Nanos::ZERO)).flatten().next();
            (reader.join().unwrap(), hung)
        });
        assert_eq!(hung.unwrap().0, 7);
        assert_eq!(progress.word.load(Ordering::Relaxed) >> 32, finished + 1);
    }
}
