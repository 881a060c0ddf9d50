//! Unix domain sockets: unix(7). Three kinds, and three ways for two processes
//! to find each other:
//!
//! ```text
//! pair       socketpair(2): no name, handed down or over
//! path       a file in a private directory, unlinked once both are connected
//! abstract   a name that begins with a zero byte: no file, gone with its socket
//! ```
//!
//! Once they are connected there is no difference; the names differ in what
//! setting up costs, and in what can go wrong with them.

mod about;
mod connect;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::SocketType;
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_send_buffer_size};

pub use self::about::{
    DATAGRAM, DATAGRAM_ABSTRACT, DATAGRAM_PATH, SEQPACKET, SEQPACKET_ABSTRACT, SEQPACKET_PATH, STREAM, STREAM_ABSTRACT,
    STREAM_PATH,
};
use super::datagram::{DatagramReceiver, MessageReceiver, MessageSender};
use super::peer::Lifeline;
use super::pipe::{StreamReceiver, StreamSender, set_nonblocking};
use super::{About, Duty, End, Ends, Gauge, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::{Fill, Measure, Waiting};
use crate::sys::socket::unsent;

/// How the two sides find each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Naming {
    Pair,
    Path,
    Abstract,
}

/// A kind of socket with a way to find each other.
#[derive(Debug)]
pub struct Unix {
    about: &'static About,
    kind: SocketType,
    naming: Naming,
}

impl Transport for Unix {
    fn about(&self) -> &'static About {
        self.about
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        create(self, self.about.key, setup)
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket, lifeline] = end.take()?;
        if setup.wait == Waiting::Spin {
            set_nonblocking(socket.as_fd())?;
        }
        let same = socket.try_clone()?;
        match self.kind {
            SocketType::STREAM => duty.serve(StreamSender(socket), StreamReceiver(same)),
            SocketType::SEQPACKET => duty.serve(MessageSender(socket), MessageReceiver(same)),
            _ => {
                let peer = Lifeline::new(lifeline);
                duty.serve(MessageSender(socket), DatagramReceiver::new(same, &peer))
            }
        }
    }
}

/// Makes two connected sockets, for the transport called `key`.
pub(super) fn create(unix: &Unix, key: &'static str, setup: &Setup) -> Result<Ends, Fault> {
    let fault = |what: &str, error: &dyn std::fmt::Display| Fault::new(key, format!("{what}: {error}"));
    let (asker, answerer) = connect::connected(key, unix.kind, unix.naming)?;
    if let Some(bytes) = setup.buffer {
        resize(key, &asker, bytes)?;
        resize(key, &answerer, bytes)?;
    }
    let size = socket_send_buffer_size(&asker).map_err(|e| fault("cannot read the buffer's size", &e))?;
    let watched = asker.try_clone().map_err(|e| fault("cannot duplicate a socket", &e))?;
    let sizes = match unix.kind {
        SocketType::STREAM => Sizes::ANY,
        // net/unix/af_unix.c: the buffer less some bookkeeping.
        _ => Sizes::up_to(size - 32, "SO_SNDBUF, which a larger buffer raises up to net.core.wmem_max"),
    };
    let (a, b) = Lifeline::pair().map_err(|e| fault("cannot make a socket pair", &e))?;
    Ok(Ends {
        asker: End::of([asker, a]),
        answerer: End::of([answerer, b]),
        buffer: size as u64,
        sizes,
        names: Vec::new(),
        gauge: Box::new(SendQueue { socket: watched, capacity: size as u64 }),
    })
}

/// The kernel doubles what is asked for, to make room for its bookkeeping,
/// and silently stops at `net.core.wmem_max` (socket(7)).
fn resize(key: &'static str, socket: &OwnedFd, bytes: u64) -> Result<(), Fault> {
    let size = usize::try_from(bytes).unwrap_or(usize::MAX).min(i32::MAX as usize);
    let fault = |what: String| Fault::new(key, what);
    set_socket_send_buffer_size(socket, size).map_err(|e| fault(format!("cannot set SO_SNDBUF: {e}")))?;
    let got = socket_send_buffer_size(socket).map_err(|e| fault(format!("cannot read SO_SNDBUF: {e}")))? as u64;
    if got < bytes {
        let limit = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap_or_default();
        return Err(fault(format!("a buffer of {bytes} bytes is above the limit net.core.wmem_max, {}", limit.trim()))
            .hint("raise net.core.wmem_max"));
    }
    Ok(())
}

/// The end of a stream, for which libraries have words of their own.
#[cold]
pub(super) fn plain_end(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { io::ErrorKind::UnexpectedEof.into() } else { error }
}

/// Tells how much a socket has sent that was not received.
#[derive(Debug)]
struct SendQueue {
    socket: OwnedFd,
    capacity: u64,
}

impl Gauge for SendQueue {
    /// `SIOCOUTQ` counts as the bound does: memory, not payload.
    fn fill(&self) -> Option<Fill> {
        Some(Fill { queued: unsent(self.socket.as_fd()).ok()?, capacity: self.capacity, by: Measure::Siocoutq })
    }
}
