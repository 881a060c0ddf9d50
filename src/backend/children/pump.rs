//! Passes a child's stream on to one of ours and counts the bytes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, splice};

/// How much moves at once.
const PIECE: usize = 256 << 10;

/// A thread that passes a stream on.
#[derive(Debug)]
pub(super) struct Pump {
    stop: Arc<OwnedFd>,
    /// A pipe whose other end the thread has until it ends.
    ended: OwnedFd,
    thread: JoinHandle<Passed>,
}

/// What was passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) bytes: u64,
    /// The last byte, where the bytes went through our hands.
    pub(super) last: Option<u8>,
    /// Why the rest could not be passed on; that nobody reads any more is no
    /// failure.
    pub(super) failed: Option<Errno>,
}

impl Pump {
    /// Starts the thread. `seen` bytes go through our memory, so that the last
    /// is known; others are spliced where the kernel can.
    pub(super) fn start(from: OwnedFd, to: OwnedFd, seen: bool) -> io::Result<Self> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let stopped = stop.clone();
        let (ended, held) = pipe_with(PipeFlags::CLOEXEC)?;
        let thread = std::thread::Builder::new().name("pump".to_owned()).spawn(move || {
            let passed = pump(&from, &to, &stopped, seen);
            drop(held);
            passed
        })?;
        Ok(Pump { stop, ended, thread })
    }

    /// The child has ended: passes on what is in the pipe and ends, though a
    /// process that the child left behind may still hold the other end.
    pub(super) fn finish(&self) {
        // The counter is zero before: there is room.
        let _ = rustix::io::write(&*self.stop, &1u64.to_ne_bytes());
    }

    /// What says `HUP` once it has ended.
    pub(super) fn end(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }

    pub(super) fn has_ended(&self) -> bool {
        poll_now(self.end()).contains(PollFlags::HUP)
    }

    /// What was passed on; nothing where it has not ended yet.
    pub(super) fn passed(self) -> Option<Passed> {
        self.has_ended().then(|| self.thread.join().unwrap_or_default())
    }
}

fn pump(from: &OwnedFd, to: &OwnedFd, stop: &OwnedFd, seen: bool) -> Passed {
    let mut passed = Passed::default();
    let mut buffer = Vec::new();
    let mut splicing = !seen;
    while wait(from.as_fd(), stop.as_fd()) {
        let moved = if splicing {
            splice(from, None, to, None, PIECE, SpliceFlags::empty())
        } else {
            buffer.resize(PIECE, 0);
            copy(from.as_fd(), to.as_fd(), &mut buffer, &mut passed.last)
        };
        match moved {
            // Nobody writes any more.
            Ok(0) => break,
            Ok(count) => passed.bytes += count as u64,
            Err(Errno::INTR) => {}
            // The kernel cannot splice to every kind of file.
            Err(Errno::INVAL) if splicing => splicing = false,
            Err(Errno::AGAIN) => writable(to.as_fd()),
            // Nobody reads any more, or nothing more can be written: closing the
            // pipe tells the child.
            Err(error) => {
                passed.failed = Some(error).filter(|error| *error != Errno::PIPE);
                break;
            }
        }
    }
    passed
}

/// Waits until there is something to pass on; `false` once we shall end and
/// there is nothing.
fn wait(from: BorrowedFd<'_>, stop: BorrowedFd<'_>) -> bool {
    loop {
        let mut both = [PollFd::from_borrowed_fd(from, PollFlags::IN), PollFd::from_borrowed_fd(stop, PollFlags::IN)];
        match poll(&mut both, None) {
            Ok(_) if !both[0].revents().is_empty() => return true,
            Ok(_) => return !poll_now(from).is_empty(),
            Err(Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn poll_now(fd: BorrowedFd<'_>) -> PollFlags {
    let mut one = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    match poll(&mut one, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) {
        Ok(_) => one[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}

fn writable(fd: BorrowedFd<'_>) {
    // Whatever it says, the next attempt tells.
    let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::OUT)], None);
}

fn copy(from: BorrowedFd<'_>, to: BorrowedFd<'_>, buffer: &mut [u8], last: &mut Option<u8>) -> Result<usize, Errno> {
    let count = rustix::io::read(from, &mut *buffer)?;
    let mut rest = &buffer[..count];
    while !rest.is_empty() {
        match rustix::io::write(to, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => writable(to),
            Err(error) => return Err(error),
        }
    }
    *last = buffer[..count].last().copied().or(*last);
    Ok(count)
}
