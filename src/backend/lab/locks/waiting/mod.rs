//! Waiting for something to become true: condition variables, semaphores,
//! parking, rendezvous.

mod buffer;
mod condvar;
mod condvar_broken;
mod park;
mod philosophers;
mod rendezvous;
mod semaphore;
mod watch;

pub(super) use self::buffer::Of as BufferOf;
pub(super) use self::condvar::{All, One, ParkingLotCondvar, Timed, While};
pub(super) use self::condvar_broken::{Gap, If};
pub(super) use self::park::Row as ParkRow;
pub(super) use self::philosophers::Row as PhilosophersRow;
pub(super) use self::rendezvous::{Buffered, Row as RendezvousRow, Shuffled, Zero};
pub(super) use self::semaphore::{Of as SemaphoreOf, Posix, Unchecked};
