//! The janitor's process.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

use super::sweep::{self, Root};
use super::{Name, Role};
use crate::sys::limits;
use crate::sys::packet::{Packet, PacketSocket};
use crate::sys::patience;
use crate::sys::pidfd::Pidfd;

/// Longer than any path.
const LONGEST: usize = 8 << 10;
const SOCKET: u64 = 0;

pub(super) fn message(role: Role) -> u8 {
    match role {
        Role::User => b'u',
        Role::Worker => b'w',
    }
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
    let mut charge =
        Charge { epoll: epoll::create(CreateFlags::CLOEXEC)?, children: HashMap::new(), names: Vec::new() };
    // A child that announces itself should go on, not make room for us.
    patience::set(true);
    let listened = charge.listen(&socket);
    patience::set(false);
    sweep::end_all(charge.children.into_values().collect());
    // What was made last goes first: a socket, then its directory.
    for name in charge.names.iter().rev() {
        // Somebody else may have removed it, or we may no longer be allowed.
        let _ = name.remove();
    }
    listened
}

/// What the janitor answers for.
struct Charge {
    epoll: OwnedFd,
    children: HashMap<u64, Root>,
    names: Vec<Name>,
}

impl Charge {
    /// Listens until the program is gone.
    fn listen(&mut self, socket: &PacketSocket) -> io::Result<()> {
        epoll::add(&self.epoll, socket, EventData::new_u64(SOCKET), EventFlags::IN)?;
        let mut events: [Event; 64] = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 64];
        let mut buffer = vec![0; LONGEST];
        let mut next = SOCKET + 1;
        loop {
            let count = match epoll::wait(&self.epoll, &mut events[..], None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => other?,
            };
            for event in &events[..count] {
                if event.data.u64() != SOCKET {
                    self.children.remove(&event.data.u64());
                    continue;
                }
                let packet = socket.receive(&mut buffer)?;
                if packet.length == 0 {
                    return Ok(());
                }
                self.hear(&buffer[..packet.length], packet, next)?;
                next += 1;
            }
        }
    }

    fn hear(&mut self, body: &[u8], packet: Packet, token: u64) -> io::Result<()> {
        match (body[0], packet.fd) {
            (kind @ (b'u' | b'w'), Some(fd)) => {
                let role = if kind == b'u' { Role::User } else { Role::Worker };
                let pidfd = Pidfd::from(fd);
                epoll::add(&self.epoll, &pidfd, EventData::new_u64(token), EventFlags::IN)?;
                self.children.insert(token, Root { role, pidfd });
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
        Ok(())
    }
}
