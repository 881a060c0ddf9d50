//! `pthread_rwlock_t`, the C library's, which prefers readers or writers.

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::ReadersWriter;
use crate::backend::lab::locks::exclusion::c_library;
use crate::backend::lab::locks::{Family, Info};

/// Whom a pthread rwlock prefers.
pub(in crate::backend::lab::locks) trait Preference: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// Sets what makes it prefer them; the error of the call that failed.
    ///
    /// # Safety
    /// `attributes` are initialised.
    unsafe fn set(attributes: *mut libc::pthread_rwlockattr_t) -> libc::c_int;
}

/// The default: readers first.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct ReaderPreferring;

impl Preference for ReaderPreferring {
    const INFO: Info = Info {
        key: "pthread_rwlock",
        name: "pthread_rwlock_t",
        family: Family::ReadersWriter,
        breaks: None,
        version: || Cow::Owned(format!("{}, default kind", c_library())),
        explanation: "glibc's default prefers readers: a reader gets the lock while other readers hold it, even if a \
            writer has been waiting for long. With readers that overlap without a gap the writer starves: raise the \
            read share and look at the longest wait. In exchange a thread may read a lock that it reads already.",
    };

    unsafe fn set(_attributes: *mut libc::pthread_rwlockattr_t) -> libc::c_int {
        0
    }
}

/// `PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP`: writers first.
#[cfg(target_env = "gnu")]
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct WriterPreferring;

#[cfg(target_env = "gnu")]
impl Preference for WriterPreferring {
    const INFO: Info = Info {
        key: "pthread_rwlock_writer",
        name: "pthread_rwlock_t, writers first",
        family: Family::ReadersWriter,
        breaks: None,
        version: || Cow::Owned(format!("{}, PREFER_WRITER_NONRECURSIVE_NP", c_library())),
        explanation: "glibc's other kind: while a writer waits, new readers wait behind it, so that writers do not \
            starve; with many writers the readers do. A thread that reads must not read again (NONRECURSIVE): if a \
            writer came in between, both wait for ever. PREFER_WRITER_NP without that suffix changes nothing.",
    };

    unsafe fn set(attributes: *mut libc::pthread_rwlockattr_t) -> libc::c_int {
        // From <pthread.h>: PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP.
        const PREFER_WRITER_NONRECURSIVE: libc::c_int = 2;
        // SAFETY: the caller's.
        unsafe { libc::pthread_rwlockattr_setkind_np(attributes, PREFER_WRITER_NONRECURSIVE) }
    }
}

/// A pthread rwlock. Boxed, since POSIX forbids moving one.
pub(in crate::backend::lab::locks) struct PthreadRw<P> {
    lock: Box<UnsafeCell<libc::pthread_rwlock_t>>,
    preference: PhantomData<fn() -> P>,
}

// SAFETY: a pthread rwlock is made to be used from any thread; it stays at one
// address, and all access goes through the pthread functions.
unsafe impl<P> Send for PthreadRw<P> {}
// SAFETY: as above.
unsafe impl<P> Sync for PthreadRw<P> {}

impl<P: Preference> Default for PthreadRw<P> {
    /// # Panics
    /// Where the C library does not know the kind: then nothing can be
    /// measured.
    fn default() -> Self {
        let lock = Box::new(UnsafeCell::new(libc::PTHREAD_RWLOCK_INITIALIZER));
        let mut attributes = MaybeUninit::<libc::pthread_rwlockattr_t>::uninit();
        let attributes = attributes.as_mut_ptr();
        // SAFETY: the attributes are initialised before they are used and
        // destroyed after; the lock is at its final address.
        let errors = unsafe {
            let mut errors = [libc::pthread_rwlockattr_init(attributes), 0, 0];
            errors[1] = P::set(attributes);
            errors[2] = libc::pthread_rwlock_init(lock.get(), attributes);
            libc::pthread_rwlockattr_destroy(attributes);
            errors
        };
        assert_eq!(errors, [0; 3], "{} cannot be made", P::INFO.name);
        PthreadRw { lock, preference: PhantomData }
    }
}

impl<P: Preference> fmt::Debug for PthreadRw<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(P::INFO.name).finish_non_exhaustive()
    }
}

impl<P: Preference> ReadersWriter for PthreadRw<P> {
    const INFO: Info = P::INFO;

    type Read<'a> = ();
    type Write<'a> = ();

    #[inline]
    fn read(&self) {
        // EAGAIN: the count of readers would run over; it cannot with so few
        // threads, but POSIX lets it be.
        // SAFETY: the lock is initialised and stays where it is.
        while unsafe { libc::pthread_rwlock_rdlock(self.lock.get()) } == libc::EAGAIN {}
    }

    #[inline]
    fn write(&self) {
        // SAFETY: as above. It fails only where the caller holds it already.
        unsafe { libc::pthread_rwlock_wrlock(self.lock.get()) };
    }

    #[inline]
    fn try_read(&self) -> Option<()> {
        // SAFETY: as above.
        (unsafe { libc::pthread_rwlock_tryrdlock(self.lock.get()) } == 0).then_some(())
    }

    #[inline]
    fn try_write(&self) -> Option<()> {
        // SAFETY: as above.
        (unsafe { libc::pthread_rwlock_trywrlock(self.lock.get()) } == 0).then_some(())
    }

    #[inline]
    fn end_read(&self, (): ()) {
        // SAFETY: as above; the caller holds it.
        unsafe { libc::pthread_rwlock_unlock(self.lock.get()) };
    }

    #[inline]
    fn end_write(&self, (): ()) {
        // SAFETY: as above; the caller holds it.
        unsafe { libc::pthread_rwlock_unlock(self.lock.get()) };
    }
}

impl<P> Drop for PthreadRw<P> {
    fn drop(&mut self) {
        // SAFETY: nobody holds or wants it any more: there is no other
        // reference.
        unsafe { libc::pthread_rwlock_destroy(self.lock.get()) };
    }
}
