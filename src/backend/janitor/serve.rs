//! The janitor's process.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};

use super::sweep::{self, Root};
use super::{Name, Role};
use crate::sys::brand::Brand;
use crate::sys::limits;
use crate::sys::packet::{Packet, PacketSocket};
use crate::sys::pidfd::Pidfd;

/// Longer than any path.
const LONGEST: usize = 8 << 10;

/// What a child announces itself with.
pub(super) fn message(role: Role, brand: Option<Brand>) -> Vec<u8> {
    let kind = match role {
        Role::User => b'u',
        Role::Worker => b'w',
    };
    std::iter::once(kind).chain(brand.into_iter().flat_map(Brand::to_bytes)).collect()
}

/// The janitor's whole life. Its standard input is its socket.
///
/// # Errors
/// Whatever the socket says; the children are ended then too.
pub fn serve() -> io::Result<()> {
    // One descriptor a child; the program needs more for each, under the same
    // hard limit, so it is the program that runs out first.
    limits::raise_nofile();
    let _ = rustix::thread::set_name(c"syncscope");
    let socket = PacketSocket::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut charge = Charge::default();
    let listened = charge.listen(&socket);
    charge.end();
    listened
}

/// What the janitor answers for.
#[derive(Default)]
struct Charge {
    children: Vec<Root>,
    names: Vec<Name>,
}

impl Charge {
    /// Listens until the program is gone.
    ///
    /// Messages lie in the socket until the program nudges (our standard
    /// error is the eventfd), or is gone: poll(2) without `POLLIN` wakes for
    /// the end of the stream only. Woken by each message, the janitor would
    /// compete for the CPU with the child that sent it, just while the program
    /// waits for that child.
    fn listen(&mut self, socket: &PacketSocket) -> io::Result<()> {
        let nudge = rustix::stdio::stderr();
        let mut buffer = vec![0; LONGEST];
        loop {
            let mut both = [PollFd::new(socket, PollFlags::empty()), PollFd::from_borrowed_fd(nudge, PollFlags::IN)];
            match poll(&mut both, None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            if both[1].revents().contains(PollFlags::IN) {
                rustix::io::read(nudge, &mut [0; 8])?;
            }
            // The end of the stream stands behind what was sent before it.
            let gone = both[0].revents().contains(PollFlags::HUP);
            while gone || socket.has_message()? {
                let packet = socket.receive(&mut buffer)?;
                if packet.length == 0 {
                    return Ok(());
                }
                self.hear(&buffer[..packet.length], packet);
            }
            self.forget_the_ended();
        }
    }

    /// Ends the children and removes the names. The names do not wait for the
    /// children, one of which may have its grace.
    fn end(mut self) {
        sweep::kill_workers(&self.children);
        // What was made last goes first: a socket, then its directory.
        self.names.reverse();
        self.remove_names();
        sweep::end_all(std::mem::take(&mut self.children));
        // A directory may have got a new file from a worker just before.
        self.remove_names();
    }

    /// Keeps those that cannot be removed now, or that we may no longer remove.
    fn remove_names(&mut self) {
        self.names.retain(|name| name.remove().is_err());
    }

    fn hear(&mut self, body: &[u8], packet: Packet) {
        match (body[0], packet.fd) {
            (kind @ (b'u' | b'w'), Some(fd)) => {
                let role = if kind == b'u' { Role::User } else { Role::Worker };
                let brand = Brand::from_bytes(&body[1..]);
                self.children.push(Root { role, pidfd: Pidfd::from(fd), brand });
            }
            (b'e', None) => {
                let ended = Brand::from_bytes(&body[1..]);
                self.children.retain(|child| child.brand.is_none() || child.brand != ended);
            }
            (b'n', None) => self.names.extend(Name::from_bytes(&body[1..])),
            (b'g', None) => {
                let gone = Name::from_bytes(&body[1..]);
                self.names.retain(|name| Some(name) != gone.as_ref());
            }
            // Only processes of ours hold the other end; what they do not say,
            // they do not mean.
            _ => {}
        }
    }

    /// Of those with a brand the program tells.
    fn forget_the_ended(&mut self) {
        let ended = |child: &Root| matches!(child.pidfd.ended(Some(Duration::ZERO)), Ok(true));
        self.children.retain(|child| child.brand.is_some() || !ended(child));
    }
}
