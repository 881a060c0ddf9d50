//! What can go wrong, and the sentence that says it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::search;
use super::trace::Trail;
use crate::model::text;

/// The step that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A name, argument or variable holds a NUL byte, which execve(2) cannot
    /// pass on.
    Nul,
    /// No new process could be made.
    Clone,
    /// It could not get a session of its own.
    Session,
    /// It could not get a process group of its own.
    Group,
    /// It could not announce itself.
    Register,
    /// It could not enter its working directory.
    Directory,
    /// Its standard streams could not be connected.
    Stdio,
    /// A resource limit could not be set.
    Limit,
    /// Its priority could not be set.
    Nice,
    /// It could not be bound to its CPUs.
    Affinity,
    /// It could not take its terminal.
    Terminal,
    /// It could not become its user.
    User,
    /// The program could not be executed.
    Execute,
}

/// Why a child did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SpawnError {
    /// The step that failed.
    pub step: Step,
    /// What the kernel said.
    pub errno: Errno,
    /// What it was about: the directory, the program's file.
    pub path: PathBuf,
    /// What it took to find out.
    pub trail: Box<Trail>,
}

impl SpawnError {
    pub(super) fn new(step: Step, errno: Errno) -> Self {
        SpawnError { step, errno, path: PathBuf::new(), trail: Box::default() }
    }

    /// The way out, if there is a typical one.
    pub fn hint(&self) -> Option<String> {
        match (self.step, self.errno) {
            (Step::Execute, Errno::NOENT) => {
                let interpreter = search::interpreter(&self.path)?;
                Some(format!("the file is there; its interpreter {} is not", shown(&interpreter)))
            }
            (Step::Execute, Errno::ACCESS) if self.path.is_dir() => Some("it is a directory".to_owned()),
            (Step::Execute, Errno::ACCESS) => Some(format!("is it executable? chmod +x {}", shown(&self.path))),
            (Step::Execute, Errno::TOOBIG) => Some("pass less in arguments and environment".to_owned()),
            (Step::Execute, Errno::TXTBSY) => Some("somebody holds the file open for writing".to_owned()),
            (Step::Clone, Errno::AGAIN) => {
                Some("a limit of processes is reached: see ulimit -u and the cgroup's pids.max".to_owned())
            }
            (Step::User, Errno::PERM) => {
                Some("only root, or CAP_SETUID and CAP_SETGID, may become somebody".to_owned())
            }
            (Step::Nice, Errno::ACCESS | Errno::PERM) => {
                Some("a lower value than ours needs root, CAP_SYS_NICE or RLIMIT_NICE".to_owned())
            }
            (Step::Limit, Errno::PERM) => Some("only root may raise a hard limit".to_owned()),
            (Step::Limit, Errno::INVAL) => Some("the soft limit may not be above the hard one".to_owned()),
            (Step::Affinity, Errno::INVAL) => Some("none of these CPUs is there, or allowed".to_owned()),
            _ => None,
        }
    }
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, reason) = (shown(&self.path), reason(self.errno));
        let searched = !self.path.as_os_str().as_encoded_bytes().contains(&b'/');
        match self.step {
            Step::Nul => write!(f, "{path:?} holds a NUL byte, which no argument can"),
            Step::Clone => write!(f, "cannot make a process: {reason}"),
            Step::Session => write!(f, "cannot make a session: {reason}"),
            Step::Group => write!(f, "cannot make a process group: {reason}"),
            Step::Register => write!(f, "cannot reach the janitor: {reason}"),
            Step::Directory => write!(f, "cannot enter {path}: {reason}"),
            Step::Stdio => write!(f, "cannot connect the standard streams: {reason}"),
            Step::Limit => write!(f, "cannot set a resource limit: {reason}"),
            Step::Nice => write!(f, "cannot set its nice value: {reason}"),
            Step::Affinity => write!(f, "cannot bind it to its CPUs: {reason}"),
            Step::Terminal => write!(f, "cannot give it its terminal: {reason}"),
            Step::User => write!(f, "cannot run it as that user: {reason}"),
            Step::Execute if searched && self.errno == Errno::NOENT => write!(f, "{path}: not found in PATH (ENOENT)"),
            Step::Execute => write!(f, "cannot execute {path}: {reason}"),
        }
    }
}

impl From<SpawnError> for io::Error {
    fn from(error: SpawnError) -> Self {
        io::Error::from(error.errno)
    }
}

/// `No such file or directory (ENOENT)`: what perror(3) says, and the name.
pub fn reason(errno: Errno) -> String {
    let errno = nix::errno::Errno::from_raw(errno.raw_os_error());
    format!("{} ({errno:?})", errno.desc())
}

fn shown(path: &Path) -> String {
    text::visible(path.as_os_str().as_encoded_bytes())
}
