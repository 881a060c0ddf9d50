//! Noticing that the process at the other end is gone, where the channel
//! itself does not tell.
//!
//! A socket pair beside the channel, the lifeline, hangs up when the peer
//! closes it or dies. Whoever waits in the channel does not see that; so the
//! wait is interrupted by a [tick](crate::sys::tick) now and then (or looks at
//! the clock, if it spins), and the lifeline is looked at.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socketpair};

use crate::model::Nanos;
use crate::sys::clock;
use crate::sys::tick::TICK;

/// Tells whether the process at the other end is still there.
pub(super) trait Peer {
    /// Whether it is gone. A system call, so it is asked rarely.
    fn is_gone(&self) -> bool;
}

/// One end of a socket pair: it hangs up when the process at the other end
/// closes it or dies.
#[derive(Clone, Debug)]
pub(super) struct Lifeline(Arc<OwnedFd>);

impl Lifeline {
    /// Both ends of one.
    pub(super) fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
        Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
    }

    pub(super) fn new(end: OwnedFd) -> Self {
        Lifeline(Arc::new(end))
    }

    /// Says one word to the peer, which [`Lifeline::heard`] hears there.
    pub(super) fn say(&self) -> io::Result<()> {
        loop {
            match send(&*self.0, &[1], SendFlags::NOSIGNAL) {
                Ok(_) => return Ok(()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes one word that the peer has said; waits for it if `wait`.
    ///
    /// # Errors
    /// `UnexpectedEof` where the peer is gone.
    pub(super) fn heard(&self, wait: bool) -> io::Result<bool> {
        let flags = if wait { RecvFlags::empty() } else { RecvFlags::DONTWAIT };
        loop {
            match recv(&*self.0, &mut [0; 1], flags) {
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) => return Ok(true),
                Err(Errno::AGAIN) => return Ok(false),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The socket, for those that send something else over it first.
    pub(super) fn socket(&self) -> &OwnedFd {
        &self.0
    }
}

impl Peer for Lifeline {
    fn is_gone(&self) -> bool {
        let mut fds = [PollFd::new(&*self.0, PollFlags::RDHUP)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut fds, Some(&now)).is_ok_and(|n| n > 0)
    }
}

/// Looks after a lifeline while one side waits.
#[derive(Debug)]
pub(super) struct Watch {
    peer: Lifeline,
    end: io::ErrorKind,
    gone: bool,
    tries: u32,
    next: Nanos,
}

/// Tries between two looks at the clock, while spinning.
const TRIES: u32 = 1024;

impl Watch {
    /// For a side that sends: `BrokenPipe` where the peer is gone.
    pub(super) fn of_sender(peer: &Lifeline) -> Self {
        Watch::new(peer, io::ErrorKind::BrokenPipe)
    }

    /// For a side that receives: `UnexpectedEof` where the peer is gone.
    pub(super) fn of_receiver(peer: &Lifeline) -> Self {
        Watch::new(peer, io::ErrorKind::UnexpectedEof)
    }

    fn new(peer: &Lifeline, end: io::ErrorKind) -> Self {
        Watch { peer: peer.clone(), end, gone: false, tries: 0, next: Nanos::ZERO }
    }

    /// A wait was interrupted: an error where the peer was gone at the time
    /// before and the channel, which was waited in since, gave nothing more.
    #[cold]
    pub(super) fn interrupted(&mut self) -> io::Result<()> {
        if self.gone {
            return Err(self.end.into());
        }
        self.gone = self.peer.is_gone();
        Ok(())
    }

    /// One more try was for nothing. Every tick it looks, and says so.
    #[inline]
    pub(super) fn tried(&mut self) -> io::Result<bool> {
        std::hint::spin_loop();
        self.tries = self.tries.wrapping_add(1);
        if self.tries.is_multiple_of(TRIES) { self.looked() } else { Ok(false) }
    }

    #[cold]
    fn looked(&mut self) -> io::Result<bool> {
        let now = clock::monotonic();
        let due = now >= self.next;
        if due {
            // After a pause the first look only starts the clock.
            let fresh = now.since(self.next) > TICK;
            self.next = now + TICK;
            if fresh {
                return Ok(false);
            }
            self.interrupted()?;
        }
        Ok(due)
    }
}
