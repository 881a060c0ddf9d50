//! Terminals: a reader without input, a writer without room.
//!
//! ```text
//! read     in n_tty_read, wait_woken       nothing was typed, or the other end wrote nothing
//! write    in n_tty_write, wait_woken      the other end does not read, or ^S has stopped it
//!          in file_tty_write               another thread is in the middle of such a write
//! ```
//!
//! Newer kernels only tell `wait_woken`, where network readers sleep too: then the link of
//! the descriptor must be a terminal's. Behind a pseudo-terminal is a program, which is
//! named; at any other a person.

use super::descriptor::Target;
use super::pty::{self, Line};
use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// A reader of a terminal.
#[derive(Debug)]
pub(super) struct TtyRead;

/// A writer to a terminal.
#[derive(Debug)]
pub(super) struct TtyWrite;

impl Decoder for TtyRead {
    fn key(&self) -> &'static str {
        "tty_read"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::TtyRead]
    }

    fn explain(&self) -> &'static str {
        "The thread reads from a terminal and waits for a person, or for the program behind a pseudo-terminal, to type \
         something; or it has the master of one, and waits for what the programs in it write. It is recognised by the \
         call and by the terminal driver's place in the kernel. Whoever has the other end of a pseudo-terminal open is \
         named; of a person nobody can be."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_read, libc::SYS_readv])?;
        decode_terminal(facts, world, args[0] as i32, WaitKind::TtyRead, &["tty_read"])
    }
}

impl Decoder for TtyWrite {
    fn key(&self) -> &'static str {
        "tty_write"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::TtyWrite]
    }

    fn explain(&self) -> &'static str {
        "The thread writes to a terminal that takes nothing more: the program behind a pseudo-terminal does not read, or \
         its output has been stopped (Ctrl-S). It is recognised by the call and by the terminal driver's place in the \
         kernel. Whoever has the other end of a pseudo-terminal open is named."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_write, libc::SYS_writev])?;
        decode_terminal(facts, world, args[0] as i32, WaitKind::TtyWrite, &["tty_write"])
    }
}

fn decode_terminal(facts: &Facts<'_>, world: &mut World, fd: i32, kind: WaitKind, places: &[&str]) -> Option<Wait> {
    const TERMINALS: [&[u8]; 5] = [b"/dev/pts/", b"/dev/tty", b"/dev/ptmx", b"/dev/console", b"/dev/hvc"];
    let target = Target::of(facts, world, fd).ok()?;
    let Target::Path(path) = &target else { return None };
    let is_terminal = TERMINALS.iter().any(|begin| path.starts_with(begin));
    let sleeps = places.iter().any(|place| facts.wchan.contains(place));
    if !(sleeps || is_terminal && facts.wchan == "wait_woken") {
        return None;
    }
    let line = Line::of(facts, world, fd, path);
    let mut wait = Wait::new(kind, line.map_or_else(|| target.words(fd), |line| line.words(fd)));
    wait.evidence.push(format!("sleeps in {} on fd {fd}", facts.wchan));
    match line {
        Some(line) => {
            pty::name(facts, world, line, &mut wait);
            if let Some(limit) =
                world.terminal_limit(facts.pid, fd).filter(|_| line.is_slave() && kind == WaitKind::TtyRead)
            {
                wait.timed = true;
                wait.evidence.push(format!("the terminal ends a read after {limit} (VTIME)"));
            }
        }
        None => {
            wait.partial = true;
            wait.certainty = Certainty::Derived;
            wait.evidence.push("who will end this wait cannot be told".to_owned());
        }
    }
    Some(wait)
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::Machine;
    use crate::model::wait::{Wait, WaitKind};

    fn blocked(call: &str, wchan: &'static str, link: &str) -> Wait {
        let machine = Machine::new(&format!("{call} 0x3 0x0 0x8 0x0 0x0 0x0"), wchan);
        machine.link("100/task/101/fd/3", link);
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
        wait
    }

    #[test]
    fn reads_and_writes_are_told_by_descriptor_and_place() {
        for (call, place, kind) in [("0", "n_tty_read", WaitKind::TtyRead), ("1", "n_tty_write", WaitKind::TtyWrite)] {
            for link in ["/dev/pts/3", "/dev/ptmx", "/dev/tty1", "/dev/hvc0", "/dev/console", "/dev/ttyS0"] {
                assert_eq!(blocked(call, place, link).kind, kind, "{link}");
                assert_eq!(blocked(call, "wait_woken", link).kind, kind, "{link}");
                // Look-alikes: one of the two facts is another.
                assert_eq!(blocked(call, "0", link).kind, WaitKind::Other, "{link}");
                assert_eq!(blocked(call, "folio_wait_bit", link).kind, WaitKind::Other, "{link}");
            }
            assert_eq!(blocked(call, "wait_woken", "/dev/fuse").kind, WaitKind::Other);
            assert_eq!(blocked(call, place, "socket:[3]").kind, WaitKind::Other);
        }
        assert_eq!(blocked("1", "file_tty_write.isra.0", "/dev/pts/3").kind, WaitKind::TtyWrite);
        assert_eq!(blocked("0", "n_tty_write", "/dev/pts/3").kind, WaitKind::Other, "a read does not write");
        assert_eq!(blocked("1", "n_tty_read", "/dev/pts/3").kind, WaitKind::Other);
    }
}
