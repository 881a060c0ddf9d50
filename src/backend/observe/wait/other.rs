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
         a disk or a file server. Outside of any system call it waits for the kernel itself: a page that is read in, \
         or, as a thread of the kernel, for work. Root is shown the functions of the kernel that it is in."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let resource = match facts.call {
            Call::Blocked { call, .. } => {
                let call = render(facts, world, call);
                answerer(facts).map_or(call.clone(), |who| format!("{who}, in {call}"))
            }
            Call::Outside => outside(facts),
            Call::Kernel if facts.has_wchan() => format!("the kernel's own work ({})", facts.wchan),
            Call::Kernel => "the kernel's own work".to_owned(),
            Call::Running | Call::Unreadable(_) => return None,
        };
        let kind = if facts.state == State::Disk { WaitKind::Disk } else { WaitKind::Other };
        let mut wait = Wait::new(kind, resource);
        // A thread of the kernel is known by being in no call of a program.
        let derived = kind == WaitKind::Disk || *facts.call == Call::Kernel;
        wait.certainty = if derived { Certainty::Derived } else { Certainty::Unknown };
        wait.partial = true;
        if facts.state == State::Disk {
            wait.evidence.push("state D: no signal wakes it, SIGKILL at most".to_owned());
        }
        if matches!(facts.call, Call::Outside) {
            wait.evidence.push("it is in no system call".to_owned());
        }
        if facts.has_wchan() {
            wait.evidence.push(format!("sleeps in {}", facts.wchan));
        }
        // What the kernel does for itself nobody asks about.
        if kind == WaitKind::Disk || (world.is_precise() && *facts.call != Call::Kernel) {
            match kernel_stack(facts, world) {
                Ok(frames) => wait.evidence.push(format!("in the kernel: {}", frames.join(" ← "))),
                Err(Errno::NOENT | Errno::SRCH | Errno::NODATA) if kind != WaitKind::Disk => {}
                Err(error) => wait.evidence.push(format!("its kernel stack cannot be read ({error}): root may")),
            }
        }
        Some(wait)
    }
}

const PAGE_FAULT: &str = "whoever handles its page fault (userfaultfd(2))";

/// Who must answer before the kernel goes on with a call, by where the thread sleeps.
fn answerer(facts: &Facts<'_>) -> Option<&'static str> {
    const PLACES: [(&[&str], &str); 5] = [
        (&["seccomp_do_user_notification"], "whoever supervises its system calls (seccomp(2))"),
        (&["handle_userfault"], PAGE_FAULT),
        (&["fanotify_"], "whoever grants access to the file (fanotify(7))"),
        (&["fuse_get_req", "request_wait_answer", "fuse_dev", "__fuse"], "the program behind a FUSE file system"),
        (&["rpc_wait_bit", "nfs_wait", "nfs4_", "nfs_"], "a file server (NFS)"),
    ];
    let known = PLACES.iter().find(|(places, _)| facts.has_wchan() && facts.may_sleep_in(places));
    known.map(|(_, who)| *who)
}

/// What a thread waits for that is in no system call, by where it sleeps.
fn outside(facts: &Facts<'_>) -> String {
    const PLACES: [(&[&str], &str); 3] = [
        (&["userfault"], PAGE_FAULT),
        (&["folio", "filemap", "page_fault", "swap", "fuse"], "a page of memory to be read in"),
        (&["coredump"], "the core dump of its process to be written"),
    ];
    if !facts.has_wchan() {
        return "the kernel, outside of any system call".to_owned();
    }
    let known = PLACES.iter().find(|(places, _)| facts.may_sleep_in(places));
    known.map_or_else(
        || format!("the kernel, outside of any system call, in {}", facts.wchan),
        |(_, what)| (*what).to_owned(),
    )
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

    #[test]
    fn what_is_in_no_system_call_is_told_by_its_place_in_the_kernel() {
        let wait = |call: &[u8], wchan| {
            let machine = Machine::new("0 0x0 0x0 0x0 0x0 0x0 0x0", wchan);
            machine.decode_call(&Call::parse(call).unwrap()).unwrap()
        };
        let fault = wait(b"-1 0x7fff00000000 0x500000001010", "handle_userfault");
        assert_eq!(
            (&*fault.resource, fault.kind),
            ("whoever handles its page fault (userfaultfd(2))", WaitKind::Other)
        );
        let page = wait(b"-1 0x7fff00000000 0x500000001010", "folio_wait_bit_common");
        assert_eq!(&*page.resource, "a page of memory to be read in");
        let unknown = wait(b"-1 0x7fff00000000 0x500000001010", "0");
        assert_eq!(&*unknown.resource, "the kernel, outside of any system call");
        assert_eq!(&*wait(b"-1 0x0 0x0", "io_wqe_worker").resource, "the kernel's own work (io_wqe_worker)");
    }

    #[test]
    fn who_must_answer_is_told_by_the_place_in_the_kernel() {
        let says = |wchan| Machine::new("110 0x0 0x0 0x0 0x0 0x0 0x0", wchan).decode().unwrap().resource.to_string();
        assert!(says("seccomp_do_user_notification").starts_with("whoever supervises its system calls"));
        assert!(says("handle_userfault").starts_with("whoever handles its page fault (userfaultfd(2)), in getppid("));
        assert!(says("fanotify_handle_event").starts_with("whoever grants access to the file (fanotify(7)), in "));
        assert!(says("fuse_get_req").starts_with("the program behind a FUSE file system, in getppid("));
        assert!(says("rpc_wait_bit_killable").starts_with("a file server (NFS), in getppid("));
        assert!(says("folio_wait_bit").starts_with("getppid("));
    }
}
