//! A `/proc` to read from: the real one, or a tree of files made by a test.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::{Errno, read};

use super::clock;
use crate::model::{Nanos, Pid};

/// The root of a proc file system, held open.
#[derive(Debug)]
pub struct ProcRoot {
    directory: OwnedFd,
    path: PathBuf,
}

impl ProcRoot {
    /// Opens the tree at `path`.
    ///
    /// # Errors
    /// Whatever open(2) says, `ENOENT` and `ENOTDIR` among it.
    pub fn open(path: &Path) -> Result<Self, Errno> {
        let directory = open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(ProcRoot { directory, path: path.to_owned() })
    }

    /// Where the tree stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this is the kernel's own tree, whose pids may be signalled and
    /// whose memory may be read.
    pub fn is_real(&self) -> bool {
        self.path == Path::new("/proc")
    }

    /// Whether it is the kernel's own, and the numbers in it are those of this program's
    /// own pid namespace: it has one id there, the one it knows itself by.
    pub fn has_our_numbers(&self) -> bool {
        let mut status = Vec::new();
        if !self.is_real() || self.read_into("self/status", &mut status).is_err() {
            return false;
        }
        let own = std::process::id();
        let ids = status.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"NSpid:"));
        // Kernels without pid namespaces have no such line, and one set of ids.
        let alone = ids.is_none_or(|ids| ids.trim_ascii() == own.to_string().as_bytes());
        alone && clock::cpu_of_process(own as Pid).is_ok_and(|used| used > Nanos::ZERO)
    }

    /// The directory itself.
    pub fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// Opens a file below the root for reading.
    ///
    /// # Errors
    /// Whatever openat(2) says.
    pub fn file(&self, relative: &str) -> Result<OwnedFd, Errno> {
        openat(&self.directory, relative, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
    }

    /// Reads a whole file into `buffer`, replacing what was there; the buffer
    /// grows at need and is meant to be used again.
    ///
    /// # Errors
    /// Whatever openat(2) or read(2) say; `ESRCH` where the process is gone.
    pub fn read_into(&self, relative: &str, buffer: &mut Vec<u8>) -> Result<(), Errno> {
        let file = self.file(relative)?;
        buffer.clear();
        loop {
            if buffer.capacity() - buffer.len() < 1024 {
                buffer.reserve(4096);
            }
            match read(&file, rustix::buffer::spare_capacity(buffer)) {
                Ok(0) => return Ok(()),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
