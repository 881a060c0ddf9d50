//! The bounded channel of the standard library, between two threads.

use std::io;
use std::sync::mpsc::{Receiver as Out, SyncSender as In, sync_channel};

use super::super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Transport};
use super::{create_boxed, slots, unpack};
use crate::model::Fault;
use crate::model::channel::Waiting;

static ABOUT: About = About {
    key: "std_mpsc",
    name: "std mpsc, threads",
    family: Family::OneProcess,
    model: "A bounded FIFO queue of values in the memory of one process: std::sync::mpsc::sync_channel. What moves is \
            the pointer to a boxed copy of the message, which the sender allocates and the receiver frees. A side that \
            has to wait spins for a moment, then parks its thread.",
    guarantees: &[
        "values arrive once, in order, and move: the sender cannot touch them any more",
        "what was sent before the last sender left can still be received",
        "sending happens before receiving: what the sender wrote is seen",
    ],
    failures: &[
        "the receiver is gone: send returns the value as an error",
        "the last sender is gone: recv returns an error",
        "it does not leave the process; a crash takes both sides",
    ],
    loses: false,
    waits: &[Waiting::Block],
};

/// The queue.
#[derive(Debug)]
pub struct StdMpsc;

impl Transport for StdMpsc {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        create_boxed(ABOUT.key, setup)
    }

    fn attach(&self, _end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let (there, arrived) = sync_channel(slots(setup)?);
        let (back, returned) = sync_channel(slots(setup)?);
        duty.serve_both((there, returned), (back, arrived))
    }
}

impl Sender for In<Box<[u8]>> {
    const QUICK: bool = true;

    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        In::send(self, message.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Receiver for Out<Box<[u8]>> {
    const QUICK: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        let boxed = self.recv().map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        unpack(&boxed, message)
    }
}
