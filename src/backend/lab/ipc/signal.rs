//! Queued signals: a real-time signal for each direction, sent with a value
//! (sigqueue(3)) and waited for (sigwaitinfo(2)). A curiosity, as a transport.
//!
//! Each side hands the other a pidfd of itself over the lifeline, so a signal
//! never reaches anybody else, whatever becomes of the pid.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::Errno;

use super::eventfd::Unseen;
use super::peer::{Lifeline, Watch};
use super::protocol::Side;
use super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::Waiting;
use crate::sys::frame::FrameSocket;
use crate::sys::queued_signal;

static ABOUT: About = About {
    key: "signal",
    name: "signals",
    family: Family::Number,
    model: "A queue of real-time signals in front of each process, each with a value of 8 bytes; the lowest number \
            comes first, of one number the oldest. The receiver blocks the signal and waits for it.",
    guarantees: &[
        "real-time signals queue, and arrive once, in order (ordinary ones of one kind are merged into one)",
        "they need no channel, only a process id",
    ],
    failures: &[
        "all queued signals of a user share RLIMIT_SIGPENDING: EAGAIN for the sender, who can only try again",
        "a receiver that has not blocked the signal is ended by it",
        "a process id may have come to mean another process: here a pidfd is used",
        "the sender is gone: nothing tells the receiver",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The transport.
#[derive(Debug)]
pub struct Signals;

impl Transport for Signals {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        if let Some(bytes) = setup.buffer {
            return Err(Fault::new(ABOUT.key, format!("it has no buffer whose size could be set to {bytes} bytes"))
                .hint("what may be queued is RLIMIT_SIGPENDING: ulimit -i"));
        }
        let fault = |error: io::Error| Fault::new(ABOUT.key, format!("cannot make a socket pair: {error}"));
        let (a, b) = Lifeline::pair().map_err(fault)?;
        let limit = rustix::process::getrlimit(rustix::process::Resource::Sigpending);
        Ok(Ends {
            asker: End::of([a]),
            answerer: End::of([b]),
            buffer: limit.current.map_or(u64::MAX, |signals| signals.saturating_mul(8)),
            sizes: Sizes::up_to(8, "the value of a queued signal"),
            names: Vec::new(),
            gauge: Box::new(Unseen),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [lifeline] = end.take()?;
        let first = libc::SIGRTMIN() + 4;
        let (out, inward) = if duty.side == Side::Asker { (first, first + 1) } else { (first + 1, first) };
        queued_signal::block(inward)?;
        let peer = Lifeline::new(lifeline);
        let mut hello = FrameSocket::from(UnixStream::from(peer.socket().try_clone()?));
        hello.send(&(), &[queued_signal::myself()?.as_fd()])?;
        let waits = setup.wait != Waiting::Spin;
        let sender = SignalSender { signal: out, target: None, hello, waits, watch: Watch::of_sender(&peer) };
        duty.serve(sender, SignalReceiver { signal: inward, waits, watch: Watch::of_receiver(&peer) })
    }
}

#[derive(Debug)]
struct SignalSender {
    signal: i32,
    /// The peer, once it has introduced itself.
    target: Option<OwnedFd>,
    hello: FrameSocket,
    waits: bool,
    watch: Watch,
}

impl SignalSender {
    /// Takes the peer's descriptor: by the time of the first order it has been
    /// sent.
    #[cold]
    fn meet(&mut self) -> io::Result<()> {
        let mut fds = Vec::new();
        self.hello.receive::<()>(Some(Duration::from_secs(2)), &mut fds)?;
        self.target = fds.pop();
        if self.target.is_some() { Ok(()) } else { Err(io::ErrorKind::TimedOut.into()) }
    }
}

impl Sender for SignalSender {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut value = [0; 8];
        value[..message.len()].copy_from_slice(message);
        loop {
            let Some(target) = &self.target else {
                self.meet()?;
                continue;
            };
            match queued_signal::send(target.as_fd(), self.signal, u64::from_le_bytes(value)) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => {
                    // There is nothing to sleep on.
                    if self.waits {
                        std::thread::yield_now();
                    }
                    self.watch.tried()?;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[derive(Debug)]
struct SignalReceiver {
    signal: i32,
    waits: bool,
    watch: Watch,
}

impl Receiver for SignalReceiver {
    const DEAF: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        loop {
            match queued_signal::receive(self.signal, self.waits) {
                Ok(value) => {
                    message.copy_from_slice(&value.to_le_bytes()[..message.len()]);
                    return Ok(());
                }
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}
