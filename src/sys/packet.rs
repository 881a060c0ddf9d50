//! Small messages over a socket that keeps their boundaries
//! (`SOCK_SEQPACKET`, unix(7)): several processes may send at once, and the
//! reader sees the end when the last of them has closed its copy.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

/// One end.
#[derive(Debug)]
pub struct PacketSocket(OwnedFd);

/// A message that was received.
#[derive(Debug)]
pub struct Packet {
    /// Its length; zero at the end of the stream.
    pub length: usize,
    /// A descriptor that came with it.
    pub fd: Option<OwnedFd>,
    /// A descriptor came that could not be taken: this process has too many.
    pub fd_lost: bool,
}

impl PacketSocket {
    /// Two connected ends, both close-on-exec.
    ///
    /// # Errors
    /// Whatever socketpair(2) says.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((PacketSocket(a), PacketSocket(b)))
    }

    /// Sends one message; blocks while the other end is behind.
    ///
    /// # Errors
    /// `BrokenPipe` or `ConnectionReset` where the other end is gone.
    pub fn send(&self, message: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let raw: Option<[RawFd; 1]> = fd.map(|fd| [fd.as_raw_fd()]);
        let rights = raw.as_ref().map(|raw| [ControlMessage::ScmRights(raw)]);
        let control = rights.as_ref().map_or(&[][..], |rights| &rights[..]);
        loop {
            match sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(message)], control, MsgFlags::MSG_NOSIGNAL, None) {
                Ok(_) => return Ok(()),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Whether a message, or the end of the stream, can be received at once.
    ///
    /// # Errors
    /// Whatever poll(2) says.
    pub fn has_message(&self) -> io::Result<bool> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        Ok(poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&now))? > 0)
    }

    /// Waits for a message.
    ///
    /// # Errors
    /// Whatever recvmsg(2) says, `EINTR` apart.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Packet> {
        let mut control = nix::cmsg_space!([RawFd; 1]);
        let mut slices = [IoSliceMut::new(buffer)];
        let message = loop {
            match recvmsg::<()>(self.0.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
                Err(Errno::EINTR) => {}
                other => break other?,
            }
        };
        let mut packet = Packet { length: message.bytes, fd: None, fd_lost: false };
        packet.fd_lost = message.flags.contains(MsgFlags::MSG_CTRUNC);
        if packet.fd_lost {
            return Ok(packet);
        }
        for part in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = part {
                // SAFETY: the kernel has just installed these descriptors for
                // us; nobody else knows their numbers.
                packet.fd = raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).next();
            }
        }
        Ok(packet)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<OwnedFd> for PacketSocket {
    /// Takes a connected socket of this type.
    fn from(fd: OwnedFd) -> Self {
        PacketSocket(fd)
    }
}

impl From<PacketSocket> for OwnedFd {
    fn from(socket: PacketSocket) -> Self {
        socket.0
    }
}
