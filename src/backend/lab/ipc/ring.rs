//! A byte ring for one writer and one reader in memory that two processes
//! map, with the ways its sides can wait.
//!
//! ```text
//! offset 0      written: u64   bytes ever written; only the writer stores
//!        128    read: u64      bytes ever read and given back; only the reader
//!        256    reader_sleeps: u32   1 while the reader is about to sleep
//!        384    writer_sleeps: u32   1 while the writer is about to sleep
//!        4096   the bytes, a power of two of them
//! ```
//!
//! After Lamport's queue (1983) with each index on a cache line pair of its
//! own and a private copy of the other side's index (`FastForward`, Giacomoni
//! et al. 2008; <https://rigtorp.se/ringbuffer/>): a side looks at the other's
//! line only when its copy says that there is nothing to do.
//!
//! `written` is stored with Release after the bytes are copied in and loaded
//! with Acquire before they are copied out; `read` likewise the other way
//! round. Going to sleep is Dekker's handshake: the sleeper sets its flag and
//! looks at the index once more, the other stores its index and looks at the
//! flag, each with a sequentially consistent fence between, so that not both
//! can miss the other.

use std::io;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release, SeqCst};
use std::sync::atomic::{AtomicU32, AtomicU64, fence};
use std::time::Duration;

use super::{Receiver, Sender};
use crate::model::Nanos;
use crate::sys::shm::SharedMap;
use crate::sys::{clock, futex};

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
    reader_sleeps: Padded<AtomicU32>,
    writer_sleeps: Padded<AtomicU32>,
}

/// One ring of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Ring {
    control: NonNull<Control>,
    bytes: NonNull<u8>,
    capacity: u64,
    /// Keeps the mapping alive.
    _map: Arc<SharedMap>,
}

// SAFETY: the mapping belongs to the process; the control block is atomics,
// and the bytes are touched by the one writer and the one reader only as the
// indices allow.
unsafe impl Send for Ring {}

impl Ring {
    /// The ring at `offset`, `capacity` bytes large; its control block is
    /// valid when all zero.
    pub(super) fn at(map: &Arc<SharedMap>, offset: usize, capacity: usize) -> io::Result<Self> {
        let fits = offset.checked_add(HEADER + capacity).is_some_and(|end| end <= map.len());
        if !fits || !capacity.is_power_of_two() || !offset.is_multiple_of(HEADER) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the shared memory holds no such ring"));
        }
        // SAFETY: checked just now: both lie within the mapping, which `_map`
        // keeps alive; the offset is page-aligned, which is more than
        // `Control` asks for.
        let (control, bytes) = unsafe { (map.start().add(offset).cast(), map.start().add(offset + HEADER)) };
        Ok(Ring { control, bytes, capacity: capacity as u64, _map: map.clone() })
    }

    fn control(&self) -> &Control {
        // SAFETY: valid for as long as `_map` lives, aligned, and made of
        // atomics, for which any bytes are valid.
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
    fn split(&self, index: u64, len: usize) -> (usize, usize) {
        let start = (index & (self.capacity - 1)) as usize;
        (start, len.min(self.capacity as usize - start))
    }

    /// # Safety
    /// The caller is the writer, and the reader has given the `from.len()`
    /// bytes from `index` on back.
    unsafe fn copy_in(&self, index: u64, from: &[u8]) {
        let (start, first) = self.split(index, from.len());
        // SAFETY: `start + first` is within the ring and the rest, beginning
        // at 0, too; nobody else touches these bytes (see above).
        unsafe {
            self.bytes.as_ptr().add(start).copy_from_nonoverlapping(from.as_ptr(), first);
            if first < from.len() {
                self.bytes.as_ptr().copy_from_nonoverlapping(from.as_ptr().add(first), from.len() - first);
            }
        }
    }

    /// # Safety
    /// The caller is the reader, and the writer has published the `to.len()`
    /// bytes from `index` on.
    unsafe fn copy_out(&self, index: u64, to: &mut [u8]) {
        let (start, first) = self.split(index, to.len());
        // SAFETY: as in `copy_in`.
        unsafe {
            self.bytes.as_ptr().add(start).copy_to_nonoverlapping(to.as_mut_ptr(), first);
            if first < to.len() {
                self.bytes.as_ptr().copy_to_nonoverlapping(to.as_mut_ptr().add(first), to.len() - first);
            }
        }
    }
}

/// Tells whether the process at the other end is still there: shared memory
/// alone does not.
pub(super) trait Peer {
    /// Whether it is gone. A system call, so it is asked rarely.
    fn is_gone(&self) -> bool;
}

/// How a side waits.
pub(super) trait Strategy {
    /// How long it tries before it sleeps.
    const SPIN: Nanos;
    /// Whether it sleeps at all.
    const PARKS: bool;
}

/// Tries for ever.
#[derive(Debug)]
pub(super) struct Spin;
/// Tries for as long as falling asleep and being woken would take, then
/// sleeps: at most twice the cost of the better choice (Karlin et al. 1991).
#[derive(Debug)]
pub(super) struct SpinPark;
/// Sleeps at once.
#[derive(Debug)]
pub(super) struct Futex;

impl Strategy for Spin {
    const SPIN: Nanos = Nanos(u64::MAX);
    const PARKS: bool = false;
}

impl Strategy for SpinPark {
    const SPIN: Nanos = Nanos(50_000);
    const PARKS: bool = true;
}

impl Strategy for Futex {
    const SPIN: Nanos = Nanos::ZERO;
    const PARKS: bool = true;
}

/// How long a sleeper sleeps before it looks whether its peer still lives.
const LOOK: Duration = Duration::from_millis(50);
/// Tries between two looks at the clock.
const TRIES: u32 = 64;
/// Looks at the clock between two looks at the peer, while spinning.
const ROUNDS: u32 = 1024;

/// Waits until `ready`; an error where the peer is gone and it is not.
#[cold]
fn wait<W: Strategy>(ready: impl Fn() -> bool, sleeps: &AtomicU32, peer: &impl Peer) -> io::Result<()> {
    let gone = || if ready() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::BrokenPipe)) };
    if W::SPIN > Nanos::ZERO {
        let until = clock::monotonic() + W::SPIN;
        let mut rounds = 0;
        while !W::PARKS || clock::monotonic() < until {
            for _ in 0..TRIES {
                if ready() {
                    return Ok(());
                }
                std::hint::spin_loop();
            }
            rounds += 1;
            if rounds % ROUNDS == 0 && peer.is_gone() {
                return gone();
            }
        }
    }
    loop {
        sleeps.store(1, Relaxed);
        fence(SeqCst);
        if !ready() {
            futex::wait(sleeps, 1, LOOK);
        }
        sleeps.store(0, Relaxed);
        if ready() {
            return Ok(());
        }
        if peer.is_gone() {
            return gone();
        }
    }
}

/// Wakes the other side if it sleeps, after an index was stored.
#[inline]
fn wake<W: Strategy>(sleeps: &AtomicU32) {
    if W::PARKS {
        fence(SeqCst);
        if sleeps.load(Relaxed) != 0 {
            sleeps.store(0, Relaxed);
            futex::wake_one(sleeps);
        }
    }
}

/// The writer's end.
#[derive(Debug)]
pub(super) struct Writer<W, P> {
    ring: Ring,
    peer: P,
    written: u64,
    /// The reader's index when last looked at.
    read: u64,
    /// The most that is copied before it is published, so that the reader of
    /// a large message copies at the same time.
    portion: usize,
    strategy: PhantomData<W>,
}

impl<W: Strategy, P: Peer> Writer<W, P> {
    pub(super) fn new(ring: Ring, peer: P) -> Self {
        let portion = (ring.capacity as usize / 8).max(1024);
        Writer { ring, peer, written: 0, read: 0, portion, strategy: PhantomData }
    }

    fn free(&self) -> u64 {
        self.ring.capacity - (self.written - self.read)
    }

    /// Looks at the reader's index and waits while the ring is full.
    #[cold]
    fn make_room(&mut self) -> io::Result<()> {
        let control = self.ring.control();
        self.read = control.read.0.load(Acquire);
        if self.free() == 0 {
            let full = self.read;
            wait::<W>(|| control.read.0.load(Acquire) != full, &control.writer_sleeps.0, &self.peer)?;
            self.read = control.read.0.load(Acquire);
        }
        if self.read > self.written || self.written - self.read > self.ring.capacity {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the reader's index is nonsense"));
        }
        Ok(())
    }
}

impl<W: Strategy, P: Peer> Sender for Writer<W, P> {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut rest = message;
        while !rest.is_empty() {
            let portion = rest.len().min(self.portion);
            if self.free() < portion as u64 {
                self.make_room()?;
            }
            let (now, later) = rest.split_at(portion.min(self.free() as usize));
            // SAFETY: we are the only writer, and `free` bytes from `written`
            // on were given back by the reader (Acquire in `make_room`) or
            // never used.
            unsafe { self.ring.copy_in(self.written, now) };
            self.written += now.len() as u64;
            self.ring.control().written.0.store(self.written, Release);
            wake::<W>(&self.ring.control().reader_sleeps.0);
            rest = later;
        }
        Ok(())
    }
}

/// The reader's end.
#[derive(Debug)]
pub(super) struct Reader<W, P> {
    ring: Ring,
    peer: P,
    read: u64,
    /// The part of `read` that the writer knows of: space is given back in
    /// portions, so that the writer's line is not disturbed by every message.
    given_back: u64,
    /// The writer's index when last looked at.
    written: u64,
    portion: u64,
    strategy: PhantomData<W>,
}

impl<W: Strategy, P: Peer> Reader<W, P> {
    pub(super) fn new(ring: Ring, peer: P) -> Self {
        let portion = ring.capacity / 8;
        Reader { ring, peer, read: 0, given_back: 0, written: 0, portion, strategy: PhantomData }
    }

    /// Gives what was read back to the writer. A writer that sleeps is woken
    /// when half of the ring is free: for less it would not be worth it.
    fn give_back(&mut self) {
        let control = self.ring.control();
        control.read.0.store(self.read, Release);
        self.given_back = self.read;
        if self.written - self.read <= self.ring.capacity / 2 {
            wake::<W>(&control.writer_sleeps.0);
        }
    }

    /// Looks at the writer's index and waits while the ring is empty.
    #[cold]
    fn await_bytes(&mut self) -> io::Result<()> {
        if self.ring.control().written.0.load(Acquire) == self.read {
            self.give_back();
            let (control, empty) = (self.ring.control(), self.read);
            wait::<W>(|| control.written.0.load(Acquire) != empty, &control.reader_sleeps.0, &self.peer)
                .map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        }
        self.written = self.ring.control().written.0.load(Acquire);
        if self.written < self.read || self.written - self.read > self.ring.capacity {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the writer's index is nonsense"));
        }
        Ok(())
    }
}

impl<W: Strategy, P: Peer> Receiver for Reader<W, P> {
    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < message.len() {
            if self.written == self.read {
                self.await_bytes()?;
            }
            let there = ((self.written - self.read) as usize).min(message.len() - filled).min(self.portion as usize);
            // SAFETY: we are the only reader, and the writer published these
            // bytes (Acquire in `await_bytes`).
            unsafe { self.ring.copy_out(self.read, &mut message[filled..filled + there]) };
            self.read += there as u64;
            filled += there;
            if self.read - self.given_back >= self.portion {
                self.give_back();
            }
        }
        Ok(())
    }
}
