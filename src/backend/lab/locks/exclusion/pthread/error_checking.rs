//! `pthread_mutex_t`, the kind that checks its owner.

use super::{Kind, c_library};
use crate::backend::lab::locks::{Family, Info};

/// `PTHREAD_MUTEX_ERRORCHECK`.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct ErrorChecking;

impl Kind for ErrorChecking {
    const INFO: Info = Info {
        key: "pthread_errorcheck",
        name: "pthread_mutex_t, error-checking",
        family: Family::Exclusion,
        breaks: None,
        version: c_library,
        explanation: "The mutex that looks at its owner before it waits: locking it again returns EDEADLK instead of \
            waiting for oneself for ever, and unlocking what another holds returns EPERM. The price is a comparison \
            with the own thread id in each call. It finds a self-deadlock, not one among two threads.",
    };

    unsafe fn set(attributes: *mut libc::pthread_mutexattr_t) -> libc::c_int {
        // SAFETY: the caller's.
        unsafe { libc::pthread_mutexattr_settype(attributes, libc::PTHREAD_MUTEX_ERRORCHECK) }
    }
}
