//! Opening a file on which another has a lease: `fcntl(2)` with `F_SETLEASE`.
//!
//! The kernel tells the holder by a signal that its lease is broken, and lets
//! the opener wait in `__break_lease` until the holder gives it up, or for
//! `/proc/sys/fs/lease-break-time` seconds at most.

use super::file_lock::name_process;
use super::path::{self, Open};
use super::{Decoder, Facts, World};
use crate::backend::observe::file_locks::{FileLock, LockKind};
use crate::model::text::visible;
use crate::model::wait::{Certainty, Mode, Wait, WaitKind};

/// A thread that opens a leased file.
#[derive(Debug)]
pub(super) struct Lease;

impl Decoder for Lease {
    fn key(&self) -> &'static str {
        "lease"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Lease]
    }

    fn explain(&self) -> &'static str {
        "The thread opens a file on which another process has a lease (fcntl(2) F_SETLEASE), and waits until that \
         process gives it up or the kernel takes it away. It is recognised by the call and the place in the kernel; \
         /proc/locks names the holder of the lease on that file."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let open = Open::of(facts, world)?;
        if !facts.has_wchan() || !facts.may_sleep_in(&["break_lease"]) {
            return None;
        }
        let name = path::string(facts, world, open.address);
        let words = name.as_deref().map_or_else(|| "a file".to_owned(), visible);
        let mut wait = Wait::new(WaitKind::Lease, format!("the lease on {words}"));
        wait.timed = breaks_by_itself(world);
        wait.evidence.push(format!("opens {words}, sleeps in {}", facts.wchan));
        let status = name.and_then(|name| path::status(facts, world, open.directory, &name));
        let leases: Vec<FileLock> = match (status, world.file_locks()) {
            (Some(status), Ok(locks)) => {
                let device = |lock: &FileLock| lock.file.major << 20 | lock.file.minor;
                let is_it = |lock: &&FileLock| {
                    let same = (lock.file.inode, device(lock)) == (status.st_ino, path::device(&status));
                    lock.kind == LockKind::Lease && !lock.waiting && same
                };
                locks.all().iter().filter(is_it).copied().collect()
            }
            _ => Vec::new(),
        };
        for lease in &leases {
            name_process(world, lease, &mut wait);
        }
        wait.mode = if wait.holders.len() > 1 { Mode::All } else { Mode::Any };
        if leases.is_empty() {
            wait.certainty = Certainty::Unknown;
            wait.partial = true;
            wait.evidence.push("no lease on this file is in /proc/locks".to_owned());
        }
        Some(wait)
    }
}

/// Whether the kernel takes a lease away from a holder that does not give it up.
fn breaks_by_itself(world: &World) -> bool {
    let mut content = Vec::new();
    match world.root.read_into("sys/fs/lease-break-time", &mut content) {
        Ok(()) => content.trim_ascii() != b"0",
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::wait::Holder;

    fn wait(wchan: &'static str, kind: &str, other: u64) -> Wait {
        let machine = Machine::new(&format!("257 0xffffff9c {DATA:#x} 0x1 0x0 0x0 0x0"), wchan);
        machine.set_bytes(PID, DATA, &[0; 256]);
        machine.set_bytes(PID, DATA, b"x");
        machine.write("100/cwd/x", "");
        machine.process(200, &[200]);
        let status = std::fs::metadata(machine.directory.path().join("100/cwd/x")).unwrap();
        let (major, minor) = (rustix::fs::major(status.dev()), rustix::fs::minor(status.dev()));
        let inode = status.ino() + other;
        machine.write("locks", &format!("1: {kind}  BREAKING  WRITE 200 {major:02x}:{minor:02x}:{inode} 0 EOF\n"));
        machine.decode().unwrap()
    }

    #[test]
    fn the_holder_of_the_lease_is_named_and_it_ends_by_itself() {
        let wait = wait("__break_lease", "LEASE", 0);
        assert_eq!((wait.kind, &*wait.resource, wait.timed), (WaitKind::Lease, "the lease on x", true));
        assert_eq!(wait.holders, [Holder { pid: 200, tid: None }]);
    }

    #[test]
    fn another_file_another_lock_or_another_place_name_nobody() {
        assert!(wait("__break_lease", "LEASE", 1).holders.is_empty());
        assert!(wait("__break_lease", "FLOCK", 0).holders.is_empty());
        assert_eq!(wait("nfs4_proc_open", "LEASE", 0).kind, WaitKind::Other);
        assert_eq!(wait("0", "LEASE", 0).kind, WaitKind::Other);
    }
}
