//! The two ends of a ring: the one who writes and the one who reads.

use std::io;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Release};

use super::Ring;
use super::waiting::{Strategy, wait, wake};
use crate::backend::lab::ipc::peer::Peer;
use crate::backend::lab::ipc::{Receiver, Sender};

/// How the writer's bytes get to where the reader finds them.
pub(in super::super) trait Way {
    /// Puts bytes into the ring.
    ///
    /// # Safety
    /// As [`Ring::copy_in`].
    ///
    /// # Errors
    /// Where the memory cannot be reached.
    unsafe fn put(&mut self, ring: &Ring, index: u64, from: &[u8]) -> io::Result<()>;
}

/// Both sides map the bytes.
#[derive(Debug)]
pub(in super::super) struct Mapped;

impl Way for Mapped {
    #[inline(always)]
    unsafe fn put(&mut self, ring: &Ring, index: u64, from: &[u8]) -> io::Result<()> {
        // SAFETY: the caller promises what `write` asks for.
        unsafe { ring.write(index, from) };
        Ok(())
    }
}

/// A large message is copied in quarters of the ring, in and out at the same
/// time; smaller parts are slower.
const PARTS: usize = 4;
/// Space is given back in eighths of the ring: in larger parts small messages are
/// slower.
const RETURNS: u64 = 8;

/// The writer's end.
#[derive(Debug)]
pub(in super::super) struct Writer<W, P, B = Mapped> {
    ring: Ring,
    peer: P,
    way: B,
    written: u64,
    /// The reader's index when last looked at.
    read: u64,
    /// The most that is copied before it is published, so that the reader of
    /// a large message copies at the same time.
    portion: usize,
    strategy: PhantomData<W>,
}

impl<W: Strategy, P: Peer, B: Way> Writer<W, P, B> {
    pub(in super::super) fn new(ring: Ring, peer: P, way: B) -> Self {
        let portion = (ring.capacity as usize / PARTS).max(1024);
        Writer { ring, peer, way, written: 0, read: 0, portion, strategy: PhantomData }
    }

    #[inline(always)]
    fn free(&self) -> u64 {
        self.ring.capacity - (self.written - self.read)
    }

    /// Looks at the reader's index and waits while the ring is full.
    fn make_room(&mut self) -> io::Result<()> {
        let control = self.ring.control();
        self.read = control.read.0.load(Acquire);
        if self.free() == 0 {
            let full = self.read;
            wait::<W>(|| control.read.0.load(Acquire) != full, &control.writer.0, &self.peer)?;
            self.read = control.read.0.load(Acquire);
        }
        if self.read > self.written || self.written - self.read > self.ring.capacity {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the reader's index is nonsense"));
        }
        Ok(())
    }
}

impl<W: Strategy, P: Peer, B: Way> Writer<W, P, B> {
    /// Puts bytes for which there is room into the ring, and says so.
    #[inline(always)]
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        debug_assert!(bytes.len() as u64 <= self.free());
        // SAFETY: we are the only writer, and `free` bytes from `written` on were
        // given back by the reader (Acquire in `make_room`) or never used.
        unsafe { self.way.put(&self.ring, self.written, bytes)? };
        self.written += bytes.len() as u64;
        self.ring.control().written.0.store(self.written, Release);
        wake::<W>(&self.ring.control().reader.0);
        Ok(())
    }

    /// Sends what does not fit at once, or is large, as room comes.
    #[cold]
    fn send_in_parts(&mut self, mut rest: &[u8]) -> io::Result<()> {
        while !rest.is_empty() {
            let portion = rest.len().min(self.portion);
            if self.free() < portion as u64 {
                self.make_room()?;
            }
            let (now, later) = rest.split_at(portion.min(self.free() as usize));
            self.append(now)?;
            rest = later;
        }
        Ok(())
    }
}

impl<W: Strategy, P: Peer, B: Way> Sender for Writer<W, P, B> {
    const QUICK: bool = true;

    #[inline(always)]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let fits = message.len() <= self.portion && message.len() as u64 <= self.free();
        if fits { self.append(message) } else { self.send_in_parts(message) }
    }
}

/// The reader's end.
#[derive(Debug)]
pub(in super::super) struct Reader<W, P> {
    ring: Ring,
    peer: P,
    read: u64,
    /// The part of `read` that the writer knows of: space is given back in
    /// portions, so that the writer's line is not disturbed by every message.
    given_back: u64,
    /// The writer's index when last looked at.
    written: u64,
    /// The most that is copied at once.
    portion: usize,
    strategy: PhantomData<W>,
}

impl<W: Strategy, P: Peer> Reader<W, P> {
    pub(in super::super) fn new(ring: Ring, peer: P) -> Self {
        let portion = ring.capacity as usize / PARTS;
        Reader { ring, peer, read: 0, given_back: 0, written: 0, portion, strategy: PhantomData }
    }

    /// Gives what was read back to the writer. A writer that sleeps is woken
    /// when half of the ring is free: for less it would not be worth it.
    #[cold]
    fn give_back(&mut self) {
        let control = self.ring.control();
        control.read.0.store(self.read, Release);
        self.given_back = self.read;
        if self.written - self.read <= self.ring.capacity / 2 {
            wake::<W>(&control.writer.0);
        }
    }

    /// Looks at the writer's index and waits while the ring is empty.
    fn await_bytes(&mut self) -> io::Result<()> {
        if self.ring.control().written.0.load(Acquire) == self.read {
            self.give_back();
            let (control, empty) = (self.ring.control(), self.read);
            wait::<W>(|| control.written.0.load(Acquire) != empty, &control.reader.0, &self.peer)
                .map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        }
        self.written = self.ring.control().written.0.load(Acquire);
        if self.written < self.read || self.written - self.read > self.ring.capacity {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the writer's index is nonsense"));
        }
        Ok(())
    }
}

impl<W: Strategy, P: Peer> Reader<W, P> {
    /// Takes bytes that are there out of the ring.
    #[inline(always)]
    fn take(&mut self, bytes: &mut [u8]) {
        debug_assert!(bytes.len() as u64 <= self.written - self.read);
        // SAFETY: we are the only reader, and the writer published these bytes
        // (Acquire in `await_bytes`).
        unsafe { self.ring.copy_out(self.read, bytes) };
        self.read += bytes.len() as u64;
        if self.read - self.given_back >= self.ring.capacity / RETURNS {
            self.give_back();
        }
    }

    /// Receives what is not there yet, or is large, as it comes.
    #[cold]
    fn receive_in_parts(&mut self, message: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < message.len() {
            if self.written == self.read {
                self.await_bytes()?;
            }
            let there = ((self.written - self.read) as usize).min(message.len() - filled).min(self.portion);
            self.take(&mut message[filled..filled + there]);
            filled += there;
        }
        Ok(())
    }
}

impl<W: Strategy, P: Peer> Receiver for Reader<W, P> {
    const QUICK: bool = true;

    #[inline(always)]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        if message.len() <= self.portion && message.len() as u64 <= self.written - self.read {
            self.take(message);
            Ok(())
        } else {
            self.receive_in_parts(message)
        }
    }
}
