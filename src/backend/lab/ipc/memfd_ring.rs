//! Shared memory: a memfd (`memfd_create(2)`) that both processes map, with a
//! byte ring for each direction, and a socket pair through
//! which each side notices that the other is gone.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::protocol::Side;
use super::ring::{Futex, HEADER, Peer, Reader, Ring, Spin, SpinPark, Strategy, Writer};
use super::{About, Duty, Ends, Family, Gauge, Setup, Transport};
use crate::model::Fault;
use crate::model::channel::{Fill, Waiting};
use crate::sys::shm::{SharedMap, memfd};

static ABOUT: About = About {
    key: "memfd_ring",
    name: "shared ring",
    family: Family::SharedMemory,
    model: "A region of memory that both processes see. The kernel moves nothing and orders nothing: the processes \
            make a bounded FIFO queue of it themselves, with an index each, release stores and acquire loads.",
    guarantees: &[
        "what was written before a release store is seen after the acquire load that reads it",
        "no system call while neither side has to wait",
        "the memory is freed when the last process that maps it is gone",
    ],
    failures: &[
        "the kernel does not tell that the peer is gone: without a second channel a side waits for ever",
        "a peer that dies half-way leaves the region half-written",
        "either side can destroy the other's data and indices",
    ],
    waits: &[Waiting::SpinPark, Waiting::Spin, Waiting::Futex],
};

/// The ring's size where none is asked for: both sides' copies stay in the
/// second-level cache.
const DEFAULT: u64 = 256 << 10;
const LEAST: u64 = 4096;
const MOST: u64 = 256 << 20;

/// The transport.
#[derive(Debug)]
pub struct MemfdRing;

impl Transport for MemfdRing {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        let fault = |what: &str, error: &dyn std::fmt::Display| Fault::new("memfd_ring", format!("{what}: {error}"));
        let asked = setup.buffer.unwrap_or(DEFAULT);
        if asked > MOST {
            return Err(Fault::new("memfd_ring", format!("a ring of {asked} bytes is above the limit of {MOST}")));
        }
        let capacity = asked.max(LEAST).next_power_of_two();
        let memory = memfd("syncscope-ring", 2 * (HEADER + capacity as usize))
            .map_err(|e| fault("cannot make shared memory", &e))?;
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|e| fault("cannot make a socket pair", &e))?;
        let (there, _) = rings(&memory).map_err(|e| fault("cannot map shared memory", &e))?;
        let again = memory.try_clone().map_err(|e| fault("cannot duplicate a descriptor", &e))?;
        Ok(Ends { asker: vec![memory, a], answerer: vec![again, b], buffer: capacity, gauge: Box::new(there) })
    }

    fn attach(&self, fds: Vec<OwnedFd>, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [memory, lifeline] = <[OwnedFd; 2]>::try_from(fds).map_err(|_| io::ErrorKind::InvalidInput)?;
        let (there, back) = rings(&memory)?;
        let (out, inward) = if duty.side == Side::Asker { (there, back) } else { (back, there) };
        let peer = Lifeline(Arc::new(lifeline));
        match setup.wait {
            Waiting::Spin => serve::<Spin>(out, inward, peer, duty),
            Waiting::Futex => serve::<Futex>(out, inward, peer, duty),
            Waiting::SpinPark | Waiting::Block => serve::<SpinPark>(out, inward, peer, duty),
        }
    }
}

fn serve<W: Strategy>(out: Ring, inward: Ring, peer: Lifeline, duty: Duty) -> io::Result<()> {
    duty.serve(Writer::<W, _>::new(out, peer.clone()), Reader::<W, _>::new(inward, peer))
}

/// The two rings of the memory, from asker to answerer and back.
fn rings(memory: &OwnedFd) -> io::Result<(Ring, Ring)> {
    let map = Arc::new(SharedMap::new(memory)?);
    let half = map.len() / 2;
    let capacity = half.saturating_sub(HEADER);
    Ok((Ring::at(&map, 0, capacity)?, Ring::at(&map, half, capacity)?))
}

impl Gauge for Ring {
    fn fill(&self) -> Option<Fill> {
        Some(Fill { queued: self.queued(), capacity: self.capacity() })
    }
}

/// One end of a socket pair: it hangs up when the process at the other end
/// closes it or dies.
#[derive(Clone, Debug)]
struct Lifeline(Arc<OwnedFd>);

impl Peer for Lifeline {
    fn is_gone(&self) -> bool {
        let mut fds = [PollFd::new(&*self.0, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
    }
}
