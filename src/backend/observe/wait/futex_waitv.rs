//! Waiting for any of several futexes: `futex_waitv(2)`.
//!
//! ```text
//! futex_waitv(waiters, count, 0, time-out, clock)
//! struct futex_waitv: value 8, address 8, flags 4, reserved 4
//! ```

use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// As many as the kernel takes.
const MOST: u64 = 128;

/// A thread that waits for any of several words.
#[derive(Debug)]
pub(super) struct FutexWaitv;

impl Decoder for FutexWaitv {
    fn key(&self) -> &'static str {
        "futex_waitv"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Futex]
    }

    fn explain(&self) -> &'static str {
        "The thread sleeps until another changes one of several words of memory and wakes it (futex_waitv(2)), as Wine \
         does for Windows' WaitForMultipleObjects. It is recognised by the call and by the list in the thread's memory. \
         Which locks the words belong to cannot be told: nobody is named."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_futex_waitv])?;
        let count = Some(args[1] & 0xffff_ffff).filter(|count| (1..=MOST).contains(count))?;
        if !facts.may_sleep_in(&["futex"]) {
            return None;
        }
        let mut bytes = vec![0; count as usize * 24];
        world.memory(facts.pid, args[0], &mut bytes).ok()?;
        let long = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
        let waiters: Vec<(u64, u64)> = bytes.chunks_exact(24).map(|one| (long(&one[8..16]), long(&one[..8]))).collect();
        let first = waiters.first()?.0;
        let mut wait = Wait::new(WaitKind::Futex, format!("any of {count} futexes"));
        wait.address = Some(first);
        wait.timed = args[3] != 0;
        wait.partial = true;
        wait.certainty = Certainty::Unknown;
        for (address, value) in waiters.into_iter().take(4) {
            wait.evidence.push(format!("futex {address:#x}, value {value}"));
        }
        wait.evidence.push("no layout of a known lock fits: the holder cannot be named".to_owned());
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};

    fn wait(count: u32, wchan: &'static str) -> Wait {
        let machine = Machine::new(&format!("449 {DATA:#x} {count:#x} 0x0 0x0 0x0 0x0"), wchan);
        let longs = [7, 0x1000, 2, 8, 0x2000, 2_u64];
        machine.set_bytes(PID, DATA, &longs.map(u64::to_ne_bytes).concat());
        machine.decode().unwrap()
    }

    #[test]
    fn the_words_are_read_from_the_list() {
        let wait = wait(2, "futex_wait_multiple");
        assert_eq!((wait.kind, &*wait.resource, wait.address), (WaitKind::Futex, "any of 2 futexes", Some(0x1000)));
        assert_eq!(&wait.evidence[..2], ["futex 0x1000, value 7", "futex 0x2000, value 8"]);
        assert!(wait.holders.is_empty() && wait.partial && !wait.timed);
    }

    #[test]
    fn a_list_that_cannot_be_or_another_place_is_refused() {
        assert_eq!(wait(0, "futex_wait_multiple").kind, WaitKind::Other);
        assert_eq!(wait(200, "futex_wait_multiple").kind, WaitKind::Other);
        assert_eq!(wait(100, "futex_wait_multiple").kind, WaitKind::Other, "unmapped");
        assert_eq!(wait(2, "do_poll").kind, WaitKind::Other);
    }
}
