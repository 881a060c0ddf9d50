//! Writing into the peer's own memory: `process_vm_writev(2)`.
//!
//! The bytes of each ring lie in memory that only the reader maps; the writer
//! has the kernel copy into them. What both share are the indices, a page for
//! each direction. Each side tells the other its process id and where its
//! bytes are, over the lifeline.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::peer::Lifeline;
use super::protocol::Side;
use super::ring::{Futex, HEADER, Reader, Ring, Semaphore, Spin, SpinPark, Strategy, Way, Writer};
use super::shared_ring::capacity;
use super::{About, Duty, End, Ends, Family, Setup, Sizes, Transport};
use crate::model::channel::Waiting;
use crate::model::{Fault, Pid};
use crate::sys::frame::FrameSocket;
use crate::sys::memory;
use crate::sys::shm::{SharedMap, memfd};

static ABOUT: About = About {
    key: "process_vm",
    name: "process_vm_writev",
    family: Family::RemoteMemory,
    model: "The kernel copies from one process's memory straight into the other's. It tells nobody and orders nothing: \
            a shared page holds the indices of a bounded FIFO queue, and the sides wait as on a shared ring.",
    guarantees: &[
        "one copy, between buffers that neither process shares",
        "what was written before a release store of an index is seen after the acquire load that reads it",
    ],
    failures: &[
        "it needs the permission to trace the peer: the same user, and what Yama allows",
        "an address that is not mapped: EFAULT, perhaps after some of the bytes",
        "the peer is a process id, which may have come to mean another process",
        "the kernel does not tell that the peer is gone: without a second channel a side waits for ever",
    ],
    loses: false,
    waits: &[Waiting::SpinPark, Waiting::Spin, Waiting::Futex, Waiting::Semaphore],
};

/// The transport.
#[derive(Debug)]
pub struct ProcessVm;

impl Transport for ProcessVm {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        permitted()?;
        let fault = |error: io::Error| Fault::new(ABOUT.key, format!("cannot make shared memory: {error}"));
        let capacity = capacity(ABOUT.key, setup.buffer)?;
        let page = memfd("syncscope-indices", 2 * (HEADER + SMALL)).map_err(fault)?;
        let (there, back) = indices(&Arc::new(SharedMap::new(&page).map_err(fault)?), capacity).map_err(fault)?;
        for ring in [&there, &back] {
            ring.initialise().map_err(fault)?;
        }
        let again = page.try_clone().map_err(fault)?;
        let (a, b) = Lifeline::pair().map_err(fault)?;
        let size = |fd| End { fds: fd, ids: vec![capacity as i32], ..End::default() };
        Ok(Ends {
            asker: size(vec![page, a]),
            answerer: size(vec![again, b]),
            buffer: capacity as u64,
            sizes: Sizes::ANY,
            names: Vec::new(),
            gauge: Box::new(there),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [capacity] = <[i32; 1]>::try_from(&*end.ids).map_err(|_| io::ErrorKind::InvalidInput)?;
        let [page, lifeline] = end.take()?;
        let (there, back) = indices(&Arc::new(SharedMap::new(&page)?), capacity as usize)?;
        let (out, inward) = if duty.side == Side::Asker { (there, back) } else { (back, there) };
        let bytes = Arc::new(SharedMap::private(capacity as usize)?);
        // The peer may write there for a moment after this end was closed; so
        // the memory stays for as long as the process lives.
        std::mem::forget(bytes.clone());
        memory::offer();
        let peer = Lifeline::new(lifeline);
        let mut hello = FrameSocket::from(UnixStream::from(peer.socket().try_clone()?));
        hello.send(&(std::process::id() as Pid, bytes.start().as_ptr() as u64), &[])?;
        let inward = inward.with_bytes(&bytes)?;
        let way = Remote { hello, target: None };
        match setup.wait {
            Waiting::Spin => serve::<Spin>(out, inward, way, peer, duty),
            Waiting::Futex => serve::<Futex>(out, inward, way, peer, duty),
            Waiting::Semaphore => serve::<Semaphore>(out, inward, way, peer, duty),
            Waiting::SpinPark | Waiting::Block => serve::<SpinPark>(out, inward, way, peer, duty),
        }
    }
}

fn serve<W: Strategy>(out: Ring, inward: Ring, way: Remote, peer: Lifeline, duty: Duty) -> io::Result<()> {
    duty.serve(Writer::<W, _, _>::new(out, peer.clone(), way), Reader::<W, _>::new(inward, peer))
}

/// Yama (`Documentation/admin-guide/LSM/Yama.rst`) may forbid it: 2 asks for
/// `CAP_SYS_PTRACE`, 3 forbids it to all. 1 is met by the sides offering.
fn permitted() -> Result<(), Fault> {
    let scope = std::fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let root = rustix::process::geteuid().is_root();
    match scope.trim() {
        "3" => Err(Fault::new(ABOUT.key, "kernel.yama.ptrace_scope is 3: nobody may write into another process")),
        "2" if !root => Err(Fault::new(ABOUT.key, "kernel.yama.ptrace_scope is 2: it needs CAP_SYS_PTRACE")
            .hint("run as root, or set it to 1")),
        _ => Ok(()),
    }
}

/// The bytes that stand behind each page of indices and are not used: a ring
/// without any is none.
const SMALL: usize = 4096;

/// The two rings, from asker to answerer and back, without their bytes.
fn indices(map: &Arc<SharedMap>, capacity: usize) -> io::Result<(Ring, Ring)> {
    let ring = |offset| Ring::at(map, offset, SMALL)?.of_capacity(capacity);
    Ok((ring(0)?, ring(HEADER + SMALL)?))
}

/// The peer's memory.
#[derive(Debug)]
struct Remote {
    hello: FrameSocket,
    /// Its process, and where its bytes begin.
    target: Option<(Pid, u64)>,
}

impl Remote {
    /// Hears where to write: by the time of the first order it has been said.
    #[cold]
    fn meet(&mut self) -> io::Result<(Pid, u64)> {
        let target = self.hello.receive(Some(Duration::from_secs(2)), &mut Vec::new())?;
        self.target = target;
        target.ok_or_else(|| io::ErrorKind::TimedOut.into())
    }
}

impl Way for Remote {
    #[inline]
    unsafe fn put(&mut self, ring: &Ring, index: u64, from: &[u8]) -> io::Result<()> {
        let (pid, start) = match self.target {
            Some(target) => target,
            None => self.meet()?,
        };
        let (at, first) = ring.split(index, from.len());
        memory::write(pid, start + at as u64, &from[..first])?;
        if first < from.len() {
            memory::write(pid, start, &from[first..])?;
        }
        Ok(())
    }
}
