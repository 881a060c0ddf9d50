//! One process in depth, for the detail view.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::process::{Process, Thread};
use super::{Bytes, Fault, Pid};

/// A part of the detail that could be read, or why not.
pub type Section<T> = Result<T, Fault>;

/// Everything the detail view shows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProcessDetail {
    /// Whose detail this is.
    pub pid: Pid,
    /// The process; `None` once it is gone.
    pub process: Option<Arc<Process>>,
    /// Its executable file.
    pub exe: Section<Arc<str>>,
    /// Its working directory.
    pub cwd: Section<Arc<str>>,
    /// Its root directory.
    pub root: Section<Arc<str>>,
    /// All its threads, with their waits.
    pub threads: Section<Vec<Arc<Thread>>>,
    /// Its open descriptors.
    pub descriptors: Section<Vec<Descriptor>>,
    /// Memory totals (`smaps_rollup`).
    pub memory: Section<MemoryTotals>,
    /// Memory by mapping, largest first, equal names joined.
    pub mappings: Section<Vec<Mapping>>,
    /// Resource limits.
    pub limits: Section<Vec<Limit>>,
    /// Environment as it was when the process started.
    pub environment: Section<Vec<Arc<str>>>,
    /// The control group paths.
    pub cgroup: Section<Vec<Arc<str>>>,
    /// Namespaces: kind, inode, and whether it is the same as ours.
    pub namespaces: Section<Vec<Namespace>>,
    /// Pids of its children.
    pub children: Section<Vec<Pid>>,
}

/// An open descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Its number.
    pub fd: i32,
    /// What it is, from the link's target: `file`, `pipe`, `socket`, `eventfd`, …
    pub kind: DescriptorKind,
    /// The link's target as the kernel shows it.
    pub target: Arc<str>,
    /// Of a socket: its name or address, in words, where it has one and the
    /// kernel tells.
    pub address: Option<Arc<str>>,
    /// `r`, `w` or `rw`.
    pub access: Arc<str>,
    /// Position, for what has one.
    pub position: Option<u64>,
    /// Close-on-exec.
    pub cloexec: bool,
    /// Who else has the other end or the same object open.
    pub other_ends: Vec<OtherEnd>,
}

/// What a descriptor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each names what the kernel's link target says")]
pub enum DescriptorKind {
    File,
    Directory,
    Device,
    Terminal,
    Pipe,
    Fifo,
    UnixSocket,
    InetSocket,
    Socket,
    Eventfd,
    Epoll,
    Timerfd,
    Signalfd,
    Inotify,
    IoUring,
    Pidfd,
    Memfd,
    Other,
}

/// The other end of a descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherEnd {
    /// The process there.
    pub pid: Pid,
    /// Its name.
    pub name: Arc<str>,
    /// Its descriptor.
    pub fd: i32,
    /// What it does there: `reads`, `writes`, `peer`.
    pub role: Arc<str>,
}

/// Totals of `/proc/PID/smaps_rollup`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryTotals {
    /// Resident.
    pub rss: Bytes,
    /// Resident, shared pages divided by their users.
    pub pss: Bytes,
    /// Pages nobody else maps: what ending the process would free.
    pub private: Bytes,
    /// Pages others map too.
    pub shared: Bytes,
    /// Swapped out.
    pub swap: Bytes,
    /// Locked in memory.
    pub locked: Bytes,
}

/// The mappings of one name (a file, `[heap]`, `[stack]`, anonymous).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// The name.
    pub name: Arc<str>,
    /// What is mapped there.
    pub kind: MappingKind,
    /// How many mappings were joined.
    pub count: u32,
    /// Address space.
    pub size: Bytes,
    /// Resident.
    pub rss: Bytes,
    /// Proportional.
    pub pss: Bytes,
    /// The permissions, `r`, `w`, `x`, `s` (shared), where all have the same,
    /// else `mixed`; but those of one that can be written and run, if there is one.
    pub permissions: Arc<str>,
}

/// What a mapping is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MappingKind {
    /// A file on a file system.
    File,
    /// The heap that brk(2) moves.
    Heap,
    /// The main thread's stack.
    Stack,
    /// Private memory without a file: malloc(3), thread stacks.
    Anonymous,
    /// Memory made to be shared: memfd, System V, `/dev/shm`, shared anonymous.
    SharedMemory,
    /// What the kernel itself puts there: `[vdso]`, `[vvar]`.
    Kernel,
}

/// A resource limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The kernel's name for it.
    pub name: Arc<str>,
    /// The soft limit; `None` is unlimited.
    pub soft: Option<u64>,
    /// The hard limit; `None` is unlimited.
    pub hard: Option<u64>,
    /// The unit the kernel names, if any.
    pub unit: Arc<str>,
}

/// A namespace a process lives in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// `pid`, `mnt`, `net`, …
    pub kind: Arc<str>,
    /// Its identity.
    pub inode: u64,
    /// Whether this program lives in the same one.
    pub ours: bool,
}
