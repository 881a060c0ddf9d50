//! Messages over a Unix stream socket, with descriptors riding along.
//!
//! The protocol between the program and its workers and janitor:
//!
//! ```text
//! bytes 0..4   length n of the body, little-endian
//! bytes 4..4+n the message, in postcard's encoding <https://postcard.jamesmunns.com>
//! ```
//!
//! Descriptors are attached (`SCM_RIGHTS`, unix(7)) to the first byte of the
//! header. A frame is at most [`MAX_BODY`] long, so that a corrupt header
//! cannot make the reader allocate without bound.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::clock;
use crate::model::Nanos;

/// The longest body, in bytes.
pub const MAX_BODY: usize = 16 << 20;
/// The most descriptors one frame may carry.
pub const MAX_FDS: usize = 16;

/// One end of a framed socket.
#[derive(Debug)]
pub struct FrameSocket {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl FrameSocket {
    /// Two connected ends, both close-on-exec.
    ///
    /// # Errors
    /// Whatever socketpair(2) says.
    pub fn pair() -> io::Result<(Self, Self)> {
        let (a, b) = UnixStream::pair()?;
        Ok((FrameSocket::from(a), FrameSocket::from(b)))
    }

    /// Sends `message`, and with it `fds`.
    ///
    /// # Errors
    /// `BrokenPipe` where the other end is gone; `InvalidData` where the
    /// message cannot be serialised or is too long.
    pub fn send<T: Serialize>(&mut self, message: &T, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let mut buffer = mem::take(&mut self.buffer);
        buffer.clear();
        buffer.extend_from_slice(&[0; 4]);
        self.buffer = postcard::to_extend(message, buffer).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))?;
        self.send_buffer(fds)
    }

    /// Sends what stands in the buffer behind the length, whatever it is.
    fn send_buffer(&mut self, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let body = self.buffer.len() - 4;
        if body > MAX_BODY || fds.len() > MAX_FDS {
            return Err(io::Error::new(
                ErrorKind::InvalidData,
                format!("a frame of {body} bytes and {} descriptors is too large", fds.len()),
            ));
        }
        self.buffer[..4].copy_from_slice(&(body as u32).to_le_bytes());
        let raw: Vec<RawFd> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        let control: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &[ControlMessage::ScmRights(&raw)] };
        let sent = loop {
            match sendmsg::<()>(
                self.stream.as_raw_fd(),
                &[IoSlice::new(&self.buffer)],
                control,
                MsgFlags::MSG_NOSIGNAL,
                None,
            ) {
                Err(nix::errno::Errno::EINTR) => {}
                other => break other?,
            }
        };
        // The descriptors went with the first byte; the rest is plain data.
        (&self.stream).write_all(&self.buffer[sent..])
    }

    /// Waits for the next message; descriptors that came with it are appended
    /// to `fds`. `Ok(None)` where none begins within `timeout` (`None` waits
    /// for ever).
    ///
    /// # Errors
    /// `UnexpectedEof` where the other end is gone, `InvalidData` where the
    /// bytes are no frame of this type.
    pub fn receive<T: DeserializeOwned>(
        &mut self,
        timeout: Option<Duration>,
        fds: &mut Vec<OwnedFd>,
    ) -> io::Result<Option<T>> {
        if !self.readable(timeout)? {
            return Ok(None);
        }
        let mut header = [0; 4];
        let got = self.receive_first(&mut header, fds)?;
        self.stream.read_exact(&mut header[got..])?;
        let length = u32::from_le_bytes(header) as usize;
        if length > MAX_BODY {
            return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame claims {length} bytes")));
        }
        self.buffer.resize(length, 0);
        self.stream.read_exact(&mut self.buffer)?;
        postcard::from_bytes(&self.buffer).map(Some).map_err(|e| io::Error::new(ErrorKind::InvalidData, e))
    }

    /// Whether a message or the end of the stream is there within `timeout`.
    ///
    /// # Errors
    /// Whatever poll(2) says, `EINTR` apart.
    pub fn readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let deadline = timeout.map(|t| clock::monotonic() + Nanos::from(t));
        loop {
            let left = deadline.map(|d| Duration::from(d.since(clock::monotonic())));
            let left = left.map(|l| Timespec { tv_sec: l.as_secs() as i64, tv_nsec: i64::from(l.subsec_nanos()) });
            match poll(&mut [PollFd::new(&self.stream, PollFlags::IN)], left.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn receive_first(&self, header: &mut [u8; 4], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
        let mut control = nix::cmsg_space!([RawFd; MAX_FDS]);
        let mut slices = [IoSliceMut::new(header)];
        let message = loop {
            match recvmsg::<()>(self.stream.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC) {
                Err(nix::errno::Errno::EINTR) => {}
                other => break other?,
            }
        };
        for part in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = part {
                // SAFETY: the kernel has just installed these descriptors for
                // us; nobody else knows their numbers.
                fds.extend(raw.into_iter().map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        if message.bytes == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(message.bytes)
    }
}

impl From<UnixStream> for FrameSocket {
    fn from(stream: UnixStream) -> Self {
        FrameSocket { stream, buffer: Vec::new() }
    }
}

impl From<FrameSocket> for OwnedFd {
    fn from(socket: FrameSocket) -> Self {
        socket.stream.into()
    }
}

impl AsFd for FrameSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_descriptors_arrive_in_order() {
        let (mut a, mut b) = FrameSocket::pair().unwrap();
        let (reader, mut writer) = io::pipe().unwrap();
        a.send(&vec![1_u32, 2, 3], &[reader.as_fd()]).unwrap();
        a.send(&"x".repeat(50_000), &[]).unwrap();
        let mut fds = Vec::new();
        assert_eq!(b.receive::<Vec<u32>>(None, &mut fds).unwrap(), Some(vec![1, 2, 3]));
        assert_eq!(fds.len(), 1);
        assert_eq!(b.receive::<String>(None, &mut fds).unwrap().unwrap().len(), 50_000);
        assert_eq!(b.receive::<String>(Some(Duration::ZERO), &mut fds).unwrap(), None);
        writer.write_all(b"!").unwrap();
        let mut byte = [0];
        std::fs::File::from(fds.remove(0)).read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"!");
        drop(a);
        assert_eq!(b.receive::<String>(None, &mut fds).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_corrupt_header_is_refused() {
        let (a, mut b) = FrameSocket::pair().unwrap();
        (&a.stream).write_all(&[0xff; 8]).unwrap();
        assert_eq!(b.receive::<String>(None, &mut Vec::new()).unwrap_err().kind(), ErrorKind::InvalidData);
    }
}
