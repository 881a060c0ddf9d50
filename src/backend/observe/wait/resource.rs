//! What a descriptor of a blocked thread is, in words.
//!
//! ```text
//! pipe 7 (fd 3)    /dev/pts/2 (fd 0)    TCP 127.0.0.1:80 listens (fd 6)    Unix socket → /run/x.sock (fd 4)
//! ```

use super::descriptor::Target;
use super::peer::{Socket, socket};
use super::pty::Line;
use super::{Facts, World};
use crate::sys::diag::{LISTENING, UnixNames};

/// What descriptor `fd` of the thread is, or that it cannot be told: a socket by its inode.
pub(super) fn words(facts: &Facts<'_>, world: &World, fd: i32) -> String {
    match Target::of(facts, world, fd) {
        Ok(Target::Path(path)) if let Some(line) = Line::of(facts, world, fd, &path) => line.words(fd),
        Ok(target) => target.words(fd),
        Err(_) => format!("fd {fd}"),
    }
}

/// As [`words`], but a socket by its addresses: that takes an index of the machine's.
pub(super) fn words_with_addresses(facts: &Facts<'_>, world: &mut World, fd: i32) -> String {
    if let Ok(Target::Socket(inode)) = Target::of(facts, world, fd)
        && let Some(socket) = socket(facts, world, inode)
    {
        let listens = if socket.listens() { " listens" } else { "" };
        return format!("{}{listens} (fd {fd})", of_socket(world, &socket));
    }
    words(facts, world, fd)
}

/// A socket by its addresses; by its inode where neither it nor its peer has any.
pub(super) fn of_socket(world: &mut World, socket: &Socket) -> String {
    match socket {
        Socket::Inet(socket) => socket.to_string(),
        Socket::Unix(socket) => {
            let named = |world: &mut World| world.ends().ok()?.unix_words(socket.inode, &mut UnixNames::open().ok()?);
            format!("Unix socket {}", named(world).unwrap_or_else(|| socket.inode.to_string()))
        }
    }
}

impl Socket {
    /// Whether clients connect to it.
    fn listens(&self) -> bool {
        match self {
            Socket::Unix(socket) => socket.state == LISTENING,
            Socket::Inet(socket) => socket.listens(),
        }
    }
}
