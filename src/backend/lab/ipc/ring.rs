//! A byte ring for one writer and one reader in memory that two processes
//! map, with the ways its sides can wait.
//!
//! ```text
//! offset 0      written: u64   bytes ever written; only the writer stores
//!        128    read: u64      bytes ever read and given back; only the reader
//!        256    reader: u32 sleeps   1 while the reader is about to sleep,
//!                       sem_t        and what it sleeps on, if not on the flag
//!        384    writer: likewise
//!        4096   the bytes, a power of two of them
//! ```
//!
//! After Lamport's queue (1983) with each index on a cache line pair of its
//! own and a private copy of the other side's index (`FastForward`, Giacomoni
//! et al. 2008; <https://rigtorp.se/ringbuffer/>): a side looks at the other's
//! line only when its copy says that there is nothing to do. The writer asks for
//! the lines of the bytes a little before it writes them: they are in the reader's
//! cache, and a store would wait for each.
//!
//! `written` is stored with Release after the bytes are copied in and loaded
//! with Acquire before they are copied out; `read` likewise the other way
//! round. Going to sleep is Dekker's handshake: the sleeper sets its flag and
//! looks at the index once more, the other stores its index and looks at the
//! flag, each with a sequentially consistent fence between, so that not both
//! can miss the other.

#![expect(clippy::inline_always, reason = "calls would cost a small message as much as its copying")]

mod ends;
mod waiting;

use std::io;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Acquire;

pub(super) use self::ends::{Mapped, Reader, Way, Writer};
use self::waiting::Bed;
pub(super) use self::waiting::{Futex, Semaphore, Spin, SpinPark, Strategy};
use crate::sys::cache::{LINE, fetch_to_write};
use crate::sys::shm::SharedMap;

/// The most that is copied at once on processors of AMD. C libraries copy more
/// with one string instruction (glibc from 4 KiB on), which is several times slower
/// there than vector loads and stores where the other CPU has written the lines
/// last. On Intel's it is the faster way.
const BLOCK: usize = 2048;

/// So many bytes before they are written their lines are fetched. A store waits
/// until its line has come from the other CPU, and the stores after it wait for it;
/// lines that were asked for come many at a time.
const AHEAD: u64 = 1024;
/// What is fetched for, and copied, at a time: of all of a large message at once the
/// first lines would be waited for as if none had been asked for.
const PIECE: usize = 4096;

/// What stands before the bytes.
pub(super) const HEADER: usize = 4096;

/// Two cache lines: the neighbour that the prefetcher fetches belongs to the
/// same side.
#[repr(C, align(128))]
#[derive(Debug)]
struct Padded<T>(T);

#[repr(C)]
#[derive(Debug)]
struct Control {
    written: Padded<AtomicU64>,
    read: Padded<AtomicU64>,
    reader: Padded<Bed>,
    writer: Padded<Bed>,
}

const _: () = assert!(size_of::<Control>() == 512 && size_of::<Control>() <= HEADER);

/// One ring of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    control: NonNull<Control>,
    bytes: NonNull<u8>,
    capacity: u64,
    /// The most that is copied at once.
    block: usize,
    /// Keep the mappings alive.
    maps: [Arc<SharedMap>; 2],
}

/// Whether the processor is one of AMD's, or of Hygon's, which are theirs.
#[cfg(target_arch = "x86_64")]
fn is_amd() -> bool {
    let id = std::arch::x86_64::__cpuid(0);
    let vendor: Vec<u8> = [id.ebx, id.edx, id.ecx].iter().flat_map(|word| word.to_le_bytes()).collect();
    matches!(&*vendor, b"AuthenticAMD" | b"HygonGenuine")
}

#[cfg(not(target_arch = "x86_64"))]
fn is_amd() -> bool {
    false
}

// SAFETY: the mapping belongs to the process; the control block is atomics,
// and the bytes are touched by the one writer and the one reader only as the
// indices allow.
unsafe impl Send for Ring {}

impl Ring {
    /// The ring at `offset`, `capacity` bytes large; its control block is
    /// valid when all zero, its semaphores apart.
    pub(super) fn at(map: &Arc<SharedMap>, offset: usize, capacity: usize) -> io::Result<Self> {
        let fits = offset.checked_add(HEADER + capacity).is_some_and(|end| end <= map.len());
        if !fits || !capacity.is_power_of_two() || !offset.is_multiple_of(HEADER) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the shared memory holds no such ring"));
        }
        // SAFETY: checked just now: both lie within the mapping, which `maps`
        // keeps alive; the offset is page-aligned, which is more than
        // `Control` asks for.
        let (control, bytes) = unsafe { (map.start().add(offset).cast(), map.start().add(offset + HEADER)) };
        let block = if is_amd() { BLOCK } else { usize::MAX };
        Ok(Ring { control, bytes, capacity: capacity as u64, block, maps: [map.clone(), map.clone()] })
    }

    /// The same ring for another number of bytes, which lie elsewhere: see
    /// [`Ring::with_bytes`]. Until then nobody may copy.
    pub(super) fn of_capacity(self, capacity: usize) -> io::Result<Self> {
        let fits = capacity.is_power_of_two();
        let bytes = NonNull::dangling();
        if fits {
            Ok(Ring { capacity: capacity as u64, bytes, ..self })
        } else {
            Err(io::ErrorKind::InvalidInput.into())
        }
    }

    /// The same ring with its bytes elsewhere, which have to be as many.
    pub(super) fn with_bytes(self, bytes: &Arc<SharedMap>) -> io::Result<Self> {
        if bytes.len() as u64 != self.capacity {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the bytes do not fit the ring"));
        }
        let [map, _] = self.maps;
        Ok(Ring { bytes: bytes.start(), maps: [map, bytes.clone()], ..self })
    }

    /// Makes it ready for use; once, before anybody uses it.
    pub(super) fn initialise(&self) -> io::Result<()> {
        self.control().reader.0.semaphore.initialise()?;
        self.control().writer.0.semaphore.initialise()
    }

    #[inline(always)]
    fn control(&self) -> &Control {
        // SAFETY: valid for as long as `maps` live, aligned, and made of
        // atomics, for which any bytes are valid, and semaphores, which are
        // cells.
        unsafe { self.control.as_ref() }
    }

    /// How many bytes are in it, as seen from outside.
    pub(super) fn queued(&self) -> u64 {
        let read = self.control().read.0.load(Acquire);
        self.control().written.0.load(Acquire).saturating_sub(read).min(self.capacity)
    }

    /// How many bytes fit.
    pub(super) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Splits the `len` bytes from `index` on at the end of the ring.
    #[inline(always)]
    pub(super) fn split(&self, index: u64, len: usize) -> (usize, usize) {
        let start = (index & (self.capacity - 1)) as usize;
        (start, len.min(self.capacity as usize - start))
    }

    /// Copies `len` bytes, a block at a time.
    ///
    /// # Safety
    /// As `copy_nonoverlapping`.
    #[inline(always)]
    unsafe fn copy(&self, from: *const u8, to: *mut u8, len: usize) {
        // SAFETY: as the caller promises.
        unsafe {
            if len <= self.block { to.copy_from_nonoverlapping(from, len) } else { self.copy_blocks(from, to, len) }
        }
    }

    /// # Safety
    /// As `copy_nonoverlapping`.
    #[inline(never)]
    unsafe fn copy_blocks(&self, mut from: *const u8, mut to: *mut u8, mut len: usize) {
        // SAFETY: what the caller promises for all holds for each part.
        unsafe {
            while len > self.block {
                to.copy_from_nonoverlapping(from, self.block);
                (from, to, len) = (from.add(self.block), to.add(self.block), len - self.block);
            }
            to.copy_from_nonoverlapping(from, len);
        }
    }

    /// # Safety
    /// The caller is the writer, and the reader has given the `from.len()`
    /// bytes from `index` on back.
    #[inline(always)]
    unsafe fn copy_in(&self, index: u64, from: &[u8]) {
        let (start, first) = self.split(index, from.len());
        // SAFETY: `start + first` is within the ring and the rest, beginning
        // at 0, too; nobody else touches these bytes (see above).
        unsafe {
            self.copy(from.as_ptr(), self.bytes.as_ptr().add(start), first);
            if first < from.len() {
                self.copy_blocks(from.as_ptr().add(first), self.bytes.as_ptr(), from.len() - first);
            }
        }
    }

    /// Copies bytes in, and fetches the lines of what comes after them.
    ///
    /// # Safety
    /// As [`Ring::copy_in`].
    #[inline(always)]
    unsafe fn write(&self, index: u64, from: &[u8]) {
        if from.len() > PIECE {
            // SAFETY: as the caller promises.
            return unsafe { self.write_pieces(index, from) };
        }
        self.fetch_ahead(index, from.len());
        // SAFETY: as the caller promises.
        unsafe { self.copy_in(index, from) };
    }

    /// # Safety
    /// As [`Ring::copy_in`].
    #[inline(never)]
    unsafe fn write_pieces(&self, index: u64, from: &[u8]) {
        let at = (index..).step_by(PIECE);
        for (at, piece) in at.zip(from.chunks(PIECE)) {
            self.fetch_ahead(at, piece.len());
            // SAFETY: what the caller promises for all holds for each part.
            unsafe { self.copy_in(at, piece) };
        }
    }

    /// Fetches the lines into which what comes after a message of `len` bytes at
    /// `index` will be written, as many as that message has. They may still be
    /// unread: whose cache has a line matters to its speed alone.
    #[inline(always)]
    fn fetch_ahead(&self, index: u64, len: usize) {
        let begin = index + AHEAD;
        let mut at = begin.next_multiple_of(LINE as u64);
        while at < begin + len as u64 {
            fetch_to_write(self.bytes.as_ptr().wrapping_add((at & (self.capacity - 1)) as usize));
            at += LINE as u64;
        }
    }

    /// # Safety
    /// The caller is the reader, and the writer has published the `to.len()`
    /// bytes from `index` on.
    #[inline(always)]
    unsafe fn copy_out(&self, index: u64, to: &mut [u8]) {
        let (start, first) = self.split(index, to.len());
        // SAFETY: as in `copy_in`.
        unsafe {
            self.copy(self.bytes.as_ptr().add(start), to.as_mut_ptr(), first);
            if first < to.len() {
                self.copy_blocks(self.bytes.as_ptr(), to.as_mut_ptr().add(first), to.len() - first);
            }
        }
    }
}
