//! A brand that a process and everything that descends from it bear, wherever
//! they go: a soft limit of `RLIMIT_LOCKS`.
//!
//! Linux has not enforced that limit since 2.4.25 (getrlimit(2)), keeps it over
//! fork(2) and execve(2), and tells it of any process of the same user. So a
//! daemon is still known that has made itself a session, been orphaned, and
//! emptied its environment. Who sets the limit anew escapes, and who may not
//! be asked (prlimit(2)) is not known; nobody else bears a brand by chance.

use std::ffi::c_int;
use std::hash::{BuildHasher, Hasher, RandomState};

use rustix::process::{Resource, getrlimit};

use crate::model::Pid;

/// 62 random bits, and the highest but one, which no limit that means something
/// has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Brand(u64);

const MARK: u64 = 1 << 62;

/// The limit's number, `RLIMIT_LOCKS`.
pub const RESOURCE: c_int = libc::RLIMIT_LOCKS as c_int;

impl Brand {
    /// A new one; `None` where this program's own hard limit leaves no room
    /// for it.
    pub fn new() -> Option<Self> {
        let random = RandomState::new().build_hasher().finish();
        getrlimit(Resource::Locks).maximum.is_none().then_some(Brand(random >> 2 | MARK))
    }

    /// The brand that a process bears, if it bears one.
    pub fn of(pid: Pid) -> Option<Self> {
        let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: writes one rlimit64; a null pointer sets nothing.
        let result = unsafe { libc::prlimit64(pid, libc::RLIMIT_LOCKS, std::ptr::null(), &raw mut limit) };
        let soft = limit.rlim_cur;
        (pid > 0 && result == 0 && soft >> 62 == 1).then_some(Brand(soft))
    }

    /// What a process is given to bear it: the soft and the hard limit.
    pub fn limits(self) -> (Option<u64>, Option<u64>) {
        (Some(self.0), None)
    }

    /// As bytes, for a message.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_ne_bytes()
    }

    /// From such bytes.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let number = u64::from_ne_bytes(bytes.try_into().ok()?);
        (number >> 62 == 1).then_some(Brand(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::reap;
    use crate::sys::spawn::{Spawn, Stdio, spawn};

    #[test]
    fn a_process_bears_its_brand_and_others_do_not() {
        let Some(brand) = Brand::new() else {
            println!("skipped: RLIMIT_LOCKS has a hard limit here");
            return;
        };
        let args = ["1000".into()];
        let stdio = [Stdio::Null; 3];
        let request = Spawn { program: b"sleep", args: &args, stdio, brand: Some(brand), ..Spawn::default() };
        let child = spawn(&request).unwrap();
        assert_eq!(Brand::of(child.pid), Some(brand));
        assert_ne!(Brand::of(std::process::id() as Pid), Some(brand));
        assert_ne!(Brand::new(), Some(brand));
        assert_eq!(Brand::from_bytes(&brand.to_bytes()), Some(brand));
        assert_eq!(Brand::from_bytes(&[0; 8]), None);
        reap::kill_and_wait(&child.pidfd);
    }
}
