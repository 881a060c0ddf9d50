//! A Unix stream through tokio.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::{Builder, Runtime};

use super::unix::{self, plain_end};
use super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Transport};
use crate::model::Fault;
use crate::model::channel::Waiting;

static ABOUT: About = About {
    key: "tokio_unix_stream",
    name: "Unix stream, tokio",
    family: Family::Stream,
    model: "The same two queues as a Unix stream, through tokio::net::UnixStream: the socket does not block, and a \
            task that has to wait is suspended until epoll says that it may go on. Here there is one task, on a \
            current-thread runtime: what suspending costs, without what it gains with thousands of tasks.",
    guarantees: &[
        "bytes arrive once, in order, unharmed; message boundaries are not kept",
        "waiting for one socket holds up no other task of the thread",
    ],
    failures: &[
        "the peer is gone: EPIPE on sending, the end of the stream on receiving",
        "a future that is dropped half-way leaves half a message behind: write_all and read_exact are not \
         cancellation-safe",
        "a task that computes or blocks for long holds up all others of its thread",
    ],
    loses: false,
    waits: &[Waiting::Block],
};

/// The transport.
#[derive(Debug)]
pub struct TokioUnix;

impl Transport for TokioUnix {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        unix::create(&unix::STREAM, ABOUT.key, setup)
    }

    fn attach(&self, end: End, _setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket, _lifeline]: [OwnedFd; 2] = end.take()?;
        let socket = Socket::from(socket);
        socket.set_nonblocking(true)?;
        let runtime = Rc::new(Builder::new_current_thread().enable_io().build()?);
        let (reads, writes) = {
            let _inside = runtime.enter();
            UnixStream::from_std(socket)?.into_split()
        };
        duty.serve(Half { half: writes, runtime: runtime.clone() }, Half { half: reads, runtime })
    }
}

/// Half of a stream, with the runtime that drives it.
#[derive(Debug)]
struct Half<H> {
    half: H,
    runtime: Rc<Runtime>,
}

impl Sender for Half<OwnedWriteHalf> {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.runtime.block_on(self.half.write_all(message))
    }
}

impl Receiver for Half<OwnedReadHalf> {
    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        self.runtime.block_on(self.half.read_exact(message)).map(|_| ()).map_err(plain_end)
    }
}
