//! Locks on parts of files: `fcntl(2)` with `F_SETLKW` (POSIX: a process holds
//! it) or `F_OFD_SETLKW` (an open file description holds it).
//!
//! ```text
//! fcntl(fd, 7 or 38, flock)
//! struct flock: type 2 (0 read, 1 write), whence 2, pad 4, start 8, length 8, pid 4
//! ```

use super::file_lock::{inode_of, name_holders};
use super::resource::words;
use super::{Decoder, Facts, World};
use crate::backend::observe::file_locks::{FileLock, LockKind};
use crate::model::wait::{Certainty, Wait, WaitKind};

const F_SETLKW: u64 = 7;
const F_OFD_SETLKW: u64 = 38;

/// A thread that asks for a lock on a range of a file.
#[derive(Debug)]
pub(super) struct RecordLock;

impl Decoder for RecordLock {
    fn key(&self) -> &'static str {
        "record_lock"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PosixLock, WaitKind::OfdLock]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a lock on a range of a file (fcntl(2) F_SETLKW, lockf(3), or F_OFD_SETLKW). Its request \
         is found in /proc/locks by file, range and access, and so are the locks in its way. A POSIX lock is held by \
         the process named there; an OFD lock by every process that has the open file, which is found by its \
         descriptors."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_fcntl])?;
        let (kind, lock_kind) = match args[1] & 0xffff_ffff {
            F_SETLKW => (WaitKind::PosixLock, LockKind::Posix),
            F_OFD_SETLKW => (WaitKind::OfdLock, LockKind::Ofd),
            _ => return None,
        };
        // fcntl_setlk, or the lock manager's functions below it.
        if !facts.may_sleep_in(&["setlk", "lock"]) {
            return None;
        }
        let fd = args[0] as i32;
        let [kind_and_whence, start, length] = world.longs(facts.pid, args[2]).ok()?;
        let (write, whence) = (kind_and_whence & 0xffff == 1, kind_and_whence >> 16 & 0xffff);
        let inode = inode_of(facts, world, fd);
        let absolute = (whence == 0).then_some(range(start as i64, length as i64));
        let mine = |lock: &FileLock| {
            lock.waiting
                && lock.kind == lock_kind
                && (lock_kind == LockKind::Ofd || lock.pid == Some(facts.pid))
                && lock.write == write
                && inode.is_none_or(|inode| lock.file.inode == inode)
                && absolute.is_none_or(|range| range == (lock.start, lock.end))
        };
        let found = world.file_locks().map(|locks| locks.all().iter().find(|lock| mine(lock)).copied());
        let mut wait = Wait::new(kind, words(facts, world, fd));
        wait.evidence
            .push(format!("asks to {} fd {fd}, {start} + {length} bytes", if write { "write" } else { "read" }));
        match found {
            Ok(Some(request)) => name_holders(facts, world, fd, &request, &mut wait),
            Ok(None) => unknown(&mut wait, "its request is not in /proc/locks".to_owned()),
            Err(error) => unknown(&mut wait, format!("/proc/locks cannot be read: {error}")),
        }
        Some(wait)
    }
}

/// First and last byte of a range from the beginning of the file; a negative
/// length counts back, none goes to the end.
fn range(start: i64, length: i64) -> (u64, Option<u64>) {
    let (from, to) = match length {
        0 => (start, None),
        length if length < 0 => (start.saturating_add(length), Some(start.saturating_sub(1))),
        length => (start, Some(start.saturating_add(length - 1))),
    };
    (from as u64, to.map(|last| last as u64))
}

fn unknown(wait: &mut Wait, why: String) {
    wait.certainty = Certainty::Unknown;
    wait.partial = true;
    wait.evidence.push(why);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine};
    use crate::model::wait::{Holder, Mode};

    /// Thread 101 asks with this command to write bytes 100 to 109 of fd 3.
    fn machine(command: &str, locks: &str) -> Machine {
        let machine = Machine::new(&format!("72 0x3 {command} {DATA:#x} 0x0 0x0 0x0"), "fcntl_setlk");
        machine.set_words(DATA, &[1, 0, 100, 0, 10, 0, 0]);
        machine.link("100/task/101/fd/3", "/var/lib/x.db");
        machine.write("100/task/101/fdinfo/3", "pos:\t0\nino:\t77\n");
        machine.write("locks", locks);
        machine.process(200, &[200]);
        machine.process(201, &[201]);
        machine
    }

    #[test]
    fn the_processes_whose_ranges_are_in_the_way_are_named() {
        let wait = machine(
            "0x7",
            "1: POSIX  ADVISORY  READ 200 fd:00:77 0 100\n1: -> POSIX  ADVISORY  WRITE 100 fd:00:77 100 109\n\
             2: POSIX  ADVISORY  READ 201 fd:00:77 105 EOF\n3: POSIX  ADVISORY  WRITE 202 fd:00:77 110 EOF\n\
             4: FLOCK  ADVISORY  WRITE 203 fd:00:77 0 EOF\n",
        )
        .decode()
        .unwrap();
        let holders: Vec<_> = [200, 201].map(|pid| Holder { pid, tid: None }).into();
        assert_eq!((wait.kind, wait.mode, wait.holders), (WaitKind::PosixLock, Mode::All, holders));
    }

    #[test]
    fn an_ofd_lock_is_held_by_who_has_the_open_file() {
        let lock = "1: OFDLCK ADVISORY  WRITE -1 fd:00:77 0 EOF\n";
        let machine = machine("0x26", &format!("{lock}1: -> OFDLCK ADVISORY  WRITE -1 fd:00:77 100 109\n"));
        machine.link("201/fd/5", "/var/lib/x.db");
        machine.write("201/fdinfo/5", &format!("pos:\t0\nlock:\t{lock}"));
        let wait = machine.decode().unwrap();
        assert_eq!((wait.kind, &wait.holders[..]), (WaitKind::OfdLock, &[Holder { pid: 201, tid: None }][..]));
    }

    #[test]
    fn what_the_process_has_itself_is_not_in_its_way() {
        let own = "1: POSIX  ADVISORY  READ 100 fd:00:77 0 EOF\n";
        let locks = format!("{own}1: -> POSIX  ADVISORY  WRITE 100 fd:00:77 100 109\n{}", own.replace("100", "200"));
        let wait = machine("0x7", &locks).decode().unwrap();
        assert_eq!((wait.holders, wait.mode), (vec![Holder { pid: 200, tid: None }], Mode::Any));
    }

    #[test]
    fn what_a_process_with_the_same_table_of_descriptors_has_is_not_in_its_way() {
        let other = "1: POSIX  ADVISORY  READ 201 fd:00:77 0 EOF\n";
        let locks =
            format!("{other}1: -> POSIX  ADVISORY  WRITE 100 fd:00:77 100 109\n{}", other.replace("201", "200"));
        for (with_one_table, expected) in [(vec![100, 201], 1), (vec![100, 202], 2)] {
            let machine = machine("0x7", &locks);
            machine.tables.lock().unwrap().with_one_table = with_one_table;
            assert_eq!(machine.decode().unwrap().holders.len(), expected);
        }
    }

    #[test]
    fn what_the_open_file_has_itself_is_not_in_its_way() {
        let lock = "1: OFDLCK ADVISORY  READ -1 fd:00:77 0 EOF\n";
        let request = "1: -> OFDLCK ADVISORY  WRITE -1 fd:00:77 100 109\n";
        let asks = |others: &str| {
            let machine = machine("0x26", &format!("{lock}{others}{request}"));
            machine.write("100/task/101/fdinfo/3", &format!("pos:\t0\nino:\t77\nlock:\t{lock}"));
            for (pid, fd) in [(100, 3), (201, 5)] {
                machine.link(&format!("{pid}/fd/{fd}"), "/var/lib/x.db");
                machine.write(&format!("{pid}/fdinfo/{fd}"), &format!("pos:\t0\nlock:\t{lock}"));
            }
            // Process 201 has the open file of the thread that asks.
            machine.tables.lock().unwrap().copies.push(((101, 3), (201, 5)));
            machine
        };
        let wait = asks("").decode().unwrap();
        assert!(wait.holders.is_empty() && wait.certainty == Certainty::Unknown, "its own alone: {wait:#?}");
        let machine = asks(lock);
        machine.process(202, &[202]);
        machine.link("202/fd/6", "/var/lib/x.db");
        machine.write("202/fdinfo/6", &format!("pos:\t0\nlock:\t{lock}"));
        assert_eq!(machine.decode().unwrap().holders, [Holder { pid: 202, tid: None }]);
    }

    #[test]
    fn the_handler_of_a_timer_may_end_the_wait() {
        let request = "1: -> POSIX  ADVISORY  WRITE 100 fd:00:77 100 109\n";
        let held = |pid: i32| format!("1: POSIX  ADVISORY  READ {pid} fd:00:77 0 EOF\n");
        for (others, certainty) in [(vec![200], Certainty::Certain), (vec![200, 201], Certainty::Unknown)] {
            let locks: String = others.iter().map(|&pid| held(pid)).collect();
            let machine = machine("0x7", &format!("{locks}{request}"));
            machine.write("100/status", "Tgid:\t100\nNSpid:\t100\nSigCgt:\t0000000000002000\n");
            let wait = machine.decode().unwrap();
            assert_eq!((wait.partial, wait.certainty, wait.holders.len()), (true, certainty, others.len()));
        }
    }

    #[test]
    fn what_is_no_request_for_a_lock_is_refused() {
        let locks = "1: POSIX  ADVISORY  WRITE 200 fd:00:77 0 EOF\n1: -> POSIX  ADVISORY  WRITE 100 fd:00:77 100 109\n";
        assert_eq!(machine("0x3", locks).decode().unwrap().kind, WaitKind::Other, "F_GETFL");
        // Another range, access or process: not this thread's request.
        for other in ["WRITE 100 fd:00:77 100 110", "READ 100 fd:00:77 100 109", "WRITE 102 fd:00:77 100 109"] {
            let wait = machine("0x7", &locks.replace("WRITE 100 fd:00:77 100 109", other)).decode().unwrap();
            assert!(wait.holders.is_empty() && wait.certainty == Certainty::Unknown, "{other}: {wait:#?}");
        }
    }

    #[test]
    fn ranges_are_counted_as_the_kernel_does() {
        assert_eq!(range(100, 10), (100, Some(109)));
        assert_eq!(range(100, 0), (100, None));
        assert_eq!(range(100, -10), (90, Some(99)));
        assert_eq!(range(i64::MIN, i64::MIN).0, i64::MIN as u64);
    }
}
