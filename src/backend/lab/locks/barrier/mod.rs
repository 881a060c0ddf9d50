//! Barriers: nobody goes on before all have arrived.

mod all_lead;
mod impatient;
mod meeting;
mod pthread;
mod std_barrier;

pub(super) use self::all_lead::AllLead;
pub(super) use self::impatient::Impatient;
pub(super) use self::meeting::Of;
pub(super) use self::pthread::Pthread;
pub(super) use self::std_barrier::StdBarrier;

use super::Info;

/// A barrier.
pub(super) trait Barrier: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// Whether a thread waits for the others however long they take; else it
    /// must stop by itself.
    const WAITS: bool = true;

    /// One for so many threads.
    fn of(threads: usize) -> Self;

    /// Waits for all others; says whether this thread is the leader.
    fn wait(&self) -> bool;
}
