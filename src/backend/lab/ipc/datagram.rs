//! Sending and receiving whole messages through sockets that keep their
//! boundaries: `send` and `recv`, one call a message.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::peer::{Lifeline, Watch};
use super::{Receiver, Sender};

/// Sends messages. On a socket that does not block it tries until there is
/// space.
#[derive(Debug)]
pub(super) struct MessageSender(pub(super) OwnedFd);

impl Sender for MessageSender {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        loop {
            match send(&self.0, message, SendFlags::NOSIGNAL) {
                Ok(sent) if sent == message.len() => return Ok(()),
                Ok(_) => return Err(cut()),
                Err(Errno::AGAIN) => std::hint::spin_loop(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Receives messages from a socket that tells when its peer is gone.
#[derive(Debug)]
pub(super) struct MessageReceiver(pub(super) OwnedFd);

impl Receiver for MessageReceiver {
    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        loop {
            match recv(&self.0, &mut *message, RecvFlags::TRUNC) {
                Ok((_, 0)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok((_, size)) if size == message.len() => return Ok(()),
                Ok(_) => return Err(cut()),
                Err(Errno::AGAIN) => std::hint::spin_loop(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Receives messages from a socket that does not tell when its peer is gone.
#[derive(Debug)]
pub(super) struct DatagramReceiver {
    pub(super) socket: OwnedFd,
    watch: Watch,
}

impl DatagramReceiver {
    pub(super) fn new(socket: OwnedFd, peer: &Lifeline) -> Self {
        DatagramReceiver { socket, watch: Watch::of_receiver(peer) }
    }
}

impl Receiver for DatagramReceiver {
    const DEAF: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        loop {
            match recv(&self.socket, &mut *message, RecvFlags::TRUNC) {
                Ok((_, size)) if size == message.len() => return Ok(()),
                Ok(_) => return Err(cut()),
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A message of another size than the one that was sent.
#[cold]
pub(super) fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a message arrived with another size than it was sent with")
}
