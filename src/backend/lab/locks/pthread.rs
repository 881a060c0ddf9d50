//! `pthread_mutex_t`, the C library's mutex of the default kind.

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::fmt;

use super::{Exclusion, Family, Info};

/// A default (normal) pthread mutex. Boxed, since POSIX forbids moving one.
pub(super) struct Pthread(Box<UnsafeCell<libc::pthread_mutex_t>>);

// SAFETY: a pthread mutex is made to be used from any thread; it stays at one
// address, and all access goes through the pthread functions.
unsafe impl Send for Pthread {}
// SAFETY: as above.
unsafe impl Sync for Pthread {}

impl Default for Pthread {
    fn default() -> Self {
        Pthread(Box::new(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER)))
    }
}

impl fmt::Debug for Pthread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pthread").finish_non_exhaustive()
    }
}

impl Exclusion for Pthread {
    const INFO: Info = Info {
        key: "pthread",
        name: "pthread_mutex_t",
        family: Family::Exclusion,
        version: c_library,
        explanation: "Forty bytes in glibc: a three-state futex word (0 free, 1 held, 2 held and somebody may sleep), \
            and the owner's thread id and a count of users beside it, which is why a debugger can name the holder. The \
            default kind does not spin: a thread that finds it held sleeps in futex(2).",
    };

    type Held<'a> = ();

    #[inline]
    fn lock(&self) {
        // SAFETY: the mutex is initialised and stays where it is. A default
        // mutex fails for no state that these three functions can produce.
        unsafe { libc::pthread_mutex_lock(self.0.get()) };
    }

    #[inline]
    fn try_lock(&self) -> Option<()> {
        // SAFETY: as above.
        (unsafe { libc::pthread_mutex_trylock(self.0.get()) } == 0).then_some(())
    }

    #[inline]
    fn unlock(&self, (): ()) {
        // SAFETY: as above; the caller holds the mutex.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }
}

impl Drop for Pthread {
    fn drop(&mut self) {
        // SAFETY: nobody holds or wants it any more: there is no other
        // reference.
        unsafe { libc::pthread_mutex_destroy(self.0.get()) };
    }
}

#[cfg(target_env = "gnu")]
fn c_library() -> Cow<'static, str> {
    // SAFETY: glibc returns a static string that ends in a NUL.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    Cow::Owned(format!("glibc {}, default kind", version.to_string_lossy()))
}

#[cfg(not(target_env = "gnu"))]
fn c_library() -> Cow<'static, str> {
    Cow::Borrowed("the C library's, default kind")
}
