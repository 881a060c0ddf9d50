//! Locks of the `parking_lot` crate (0.12, 0.13; `parking_lot_core`
//! `src/parking_lot.rs`, `src/thread_parker/linux.rs`):
//!
//! ```text
//! futex(&thread_data.futex, WAIT | PRIVATE, 1)     one word for each thread, in thread-local storage
//! thread_data   −32 key: the lock's address (+1: a writer waits for readers to leave)
//!               −8 token: 0 a mutex or condition variable, else an RwLock      +0 futex
//! ```
//!
//! Between them stand a link of the queue and how the thread was woken; the latter, 1,
//! hands the lock over. The lock itself is a byte or a word of state without an owner.
//! Whoever notifies a condition variable whose mutex is held gives the thread that mutex
//! for its key, without waking it.

use super::futex::{FutexCall, Operation, is_library, route};
use super::parked::{KEY, Parked, Primitive};
use super::{Decoder, Facts, World, parking_nameless};
use crate::backend::observe::rehearsal::Memory;
use crate::backend::observe::target::stack::CallSite;
use crate::model::Pid;
use crate::model::process::BlockedCall;
use crate::model::wait::{Certainty, Make, Wait, WaitKind};

/// The bit of a writer in the state of an `RwLock`.
const WRITER: u64 = 8;
/// The bit of an initialisation that has been done.
const DONE: u64 = 1;

/// Whether this is the name of a function of the crate, mangled.
pub(in crate::backend::observe) fn is_ours(name: &str) -> bool {
    name.contains("16parking_lot_core") || name.contains("11parking_lot")
}

/// Where a thread is when it has got what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend::observe) struct End {
    /// What memory holds then: address, number, bytes.
    pub(in crate::backend::observe) numbers: Vec<(u64, u64, usize)>,
    /// The lock that it has taken on the way.
    pub(in crate::backend::observe) takes: Option<u64>,
    /// Whether no name of a function tells as well where it is then.
    pub(in crate::backend::observe) always: bool,
}

/// When a wait of this kind would be over; `None` for any other.
pub(in crate::backend::observe) fn end(wait: &Wait, call: &BlockedCall, memory: &Memory<'_>) -> Option<End> {
    let lock = wait.address.filter(|_| wait.kind == WaitKind::ParkingLot)?;
    let futex = call.args[0];
    let long = |address: u64| {
        let mut bytes = [0; 8];
        (memory.fill(address, &mut bytes) == bytes.len()).then(|| u64::from_ne_bytes(bytes))
    };
    let key = long(futex.checked_sub(KEY)?)?;
    let parked = Parked { futex, key, next: 0, woken: 0, token: 0, lock, mutex: None };
    // A writer that waits for the last readers has taken the lock before.
    let (number, takes) = match wait.make {
        Make::ParkingLotMutex | Make::ParkingLotRelock => ((lock, 0, 1), Some(lock)),
        Make::ParkingLotRwLock if key == lock => ((lock, 0, 8), Some(lock)),
        Make::ParkingLotRwLock => ((lock, WRITER, 8), None),
        Make::ParkingLotOnce => ((lock, DONE, 1), None),
        Make::ParkingLotCondvar => ((long(lock)?, 0, 1), None),
        _ => return None,
    };
    let always = matches!(wait.make, Make::ParkingLotRelock | Make::ParkingLotCondvar | Make::ParkingLotOnce);
    Some(End { numbers: parked.woken().into_iter().chain([number]).collect(), takes, always })
}

/// Whether a thread that is parked in this call is the writer of an `RwLock` that has its bit
/// in the lock, and waits for the last readers.
pub(in crate::backend::observe) fn is_in_front(world: &World, pid: Pid, call: &BlockedCall) -> bool {
    let key = call.args[0].checked_sub(KEY).and_then(|at| world.longs::<1>(pid, at).ok());
    key.is_some_and(|[key]| !key.is_multiple_of(2))
}

/// Whether an `RwLock` has the bit of a writer.
pub(in crate::backend::observe) fn has_writer(world: &World, pid: Pid, lock: u64) -> bool {
    world.longs(pid, lock).is_ok_and(|[state]| state & WRITER != 0)
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
        "The thread waits for a lock, a condition variable or an initialisation of Rust's parking_lot crate. All its \
         types park the thread on a word of the thread's own. It is recognised by that call, by parking_lot's functions \
         on the stack or, in a program without symbols, by the crate's paths in it and the bits of the lock, and \
         by the lock's address in the thread's parking data. The locks do not store their holder: the \
         thread whose own code would let go of one next is named, as inferred, by why, deadlocks and the Waits panel."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if call.operation != Operation::Wait || !call.private || call.value != 1 {
            return None;
        }
        let site = world.call_site(facts)?;
        if is_library(&site.at.file) && site.at.name() != "syscall" {
            return None;
        }
        let parked = Parked::read(facts, world, call.address)?;
        if world.words(facts.pid, call.address) != Ok([1]) || !world.still_there(facts) {
            return None;
        }
        let named = site.at.name() == "syscall" && site.caller().is_some_and(|code| is_ours(code.name()));
        let (primitive, next) = if named {
            (by_names(facts, world, &site, &parked), None)
        } else {
            let next = "told by the crate's paths in the program, the parking data and the lock, for want of symbols";
            (Some(parking_nameless::identify(facts, world, &call, &site, &parked)?), Some(next))
        };
        let what = primitive.map_or("parking_lot lock", Primitive::words);
        let mut wait = call.wait(WaitKind::ParkingLot, format!("{what} in {}", world.place(facts.pid, parked.lock)));
        wait.address = Some(parked.lock);
        wait.make = primitive.map_or(Make::Usual, Primitive::make);
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("parked for {:#x}, by the key at {:#x}", parked.lock, call.address - KEY));
        if named && primitive == Some(Primitive::Relock) {
            wait.evidence.push("its condition variable was notified: it takes its mutex again".to_owned());
        }
        wait.evidence.extend(next.map(str::to_owned));
        wait.evidence.push(route(&site));
        wait.evidence.push("the locks of parking_lot do not store who holds them".to_owned());
        Some(wait)
    }
}

/// Which it is, by the names of functions.
fn by_names(facts: &Facts<'_>, world: &mut World, site: &CallSite, parked: &Parked) -> Option<Primitive> {
    let of = |name: &str| {
        let is = |primitive: &Primitive| primitive.modules().iter().any(|module| name.contains(module));
        Primitive::NAMED.into_iter().find(|primitive| is_ours(name) && is(primitive))
    };
    // Only live frames are sure: a condition variable has let go of a mutex just
    // before, and without optimisation what did that still stands on the stack.
    let mut primitive = None;
    if world.is_precise() {
        primitive = world.frame_names(facts).iter().find_map(|name| of(name));
    }
    let primitive = primitive.or_else(|| site.callers.iter().find_map(|code| of(code.name())))?;
    let requeued = primitive == Primitive::Condvar && parked.mutex.is_none();
    Some(if requeued { Primitive::Relock } else { primitive })
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
        // Look-alikes: no lock there, not parked any more, another's function.
        assert_eq!(kind(0, 0, 1, "syscall", PARK), WaitKind::Futex);
        assert_eq!(kind(DATA + 0x100, 0, 0, "syscall", PARK), WaitKind::Futex);
        assert_eq!(kind(DATA + 0x100, 0, 1, "syscall", "!_ZN5mylib4waitE"), WaitKind::Futex);
        assert_eq!(kind(DATA + 0x100, 0, 1, "", PARK), WaitKind::Futex);
    }
}
