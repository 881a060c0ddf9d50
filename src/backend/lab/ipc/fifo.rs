//! Named pipes: fifo(7), one for each direction.
//!
//! The names live in a private directory and for a moment only: once all four
//! ends are open the directory goes, and the FIFOs stay for as long as
//! somebody holds an end.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, Mode, OFlags, mkfifoat, open};
use rustix::pipe::fcntl_getpipe_size;

use super::pipe::{ReadEnd, attach, clear_nonblocking, resize, small};
use super::private::Directory;
use super::{About, Duty, End, Ends, Family, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::Waiting;

static ABOUT: About = About {
    key: "fifo",
    name: "FIFO",
    family: Family::Stream,
    model: "A pipe with a name in the file system: a bounded FIFO queue of bytes in the kernel, one way. The file \
            holds the name only; the bytes never reach a disk.",
    guarantees: &[
        "all that a pipe promises, between processes that share no ancestor",
        "opening for reading waits for a writer, and opening for writing for a reader",
        "who may open it is decided by the file's permissions",
    ],
    failures: &[
        "the reader is gone: SIGPIPE, or EPIPE where that is ignored",
        "the last writer is gone: the end of the file, and the next writer begins another stream",
        "opening it without a peer blocks, or fails with ENXIO where it may not",
        "the name outlives the processes: somebody has to unlink it",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The transport.
#[derive(Debug)]
pub struct Fifo;

impl Transport for Fifo {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        let directory = Directory::make(ABOUT.key)?;
        let fault = |error: io::Error| Fault::new(ABOUT.key, format!("cannot make a FIFO: {error}"));
        let (there_out, there_in) = make(&directory, "there").map_err(fault)?;
        let (back_out, back_in) = make(&directory, "back").map_err(fault)?;
        drop(directory);
        if let Some(bytes) = setup.buffer {
            resize(ABOUT.key, &there_in, bytes)?;
            resize(ABOUT.key, &back_in, bytes)?;
        }
        let buffer = fcntl_getpipe_size(&there_in).map_err(|e| fault(e.into()))? as u64;
        small(ABOUT.key, setup, buffer)?;
        let watched = there_out.try_clone().map_err(fault)?;
        Ok(Ends {
            asker: End::of([there_in, back_out]),
            answerer: End::of([back_in, there_out]),
            buffer,
            sizes: Sizes::ANY,
            names: Vec::new(),
            gauge: Box::new(ReadEnd { end: watched, capacity: buffer }),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        attach(end, setup, duty)
    }
}

/// Makes one and opens both its ends, the reading one first and without
/// waiting for a writer, who is us.
fn make(directory: &Directory, name: &str) -> io::Result<(OwnedFd, OwnedFd)> {
    let path = directory.join(name);
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR)?;
    let reader = open(&path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty())?;
    let writer = open(&path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    clear_nonblocking(&reader)?;
    Ok((reader, writer))
}
