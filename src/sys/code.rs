//! Code that has run and is not needed any more: `madvise(2)`.

use std::ffi::{c_int, c_void};

use libc::{PF_W, PF_X, PT_LOAD, dl_phdr_info};

/// Lets go of the pages of all code, this program's and its libraries': most of
/// what has been touched so far ran once, at the start. What is needed again
/// comes back from the page cache, a few microseconds for each piece.
pub fn give_back() {
    unsafe extern "C" fn of_object(object: *mut dl_phdr_info, _size: usize, _data: *mut c_void) -> c_int {
        // SAFETY: the linker hands out a valid description of a loaded object and
        // of its program headers, for the time of this call.
        let (base, headers) = unsafe {
            let object = &*object;
            (object.dlpi_addr, std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum)))
        };
        for header in headers {
            // Code that is never written, and so is in the file as it is in memory.
            if header.p_type == PT_LOAD && header.p_flags & PF_X != 0 && header.p_flags & PF_W == 0 {
                let start = base + header.p_vaddr;
                let first = start.next_multiple_of(PAGE);
                let end = (start + header.p_memsz) & !(PAGE - 1);
                if first < end {
                    // SAFETY: the pages are mapped from a file, privately, and were
                    // never written: reading them again gives the same.
                    unsafe { libc::madvise(first as *mut c_void, (end - first) as usize, libc::MADV_DONTNEED) };
                }
            }
        }
        0
    }
    // SAFETY: the callback keeps nothing of what it is given.
    unsafe { libc::dl_iterate_phdr(Some(of_object), std::ptr::null_mut()) };
}

const PAGE: u64 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_runs_on_without_its_code_in_memory() {
        let sum: u64 = (1..=10).sum();
        give_back();
        assert_eq!(format!("{sum:>4}"), "  55");
        std::thread::spawn(give_back).join().unwrap();
    }
}
