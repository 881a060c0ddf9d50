//! Descriptors in flight: sent in a message of a Unix socket (`SCM_RIGHTS`, unix(7)) that
//! nobody has received yet. No process has them open; whoever receives them will.
//!
//! ```text
//! fdinfo of the socket   scm_fds: 2        how many wait in its queue, or, where it listens, in those
//!                                          of connections not yet accepted
//! its first message      inodes            which files these are
//! ```

use std::sync::Arc;

use super::World;
use crate::backend::observe::endpoints::End;
use crate::backend::program;
use crate::model::Pid;
use crate::sys::diag::LISTENING;

/// Who may receive a descriptor that is in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend::observe::wait) struct Receiver {
    pub(in crate::backend::observe::wait) pid: Pid,
    /// The socket in whose queue it may be; or that listens, where it may be in that of a
    /// connection which waits to be accepted.
    fd: i32,
    listens: bool,
    /// Whether a file of its inode was seen there, rather than one that could not be looked at.
    seen: bool,
}

impl Receiver {
    /// Whether it is as good as had already: a loop that this process is in ends nevertheless.
    /// Who is in one itself accepts nobody any more, and receives nothing.
    pub(in crate::backend::observe::wait) fn has(&self) -> bool {
        self.seen && !self.listens
    }

    /// In words, of an end that may be in flight.
    pub(in crate::backend::observe::wait) fn words(&self, role: &str) -> String {
        let Receiver { pid, fd, .. } = self;
        let how = if self.listens { "by a connection that it accepts by" } else { "by" };
        format!("{role} may be in flight in a message, which process {pid} can receive {how} its fd {fd}")
    }
}

/// What is in flight to one socket.
#[derive(Debug)]
pub(super) struct Queue {
    /// Who has it open, and as which descriptor.
    open: Vec<(Pid, i32)>,
    listens: bool,
    /// Of which files those descriptors are that could be looked at.
    inodes: Vec<u64>,
    /// Whether there are others.
    more: bool,
}

impl Queue {
    fn receivers(&self, inode: u64) -> impl Iterator<Item = Receiver> {
        let seen = self.inodes.contains(&inode);
        let open = self.open.iter().filter(move |_| seen || self.more);
        open.map(move |&(pid, fd)| Receiver { pid, fd, listens: self.listens, seen })
    }
}

impl World {
    /// Who may receive a descriptor of the file with this inode. Looked for only before
    /// somebody is called stuck: it takes a copy of each socket with any for a moment.
    pub(in crate::backend::observe::wait) fn receivers_of(&mut self, inode: u64) -> Vec<Receiver> {
        if !self.is_thorough() {
            return Vec::new();
        }
        let all = self.queues.take().unwrap_or_else(|| self.find_queues());
        self.queues = Some(all.clone());
        all.iter().flat_map(|queue| queue.receivers(inode)).collect()
    }

    fn find_queues(&mut self) -> Arc<[Queue]> {
        let mut found = Vec::new();
        let _ = self.ends();
        let Some(ends) = &self.ends else { return Arc::default() };
        let mut content = Vec::new();
        // Of other network namespaces, too, whose sockets the kernel does not list.
        for (inode, open) in ends.of_sockets() {
            let socket = ends.unix_socket(inode);
            let queue = |inodes: Vec<u64>, more| {
                let open = open.iter().map(|end| (end.pid, end.fd)).collect();
                Queue { open, listens: socket.is_some_and(|socket| socket.state == LISTENING), inodes, more }
            };
            if open.iter().all(|end| end.ring) {
                // How many there are is not told, and nobody can look.
                found.extend(socket.filter(|socket| socket.unread).map(|_| queue(Vec::new(), true)));
                continue;
            }
            let mut read = |end: &&End| {
                let file = format!("{}/task/{}/fdinfo/{}", end.pid, end.tid, end.fd);
                !end.ring && self.root.read_into(&file, &mut content).is_ok()
            };
            let Some(first) = open.iter().find(&mut read) else { continue };
            let waiting = count(&content);
            if waiting == 0 || program::is_janitor(&self.root, first.pid) {
                continue;
            }
            let inodes = self.source.in_flight(first.tid, first.fd).unwrap_or_default();
            // Nobody can look into the queue of a socket that is in flight itself.
            let sockets = inodes.iter().any(|&inode| ends.unix_socket(inode).is_some());
            let more = waiting > inodes.len() || sockets;
            found.push(queue(inodes, more));
        }
        found.into()
    }
}

/// How many descriptors wait in the queue of a Unix socket, as its `fdinfo` tells; the
/// kernel does since Linux 5.6.
fn count(content: &[u8]) -> usize {
    let mut lines = content.split(|&byte| byte == b'\n');
    let line = lines.find_map(|line| line.strip_prefix(b"scm_fds:"));
    line.and_then(|number| str::from_utf8(number).ok()?.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_could_not_be_looked_at_may_be_of_any_file() {
        let queue =
            |inodes: &[u64], more, listens| Queue { open: vec![(7, 3), (8, 4)], listens, inodes: inodes.into(), more };
        let of = |queue: &Queue, inode| {
            queue.receivers(inode).map(|receiver| (receiver.pid, receiver.has())).collect::<Vec<_>>()
        };
        let all_seen = queue(&[77], false, false);
        assert_eq!(of(&all_seen, 77), [(7, true), (8, true)]);
        assert_eq!(of(&all_seen, 78), []);
        assert_eq!(of(&queue(&[77], true, false), 78), [(7, false), (8, false)]);
        assert_eq!(of(&queue(&[77], false, true), 77), [(7, false), (8, false)], "nobody has it yet");
    }

    #[test]
    fn how_many_are_in_flight_is_told_by_the_sockets_own_file() {
        assert_eq!(count(b"pos:\t0\nino:\t77\nscm_fds: 2\n"), 2);
        assert_eq!(count(b"pos:\t0\nino:\t77\nscm_fds: 0\n"), 0);
        assert_eq!(count(b"pos:\t0\n"), 0);
    }
}
