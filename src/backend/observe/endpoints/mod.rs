//! Who has which end of a pipe, a socket or a pseudo-terminal open.
//!
//! An index over the descriptors of all processes that may be read
//! (`/proc/PID/fd`), and the kernel's word on which Unix sockets are connected
//! ([`diag`]). Building it means reading every descriptor of the machine, so
//! [`World::ends`](super::wait::World::ends) does it only for a decoder that
//! asks, and keeps it for a while. A process whose descriptors may not be read
//! can hold any end: [`Ends::unreadable`].
//!
//! Who did not run has opened and closed nothing, so an index is renewed
//! ([`Ends::renew`]) by reading only those whose CPU clock moved.

mod files;
mod listing;
mod names;
mod ring;
mod terminal;

use std::collections::HashMap;
use std::sync::OnceLock;

use rustix::io::Errno;

pub use self::files::{of_fifo, of_file, with_link, with_name, with_name_in};
use self::listing::{access_of, descriptors_of, hidden, numbers};
pub(super) use self::listing::{access_of_path, inode_in, is_fifo};
pub(super) use self::names::words;
pub(super) use self::ring::{RING, is_at_work, registered};
use self::terminal::registered_terminal;
pub use self::terminal::{Side, TerminalEnd, index_of, slave_at, terminal};
use crate::model::{Nanos, Pid, sorting};
use crate::sys::procroot::ProcRoot;
use crate::sys::{clock, diag};

/// How a descriptor may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
}

impl Access {
    /// Both ways, or whatever way nobody tells.
    pub const BOTH: Access = Access { read: true, write: true };
}

/// One open end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// The process that has it.
    pub pid: Pid,
    /// The thread in whose table of descriptors it is: the main thread, but for
    /// a thread with a table of its own (`CLONE_FILES` left out), or where the
    /// main thread has ended.
    pub tid: Pid,
    /// Its descriptor.
    pub fd: i32,
    /// What it may do there.
    pub access: Access,
    /// The descriptor is an `io_uring` that has the end registered
    /// (`io_uring_register_files(3)`), not the end itself.
    pub ring: bool,
}

/// Ends by what they are of: an inode, a pseudo-terminal.
#[derive(Debug)]
struct By<K> {
    keys: Vec<K>,
    ends: Vec<End>,
}

impl<K> Default for By<K> {
    fn default() -> Self {
        By { keys: Vec::new(), ends: Vec::new() }
    }
}

impl<K: Ord + Copy> By<K> {
    fn new(mut pairs: Vec<(K, End)>) -> Self {
        sorting::by(&mut pairs, Ord::cmp);
        let (keys, ends) = pairs.into_iter().unzip();
        By { keys, ends }
    }

    fn of(&self, key: K) -> &[End] {
        let from = self.keys.partition_point(|&other| other < key);
        let to = self.keys.partition_point(|&other| other <= key);
        &self.ends[from..to]
    }
}

/// What one process has open.
#[derive(Debug)]
struct Holder {
    pid: Pid,
    /// Its CPU time just before its descriptors were read.
    ran: Option<Nanos>,
    readable: bool,
    pipes: Vec<(u64, End)>,
    sockets: Vec<(u64, End)>,
    terminals: Vec<(TerminalEnd, End)>,
}

/// By inode, the Unix sockets, and where those of them wait that nobody has accepted.
type UnixSockets = (HashMap<u64, diag::UnixSocket>, Vec<(u64, u64)>);

/// All open ends of pipes, sockets and pseudo-terminals, at one time.
#[derive(Debug)]
pub struct Ends {
    at: Nanos,
    /// Whether the processes listed here have CPU clocks.
    clocks: bool,
    holders: Vec<Holder>,
    pipes: By<u64>,
    sockets: By<u64>,
    terminals: By<TerminalEnd>,
    unreadable: Vec<Pid>,
    unix: OnceLock<Result<UnixSockets, String>>,
    real: bool,
}

impl Ends {
    /// Reads the descriptors of all processes.
    ///
    /// # Errors
    /// Where the proc file system itself cannot be listed.
    pub fn read(root: &ProcRoot) -> Result<Self, Errno> {
        let mut ends = Ends {
            at: Nanos::ZERO,
            clocks: root.has_our_numbers(),
            holders: Vec::new(),
            pipes: By::default(),
            sockets: By::default(),
            terminals: By::default(),
            unreadable: Vec::new(),
            unix: OnceLock::new(),
            real: root.is_real(),
        };
        ends.renew(root)?;
        Ok(ends)
    }

    /// Brings it up to date: reads those that ran since, and the new ones.
    ///
    /// # Errors
    /// As [`Ends::read`]; it is as it was then.
    pub fn renew(&mut self, root: &ProcRoot) -> Result<(), Errno> {
        let mut pids = Vec::new();
        numbers(root.directory(), ".", &mut pids)?;
        pids.sort_unstable();
        self.at = clock::monotonic();
        self.unix = OnceLock::new();
        let mut known = std::mem::take(&mut self.holders).into_iter().peekable();
        let (mut kept, before) = (0, known.len());
        for &pid in &pids {
            while known.next_if(|holder| holder.pid < pid).is_some() {}
            let ran = if self.clocks { clock::cpu_of_process(pid).ok() } else { None };
            let holder = known.next_if(|holder| holder.pid == pid);
            let still = holder.filter(|holder| ran.is_some() && holder.ran == ran);
            kept += usize::from(still.is_some());
            self.holders.push(still.unwrap_or_else(|| Holder::read(root, pid, ran)));
        }
        if (kept, kept) != (before, pids.len()) {
            self.pipes = By::new(self.holders.iter().flat_map(|holder| holder.pipes.iter().copied()).collect());
            self.sockets = By::new(self.holders.iter().flat_map(|holder| holder.sockets.iter().copied()).collect());
            self.terminals = By::new(self.holders.iter().flat_map(|holder| holder.terminals.iter().copied()).collect());
            self.unreadable = self.holders.iter().filter(|holder| !holder.readable).map(|holder| holder.pid).collect();
            self.unreadable.extend(hidden(root, &pids));
        }
        Ok(())
    }

    /// When it was read, on `CLOCK_MONOTONIC`.
    pub fn at(&self) -> Nanos {
        self.at
    }

    /// The open ends of the anonymous pipe with this inode, both kinds.
    pub fn of_pipe(&self, inode: u64) -> &[End] {
        self.pipes.of(inode)
    }

    /// The descriptors open on the socket with this inode.
    pub fn of_socket(&self, inode: u64) -> &[End] {
        self.sockets.of(inode)
    }

    /// The descriptors open on this end of a pseudo-terminal, and those that may be, for
    /// all that is known of them.
    pub fn of_terminal(&self, end: TerminalEnd) -> (&[End], impl Iterator<Item = &End>) {
        (self.terminals.of(end), end.unsure().into_iter().flat_map(|unsure| self.terminals.of(unsure)))
    }

    /// What the kernel tells of a Unix socket; `None` for one that is of another
    /// kind or of another network namespace, and on a kernel that does not tell.
    pub fn unix_socket(&self, inode: u64) -> Option<&diag::UnixSocket> {
        self.unix_sockets().as_ref().ok()?.0.get(&inode)
    }

    /// The inode of the listening socket at which the connected Unix socket with this inode
    /// waits to be accepted, if it does.
    pub fn unix_waits_at(&self, inode: u64) -> Option<u64> {
        let (_, waiting) = self.unix_sockets().as_ref().ok()?;
        waiting.iter().find(|(client, _)| *client == inode).map(|(_, server)| *server)
    }

    /// The Unix socket that is bound to this path and is `wanted`: the lower half of the
    /// path's inode, and its device as the kernel numbers it.
    pub fn unix_at(&self, bound: (u32, u32), wanted: impl Fn(&diag::UnixSocket) -> bool) -> Option<diag::UnixSocket> {
        let mut all = self.unix_sockets().as_ref().ok()?.0.values();
        all.find(|socket| socket.bound == Some(bound) && wanted(socket)).copied()
    }

    /// The Unix socket that has this name, which is in no file system (`unix(7)`) and
    /// begins with a NUL, and that is `wanted`.
    pub fn unix_named(&self, name: &[u8], wanted: impl Fn(&diag::UnixSocket) -> bool) -> Option<diag::UnixSocket> {
        let all = self.unix_sockets().as_ref().ok()?.0.values();
        let mut names = diag::UnixNames::open().ok()?;
        let mut nowhere = all.filter(|socket| socket.bound.is_none() && wanted(socket));
        nowhere.find(|socket| names.of(socket.inode).as_deref() == Some(name)).copied()
    }

    /// The sockets of all kinds that anybody has open, each with the descriptors open on it.
    pub fn of_sockets(&self) -> impl Iterator<Item = (u64, &[End])> {
        let inodes = self.sockets.keys.chunk_by(PartialEq::eq).map(|same| same[0]);
        inodes.map(|inode| (inode, self.of_socket(inode)))
    }

    /// Why the kernel does not tell of Unix sockets, if so.
    pub fn unix_fault(&self) -> Option<&str> {
        self.unix_sockets().as_ref().err().map(String::as_str)
    }

    /// Processes whose descriptors may not be read, kernel threads and zombies
    /// left out: any of them may hold any end.
    pub fn unreadable(&self) -> &[Pid] {
        &self.unreadable
    }

    fn unix_sockets(&self) -> &Result<UnixSockets, String> {
        self.unix.get_or_init(|| {
            if !self.real {
                return Err("this is not the kernel's own /proc".to_owned());
            }
            match diag::unix_sockets() {
                Ok(diag::UnixSockets { all, waiting }) => {
                    Ok((all.into_iter().map(|socket| (socket.inode, socket)).collect(), waiting))
                }
                Err(error) => Err(format!("asking the kernel for Unix sockets (sock_diag): {error}")),
            }
        })
    }
}

impl Holder {
    fn read(root: &ProcRoot, pid: Pid, ran: Option<Nanos>) -> Self {
        let (mut pipes, mut sockets, mut terminals) = (Vec::new(), Vec::new(), Vec::new());
        let readable = descriptors_of(root, pid, |directory, tid, fd, link| {
            if let Some(inode) = inode_in(link, b"pipe:[") {
                let access = access_of(directory, fd);
                pipes.push((inode, End { pid, tid, fd, access, ring: false }));
            } else if let Some(inode) = inode_in(link, b"socket:[") {
                sockets.push((inode, End { pid, tid, fd, access: Access::BOTH, ring: false }));
            } else if link == RING {
                let end = End { pid, tid, fd, access: Access::BOTH, ring: true };
                for link in registered(root, &end) {
                    pipes.extend(inode_in(&link, b"pipe:[").map(|inode| (inode, end)));
                    sockets.extend(inode_in(&link, b"socket:[").map(|inode| (inode, end)));
                    terminals.extend(registered_terminal(&link).map(|terminal| (terminal, end)));
                }
            } else if let Some(terminal) = terminal(root, (pid, tid), fd, link) {
                terminals.push((terminal, End { pid, tid, fd, access: Access::BOTH, ring: false }));
            }
        });
        pipes.shrink_to_fit();
        sockets.shrink_to_fit();
        terminals.shrink_to_fit();
        Holder { pid, ran, readable, pipes, sockets, terminals }
    }
}

#[cfg(test)]
mod tests;
