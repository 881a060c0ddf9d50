//! Indexes of the whole machine, built when a decoder asks for them.

use std::sync::Arc;

use rustix::fs::readlinkat_raw;
use rustix::io::Errno;

use super::{ENDS_FRESH, INET_FRESH, World};
use crate::backend::observe::endpoints::{self, Ends, inode_in};
use crate::backend::observe::file_locks::FileLocks;
use crate::backend::observe::inet::InetSockets;
use crate::backend::observe::wait::Facts;
use crate::model::{Nanos, Pid};
use crate::sys::clock;

impl World {
    /// The open ends of all pipes and sockets.
    ///
    /// # Errors
    /// Where the proc file system cannot be listed.
    pub fn ends(&mut self) -> Result<&Ends, Errno> {
        let ends = match self.ends.take() {
            Some(mut ends) if self.ends_outdated => {
                ends.renew(&self.root)?;
                ends
            }
            Some(ends) => ends,
            None => Ends::read(&self.root)?,
        };
        self.ends_outdated = false;
        Ok(self.ends.insert(ends))
    }

    /// As [`World::ends`], but an index from before this scan is read anew: for
    /// a thing that the kept one does not have.
    ///
    /// # Errors
    /// As [`World::ends`].
    pub fn new_ends(&mut self) -> Result<&Ends, Errno> {
        let now = clock::monotonic();
        self.ends_outdated |= self.ends.as_ref().is_some_and(|ends| now.0.saturating_sub(ends.at().0) > ENDS_FRESH.0);
        self.ends()
    }

    /// The internet sockets of the network namespace of process `pid`, as this
    /// scan has read them.
    pub fn inet(&mut self, pid: Pid) -> Arc<InetSockets> {
        let namespace = self.network_namespace(pid);
        let root = &self.root;
        self.inet.entry(namespace).or_insert_with(|| Arc::new(InetSockets::read(root, pid))).clone()
    }

    /// As [`World::inet`], but read anew unless just read: for a socket that the
    /// kept ones lack.
    pub fn new_inet(&mut self, pid: Pid) -> Arc<InetSockets> {
        let known = self.inet(pid);
        if clock::monotonic().0.saturating_sub(known.at().0) < INET_FRESH.0 {
            return known;
        }
        let namespace = self.network_namespace(pid);
        let new = Arc::new(InetSockets::read(&self.root, pid));
        self.inet.insert(namespace, new.clone());
        new
    }

    /// The inode of its network namespace; one that may not be read is taken for
    /// a namespace of its own.
    fn network_namespace(&self, pid: Pid) -> u64 {
        let mut link = [0; 64];
        let path = format!("{pid}/ns/net");
        let length = readlinkat_raw(self.root.directory(), path.as_str(), &mut link[..]).unwrap_or(0);
        inode_in(&link[..length], b"net:[").unwrap_or(pid as u64)
    }

    /// The time-out that a process has set on its socket, for receiving or for sending, where
    /// that is asked for, or for its connection (`TCP_USER_TIMEOUT`, tcp(7)); looked for only
    /// before somebody is called stuck, since it takes a copy of the descriptor for a moment.
    pub(in crate::backend::observe::wait) fn socket_limit(
        &self,
        pid: Pid,
        fd: i32,
        receives: Option<bool>,
    ) -> Option<Nanos> {
        self.is_thorough().then(|| self.source.socket_limit(pid, fd, receives)).flatten()
    }

    /// How long a read of a terminal may last that a process has open, by what the terminal
    /// is set to (VTIME, `termios(3)`); looked for only before somebody is called stuck, as
    /// the time-out of a socket.
    pub(in crate::backend::observe::wait) fn terminal_limit(&self, pid: Pid, fd: i32) -> Option<Nanos> {
        self.is_thorough().then(|| self.source.terminal_limit(pid, fd)).flatten()
    }

    /// The processes that have the socket with this inode open, or may receive it: each may shut it down, and
    /// so end a wait for it in any other.
    pub(in crate::backend::observe::wait) fn may_shut_down(&mut self, inode: u64) -> Vec<Pid> {
        if !self.is_precise() {
            return Vec::new();
        }
        let has = self.ends().map(|ends| ends.of_socket(inode).iter().map(|end| end.pid).collect());
        let mut pids: Vec<Pid> = has.unwrap_or_default();
        pids.extend(self.receivers_of(inode).iter().map(|receiver| receiver.pid));
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    /// Whether two descriptors, each given by its thread and number, stand for the same
    /// open file; `None` where the kernel does not tell.
    pub(in crate::backend::observe::wait) fn shares_open_file(
        &self,
        one: (Pid, i32),
        other: (Pid, i32),
    ) -> Option<bool> {
        self.source.shares_open_file(one, other)
    }

    /// Whether two processes share their table of descriptors (`CLONE_FILES`), for all that
    /// the kernel tells.
    pub(in crate::backend::observe::wait) fn shares_table(&self, one: Pid, other: Pid) -> bool {
        one == other || self.source.shares_table(self.through(one), self.through(other)) == Some(true)
    }

    /// All processes that share the table of descriptors of this one, itself among them. To
    /// find them every process is asked.
    pub(in crate::backend::observe::wait) fn with_table_of(&self, pid: Pid) -> Vec<Pid> {
        let mut pids = self.numbers_in(".");
        pids.retain(|&other| self.shares_table(pid, other));
        pids
    }

    /// Other processes that have the same open file as the thread has as `fd`, whose link is
    /// this; and how many more may have it, for all that the kernel tells. To find them every
    /// descriptor of the machine is looked at.
    pub(in crate::backend::observe::wait) fn sharers(
        &self,
        facts: &Facts<'_>,
        fd: i32,
        link: &[u8],
    ) -> (Vec<Pid>, usize) {
        let (mut found, mut untold) = (Vec::new(), 0);
        let hidden = endpoints::with_link(&self.root, link, |pid, tid, other| {
            if pid != facts.pid && !found.contains(&pid) {
                match self.shares_open_file((facts.tid, fd), (tid, other)) {
                    Some(true) => found.push(pid),
                    Some(false) => {}
                    None => untold += 1,
                }
            }
        });
        (found, untold + hidden.map_or(1, |pids| pids.len()))
    }

    /// Whether a descriptor, given by its thread and number, is what an epoll instance of
    /// the same thread has registered as the `nth` by that number; `None` where the kernel
    /// does not tell.
    pub(in crate::backend::observe::wait) fn is_registered(
        &self,
        one: (Pid, i32),
        epoll: i32,
        nth: u32,
    ) -> Option<bool> {
        self.source.is_registered(one, epoll, nth)
    }

    /// The file locks of this scan.
    ///
    /// # Errors
    /// Where `/proc/locks` cannot be read.
    pub fn file_locks(&mut self) -> Result<Arc<FileLocks>, Errno> {
        let root = &self.root;
        self.file_locks.get_or_insert_with(|| FileLocks::read(root).map(Arc::new)).clone()
    }
}
