//! Waiting for any of several descriptors: what poll, select and epoll share.
//!
//! ```text
//!            watched                     can make it ready
//! read  end of a pipe or FIFO    ─►  whoever has the write end
//! write end of a pipe or FIFO    ─►  whoever has the read end
//! connected socket               ─►  whoever has its peer
//! pidfd                          ─►  its process, by ending
//! anything else                  ─►  somebody unseen
//! ```
//!
//! One of them suffices, so the answer is complete only if all of them are
//! known. A hang-up and an error are reported whether asked for or not: that is
//! why both directions of a socket have the same other end.

use std::collections::HashSet;

use rustix::fs::{AtFlags, statat};

use super::caught::{Caught, caught};
use super::descriptor::{Others, Target, of_fifo, of_pipe, words};
use super::peer::other_end;
use super::waitpid::process_of_pidfd;
use super::{Facts, World};
use crate::backend::observe::endpoints::{self, Access};
use crate::model::wait::{Certainty, Holder, Wait};

/// More descriptors than this are counted, not named; evidence likewise.
const NAMED: usize = 4;
const SENTENCES: usize = 12;

/// Events that say "readable": POLLIN, POLLPRI, POLLRDNORM, POLLRDBAND,
/// POLLRDHUP (`poll(2)`); epoll's have the same bits.
pub(super) const READABLE: u32 = 0x1 | 0x2 | 0x40 | 0x80 | 0x2000;
/// Events that say "writable": POLLOUT, POLLWRNORM, POLLWRBAND.
pub(super) const WRITABLE: u32 = 0x4 | 0x100 | 0x200;

/// A descriptor and what is awaited of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// Its number.
    pub(super) fd: i32,
    /// As `poll(2)` has them.
    pub(super) events: u32,
    /// The inode, where the kernel tells what was registered: the number may
    /// stand for something else by now.
    pub(super) inode: Option<u64>,
}

/// `pipe 7 (fd 3) or socket 8 (fd 4)`: the first few by name.
pub(super) fn resource(facts: &Facts<'_>, world: &World, watched: &[Watched]) -> String {
    let more = watched.len().saturating_sub(NAMED);
    let names: Vec<String> = watched.iter().take(NAMED).map(|one| words(facts, world, one.fd)).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(" or "))
}

/// Names whoever can make one of the descriptors ready. Only where every holder
/// is asked for: it takes an index of all descriptors of the machine, and an
/// idle server is no reason to make one.
pub(super) fn name(facts: &Facts<'_>, world: &mut World, watched: &[Watched], wait: &mut Wait) {
    wait.certainty = Certainty::Derived;
    wait.partial = true;
    if !world.is_precise() || watched.is_empty() {
        return;
    }
    let mut unseen: Vec<String> = Vec::new();
    let (mut unreadable, mut told) = (0, HashSet::new());
    for one in watched {
        match actors(facts, world, *one) {
            Ok((others, role)) => {
                unreadable = unreadable.max(others.unreadable);
                if others.ends.is_empty() {
                    unseen.push(format!("no process that may be read has {role} of fd {}", one.fd));
                }
                for end in others.ends {
                    if told.insert((end.pid, one.fd)) {
                        add(facts, end.pid, &format!("has {role} of fd {} open as fd {}", one.fd, end.fd), wait);
                    }
                }
            }
            Err(Act::Ends(pid)) => add(facts, pid, &format!("is the process of pidfd {}", one.fd), wait),
            Err(Act::Unseen(why)) => unseen.push(why),
        }
    }
    unseen.extend(signals(facts, world, wait));
    wait.partial = !unseen.is_empty() || unreadable > 0;
    let more = unseen.len().saturating_sub(NAMED);
    wait.evidence.extend(unseen.into_iter().take(NAMED));
    if more > 0 {
        wait.evidence.push(format!("and {more} more of whom it cannot be told who makes them ready"));
    }
    if unreadable > 0 {
        wait.evidence.push(super::descriptor::unreadable(unreadable));
    }
}

/// Why there is no list of open ends.
enum Act {
    /// This process must end.
    Ends(crate::model::Pid),
    /// Somebody who cannot be told.
    Unseen(String),
}

fn actors(facts: &Facts<'_>, world: &mut World, one: Watched) -> Result<(Others, &'static str), Act> {
    let fd = one.fd;
    let unseen = |why: &str| Act::Unseen(format!("fd {fd}: {why}"));
    let target = Target::of(facts, world, fd).map_err(|error| unseen(&format!("what it is cannot be read: {error}")))?;
    if let (Some(inode), Target::Pipe(now) | Target::Socket(now)) = (one.inode, &target)
        && inode != *now
    {
        return Err(unseen("it was registered for something else, which lives on under another number"));
    }
    let failed = |error| unseen(&format!("who has its other end cannot be read: {error}"));
    match &target {
        Target::Pipe(inode) => {
            let (wanted, role) = side(facts, world, one).ok_or_else(|| unseen("neither end is awaited"))?;
            Ok((of_pipe(world, *inode, wanted).map_err(failed)?, role))
        }
        Target::Path(path) => {
            let own = format!("{}/task/{}/fd/{fd}", facts.pid, facts.tid);
            if !endpoints::is_fifo(&world.root, &own) {
                return Err(Act::Unseen(format!("{}: who makes it ready cannot be told", target.words(fd))));
            }
            if one.inode.is_some_and(|inode| {
                statat(world.root.directory(), own.as_str(), AtFlags::empty()).is_ok_and(|now| now.st_ino != inode)
            }) {
                return Err(unseen("it was registered for something else, which lives on under another number"));
            }
            let (wanted, role) = side(facts, world, one).ok_or_else(|| unseen("neither end is awaited"))?;
            Ok((of_fifo(facts, world, fd, path, wanted).map_err(failed)?, role))
        }
        Target::Socket(inode) => {
            let others = other_end(facts, world, *inode).map_err(|why| unseen(&why))?;
            Ok((others, "the peer"))
        }
        Target::Anonymous(name) if name == "pidfd" => match process_of_pidfd(facts, world, fd) {
            Some(pid) if pid > 0 && world.has_thread(pid, pid) => Err(Act::Ends(pid)),
            _ => Err(unseen("the process of this pidfd is not visible from here")),
        },
        Target::Anonymous(_) => Err(Act::Unseen(format!("{}: who makes it ready cannot be told", target.words(fd)))),
    }
}

/// Which end of a pipe must act, by what the descriptor may do and what is
/// awaited of it.
fn side(facts: &Facts<'_>, world: &World, one: Watched) -> Option<(fn(Access) -> bool, &'static str)> {
    const WRITERS: (fn(Access) -> bool, &str) = (|access| access.write, "the write end");
    const READERS: (fn(Access) -> bool, &str) = (|access| access.read, "the read end");
    let own = endpoints::access_of_path(&world.root, &format!("{}/task/{}/fd/{}", facts.pid, facts.tid, one.fd));
    match (own.read, own.write) {
        (true, false) => Some(WRITERS),
        (false, true) => Some(READERS),
        // Open for both, it is never hung up: only what is asked for counts.
        (true, true) => match (one.events & READABLE != 0, one.events & WRITABLE != 0) {
            (true, false) => Some(WRITERS),
            (false, true) => Some(READERS),
            (true, true) => Some((|_| true, "an end")),
            (false, false) => None,
        },
        (false, false) => None,
    }
}

/// A signal handler may be what the loop waits for: it ends the call, or writes
/// to a pipe of its own.
fn signals(facts: &Facts<'_>, world: &World, wait: &Wait) -> Option<String> {
    let own = wait.holders.iter().any(|holder| holder.pid == facts.pid);
    match caught(world, facts.pid) {
        Caught::Nothing => None,
        Caught::OnlyInterrupt if !own => None,
        Caught::OnlyInterrupt | Caught::Others => {
            Some("the process catches signals: a handler may end the wait".to_owned())
        }
    }
}

fn add(facts: &Facts<'_>, pid: crate::model::Pid, what: &str, wait: &mut Wait) {
    let holder = Holder { pid, tid: None };
    if !wait.holders.contains(&holder) {
        wait.holders.push(holder);
    }
    if wait.evidence.len() < SENTENCES {
        let own = if pid == facts.pid { ", the waiting process itself," } else { "" };
        wait.evidence.push(format!("process {pid}{own} {what}"));
    }
}
