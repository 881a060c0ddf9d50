//! The bounded channel of the crate crossbeam-channel, between two threads.

use std::io;

use crossbeam_channel::{Receiver as Out, Sender as In, TryRecvError, TrySendError, bounded};

use super::super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Transport};
use super::{create_boxed, slots, unpack};
use crate::model::Fault;
use crate::model::channel::Waiting;

static ABOUT: About = About {
    key: "crossbeam_channel",
    name: "crossbeam-channel, threads",
    family: Family::OneProcess,
    model: "A bounded FIFO queue of values in the memory of one process, with any number of senders and receivers: \
            crossbeam_channel::bounded. What moves is the pointer to a boxed copy of the message. A side that has to \
            wait spins for a moment, then parks its thread.",
    guarantees: &[
        "values arrive once, each at one receiver, and move",
        "several channels can be waited for at once, with select",
        "sending happens before receiving: what the sender wrote is seen",
    ],
    failures: &[
        "all receivers are gone: send returns the value as an error",
        "all senders are gone: recv returns an error once the queue is empty",
        "it does not leave the process; a crash takes both sides",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The queue.
#[derive(Debug)]
pub struct Crossbeam;

impl Transport for Crossbeam {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        create_boxed(ABOUT.key, setup)
    }

    fn attach(&self, _end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let (there, arrived) = bounded(slots(setup)?);
        let (back, returned) = bounded(slots(setup)?);
        if setup.wait == Waiting::Spin {
            duty.serve_both((Spinning(there), Spinning(returned)), (Spinning(back), Spinning(arrived)))
        } else {
            duty.serve_both((there, returned), (back, arrived))
        }
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

/// An end that tries again and again.
#[derive(Debug)]
struct Spinning<E>(E);

impl Sender for Spinning<In<Box<[u8]>>> {
    const QUICK: bool = true;

    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut boxed = message.into();
        loop {
            match self.0.try_send(boxed) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(same)) => boxed = same,
                Err(TrySendError::Disconnected(_)) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
            std::hint::spin_loop();
        }
    }
}

impl Receiver for Spinning<Out<Box<[u8]>>> {
    const QUICK: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        loop {
            match self.0.try_recv() {
                Ok(boxed) => return unpack(&boxed, message),
                Err(TryRecvError::Empty) => std::hint::spin_loop(),
                Err(TryRecvError::Disconnected) => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
    }
}
