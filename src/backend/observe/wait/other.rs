//! Any wait that no decoder before has taken: the system call's name and its
//! arguments in words.

use super::calls::render;
use super::{Call, Decoder, Facts, World};
use crate::model::process::State;
use crate::model::wait::{Certainty, Wait, WaitKind};

/// What is left.
#[derive(Debug)]
pub(super) struct Other;

impl Decoder for Other {
    fn key(&self) -> &'static str {
        "other"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Other, WaitKind::Disk]
    }

    fn explain(&self) -> &'static str {
        "The thread is blocked in a system call that no decoder knows, or in one that does not look as it should. The \
         call and its arguments are shown as they are. In state D it cannot be woken by a signal and mostly waits for \
         a disk or a file server. Outside of any system call it waits in the kernel itself: a page that is read in, \
         or the work of a kernel thread."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let resource = match facts.call {
            Call::Blocked { call, .. } => render(facts, world, call),
            Call::Outside if facts.has_wchan() => format!("in the kernel ({})", facts.wchan),
            Call::Outside => "in the kernel".to_owned(),
            Call::Running | Call::Unreadable(_) => return None,
        };
        let kind = if facts.state == State::Disk { WaitKind::Disk } else { WaitKind::Other };
        let mut wait = Wait::new(kind, resource);
        wait.certainty = if kind == WaitKind::Disk { Certainty::Derived } else { Certainty::Unknown };
        wait.partial = true;
        if facts.state == State::Disk {
            wait.evidence.push("state D: no signal wakes it".to_owned());
        }
        if facts.has_wchan() {
            wait.evidence.push(format!("sleeps in {}", facts.wchan));
        }
        Some(wait)
    }
}
