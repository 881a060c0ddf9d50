//! What a descriptor of a blocked thread is, and who is at its other end.

use rustix::fs::{AtFlags, readlinkat_raw, statat};
use rustix::io::Errno;

use super::caught::{calls, catches, may_use};
use super::world::Receiver;
use super::{Facts, World};
use crate::backend::observe::endpoints::{self, Access, End};
use crate::backend::observe::privilege::{advice, may_trace};
use crate::model::text::visible;
use crate::model::wait::{Certainty, Holder, Wait};

/// What a descriptor's link says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// An anonymous pipe and its inode.
    Pipe(u64),
    /// A socket and its inode.
    Socket(u64),
    /// `anon_inode:[eventfd]`: the name within.
    Anonymous(String),
    /// Anything with a path.
    Path(Vec<u8>),
}

impl Target {
    /// What descriptor `fd` of the thread is.
    ///
    /// # Errors
    /// `EACCES` without permission, `ENOENT` where it is not open.
    pub(super) fn of(facts: &Facts<'_>, world: &World, fd: i32) -> Result<Self, Errno> {
        let path = format!("{}/task/{}/fd/{fd}", facts.pid, facts.tid);
        let mut link = [0; 4096];
        let length = readlinkat_raw(world.root.directory(), path.as_str(), &mut link[..])?;
        Ok(Self::parse(&link[..length]))
    }

    fn parse(link: &[u8]) -> Self {
        if let Some(inode) = endpoints::inode_in(link, b"pipe:[") {
            return Target::Pipe(inode);
        }
        if let Some(inode) = endpoints::inode_in(link, b"socket:[") {
            return Target::Socket(inode);
        }
        match link.strip_prefix(b"anon_inode:") {
            Some(name) => {
                let inner = name.strip_prefix(b"[").and_then(|name| name.strip_suffix(b"]"));
                Target::Anonymous(visible(inner.unwrap_or(name)))
            }
            None => Target::Path(link.to_vec()),
        }
    }

    /// In words, with the descriptor's number.
    pub(super) fn words(&self, fd: i32) -> String {
        match self {
            Target::Pipe(inode) => format!("pipe {inode} (fd {fd})"),
            Target::Socket(inode) => format!("socket {inode} (fd {fd})"),
            Target::Anonymous(name) => format!("{name} (fd {fd})"),
            Target::Path(path) => format!("{} (fd {fd})", visible(path)),
        }
    }
}

/// Who has an end open, and whether others may have it that cannot be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Others {
    /// Ends, each seen open just now.
    pub(super) ends: Vec<End>,
    /// How many processes may not be read.
    pub(super) unreadable: usize,
    /// Who may receive one that is in flight.
    pub(super) receivers: Vec<Receiver>,
    /// Others may come by its name, and it is kept open for them.
    pub(super) welcomes: bool,
}

/// That it does.
pub(super) const WELCOMES: &str =
    "it is kept open at both ends, as one does who waits for others: anybody may open it by its name";

impl Others {
    /// Whether there is neither.
    pub(super) fn is_nobody(&self) -> bool {
        self.ends.is_empty() && !self.receivers.iter().any(Receiver::has)
    }

    /// That one of them has an `io_uring` at work, in words. Asked only before somebody is
    /// called stuck.
    pub(super) fn at_work(&self, world: &World) -> Option<String> {
        let at_work = |end: &&End| world.is_thorough() && endpoints::is_at_work(&world.root, end.pid);
        let end = self.ends.iter().find(at_work)?;
        Some(format!("an io_uring of process {} has work under way, which may be this", end.pid))
    }

    /// Names the processes as the holders of an any-of wait. `role` says what
    /// they have: `the write end`.
    pub(super) fn name(&self, facts: &Facts<'_>, world: &World, role: &str, wait: &mut Wait) {
        for end in &self.ends {
            let holder = Holder { pid: end.pid, tid: None };
            if !wait.holders.contains(&holder) {
                wait.holders.push(holder);
                let own = if end.pid == facts.pid { ", the waiting process itself" } else { "" };
                let how = if end.ring { "registered with its io_uring," } else { "open as" };
                wait.evidence.push(format!("process {}{own} has {role} {how} fd {}", end.pid, end.fd));
            }
        }
        wait.partial |= self.welcomes || self.receivers.iter().any(Receiver::has);
        wait.add_besides(self.receivers.iter().map(|receiver| receiver.pid));
        wait.evidence.extend(self.welcomes.then(|| WELCOMES.to_owned()));
        wait.evidence.extend(self.receivers.iter().map(|receiver| receiver.words(role)));
        if self.is_nobody() {
            wait.partial = true;
            wait.evidence.push(format!(
                "no process that may be read has {role} open: it is hidden, for instance in flight in a socket message"
            ));
        }
        if self.ends.is_empty() {
            wait.certainty = Certainty::Unknown;
        }
        // Its own end: the usual way to wait for a signal, whose handler writes.
        if self.ends.iter().any(|end| end.pid == facts.pid && may_use(world, end)) {
            wait.partial = true;
            wait.evidence.push(format!("the process {}: a handler may use its own end", catches(world, facts.pid)));
        }
        if let Some(at_work) = self.at_work(world) {
            wait.partial = true;
            wait.evidence.push(at_work);
        }
        if let Some(signal) = calls(world, facts.pid) {
            wait.partial = true;
            wait.evidence.push(format!("the process catches {signal}: its handler may end the wait"));
        }
        if self.unreadable > 0 {
            wait.partial = true;
            wait.certainty = wait.certainty.max(Certainty::Derived);
            wait.evidence.push(unreadable(self.unreadable));
        }
    }
}

/// That there are so many processes, or more, which may have an end unseen.
pub(super) fn unreadable(processes: usize) -> String {
    let way = advice(may_trace(), "run as root or with CAP_SYS_PTRACE");
    let plural = if processes == 1 { "" } else { "es" };
    format!(
        "the descriptors of at least {processes} process{plural} may not be read, any of them may have it open too: {way}"
    )
}

/// Who has the anonymous pipe open with the access that `wanted` asks for.
///
/// # Errors
/// Where the proc file system cannot be listed.
pub(super) fn of_pipe(world: &mut World, inode: u64, wanted: fn(Access) -> bool) -> Result<Others, Errno> {
    let link = format!("pipe:[{inode}]");
    let found = still_open(world, inode, &link, wanted, false)?;
    // The kept index may be older than this pipe.
    if found.is_nobody() { still_open(world, inode, &link, wanted, true) } else { Ok(found) }
}

fn still_open(
    world: &mut World,
    inode: u64,
    link: &str,
    wanted: fn(Access) -> bool,
    anew: bool,
) -> Result<Others, Errno> {
    let index = if anew { world.new_ends()? } else { world.ends()? };
    let unreadable = index.unreadable().len();
    let mut ends: Vec<End> = index.of_pipe(inode).iter().filter(|end| wanted(end.access)).copied().collect();
    ends.retain(|end| is_end(world, end, link));
    Ok(Others { ends, unreadable, receivers: world.receivers_of(inode), welcomes: false })
}

/// Whether a descriptor still is what the index says.
pub(super) fn is_end(world: &World, end: &End, link: &str) -> bool {
    if end.ring {
        return endpoints::registered(&world.root, end).iter().any(|other| other == link.as_bytes());
    }
    let mut buffer = [0; 64];
    let path = if end.tid == end.pid {
        format!("{}/fd/{}", end.pid, end.fd)
    } else {
        format!("{}/task/{}/fd/{}", end.pid, end.tid, end.fd)
    };
    readlinkat_raw(world.root.directory(), path.as_str(), &mut buffer[..])
        .is_ok_and(|length| &buffer[..length] == link.as_bytes())
}

/// Who has the named pipe behind the thread's descriptor open with the access
/// that `wanted` asks for.
///
/// # Errors
/// Where the descriptor or the proc file system cannot be read.
pub(super) fn of_fifo(
    facts: &Facts<'_>,
    world: &mut World,
    fd: i32,
    path: &[u8],
    wanted: fn(Access) -> bool,
) -> Result<Others, Errno> {
    let own = format!("{}/task/{}/fd/{fd}", facts.pid, facts.tid);
    let status = statat(world.root.directory(), own.as_str(), AtFlags::empty())?;
    let (mut ends, unreadable) = endpoints::of_fifo(&world.root, path, status.st_dev, status.st_ino)?;
    ends.retain(|end| wanted(end.access));
    // A name lets others come; who has both ends open does so to wait for them.
    let keeps = |end: &End| end.pid == facts.pid || (end.access.read && end.access.write);
    let welcomes = !path.ends_with(b" (deleted)") && ends.iter().any(keeps);
    let receivers = world.receivers_of(status.st_ino);
    Ok(Others { ends, unreadable: unreadable.len(), receivers, welcomes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_told_apart() {
        assert_eq!(Target::parse(b"pipe:[48213]").words(0), "pipe 48213 (fd 0)");
        assert_eq!(Target::parse(b"socket:[7]"), Target::Socket(7));
        assert_eq!(Target::parse(b"anon_inode:[eventfd]").words(5), "eventfd (fd 5)");
        assert_eq!(Target::parse(b"anon_inode:inotify").words(5), "inotify (fd 5)");
        // A file may be called like anything.
        assert_eq!(Target::parse(b"/tmp/pipe:[1]"), Target::Path(b"/tmp/pipe:[1]".to_vec()));
        assert_eq!(Target::parse(b"/tmp/\x1b[2J").words(1), "/tmp/\\x1b[2J (fd 1)");
    }
}
