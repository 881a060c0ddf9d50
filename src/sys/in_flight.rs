//! Descriptors that wait in the queue of a Unix socket, sent but not received yet
//! (`SCM_RIGHTS`, unix(7)). Nobody has them open meanwhile.
//!
//! They are looked at by a reading that takes nothing (`MSG_PEEK`): the kernel gives
//! copies of the descriptors in the first message that has any, which are closed at
//! once. The queue stays as it is.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use rustix::fs::fstat;
use rustix::io::Errno;

/// As many as one message can have (`SCM_MAX_FD`).
const MOST: usize = 253;
/// As much data as may lie before the message with descriptors.
const DATA: usize = 64 << 10;
/// `SO_PEEK_OFF` where it is not in use: looking would move it.
const NO_OFFSET: libc::c_int = -1;

/// The inodes of the files in the first message of the queue that has descriptors.
///
/// # Errors
/// Whatever getsockopt(2) and recvmsg(2) say, `EAGAIN` for an empty queue; `EBUSY`
/// where looking would change what the socket's owner sees.
pub fn look(socket: &OwnedFd) -> Result<Vec<u64>, Errno> {
    if peek_offset(socket)? != NO_OFFSET {
        return Err(Errno::BUSY);
    }
    let mut data = vec![0; DATA];
    let mut slices = [IoSliceMut::new(&mut data)];
    let mut control = nix::cmsg_space!([RawFd; MOST]);
    let flags = MsgFlags::MSG_PEEK | MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags).map_err(raw)?;
    let mut copies = Vec::new();
    for part in message.cmsgs().map_err(raw)? {
        if let ControlMessageOwned::ScmRights(fds) = part {
            // SAFETY: the kernel has just installed these descriptors for us; nobody
            // else knows their numbers.
            copies.extend(fds.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
        }
    }
    copies.iter().map(|copy| Ok(fstat(copy.as_fd())?.st_ino)).collect()
}

fn peek_offset(socket: &OwnedFd) -> Result<libc::c_int, Errno> {
    let mut value: libc::c_int = 0;
    let mut size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes an int at most, of which `size` is the length.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEEK_OFF,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    if result == 0 { Ok(value) } else { Err(raw(nix::errno::Errno::last())) }
}

fn raw(error: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(error as i32)
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use nix::sys::socket::{ControlMessage, sendmsg};
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::*;

    #[test]
    fn what_is_in_flight_is_seen_and_stays() {
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        assert_eq!(look(&there), Err(Errno::AGAIN));
        rustix::io::write(&here, b"before").unwrap();
        assert_eq!(look(&there), Ok(Vec::new()), "data without descriptors");
        let (read, write) = rustix::pipe::pipe().unwrap();
        let fds = [read.as_raw_fd(), write.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(here.as_raw_fd(), &[IoSlice::new(b"x")], &rights, MsgFlags::empty(), None).unwrap();
        let inode = fstat(&read).unwrap().st_ino;
        for _ in 0..2 {
            assert_eq!(look(&there), Ok(vec![inode, inode]));
        }
        let mut data = [0; 16];
        assert_eq!(rustix::io::read(&there, &mut data), Ok(7), "nothing was taken");
    }

    #[test]
    fn a_socket_whose_owner_looks_step_by_step_is_left_alone() {
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        rustix::io::write(&here, b"x").unwrap();
        let zero: libc::c_int = 0;
        // SAFETY: the kernel reads one int.
        let set = unsafe {
            libc::setsockopt(there.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEEK_OFF, (&raw const zero).cast(), 4)
        };
        assert_eq!((set, look(&there)), (0, Err(Errno::BUSY)));
    }
}
