//! What is left where the system call may not be read: the place in the kernel,
//! if even that is told.

use rustix::io::Errno;

use super::Facts;
use crate::backend::observe::privilege::{advice, explain, may_trace};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// Kernel functions in which threads sleep, and what that tells alone. The
/// first that the place contains counts.
const PLACES: &[(&str, WaitKind, &str)] = &[
    ("do_wait", WaitKind::Waitpid, "a child"),
    ("pipe_read", WaitKind::PipeRead, "a pipe"),
    ("pipe_write", WaitKind::PipeWrite, "a pipe"),
    ("nanosleep", WaitKind::Sleep, "sleep"),
    ("ep_poll", WaitKind::Epoll, "an epoll instance"),
    ("do_select", WaitKind::Select, "descriptors"),
    ("do_poll", WaitKind::Poll, "descriptors"),
    // Of select as well: what both have in common.
    ("poll_schedule_timeout", WaitKind::Poll, "descriptors"),
    ("do_sys_poll", WaitKind::Poll, "descriptors"),
    ("futex", WaitKind::Futex, "a futex"),
    ("locks_lock_inode_wait", WaitKind::Flock, "a file lock"),
    ("unix_stream_read", WaitKind::UnixRecv, "a Unix socket"),
    ("inet_csk_accept", WaitKind::InetAccept, "a connection"),
    ("n_tty_read", WaitKind::TtyRead, "terminal input"),
    ("n_tty_write", WaitKind::TtyWrite, "a terminal"),
    ("sigsuspend", WaitKind::Signal, "a signal"),
    ("sigtimedwait", WaitKind::Signal, "a signal"),
    ("eventfd_read", WaitKind::Eventfd, "an eventfd"),
];

/// The wait as the place in the kernel tells it, without any holder.
pub(super) fn from_wchan(facts: &Facts<'_>, error: Errno) -> Wait {
    let known = PLACES.iter().find(|(place, ..)| facts.has_wchan() && facts.wchan.contains(place));
    let (kind, resource) =
        known.map_or((WaitKind::Other, "something not permitted to see"), |&(_, kind, what)| (kind, what));
    let mut wait = Wait::new(kind, resource);
    wait.timed = kind == WaitKind::Sleep;
    wait.partial = true;
    wait.certainty = if known.is_some() { Certainty::Derived } else { Certainty::Unknown };
    if facts.has_wchan() {
        wait.evidence.push(format!("sleeps in {}", facts.wchan));
    }
    wait.evidence.push(refusal(facts, error, may_trace()));
    wait
}

/// That the system call may not be read, why, and the way out where it is a
/// matter of permission.
fn refusal(facts: &Facts<'_>, error: Errno, may_trace: bool) -> String {
    let text = format!("/proc/{}/task/{}/syscall cannot be read: {}", facts.pid, facts.tid, explain(error));
    match error {
        Errno::ACCESS | Errno::PERM => {
            let way = advice(may_trace, "run as root or with CAP_SYS_PTRACE to see what it waits for");
            format!("{text}; {way}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::Call;
    use crate::model::process::State;

    #[test]
    fn a_refusal_has_a_reason_in_words_and_a_way_out_that_helps() {
        let call = Call::Unreadable(Errno::PERM);
        let facts = Facts { pid: 7, tid: 8, state: State::Sleeping, call: &call, wchan: "", since: None };
        let text = refusal(&facts, Errno::PERM, false);
        assert!(text.contains("/proc/7/task/8/syscall") && text.contains("not permitted (EPERM)"), "{text}");
        assert!(text.contains("run as root or with CAP_SYS_PTRACE"), "{text}");
        let text = refusal(&facts, Errno::PERM, true);
        assert!(!text.contains("run as root") && text.contains("in spite of CAP_SYS_PTRACE"), "{text}");
        // No permission lifts these.
        let text = refusal(&facts, Errno::IO, false);
        assert!(!text.contains("run as root") && !text.contains("CAP_SYS_PTRACE"), "{text}");
    }
}
