//! The lock lab: threads of a worker process that contend for a lock, each
//! acquisition recorded and checked.
//!
//! ```text
//! lab        the lab's thread: starts the worker, passes on wishes and reports
//! sweep      the same for a curve over numbers of threads, a worker a point
//! request    what can be asked for               chain   a worker, seen from outside
//! conductor  the worker: when the threads run, rest, and are reported on
//! stage      the threads (crew), what they are measured with (instruments),
//!            what is read of them (reader, figures, invariants, window)
//! contend    what every primitive looks like to the threads, its type erased
//! exclusion readers_writer waiting once barrier lock_free
//!            a folder a family: its primitives, and the measured loops, of which
//!            there are two instantiations a primitive: bare, and recorded
//! pen        what is in every recorded loop, whatever the primitive
//! streak     which readings of the clock it can do without
//! quiet      laps that nobody disturbs, with all that they need at hand
//! inversion  priority inversion, looked for while they run
//! seating    where the threads run and how urgent they are
//! taking     several locks: who holds and wants which, inversions, deadlocks
//! phases     stopping threads that wait for each other
//! section    what the lock protects, and the check that it does
//! ring tally what a thread writes down of each acquisition
//! experiments            what happens when locks are used wrongly
//! overlap    the check that no two recorded holders overlap
//! ```
//!
//! A primitive is one file in the folder of its family, with its definition, and
//! one row in [`PRIMITIVES`].

mod barrier;
mod chain;
mod circle;
mod conductor;
mod contend;
mod crew;
mod dice;
mod exclusion;
pub mod experiments;
mod figures;
mod gate;
mod instruments;
mod invariants;
mod inversion;
mod kernel_counts;
mod lab;
mod lock_free;
mod once;
mod overlap;
mod pace;
mod pen;
mod phases;
mod quiet;
mod reader;
mod readers_writer;
mod request;
mod ring;
mod seating;
mod section;
mod stage;
mod stamps;
mod streak;
mod supervise;
mod sweep;
mod taking;
mod tally;
mod waiting;
mod window;

use std::borrow::Cow;

use crate::model::lock::Several;

pub use self::conductor::Job;
pub use self::contend::{Contend, Seat};
pub use self::gate::{Gate, Plan};
pub use self::instruments::{A_LITTLE, recording_cost};
pub use self::lab::LockLab;
pub use self::pace::{Pace, Work};
pub use self::request::{MAX_LOCKS, MAX_TAKE, MAX_THREADS, MAX_WORK, check};
pub use self::stamps::Recorder;
pub use self::taking::Taking;

/// A kind of primitive: what one can do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Lock, try to lock, unlock: one holder at a time.
    Exclusion,
    /// Read or write: many readers or one writer at a time.
    ReadersWriter,
    /// Wait until something has become true.
    Waiting,
    /// Make it if nobody has.
    Once,
    /// Wait until all are there.
    Barrier,
    /// One instruction, or a loop of them, and nobody waits.
    LockFree,
}

impl Family {
    /// All of them, in the order they are shown.
    pub const ALL: [Family; 6] =
        [Family::Exclusion, Family::ReadersWriter, Family::Waiting, Family::Once, Family::Barrier, Family::LockFree];

    /// What a person calls it.
    pub fn name(self) -> &'static str {
        match self {
            Family::Exclusion => "mutual exclusion",
            Family::ReadersWriter => "readers and writers",
            Family::Waiting => "waiting",
            Family::Once => "once",
            Family::Barrier => "barrier",
            Family::LockFree => "lock-free",
        }
    }

    /// Whether a thread holds one of it for a time, so that hold times and
    /// hand-offs mean something.
    pub fn is_held(self) -> bool {
        matches!(self, Family::Exclusion | Family::ReadersWriter)
    }

    /// Whether some acquisitions read.
    pub fn reads(self) -> bool {
        self == Family::ReadersWriter
    }
}

/// What a person reads about a primitive.
#[derive(Debug)]
pub struct Info {
    /// Its name on the command line: `std_mutex`.
    pub key: &'static str,
    /// Its name on the screen: `std::sync::Mutex`.
    pub name: &'static str,
    /// Its family.
    pub family: Family,
    /// Where it is broken on purpose, so that one can see the checks catch it:
    /// the name of the sentence that it breaks.
    pub breaks: Option<&'static str>,
    /// Its version, or where its definition comes from.
    pub version: fn() -> Cow<'static, str>,
    /// How it works and what that means under contention, in a few sentences.
    pub explanation: &'static str,
}

/// A sentence that is checked while the threads run.
#[derive(Debug)]
pub struct Sentence {
    /// Its name: `mutual exclusion`.
    pub name: &'static str,
    /// In the field's notation.
    pub formula: &'static str,
    /// How it is checked.
    pub how: &'static str,
    /// What to say of a thread where it did not hold, because of another
    /// thread; nothing where it is that both were inside at one time.
    pub words: Option<fn(usize, usize) -> String>,
}

/// A row of the registry, its type erased.
pub trait Primitive: Sync {
    /// What a person reads about it.
    fn info(&self) -> &'static Info;

    /// A new one with what it protects, for so many threads. What is called on
    /// it runs monomorphised: the type is erased once for a run, not for an
    /// acquisition.
    fn contend(&self, threads: usize) -> Box<dyn Contend>;

    /// Several new ones, each with what it protects; nothing where it is not a
    /// lock of mutual exclusion.
    fn contend_for_several(&self, _several: Several, _threads: usize) -> Option<Box<dyn Contend>> {
        None
    }
}

/// Every primitive, family by family, those that are broken on purpose last in
/// theirs.
pub const PRIMITIVES: &[&dyn Primitive] = &[
    &exclusion::Of::<exclusion::StdMutex>::ROW,
    &exclusion::Of::<exclusion::ParkingLot>::ROW,
    &exclusion::Of::<exclusion::ParkingLotFair>::ROW,
    &exclusion::Of::<exclusion::PthreadMutex<exclusion::Normal>>::ROW,
    #[cfg(target_env = "gnu")]
    &exclusion::Of::<exclusion::PthreadMutex<exclusion::Adaptive>>::ROW,
    &exclusion::Of::<exclusion::PthreadMutex<exclusion::ErrorChecking>>::ROW,
    &exclusion::Of::<exclusion::PthreadMutex<exclusion::Recursive>>::ROW,
    &exclusion::Of::<exclusion::PthreadMutex<exclusion::PriorityInheriting>>::ROW,
    &exclusion::Of::<exclusion::PthreadMutex<exclusion::Robust>>::ROW,
    &exclusion::Of::<exclusion::FutexMutex>::ROW,
    &exclusion::Of::<exclusion::TasSpin>::ROW,
    &exclusion::Of::<exclusion::TtasSpin>::ROW,
    &exclusion::Of::<exclusion::Ticket>::ROW,
    &exclusion::Of::<exclusion::Mcs>::ROW,
    &exclusion::Of::<exclusion::Clh>::ROW,
    &exclusion::Of::<exclusion::TokioMutex>::ROW,
    &exclusion::Of::<exclusion::BrokenFlag>::ROW,
    &exclusion::Of::<exclusion::TicketRelaxed>::ROW,
    &readers_writer::Of::<readers_writer::StdRwLock>::ROW,
    &readers_writer::Of::<readers_writer::ParkingLotRw>::ROW,
    &readers_writer::Of::<readers_writer::PthreadRw<readers_writer::ReaderPreferring>>::ROW,
    #[cfg(target_env = "gnu")]
    &readers_writer::Of::<readers_writer::PthreadRw<readers_writer::WriterPreferring>>::ROW,
    &readers_writer::Of::<readers_writer::Sharded>::ROW,
    &readers_writer::SeqLockRow::<readers_writer::Seq>::ROW,
    &readers_writer::Of::<readers_writer::BrokenReaders>::ROW,
    &readers_writer::SeqLockRow::<readers_writer::TornSeq>::ROW,
    &waiting::BufferOf::<waiting::One>::ROW,
    &waiting::BufferOf::<waiting::All>::ROW,
    &waiting::BufferOf::<waiting::While>::ROW,
    &waiting::BufferOf::<waiting::Timed>::ROW,
    &waiting::BufferOf::<waiting::ParkingLotCondvar>::ROW,
    &waiting::SemaphoreOf::<waiting::Posix>::ROW,
    &waiting::ParkRow,
    &waiting::PhilosophersRow,
    &waiting::RendezvousRow::<waiting::Zero>::ROW,
    &waiting::BufferOf::<waiting::If>::ROW,
    &waiting::BufferOf::<waiting::Gap>::ROW,
    &waiting::SemaphoreOf::<waiting::Unchecked>::ROW,
    &waiting::RendezvousRow::<waiting::Buffered>::ROW,
    &waiting::RendezvousRow::<waiting::Shuffled>::ROW,
    &once::Of::<once::StdOnce>::ROW,
    &once::Of::<once::StdOnceLock>::ROW,
    &once::Of::<once::StdLazyLock>::ROW,
    &once::Of::<once::ParkingLotOnce>::ROW,
    &once::Of::<once::BrokenOnce>::ROW,
    &barrier::Of::<barrier::StdBarrier>::ROW,
    &barrier::Of::<barrier::Pthread>::ROW,
    &barrier::Of::<barrier::Impatient>::ROW,
    &barrier::Of::<barrier::AllLead>::ROW,
    &lock_free::Of::<lock_free::FetchAdd>::ROW,
    &lock_free::Of::<lock_free::FetchSub>::ROW,
    &lock_free::Of::<lock_free::FetchBits>::ROW,
    &lock_free::Of::<lock_free::FetchXor>::ROW,
    &lock_free::Of::<lock_free::CompareExchange>::ROW,
    &lock_free::Of::<lock_free::Weak>::ROW,
    &lock_free::Of::<lock_free::Load>::ROW,
    &lock_free::Of::<lock_free::Store>::ROW,
    &lock_free::Of::<lock_free::Swap>::ROW,
    &lock_free::Of::<lock_free::Flag>::ROW,
    &lock_free::Of::<lock_free::Pointer>::ROW,
    &lock_free::Of::<lock_free::Padded>::ROW,
    &lock_free::Of::<lock_free::Unpadded>::ROW,
    &lock_free::Of::<lock_free::LostUpdate>::ROW,
    &lock_free::Of::<lock_free::Torn>::ROW,
    &lock_free::Of::<lock_free::FlagUnswapped>::ROW,
];

/// The primitive of this name.
pub fn find(key: &str) -> Option<&'static dyn Primitive> {
    PRIMITIVES.iter().copied().find(|primitive| primitive.info().key == key)
}

#[cfg(test)]
mod tests;
