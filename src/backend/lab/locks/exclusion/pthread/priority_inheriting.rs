//! `pthread_mutex_t`, the kind whose holder inherits the priority of who waits.

use super::{Kind, c_library};
use crate::backend::lab::locks::{Family, Info};

/// `PTHREAD_PRIO_INHERIT`.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct PriorityInheriting;

impl Kind for PriorityInheriting {
    const INFO: Info = Info {
        key: "pthread_pi",
        name: "pthread_mutex_t, PI",
        family: Family::Exclusion,
        breaks: None,
        version: c_library,
        explanation: "While somebody waits, the holder runs at the highest priority of those who wait, so that a thread of \
            middle priority cannot keep a low one from letting go what a high one needs (priority inversion). The futex \
            word holds the owner's thread id, and the kernel queues by priority and hands over to the first: \
            FUTEX_LOCK_PI. Each contended lock and unlock is a system call, and nobody barges in.",
    };

    unsafe fn set(attributes: *mut libc::pthread_mutexattr_t) -> libc::c_int {
        // SAFETY: the caller's.
        unsafe { libc::pthread_mutexattr_setprotocol(attributes, libc::PTHREAD_PRIO_INHERIT) }
    }
}
