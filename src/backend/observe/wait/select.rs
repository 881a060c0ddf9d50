//! Waiting for any of several descriptors, by sets of bits: `select(2)`,
//! `pselect(2)`.
//!
//! ```text
//! select(count, read, write, except, timeval)     pselect6(…, timespec, sigmask)
//! a set: one bit a descriptor, up to `count`
//! ```

use super::watched::{READABLE, WRITABLE, Watched};
use super::{Decoder, Facts, World, any_of};
use crate::model::wait::{Wait, WaitKind};

/// More than the largest set of the C library are not read.
const READ: u64 = 65_536;

/// A thread that selects among descriptors.
#[derive(Debug)]
pub(super) struct Select;

impl Decoder for Select {
    fn key(&self) -> &'static str {
        "select"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Select]
    }

    fn explain(&self) -> &'static str {
        "The thread waits until any of several descriptors becomes ready, or a time-out passes (select(2), \
         pselect(2)). It is recognised by the call and the place in the kernel; the descriptors are read from the \
         bit sets of the call. Whoever can make one of them ready can end the wait."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_select, libc::SYS_pselect6])?;
        if !facts.may_sleep_in(&["select", "poll_schedule_timeout"]) {
            return None;
        }
        let watched = descriptors(facts, world, args);
        let resource = match watched.as_deref() {
            None => "descriptors".to_owned(),
            Some([]) => "nothing but a time-out or a signal".to_owned(),
            Some(all) => any_of::resource(facts, world, all),
        };
        let mut wait = Wait::new(WaitKind::Select, resource);
        wait.timed = args[4] != 0;
        let count = watched.as_ref().map_or_else(|| "unreadable sets of".to_owned(), |all| all.len().to_string());
        let limit = if wait.timed { "with a time-out" } else { "without a time-out" };
        wait.evidence.push(format!("selects among {count} descriptors {limit}"));
        any_of::name(facts, world, watched.as_deref(), &mut wait);
        Some(wait)
    }
}

/// The descriptors in any of the three sets; `None` where they cannot be read.
fn descriptors(facts: &Facts<'_>, world: &World, args: &[u64; 6]) -> Option<Vec<Watched>> {
    let count = args[0] & 0xffff_ffff;
    if count > READ {
        return None;
    }
    let mut events = vec![0; count as usize];
    let mut watched = vec![false; count as usize];
    for (&address, bits) in args[1..4].iter().zip([READABLE, WRITABLE, 0]).filter(|(address, _)| **address != 0) {
        let mut set = vec![0; count.div_ceil(64) as usize * 8];
        world.memory(facts.pid, address, &mut set).ok()?;
        for fd in (0..count as usize).filter(|fd| set[fd / 8] >> (fd % 8) & 1 != 0) {
            events[fd] |= bits;
            watched[fd] = true;
        }
    }
    let one = |fd: usize| Watched { fd: fd as i32, events: events[fd], registered: None };
    Some((0..count as usize).filter(|&fd| watched[fd]).map(one).collect())
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine};
    use crate::model::wait::WaitKind;

    #[test]
    fn the_bits_are_descriptors() {
        let select = |timeout: &str, wchan| {
            let machine = Machine::new(&format!("23 0x9 {DATA:#x} 0x0 {:#x} {timeout} 0x0", DATA + 8), wchan);
            // 3 and 5 for reading, 3 for errors; 9 lies behind the count.
            machine.set_words(DATA, &[1 << 3 | 1 << 5 | 1 << 9, 0, 1 << 3, 0]);
            machine.decode().unwrap()
        };
        let wait = select("0x0", "do_select");
        assert_eq!((wait.kind, wait.timed, &*wait.resource), (WaitKind::Select, false, "fd 3 or fd 5"));
        assert!(select("0x7fff", "do_select").timed);
        assert_eq!(select("0x0", "futex_do_wait").kind, WaitKind::Other);
    }

    #[test]
    fn sets_that_cannot_be_read_are_told_so() {
        let wait = Machine::new("270 0x9 0x8 0x0 0x0 0x0 0x0", "do_select").decode().unwrap();
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::Select, "descriptors"));
        let wait = Machine::new("270 0xffffffff 0x8 0x0 0x0 0x0 0x0", "do_select").decode().unwrap();
        assert_eq!(&*wait.resource, "descriptors");
    }
}
