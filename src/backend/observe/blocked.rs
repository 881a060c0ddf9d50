//! What a task is blocked in: its `syscall` and `wchan`, and what the decoders
//! make of them.

use std::sync::Arc;

use rustix::io::Errno;

use super::dating::Rest;
use super::source::Source;
use super::wait::{Call, Facts, decode, native_call};
use crate::model::Pid;
use crate::model::process::{BlockedCall, State};
use crate::model::wait::{Certainty, Wait, WaitKind};
use crate::sys::proc_read::Path;

/// The task to look at.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// Its process.
    pub pid: Pid,
    /// The task itself; equal to `pid` for the main thread.
    pub tid: Pid,
    /// Its directory below the root.
    pub directory: Path,
    /// Its state.
    pub state: State,
    /// Whether it is a kernel thread, which is in no system call.
    pub kernel: bool,
}

impl Task {
    /// Whether its state says that it is in no wait.
    pub fn has_no_wait(&self) -> bool {
        matches!(self.state, State::Running | State::Zombie | State::Dead)
    }
}

/// What it is blocked in; nothing of it for one that runs or has ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocked {
    /// The system call.
    pub call: Option<BlockedCall>,
    /// Where in the kernel.
    pub wchan: Option<Arc<str>>,
    /// What it waits for.
    pub wait: Option<Arc<Wait>>,
    /// Why the system call could not be read.
    pub denied: Option<Errno>,
}

impl Blocked {
    /// Reads and decodes. `rest` says since when the task has been in this wait.
    pub fn read(task: &Task, rest: Rest, source: &mut Source) -> Self {
        if task.has_no_wait() {
            return Blocked::default();
        }
        let call = if task.kernel { Call::Kernel } else { call_in(source.once(&task.directory.file("syscall"))) };
        if call == Call::Running || call == Call::Unreadable(Errno::SRCH) {
            return Blocked::default();
        }
        let wchan = match source.once(&task.directory.file("wchan")).map(<[u8]>::to_vec) {
            Ok(content) => source.symbols.get(&content),
            Err(_) => None,
        };
        let facts = Facts {
            pid: task.pid,
            tid: task.tid,
            state: task.state,
            call: &call,
            wchan: wchan.as_deref().unwrap_or_default(),
            since: Some(rest.since),
        };
        let dated = |wait| Arc::new(Wait { at_least: rest.at_least, ..wait });
        let wait = decode(&facts, &mut source.world).map(dated);
        let native = native_call(&facts, &mut source.world);
        let (call, denied) = match native.unwrap_or(call) {
            Call::Blocked { call, .. } => (Some(call), None),
            Call::Unreadable(error) => (None, Some(error)),
            Call::Running | Call::Outside | Call::Kernel => (None, None),
        };
        Blocked { call, wchan, wait, denied }
    }
}

/// The system call as a task's `syscall` file tells it.
pub fn call_in(content: Result<&[u8], Errno>) -> Call {
    match content {
        // What no parser understands is no figure to show.
        Ok(content) => Call::parse(content).unwrap_or(Call::Unreadable(Errno::INVAL)),
        Err(error) => Call::Unreadable(error),
    }
}

/// Whether the answer may change while the waiter sleeps: whoever holds the
/// thing may hand it on; what was read in the middle of a hand-off may become
/// known. Of what is named by its system call alone nothing more will be.
///
/// Who holds the other end of a descriptor takes an index of all descriptors of
/// the machine to tell: such waits come round together, in the round in which
/// `ends` is said, so that the index is made once for all.
pub fn is_to_revisit(wait: Option<&Arc<Wait>>, swept: bool, ends: bool) -> bool {
    wait.is_some_and(|wait| {
        let due = if is_of_ends(wait.kind) { ends } else { swept };
        due && (!wait.holders.is_empty() || (!is_settled(wait.kind) && wait.certainty != Certainty::Certain))
    })
}

fn is_of_ends(kind: WaitKind) -> bool {
    use WaitKind::{
        Epoll, Eventfd, FifoOpen, InetAccept, InetConnect, InetRecv, InetSend, PipeRead, PipeWrite, Poll, Select,
        TtyRead, TtyWrite, UnixAccept, UnixConnect, UnixRecv, UnixSend,
    };
    let streams =
        matches!(kind, PipeRead | PipeWrite | TtyRead | TtyWrite | FifoOpen | Poll | Select | Epoll | Eventfd);
    let unix = matches!(kind, UnixRecv | UnixSend | UnixAccept | UnixConnect);
    streams || unix || matches!(kind, InetRecv | InetSend | InetAccept | InetConnect)
}

fn is_settled(kind: WaitKind) -> bool {
    use WaitKind::{Disk, Epoll, Other, Poll, Select, Signal, Sleep};
    matches!(kind, Disk | Epoll | Other | Poll | Select | Signal | Sleep)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wait::Holder;

    #[test]
    fn only_what_may_change_is_asked_again() {
        let wait = |kind, certainty| Wait { certainty, ..Wait::new(kind, "x") };
        let held = Wait { holders: vec![Holder { pid: 7, tid: None }], ..wait(WaitKind::Flock, Certainty::Certain) };
        let cases = [
            (held, true),
            (wait(WaitKind::Flock, Certainty::Certain), false),
            (wait(WaitKind::Futex, Certainty::Unknown), true),
            (wait(WaitKind::Other, Certainty::Unknown), false),
            (wait(WaitKind::Sleep, Certainty::Certain), false),
            (wait(WaitKind::Poll, Certainty::Derived), false),
            (Wait { partial: true, ..wait(WaitKind::PipeRead, Certainty::Unknown) }, true),
        ];
        for (wait, expected) in cases {
            let wait = Arc::new(wait);
            assert!(!is_to_revisit(Some(&wait), false, false));
            let ends = is_of_ends(wait.kind);
            assert_eq!(is_to_revisit(Some(&wait), !ends, ends), expected, "{wait:?}");
            assert!(!is_to_revisit(Some(&wait), ends, !ends), "not in the others' round: {wait:?}");
        }
        assert!(!is_to_revisit(None, true, true));
    }
}
