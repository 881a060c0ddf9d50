//! An IPC namespace of the lab's own (`ipc_namespaces(7))`: its queues and
//! segments are seen by nobody else, meet nobody else's, and go with the last
//! process in it, however that ends.
//!
//! A namespace belongs to a thread, and to the processes that it starts from
//! then on: the lab's workers. The janitor stays outside. It needs
//! `CAP_SYS_ADMIN`; without it the queues are made among all others, under
//! names that are registered with the janitor, which is done in any case.

use std::cell::Cell;
use std::fs;

use nix::sched::{CloneFlags, unshare};

use crate::backend::janitor;

/// A new namespace has the kernel's own limits; these are to stay as the
/// administrator has set them (`Documentation/admin-guide/sysctl`).
const LIMITS: [&str; 9] = [
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
    "kernel/shmmax",
    "kernel/shmall",
    "kernel/shmmni",
    "fs/mqueue/queues_max",
    "fs/mqueue/msg_max",
    "fs/mqueue/msgsize_max",
];

thread_local! {
    /// Whether this thread has tried.
    static TRIED: Cell<bool> = const { Cell::new(false) };
}

/// Gives the calling thread a namespace of its own, once, if that is permitted.
pub(super) fn enter() {
    if TRIED.replace(true) || janitor::ensure().is_err() {
        return;
    }
    let path = |name: &str| format!("/proc/sys/{name}");
    let limits = LIMITS.map(|name| fs::read_to_string(path(name)).ok());
    if unshare(CloneFlags::CLONE_NEWIPC).is_err() {
        return;
    }
    for (name, limit) in LIMITS.iter().zip(limits) {
        if let Some(limit) = limit {
            // Where /proc/sys cannot be written to, the kernel's own limits
            // hold, and are those that are named.
            let _ = fs::write(path(name), limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::lab::ipc::private;
    use crate::sys::names::Name;
    use crate::sys::sysv;

    fn namespace() -> std::path::PathBuf {
        fs::read_link("/proc/thread-self/ns/ipc").unwrap()
    }

    #[test]
    fn what_is_made_inside_is_not_seen_outside() {
        let outside = namespace();
        let limits = || LIMITS.map(|name| fs::read_to_string(format!("/proc/sys/{name}")).ok());
        let queues = || fs::read_to_string("/proc/sysvipc/msg").unwrap();
        let as_set = limits();
        let key = (private::random() >> 33) as i32 | 1;
        let row = move |table: &str| table.lines().any(|row| row.split_whitespace().next() == Some(&key.to_string()));
        let (inside, seen) = std::thread::spawn(move || {
            enter();
            assert_eq!(limits(), as_set, "limits are kept");
            let inside = namespace();
            enter();
            assert_eq!(namespace(), inside, "once");
            sysv::make_queue(key).unwrap();
            let seen = row(&queues());
            (inside, seen)
        })
        .join()
        .unwrap();
        assert!(seen);
        assert_eq!(namespace(), outside, "other threads stay where they are");
        if inside == outside {
            println!("not tested: no namespace of its own without CAP_SYS_ADMIN");
            Name::SysvQueueKey(key).remove().unwrap();
        }
        assert!(!row(&queues()));
    }
}
