//! Locks with one holder at a time.
//!
//! A lock is one file here with its definition and its explanation, and one
//! row in [`PRIMITIVES`](super::PRIMITIVES).

mod broken_flag;
mod clh;
mod contended;
mod futex_mutex;
mod mcs;
mod parking_lot;
mod parking_lot_fair;
mod pthread;
mod queue_node;
mod several;
mod std_mutex;
mod tas_spin;
mod ticket;
mod ticket_relaxed;
mod tokio_mutex;
mod ttas_spin;

pub(super) use self::broken_flag::BrokenFlag;
pub(super) use self::clh::Clh;
pub(super) use self::contended::Of;
pub(super) use self::futex_mutex::FutexMutex;
pub(super) use self::mcs::Mcs;
pub(super) use self::parking_lot::{ParkingLot, VERSION as PARKING_LOT};
pub(super) use self::parking_lot_fair::ParkingLotFair;
#[cfg(target_env = "gnu")]
pub(super) use self::pthread::adaptive::Adaptive;
pub(super) use self::pthread::error_checking::ErrorChecking;
pub(super) use self::pthread::normal::Normal;
pub(super) use self::pthread::priority_inheriting::PriorityInheriting;
pub(super) use self::pthread::recursive::Recursive;
pub(super) use self::pthread::robust::Robust;
pub(super) use self::pthread::{PthreadMutex, c_library};
pub(super) use self::queue_node::spin_while;
pub(super) use self::std_mutex::StdMutex;
pub(super) use self::tas_spin::TasSpin;
pub(super) use self::ticket::Ticket;
pub(super) use self::ticket_relaxed::TicketRelaxed;
pub(super) use self::tokio_mutex::TokioMutex;
pub(super) use self::ttas_spin::TtasSpin;

use super::Info;
use super::pen::Pen;
use super::quiet::Row;
use super::section::Section;
use super::streak::Streak;
use crate::model::lock::OwnCount;

/// A lock with one holder at a time.
pub(super) trait Exclusion: Default + Send + Sync + 'static {
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

    /// So many laps that do nothing but take it, count in what it protects, and let it
    /// go.
    #[inline]
    fn laps(&self, section: &Section, laps: u64) {
        for _ in 0..laps {
            let held = self.lock();
            section.count_one();
            self.unlock(held);
        }
    }

    /// So many recorded laps at most of a thread that has it to itself.
    #[inline]
    fn row(&self, pen: &Pen<'_>, section: &Section, streak: &mut Streak, laps: u64) -> Row {
        Row::of(pen, section, streak, laps, (|| self.lock(), |held| self.unlock(held)))
    }

    /// How often futex(2) was called so far, where the lock counts.
    fn futex_calls(&self) -> Option<u64> {
        None
    }

    /// What else it counts.
    fn own_counts(&self) -> Vec<OwnCount> {
        Vec::new()
    }
}
