//! Eventfds: eventfd(2), one for each direction.
//!
//! An eventfd is a counter: a write adds to it, a read takes it all. Two writes
//! before a read are one number, their sum, so as it is it carries how often,
//! not what. Here each number has its highest bit set: two of them overflow the
//! counter, so the second write has to wait for the read, and the counter
//! becomes a mailbox for one number of 63 bits.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{Errno, read, write};

use super::peer::{Lifeline, Watch};
use super::pipe::set_nonblocking;
use super::{About, Duty, End, Ends, Family, Gauge, Receiver, Sender, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::{Fill, Waiting};

static ABOUT: About = About {
    key: "eventfd",
    name: "eventfd",
    family: Family::Number,
    model: "A counter of 64 bits in the kernel: a write adds, a read takes all, and who reads zero sleeps. Here each \
            number has its highest bit set, so that a second write waits for the read: a mailbox for one number.",
    guarantees: &[
        "no write is forgotten: the counter is the sum of all",
        "it can be polled, with the other descriptors of a program",
        "a writer sleeps if the sum would overflow",
    ],
    failures: &[
        "it carries a number, no bytes: data goes another way, and this says that it is there",
        "two writes before a read are one: how many there were is lost, unless each adds one",
        "the peer is gone: nothing tells; a read blocks for ever",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

const FULL: u64 = 1 << 63;

/// The transport.
#[derive(Debug)]
pub struct Eventfd;

impl Transport for Eventfd {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        if let Some(bytes) = setup.buffer {
            return Err(Fault::new(ABOUT.key, format!("it has no buffer whose size could be set to {bytes} bytes")));
        }
        let fault = |error: io::Error| Fault::new(ABOUT.key, format!("cannot make an eventfd: {error}"));
        let make = || eventfd(0, EventfdFlags::CLOEXEC).map_err(|e| fault(e.into()));
        let (there, back) = (make()?, make()?);
        let again = |fd: &OwnedFd| fd.try_clone().map_err(fault);
        let (a, b) = Lifeline::pair().map_err(fault)?;
        Ok(Ends {
            asker: End::of([again(&there)?, again(&back)?, a]),
            answerer: End::of([back, there, b]),
            buffer: 8,
            sizes: Sizes::between(8, 8, "it carries a number of 8 bytes, no content"),
            names: Vec::new(),
            gauge: Box::new(Unseen),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [out, inward, lifeline] = end.take()?;
        if setup.wait == Waiting::Spin {
            set_nonblocking(out.as_fd())?;
            set_nonblocking(inward.as_fd())?;
        }
        let peer = Lifeline::new(lifeline);
        duty.serve(
            Mailbox { counter: out, watch: Watch::of_sender(&peer) },
            Mailbox { counter: inward, watch: Watch::of_receiver(&peer) },
        )
    }
}

#[derive(Debug)]
struct Mailbox {
    counter: OwnedFd,
    watch: Watch,
}

impl Sender for Mailbox {
    const DEAF: bool = true;

    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let number = message.try_into().map(u64::from_le_bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
        if number >= FULL - 1 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the number does not fit into 63 bits"));
        }
        loop {
            match write(&self.counter, &(FULL | number).to_ne_bytes()) {
                Ok(_) => return Ok(()),
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Receiver for Mailbox {
    const DEAF: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        let mut number = [0; 8];
        loop {
            match read(&self.counter, &mut number) {
                Ok(_) => break,
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
        let number = u64::from_ne_bytes(number) & !FULL;
        message.copy_from_slice(&number.to_le_bytes()[..message.len()]);
        Ok(())
    }
}

/// What cannot be looked into.
#[derive(Debug)]
pub(super) struct Unseen;

impl Gauge for Unseen {
    fn fill(&self) -> Option<Fill> {
        None
    }
}
