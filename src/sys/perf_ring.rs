//! The ring into which the kernel writes the records of an [`Event`]
//! (`perf_event_open(2)`, "MMAP layout").
//!
//! ```text
//! page 0     … data_head @1024: how far the kernel has written    data_tail @1032: how far we have read
//! pages 1…   2ⁿ pages of records: type 4, misc 2, size 2, then size − 8 bytes
//! ```
//!
//! Both counters only grow; their place in the ring is the remainder by its
//! size. The kernel writes no record over what has not been read: it drops it,
//! and counts it.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;

use super::perf::Event;

const HEAD: usize = 1024;
const TAIL: usize = 1032;
const HEADER: usize = 8;

/// A ring, mapped.
#[derive(Debug)]
pub struct Ring {
    start: NonNull<u8>,
    page: usize,
    size: usize,
    /// A record that lies across the end of the ring, put together.
    joined: Vec<u8>,
}

// SAFETY: the mapping belongs to this value alone; no thread has a claim on it.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps the ring of an event, of at least one page and at most `largest`
    /// bytes: half of it, and so on, where so much may not be locked in memory.
    ///
    /// # Errors
    /// `EPERM` where not even a page may be (`kernel.perf_event_mlock_kb`).
    pub fn map(event: &Event, largest: usize) -> Result<Self, Errno> {
        let page = rustix::param::page_size();
        let mut size = largest.next_power_of_two().max(page);
        loop {
            // SAFETY: a new mapping, placed by the kernel.
            let start = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    page + size,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_SHARED,
                    event.raw(),
                    0,
                )
            };
            if start != libc::MAP_FAILED {
                let start = NonNull::new(start.cast()).ok_or(Errno::NOMEM)?;
                return Ok(Ring { start, page, size, joined: Vec::new() });
            }
            let error = Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL);
            if size == page || !matches!(error, Errno::PERM | Errno::NOMEM) {
                return Err(error);
            }
            size /= 2;
        }
    }

    /// How many bytes of records it holds.
    pub fn size(&self) -> usize {
        self.size
    }

    /// How much of it waits to be read.
    pub fn filled(&self) -> usize {
        let head = self.counter(HEAD).load(Ordering::Acquire);
        head.wrapping_sub(self.counter(TAIL).load(Ordering::Relaxed)) as usize
    }

    /// Takes every record that is there: its type, `misc`, and what follows its
    /// header.
    pub fn drain(&mut self, mut each: impl FnMut(u32, u16, &[u8])) {
        // Acquire: the records that the kernel wrote before it moved the head.
        let head = self.counter(HEAD).load(Ordering::Acquire);
        let mut tail = self.counter(TAIL).load(Ordering::Relaxed);
        let mut joined = std::mem::take(&mut self.joined);
        while head.wrapping_sub(tail) >= HEADER as u64 {
            let mut header = [0; HEADER];
            self.copy(tail, &mut header);
            let size = usize::from(u16::from_le_bytes([header[6], header[7]]));
            if size < HEADER || size as u64 > head.wrapping_sub(tail) {
                // No record looks so: what is left cannot be understood.
                tail = head;
                break;
            }
            joined.resize(size - HEADER, 0);
            self.copy(tail + HEADER as u64, &mut joined);
            let kind = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
            each(kind, u16::from_le_bytes([header[4], header[5]]), &joined);
            tail += size as u64;
        }
        self.joined = joined;
        // Release: nothing of what was read is read after it may be written over.
        self.counter(TAIL).store(tail, Ordering::Release);
    }

    /// Copies from the ring, around its end if need be.
    fn copy(&self, from: u64, buffer: &mut [u8]) {
        let at = from as usize & (self.size - 1);
        let first = buffer.len().min(self.size - at);
        let (front, back) = buffer.split_at_mut(first);
        for (to, at) in [(front, at), (back, 0)] {
            // SAFETY: within the mapping, for `at + to.len() <= size`; what lies between
            // tail and head the kernel does not write to.
            unsafe { std::ptr::copy_nonoverlapping(self.start.as_ptr().add(self.page + at), to.as_mut_ptr(), to.len()) }
        }
    }

    fn counter(&self, at: usize) -> &AtomicU64 {
        // SAFETY: an aligned u64 of the first page, which kernel and program share and
        // which lives as long as `self`.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().add(at).cast()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours, and nobody has a reference into it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.page + self.size) };
    }
}
