//! POSIX message queues: `mq_timedreceive(2)`, `mq_timedsend(2)`.
//!
//! ```text
//! mq_timedreceive(queue, message, size, priority, until)      asleep in wq_sleep
//! mq_timedsend(queue, message, size, priority, until)
//! ```
//!
//! The descriptor's link is the queue's name, `/jobs`.

use super::descriptor::Target;
use super::{Decoder, Facts, World};
use crate::backend::observe::endpoints::{self, End};
use crate::model::text::visible;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

/// A thread that waits for a message, or for room for one.
#[derive(Debug)]
pub(super) struct PosixMq;

impl Decoder for PosixMq {
    fn key(&self) -> &'static str {
        "posix_mq"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PosixMq]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a message in a POSIX message queue, or for room in it (mq_receive(3), mq_send(3)). It is \
         recognised by the call and the place in the kernel; the descriptor's link is the queue's name. Other \
         processes that have the queue open in the fitting direction can end the wait; so can anybody who opens it by \
         its name, so the list is never complete."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = facts.blocked()?;
        let receives = match call.number {
            libc::SYS_mq_timedreceive => true,
            libc::SYS_mq_timedsend => false,
            _ => return None,
        };
        if !facts.has_wchan() || !facts.may_sleep_in(&["wq_sleep", "mq_timed"]) {
            return None;
        }
        let fd = call.args[0] as i32;
        let Ok(Target::Path(path)) = Target::of(facts, world, fd) else { return None };
        let what = if receives { "a message in" } else { "room in" };
        let mut wait = Wait::new(WaitKind::PosixMq, format!("{what} queue {} (fd {fd})", visible(&path)));
        wait.timed = call.args[4] != 0;
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("sleeps in {} on fd {fd}", facts.wchan));
        wait.evidence.push("anybody may open the queue by its name and end the wait".to_owned());
        if world.is_precise() {
            let own = format!("{}/task/{}/fd/{fd}", facts.pid, facts.tid);
            for end in endpoints::of_file(&world.root, &path, &own).unwrap_or_default() {
                name(facts, &end, receives, &mut wait);
            }
        }
        Some(wait)
    }
}

fn name(facts: &Facts<'_>, end: &End, receives: bool, wait: &mut Wait) {
    let fits = if receives { end.access.write } else { end.access.read };
    let holder = Holder { pid: end.pid, tid: None };
    // Its own descriptor is the one that it waits with.
    if fits && end.pid != facts.pid && !wait.holders.contains(&holder) {
        wait.holders.push(holder);
        let how = if receives { "may send to it" } else { "may receive from it" };
        wait.evidence.push(format!("process {} has it open as fd {} and {how}", end.pid, end.fd));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;

    fn machine(call: &str, wchan: &'static str) -> Machine {
        let machine = Machine::new(&format!("{call} 0x3 0x0 0x8 0x0 0x0 0x0"), wchan);
        machine.link("100/task/101/fd/3", "/jobs");
        machine
    }

    #[test]
    fn the_queue_is_named_and_the_list_is_never_complete() {
        let wait = machine("243", "wq_sleep").decode().unwrap();
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::PosixMq, "a message in queue /jobs (fd 3)"));
        assert!(wait.partial && wait.holders.is_empty() && !wait.timed);
        assert_eq!(&*machine("242", "wq_sleep").decode().unwrap().resource, "room in queue /jobs (fd 3)");
    }

    #[test]
    fn another_place_or_another_descriptor_is_no_queue() {
        assert_eq!(machine("243", "folio_wait_bit").decode().unwrap().kind, WaitKind::Other);
        assert_eq!(machine("243", "0").decode().unwrap().kind, WaitKind::Other);
        let replaced = Machine::new("243 0x3 0x0 0x8 0x0 0x0 0x0", "wq_sleep");
        replaced.link("100/task/101/fd/3", "pipe:[7]");
        assert_eq!(replaced.decode().unwrap().kind, WaitKind::Other);
    }
}
