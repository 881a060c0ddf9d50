//! How the heap grows and shrinks: `mallopt(3)`.

/// Keeps the heap as small as what is in it: one arena for all threads, and
/// large pieces, such as a file's symbols while they are searched, go back to
/// the kernel at once. By default glibc gives each thread an arena and, after
/// the first large piece, keeps the room of all that follow. To be called
/// before the first thread is started; elsewhere than with glibc it does
/// nothing.
pub fn keep_small() {
    #[cfg(target_env = "gnu")]
    {
        const LARGE: libc::c_int = 128 << 10;
        // SAFETY: these options only tune the allocator, and no other thread
        // runs yet.
        unsafe {
            libc::mallopt(libc::M_ARENA_MAX, 1);
            libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
            libc::mallopt(libc::M_TRIM_THRESHOLD, LARGE);
        }
    }
}

/// Gives back what is free in between: `malloc_trim(3)`. Elsewhere than with
/// glibc it does nothing.
pub fn trim() {
    #[cfg(target_env = "gnu")]
    // SAFETY: it takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}
