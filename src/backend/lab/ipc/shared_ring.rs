//! Shared memory with a byte ring for each direction, and a socket pair through
//! which each side notices that the other is gone. The memory comes from four
//! places:
//!
//! ```text
//! memfd    memfd_create(2)   no name; the descriptor is handed over
//! POSIX    shm_open(3)       a name in /dev/shm, gone once the descriptor is there
//! file     mmap(2) of a file in a private directory, gone likewise
//! SysV     shmget(2)         an id; removed once the lab has attached it, it goes with the last process
//! ```
//!
//! Once it is mapped there is no difference, but for what the file system adds.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::namespace;
use super::peer::Lifeline;
use super::private::{self, Directory};
use super::protocol::Side;
use super::ring::{Futex, HEADER, Mapped, Reader, Ring, Semaphore, Spin, SpinPark, Strategy, Writer};
use super::sysv_mq::under_key;
use super::{About, Duty, End, Ends, Family, Gauge, Setup, Sizes, Transport};
use crate::backend::janitor::{Name, register_name};
use crate::model::Fault;
use crate::model::channel::{Fill, Measure, Waiting};
use crate::sys::shm::{self, SharedMap, memfd};
use crate::sys::sysv;

macro_rules! about {
    ($key:literal, $name:literal, $model:literal, [$($guarantee:literal),*], [$($failure:literal),*]) => {
        About {
            key: $key,
            name: $name,
            family: Family::SharedMemory,
            model: concat!(
                "A region of memory that both processes see. The kernel moves nothing and orders nothing: the \
                 processes make a bounded FIFO queue of it themselves, with an index each, release stores and acquire \
                 loads. ",
                $model
            ),
            guarantees: &[
                "what was written before a release store is seen after the acquire load that reads it",
                "no system call while neither side has to wait",
                $($guarantee),*
            ],
            failures: &[
                "the kernel does not tell that the peer is gone: without a second channel a side waits for ever",
                "a peer that dies half-way leaves the region half-written",
                "either side can destroy the other's data and indices",
                $($failure),*
            ],
            loses: false,
            waits: &[Waiting::SpinPark, Waiting::Spin, Waiting::Futex, Waiting::Semaphore],
        }
    };
}

/// Where the memory comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    Memfd,
    Object,
    File,
    Segment,
}

/// The transport, over one kind of memory.
#[derive(Debug)]
pub struct SharedRing {
    about: &'static About,
    memory: Memory,
}

/// Over a memfd.
pub static MEMFD: SharedRing = SharedRing {
    about: &about!(
        "memfd_ring",
        "shared ring",
        "It has no name: the descriptor is handed over.",
        ["the memory is freed when the last process that maps it is gone", "sealed, it can neither grow nor shrink"],
        []
    ),
    memory: Memory::Memfd,
};
/// Over a POSIX shared memory object.
pub static POSIX: SharedRing = SharedRing {
    about: &about!(
        "shm_ring",
        "ring, POSIX shm",
        "It has a name under /dev/shm, by which any process of the user can map it.",
        ["the memory is freed when its name and the last mapping are gone"],
        ["the name outlives the processes, and the memory with it, until somebody unlinks it"]
    ),
    memory: Memory::Object,
};
/// Over a regular file.
pub static FILE: SharedRing = SharedRing {
    about: &about!(
        "file_ring",
        "ring, mapped file",
        "It is the page cache of a regular file.",
        ["the content outlives the processes, and is on the disk after msync"],
        [
            "a file that is cut shorter: SIGBUS for whoever touches what is gone",
            "the kernel writes changed pages back to the disk, and a store to a page that is being written may wait"
        ]
    ),
    memory: Memory::File,
};
/// Over a System V segment.
pub static SYSV: SharedRing = SharedRing {
    about: &about!(
        "sysv_ring",
        "ring, System V shm",
        "It has an id, by which any process of the user can attach it.",
        ["marked for removal while it is attached, it goes with the last process"],
        ["otherwise the segment outlives every process, until somebody removes it by its id"]
    ),
    memory: Memory::Segment,
};

/// The ring's size where none is asked for: both sides' copies stay in the
/// second-level cache.
pub(super) const DEFAULT: u64 = 256 << 10;
const LEAST: u64 = 4096;
const MOST: u64 = 256 << 20;

/// The capacity of a ring for which `asked` was asked.
pub(super) fn capacity(key: &'static str, asked: Option<u64>) -> Result<usize, Fault> {
    let asked = asked.unwrap_or(DEFAULT);
    if asked > MOST {
        return Err(Fault::new(key, format!("a ring of {asked} bytes is above the limit of {MOST}")));
    }
    Ok(asked.max(LEAST).next_power_of_two() as usize)
}

impl Transport for SharedRing {
    fn about(&self) -> &'static About {
        self.about
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        let key = self.about.key;
        let fault = |what: &str, error: io::Error| Fault::new(key, format!("{what}: {error}"));
        let capacity = capacity(key, setup.buffer)?;
        let (map, [asker, answerer]) = self.make(2 * (HEADER + capacity))?;
        let (there, back) = rings(&Arc::new(map)).map_err(|e| fault("cannot map shared memory", e))?;
        for ring in [&there, &back] {
            ring.initialise().map_err(|e| fault("cannot make a semaphore", e))?;
        }
        let (a, b) = Lifeline::pair().map_err(|e| fault("cannot make a socket pair", e))?;
        let with = |mut end: End, lifeline: OwnedFd| {
            end.fds.push(lifeline);
            end
        };
        Ok(Ends {
            asker: with(asker, a),
            answerer: with(answerer, b),
            buffer: capacity as u64,
            sizes: Sizes::ANY,
            names: Vec::new(),
            gauge: Box::new(there),
        })
    }

    fn attach(&self, mut end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let lifeline = end.fds.pop().ok_or(io::ErrorKind::InvalidInput)?;
        let map = match (&*end.fds, &*end.ids) {
            ([file], []) => SharedMap::new(file)?,
            ([], [segment]) => SharedMap::of_segment(*segment)?,
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        };
        let (there, back) = rings(&Arc::new(map))?;
        let (out, inward) = if duty.side == Side::Asker { (there, back) } else { (back, there) };
        let peer = Lifeline::new(lifeline);
        match setup.wait {
            Waiting::Spin => serve::<Spin>(out, inward, peer, duty),
            Waiting::Futex => serve::<Futex>(out, inward, peer, duty),
            Waiting::Semaphore => serve::<Semaphore>(out, inward, peer, duty),
            Waiting::SpinPark | Waiting::Block => serve::<SpinPark>(out, inward, peer, duty),
        }
    }
}

impl SharedRing {
    /// Makes the memory: the lab's own mapping, and what each side needs to map
    /// it. No name is left when it returns.
    fn make(&self, len: usize) -> Result<(SharedMap, [End; 2]), Fault> {
        let key = self.about.key;
        let fault = |error: io::Error| {
            let fault = Fault::new(key, format!("cannot make {len} bytes of shared memory: {error}"));
            match (self.memory, error.raw_os_error()) {
                (Memory::Object, Some(libc::ENOSPC)) => fault.hint("/dev/shm is full"),
                (Memory::Object, Some(libc::ENOENT)) => fault.hint("there is no /dev/shm: mount a tmpfs there"),
                (Memory::Object, Some(libc::EACCES | libc::EROFS)) => fault.hint("/dev/shm cannot be written to"),
                (Memory::Segment, Some(libc::EINVAL | libc::ENOSPC)) => {
                    fault.hint("look at kernel.shmmax, kernel.shmmni and kernel.shmall")
                }
                _ => fault,
            }
        };
        let file = match self.memory {
            Memory::Memfd => memfd("syncscope-ring", len).map_err(fault)?,
            Memory::Object => {
                let name = format!("/{}", private::name());
                let _guard = register_name(Name::PosixMemory(name.clone().into()))?;
                shm::object(&name, len).map_err(fault)?
            }
            Memory::File => {
                let directory = Directory::make(key)?;
                let path = directory.join("ring");
                let file = File::options().read(true).write(true).create_new(true).open(path).map_err(fault)?;
                shm::reserve(&file, len).map_err(fault)?;
                file.into()
            }
            Memory::Segment => {
                namespace::enter();
                // Marked for removal at the end of this arm, while attached.
                let (id, _guard) = under_key(Name::SysvMemoryKey, |key| sysv::make_segment(key, len), fault)?;
                let map = SharedMap::of_segment(id).map_err(fault)?;
                let end = || End { ids: vec![id], ..End::default() };
                return Ok((map, [end(), end()]));
            }
        };
        let map = SharedMap::new(&file).map_err(fault)?;
        let again = file.try_clone().map_err(fault)?;
        Ok((map, [End::of([file]), End::of([again])]))
    }
}

fn serve<W: Strategy>(out: Ring, inward: Ring, peer: Lifeline, duty: Duty) -> io::Result<()> {
    duty.serve(Writer::<W, _>::new(out, peer.clone(), Mapped), Reader::<W, _>::new(inward, peer))
}

/// The two rings of the memory, from asker to answerer and back. A segment is
/// as long as it was asked for, whatever its pages.
fn rings(map: &Arc<SharedMap>) -> io::Result<(Ring, Ring)> {
    let half = map.len() / 2;
    let capacity = half.saturating_sub(HEADER);
    Ok((Ring::at(map, 0, capacity)?, Ring::at(map, half, capacity)?))
}

impl Gauge for Ring {
    fn fill(&self) -> Option<Fill> {
        Some(Fill { queued: self.queued(), capacity: self.capacity(), by: Measure::RingIndices })
    }
}
