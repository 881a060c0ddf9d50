//! Anonymous pipes: pipe(7), one for each direction.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{Errno, ioctl_fionread, read, write};
use rustix::pipe::{PipeFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with};

use super::{About, Duty, End, Ends, Family, Gauge, Receiver, Sender, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::{Fill, Measure, Waiting};

static ABOUT: About = About {
    key: "pipe",
    name: "pipe",
    family: Family::Stream,
    model: "A bounded FIFO queue of bytes in the kernel, one way. A writer sleeps while it is full, a reader while \
            it is empty; message boundaries are not kept.",
    guarantees: &[
        "bytes arrive once, in order, unharmed",
        "writes of up to PIPE_BUF (4096) bytes are atomic among several writers",
        "the buffer outlives the writer: what was written can still be read",
    ],
    failures: &[
        "the reader is gone: SIGPIPE, or EPIPE where that is ignored",
        "the last writer is gone: the reader sees the end of the file",
        "a full pipe blocks its writer: two processes that write to each other without reading deadlock",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The transport.
#[derive(Debug)]
pub struct Pipe;

impl Transport for Pipe {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        create(ABOUT.key, setup)
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        attach(end, setup, duty)
    }
}

/// Makes two pipes, one for each direction.
pub(super) fn create(key: &'static str, setup: &Setup) -> Result<Ends, Fault> {
    let fault = |error: Errno| {
        let fault = Fault::new(key, format!("cannot make a pipe: {error}"));
        // pipe(7): all pipes of a user have a hard limit together.
        if error == Errno::NFILE { fault.hint("perhaps fs.pipe-user-pages-hard is reached") } else { fault }
    };
    let (there_out, there_in) = pipe_with(PipeFlags::CLOEXEC).map_err(fault)?;
    let (back_out, back_in) = pipe_with(PipeFlags::CLOEXEC).map_err(fault)?;
    if let Some(bytes) = setup.buffer {
        resize(key, &there_in, bytes)?;
        resize(key, &back_in, bytes)?;
    }
    let buffer = fcntl_getpipe_size(&there_in).map_err(fault)? as u64;
    small(key, setup, buffer)?;
    let watched = there_out.try_clone().map_err(|e| Fault::new(key, e.to_string()))?;
    Ok(Ends {
        asker: End::of([there_in, back_out]),
        answerer: End::of([back_in, there_out]),
        buffer,
        sizes: Sizes::ANY,
        names: Vec::new(),
        gauge: Box::new(ReadEnd { end: watched, capacity: buffer }),
    })
}

/// A user whose pipes are above a limit all together silently gets smaller
/// ones: pipe(7). Such a pipe is measured where its size is asked for.
pub(super) fn small(key: &'static str, setup: &Setup, buffer: u64) -> Result<(), Fault> {
    let usual = 16 * rustix::param::page_size() as u64;
    if setup.buffer.is_some() || buffer >= usual {
        return Ok(());
    }
    Err(Fault::new(key, format!("a new pipe has {buffer} bytes instead of {usual}: the limit fs.pipe-user-pages-soft"))
        .hint(format!("raise it, or ask for a buffer of {buffer}")))
}

/// Attaches an end of two one-way streams: the one to send into, and the one
/// to receive from.
pub(super) fn attach(end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
    let [sender, receiver] = end.take()?;
    if setup.wait == Waiting::Spin {
        set_nonblocking(sender.as_fd())?;
        set_nonblocking(receiver.as_fd())?;
    }
    duty.serve(StreamSender(sender), StreamReceiver(receiver))
}

/// Makes a pipe's buffer at least `bytes` large.
pub(super) fn resize(key: &'static str, pipe: &OwnedFd, bytes: u64) -> Result<(), Fault> {
    let size = usize::try_from(bytes).unwrap_or(usize::MAX);
    match fcntl_setpipe_size(pipe, size) {
        Ok(_) => Ok(()),
        Err(Errno::PERM) => {
            // One size limit and one for all pipes of a user: pipe(7).
            let limit = std::fs::read_to_string("/proc/sys/fs/pipe-max-size").unwrap_or_default();
            let name = match limit.trim().parse::<u64>() {
                Ok(most) if bytes <= most => "fs.pipe-user-pages-soft",
                _ => "fs.pipe-max-size",
            };
            Err(Fault::new(key, format!("a buffer of {bytes} bytes is above the limit {name}"))
                .hint(format!("raise {name}, or run with CAP_SYS_RESOURCE")))
        }
        Err(error) => Err(Fault::new(key, format!("cannot make the buffer {bytes} bytes large: {error}"))),
    }
}

/// Makes reads and writes return `EAGAIN` instead of sleeping.
pub(super) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags | OFlags::NONBLOCK)?)
}

/// Makes reads and writes sleep again.
pub(super) fn clear_nonblocking(fd: &OwnedFd) -> io::Result<()> {
    let flags = fcntl_getfl(fd)?;
    Ok(fcntl_setfl(fd, flags - OFlags::NONBLOCK)?)
}

/// Tells how much is in a pipe; it holds the end to read from open.
#[derive(Debug)]
pub(super) struct ReadEnd {
    pub(super) end: OwnedFd,
    pub(super) capacity: u64,
}

impl Gauge for ReadEnd {
    fn fill(&self) -> Option<Fill> {
        Some(Fill { queued: ioctl_fionread(&self.end).ok()?, capacity: self.capacity, by: Measure::Fionread })
    }
}

/// Writes messages into any byte stream of the kernel. On a descriptor that
/// does not block it tries until there is space.
#[derive(Debug)]
pub(super) struct StreamSender(pub(super) OwnedFd);

impl Sender for StreamSender {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        let mut rest = message;
        while !rest.is_empty() {
            match write(&self.0, rest) {
                Ok(n) => rest = &rest[n..],
                Err(Errno::AGAIN) => std::hint::spin_loop(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Reads messages from any byte stream of the kernel. On a descriptor that
/// does not block it tries until there is something.
#[derive(Debug)]
pub(super) struct StreamReceiver(pub(super) OwnedFd);

impl Receiver for StreamReceiver {
    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        let mut filled = 0;
        while filled < message.len() {
            match read(&self.0, &mut message[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => filled += n,
                Err(Errno::AGAIN) => std::hint::spin_loop(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}
