//! Waiting for any of several descriptors: `poll(2)`, `ppoll(2)`.
//!
//! ```text
//! poll(fds, count, milliseconds)      ppoll(fds, count, timespec, …)
//! struct pollfd: fd 4, events 2, revents 2
//! ```

use super::sleep::timespec;
use super::watched::Watched;
use super::{Decoder, Facts, World, any_of};
use crate::model::Nanos;
use crate::model::wait::{Certainty, Wait, WaitKind};

/// More than this are not read.
const READ: u64 = 4096;

/// A thread that polls descriptors.
#[derive(Debug)]
pub(super) struct Poll;

impl Decoder for Poll {
    fn key(&self) -> &'static str {
        "poll"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Poll]
    }

    fn explain(&self) -> &'static str {
        "The thread waits until any of several descriptors becomes ready, or a time-out passes (poll(2), ppoll(2)). \
         It is recognised by the call and the place in the kernel; the descriptors are read from the call's \
         argument. Whoever can make one of them ready can end the wait."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        if facts.call_in(&[libc::SYS_restart_syscall]).is_some() {
            return resumed(facts, world);
        }
        let args = facts.call_in(&[libc::SYS_poll, libc::SYS_ppoll])?;
        // Both sleep in poll_schedule_timeout, inlined into do_poll or not.
        if !facts.may_sleep_in(&["poll"]) {
            return None;
        }
        let limit = if facts.call_in(&[libc::SYS_poll]).is_some() {
            u64::try_from(args[2] as i32).ok().map(|millis| Nanos(millis * 1_000_000))
        } else {
            (args[2] != 0).then(|| timespec(facts, world, args[2]).unwrap_or_default())
        };
        let watched = descriptors(facts, world, args[0], args[1]);
        let mut wait = Wait::new(WaitKind::Poll, resource(facts, world, watched.as_deref(), args[1]));
        wait.timed = limit.is_some();
        wait.evidence.push(match limit {
            Some(limit) => format!("polls {} descriptors for at most {limit}", args[1]),
            None => format!("polls {} descriptors without a time-out", args[1]),
        });
        any_of::name(facts, world, watched.as_deref(), &mut wait);
        Some(wait)
    }
}

/// Only a poll with a time-out is resumed as `restart_syscall`; its arguments are
/// gone.
fn resumed(facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
    if !matches!(world.resumed_call(facts)?.as_ref(), "poll" | "__poll") {
        return None;
    }
    let mut wait = Wait::new(WaitKind::Poll, "descriptors, continued after a stop");
    wait.timed = true;
    wait.partial = true;
    wait.certainty = Certainty::Derived;
    wait.evidence.push("restart_syscall, made in poll: the arguments are no longer told".to_owned());
    Some(wait)
}

/// The descriptors and events asked for; `None` where they cannot be read.
fn descriptors(facts: &Facts<'_>, world: &World, address: u64, count: u64) -> Option<Vec<Watched>> {
    if count == 0 || count > READ {
        return (count == 0).then(Vec::new);
    }
    let mut bytes = vec![0; count as usize * 8];
    world.memory(facts.pid, address, &mut bytes).ok()?;
    let entry = |chunk: &[u8]| {
        let fd = i32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        Watched { fd, events: u32::from(u16::from_ne_bytes([chunk[4], chunk[5]])), registered: None }
    };
    // A negative number stands for an entry to be left out.
    Some(bytes.chunks_exact(8).map(entry).filter(|one| one.fd >= 0).collect())
}

fn resource(facts: &Facts<'_>, world: &World, watched: Option<&[Watched]>, count: u64) -> String {
    match watched {
        None => format!("{count} descriptors"),
        Some([]) => "nothing but a time-out or a signal".to_owned(),
        Some(all) => any_of::resource(facts, world, all),
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine};
    use crate::model::wait::WaitKind;

    #[test]
    fn descriptors_and_time_outs_are_read() {
        let poll = |timeout: &str, wchan| {
            let machine = Machine::new(&format!("7 {DATA:#x} 0x3 {timeout} 0x0 0x0 0x0"), wchan);
            // fd 4 for reading, an entry to be left out, fd 5 for writing
            machine.set_words(DATA, &[4, 1, u32::MAX, 1, 5, 4]);
            machine.link("100/task/101/fd/4", "pipe:[7]");
            machine.decode().unwrap()
        };
        let wait = poll("0xffffffff", "do_poll");
        assert_eq!((wait.kind, wait.timed, &*wait.resource), (WaitKind::Poll, false, "pipe 7 (fd 4) or fd 5"));
        assert!(wait.partial && wait.holders.is_empty());
        assert!(poll("0x1f4", "do_sys_poll").timed);
        assert_eq!(poll("0xffffffff", "futex_do_wait").kind, WaitKind::Other);
    }

    #[test]
    fn a_poll_of_nothing_or_of_unreadable_memory_is_told_so() {
        let wait = Machine::new("7 0x0 0x0 0x64 0x0 0x0 0x0", "do_poll").decode().unwrap();
        assert_eq!(&*wait.resource, "nothing but a time-out or a signal");
        let wait = Machine::new("271 0x8 0x3 0x0 0x0 0x0 0x0", "do_poll").decode().unwrap();
        assert_eq!((&*wait.resource, wait.timed), ("3 descriptors", false));
    }
}
