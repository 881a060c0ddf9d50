//! Waiting for any of several descriptors: what poll, select and epoll share.
//!
//! ```text
//!            watched                     can make it ready
//! read  end of a pipe or FIFO    ─►  whoever has the write end
//! write end of a pipe or FIFO    ─►  whoever has the read end
//! connected socket               ─►  whoever has its peer
//! end of a pseudo-terminal       ─►  whoever has the other
//! pidfd                          ─►  its process, by ending
//! SIGCHLD, where it is caught    ─►  each child, by ending
//! epoll instance                 ─►  whoever can make ready what it watches
//! anything else                  ─►  somebody unseen
//! ```
//!
//! One of them suffices, so the answer is complete only if all of them are
//! known. A hang-up and an error are reported whether asked for or not: that is
//! why both directions of a socket have the same other end.

use std::collections::HashSet;

use super::caught::{Caught, by_signal, catches, caught, children_that_interrupt};
use super::descriptor::{Others, Target, WELCOMES, of_fifo, of_pipe};
use super::peer::other_end;
use super::pty::{Line, OtherEnd};
use super::resource::{words, words_with_addresses};
use super::signal_sets::{line_of, names};
use super::waitpid::process_of_pidfd;
use super::watched::{READABLE, WRITABLE, Watched};
use super::world::Receiver;
use super::{Facts, World, interest};
use crate::backend::observe::endpoints::{self, Access};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

/// More descriptors than this are counted, not named; evidence likewise.
const NAMED: usize = 4;
const SENTENCES: usize = 12;

/// `pipe 7 (fd 3) or socket 8 (fd 4)`: the first few by name.
pub(super) fn resource(facts: &Facts<'_>, world: &World, watched: &[Watched]) -> String {
    listed(watched, |fd| words(facts, world, fd))
}

fn listed(watched: &[Watched], words: impl FnMut(i32) -> String) -> String {
    let more = watched.len().saturating_sub(NAMED);
    let names: Vec<String> = watched.iter().take(NAMED).map(|one| one.fd).map(words).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", names.join(" or "))
}

/// Names whoever can make one of the descriptors ready. Only where every holder
/// is asked for: it takes an index of all descriptors of the machine, and an
/// idle server is no reason to make one.
pub(super) fn name(facts: &Facts<'_>, world: &mut World, watched: Option<&[Watched]>, wait: &mut Wait) {
    wait.certainty = Certainty::Derived;
    wait.partial = true;
    // What an epoll watches can be changed.
    if watched.is_some_and(<[_]>::is_empty) && !wait.timed && wait.kind != WaitKind::Epoll {
        by_signal(facts, world, wait);
    }
    let Some(watched) = watched.filter(|all| !all.is_empty() && world.is_precise()) else { return };
    wait.resource = listed(watched, |fd| words_with_addresses(facts, world, fd)).into();
    let mut unseen: Vec<String> = Vec::new();
    let (mut unreadable, mut told) = (0, HashSet::new());
    for one in interest::followed(facts, world, watched, wait) {
        wait.add_besides(besides(facts, world, one.fd));
        let limit = world.socket_limit(facts.pid, one.fd, None);
        unseen.extend(limit.map(|limit| format!("the connection of fd {} has a TCP_USER_TIMEOUT of {limit}", one.fd)));
        match actors(facts, world, one) {
            Ok((others, role)) => {
                unreadable = unreadable.max(others.unreadable);
                unseen.extend(others.at_work(world));
                unseen.extend(others.welcomes.then(|| format!("fd {}: {WELCOMES}", one.fd)));
                let (has, may): (Vec<_>, Vec<_>) = others.receivers.iter().partition(|other| other.has());
                wait.add_besides(may.iter().map(|other| other.pid));
                let words = |other: &&Receiver| other.words(&format!("{role} of fd {}", one.fd));
                wait.evidence.extend(may.iter().map(words));
                unseen.extend(has.iter().map(words));
                if others.is_nobody() {
                    unseen.push(format!("no process that may be read has {role} of fd {}", one.fd));
                }
                for end in others.ends {
                    if told.insert((end.pid, one.fd)) {
                        let how = if end.ring { "registered with its io_uring," } else { "open as" };
                        add(
                            facts,
                            of_process(end.pid),
                            &format!("has {role} of fd {} {how} fd {}", one.fd, end.fd),
                            wait,
                        );
                    }
                }
            }
            Err(Act::Ends(task)) => {
                // It may be a thread's (PIDFD_THREAD).
                let process = world.status(&task.to_string(), "Tgid:").and_then(|ids| ids.first().copied());
                let tid = process.filter(|&process| process != task).map(|_| task);
                let what = tid.map_or_else(|| "is the process".to_owned(), |tid| format!("has the thread {tid}"));
                let holder = Holder { pid: process.unwrap_or(task), tid };
                add(facts, holder, &format!("{what} of pidfd {}", one.fd), wait);
            }
            Err(Act::Unseen(why)) => unseen.push(why),
        }
    }
    // As make waits, for a token or for one of its children.
    for child in children_that_interrupt(facts, world) {
        add(facts, of_process(child), "is a child, whose end it catches (SIGCHLD)", wait);
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

/// Who may end the wait for a descriptor without having its other end: by shutting down
/// the socket that it is.
fn besides(facts: &Facts<'_>, world: &mut World, fd: i32) -> Vec<Pid> {
    match Target::of(facts, world, fd) {
        Ok(Target::Socket(inode)) => world.may_shut_down(inode),
        Ok(Target::Path(path)) => Line::of(facts, world, fd, &path).map_or_else(Vec::new, |line| line.besides(world)),
        _ => Vec::new(),
    }
}

/// Why there is no list of open ends.
enum Act {
    /// This process or thread must end.
    Ends(Pid),
    /// Somebody who cannot be told.
    Unseen(String),
}

fn actors(facts: &Facts<'_>, world: &mut World, one: Watched) -> Result<(Others, &'static str), Act> {
    let fd = one.fd;
    let unseen = |why: &str| Act::Unseen(format!("fd {fd}: {why}"));
    let target =
        Target::of(facts, world, fd).map_err(|error| unseen(&format!("what it is cannot be read: {error}")))?;
    match one.is_still(facts, world, &target) {
        Some(true) => {}
        Some(false) => {
            return Err(unseen("it was registered for something else, which lives on under another number"));
        }
        None => return Err(unseen("whether it still is what was registered is not told")),
    }
    let failed = |error| unseen(&format!("who has its other end cannot be read: {error}"));
    match &target {
        Target::Pipe(inode) => {
            let (wanted, role) = side(facts, world, one).ok_or_else(|| unseen("neither end is awaited"))?;
            Ok((of_pipe(world, *inode, wanted).map_err(failed)?, role))
        }
        Target::Path(path) => {
            let own = format!("{}/task/{}/fd/{fd}", facts.pid, facts.tid);
            if let Some(line) = Line::of(facts, world, fd, path) {
                let OtherEnd { others, unsure: hidden, role } = line.other_end(facts, world).map_err(failed)?;
                return if hidden.is_empty() { Ok((others, role)) } else { Err(unseen(&hidden.join("; "))) };
            }
            if !endpoints::is_fifo(&world.root, &own) {
                return Err(Act::Unseen(format!("{}: who makes it ready cannot be told", target.words(fd))));
            }
            let (wanted, role) = side(facts, world, one).ok_or_else(|| unseen("neither end is awaited"))?;
            Ok((of_fifo(facts, world, fd, path, wanted).map_err(failed)?, role))
        }
        Target::Socket(inode) => other_end(facts, world, *inode).map_err(unseen),
        Target::Anonymous(name) if name == "pidfd" => match process_of_pidfd(facts, world, fd) {
            Some(pid) if pid > 0 && world.has_thread(pid, pid) => Err(Act::Ends(pid)),
            _ => Err(unseen("the process of this pidfd is not visible from here")),
        },
        Target::Anonymous(name) if name == "signalfd" => Err(Act::Unseen(format!(
            "{}: whoever sends the process {} makes it ready",
            target.words(fd),
            names(signals_of(facts, world, fd))
        ))),
        Target::Anonymous(_) => Err(Act::Unseen(format!("{}: who makes it ready cannot be told", target.words(fd)))),
    }
}

/// The signals of a signalfd, as its fdinfo tells (`sigmask:`).
fn signals_of(facts: &Facts<'_>, world: &World, fd: i32) -> u64 {
    let mut content = Vec::new();
    let read = world.root.read_into(&format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid), &mut content);
    read.ok().and_then(|()| line_of(&content, b"sigmask:")).unwrap_or(0)
}

/// Who of those that have a pipe open, and what they have, in words.
type Side = (fn(Access) -> bool, &'static str);

/// Which end of a pipe must act, by what the descriptor may do and what is
/// awaited of it.
fn side(facts: &Facts<'_>, world: &World, one: Watched) -> Option<Side> {
    const WRITERS: Side = (|access| access.write, "the write end");
    const READERS: Side = (|access| access.read, "the read end");
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
            Some(format!("the process {}: a handler may end the wait", catches(world, facts.pid)))
        }
    }
}

fn of_process(pid: Pid) -> Holder {
    Holder { pid, tid: None }
}

fn add(facts: &Facts<'_>, holder: Holder, what: &str, wait: &mut Wait) {
    let pid = holder.pid;
    if !wait.holders.contains(&holder) {
        wait.holders.push(holder);
    }
    if wait.evidence.len() < SENTENCES {
        let own = if pid == facts.pid { ", the waiting process itself," } else { "" };
        wait.evidence.push(format!("process {pid}{own} {what}"));
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

    /// Thread 101 polls fd 4, a pipe, and fd 5, a connection on this machine;
    /// process 200 has the pipe, 300 the connection's other end.
    fn machine(timeout: &str) -> Machine {
        let machine = Machine::new(&format!("7 {DATA:#x} 0x2 {timeout} 0x0 0x0 0x0"), "do_poll");
        machine.set_words(DATA, &[4, 1, 5, 1]);
        machine.link("100/task/101/fd/4", "pipe:[7]");
        machine.link("100/task/101/fd/5", "socket:[8]");
        machine.write(
            "100/net/tcp",
            "header\n0: 0100007F:1538 0100007F:C350 01 0:0 0:0 0 0 0 8 1\n1: 0100007F:C350 0100007F:1538 01 0:0 0:0 0 0 0 9 1\n",
        );
        machine.process(200, &[200]);
        machine.link("200/fd/1", "pipe:[7]");
        machine.process(300, &[300]);
        machine.link("300/fd/3", "socket:[9]");
        machine
    }

    fn holders(wait: &Wait) -> Vec<i32> {
        wait.holders.iter().map(|holder| holder.pid).collect()
    }

    const FOREVER: &str = "0xffffffff";

    #[test]
    fn whoever_has_any_other_end_is_named() {
        let wait = machine(FOREVER).decode_precisely().unwrap();
        assert_eq!((wait.kind, holders(&wait)), (WaitKind::Poll, vec![200, 300]));
        assert_eq!((wait.partial, wait.timed, wait.certainty), (false, false, Certainty::Derived), "{wait:#?}");
        assert!(machine("0x5").decode_precisely().unwrap().timed);
    }

    #[test]
    fn a_table_of_all_processes_looks_for_nobody() {
        let wait = machine(FOREVER).decode().unwrap();
        assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
    }

    #[test]
    fn one_descriptor_that_anybody_can_make_ready_hides_the_rest() {
        for link in ["anon_inode:[eventfd]", "anon_inode:[timerfd]", "/dev/pts/3", "socket:[77]", "pipe:[78]"] {
            let machine = machine(FOREVER);
            std::fs::remove_file(machine.directory.path().join("100/task/101/fd/5")).unwrap();
            machine.link("100/task/101/fd/5", link);
            let wait = machine.decode_precisely().unwrap();
            assert_eq!((holders(&wait), wait.partial), (vec![200], true), "{link} {wait:#?}");
        }
        let machine = machine(FOREVER);
        std::fs::remove_file(machine.directory.path().join("100/task/101/fd/5")).unwrap();
        assert!(machine.decode_precisely().unwrap().partial, "not open any more");
    }

    #[test]
    fn a_signalfd_is_up_to_whoever_sends_its_signals() {
        let machine = machine(FOREVER);
        std::fs::remove_file(machine.directory.path().join("100/task/101/fd/5")).unwrap();
        machine.link("100/task/101/fd/5", "anon_inode:[signalfd]");
        machine.write("100/task/101/fdinfo/5", "pos:\t0\nflags:\t02004002\nsigmask:\t0000000000400200\n");
        let wait = machine.decode_precisely().unwrap();
        let said = "signalfd (fd 5): whoever sends the process SIGUSR1 or SIGURG makes it ready";
        assert!(wait.partial && wait.evidence.iter().any(|line| line == said), "{wait:#?}");
    }

    #[test]
    fn a_handler_may_end_the_wait() {
        for (mask, own, partial) in [
            ("0000000000000000", true, false),
            ("0000000000000002", false, false),
            ("0000000000000002", true, true),
            ("0000000000004000", false, true),
        ] {
            let machine = machine(FOREVER);
            machine.write("100/status", &format!("Tgid:\t100\nNSpid:\t100\nSigCgt:\t{mask}\n"));
            if own {
                machine.link("100/fd/6", "pipe:[7]");
            }
            let wait = machine.decode_precisely().unwrap();
            assert_eq!(wait.partial, partial, "{mask} {own} {wait:#?}");
            assert_eq!(wait.holders.contains(&Holder { pid: PID, tid: None }), own);
        }
    }

    #[test]
    fn the_end_of_a_child_ends_the_wait_of_who_catches_it() {
        for (blocked, caught) in [("0000000000000000", true), ("0000000000010000", false)] {
            let machine = machine(FOREVER);
            let masks = format!("SigBlk:\t{blocked}\nSigCgt:\t0000000000010000\n");
            machine.write("100/status", &format!("Tgid:\t100\nNSpid:\t100\n{masks}"));
            machine.write("100/task/101/status", &format!("Tgid:\t100\nNSpid:\t101\n{masks}"));
            machine.write("100/task/100/children", "400 401 ");
            machine.process(400, &[400]);
            machine.write("400/task/400/children", "");
            let wait = machine.decode_precisely().unwrap();
            let expected = if caught { vec![200, 300, 400] } else { vec![200, 300] };
            assert_eq!((holders(&wait), wait.partial), (expected, true), "{wait:#?}");
        }
    }

    #[test]
    fn epoll_goes_by_what_was_registered_not_by_the_number() {
        let epoll = |inode: &str, threads: &[i32]| {
            let machine = Machine::new("232 0x9 0x0 0x10 0xffffffff 0x0 0x0", "ep_poll");
            std::fs::remove_dir_all(machine.directory.path().join("100/task/100")).unwrap();
            machine.process(PID, threads);
            machine.link("100/task/101/fd/4", "pipe:[31]");
            machine.write(
                "100/task/101/fdinfo/9",
                &format!("pos:\t0\ntfd: 4 events: 19 data: 4 pos:0 ino:{inode} sdev:e\n"),
            );
            machine.process(200, &[200]);
            machine.link("200/fd/1", "pipe:[31]");
            machine.decode_precisely().unwrap()
        };
        let wait = epoll("1f", &[101]);
        assert_eq!((wait.kind, holders(&wait), wait.partial), (WaitKind::Epoll, vec![200], false), "{wait:#?}");
        let replaced = epoll("2a", &[101]);
        assert!(replaced.holders.is_empty() && replaced.partial, "{replaced:#?}");
        let wait = epoll("1f", &[101, 102]);
        assert_eq!((wait.partial, &wait.besides[..]), (false, &[PID][..]), "another thread may change the set");
        assert!(epoll("1f", &[101]).besides.is_empty());
    }
}
