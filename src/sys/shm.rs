//! Memory that two processes share: `memfd_create(2)`, fcntl(2) seals,
//! `shm_open(3)`, mmap(2), shmat(2).

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags, fallocate, fcntl_add_seals, fstat, ftruncate, memfd_create};
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use super::{limits, sysv};

/// A nameless file in memory of `len` bytes, all zero, that can neither grow
/// nor shrink: a mapping of it never faults with SIGBUS.
///
/// # Errors
/// Whatever `memfd_create(2)`, ftruncate(2) or fcntl(2) say; `ENOMEM` and
/// `ENOSPC` where memory is short, `EFBIG` above `RLIMIT_FSIZE`.
pub fn memfd(name: &str, len: usize) -> io::Result<OwnedFd> {
    let fd = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?;
    limits::file_size(len)?;
    ftruncate(&fd, len as u64)?;
    fcntl_add_seals(&fd, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(fd)
}

/// A POSIX shared memory object that nobody else has, of `len` bytes, all zero
/// and all there: no access to it faults for want of memory.
///
/// # Errors
/// Whatever `shm_open(3)` or fallocate(2) say; `ENOSPC` where /dev/shm is full.
pub fn object(name: &str, len: usize) -> io::Result<OwnedFd> {
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let fd = nix::sys::mman::shm_open(name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    reserve(&fd, len)?;
    Ok(fd)
}

/// Makes an empty file `len` bytes long, with the room for them reserved.
///
/// # Errors
/// Whatever fallocate(2) says; `EOPNOTSUPP` where the file system cannot,
/// `EFBIG` above `RLIMIT_FSIZE`.
pub fn reserve(fd: impl AsFd, len: usize) -> io::Result<()> {
    limits::file_size(len)?;
    Ok(fallocate(fd, FallocateFlags::empty(), 0, len as u64)?)
}

/// Memory mapped for reading and writing, seen by every process that maps it.
#[derive(Debug)]
pub struct SharedMap {
    start: NonNull<u8>,
    len: usize,
    sysv: bool,
}

// SAFETY: a mapping belongs to the process, not to a thread; what is done with
// its bytes is up to those who take pointers into it.
unsafe impl Send for SharedMap {}
// SAFETY: a shared reference gives nothing but the address and the length.
unsafe impl Sync for SharedMap {}

impl SharedMap {
    /// Maps all of `fd`.
    ///
    /// # Errors
    /// Whatever fstat(2) or mmap(2) say; `EINVAL` for an empty file.
    pub fn new(fd: impl AsFd) -> io::Result<Self> {
        let len = fstat(&fd)?.st_size as usize;
        // SAFETY: a fresh mapping at an address of the kernel's choice
        // overlaps nothing.
        let start =
            unsafe { mmap(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED, &fd, 0)? };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(SharedMap { start, len, sysv: false })
    }

    /// Attaches a System V segment.
    ///
    /// # Errors
    /// Whatever shmat(2) says.
    pub fn of_segment(segment: i32) -> io::Result<Self> {
        let (start, len) = sysv::attach(segment)?;
        Ok(SharedMap { start, len, sysv: true })
    }

    /// Memory that nobody else maps, all zero.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn private(len: usize) -> io::Result<Self> {
        // SAFETY: as in `new`.
        let start = unsafe {
            mmap_anonymous(std::ptr::null_mut(), len, ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE)?
        };
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(SharedMap { start, len, sysv: false })
    }

    /// Where it begins: at the start of a page.
    pub fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// `N` words from `offset` on, which both processes may load and store.
    ///
    /// # Panics
    /// Where they do not fit, or `offset` is no multiple of 8.
    pub fn words<const N: usize>(&self, offset: usize) -> &[AtomicU64; N] {
        assert!(offset.is_multiple_of(8) && offset + 8 * N <= self.len, "within the mapping");
        // SAFETY: within the mapping, aligned, and atomics, for which any bytes
        // are valid; it lives as long as the reference.
        unsafe { self.start.add(offset).cast().as_ref() }
    }

    /// How long it is, in bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it is empty; it never is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Drop for SharedMap {
    fn drop(&mut self) {
        // SAFETY: this is our own mapping, and whoever took pointers into it
        // holds it alive.
        unsafe {
            if self.sysv {
                sysv::detach(self.start);
            } else {
                let _ = munmap(self.start.as_ptr().cast(), self.len);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_mappings_show_the_same_bytes_and_the_size_is_fixed() {
        let fd = memfd("test", 8192).unwrap();
        let (a, b) = (SharedMap::new(&fd).unwrap(), SharedMap::new(&fd).unwrap());
        assert_eq!(a.len(), 8192);
        // SAFETY: both are 8192 bytes long and nobody else maps the file.
        unsafe {
            a.start().as_ptr().add(5000).write_volatile(7);
            assert_eq!(b.start().as_ptr().add(5000).read_volatile(), 7);
        }
        assert!(ftruncate(&fd, 4096).is_err(), "sealed");
    }
}
