//! The lock lab: threads of a worker process that contend for a lock, each
//! acquisition recorded and checked.
//!
//! ```text
//! lab        the lab's thread: starts the worker, passes on wishes and reports
//! conductor  the worker: when the threads run, rest, and are reported on
//! stage      the threads (crew), what they are measured with (instruments),
//!            what is read of them (reader, figures, invariants, window)
//! contend    the measured loop: one instantiation a lock and kind of stamp
//! section    what the lock protects, and the check that it does
//! ring tally what a thread writes down of each acquisition
//! overlap    the check that no two recorded holders overlap
//! ```
//!
//! A lock is one file here with its definition, and one row in [`PRIMITIVES`].

mod broken_flag;
mod conductor;
mod contend;
mod crew;
mod figures;
mod futex_mutex;
mod gate;
mod instruments;
mod invariants;
mod lab;
mod overlap;
mod pace;
mod parking_lot;
mod pthread;
mod reader;
mod ring;
mod section;
mod stage;
mod stamps;
mod std_mutex;
mod tally;
mod ticket;
mod ttas_spin;
mod window;

use std::borrow::Cow;

pub use self::conductor::Job;
use self::contend::Of;
pub use self::contend::{Contend, Seat};
pub use self::gate::{Gate, Plan};
pub use self::instruments::recording_cost;
pub use self::lab::{LockLab, MAX_THREADS, MAX_WORK, check};
pub use self::pace::{Pace, Work};
pub use self::stamps::Recorder;

/// A kind of primitive: what one can do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Lock, try to lock, unlock: one holder at a time.
    Exclusion,
    /// The same operations, done wrongly on purpose, so that one can see the
    /// checks catch it.
    Broken,
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
    /// Its version, or where its definition comes from.
    pub version: fn() -> Cow<'static, str>,
    /// How it works and what that means under contention, in a few sentences.
    pub explanation: &'static str,
}

/// A lock with one holder at a time.
pub trait Exclusion: Default + Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// What a holder has in hand: a guard, or nothing.
    type Held<'a>;

    /// Waits until the lock is free and takes it.
    fn lock(&self) -> Self::Held<'_>;

    /// Takes the lock if it is free.
    fn try_lock(&self) -> Option<Self::Held<'_>>;

    /// Lets it go.
    fn unlock(&self, held: Self::Held<'_>);

    /// How often futex(2) was called so far, where the lock counts.
    fn futex_calls(&self) -> Option<u64> {
        None
    }
}

/// A row of the registry, its type erased.
pub trait Primitive: Sync {
    /// What a person reads about it.
    fn info(&self) -> &'static Info;

    /// A new lock with the section it protects. What is called on it runs
    /// monomorphised: the type is erased once for a run, not for an
    /// acquisition.
    fn contend(&self) -> Box<dyn Contend>;
}

/// Every primitive, family by family.
pub const PRIMITIVES: &[&dyn Primitive] = &[
    &Of::<std_mutex::StdMutex>::ROW,
    &Of::<parking_lot::ParkingLot>::ROW,
    &Of::<pthread::Pthread>::ROW,
    &Of::<futex_mutex::FutexMutex>::ROW,
    &Of::<ticket::Ticket>::ROW,
    &Of::<ttas_spin::TtasSpin>::ROW,
    &Of::<broken_flag::BrokenFlag>::ROW,
];

/// The primitive of this name.
pub fn find(key: &str) -> Option<&'static dyn Primitive> {
    PRIMITIVES.iter().copied().find(|primitive| primitive.info().key == key)
}

#[cfg(test)]
mod tests;
