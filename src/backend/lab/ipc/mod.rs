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

mod books;
mod datagram;
mod disturbance;
mod end;
pub mod eventfd;
pub mod failures;
pub mod fifo;
pub mod interprocess;
pub mod ipc_channel;
mod line;
mod link;
mod live;
mod lossy;
mod map;
mod message;
mod namespace;
mod outbox;
mod patience;
pub mod payload;
mod peer;
pub mod pipe;
pub mod pipe_vmsplice;
pub mod placement;
pub mod posix_mq;
mod private;
mod probe;
pub mod process_vm;
pub mod protocol;
mod ring;
mod series;
pub mod shared_ring;
mod side;
pub mod signal;
mod slice;
pub mod sweep;
pub mod sysv_mq;
pub mod tcp;
pub mod threads;
pub mod tokio_unix;
pub mod udp;
pub mod unix;
pub mod uring;
mod usage;

#[cfg(test)]
mod conformance;

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

pub use self::end::{End, Ends, Sizes};
pub use self::live::IpcLab;
pub use self::protocol::Job;
pub use self::side::Duty;
use crate::model::Fault;
use crate::model::channel::{Fill, Waiting};

/// All transports, in the order they are shown: the three that most programs
/// choose between, then the others, kind by kind, then what they are compared
/// with: crates between processes, and queues between threads of one process.
pub const TRANSPORTS: &[&dyn Transport] = &[
    &pipe::Pipe,
    &unix::STREAM,
    &shared_ring::MEMFD,
    &pipe_vmsplice::PipeVmsplice,
    &fifo::Fifo,
    &unix::STREAM_PATH,
    &unix::STREAM_ABSTRACT,
    &unix::DATAGRAM,
    &unix::DATAGRAM_PATH,
    &unix::DATAGRAM_ABSTRACT,
    &unix::SEQPACKET,
    &unix::SEQPACKET_PATH,
    &unix::SEQPACKET_ABSTRACT,
    &uring::UnixUring,
    &tcp::V4,
    &tcp::V6,
    &udp::V4,
    &udp::V6,
    &posix_mq::PosixMq,
    &sysv_mq::SysvMq,
    &shared_ring::POSIX,
    &shared_ring::FILE,
    &shared_ring::SYSV,
    &process_vm::ProcessVm,
    &eventfd::Eventfd,
    &signal::Signals,
    &interprocess::Interprocess,
    &tokio_unix::TokioUnix,
    &ipc_channel::IpcChannel,
    &threads::std_mpsc::StdMpsc,
    &threads::crossbeam::Crossbeam,
    &threads::rtrb::Rtrb,
];

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
    /// Whether messages can be lost on the way: then that is no defect of
    /// the run.
    pub loses: bool,
    /// How its sides can wait; the first is its own way.
    pub waits: &'static [Waiting],
}

/// Kinds of transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The kernel copies a stream of bytes.
    Stream,
    /// The kernel copies whole messages.
    Messages,
    /// The kernel carries a number.
    Number,
    /// One process writes into the memory of the other.
    RemoteMemory,
    /// Both sides see the same memory and synchronise by themselves.
    SharedMemory,
    /// No transport between processes at all: a queue between two threads.
    OneProcess,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Family::Stream => "bytes through the kernel",
            Family::Messages => "messages through the kernel",
            Family::Number => "a number through the kernel",
            Family::RemoteMemory => "the peer's own memory",
            Family::SharedMemory => "shared memory",
            Family::OneProcess => "two threads of one process",
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
    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()>;
}

/// How a channel is to be.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Size of its buffer in bytes; the transport's own where not given.
    pub buffer: Option<u64>,
    /// How its sides wait.
    pub wait: Waiting,
    /// The size of the messages it is made for, where that shapes it.
    pub size: usize,
}

/// Looks into a channel from outside.
pub trait Gauge: Send + fmt::Debug {
    /// How full it is now; none where the kernel does not say.
    fn fill(&self) -> Option<Fill>;
}

/// Sends whole messages.
pub trait Sender {
    /// Whether sending may take no longer than a call, as through memory: then
    /// what is written into a message is inlined into the loops.
    const QUICK: bool = false;
    /// Whether a wait for space goes on when the receiver is gone, unless a
    /// signal interrupts it now and then.
    const DEAF: bool = false;

    /// Sends one, waiting for space as long as it takes.
    ///
    /// # Errors
    /// `BrokenPipe` or the like where the receiver is gone.
    fn send(&mut self, message: &[u8]) -> io::Result<()>;

    /// Tells the receiver that this was the last message of an order, where
    /// messages may be lost.
    ///
    /// # Errors
    /// As [`Sender::send`].
    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Receives whole messages.
pub trait Receiver {
    /// Whether receiving may take no longer than a call: then the checks are
    /// inlined into the loops.
    const QUICK: bool = false;
    /// Whether a wait for a message goes on when the sender is gone, unless a
    /// signal interrupts it now and then.
    const DEAF: bool = false;
    /// Whether messages may be lost. Then a wait ends with `TimedOut` when
    /// nothing has come for a while.
    const LOSSY: bool = false;

    /// Waits for one and fills `message` with it, whose length is the length
    /// of the message.
    ///
    /// # Errors
    /// `UnexpectedEof` where the sender is gone.
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()>;

    /// Whether the sender has said that it has sent its last message of this
    /// order. Only asked where messages may be lost.
    fn is_over(&self) -> bool {
        false
    }

    /// Ends an order, where messages may be lost: waits for the sender to say
    /// that it has sent its last, if it has not yet.
    ///
    /// # Errors
    /// `UnexpectedEof` where the sender is gone.
    fn conclude(&mut self) -> io::Result<()> {
        Ok(())
    }
}
