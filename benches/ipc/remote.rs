//! The least that writing into another process's memory takes: the indices of
//! a ring on a shared page, at which both sides try again and again.

use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

/// Made before the fork: the page is one, the bytes are each process's own, at
/// the same address.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    page: *mut libc::c_void,
    bytes: *mut libc::c_void,
    capacity: usize,
}

/// One side of it.
pub(crate) struct Remote {
    memory: Memory,
    peer: i32,
    /// What this side sends into, and what it receives from.
    way: [usize; 2],
    written: u64,
    read: u64,
}

impl Memory {
    pub(crate) fn new(capacity: usize) -> Self {
        let map = |len, kind| {
            // SAFETY: new memory, wherever the kernel likes.
            let at = unsafe {
                let access = libc::PROT_READ | libc::PROT_WRITE;
                libc::mmap(std::ptr::null_mut(), len, access, kind | libc::MAP_ANONYMOUS | libc::MAP_POPULATE, -1, 0)
            };
            assert!(at != libc::MAP_FAILED, "{}", io::Error::last_os_error());
            at
        };
        Memory { page: map(4096, libc::MAP_SHARED), bytes: map(capacity, libc::MAP_PRIVATE), capacity }
    }

    pub(crate) fn free(self) {
        // SAFETY: both were mapped so, and nobody uses them any more.
        unsafe {
            libc::munmap(self.page, 4096);
            libc::munmap(self.bytes, self.capacity);
        }
    }

    /// What is written and what is read of one direction.
    fn index(&self, way: usize, read: bool) -> &AtomicU64 {
        // SAFETY: four of them on the page, each on lines of its own.
        unsafe { &*self.page.byte_add(way * 1024 + usize::from(read) * 512).cast::<AtomicU64>() }
    }
}

impl Remote {
    pub(crate) fn new(memory: Memory, peer: i32, asks: bool) -> Self {
        let way = if asks { [0, 1] } else { [1, 0] };
        Remote { memory, peer, way, written: 0, read: 0 }
    }

    pub(crate) fn asks(&self) -> bool {
        self.way[0] == 0
    }

    /// Queues a signal at the peer; while its queue is full, again.
    pub(crate) fn signal(&self, signal: i32, size: usize) -> isize {
        let value = libc::sigval { sival_ptr: std::ptr::without_provenance_mut(7) };
        // SAFETY: numbers alone.
        while unsafe { libc::sigqueue(self.peer, signal, value) } != 0 {
            assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EAGAIN));
            std::thread::yield_now();
        }
        size as isize
    }

    pub(crate) fn send(&mut self, message: &[u8]) {
        let mut rest = message;
        while !rest.is_empty() {
            let room =
                self.memory.capacity as u64 - (self.written - self.memory.index(self.way[0], true).load(Acquire));
            if room == 0 {
                std::hint::spin_loop();
                continue;
            }
            let at = self.written as usize & (self.memory.capacity - 1);
            let len = rest.len().min(room as usize).min(self.memory.capacity - at);
            let here = libc::iovec { iov_base: rest.as_ptr().cast_mut().cast(), iov_len: len };
            // SAFETY: the peer's bytes are at the same address; the kernel
            // checks both ranges.
            let done = unsafe {
                let there = libc::iovec { iov_base: self.memory.bytes.byte_add(at), iov_len: len };
                libc::process_vm_writev(self.peer, &raw const here, 1, &raw const there, 1, 0)
            };
            assert_eq!(done, len as isize, "{}", io::Error::last_os_error());
            self.written += len as u64;
            self.memory.index(self.way[0], false).store(self.written, Release);
            rest = &rest[len..];
        }
    }

    pub(crate) fn receive(&mut self, message: &mut [u8]) {
        let mut filled = 0;
        while filled < message.len() {
            let there = self.memory.index(self.way[1], false).load(Acquire) - self.read;
            if there == 0 {
                std::hint::spin_loop();
                continue;
            }
            let at = self.read as usize & (self.memory.capacity - 1);
            let len = (message.len() - filled).min(there as usize).min(self.memory.capacity - at);
            // SAFETY: `at + len` lies within the bytes, which the peer has
            // written and writes again only when they are given back.
            unsafe {
                let from = self.memory.bytes.byte_add(at).cast::<u8>();
                from.copy_to_nonoverlapping(message[filled..].as_mut_ptr(), len);
            }
            self.read += len as u64;
            filled += len;
            self.memory.index(self.way[1], true).store(self.read, Release);
        }
    }
}
