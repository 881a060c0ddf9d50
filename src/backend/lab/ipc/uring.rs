//! A Unix stream whose bytes go through `io_uring(7)`: one operation after the
//! other, each waited for.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use super::unix;
use super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Transport};
use crate::model::Fault;
use crate::model::channel::Waiting;
use crate::sys::uring::Uring;

static ABOUT: About = About {
    key: "io_uring",
    name: "Unix stream, io_uring",
    family: Family::Stream,
    model: "The same two queues as a Unix stream; sending and receiving are entries in a ring that the program and the \
            kernel share. Here one is submitted and waited for at a time, which is a system call each: what the ring \
            itself adds, without what it gains by taking many at once.",
    guarantees: &[
        "bytes arrive once, in order, unharmed",
        "many operations can be handed over in one system call, or in none while the kernel polls the ring",
        "an operation refers to memory that must stay until it is complete",
    ],
    failures: &[
        "the peer is gone: EPIPE on sending, the end of the stream on receiving",
        "memory that is freed while an operation refers to it is written to all the same",
        "it is often forbidden: kernel.io_uring_disabled, seccomp in containers",
    ],
    loses: false,
    waits: &[Waiting::Block],
};

/// The transport.
#[derive(Debug)]
pub struct UnixUring;

impl Transport for UnixUring {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        // The workers make rings of their own; whether they may is known here.
        if let Err(error) = Uring::new() {
            let disabled = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
            let fault = Fault::new(ABOUT.key, format!("cannot make an io_uring: {error}"));
            return Err(match (error.raw_os_error(), disabled.trim()) {
                (Some(libc::EPERM), "1" | "2") => fault.hint("set kernel.io_uring_disabled to 0"),
                (Some(libc::EPERM), _) => fault.hint("a seccomp filter forbids it, as containers do"),
                (Some(libc::ENOSYS), _) => fault.hint("it needs Linux 5.1"),
                _ => fault,
            });
        }
        unix::create(&unix::STREAM, ABOUT.key, setup)
    }

    fn attach(&self, end: End, _setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket, _lifeline] = end.take()?;
        let same = socket.try_clone()?;
        // One ring for both ways: going from one to another costs the kernel a search.
        let ring = Rc::new(RefCell::new(Uring::new()?));
        duty.serve(RingEnd { socket, ring: ring.clone() }, RingEnd { socket: same, ring })
    }
}

#[derive(Debug)]
struct RingEnd {
    socket: OwnedFd,
    ring: Rc<RefCell<Uring>>,
}

impl Sender for RingEnd {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut rest = message;
        while !rest.is_empty() {
            let sent = self.ring.borrow_mut().send(self.socket.as_fd(), rest)?;
            rest = &rest[sent..];
        }
        Ok(())
    }
}

impl Receiver for RingEnd {
    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < message.len() {
            match self.ring.borrow_mut().receive(self.socket.as_fd(), &mut message[filled..])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                got => filled += got,
            }
        }
        Ok(())
    }
}
