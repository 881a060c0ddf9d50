//! What to start, and how: as the kernel is told it.

use std::ffi::{OsStr, OsString, c_int};
use std::os::fd::BorrowedFd;
use std::path::Path;

use crate::sys::brand::Brand;

/// Where one of the child's standard streams goes.
#[derive(Clone, Copy, Debug, Default)]
pub enum Stdio<'a> {
    /// Where the parent's goes.
    #[default]
    Inherit,
    /// `/dev/null`.
    Null,
    /// To this descriptor.
    Fd(BorrowedFd<'a>),
}

/// Which process group and session the child is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub enum Group {
    /// The parent's.
    #[default]
    Inherit,
    /// A group of its own, setpgid(2).
    Own,
    /// A session of its own, and so without a terminal, setsid(2).
    Session,
}

/// Where a child announces itself before it executes its program: it sends
/// `message` with its own pidfd attached.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// A connected socket that keeps message boundaries. It should be
    /// close-on-exec: that it closes then is what makes the announcement free
    /// of races with the parent's death.
    pub socket: BorrowedFd<'a>,
    /// What it says.
    pub message: &'a [u8],
}

/// What to start, and how.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawn<'a> {
    /// The program; looked up in the child's `PATH` where it has no slash.
    pub program: &'a [u8],
    /// What the program is to take for its name; `program` where it is `None`.
    pub arg0: Option<&'a OsStr>,
    /// The arguments after that.
    pub args: &'a [OsString],
    /// Variables set on top of the parent's environment.
    pub env: &'a [(OsString, OsString)],
    /// Variables of the parent's that it shall not have.
    pub unset: &'a [OsString],
    /// Whether it has none of the parent's environment.
    pub clear: bool,
    /// The working directory, entered before the program is looked up.
    pub cwd: Option<&'a Path>,
    /// Standard input, output and error.
    pub stdio: [Stdio<'a>; 3],
    /// Process group and session.
    pub group: Group,
    /// Signals that the child shall ignore from its first moment on.
    pub ignore: &'a [i32],
    /// Where it announces itself.
    pub register: Option<Register<'a>>,
    /// What it and all that descend from it are to be known by.
    pub brand: Option<Brand>,
    /// What it may use, and as whom.
    pub attributes: Attributes<'a>,
}

/// What a child may use, and as whom it runs. All of it is set between clone
/// and execve, by the child itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attributes<'a> {
    /// Resource limits: `RLIMIT_…`, soft and hard.
    pub limits: &'a [(c_int, Limits)],
    /// Its nice value, −20 to 19.
    pub nice: Option<i32>,
    /// The CPUs it may run on.
    pub cpus: Option<&'a [usize]>,
    /// Which permissions the files it makes do not have.
    pub umask: Option<u32>,
    /// Whether standard input becomes the terminal of its session.
    pub terminal: bool,
    /// Whom it runs as.
    pub user: Option<Credentials<'a>>,
}

/// A soft and a hard limit; `None` is unlimited.
pub type Limits = (Option<u64>, Option<u64>);

/// Whom a child runs as.
#[derive(Clone, Copy, Debug)]
pub struct Credentials<'a> {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// All groups; `None` leaves them.
    pub groups: Option<&'a [u32]>,
}
