//! `pthread_barrier_t`.

use std::cell::UnsafeCell;
use std::fmt;
use std::mem::MaybeUninit;
use std::ptr;

use super::Barrier;
use crate::backend::lab::locks::exclusion::c_library;
use crate::backend::lab::locks::{Family, Info};

/// A pthread barrier. Boxed, since POSIX forbids moving one.
pub(in crate::backend::lab::locks) struct Pthread(Box<UnsafeCell<libc::pthread_barrier_t>>);

// SAFETY: a pthread barrier is made to be used from any thread; it stays at one
// address, and all access goes through the pthread functions.
unsafe impl Send for Pthread {}
// SAFETY: as above.
unsafe impl Sync for Pthread {}

impl fmt::Debug for Pthread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pthread").finish_non_exhaustive()
    }
}

impl Barrier for Pthread {
    const INFO: Info = Info {
        key: "pthread_barrier",
        name: "pthread_barrier_t",
        family: Family::Barrier,
        breaks: None,
        version: c_library,
        explanation: "In glibc two counters and futex(2), without a mutex: who arrives adds one to `in`; the last sets \
            the round and wakes everybody, and PTHREAD_BARRIER_SERIAL_THREAD makes exactly one of them the leader. \
            The woken need no lock to leave, so all leave at once.",
    };

    /// # Panics
    /// Where the C library makes none for so many: then nothing can be
    /// measured.
    fn of(threads: usize) -> Self {
        // SAFETY: all zero is a value of that type; it is initialised below.
        let barrier = Box::new(UnsafeCell::new(unsafe { MaybeUninit::zeroed().assume_init() }));
        // SAFETY: it is at its final address; no attributes is the default.
        let error = unsafe { libc::pthread_barrier_init(barrier.get(), ptr::null(), threads as libc::c_uint) };
        assert_eq!(error, 0, "no pthread barrier for {threads} threads");
        Pthread(barrier)
    }

    #[inline]
    fn wait(&self) -> bool {
        // SAFETY: it is initialised and stays where it is.
        unsafe { libc::pthread_barrier_wait(self.0.get()) == libc::PTHREAD_BARRIER_SERIAL_THREAD }
    }
}

impl Drop for Pthread {
    fn drop(&mut self) {
        // SAFETY: nobody waits at it: there is no other reference.
        unsafe { libc::pthread_barrier_destroy(self.0.get()) };
    }
}
