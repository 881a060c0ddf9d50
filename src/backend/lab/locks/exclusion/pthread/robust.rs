//! `pthread_mutex_t`, the kind that survives the death of its owner.

use super::{Kind, c_library};
use crate::backend::lab::locks::{Family, Info};

/// `PTHREAD_MUTEX_ROBUST`.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Robust;

impl Kind for Robust {
    const INFO: Info = Info {
        key: "pthread_robust",
        name: "pthread_mutex_t, robust",
        family: Family::Exclusion,
        breaks: None,
        version: c_library,
        explanation: "If its owner ends without unlocking, the next to lock gets EOWNERDEAD and the lock, and must make the \
            data consistent. To that end each thread keeps a list of the robust mutexes it holds, in its own memory, \
            where the kernel finds it when the thread ends (set_robust_list(2)); every lock and unlock links and \
            unlinks. The futex word holds the owner's thread id.",
    };

    unsafe fn set(attributes: *mut libc::pthread_mutexattr_t) -> libc::c_int {
        // SAFETY: the caller's.
        unsafe { libc::pthread_mutexattr_setrobust(attributes, libc::PTHREAD_MUTEX_ROBUST) }
    }
}
