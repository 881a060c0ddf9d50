//! The IPC lab: every way two processes can talk, between two real processes.
//!
//! A transport is one file here and one line in [`TRANSPORTS`]. It makes the
//! ends of a channel in the lab's process; each end goes to a worker process
//! of its own, which attaches it and serves the lab's orders:
//!
//! ```text
//!   lab process            asking worker              answering worker
//!   create() ──ends──────► attach() ◄──── channel ───► attach()
//!   Order ───────────────► measured loop              measured loop
//!   Report ◄────────────── (monomorphised)            (monomorphised)
//! ```

mod disturbance;
mod link;
mod live;
pub mod memfd_ring;
pub mod payload;
pub mod pipe;
pub mod placement;
pub mod protocol;
mod ring;
mod side;
pub mod sweep;
pub mod unix_stream;

#[cfg(test)]
mod conformance;

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

pub use self::live::IpcLab;
pub use self::protocol::Job;
pub use self::side::{Duty, work};
use crate::model::Fault;
use crate::model::channel::{Fill, Waiting};

/// All transports, in the order they are shown.
pub const TRANSPORTS: &[&dyn Transport] = &[&pipe::Pipe, &unix_stream::UnixStream, &memfd_ring::MemfdRing];

/// Finds a transport by its key; `-` may stand for `_`.
pub fn transport(key: &str) -> Option<&'static dyn Transport> {
    TRANSPORTS.iter().copied().find(|transport| transport.about().key == key.replace('-', "_"))
}

/// What a transport is, for people.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Its name on the command line and in JSON.
    pub key: &'static str,
    /// Its name on the screen.
    pub name: &'static str,
    /// What kind of thing it is.
    pub family: Family,
    /// Its formal model, in a sentence or two.
    pub model: &'static str,
    /// What it promises.
    pub guarantees: &'static [&'static str],
    /// How it fails.
    pub failures: &'static [&'static str],
    /// How its sides can wait; the first is its own way.
    pub waits: &'static [Waiting],
}

/// Kinds of transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The kernel copies a stream of bytes.
    Stream,
    /// Both sides see the same memory and synchronise by themselves.
    SharedMemory,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::Stream => "bytes through the kernel",
            Family::SharedMemory => "shared memory",
        })
    }
}

/// A way for two processes to talk.
pub trait Transport: Sync + fmt::Debug {
    /// What it is.
    fn about(&self) -> &'static About;

    /// Makes a channel, both directions of it, in the lab's process.
    ///
    /// # Errors
    /// A fault that names the limit or the permission that is missing.
    fn create(&self, setup: &Setup) -> Result<Ends, Fault>;

    /// Attaches one end in a worker and calls [`Duty::serve`] with a sender
    /// and a receiver of one concrete type each: what is measured is
    /// monomorphised.
    ///
    /// # Errors
    /// What attaching said, or the socket to the lab.
    fn attach(&self, fds: Vec<OwnedFd>, setup: &Setup, duty: Duty) -> io::Result<()>;
}

/// How a channel is to be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Size of its buffer in bytes; the transport's own where not given.
    pub buffer: Option<u64>,
    /// How its sides wait.
    pub wait: Waiting,
}

/// A channel that nobody has attached yet.
#[derive(Debug)]
pub struct Ends {
    /// The descriptors of the side that sends and asks.
    pub asker: Vec<OwnedFd>,
    /// The descriptors of the side that receives and answers.
    pub answerer: Vec<OwnedFd>,
    /// The size its buffer has become, in the kernel's own accounting.
    pub buffer: u64,
    /// Tells how full the way from asker to answerer is. It may hold an end
    /// open: drop it before the sides are to notice that one is gone.
    pub gauge: Box<dyn Gauge>,
}

/// Looks into a channel from outside.
pub trait Gauge: Send + fmt::Debug {
    /// How full it is now; none where the kernel does not say.
    fn fill(&self) -> Option<Fill>;
}

/// Sends whole messages.
pub trait Sender {
    /// Sends one, waiting for space as long as it takes.
    ///
    /// # Errors
    /// `BrokenPipe` or the like where the receiver is gone.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;
}

/// Receives whole messages.
pub trait Receiver {
    /// Waits for one and fills `message` with it, whose length is the length
    /// of the message.
    ///
    /// # Errors
    /// `UnexpectedEof` where the sender is gone.
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()>;
}
