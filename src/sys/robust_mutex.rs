//! Mutexes that processes share and that survive their holder:
//! `pthread_mutexattr_setrobust(3)`.

use std::fmt;
use std::io;
use std::ptr::NonNull;
use std::sync::Arc;

use super::shm::SharedMap;

/// What locking came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locked {
    /// It is ours.
    Yes,
    /// It is ours, and its last holder died with it: `EOWNERDEAD`.
    OwnerDied,
    /// Somebody holds it: `EBUSY`.
    Busy,
}

impl fmt::Display for Locked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Locked::Yes => "locked",
            Locked::OwnerDied => "locked, EOWNERDEAD",
            Locked::Busy => "EBUSY",
        })
    }
}

/// One of them, at a place in shared memory.
#[derive(Debug)]
pub struct RobustMutex {
    mutex: NonNull<libc::pthread_mutex_t>,
    _map: Arc<SharedMap>,
}

impl RobustMutex {
    /// The one at `offset`.
    ///
    /// # Errors
    /// `InvalidInput` where there is no room for one.
    pub fn at(map: &Arc<SharedMap>, offset: usize) -> io::Result<Self> {
        let end = offset.checked_add(size_of::<libc::pthread_mutex_t>());
        if end.is_none_or(|end| end > map.len()) || !offset.is_multiple_of(64) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: within the mapping, as was just looked at.
        let mutex = unsafe { map.start().add(offset).cast() };
        Ok(RobustMutex { mutex, _map: map.clone() })
    }

    /// Makes it usable; once, before anybody locks it.
    ///
    /// # Errors
    /// Whatever the attributes say; `ENOTSUP` where it cannot be robust.
    pub fn initialise(&self) -> io::Result<()> {
        let mut attributes = std::mem::MaybeUninit::uninit();
        // SAFETY: attributes of our own, and memory for one mutex.
        unsafe {
            check(libc::pthread_mutexattr_init(attributes.as_mut_ptr()))?;
            check(libc::pthread_mutexattr_setpshared(attributes.as_mut_ptr(), libc::PTHREAD_PROCESS_SHARED))?;
            check(libc::pthread_mutexattr_setrobust(attributes.as_mut_ptr(), libc::PTHREAD_MUTEX_ROBUST))?;
            check(libc::pthread_mutex_init(self.mutex.as_ptr(), attributes.as_ptr()))?;
            check(libc::pthread_mutexattr_destroy(attributes.as_mut_ptr()))
        }
    }

    /// Locks it, waiting for whoever holds it.
    ///
    /// # Errors
    /// `ENOTRECOVERABLE` where a holder died and nobody put it right.
    pub fn lock(&self) -> io::Result<Locked> {
        // SAFETY: an initialised mutex.
        locked(unsafe { libc::pthread_mutex_lock(self.mutex.as_ptr()) })
    }

    /// Locks it if nobody holds it.
    ///
    /// # Errors
    /// As [`RobustMutex::lock`].
    pub fn try_lock(&self) -> io::Result<Locked> {
        // SAFETY: an initialised mutex.
        locked(unsafe { libc::pthread_mutex_trylock(self.mutex.as_ptr()) })
    }

    /// Says that what it protects was put right after `OwnerDied`.
    ///
    /// # Errors
    /// `EINVAL` where that was not the case.
    pub fn recover(&self) -> io::Result<()> {
        // SAFETY: an initialised mutex.
        check(unsafe { libc::pthread_mutex_consistent(self.mutex.as_ptr()) })
    }

    /// Unlocks it.
    ///
    /// # Errors
    /// `EPERM` where it is not ours.
    pub fn unlock(&self) -> io::Result<()> {
        // SAFETY: an initialised mutex.
        check(unsafe { libc::pthread_mutex_unlock(self.mutex.as_ptr()) })
    }
}

fn locked(result: i32) -> io::Result<Locked> {
    match result {
        libc::EBUSY => Ok(Locked::Busy),
        libc::EOWNERDEAD => Ok(Locked::OwnerDied),
        other => check(other).map(|()| Locked::Yes),
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::shm::memfd;

    #[test]
    fn a_thread_that_ends_with_it_leaves_it_to_the_next() {
        let map = Arc::new(SharedMap::new(memfd("test", 4096).unwrap()).unwrap());
        RobustMutex::at(&map, 0).unwrap().initialise().unwrap();
        let theirs = map.clone();
        std::thread::spawn(move || RobustMutex::at(&theirs, 0).unwrap().lock().unwrap()).join().unwrap();
        let mutex = RobustMutex::at(&map, 0).unwrap();
        assert_eq!(mutex.lock().unwrap(), Locked::OwnerDied);
        mutex.recover().unwrap();
        mutex.unlock().unwrap();
        assert_eq!(mutex.try_lock().unwrap(), Locked::Yes);
        std::thread::scope(|scope| {
            scope.spawn(|| assert_eq!(RobustMutex::at(&map, 0).unwrap().try_lock().unwrap(), Locked::Busy));
        });
        mutex.unlock().unwrap();
        assert!(mutex.unlock().is_err(), "it is not ours any more");
        assert!(RobustMutex::at(&map, 4096 - 8).is_err());
    }
}
