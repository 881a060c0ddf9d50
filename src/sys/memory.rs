//! Reading another process's memory, and writing to it: `process_vm_readv(2)`.
//!
//! The target is neither stopped nor attached to. The kernel asks for the same
//! permission as `/proc/PID/mem` (`PTRACE_MODE_ATTACH_REALCREDS`): the same user
//! and a dumpable process, or `CAP_SYS_PTRACE`.

use std::io::{IoSlice, IoSliceMut};

use nix::errno::Errno;
use nix::sys::uio::{RemoteIoVec, process_vm_readv, process_vm_writev};

use crate::model::Pid;

/// Reads `buffer.len()` bytes at `address` of process `pid`, all or nothing.
///
/// # Errors
/// `EPERM` without the permission, `ESRCH` for a process that is gone, `EFAULT`
/// where not all of the range is mapped.
pub fn read(pid: Pid, address: u64, buffer: &mut [u8]) -> Result<(), rustix::io::Errno> {
    let wanted = buffer.len();
    let remote = [RemoteIoVec { base: address as usize, len: wanted }];
    let got = process_vm_readv(nix::unistd::Pid::from_raw(pid), &mut [IoSliceMut::new(buffer)], &remote);
    whole(got, wanted)
}

/// Reads several ranges in one system call: `ranges` are address and length,
/// `buffer` takes them one behind the other. All or nothing.
///
/// # Errors
/// As [`read()`]; `EINVAL` where the lengths do not add up to the buffer's.
pub fn read_many(pid: Pid, ranges: &[(u64, usize)], buffer: &mut [u8]) -> Result<(), rustix::io::Errno> {
    let wanted: usize = ranges.iter().map(|(_, length)| length).sum();
    if wanted != buffer.len() {
        return Err(rustix::io::Errno::INVAL);
    }
    let remote: Vec<_> = ranges.iter().map(|&(address, len)| RemoteIoVec { base: address as usize, len }).collect();
    let got = process_vm_readv(nix::unistd::Pid::from_raw(pid), &mut [IoSliceMut::new(buffer)], &remote);
    whole(got, wanted)
}

/// The most ranges that one call takes, `IOV_MAX`.
const AT_ONCE: usize = 1024;

/// Reads many ranges in as few system calls as possible, each for itself: says
/// which of them could be read. `buffer` takes them one behind the other; what
/// could not be read leaves its part of it as it was.
pub fn read_each(pid: Pid, ranges: &[(u64, usize)], mut buffer: &mut [u8]) -> Vec<bool> {
    let mut done = vec![false; ranges.len()];
    let mut next = 0;
    while next < ranges.len() {
        let now = &ranges[next..ranges.len().min(next + AT_ONCE)];
        let remote: Vec<_> = now.iter().map(|&(address, len)| RemoteIoVec { base: address as usize, len }).collect();
        let length: usize = now.iter().map(|(_, length)| length).sum();
        let Some(room) = buffer.get_mut(..length) else { return done };
        let got = process_vm_readv(nix::unistd::Pid::from_raw(pid), &mut [IoSliceMut::new(room)], &remote);
        let mut left = match got {
            Ok(count) => count,
            Err(Errno::EFAULT) => 0,
            Err(_) => return done,
        };
        let mut passed = 0;
        for &(_, length) in now {
            done[next] = length <= left;
            next += 1;
            passed += length;
            if length > left {
                // The kernel stops at the first that it cannot read.
                break;
            }
            left -= length;
        }
        buffer = &mut buffer[passed..];
    }
    done
}

/// Writes all of `bytes` to `address` of process `pid`, which must be one of
/// ours that has offered the memory.
///
/// # Errors
/// As [`read()`].
pub fn write(pid: Pid, address: u64, bytes: &[u8]) -> Result<(), rustix::io::Errno> {
    let remote = [RemoteIoVec { base: address as usize, len: bytes.len() }];
    let put = process_vm_writev(nix::unistd::Pid::from_raw(pid), &[IoSlice::new(bytes)], &remote);
    whole(put, bytes.len())
}

/// Permits any process of the same user to reach into this one, where the Yama
/// module would permit ancestors only (`kernel.yama.ptrace_scope` 1).
pub fn offer() {
    // SAFETY: numbers alone. Without Yama it is refused, and not needed.
    let _ = unsafe { libc::prctl(libc::PR_SET_PTRACER, libc::PR_SET_PTRACER_ANY, 0, 0, 0) };
}

fn whole(got: nix::Result<usize>, wanted: usize) -> Result<(), rustix::io::Errno> {
    match got {
        Ok(count) if count == wanted => Ok(()),
        Ok(_) => Err(rustix::io::Errno::FAULT),
        Err(error) => Err(errno(error)),
    }
}

fn errno(error: Errno) -> rustix::io::Errno {
    rustix::io::Errno::from_raw_os_error(error as i32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_memory_is_read_and_a_hole_is_an_error() {
        let pid = std::process::id() as Pid;
        let (a, b) = ([1u8, 2, 3, 4], [5u8, 6]);
        let mut one = [0; 4];
        read(pid, a.as_ptr() as u64, &mut one).unwrap();
        assert_eq!(one, a);
        let mut both = [0; 6];
        read_many(pid, &[(b.as_ptr() as u64, 2), (a.as_ptr() as u64, 4)], &mut both).unwrap();
        assert_eq!(both, [5, 6, 1, 2, 3, 4]);
        assert_eq!(read(pid, 8, &mut one), Err(rustix::io::Errno::FAULT));
        assert_eq!(read_many(pid, &[(8, 1)], &mut one), Err(rustix::io::Errno::INVAL));
    }

    #[test]
    fn memory_that_is_there_is_written_and_a_hole_is_an_error() {
        let map = crate::sys::shm::SharedMap::private(4096).unwrap();
        let (pid, at) = (std::process::id() as Pid, map.start().as_ptr() as u64);
        write(pid, at + 4090, b"hello!").unwrap();
        let mut seen = [0; 6];
        read(pid, at + 4090, &mut seen).unwrap();
        assert_eq!(&seen, b"hello!");
        assert_eq!(write(pid, 8, b"hello!"), Err(rustix::io::Errno::FAULT));
    }

    #[test]
    fn of_many_ranges_each_that_is_mapped_is_read() {
        let pid = std::process::id() as Pid;
        let value = [7_u8; 3];
        let at = value.as_ptr() as u64;
        let ranges: Vec<(u64, usize)> = (0..2_500).map(|n| if n % 7 == 3 { (8, 2) } else { (at, 3) }).collect();
        let mut buffer = vec![0; ranges.iter().map(|(_, length)| length).sum()];
        let done = read_each(pid, &ranges, &mut buffer);
        assert!(done.iter().enumerate().all(|(n, done)| *done == (n % 7 != 3)));
        let sum: usize = buffer.iter().map(|byte| usize::from(*byte)).sum();
        assert_eq!(sum, done.iter().filter(|done| **done).count() * 21);
        assert_eq!(read_each(pid, &[(8, 1), (16, 1)], &mut [0; 2]), [false, false]);
        assert_eq!(read_each(-1, &ranges[..1], &mut [0; 3]), [false]);
    }
}
