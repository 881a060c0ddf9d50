//! `pthread_mutex_t`, the default (normal) kind.

use super::{Kind, c_library};
use crate::backend::lab::locks::{Family, Info};

/// `PTHREAD_MUTEX_DEFAULT`.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Normal;

impl Kind for Normal {
    const INFO: Info = Info {
        key: "pthread",
        name: "pthread_mutex_t",
        family: Family::Exclusion,
        breaks: None,
        version: c_library,
        explanation: "Forty bytes in glibc: a three-state futex word (0 free, 1 held, 2 held and somebody may sleep), \
            and the owner's thread id and a count of users beside it, which is why a debugger can name the holder. The \
            default kind does not spin: a thread that finds it held sleeps in futex(2).",
    };

    unsafe fn set(attributes: *mut libc::pthread_mutexattr_t) -> libc::c_int {
        // SAFETY: the caller's.
        unsafe { libc::pthread_mutexattr_settype(attributes, libc::PTHREAD_MUTEX_DEFAULT) }
    }
}
