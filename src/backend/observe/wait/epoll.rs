//! Waiting for any descriptor of an epoll instance: `epoll_wait(2)` and its kin.
//!
//! ```text
//! epoll_wait(epfd, events, count, milliseconds)     epoll_pwait2(…, timespec, …)
//! fdinfo of epfd:  tfd:        5 events:       19 data: …
//! ```

use super::interest::{descriptors, may_change};
use super::{Decoder, Facts, World, any_of};
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
            Some([]) => format!("epoll (fd {fd}) that watches nothing"),
            Some(all) => any_of::resource(facts, world, all),
        };
        let mut wait = Wait::new(WaitKind::Epoll, resource);
        wait.timed = if by_pointer { args[3] != 0 } else { !(args[3] as i32).is_negative() };
        let count = watched.as_ref().map_or_else(|| "unknown".to_owned(), |all| all.len().to_string());
        wait.evidence.push(format!("epoll fd {fd} watches {count} descriptors"));
        any_of::name(facts, world, watched.as_deref(), &mut wait);
        if world.is_precise() {
            may_change(facts, world, fd, &mut wait);
            wait.evidence.extend(world.managed_runtime(facts.pid).map(|runtime| format!("in {runtime}")));
        }
        Some(wait)
    }
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
