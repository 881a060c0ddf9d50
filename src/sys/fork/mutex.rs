//! A plain pthread mutex in a static, as a C program has it.

use std::cell::UnsafeCell;

/// A normal `pthread_mutex_t`.
pub struct PlainMutex(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: it is made to be used by several threads.
unsafe impl Sync for PlainMutex {}

impl std::fmt::Debug for PlainMutex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainMutex")
    }
}

impl Default for PlainMutex {
    fn default() -> Self {
        PlainMutex::new()
    }
}

impl PlainMutex {
    /// One that nobody holds.
    pub const fn new() -> Self {
        PlainMutex(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))
    }

    /// Locks it; it stays locked.
    pub fn lock(&self) -> i32 {
        // SAFETY: initialised, and never moved while it is in use: it is in a
        // static.
        unsafe { libc::pthread_mutex_lock(self.0.get()) }
    }
}
