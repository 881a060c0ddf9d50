//! Waiting for any descriptor of an epoll instance: `epoll_wait(2)` and its kin.
//!
//! ```text
//! epoll_wait(epfd, events, count, milliseconds)     epoll_pwait2(…, timespec, …)
//! fdinfo of epfd:  tfd:        5 events:       19 data: …
//! ```
//!
//! An instance may watch another one, as deep as the kernel permits (`EP_MAX_NESTS`): it is
//! ready when something that it watches is.

use std::collections::HashMap;

use super::any_of::{self, READABLE, Registered, WRITABLE, Watched};
use super::descriptor::Target;
use super::{Decoder, Facts, World};
use crate::backend::observe::endpoints;
use crate::model::Pid;
use crate::model::wait::{Wait, WaitKind};

/// How deep instances may watch one another.
const NESTED: usize = 5;
/// All that can be awaited. The rest says how (EPOLLET, EPOLLONESHOT, …): what has nothing
/// else has been told once, and is told again only when somebody asks for it again.
const EVENTS: u32 = 0x0fff_ffff;

/// A thread that waits for events.
#[derive(Debug)]
pub(super) struct Epoll;

impl Decoder for Epoll {
    fn key(&self) -> &'static str {
        "epoll"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Epoll]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for an event on any descriptor that is registered with an epoll instance (epoll_wait(2)): \
         the usual place of a server or an asynchronous runtime that has nothing to do. It is recognised by the call \
         and the place in the kernel; the kernel lists the registered descriptors. Whoever can make one of them ready \
         can end the wait."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_epoll_wait, libc::SYS_epoll_pwait, libc::SYS_epoll_pwait2])?;
        if !facts.may_sleep_in(&["ep_poll", "epoll"]) {
            return None;
        }
        let by_pointer = facts.call_in(&[libc::SYS_epoll_pwait2]).is_some();
        let fd = args[0] as i32;
        let watched = descriptors(facts, world, fd);
        let resource = match watched.as_deref() {
            None => format!("epoll (fd {fd})"),
            Some([]) => format!("epoll (fd {fd}) that watches nothing"),
            Some(all) => any_of::resource(facts, world, all),
        };
        let mut wait = Wait::new(WaitKind::Epoll, resource);
        wait.timed = if by_pointer { args[3] != 0 } else { !(args[3] as i32).is_negative() };
        let count = watched.as_ref().map_or_else(|| "unknown".to_owned(), |all| all.len().to_string());
        wait.evidence.push(format!("epoll fd {fd} watches {count} descriptors"));
        any_of::name(facts, world, &watched.unwrap_or_default(), &mut wait);
        if world.is_precise() {
            may_change(facts, world, fd, &mut wait);
            wait.evidence.extend(world.managed_runtime(facts.pid).map(|runtime| format!("in {runtime}")));
        }
        Some(wait)
    }
}

/// What is watched in the end: in place of an instance what it watches itself.
pub(super) fn followed(facts: &Facts<'_>, world: &World, watched: &[Watched], wait: &mut Wait) -> Vec<Watched> {
    let mut all = Vec::new();
    let mut rest: Vec<(Watched, usize)> = watched.iter().rev().map(|one| (*one, 0)).collect();
    while let Some((one, depth)) = rest.pop() {
        match inner(facts, world, one).filter(|_| depth < NESTED) {
            Some(inner) => {
                wait.evidence.push(format!("fd {} is an epoll that watches {} descriptors", one.fd, inner.len()));
                may_change(facts, world, one.fd, wait);
                rest.extend(inner.into_iter().rev().map(|one| (one, depth + 1)));
            }
            None => all.push(one),
        }
    }
    all
}

/// What an instance watches that is watched itself, if it is one, and still the one that was
/// registered.
fn inner(facts: &Facts<'_>, world: &World, one: Watched) -> Option<Vec<Watched>> {
    let target = Target::of(facts, world, one.fd).ok()?;
    let is_epoll = target == Target::Anonymous("eventpoll".to_owned());
    let still = is_epoll && one.is_still(facts, world, &target) == Some(true);
    still.then(|| descriptors(facts, world, one.fd)).flatten()
}

/// Unlike a poll, what an instance watches can be changed meanwhile, by any other thread that
/// has it.
fn may_change(facts: &Facts<'_>, world: &World, fd: i32, wait: &mut Wait) {
    let own = "another thread of the process may change what it watches";
    if has_other_threads(facts, world) && !wait.evidence.iter().any(|known| known == own) {
        wait.evidence.push(own.to_owned());
        wait.add_besides([facts.pid]);
    }
    for other in shared_with(facts, world, fd) {
        wait.evidence.push(format!("process {other} has epoll fd {fd} open too, and may change what it watches"));
        wait.add_besides([other]);
    }
}

/// Other processes that have the same instance open, from a fork. Looked for only before
/// somebody is called stuck.
fn shared_with(facts: &Facts<'_>, world: &World, fd: i32) -> Vec<Pid> {
    let mut found = Vec::new();
    if world.is_thorough() {
        let _ = endpoints::each_epoll(&world.root, |pid, tid, other| {
            let is_new = pid != facts.pid && !found.contains(&pid);
            if is_new && world.shares_open_file((facts.tid, fd), (tid, other)) == Some(true) {
                found.push(pid);
            }
        });
    }
    found
}

fn has_other_threads(facts: &Facts<'_>, world: &World) -> bool {
    let threads = world.numbers_in(&format!("{}/task", facts.pid));
    threads.iter().any(|&tid| tid != facts.tid && world.has_thread(facts.pid, tid))
}

/// The descriptors registered of which anything is awaited, as their numbers were then;
/// `None` where the kernel does not tell.
fn descriptors(facts: &Facts<'_>, world: &World, fd: i32) -> Option<Vec<Watched>> {
    let mut content = Vec::new();
    world.root.read_into(&format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid), &mut content).ok()?;
    let mut counts: HashMap<i32, usize> = HashMap::new();
    let mut all = Vec::new();
    for (watched, inode) in str::from_utf8(&content).ok()?.lines().filter_map(registered) {
        let count = counts.entry(watched.fd).or_default();
        let registered = Some(Registered { epoll: fd, nth: *count as u32, inode });
        *count += 1;
        if watched.events & EVENTS != 0 {
            all.push(Watched { registered, ..watched });
        }
    }
    Some(all)
}

/// `tfd:        5 events:       19 data: 5  pos:0 ino:1f4 sdev:9`, numbers in
/// hexadecimal but for the first.
fn registered(line: &str) -> Option<(Watched, Option<u64>)> {
    let mut fields = line.strip_prefix("tfd:")?.split_ascii_whitespace();
    let fd = fields.next()?.parse().ok()?;
    let mut after = |key: &str| fields.find(|field| *field == key).and_then(|_| fields.next());
    let events = after("events:").and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(READABLE | WRITABLE);
    let inode = fields.find_map(|field| u64::from_str_radix(field.strip_prefix("ino:")?, 16).ok());
    Some((Watched { fd, events, registered: None }, inode))
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::Machine;
    use crate::model::wait::WaitKind;

    #[test]
    fn the_kernel_lists_what_is_registered() {
        let epoll = |timeout: &str, wchan| {
            let machine = Machine::new(&format!("232 0x4 0x0 0x10 {timeout} 0x0 0x0"), wchan);
            machine.write(
                "100/task/101/fdinfo/4",
                "pos:\t0\nflags:\t02\ntfd:        5 events:       19 data: 5\ntfd:       11 events: 1 data: 0\n",
            );
            machine.link("100/task/101/fd/5", "socket:[9]");
            machine.decode().unwrap()
        };
        let wait = epoll("0xffffffff", "ep_poll");
        assert_eq!((wait.kind, wait.timed, &*wait.resource), (WaitKind::Epoll, false, "socket 9 (fd 5) or fd 11"));
        assert!(epoll("0x0", "ep_poll").timed);
        assert_eq!(epoll("0xffffffff", "do_wait").kind, WaitKind::Other);
        let machine = Machine::new("232 0x4 0x0 0x10 0xffffffff 0x0 0x0", "ep_poll");
        machine.write("100/task/101/fdinfo/4", "tfd: 5 events: 40000000 data: 5\ntfd: 6 events: 1 data: 6\n");
        assert_eq!(&*machine.decode().unwrap().resource, "fd 6", "nothing is awaited of the other any more");
        let hidden = Machine::new("281 0x4 0x0 0x10 0xffffffff 0x0 0x0", "ep_poll").decode().unwrap();
        assert_eq!((hidden.kind, &*hidden.resource), (WaitKind::Epoll, "epoll (fd 4)"));
    }
}
