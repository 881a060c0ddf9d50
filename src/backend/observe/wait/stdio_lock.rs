//! The lock of a stream of glibc's stdio (`_IO_lock_t`, `sysdeps/nptl/stdio-lock.h`),
//! which every call of stdio takes and `flockfile(3)` keeps:
//!
//! ```text
//! +0  lock    0 free, 1 held, 2 held and waited for
//! +4  count   it is recursive
//! +8  owner   the holder's thread descriptor: +0x0 and +0x10 its own address, +0x2d0 its thread id
//! ```
//!
//! Waiters sleep in `futex(lock, FUTEX_WAIT | PRIVATE, 2)`. The look-alikes: the
//! locks of malloc's arenas and others inside of glibc, which wait the same way and
//! store no owner, and a pthread mutex, whose owner is a number.

use super::futex::{FutexCall, Operation, route};
use super::owner::{Dead, name};
use super::{Decoder, Facts, World, thread_join};
use crate::model::Pid;
use crate::model::wait::{Wait, WaitKind};

const SELF: u64 = 0x10;

/// A thread that waits for a stream.
#[derive(Debug)]
pub(super) struct StdioLock;

impl Decoder for StdioLock {
    fn key(&self) -> &'static str {
        "stdio_lock"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::StdioLock]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a stream of C's stdio, which another uses or has locked (flockfile(3), printf(3) and its \
         kin). glibc stores the holder's thread descriptor in the lock of the stream, and the thread's id in that; the \
         descriptor must point to itself twice, as glibc's do, and the id must be that of a living thread."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        let plain = call.operation == Operation::Wait && call.private && !call.timed;
        if !plain || call.value != 2 || !call.address.is_multiple_of(8) {
            return None;
        }
        let lock = Lock::read(world, facts.pid, call.address)?;
        if lock.state != 2 || !(1..0x1_0000).contains(&lock.count) {
            return None;
        }
        let owner = lock.owner(world, facts.pid)?;
        world.thread_by_inner_number(facts.pid, owner as Pid)?;
        let site = world.call_site(facts)?;
        if !site.at.runtime.known_glibc() || site.at.name() == "syscall" {
            return None;
        }
        let mut wait =
            call.wait(WaitKind::StdioLock, format!("stream lock in {}", world.place(facts.pid, call.address)));
        wait.evidence.push(format!("owner = {:#x}, the descriptor of thread {owner}", lock.descriptor));
        wait.evidence.push(format!("lock word = 2 (held and waited for), held {} deep", lock.count));
        wait.evidence.push(route(&site));
        name(facts, world, &call, owner, (true, Dead::Orphaned), &mut wait);
        let unchanged = world.still_there(facts) && Lock::read(world, facts.pid, call.address) == Some(lock);
        unchanged.then_some(wait)
    }
}

/// The lock's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lock {
    state: u32,
    count: u32,
    descriptor: u64,
}

impl Lock {
    fn read(world: &World, pid: Pid, address: u64) -> Option<Self> {
        let [first, descriptor] = world.longs(pid, address).ok()?;
        Some(Lock { state: first as u32, count: (first >> 32) as u32, descriptor })
    }

    /// The id of the thread whose descriptor is stored.
    fn owner(&self, world: &World, pid: Pid) -> Option<u32> {
        let [start] = world.longs(pid, self.descriptor).ok()?;
        let [own] = world.longs(pid, self.descriptor.checked_add(SELF)?).ok()?;
        let [id] = world.words(pid, self.descriptor.checked_add(thread_join::TID)?).ok()?;
        (start == self.descriptor && own == self.descriptor && id != 0).then_some(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::wait::Holder;

    const DESCRIPTOR: u64 = DATA + 0x400;

    fn machine(words: [u32; 2], descriptor: u64, id: u32) -> Machine {
        let machine = Machine::futex(0x80, 2, 0);
        machine.set_words(DATA, &words);
        machine.set_bytes(PID, DATA + 8, &descriptor.to_ne_bytes());
        machine.set_bytes(PID, DESCRIPTOR, &[0; 0x400]);
        machine.set_bytes(PID, DESCRIPTOR, &DESCRIPTOR.to_ne_bytes());
        machine.set_bytes(PID, DESCRIPTOR + 0x10, &DESCRIPTOR.to_ne_bytes());
        machine.set_words(DESCRIPTOR + 0x2d0, &[id]);
        machine.stack("__lll_lock_wait_private", &["flockfile", "!main"]);
        machine
    }

    #[test]
    fn the_holder_is_found_by_its_descriptor() {
        let wait = machine([2, 1], DESCRIPTOR, PID as u32).decode().unwrap();
        assert_eq!(wait.kind, WaitKind::StdioLock, "{wait:#?}");
        assert_eq!(wait.holders, [Holder { pid: PID, tid: Some(PID) }]);
    }

    #[test]
    fn what_is_no_lock_of_a_stream_is_refused() {
        let moved = machine([2, 1], DESCRIPTOR, PID as u32);
        moved.set_bytes(PID, DESCRIPTOR + 0x10, &(DESCRIPTOR + 8).to_ne_bytes());
        for machine in [
            moved,
            machine([2, 0], DESCRIPTOR, PID as u32),        // not counted
            machine([1, 1], DESCRIPTOR, PID as u32),        // changing hands
            machine([2, 1], DESCRIPTOR + 0x10, PID as u32), // no descriptor there
            machine([2, 1], 0, PID as u32),                 // malloc's: no owner
            machine([2, 1], DESCRIPTOR, 4133),              // of no living thread
        ] {
            let wait = machine.decode().unwrap();
            assert!(wait.kind == WaitKind::Futex && wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
        }
    }
}
