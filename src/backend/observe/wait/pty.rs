//! Who is at the other end of a pseudo-terminal (`pty(7)`).
//!
//! ```text
//! thread ─ slave /dev/pts/3 ◄══► master ─ whoever has it open: sshd, tmux, a test's harness
//! ```
//!
//! Each end waits for the other: for input, or for room. Besides, a terminal is hung up
//! when the leader of its session ends, and whoever has the slave open may throw away what
//! waits in it (`tcflush(3)`).

use rustix::io::Errno;

use super::descriptor::Others;
use super::{Facts, World};
use crate::backend::observe::endpoints::{self, End, Side, TerminalEnd};
use crate::model::Pid;
use crate::model::wait::{Certainty, Wait};

/// The pseudo-terminal behind a descriptor of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The thread's end.
    own: TerminalEnd,
    /// It was opened as `/dev/tty`: which terminal that was then is told by the one that
    /// the process has now.
    supposed: bool,
}

/// Who has the other end.
#[derive(Debug)]
pub(super) struct OtherEnd {
    /// Those that are known to.
    pub(super) others: Others,
    /// In words, those of whom it cannot be told.
    pub(super) unsure: Vec<String>,
    /// What they have.
    pub(super) role: &'static str,
}

impl Line {
    /// The pseudo-terminal behind descriptor `fd`, whose link says `path`.
    pub(super) fn of(facts: &Facts<'_>, world: &World, fd: i32, path: &[u8]) -> Option<Self> {
        if path != b"/dev/tty" {
            let own = endpoints::terminal(&world.root, (facts.pid, facts.tid), fd, path)?;
            return Some(Line { own, supposed: false });
        }
        let index = world.controlling_terminal(facts.pid)?;
        let own = endpoints::slave_at(&world.root, &format!("{}/root/dev/pts/{index}", facts.pid))?;
        (own.index == index).then_some(Line { own, supposed: true })
    }

    /// Whether the thread has the slave.
    pub(super) fn is_slave(self) -> bool {
        self.own.side == Side::Slave
    }

    /// `the master of /dev/pts/3 (fd 4)`.
    pub(super) fn words(self, fd: i32) -> String {
        let index = self.own.index;
        match self.own.side {
            _ if self.supposed => format!("/dev/tty, which is /dev/pts/{index} (fd {fd})"),
            Side::Slave => format!("/dev/pts/{index} (fd {fd})"),
            Side::Master => format!("the master of /dev/pts/{index} (fd {fd})"),
        }
    }

    /// Who has the other end open.
    ///
    /// # Errors
    /// Where the proc file system cannot be listed.
    pub(super) fn other_end(self, facts: &Facts<'_>, world: &mut World) -> Result<OtherEnd, Errno> {
        let mut found = self.open(world, false)?;
        // The kept index may be older than this terminal.
        if found.others.ends.is_empty() && found.unsure.is_empty() {
            found = self.open(world, true)?;
        }
        if self.supposed {
            let own = "it was opened as /dev/tty: whether the process's terminal was this one then cannot be told";
            found.unsure.push(own.to_owned());
        }
        // Who has the master, and keeps the slave open too, waits for others to come.
        found.others.welcomes = !self.is_slave() && found.others.ends.iter().any(|end| end.pid == facts.pid);
        Ok(found)
    }

    fn open(self, world: &mut World, anew: bool) -> Result<OtherEnd, Errno> {
        let other = self.own.other();
        let index = if anew { world.new_ends()? } else { world.ends()? };
        let unreadable = index.unreadable().len();
        let (ends, unsure) = index.of_terminal(other);
        let words = |end: &End| {
            let End { pid, fd, .. } = end;
            format!("process {pid} has a terminal open as fd {fd}, of which it cannot be told whether it is this one")
        };
        let (mut ends, unsure): (Vec<End>, Vec<String>) = (ends.to_vec(), unsure.map(words).collect());
        ends.retain(|end| is_end(world, end, other));
        let receivers = world.receivers_of(file_of(world, &ends));
        let role = if self.is_slave() { "the master end" } else { "the slave end" };
        Ok(OtherEnd { others: Others { ends, unreadable, receivers, welcomes: false }, unsure, role })
    }

    /// Who has no part of the other end, and might yet end a wait at this one.
    pub(super) fn besides(self, world: &mut World) -> Vec<Pid> {
        let mut pids = world.controlled_by(self.own.index).to_vec();
        if self.is_slave() {
            let ends = world.ends().map(|ends| ends.of_terminal(self.own).0.to_vec()).unwrap_or_default();
            pids.extend(ends.iter().map(|end| end.pid));
        }
        pids
    }
}

/// Names whoever has the other end as the holders of an any-of wait.
pub(super) fn name(facts: &Facts<'_>, world: &mut World, line: Line, wait: &mut Wait) {
    match line.other_end(facts, world) {
        Ok(OtherEnd { others, unsure, role }) => {
            others.name(facts, world, role, wait);
            wait.partial |= !unsure.is_empty();
            wait.evidence.extend(unsure.into_iter().take(2));
        }
        Err(error) => {
            wait.certainty = Certainty::Unknown;
            wait.partial = true;
            wait.evidence.push(format!("who has its other end open cannot be read: {error}"));
        }
    }
    if world.is_precise() {
        let besides = line.besides(world);
        let others = besides.iter().filter(|&&pid| pid != facts.pid);
        if let Some(pid) = others.clone().next().filter(|_| line.is_slave()) {
            let more = others.count().saturating_sub(1);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            wait.evidence
                .push(format!("process {pid}{more} uses this terminal too: the end of a session may hang it up"));
        }
        wait.add_besides(besides);
    }
}

/// Whether a descriptor still is what the index says.
fn is_end(world: &World, end: &End, terminal: TerminalEnd) -> bool {
    let path = format!("{}/task/{}/fd/{}", end.pid, end.tid, end.fd);
    let mut link = [0; 512];
    let read = rustix::fs::readlinkat_raw(world.root.directory(), path.as_str(), &mut link[..]);
    let now = |length: usize| endpoints::terminal(&world.root, (end.pid, end.tid), end.fd, &link[..length]);
    read.is_ok_and(|length| now(length) == Some(terminal))
}

/// The inode of the file that the first of these ends was opened by.
fn file_of(world: &World, ends: &[End]) -> u64 {
    let path = |end: &End| format!("{}/task/{}/fd/{}", end.pid, end.tid, end.fd);
    let status =
        |end: &End| rustix::fs::statat(world.root.directory(), path(end).as_str(), rustix::fs::AtFlags::empty()).ok();
    ends.first().and_then(status).map_or(0, |status| status.st_ino)
}
