//! Waits on what has no name: `timerfd`, `inotify`, `fanotify`, `io_uring`.
//!
//! ```text
//! read(timerfd)             in timerfd_read_iter, do_wait_intr_irq   until it expires
//! read(inotify, fanotify)   in inotify_read, wait_woken               until a file changes
//! io_uring_enter(ring, submit, wanted, flags, …)       in io_cqring_wait
//! ```

use super::descriptor::Target;
use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// The ring is given by its index among those the thread has registered.
const ENTER_REGISTERED_RING: u64 = 1 << 4;
/// The fifth argument is a struct that ends in the address of a time-out.
const ENTER_EXT_ARG: u64 = 1 << 3;

/// A read from a timer or a file watch.
#[derive(Debug)]
pub(super) struct AnonymousRead;

/// A wait for completions of an `io_uring`.
#[derive(Debug)]
pub(super) struct IoUring;

impl Decoder for AnonymousRead {
    fn key(&self) -> &'static str {
        "anonymous_read"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Other]
    }

    fn explain(&self) -> &'static str {
        "The thread reads from a timer (timerfd_create(2)) or from a watch on files (inotify(7), fanotify(7)) and waits \
         for an event. It is recognised by what the descriptor is and by the place in the kernel. A timer that is set \
         ends the wait by itself; who will change a file nobody can tell."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_read, libc::SYS_readv])?;
        let fd = args[0] as i32;
        let Ok(Target::Anonymous(name)) = Target::of(facts, world, fd) else { return None };
        // Newer kernels only tell the function that both kinds sleep in.
        let (what, places): (_, &[&str]) = match &*name {
            "timerfd" => ("the timer to expire", &["timerfd", "do_wait_intr_irq"]),
            "inotify" | "fanotify" => ("a watched file to change", &["inotify", "fanotify", "wait_woken"]),
            _ => return None,
        };
        if !facts.has_wchan() || !facts.may_sleep_in(places) {
            return None;
        }
        let mut wait = Wait::new(WaitKind::Other, format!("{what}: {name} (fd {fd})"));
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("sleeps in {} on fd {fd}", facts.wchan));
        if name == "timerfd" {
            wait.timed = is_set(facts, world, fd);
            let how = if wait.timed { "it is set, and ends the wait by itself" } else { "it is not set" };
            wait.evidence.push(how.to_owned());
        }
        Some(wait)
    }
}

/// Whether the timer will expire: `it_value: (seconds, nanoseconds)` in its
/// fdinfo is what is left.
fn is_set(facts: &Facts<'_>, world: &World, fd: i32) -> bool {
    let mut content = Vec::new();
    let path = format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid);
    let read = world.root.read_into(&path, &mut content).is_ok();
    let text = String::from_utf8_lossy(&content);
    let left = text.lines().find_map(|line| line.strip_prefix("it_value:"));
    read && left.is_some_and(|left| left.bytes().any(|byte| matches!(byte, b'1'..=b'9')))
}

impl Decoder for IoUring {
    fn key(&self) -> &'static str {
        "io_uring"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::IoUring]
    }

    fn explain(&self) -> &'static str {
        "The thread waits until operations that it has handed to an io_uring are complete (io_uring_enter(2)). It is \
         recognised by the call, which asks for completions, and by the place in the kernel. Which operations are under \
         way, and who must act for them, the kernel does not tell: nobody is named."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_io_uring_enter])?;
        if args[2] as u32 == 0 || !facts.has_wchan() || !facts.may_sleep_in(&["io_cqring_wait"]) {
            return None;
        }
        let ring = if args[3] & ENTER_REGISTERED_RING != 0 {
            format!("registered ring {}", args[0] as i32)
        } else {
            super::resource::words(facts, world, args[0] as i32)
        };
        let mut wait = Wait::new(WaitKind::IoUring, format!("{} completions of {ring}", args[2] as u32));
        // sigmask 8, its size 4, least wait 4, address of a timespec 8
        let extended = args[3] & ENTER_EXT_ARG != 0 && args[4] != 0;
        wait.timed = extended && world.longs::<3>(facts.pid, args[4]).is_ok_and(|[_, _, until]| until != 0);
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("sleeps in {}", facts.wchan));
        wait.evidence.push("which operations are under way is not told: nobody is named".to_owned());
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};

    fn read(wchan: &'static str, link: &str) -> Wait {
        let machine = Machine::new("0 0x3 0x0 0x8 0x0 0x0 0x0", wchan);
        machine.link("100/task/101/fd/3", link);
        machine.write("100/task/101/fdinfo/3", "clockid: 1\nit_value: (0, 5)\nit_interval: (0, 0)\n");
        machine.decode().unwrap()
    }

    #[test]
    fn timers_and_watches_are_told_by_descriptor_and_place() {
        let timer = read("timerfd_read_iter", "anon_inode:[timerfd]");
        assert_eq!((&*timer.resource, timer.timed), ("the timer to expire: timerfd (fd 3)", true));
        let watch = read("inotify_read", "anon_inode:inotify");
        assert_eq!(
            (&*watch.resource, watch.timed, watch.partial),
            ("a watched file to change: inotify (fd 3)", false, true)
        );
        for (wchan, link) in [
            ("eventfd_read", "anon_inode:[timerfd]"),
            ("inotify_read", "anon_inode:[timerfd]"),
            ("0", "anon_inode:inotify"),
        ] {
            assert!(read(wchan, link).resource.starts_with("read("), "{wchan} {link}");
        }
    }

    #[test]
    fn a_ring_is_waited_for_only_if_completions_are_wanted() {
        let enter = |wanted: u32, flags: u32, wchan| {
            let machine = Machine::new(&format!("426 0x4 0x0 {wanted:#x} {flags:#x} {DATA:#x} 0x18"), wchan);
            machine.set_bytes(PID, DATA, &[0, 0, 0x1000_u64].map(u64::to_ne_bytes).concat());
            machine.link("100/task/101/fd/4", "anon_inode:[io_uring]");
            machine.decode().unwrap()
        };
        let wait = enter(1, 1, "io_cqring_wait");
        assert_eq!((wait.kind, wait.timed), (WaitKind::IoUring, false));
        assert_eq!(&*wait.resource, "1 completions of io_uring (fd 4)");
        assert!(enter(1, 9, "io_cqring_wait").timed);
        assert_eq!(enter(0, 1, "io_cqring_wait").kind, WaitKind::Other);
        assert_eq!(enter(1, 1, "folio_wait_bit").kind, WaitKind::Other);
    }
}
