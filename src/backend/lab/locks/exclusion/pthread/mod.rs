//! `pthread_mutex_t`, the C library's mutex, in its kinds: one file a kind.

#[cfg(target_env = "gnu")]
pub(super) mod adaptive;
pub(super) mod error_checking;
pub(super) mod normal;
pub(super) mod priority_inheriting;
pub(super) mod recursive;
pub(super) mod robust;

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::Exclusion;
use crate::backend::lab::locks::Info;

/// A kind of pthread mutex: what its attributes say.
pub(in crate::backend::lab::locks) trait Kind: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// Sets what makes it this kind; the error of the call that failed.
    ///
    /// # Safety
    /// `attributes` are initialised.
    unsafe fn set(attributes: *mut libc::pthread_mutexattr_t) -> libc::c_int;
}

/// A pthread mutex of a kind. Boxed, since POSIX forbids moving one.
pub(in crate::backend::lab::locks) struct PthreadMutex<K> {
    mutex: Box<UnsafeCell<libc::pthread_mutex_t>>,
    kind: PhantomData<fn() -> K>,
}

// SAFETY: a pthread mutex is made to be used from any thread; it stays at one
// address, and all access goes through the pthread functions.
unsafe impl<K> Send for PthreadMutex<K> {}
// SAFETY: as above.
unsafe impl<K> Sync for PthreadMutex<K> {}

impl<K: Kind> Default for PthreadMutex<K> {
    /// # Panics
    /// Where the C library does not know the kind: then nothing can be
    /// measured.
    fn default() -> Self {
        let mutex = Box::new(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));
        let mut attributes = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised before they are used and
        // destroyed after; the mutex is at its final address.
        let errors = unsafe {
            let mut errors = [libc::pthread_mutexattr_init(attributes), 0, 0];
            errors[1] = K::set(attributes);
            errors[2] = libc::pthread_mutex_init(mutex.get(), attributes);
            libc::pthread_mutexattr_destroy(attributes);
            errors
        };
        assert_eq!(errors, [0; 3], "{} cannot be made", K::INFO.name);
        PthreadMutex { mutex, kind: PhantomData }
    }
}

impl<K: Kind> fmt::Debug for PthreadMutex<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(K::INFO.name).finish_non_exhaustive()
    }
}

impl<K: Kind> Exclusion for PthreadMutex<K> {
    const INFO: Info = K::INFO;

    type Held<'a> = ();

    #[inline]
    fn lock(&self) {
        // SAFETY: the mutex is initialised and stays where it is. It fails for
        // no state that these three functions can produce: nobody locks it
        // twice, and no thread ends holding it.
        unsafe { libc::pthread_mutex_lock(self.mutex.get()) };
    }

    #[inline]
    fn try_lock(&self) -> Option<()> {
        // SAFETY: as above.
        (unsafe { libc::pthread_mutex_trylock(self.mutex.get()) } == 0).then_some(())
    }

    #[inline]
    fn unlock(&self, (): ()) {
        // SAFETY: as above; the caller holds the mutex.
        unsafe { libc::pthread_mutex_unlock(self.mutex.get()) };
    }
}

impl<K> Drop for PthreadMutex<K> {
    fn drop(&mut self) {
        // SAFETY: nobody holds or wants it any more: there is no other
        // reference.
        unsafe { libc::pthread_mutex_destroy(self.mutex.get()) };
    }
}

/// The C library with its version, where it tells.
#[cfg(target_env = "gnu")]
pub(in crate::backend::lab::locks) fn c_library() -> Cow<'static, str> {
    // SAFETY: glibc returns a static string that ends in a NUL.
    let version = unsafe { std::ffi::CStr::from_ptr(libc::gnu_get_libc_version()) };
    Cow::Owned(format!("glibc {}", version.to_string_lossy()))
}

/// The C library with its version, where it tells.
#[cfg(not(target_env = "gnu"))]
pub(in crate::backend::lab::locks) fn c_library() -> Cow<'static, str> {
    Cow::Borrowed("the C library's")
}
