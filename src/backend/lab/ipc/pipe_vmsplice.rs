//! Pipes whose writer gives pages to the kernel instead of having them copied:
//! vmsplice(2) in, read(2) out.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::pipe::fcntl_getpipe_size;

use super::pipe::{self, StreamReceiver, set_nonblocking};
use super::{About, Duty, End, Ends, Family, Sender, Setup, Transport};
use crate::model::Fault;
use crate::model::channel::Waiting;
use crate::sys::vmsplice::Pages;

static ABOUT: About = About {
    key: "pipe_vmsplice",
    name: "pipe, vmsplice",
    family: Family::Stream,
    model: "A pipe that refers to pages of the writer until they are read: the kernel copies once, on the reader's \
            side, instead of twice. Each message begins on a page of its own, for a slot of the pipe is a page, \
            however little of it is used.",
    guarantees: &[
        "bytes arrive once, in order, unharmed, if the writer leaves the pages alone until they are read",
        "the pages outlive the writer: what was given can still be read",
    ],
    failures: &[
        "a page that is written to again too early: the reader sees the new bytes",
        "nothing tells the writer that a page was read; here it counts the slots, and writes each message into the \
         next free page, which is a copy",
        "the reader is gone: SIGPIPE, or EPIPE where that is ignored",
        "the last writer is gone: the reader sees the end of the file",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The transport.
#[derive(Debug)]
pub struct PipeVmsplice;

impl Transport for PipeVmsplice {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        pipe::create(ABOUT.key, setup)
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [sender, receiver] = end.take()?;
        if setup.wait == Waiting::Spin {
            set_nonblocking(sender.as_fd())?;
            set_nonblocking(receiver.as_fd())?;
        }
        let pages = Pages::new(fcntl_getpipe_size(&sender)?)?;
        duty.serve(PageSender { pipe: sender, pages }, StreamReceiver(receiver))
    }
}

#[derive(Debug)]
struct PageSender {
    pipe: OwnedFd,
    pages: Pages,
}

impl Sender for PageSender {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.pages.send(self.pipe.as_fd(), message)
    }
}
