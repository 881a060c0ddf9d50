//! Locks of the `parking_lot` crate (0.12, 0.13; `parking_lot_core`
//! `src/parking_lot.rs`, `src/thread_parker/linux.rs`):
//!
//! ```text
//! futex(&thread_data.futex, WAIT | PRIVATE, 1)     one word for each thread, in thread-local storage
//! thread_data   −32 key: the lock's address (+1: a writer waits for readers to leave)
//!               −8 token: 0 a mutex or condition variable, else an RwLock      +0 futex
//! ```
//!
//! The lock itself is a byte or a word of state without an owner.

use super::futex::{FutexCall, Operation, route};
use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Make, Wait, WaitKind};

/// Where the key stands, seen from the futex word.
const KEY: u64 = 32;

/// What a thread can be parked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Primitive {
    /// A mutex: one byte.
    Mutex,
    /// A reader-writer lock: a word.
    RwLock,
    /// A condition variable.
    Condvar,
}

impl Primitive {
    const ALL: [Primitive; 3] = [Primitive::Mutex, Primitive::RwLock, Primitive::Condvar];

    /// Its module in `parking_lot`, as mangled names have it, of 0.12 and of 0.13.
    fn modules(self) -> &'static [&'static str] {
        match self {
            Primitive::Mutex => &["9raw_mutex"],
            Primitive::RwLock => &["10raw_rwlock"],
            Primitive::Condvar => &["7condvar", "11raw_condvar"],
        }
    }

    fn words(self) -> &'static str {
        match self {
            Primitive::Mutex => "parking_lot Mutex",
            Primitive::RwLock => "parking_lot RwLock",
            Primitive::Condvar => "parking_lot Condvar",
        }
    }

    fn make(self) -> Make {
        match self {
            Primitive::Mutex => Make::ParkingLotMutex,
            Primitive::RwLock => Make::ParkingLotRwLock,
            Primitive::Condvar => Make::ParkingLotCondvar,
        }
    }
}

/// A thread that is parked by `parking_lot`.
#[derive(Debug)]
pub(super) struct ParkingLot;

impl Decoder for ParkingLot {
    fn key(&self) -> &'static str {
        "parking_lot"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::ParkingLot]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a lock or condition variable of Rust's parking_lot crate. All its types park the thread \
         on a word of the thread's own. It is recognised by that call, by parking_lot's functions on the stack, and by \
         the lock's address in the thread's parking data. The locks do not store their holder: the \
         thread whose own code would let go of one next is named, as inferred, by why, deadlocks and the Waits panel."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if call.operation != Operation::Wait || !call.private || call.value != 1 {
            return None;
        }
        let site = world.call_site(facts)?;
        let is_ours = |name: &str| name.contains("16parking_lot_core") || name.contains("11parking_lot");
        if site.at.name() != "syscall" || !site.caller().is_some_and(|code| is_ours(code.name())) {
            return None;
        }
        let [key, _, _, token] = world.longs(facts.pid, call.address.checked_sub(KEY)?).ok()?;
        let lock = lock_of(key, token);
        let maps = world.maps(facts.pid)?;
        let is_data = maps.find(lock).is_some_and(|mapping| mapping.write && mapping.read);
        if !is_data || world.words(facts.pid, call.address) != Ok([1]) || !world.still_there(facts) {
            return None;
        }
        let of = |name: &str| {
            let is = |primitive: &Primitive| primitive.modules().iter().any(|module| name.contains(module));
            Primitive::ALL.into_iter().find(|primitive| is_ours(name) && is(primitive))
        };
        // Only live frames are sure: a condition variable has let go of a mutex just
        // before, and without optimisation what did that still stands on the stack.
        let mut primitive = None;
        if world.is_precise() {
            primitive = world.frame_names(facts).iter().find_map(|name| of(name));
        }
        let primitive = primitive.or_else(|| site.callers.iter().find_map(|code| of(code.name())));
        let what = primitive.map_or("parking_lot lock", Primitive::words);
        let mut wait = call.wait(WaitKind::ParkingLot, format!("{what} in {}", world.place(facts.pid, lock)));
        wait.address = Some(lock);
        wait.make = primitive.map_or(Make::Usual, Primitive::make);
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("parked for {lock:#x}, by the key at {:#x}", call.address - KEY));
        wait.evidence.push(route(&site));
        wait.evidence.push("the locks of parking_lot do not store who holds them".to_owned());
        Some(wait)
    }
}

/// The lock that a thread is parked for. A mutex is one byte and may lie
/// anywhere; at an odd address a token tells the waiting writer of an `RwLock`.
fn lock_of(key: u64, token: u64) -> u64 {
    if token == 0 { key } else { key & !1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};

    const PARK: &str = "!_ZN16parking_lot_core13thread_parker3imp12ThreadParker10futex_wait17h0E";

    fn kind(key: u64, token: u64, word: u32, at: &str, caller: &str) -> WaitKind {
        // The futex word lies 32 bytes behind the fixture's.
        let call = format!("202 {:#x} 0x80 0x1 0x0 0x0 0x0", DATA + KEY);
        let machine = Machine::new(&call, "futex_do_wait");
        machine.set_bytes(PID, DATA, &[key, 0, 0, token].map(u64::to_ne_bytes).concat());
        machine.set_words(DATA + KEY, &[word]);
        machine.stack(at, &[caller]);
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty());
        assert_eq!(wait.kind == WaitKind::ParkingLot, wait.address == Some(DATA + 0x100));
        wait.kind
    }

    #[test]
    fn it_takes_the_call_the_function_and_a_lock() {
        assert_eq!(kind(DATA + 0x100, 0, 1, "syscall", PARK), WaitKind::ParkingLot);
        assert_eq!(kind(DATA + 0x101, 8, 1, "syscall", PARK), WaitKind::ParkingLot);
        assert_eq!((lock_of(0x101, 0), lock_of(0x100, 16)), (0x101, 0x100), "a mutex may lie at an odd address");
        // Look-alikes: no lock there, not parked any more, another's function.
        assert_eq!(kind(0, 0, 1, "syscall", PARK), WaitKind::Futex);
        assert_eq!(kind(DATA + 0x100, 0, 0, "syscall", PARK), WaitKind::Futex);
        assert_eq!(kind(DATA + 0x100, 0, 1, "syscall", "!_ZN5mylib4waitE"), WaitKind::Futex);
        assert_eq!(kind(DATA + 0x100, 0, 1, "", PARK), WaitKind::Futex);
    }
}
