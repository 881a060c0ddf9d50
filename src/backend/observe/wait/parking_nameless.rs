//! Threads that `parking_lot` has put to sleep in programs without symbols: no function
//! has a name there, but the crate leaves its own paths in the program, and a thread that
//! is parked leaves its marks in two places at once:
//!
//! ```text
//!                parking data         the lock itself
//! Mutex          token 0              byte 3: locked, somebody is parked
//! Once           token 0              byte 12: it runs, somebody is parked
//! Condvar        token 0              the address of a mutex, a byte of at most 3
//! RwLock         token 16, to read    a writer, 8; somebody is parked, 1
//!                token 8 or 20        a writer or an upgradable reader, 4; 1
//! ├ last readers token 8, key odd     a writer, 8, that is parked, 2; readers, from 16 on
//! ```
//!
//! Before the token stand a link to another's parking data, or none, and 0 or 1 for how
//! the thread was woken last. Whether a mutex is taken for the first time, or again by a
//! condition variable, its code tells: that tries 0 to 1 first, whatever there is.
//!
//! The look-alikes: another crate's parker that sleeps on a 1 in the same way; a program
//! without the crate.

use super::futex::FutexCall;
use super::parked::{Parked, Primitive};
use super::told::Place;
use super::world::Supposed;
use super::{Facts, World};
use crate::backend::observe::rehearsal::Act;
use crate::backend::observe::target::stack::CallSite;

/// The bits of a byte of a mutex.
const LOCKED: u8 = 1;
const PARKED: u8 = 2;
/// Those of an initialisation that runs while somebody is parked.
const RUNS: u8 = 4 | 8;
/// Those of a reader-writer lock.
const RW_PARKED: u64 = 1;
const WRITER_PARKED: u64 = 2;
const UPGRADABLE: u64 = 4;
const WRITER: u64 = 8;
const READER: u64 = 16;

/// So many callers are looked at for the crate's paths in their program.
const CALLERS: usize = 4;

/// What the thread is parked for, if the crate is in the program and the marks agree.
pub(super) fn identify(
    facts: &Facts<'_>,
    world: &mut World,
    call: &FutexCall,
    site: &CallSite,
    parked: &Parked,
) -> Option<Primitive> {
    if !world.is_precise() {
        return None;
    }
    let primitive = marks(facts, world, parked)?;
    let addresses = std::iter::once(&site.at).chain(site.callers.iter().take(CALLERS)).map(|code| code.address);
    if !addresses.into_iter().any(|address| world.has_parking_lot(facts.pid, address)) {
        return None;
    }
    if primitive != Primitive::Relock {
        return Some(primitive);
    }
    let place = Place::of(facts.pid, site, u32::from(LOCKED | PARKED), call.timed);
    if let Some(known) = world.parked.get(&place) {
        return Some(*known);
    }
    let first = world.suppose(facts, true, |thread| takes_at_first(thread, parked).then_some(Primitive::Mutex));
    let told = first.unwrap_or(Primitive::Relock);
    world.parked.insert(place, told);
    Some(told)
}

/// What the parking data and the lock say; of a mutex, that it may be taken again.
fn marks(facts: &Facts<'_>, world: &mut World, parked: &Parked) -> Option<Primitive> {
    let &Parked { lock, key, token, next, woken, mutex, .. } = parked;
    if woken > 1 || next != 0 && !world.is_data(facts.pid, next) {
        return None;
    }
    let byte = |world: &World, address| {
        let mut byte = [0];
        world.memory(facts.pid, address, &mut byte).ok()?;
        Some(byte[0])
    };
    if token == 0 {
        if let Some(mutex) = mutex {
            return byte(world, mutex).is_some_and(|state| state <= LOCKED | PARKED).then_some(Primitive::Condvar);
        }
        let state = byte(world, lock)?;
        let told = [(LOCKED | PARKED, Primitive::Relock), (RUNS, Primitive::Once)];
        return told.into_iter().find(|(bits, _)| *bits == state).map(|(_, primitive)| primitive);
    }
    let [state] = world.longs(facts.pid, lock).ok()?;
    let has = |bits: u64| state & bits != 0;
    let agrees = match (token, key - lock) {
        (READER, 0) => has(RW_PARKED) && has(WRITER),
        (token, 0) if token == WRITER || token == READER | UPGRADABLE => has(RW_PARKED) && has(WRITER | UPGRADABLE),
        (WRITER, 1) => has(WRITER) && has(WRITER_PARKED) && state >= READER,
        _ => false,
    };
    (agrees && lock.is_multiple_of(8)).then_some(Primitive::RwLock)
}

/// Whether its code takes the mutex as one that has found it locked: it looks before.
fn takes_at_first(thread: &Supposed<'_>, parked: &Parked) -> bool {
    let lock = parked.lock;
    let changes = |number: u8, to: u8| {
        let held = (lock, u64::from(number), 1);
        let numbers: Vec<_> = parked.woken().into_iter().chain([held]).collect();
        let outcome = thread.through_loops(&numbers, lock);
        let act = Act::CompareExchange { expected: Some(number.into()), new: Some(to.into()) };
        outcome.first(lock).is_some_and(|(event, _)| event.size == 1 && event.act == act)
    };
    changes(0, LOCKED) && changes(PARKED, LOCKED | PARKED)
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::wait::{Make, Wait, WaitKind};

    const FUTEX: u64 = DATA + 32;
    const LOCK: u64 = DATA + 0x100;

    /// Thread 101 sleeps on its word, without a name on its stack.
    fn parked(data: [u64; 4], lock: u64, has_crate: bool) -> Wait {
        let machine = Machine::new(&format!("202 {FUTEX:#x} 0x80 0x1 0x0 0x0 0x0"), "futex_do_wait");
        machine.set_bytes(PID, DATA, &data.map(u64::to_ne_bytes).concat());
        machine.set_words(FUTEX, &[1]);
        machine.set_bytes(PID, LOCK, &lock.to_ne_bytes());
        machine.set_bytes(PID, DATA + 0x200, &[3, 0, 0, 0, 0, 0, 0, 0, 9]);
        machine.stack("syscall", &["!"]);
        machine.has_parking_lot(has_crate);
        machine.decode_precisely().unwrap()
    }

    #[test]
    fn what_is_waited_for_is_told_by_the_parking_data_and_the_lock() {
        let told = [
            ([LOCK, 0, 0, 0], 3, Make::ParkingLotRelock),
            ([LOCK, DATA + 0x80, 1, 0], 0x5500_0003, Make::ParkingLotRelock),
            ([LOCK, 0, 0, 0], 12, Make::ParkingLotOnce),
            ([LOCK, 0, 0, 0], DATA + 0x200, Make::ParkingLotCondvar),
            ([LOCK, 0, 0, 16], 9, Make::ParkingLotRwLock),
            ([LOCK, 0, 0, 8], 9, Make::ParkingLotRwLock),
            ([LOCK, 0, 0, 20], 16 + 5, Make::ParkingLotRwLock),
            ([LOCK + 1, 0, 0, 8], 16 + 10, Make::ParkingLotRwLock),
        ];
        for (data, lock, make) in told {
            let wait = parked(data, lock, true);
            assert_eq!(
                (wait.kind, wait.make, wait.address),
                (WaitKind::ParkingLot, make, Some(LOCK)),
                "{data:x?} {lock:x}"
            );
            assert!(wait.holders.is_empty() && wait.partial);
            assert_eq!(parked(data, lock, false).kind, WaitKind::Futex, "a program without the crate");
        }
    }

    #[test]
    fn marks_that_do_not_agree_are_no_lock() {
        let refused = [
            ([LOCK, 0, 0, 0], 1),            // nobody is parked there
            ([LOCK, 0, 0, 0], 2),            // not locked
            ([LOCK, 0, 7, 0], 3),            // never woken so
            ([LOCK, 0x10, 0, 0], 3),         // no link
            ([0x10, 0, 0, 0], 3),            // no lock
            ([LOCK, 0, 0, 16], 1),           // a reader behind nobody
            ([LOCK, 0, 0, 8], 16 + 1),       // a writer behind readers sleeps on the other key
            ([LOCK + 1, 0, 0, 8], 8 + 2),    // behind no reader
            ([LOCK + 1, 0, 0, 16], 16 + 10), // a reader never sleeps there
            ([LOCK, 0, 0, 24], 9),           // no such token
            ([LOCK, 0, 0, 0], DATA + 0x208), // no mutex: its byte is 9
        ];
        for (data, lock) in refused {
            assert_eq!(parked(data, lock, true).kind, WaitKind::Futex, "{data:x?} {lock:x}");
        }
    }
}
