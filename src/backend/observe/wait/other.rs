//! Any wait that no decoder before has taken: the system call's name and its
//! arguments in words.

use rustix::io::Errno;

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
        if kind == WaitKind::Disk {
            wait.evidence.push(match kernel_stack(facts, world) {
                Ok(frames) => format!("in the kernel: {}", frames.join(" ← ")),
                Err(error) => format!("its kernel stack cannot be read ({error}): root may"),
            });
        }
        Some(wait)
    }
}

/// The innermost functions of the kernel that it is in; only root may know.
fn kernel_stack(facts: &Facts<'_>, world: &World) -> Result<Vec<String>, Errno> {
    let mut content = Vec::new();
    world.root.read_into(&format!("{}/task/{}/stack", facts.pid, facts.tid), &mut content)?;
    let text = String::from_utf8_lossy(&content);
    // [<0>] folio_wait_bit_common+0x13d/0x340
    let name = |line: &str| Some(line.split_ascii_whitespace().nth(1)?.split('+').next()?.to_owned());
    let frames: Vec<String> = text.lines().filter_map(name).take(6).collect();
    if frames.is_empty() { Err(Errno::NODATA) } else { Ok(frames) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;

    #[test]
    fn a_wait_for_a_disk_shows_where_in_the_kernel_it_is() {
        let machine = Machine { state: State::Disk, ..Machine::new("74 0x3 0x0 0x0 0x0 0x0 0x0", "folio_wait_bit") };
        let says = |text: &str| machine.decode().unwrap().evidence.iter().any(|line| line.contains(text));
        assert!(says("its kernel stack cannot be read"));
        machine.write("100/task/101/stack", "[<0>] folio_wait_bit_common+0x13d/0x340\n[<0>] do_fsync+0x1/0x2\n");
        assert!(says("in the kernel: folio_wait_bit_common ← do_fsync"));
    }
}
