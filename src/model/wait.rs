//! What a blocked thread waits for, who must act, and how sure that is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Nanos, Pid};

/// The kind of a wait. The names are those of the JSON contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the standard term for its primitive or call; `words` says it")]
pub enum WaitKind {
    PthreadMutex,
    PthreadMutexPi,
    PthreadMutexRobust,
    PthreadMutexRobustPi,
    PthreadRwlockRead,
    PthreadRwlockWrite,
    PthreadCond,
    PthreadBarrier,
    PthreadOnce,
    CxaGuard,
    /// The standard library of C++: a latch, barrier, semaphore, future or atomic.
    CxxWait,
    StdioLock,
    Semaphore,
    ThreadJoin,
    RustMutex,
    RustRwlockRead,
    RustRwlockWrite,
    RustCondvar,
    RustOnce,
    RustPark,
    ParkingLot,
    Futex,
    Flock,
    PosixLock,
    OfdLock,
    Lease,
    PipeRead,
    PipeWrite,
    FifoOpen,
    UnixRecv,
    UnixSend,
    UnixAccept,
    UnixConnect,
    InetRecv,
    InetSend,
    InetAccept,
    InetConnect,
    Waitpid,
    Poll,
    Select,
    Epoll,
    IoUring,
    Sleep,
    PosixMq,
    SysvMsg,
    SysvSem,
    Eventfd,
    Signal,
    TtyRead,
    TtyWrite,
    Disk,
    Vfork,
    Ptrace,
    Other,
}

impl WaitKind {
    /// Two or three words for a table cell.
    pub fn words(self) -> &'static str {
        match self {
            WaitKind::PthreadMutex => "mutex",
            WaitKind::PthreadMutexPi => "PI mutex",
            WaitKind::PthreadMutexRobust => "robust mutex",
            WaitKind::PthreadMutexRobustPi => "robust PI mutex",
            WaitKind::PthreadRwlockRead => "rwlock (read)",
            WaitKind::PthreadRwlockWrite => "rwlock (write)",
            WaitKind::PthreadCond => "condvar",
            WaitKind::PthreadBarrier => "barrier",
            WaitKind::PthreadOnce => "once",
            WaitKind::CxaGuard => "static init",
            WaitKind::CxxWait => "C++ wait",
            WaitKind::StdioLock => "stdio lock",
            WaitKind::Semaphore => "semaphore",
            WaitKind::ThreadJoin => "join",
            WaitKind::RustMutex => "Mutex",
            WaitKind::RustRwlockRead => "RwLock::read",
            WaitKind::RustRwlockWrite => "RwLock::write",
            WaitKind::RustCondvar => "Condvar",
            WaitKind::RustOnce => "Once",
            WaitKind::RustPark => "park",
            WaitKind::ParkingLot => "parking_lot",
            WaitKind::Futex => "futex",
            WaitKind::Flock => "flock",
            WaitKind::PosixLock => "file lock",
            WaitKind::OfdLock => "OFD lock",
            WaitKind::Lease => "lease",
            WaitKind::PipeRead => "pipe empty",
            WaitKind::PipeWrite => "pipe full",
            WaitKind::FifoOpen => "FIFO open",
            WaitKind::UnixRecv => "unix recv",
            WaitKind::UnixSend => "unix send",
            WaitKind::UnixAccept => "unix accept",
            WaitKind::UnixConnect => "unix connect",
            WaitKind::InetRecv => "net recv",
            WaitKind::InetSend => "net send",
            WaitKind::InetAccept => "net accept",
            WaitKind::InetConnect => "net connect",
            WaitKind::Waitpid => "child exit",
            WaitKind::Poll => "poll",
            WaitKind::Select => "select",
            WaitKind::Epoll => "epoll",
            WaitKind::IoUring => "io_uring",
            WaitKind::Sleep => "sleep",
            WaitKind::PosixMq => "posix mq",
            WaitKind::SysvMsg => "sysv msg",
            WaitKind::SysvSem => "sysv sem",
            WaitKind::Eventfd => "eventfd",
            WaitKind::Signal => "signal",
            WaitKind::TtyRead => "terminal input",
            WaitKind::TtyWrite => "terminal full",
            WaitKind::Disk => "disk",
            WaitKind::Vfork => "vfork child",
            WaitKind::Ptrace => "tracer",
            WaitKind::Other => "other",
        }
    }
}

impl WaitKind {
    /// Whether it is a lock: somebody holds it whenever somebody waits for it.
    pub fn is_lock(self) -> bool {
        use WaitKind::{
            CxaGuard, Flock, Lease, OfdLock, ParkingLot, PosixLock, PthreadMutex, PthreadMutexPi, PthreadMutexRobust,
            PthreadMutexRobustPi, PthreadOnce, PthreadRwlockRead, PthreadRwlockWrite, RustMutex, RustOnce,
            RustRwlockRead, RustRwlockWrite, StdioLock,
        };
        let mutex =
            matches!(self, PthreadMutex | PthreadMutexPi | PthreadMutexRobust | PthreadMutexRobustPi | RustMutex);
        let shared = matches!(self, PthreadRwlockRead | PthreadRwlockWrite | RustRwlockRead | RustRwlockWrite);
        let once = matches!(self, PthreadOnce | CxaGuard | RustOnce | ParkingLot | StdioLock);
        mutex || shared || once || matches!(self, Flock | PosixLock | OfdLock | Lease)
    }
}

/// How sure a wait edge is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The kernel or the lock word itself says it.
    Certain,
    /// Follows from several facts read at one time.
    Derived,
    /// A heuristic, named in the evidence.
    Inferred,
    /// Nobody can tell from here.
    Unknown,
}

impl Certainty {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Certainty::Certain => "certain",
            Certainty::Derived => "derived",
            Certainty::Inferred => "inferred",
            Certainty::Unknown => "unknown",
        }
    }
}

/// Whether all holders must act or any one of them is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Every holder must act.
    All,
    /// One holder suffices.
    Any,
}

/// Whose a thing that is waited for is, where its kind alone does not tell how it is
/// laid out, or what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Make {
    /// What its kind says.
    #[default]
    Usual,
    /// The same, but recognised by what its waiter's code would do next: nothing has a
    /// name there.
    Nameless,
    /// Of musl.
    Musl,
    /// The same, but recognised by what its waiter's code would do next.
    MuslNameless,
    /// A mutex of `parking_lot`: one byte.
    ParkingLotMutex,
    /// A reader-writer lock of `parking_lot`: a word.
    ParkingLotRwLock,
    /// A condition variable of `parking_lot`.
    ParkingLotCondvar,
    /// A mutex of `parking_lot` that a condition variable may have let go of, and takes
    /// again: that its guard is alive does not mean that it is held.
    ParkingLotRelock,
    /// A one-time initialisation of `parking_lot`: one byte.
    ParkingLotOnce,
}

impl Make {
    /// Whether it is musl's.
    pub fn is_musls(self) -> bool {
        matches!(self, Make::Musl | Make::MuslNameless)
    }
}

/// Who must act for a wait to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: Pid,
    /// The thread, where a thread holds (a lock, a join); `None` where a
    /// process does (a pipe end, a file lock).
    pub tid: Option<Pid>,
}

/// One wait: the edge of the wait-for graph from a thread to its holders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "facts that do not follow from each other")]
pub struct Wait {
    /// What kind of thing is waited for.
    pub kind: WaitKind,
    /// The thing itself, in words: `pipe 48213`, `/var/lib/x.lock`.
    pub resource: Arc<str>,
    /// Whose it is.
    #[serde(default)]
    pub make: Make,
    /// The address of the lock or futex in the waiter.
    pub address: Option<u64>,
    /// Who must act; empty where nobody can be named.
    pub holders: Vec<Holder>,
    /// Somebody who cannot be seen may be able to act too: a process whose
    /// descriptors may not be read, an end that no process visibly has.
    #[serde(default)]
    pub partial: bool,
    /// Processes that hold nothing of it, and yet may end the wait: who has the waiter's
    /// own end of a socket open may shut it down. One that can act keeps the wait from
    /// being called dead; as holders they are not named.
    #[serde(default)]
    pub besides: Vec<Pid>,
    /// Only what another thread of its own process does can end it: its futex is private to
    /// the process, or it waits for a thread of it to end, or for a signal that it has no
    /// handler for.
    #[serde(default)]
    pub within: bool,
    /// The holders hold nothing of it, but are in front of the waiter: writers, whom a lock
    /// lets go before new readers.
    #[serde(default)]
    pub queued: bool,
    /// All of them or any one.
    pub mode: Mode,
    /// Whether the wait ends by itself.
    pub timed: bool,
    /// Since when, on `CLOCK_MONOTONIC`: the moment it was first seen, or
    /// earlier where the kernel tells.
    pub since: Option<Nanos>,
    /// It may have begun before: it was there when it was first seen.
    #[serde(default)]
    pub at_least: bool,
    /// How sure.
    pub certainty: Certainty,
    /// The facts behind it, one sentence each.
    pub evidence: Vec<String>,
    /// The holder no longer exists: nobody will ever act.
    pub orphaned: bool,
    /// The line of source, `src/main.rs:42 in transfer`, where that was looked for
    /// and is known.
    #[serde(default)]
    pub at: Option<Arc<str>>,
}

impl Wait {
    /// A wait of which only the kind and the resource are known yet: no
    /// holders, any-of, untimed, certain.
    pub fn new(kind: WaitKind, resource: impl Into<Arc<str>>) -> Self {
        Wait {
            kind,
            resource: resource.into(),
            make: Make::Usual,
            address: None,
            holders: Vec::new(),
            partial: false,
            besides: Vec::new(),
            within: false,
            queued: false,
            mode: Mode::Any,
            timed: false,
            since: None,
            at_least: false,
            certainty: Certainty::Certain,
            evidence: Vec::new(),
            orphaned: false,
            at: None,
        }
    }

    /// How long it has lasted, as `words` say it: `3m12`, or `≥5m52` where it may have begun
    /// before it was seen.
    pub fn age(&self, now: Nanos, words: fn(Nanos) -> String) -> Option<String> {
        Some(at_least(self.at_least) + &words(now.since(self.since?)))
    }

    /// A wait to be changed, for whoever else shares it as it was. Compiled once: copying a wait
    /// takes a kilobyte of code.
    #[inline(never)]
    pub fn of_ones_own(shared: &mut Arc<Wait>) -> &mut Wait {
        Arc::make_mut(shared)
    }

    /// Adds processes that may end it without holding anything, but for its holders.
    pub fn add_besides(&mut self, pids: impl IntoIterator<Item = Pid>) {
        let held = |pid: Pid| self.holders.contains(&Holder { pid, tid: None });
        self.besides.extend(pids.into_iter().filter(|&pid| !held(pid)));
        self.besides.sort_unstable();
        self.besides.dedup();
    }

    /// What the holders are to it: `held by`, `traced by`, `behind`.
    pub fn relation(&self) -> &'static str {
        match self.kind {
            _ if self.queued => "behind",
            WaitKind::ThreadJoin | WaitKind::Waitpid | WaitKind::Vfork => "which is",
            WaitKind::Ptrace => "traced by",
            // A child or a pidfd's process is at no end of anything.
            WaitKind::Poll | WaitKind::Select | WaitKind::Epoll | WaitKind::Signal | WaitKind::Eventfd => "it is up to",
            // One whose holder is known passes priorities on.
            WaitKind::Futex => "held by",
            kind if kind.is_lock() => "held by",
            _ => match self.mode {
                Mode::All => "for all of",
                Mode::Any => "at the other end",
            },
        }
    }
}

/// What stands before an age that is but a bound.
pub fn at_least(is_bound: bool) -> String {
    if is_bound { "≥".to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_no_age() {
        let mut wait = Wait::new(WaitKind::Sleep, "");
        assert_eq!(wait.age(Nanos::from_secs(200), Nanos::age), None);
        wait.since = Some(Nanos::from_secs(8));
        assert_eq!(wait.age(Nanos::from_secs(200), Nanos::age).unwrap(), "3m12");
        wait.at_least = true;
        assert_eq!(wait.age(Nanos::from_secs(200), Nanos::rough_age).unwrap(), "≥3m00");
    }
}
