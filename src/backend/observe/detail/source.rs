//! The directory of one process, held open, and what its errors mean.
//!
//! The procfs crate holds `/proc/PID` by descriptor, so that every file read
//! here belongs to one process even where it ends and its number is used
//! again. What holds names from outside (paths, environment) is read as bytes:
//! the crate's own readers want UTF-8 there.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use procfs::process::Process;
use procfs::{ProcError, ProcResult};
use rustix::fs::{Dir, DirEntry};
use rustix::io::Errno;

use crate::backend::observe::parse::Stat;
use crate::backend::observe::privilege::{advice, may_trace};
use crate::model::detail::Section;
use crate::model::process::State;
use crate::model::text::visible_arc;
use crate::model::{Fault, Pid};
use crate::sys::procroot::ProcRoot;

/// The directory of one process.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) process: Process,
    path: PathBuf,
}

impl Source {
    /// Opens `/proc/PID`.
    pub(super) fn open(root: &ProcRoot, pid: Pid) -> Result<Self, Fault> {
        let path = root.path().join(pid.to_string());
        match Process::new_with_root(path.clone()) {
            Ok(process) => Ok(Source { process, path }),
            Err(ProcError::NotFound(_)) => {
                Err(Fault::new(path.display().to_string(), "the process has ended, or there never was one"))
            }
            Err(error) => Err(Fault::new(path.display().to_string(), error.to_string())),
        }
    }

    /// A whole file, as bytes.
    pub(super) fn bytes(&self, name: &str) -> Section<Vec<u8>> {
        self.read(name).map_err(|error| self.fault(name, error))
    }

    /// [`Source::bytes`], or `None` where what the file tells of is gone.
    pub(super) fn bytes_if_there(&self, name: &str) -> Section<Option<Vec<u8>>> {
        match self.read(name) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(ProcError::NotFound(_)) => Ok(None),
            Err(error) => Err(self.fault(name, error)),
        }
    }

    fn read(&self, name: &str) -> ProcResult<Vec<u8>> {
        let mut bytes = Vec::new();
        self.process.open_relative(name)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// A file or directory, open for reading.
    pub(super) fn file(&self, name: &str) -> Section<File> {
        self.process.open_relative(name).map_err(|error| self.fault(name, error))
    }

    /// A symbolic link's target, as the crate has read it.
    pub(super) fn link(&self, name: &str, target: ProcResult<PathBuf>) -> Section<Arc<str>> {
        use std::os::unix::ffi::OsStrExt;
        target.map(|path| visible_arc(path.as_os_str().as_bytes())).map_err(|error| self.fault(name, error))
    }

    /// What an error on the file `name` means, with the way out.
    pub(super) fn fault(&self, name: &str, error: ProcError) -> Fault {
        let source = self.path.join(name).display().to_string();
        match error {
            ProcError::PermissionDenied(_) => Fault::new(source, "permission denied")
                .hint(advice(may_trace(), "needs CAP_SYS_PTRACE: run as root, or as the user the process belongs to")),
            // The crate gives ESRCH this name too.
            ProcError::NotFound(_) => Fault::new(source, self.why_not_there()),
            ProcError::Io(error, _) if error.raw_os_error() == Some(libc::ESRCH) => {
                Fault::new(source, self.why_not_there())
            }
            ProcError::Io(error, _) => Fault::new(source, error.to_string()),
            ProcError::Incomplete(_) => Fault::new(source, "ends in the middle"),
            other => Fault::new(source, other.to_string()),
        }
    }

    /// The threads, ascending.
    pub(super) fn threads(&self) -> Section<Vec<Pid>> {
        self.numbers("task")
    }

    /// The entries of a directory that are numbers, ascending.
    pub(super) fn numbers(&self, name: &str) -> Section<Vec<i32>> {
        let directory = self.file(name)?;
        let entries = Dir::read_from(&directory).map_err(|errno| self.errno(name, errno))?;
        let number = |entry: DirEntry| entry.file_name().to_str().ok()?.parse().ok();
        let mut numbers: Vec<i32> = entries.flatten().filter_map(number).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// [`Source::fault`] for an error of the kernel.
    pub(super) fn errno(&self, name: &str, errno: Errno) -> Fault {
        self.fault(name, ProcError::from(std::io::Error::from(errno)))
    }

    /// The fault of a file that is not what it was when this was written.
    pub(super) fn foreign(&self, name: &str) -> Fault {
        Fault::new(self.path.join(name).display().to_string(), "is not in the form this program knows")
    }

    /// The fault of a memory file that is empty.
    pub(super) fn without_memory(&self, name: &str) -> Fault {
        self.fault(name, ProcError::NotFound(None))
    }

    fn why_not_there(&self) -> &'static str {
        let content = self.read("stat").unwrap_or_default();
        match Stat::parse(&content) {
            None => "the process has ended",
            Some(stat) if stat.state == State::Zombie => "none: a zombie has given everything back",
            Some(stat) if stat.is_kernel() => "none: this is a kernel thread",
            Some(_) => "this kernel has no such file",
        }
    }
}
