//! Locks that many readers or one writer hold at a time.
//!
//! A lock is one file here with its definition and its explanation, and one
//! row in [`PRIMITIVES`](super::PRIMITIVES).

mod broken_readers;
mod contended;
mod parking_lot;
mod pthread;
mod seqlock;
mod sharded;
mod std_rwlock;

pub(super) use self::broken_readers::BrokenReaders;
pub(super) use self::contended::Of;
pub(super) use self::parking_lot::ParkingLotRw;
pub(super) use self::pthread::PthreadRw;
pub(super) use self::pthread::ReaderPreferring;
#[cfg(target_env = "gnu")]
pub(super) use self::pthread::WriterPreferring;
pub(super) use self::seqlock::{Row as SeqLockRow, Seq, TornSeq};
pub(super) use self::sharded::Sharded;
pub(super) use self::std_rwlock::StdRwLock;

use super::Info;
use super::section::Section;

/// A lock that many readers or one writer hold at a time.
pub(super) trait ReadersWriter: Default + Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// What a reader has in hand.
    type Read<'a>;

    /// What a writer has in hand.
    type Write<'a>;

    /// Waits until no writer holds it, and reads.
    fn read(&self) -> Self::Read<'_>;

    /// Waits until nobody holds it, and writes.
    fn write(&self) -> Self::Write<'_>;

    /// Reads if no writer holds it, or wants it where the lock prefers
    /// writers.
    fn try_read(&self) -> Option<Self::Read<'_>>;

    /// Writes if nobody holds it.
    fn try_write(&self) -> Option<Self::Write<'_>>;

    /// Lets it go.
    fn end_read(&self, held: Self::Read<'_>);

    /// Lets it go.
    fn end_write(&self, held: Self::Write<'_>);

    /// So many laps that do nothing but write: take it, count in what it protects, and
    /// let it go.
    #[inline]
    fn write_laps(&self, section: &Section, laps: u64) {
        for _ in 0..laps {
            let held = self.write();
            section.count_one();
            self.end_write(held);
        }
    }
}
