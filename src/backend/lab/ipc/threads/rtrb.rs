//! The byte ring of the crate rtrb, between two threads.

use std::io;

use ::rtrb::{Consumer, Producer, RingBuffer};

use super::super::shared_ring::capacity;
use super::super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Sizes, Transport};
use super::create;
use crate::model::Fault;
use crate::model::channel::Waiting;

static ABOUT: About = About {
    key: "rtrb",
    name: "rtrb, threads",
    family: Family::OneProcess,
    model: "A ring of bytes in the memory of one process, for one writer and one reader, without locks: \
            rtrb::RingBuffer<u8>. It never waits by itself: here both sides try again and again.",
    guarantees: &[
        "bytes arrive once, in order; message boundaries are not kept",
        "wait-free: no side can be held up by the other, which is why sound cards' threads use it",
        "a side can tell that the other is gone",
    ],
    failures: &[
        "the ring is full or empty: the call says so at once, and what to do is the caller's affair",
        "it does not leave the process; a crash takes both sides",
    ],
    loses: false,
    waits: &[Waiting::Spin],
};

/// The ring.
#[derive(Debug)]
pub struct Rtrb;

impl Transport for Rtrb {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        create(ABOUT.key, setup, Sizes::ANY)
    }

    fn attach(&self, _end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let bytes = capacity(ABOUT.key, setup.buffer).map_err(|fault| io::Error::other(fault.what))?;
        let (there, arrived) = RingBuffer::new(bytes);
        let (back, returned) = RingBuffer::new(bytes);
        duty.serve_both((there, returned), (back, arrived))
    }
}

impl Sender for Producer<u8> {
    const QUICK: bool = true;

    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut rest = message;
        loop {
            (_, rest) = self.push_partial_slice(rest);
            if rest.is_empty() {
                return Ok(());
            }
            if self.is_abandoned() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            std::hint::spin_loop();
        }
    }
}

impl Receiver for Consumer<u8> {
    const QUICK: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        let mut rest = message;
        loop {
            // Asked first: what was written before the writer left is there.
            let abandoned = self.is_abandoned();
            let before = rest.len();
            (_, rest) = self.pop_partial_slice(std::mem::take(&mut rest));
            if rest.is_empty() {
                return Ok(());
            }
            if abandoned && rest.len() == before {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            std::hint::spin_loop();
        }
    }
}
