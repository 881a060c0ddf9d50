//! Giving pages to a pipe instead of copying them: vmsplice(2).
//!
//! The pipe refers to the pages until they are read, so what they hold must
//! not change before that. [`Pages`] goes round in its pages and returns to one
//! only when the pipe, which holds a known number of them, cannot refer to it
//! any more.
//!
//! ```text
//! pages    | 0 | 1 | … | slots-1 | slots | … | 2·slots-1 |   then 0 again
//! in use       ▲ at most `slots` before the next one ▲
//! ```

use std::io;
use std::os::fd::BorrowedFd;

use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use rustix::pipe::{IoSliceRaw, SpliceFlags, vmsplice};

/// The size that a pipe's slots have.
pub const PAGE: usize = 4096;

/// Pages to give to one pipe.
#[derive(Debug)]
pub struct Pages {
    start: *mut u8,
    /// How many the pipe can refer to.
    slots: usize,
    next: usize,
}

// SAFETY: a mapping belongs to the process; only the owner of the value uses
// it.
unsafe impl Send for Pages {}

impl Pages {
    /// For a pipe of `capacity` bytes, which is as many slots of a page each.
    ///
    /// # Errors
    /// `ENOMEM`.
    pub fn new(capacity: usize) -> io::Result<Self> {
        let slots = capacity.div_ceil(rustix::param::page_size().min(PAGE)).max(1);
        // SAFETY: a fresh mapping at an address of the kernel's choice.
        let start = unsafe {
            mmap_anonymous(
                std::ptr::null_mut(),
                2 * slots * PAGE,
                ProtFlags::READ | ProtFlags::WRITE,
                MapFlags::PRIVATE,
            )?
        };
        Ok(Pages { start: start.cast(), slots, next: 0 })
    }

    /// Writes bytes into pages and gives those to the pipe, `slots` at a time.
    ///
    /// # Errors
    /// `EPIPE` where nobody reads. Where the pipe is full and does not block it
    /// tries again and again.
    #[inline]
    pub fn send(&mut self, pipe: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
        // A portion must not wrap, and lies within one half at most.
        let mut rest = bytes;
        while !rest.is_empty() {
            if self.next == 2 * self.slots {
                self.next = 0;
            }
            let room = (2 * self.slots - self.next).min(self.slots) * PAGE;
            let (now, later) = rest.split_at(rest.len().min(room));
            self.give(pipe, now)?;
            self.next += now.len().div_ceil(PAGE);
            rest = later;
        }
        Ok(())
    }

    /// One portion, from the page `next` on.
    fn give(&self, pipe: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
        // SAFETY: the portion lies within the mapping (see `send`). The pipe
        // does not refer to these pages any more: since they were given,
        // at least `slots` others were accepted, as many as it can hold.
        let mut at = unsafe {
            let at = self.start.add(self.next * PAGE);
            at.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            at
        };
        let mut left = bytes.len();
        while left > 0 {
            let slice = IoSliceRaw::from_slice(
                // SAFETY: within the mapping, initialised just now, and not
                // written to while the slice lives.
                unsafe { std::slice::from_raw_parts(at, left) },
            );
            // SAFETY: the pages stay as they are until they were read, see
            // above.
            match unsafe { vmsplice(pipe, &[slice], SpliceFlags::empty()) } {
                Ok(given) => {
                    left -= given;
                    // SAFETY: no further than the end of the portion.
                    at = unsafe { at.add(given) };
                }
                Err(Errno::AGAIN) => std::hint::spin_loop(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: our own mapping; a pipe that still refers to pages of it
        // keeps those by itself.
        let _ = unsafe { munmap(self.start.cast(), 2 * self.slots * PAGE) };
    }
}
