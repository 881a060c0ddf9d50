//! Descriptors in flight: sent in a message of a Unix socket (`SCM_RIGHTS`, unix(7)) that
//! nobody has received yet. No process has them open; whoever receives them will.
//!
//! ```text
//! fdinfo of the socket   scm_fds: 2        how many wait in its queue
//! its first message      inodes            which files these are
//! ```

use std::sync::Arc;

use super::World;
use crate::backend::observe::endpoints::End;
use crate::model::Pid;

/// Who may receive descriptors that are in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::backend::observe::wait) struct Receiver {
    pid: Pid,
    /// The socket in whose queue they are.
    fd: i32,
    /// Of which files those are that could be looked at.
    inodes: Vec<u64>,
    /// How many could not be.
    unseen: usize,
    /// Who has the other end of that socket.
    senders: Vec<Pid>,
}

impl Receiver {
    /// Whether a descriptor of this file may be among them. One that could not be looked
    /// at was sent by somebody who has an end of it, or to somebody who has: `near`.
    fn may_have(&self, inode: u64, near: &[Pid]) -> bool {
        let is_near = |pid: &Pid| near.contains(pid);
        self.inodes.contains(&inode) || self.unseen > 0 && (is_near(&self.pid) || self.senders.iter().any(is_near))
    }

    /// In words, of an end that may be among them.
    pub(in crate::backend::observe::wait) fn words(&self, role: &str) -> String {
        let Receiver { pid, fd, .. } = self;
        format!("{role} may be in flight in a message, which process {pid} can receive by its fd {fd}")
    }
}

impl World {
    /// Who may receive a descriptor of the file with this inode, of which the processes
    /// `near` have ends. Looked for only before somebody is called stuck: it takes a copy
    /// of a socket for a moment.
    pub(in crate::backend::observe::wait) fn receivers_of(&mut self, inode: u64, near: &[Pid]) -> Vec<Receiver> {
        if !self.is_thorough() {
            return Vec::new();
        }
        let all = self.receivers.take().unwrap_or_else(|| self.find_receivers());
        self.receivers = Some(all.clone());
        all.iter().filter(|receiver| receiver.may_have(inode, near)).cloned().collect()
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
            let unseen = waiting.saturating_sub(inodes.len());
            let senders: Vec<Pid> = ends.peer_of_unix(inode).unwrap_or_default().iter().map(|end| end.pid).collect();
            let receiver = |end: &End| {
                let (inodes, senders) = (inodes.clone(), senders.clone());
                Receiver { pid: end.pid, fd: end.fd, inodes, unseen, senders }
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
        let receiver =
            |inodes: &[u64], unseen| Receiver { pid: 7, fd: 3, inodes: inodes.into(), unseen, senders: vec![8] };
        let all_seen = receiver(&[77], 0);
        assert!(all_seen.may_have(77, &[]) && !all_seen.may_have(78, &[7, 8]));
        let some = receiver(&[77], 1);
        assert!(some.may_have(78, &[9, 7]) && some.may_have(78, &[8]));
        assert!(!some.may_have(78, &[9]), "neither sent by one who has it nor to one");
    }

    #[test]
    fn how_many_are_in_flight_is_told_by_the_sockets_own_file() {
        assert_eq!(count(b"pos:\t0\nino:\t77\nscm_fds: 2\n"), 2);
        assert_eq!(count(b"pos:\t0\nino:\t77\nscm_fds: 0\n"), 0);
        assert_eq!(count(b"pos:\t0\n"), 0);
    }
}
