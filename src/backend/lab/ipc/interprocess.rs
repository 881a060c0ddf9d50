//! A Unix stream through the crate interprocess.

use std::io::{self, Read, Write};

use ::interprocess::TryClone;
use ::interprocess::os::unix::uds_local_socket::Stream;

use super::unix::{self, plain_end};
use super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Transport};
use crate::model::Fault;
use crate::model::channel::Waiting;

static ABOUT: About = About {
    key: "interprocess",
    name: "Unix stream, interprocess",
    family: Family::Stream,
    model: "The same two queues as a Unix stream, through the local sockets of the crate interprocess, which are \
            named pipes on Windows: what portability costs.",
    guarantees: &[
        "bytes arrive once, in order, unharmed; message boundaries are not kept",
        "one interface on every system that the crate knows",
    ],
    failures: &[
        "the peer is gone: EPIPE on sending, the end of the stream on receiving",
        "what only one system has, such as passing descriptors, is not in the common interface",
    ],
    loses: false,
    waits: &[Waiting::Block],
};

/// The transport.
#[derive(Debug)]
pub struct Interprocess;

impl Transport for Interprocess {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        unix::create(&unix::STREAM, ABOUT.key, setup)
    }

    fn attach(&self, end: End, _setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket, _lifeline] = end.take()?;
        let stream = Stream::from(socket);
        let same = stream.try_clone()?;
        duty.serve(stream, same)
    }
}

impl Sender for Stream {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.write_all(message)
    }
}

impl Receiver for Stream {
    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        self.read_exact(message).map_err(plain_end)
    }
}
