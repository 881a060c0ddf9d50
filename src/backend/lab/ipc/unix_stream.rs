//! Unix domain stream sockets: unix(7), a connected pair without a name.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::sockopt::{set_socket_send_buffer_size, socket_send_buffer_size};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use super::pipe::{StreamReceiver, StreamSender, set_nonblocking};
use super::{About, Duty, Ends, Family, Gauge, Setup, Transport};
use crate::model::Fault;
use crate::model::channel::{Fill, Waiting};
use crate::sys::socket::unsent;

static ABOUT: About = About {
    key: "unix_stream",
    name: "Unix stream",
    family: Family::Stream,
    model: "Two bounded FIFO queues of bytes, one each way, between two sockets. What counts against the bound is \
            the kernel's memory for a message, not its bytes alone; boundaries are not kept.",
    guarantees: &[
        "bytes arrive once, in order, unharmed",
        "descriptors and credentials can ride along with the bytes",
        "either direction can be closed by itself (shutdown)",
    ],
    failures: &[
        "the peer is gone: EPIPE on writing, the end of the stream on reading",
        "the peer is gone with bytes unread: ECONNRESET on reading",
        "small messages waste the bound: each takes a few hundred bytes of bookkeeping",
    ],
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The transport.
#[derive(Debug)]
pub struct UnixStream;

impl Transport for UnixStream {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        let fault = |what: &str, error: &dyn std::fmt::Display| Fault::new("unix_stream", format!("{what}: {error}"));
        let (asker, answerer) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)
            .map_err(|e| fault("cannot make a socket pair", &e))?;
        if let Some(bytes) = setup.buffer {
            resize(&asker, bytes)?;
            resize(&answerer, bytes)?;
        }
        let size = socket_send_buffer_size(&asker).map_err(|e| fault("cannot read the buffer's size", &e))?;
        let watched = asker.try_clone().map_err(|e| fault("cannot duplicate a socket", &e))?;
        Ok(Ends {
            asker: vec![asker],
            answerer: vec![answerer],
            buffer: size as u64,
            gauge: Box::new(SendQueue { socket: watched, capacity: size as u64 }),
        })
    }

    fn attach(&self, fds: Vec<OwnedFd>, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket] = <[OwnedFd; 1]>::try_from(fds).map_err(|_| io::ErrorKind::InvalidInput)?;
        if setup.wait == Waiting::Spin {
            set_nonblocking(socket.as_fd())?;
        }
        let same = socket.try_clone()?;
        duty.serve(StreamSender(socket), StreamReceiver(same))
    }
}

/// The kernel doubles what is asked for, to make room for its bookkeeping,
/// and silently stops at `net.core.wmem_max` (socket(7)).
fn resize(socket: &OwnedFd, bytes: u64) -> Result<(), Fault> {
    let size = usize::try_from(bytes).unwrap_or(usize::MAX).min(i32::MAX as usize);
    let fault = |what: String| Fault::new("unix_stream", what);
    set_socket_send_buffer_size(socket, size).map_err(|e| fault(format!("cannot set SO_SNDBUF: {e}")))?;
    let got = socket_send_buffer_size(socket).map_err(|e| fault(format!("cannot read SO_SNDBUF: {e}")))? as u64;
    if got < bytes {
        let limit = std::fs::read_to_string("/proc/sys/net/core/wmem_max").unwrap_or_default();
        return Err(fault(format!("a buffer of {bytes} bytes is above the limit of {}", limit.trim()))
            .hint("raise net.core.wmem_max"));
    }
    Ok(())
}

#[derive(Debug)]
struct SendQueue {
    socket: OwnedFd,
    capacity: u64,
}

impl Gauge for SendQueue {
    /// `SIOCOUTQ` counts as the bound does: memory, not payload.
    fn fill(&self) -> Option<Fill> {
        Some(Fill { queued: unsent(self.socket.as_fd()).ok()?, capacity: self.capacity })
    }
}
