//! `flock(2)`: a lock on a whole file, held by an open file description.

use super::file_lock::{inode_of, name_holders, request};
use super::resource::words;
use super::{Decoder, Facts, World};
use crate::backend::observe::file_locks::LockKind;
use crate::model::wait::{Certainty, Wait, WaitKind};

/// A thread that asks for a file lock with flock.
#[derive(Debug)]
pub(super) struct Flock;

impl Decoder for Flock {
    fn key(&self) -> &'static str {
        "flock"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Flock]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a lock on a file (flock(2), flock(1)). Its request is found in /proc/locks, and the \
         locks in its way there. Such a lock belongs to an open file, not to a process: every process that still has \
         that open file (inherited at a fork, say) holds it, and is found by its descriptors. The process that \
         /proc/locks names may long be gone. Processes whose descriptors may not be read can hold it unseen."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_flock])?;
        if !facts.may_sleep_in(&["lock_inode_wait", "flock"]) {
            return None;
        }
        let (fd, exclusive) = (args[0] as i32, args[1] as i32 & libc::LOCK_EX != 0);
        let mut wait = Wait::new(WaitKind::Flock, words(facts, world, fd));
        let how = if exclusive { "LOCK_EX" } else { "LOCK_SH" };
        wait.evidence.push(format!("flock(fd {fd}, {how})"));
        let inode = inode_of(facts, world, fd);
        let found = world.file_locks().map(|locks| {
            request(&locks, facts.pid, LockKind::Flock, |lock| {
                lock.write == exclusive && inode.is_none_or(|inode| lock.file.inode == inode)
            })
        });
        match found {
            Ok(Some(request)) => name_holders(facts, world, fd, &request, &mut wait),
            Ok(None) => unknown(&mut wait, "its request is not in /proc/locks".to_owned()),
            Err(error) => unknown(&mut wait, format!("/proc/locks cannot be read: {error}")),
        }
        Some(wait)
    }
}

fn unknown(wait: &mut Wait, why: String) {
    wait.certainty = Certainty::Unknown;
    wait.partial = true;
    wait.evidence.push(why);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;
    use crate::model::wait::{Holder, Mode};

    const HELD: &str =
        "1: FLOCK  ADVISORY  WRITE 200 fd:00:77 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 100 fd:00:77 0 EOF\n";

    /// Thread 101 asks for an exclusive lock on fd 3.
    fn machine(locks: &str) -> Machine {
        let machine = Machine::new("73 0x3 0x2 0x0 0x0 0x0 0x0", "locks_lock_inode_wait");
        machine.link("100/task/101/fd/3", "/var/lib/x.lock");
        machine.write("100/task/101/fdinfo/3", "pos:\t0\nino:\t77\n");
        machine.write("locks", locks);
        machine
    }

    fn has_file(machine: &Machine, pid: i32, lock: &str) {
        machine.process(pid, &[pid]);
        machine.link(&format!("{pid}/fd/9"), "/var/lib/x.lock");
        machine.write(&format!("{pid}/fdinfo/9"), &format!("pos:\t0\n{lock}"));
    }

    const LOCK: &str = "lock:\t1: FLOCK  ADVISORY  WRITE 200 fd:00:77 0 EOF\n";

    #[test]
    fn the_holder_is_who_has_the_open_file() {
        let machine = machine(HELD);
        has_file(&machine, 200, LOCK);
        let wait = machine.decode().unwrap();
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::Flock, "/var/lib/x.lock (fd 3)"));
        assert_eq!(wait.holders, [Holder { pid: 200, tid: None }]);
        assert_eq!(wait.certainty, Certainty::Certain);
    }

    #[test]
    fn a_taker_that_is_gone_is_not_named_but_its_heirs_are() {
        let machine = machine(HELD);
        has_file(&machine, 300, LOCK);
        has_file(&machine, 301, LOCK);
        has_file(&machine, 302, ""); // has the file open, but not this open file
        let wait = machine.decode().unwrap();
        assert_eq!(wait.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [300, 301]);
        assert_eq!(wait.mode, Mode::Any, "either can let go of it");
    }

    #[test]
    fn a_pid_that_was_given_out_again_is_not_named() {
        let machine = machine(HELD);
        machine.process(200, &[200]);
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty() && wait.partial && wait.certainty == Certainty::Unknown, "{wait:#?}");
    }

    #[test]
    fn all_of_several_shared_locks_must_go() {
        let machine = machine(
            "1: FLOCK  ADVISORY  READ 200 fd:00:77 0 EOF\n1: -> FLOCK  ADVISORY  WRITE 100 fd:00:77 0 EOF\n\
             2: FLOCK  ADVISORY  READ 201 fd:00:77 0 EOF\n3: FLOCK  ADVISORY  WRITE 202 fd:00:78 0 EOF\n",
        );
        for pid in [200, 201] {
            has_file(&machine, pid, &format!("lock:\t1: FLOCK  ADVISORY  READ {pid} fd:00:77 0 EOF\n"));
        }
        let wait = machine.decode().unwrap();
        assert_eq!(wait.mode, Mode::All);
        assert_eq!(wait.holders.len(), 2);
    }

    #[test]
    fn a_request_that_is_not_listed_names_nobody() {
        for locks in [
            "1: FLOCK  ADVISORY  WRITE 200 fd:00:77 0 EOF\n",
            "1: -> FLOCK  ADVISORY  WRITE 100 fd:00:78 0 EOF\n", // another file
            "1: -> FLOCK  ADVISORY  READ 100 fd:00:77 0 EOF\n",  // another request
            "1: -> POSIX  ADVISORY  WRITE 100 fd:00:77 0 EOF\n",
        ] {
            let machine = machine(locks);
            has_file(&machine, 200, LOCK);
            let wait = machine.decode().unwrap();
            assert!(wait.holders.is_empty() && wait.certainty == Certainty::Unknown, "{locks}");
        }
    }

    #[test]
    fn another_place_in_the_kernel_is_no_flock() {
        let machine = Machine { wchan: "nfs_wait_bit_killable", ..machine(HELD) };
        assert_eq!(machine.decode().unwrap().kind, WaitKind::Other);
    }
}
