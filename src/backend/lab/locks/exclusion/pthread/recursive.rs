//! `pthread_mutex_t`, the kind that its owner may lock again.

use super::{Kind, c_library};
use crate::backend::lab::locks::{Family, Info};

/// `PTHREAD_MUTEX_RECURSIVE`.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Recursive;

impl Kind for Recursive {
    const INFO: Info = Info {
        key: "pthread_recursive",
        name: "pthread_mutex_t, recursive",
        family: Family::Exclusion,
        breaks: None,
        version: c_library,
        explanation: "Its owner may lock it again; a counter says how often it has to unlock. Convenient and treacherous: \
            inside a second lock the invariant that the first one protects may be broken already, and no check tells. \
            Under contention it behaves as the normal kind: it sleeps at once.",
    };

    unsafe fn set(attributes: *mut libc::pthread_mutexattr_t) -> libc::c_int {
        // SAFETY: the caller's.
        unsafe { libc::pthread_mutexattr_settype(attributes, libc::PTHREAD_MUTEX_RECURSIVE) }
    }
}
