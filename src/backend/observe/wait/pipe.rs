//! Pipes, anonymous and named: `pipe(7)`.
//!
//! A reader sleeps in `anon_pipe_read` (`fifo_pipe_read`, `pipe_read` in older
//! kernels) while the pipe is empty and somebody has the write end open; a
//! writer sleeps in `…pipe_write` while it is full and somebody has the read
//! end open. Without that somebody the call would have returned, so an end that
//! nobody visibly has is hidden, not absent. `splice(2)` and its kin sleep in
//! `pipe_wait_readable` and `pipe_wait_writable`.

use rustix::io::Errno;

use super::descriptor::{Others, Target, of_fifo, of_pipe};
use super::{Decoder, Facts, World};
use crate::backend::observe::endpoints::Access;
use crate::model::text::visible;
use crate::model::wait::{Certainty, Wait, WaitKind};

/// Calls that read from a pipe: which argument is its descriptor, and where they sleep.
const READS: Calls = &[
    (libc::SYS_read, 0, "pipe_read"),
    (libc::SYS_readv, 0, "pipe_read"),
    (libc::SYS_preadv2, 0, "pipe_read"),
    (libc::SYS_splice, 0, READABLE),
    (libc::SYS_tee, 0, READABLE),
    (libc::SYS_vmsplice, 0, READABLE),
];
/// Calls that write to a pipe.
const WRITES: Calls = &[
    (libc::SYS_write, 0, "pipe_write"),
    (libc::SYS_writev, 0, "pipe_write"),
    (libc::SYS_pwritev2, 0, "pipe_write"),
    (libc::SYS_splice, 2, WRITABLE),
    (libc::SYS_tee, 1, WRITABLE),
    (libc::SYS_vmsplice, 0, WRITABLE),
    (libc::SYS_sendfile, 0, WRITABLE),
];
const READABLE: &str = "pipe_wait_readable";
const WRITABLE: &str = "pipe_wait_writable";
/// Number, argument, function of the kernel.
type Calls = &'static [(i64, usize, &'static str)];

/// The descriptor of the pipe that a thread waits on in one of `calls`. Of a call with
/// two, only the place in the kernel tells which.
fn descriptor(facts: &Facts<'_>, calls: Calls) -> Option<i32> {
    let call = facts.blocked()?;
    let (_, argument, place) = calls.iter().find(|(number, ..)| *number == call.number)?;
    let told = facts.has_wchan() || !matches!(*place, READABLE | WRITABLE);
    (told && facts.may_sleep_in(&[place])).then_some(call.args[*argument] as i32)
}

/// A reader of an empty pipe.
#[derive(Debug)]
pub(super) struct PipeRead;

/// A writer to a full pipe.
#[derive(Debug)]
pub(super) struct PipeWrite;

impl Decoder for PipeRead {
    fn key(&self) -> &'static str {
        "pipe_read"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PipeRead]
    }

    fn explain(&self) -> &'static str {
        "The thread reads from a pipe or FIFO that is empty. Any process that has the write end open can end the \
         wait, by writing or by being the last to close it. It is recognised by the call, by what the descriptor is \
         and by the place in the kernel. The holders are all processes whose descriptors show the write end; an end \
         in a process that may not be read, or on its way inside a socket message, is not seen."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let fd = descriptor(facts, READS)?;
        decode_pipe(facts, world, fd, WaitKind::PipeRead, "the write end", |access| access.write)
    }
}

impl Decoder for PipeWrite {
    fn key(&self) -> &'static str {
        "pipe_write"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PipeWrite]
    }

    fn explain(&self) -> &'static str {
        "The thread writes to a pipe or FIFO that is full. Any process that has the read end open can end the wait, \
         by reading or by being the last to close it. It is recognised like a pipe read; the holders are all \
         processes whose descriptors show the read end."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let fd = descriptor(facts, WRITES)?;
        decode_pipe(facts, world, fd, WaitKind::PipeWrite, "the read end", |access| access.read)
    }
}

fn decode_pipe(
    facts: &Facts<'_>,
    world: &mut World,
    fd: i32,
    kind: WaitKind,
    role: &str,
    wanted: fn(Access) -> bool,
) -> Option<Wait> {
    let target = Target::of(facts, world, fd).ok()?;
    let (mut wait, others) = match &target {
        Target::Pipe(inode) => (Wait::new(kind, target.words(fd)), of_pipe(world, *inode, wanted)),
        // Only the kernel's own word makes a path a FIFO.
        Target::Path(path) if facts.has_wchan() => {
            let wait = Wait::new(kind, format!("FIFO {} (fd {fd})", visible(path)));
            (wait, of_fifo(facts, world, fd, path, wanted))
        }
        _ => return None,
    };
    wait.evidence.push(if facts.has_wchan() {
        format!("sleeps in {} on fd {fd}", facts.wchan)
    } else {
        format!("blocked on fd {fd}; where in the kernel is not told")
    });
    name(facts, world, others, role, &mut wait);
    Some(wait)
}

fn name(facts: &Facts<'_>, world: &World, others: Result<Others, Errno>, role: &str, wait: &mut Wait) {
    match others {
        Ok(others) => others.name(facts, world, role, wait),
        Err(error) => {
            wait.certainty = Certainty::Unknown;
            wait.partial = true;
            wait.evidence.push(format!("who has {role} open cannot be read: {error}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{Machine, PID};
    use crate::model::wait::Holder;

    /// Thread 101 reads fd 0, a pipe. (A made-up link shows every access.)
    fn machine(wchan: &'static str) -> Machine {
        let machine = Machine::new("0 0x0 0x7fff 0x400 0x0 0x0 0x0", wchan);
        machine.link("100/task/101/fd/0", "pipe:[48213]");
        machine
    }

    #[test]
    fn whoever_has_the_other_end_is_named() {
        let machine = machine("anon_pipe_read");
        machine.process(200, &[200]);
        machine.link("200/fd/7", "pipe:[48213]");
        machine.process(300, &[300]);
        machine.link("300/fd/7", "pipe:[48214]");
        let wait = machine.decode().unwrap();
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::PipeRead, "pipe 48213 (fd 0)"));
        assert_eq!(wait.holders, [Holder { pid: 200, tid: None }]);
        assert!(!wait.partial);
    }

    #[test]
    fn an_end_that_nobody_visibly_has_is_unknown_not_dead() {
        let wait = machine("anon_pipe_read").decode().unwrap();
        assert_eq!((wait.kind, wait.certainty), (WaitKind::PipeRead, Certainty::Unknown));
        assert!(wait.partial && wait.holders.is_empty() && !wait.orphaned);
    }

    #[test]
    fn the_waiting_process_itself_may_have_the_other_end() {
        let machine = machine("pipe_read");
        machine.link("100/fd/0", "pipe:[48213]");
        let wait = machine.decode().unwrap();
        assert_eq!(wait.holders, [Holder { pid: PID, tid: None }]);
    }

    #[test]
    fn pythons_own_handler_uses_no_end_that_blocks() {
        let partial = |program: &str, caught: &str, flags: &str| {
            let machine = machine("pipe_read");
            machine.link("100/fd/0", "pipe:[48213]");
            machine.link("100/exe", program);
            machine.write("100/task/100/fdinfo/0", &format!("pos:\t0\nflags:\t{flags}\n"));
            machine.write("100/status", &format!("Tgid:\t100\nNSpid:\t100\nSigCgt:\t{caught}\n"));
            machine.decode().unwrap().partial
        };
        assert!(!partial("/usr/bin/python3.11", "0000000000000002", "02"));
        assert!(partial("/usr/bin/python3.11", "0000000000000002", "04002"), "as its handler may write to");
        assert!(partial("/usr/bin/python3.11", "0000000000000202", "02"), "it catches another signal");
        assert!(partial("/srv/payments", "0000000000000002", "02"), "another program's handler may do anything");
    }

    #[test]
    fn of_two_descriptors_the_place_in_the_kernel_tells_which() {
        let splice = |wchan| {
            let machine = Machine::new("275 0x0 0x0 0x1 0x0 0x400 0x0", wchan);
            machine.link("100/task/101/fd/0", "pipe:[7]");
            machine.link("100/task/101/fd/1", "pipe:[8]");
            let wait = machine.decode().unwrap();
            (wait.kind, wait.resource.to_string())
        };
        assert_eq!(splice("pipe_wait_readable"), (WaitKind::PipeRead, "pipe 7 (fd 0)".to_owned()));
        assert_eq!(splice("pipe_wait_writable"), (WaitKind::PipeWrite, "pipe 8 (fd 1)".to_owned()));
        assert_eq!(splice("sock_alloc_send_pskb").0, WaitKind::Other);
        assert_eq!(splice("0").0, WaitKind::Other);
    }

    #[test]
    fn other_reads_are_not_taken_for_pipes() {
        for (wchan, link) in [
            ("n_tty_read", "pipe:[48213]"), // the descriptor was replaced meanwhile
            ("anon_pipe_read", "socket:[48213]"),
            ("0", "/tmp/fifo"), // a path, and the kernel does not tell
        ] {
            let machine = Machine::new("0 0x0 0x7fff 0x400 0x0 0x0 0x0", wchan);
            machine.link("100/task/101/fd/0", link);
            assert_eq!(machine.decode().unwrap().kind, WaitKind::Other, "{wchan} {link}");
        }
        assert_eq!(
            Machine::new("1 0x0 0x7fff 0x400 0x0 0x0 0x0", "anon_pipe_read").decode().unwrap().kind,
            WaitKind::Other
        );
    }
}
