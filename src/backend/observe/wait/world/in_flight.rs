//! Descriptors in flight: sent in a message of a Unix socket (`SCM_RIGHTS`, unix(7)) that
//! nobody has received yet. No process has them open; whoever receives them will.
//!
//! ```text
//! fdinfo of the socket   scm_fds: 2        how many wait in its queue, or, where it listens, in those
//!                                          of connections not yet accepted
//! its first message      inodes            which files these are
//! ```

use std::cell::OnceCell;
use std::sync::Arc;

use super::World;
use crate::backend::observe::endpoints::End;
use crate::backend::observe::parse::Stat;
use crate::model::Pid;
use crate::sys::diag::LISTENING;

/// Who may receive descriptors that are in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend::observe::wait) struct Receiver {
    pub(in crate::backend::observe::wait) pid: Pid,
    /// The socket in whose queue they are; or that listens, where they are in those of
    /// connections that wait to be accepted.
    fd: i32,
    pub(in crate::backend::observe::wait) listens: bool,
    /// Of which files those are that could be looked at.
    inodes: Vec<u64>,
    /// How many could not be.
    unseen: usize,
    /// Who has the other end of that socket.
    senders: Vec<Pid>,
}

impl Receiver {
    /// Whether a descriptor of this file may be among them. One that could not be looked at was
    /// sent by somebody who has an end of it, or to somebody who has: who is `near`. Nobody has
    /// the queue of a connection that is not accepted yet: there who is `akin` counts, too.
    fn may_have(&self, inode: u64, near: &[Pid], akin: impl Fn(Pid) -> bool) -> bool {
        let is_near = |pid: &Pid| near.contains(pid);
        let may_be_sent = || is_near(&self.pid) || self.senders.iter().any(is_near) || self.listens && akin(self.pid);
        self.inodes.contains(&inode) || self.unseen > 0 && may_be_sent()
    }

    /// In words, of an end that may be among them.
    pub(in crate::backend::observe::wait) fn words(&self, role: &str) -> String {
        let Receiver { pid, fd, .. } = self;
        let how = if self.listens { "by a connection that it accepts by" } else { "by" };
        format!("{role} may be in flight in a message, which process {pid} can receive {how} its fd {fd}")
    }
}

impl World {
    /// Who may receive a descriptor of the file with this inode, of which the processes
    /// `near` have ends; who may accept a connection counts, too, if it is of one process group
    /// with any of them. Looked for only before somebody is called stuck: it takes a copy of
    /// a socket for a moment.
    pub(in crate::backend::observe::wait) fn receivers_of(&mut self, inode: u64, near: &[Pid]) -> Vec<Receiver> {
        if !self.is_thorough() {
            return Vec::new();
        }
        let all = self.receivers.take().unwrap_or_else(|| self.find_receivers());
        self.receivers = Some(all.clone());
        let group = |pid: Pid| {
            let mut content = Vec::new();
            self.root.read_into(&format!("{pid}/stat"), &mut content).ok()?;
            Some(Stat::parse(&content)?.pgrp)
        };
        let groups = OnceCell::new();
        let akin = |pid: Pid| {
            let groups: &Vec<i32> = groups.get_or_init(|| near.iter().filter_map(|pid| group(*pid)).collect());
            group(pid).is_some_and(|group| groups.contains(&group))
        };
        all.iter().filter(|receiver| receiver.may_have(inode, near, akin)).cloned().collect()
    }

    fn find_receivers(&mut self) -> Arc<[Receiver]> {
        let mut found = Vec::new();
        let _ = self.ends();
        let Some(ends) = &self.ends else { return Arc::default() };
        let mut content = Vec::new();
        for (inode, open) in ends.of_unix_sockets() {
            let Some(first) = open.iter().find(|end| !end.ring) else { continue };
            let file = format!("{}/task/{}/fdinfo/{}", first.pid, first.tid, first.fd);
            let read = self.root.read_into(&file, &mut content);
            let waiting = read.map_or(0, |()| count(&content));
            if waiting == 0 {
                continue;
            }
            let inodes = self.source.in_flight(first.tid, first.fd).unwrap_or_default();
            // Nobody can look into the queue of a socket that is in flight itself.
            let sockets = inodes.iter().filter(|&&inode| ends.unix_socket(inode).is_some()).count();
            let unseen = waiting.saturating_sub(inodes.len()) + sockets;
            let senders: Vec<Pid> = ends.peer_of_unix(inode).unwrap_or_default().iter().map(|end| end.pid).collect();
            let listens = ends.unix_socket(inode).is_some_and(|socket| socket.state == LISTENING);
            let receiver = |end: &End| {
                let (inodes, senders) = (inodes.clone(), senders.clone());
                Receiver { pid: end.pid, fd: end.fd, listens, inodes, unseen, senders }
            };
            found.extend(open.iter().map(receiver));
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
    fn one_that_could_not_be_looked_at_may_be_of_a_file_that_is_near() {
        let receiver = |inodes: &[u64], unseen| Receiver {
            pid: 7,
            fd: 3,
            listens: false,
            inodes: inodes.into(),
            unseen,
            senders: vec![8],
        };
        let (nobody, all) = (|_| false, |_| true);
        let all_seen = receiver(&[77], 0);
        assert!(all_seen.may_have(77, &[], nobody) && !all_seen.may_have(78, &[7, 8], all));
        let some = receiver(&[77], 1);
        assert!(some.may_have(78, &[9, 7], nobody) && some.may_have(78, &[8], nobody));
        assert!(!some.may_have(78, &[9], all), "neither sent by one who has it nor to one");
        let listening = Receiver { listens: true, ..some };
        assert!(listening.may_have(78, &[9], all) && !listening.may_have(78, &[9], nobody));
    }

    #[test]
    fn how_many_are_in_flight_is_told_by_the_sockets_own_file() {
        assert_eq!(count(b"pos:\t0\nino:\t77\nscm_fds: 2\n"), 2);
        assert_eq!(count(b"pos:\t0\nino:\t77\nscm_fds: 0\n"), 0);
        assert_eq!(count(b"pos:\t0\n"), 0);
    }
}
