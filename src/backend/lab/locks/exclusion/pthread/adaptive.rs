//! `pthread_mutex_t`, the kind that spins before it sleeps.

use super::{Kind, c_library};
use crate::backend::lab::locks::{Family, Info};

/// `PTHREAD_MUTEX_ADAPTIVE_NP`, glibc.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Adaptive;

impl Kind for Adaptive {
    const INFO: Info = Info {
        key: "pthread_adaptive",
        name: "pthread_mutex_t, adaptive",
        family: Family::Exclusion,
        breaks: None,
        version: c_library,
        explanation: "The normal mutex with spinning before it sleeps: up to twice as many looks as lately sufficed plus \
            ten, at most a hundred (glibc.pthread.mutex_spin_count). The running average is kept in the mutex itself. \
            It pays where the section is shorter than going to sleep and waking up, and costs CPU time where it is \
            not. Only glibc has it.",
    };

    unsafe fn set(attributes: *mut libc::pthread_mutexattr_t) -> libc::c_int {
        // SAFETY: the caller's.
        unsafe { libc::pthread_mutexattr_settype(attributes, libc::PTHREAD_MUTEX_ADAPTIVE_NP) }
    }
}
