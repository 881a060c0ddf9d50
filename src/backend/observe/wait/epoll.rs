//! Waiting for any descriptor of an epoll instance: `epoll_wait(2)` and its kin.
//!
//! ```text
//! epoll_wait(epfd, events, count, milliseconds)     epoll_pwait2(…, timespec, …)
//! fdinfo of epfd:  tfd:        5 events:       19 data: …
//! ```

use super::any_of::{self, READABLE, WRITABLE, Watched};
use super::{Decoder, Facts, World};
use crate::backend::observe::endpoints;
use crate::model::Pid;
use crate::model::wait::{Wait, WaitKind};

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
            Some([]) => format!("epoll (fd {fd}) without descriptors"),
            Some(all) => any_of::resource(facts, world, all),
        };
        let mut wait = Wait::new(WaitKind::Epoll, resource);
        wait.timed = if by_pointer { args[3] != 0 } else { !(args[3] as i32).is_negative() };
        let count = watched.as_ref().map_or_else(|| "unknown".to_owned(), |all| all.len().to_string());
        wait.evidence.push(format!("epoll fd {fd} has {count} descriptors registered"));
        any_of::name(facts, world, &watched.unwrap_or_default(), &mut wait);
        // Unlike a poll, what it watches can be changed meanwhile.
        if world.is_precise() && has_other_threads(facts, world) {
            wait.partial = true;
            wait.evidence.push("another thread of the process may change what it watches".to_owned());
        }
        if let Some(other) = shared_with(facts, world, fd) {
            wait.partial = true;
            wait.evidence.push(format!("process {other} has it open too, and may change what it watches"));
        }
        if world.is_precise() {
            wait.evidence.extend(world.managed_runtime(facts.pid).map(|runtime| format!("in {runtime}")));
        }
        Some(wait)
    }
}

/// Another process that has the same instance open, from a fork. Looked for only before
/// somebody is called stuck.
fn shared_with(facts: &Facts<'_>, world: &World, fd: i32) -> Option<Pid> {
    if !world.is_thorough() {
        return None;
    }
    let mut found = None;
    let _ = endpoints::each_epoll(&world.root, |pid, tid, other| {
        let same = || world.shares_open_file((facts.tid, fd), (tid, other)) == Some(true);
        if found.is_none() && pid != facts.pid && same() {
            found = Some(pid);
        }
    });
    found
}

fn has_other_threads(facts: &Facts<'_>, world: &World) -> bool {
    let threads = world.numbers_in(&format!("{}/task", facts.pid));
    threads.iter().any(|&tid| tid != facts.tid && world.has_thread(facts.pid, tid))
}

/// The descriptors registered, as their numbers were then; `None` where the
/// kernel does not tell.
fn descriptors(facts: &Facts<'_>, world: &World, fd: i32) -> Option<Vec<Watched>> {
    let mut content = Vec::new();
    world.root.read_into(&format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid), &mut content).ok()?;
    Some(str::from_utf8(&content).ok()?.lines().filter_map(registered).collect())
}

/// `tfd:        5 events:       19 data: 5  pos:0 ino:1f4 sdev:9`, numbers in
/// hexadecimal but for the first.
fn registered(line: &str) -> Option<Watched> {
    let mut fields = line.strip_prefix("tfd:")?.split_ascii_whitespace();
    let fd = fields.next()?.parse().ok()?;
    let mut after = |key: &str| fields.find(|field| *field == key).and_then(|_| fields.next());
    let events = after("events:").and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(READABLE | WRITABLE);
    let inode = fields.find_map(|field| u64::from_str_radix(field.strip_prefix("ino:")?, 16).ok());
    Some(Watched { fd, events, inode })
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
        let hidden = Machine::new("281 0x4 0x0 0x10 0xffffffff 0x0 0x0", "ep_poll").decode().unwrap();
        assert_eq!((hidden.kind, &*hidden.resource), (WaitKind::Epoll, "epoll (fd 4)"));
    }
}
