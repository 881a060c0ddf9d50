//! The other end of a connected socket, and who has it open.

use super::descriptor::{Others, is_end};
use super::{Facts, World};
use crate::backend::observe::endpoints::End;
use crate::backend::observe::inet::InetSocket;
use crate::model::Pid;
use crate::sys::diag::{LISTENING, UnixSocket};

/// What the kernel tells of a socket of the thread.
#[derive(Clone, Copy, Debug)]
pub(super) enum Socket {
    /// A Unix socket.
    Unix(UnixSocket),
    /// A TCP or UDP socket.
    Inet(InetSocket),
}

/// The socket with this inode; `None` for one of another family, or a Unix
/// socket of another network namespace than this program's.
pub(super) fn socket(facts: &Facts<'_>, world: &mut World, inode: u64) -> Option<Socket> {
    let unix = world.ends().ok().and_then(|ends| ends.unix_socket(inode).copied());
    if let Some(socket) = unix {
        return Some(Socket::Unix(socket));
    }
    let known = world.inet(facts.pid).of_inode(inode).copied();
    let inet = known.or_else(|| world.new_inet(facts.pid).of_inode(inode).copied());
    if let Some(socket) = inet {
        return Some(Socket::Inet(socket));
    }
    // It may be younger than the index.
    let fresh = world.is_precise().then(|| world.new_ends().ok())??;
    fresh.unix_socket(inode).copied().map(Socket::Unix)
}

/// The other end of a TCP connection within the same namespace.
pub(super) fn local_peer(facts: &Facts<'_>, world: &mut World, socket: &InetSocket) -> Option<InetSocket> {
    let known = world.inet(facts.pid).peer_of(socket).copied();
    known.or_else(|| world.new_inet(facts.pid).peer_of(socket).copied())
}

/// Who has the other end of the connected socket with this inode open, or why
/// that cannot be told.
pub(super) fn other_end(facts: &Facts<'_>, world: &mut World, inode: u64) -> Result<Others, String> {
    let peer = match socket(facts, world, inode) {
        Some(Socket::Unix(socket)) if socket.state == LISTENING => return Err("any client may connect".to_owned()),
        Some(Socket::Unix(socket)) => {
            socket.peer.ok_or("the kernel names no peer: anybody may send to it, or the peer is not accepted yet")?
        }
        Some(Socket::Inet(socket)) if socket.listens() => return Err("any client may connect".to_owned()),
        Some(Socket::Inet(socket)) => {
            let peer = local_peer(facts, world, &socket);
            peer.ok_or("its peer is not in this network namespace, or is none")?.inode
        }
        None => return Err("a socket of another family or namespace: its peer cannot be told".to_owned()),
    };
    Ok(holders_of(world, peer))
}

/// Who has the socket with this inode open.
pub(super) fn holders_of(world: &mut World, inode: u64) -> Others {
    let mut others = open(world, inode, false);
    if others.as_ref().is_none_or(Others::is_nobody) {
        others = open(world, inode, true);
    }
    others.unwrap_or_default()
}

fn open(world: &mut World, inode: u64, anew: bool) -> Option<Others> {
    let index = if anew { world.new_ends() } else { world.ends() }.ok()?;
    let unreadable = index.unreadable().len();
    let mut ends: Vec<End> = index.of_socket(inode).to_vec();
    let own = index.peer_of_unix(inode).unwrap_or_default();
    let near: Vec<Pid> = ends.iter().chain(own).map(|end| end.pid).collect();
    let link = format!("socket:[{inode}]");
    ends.retain(|end| is_end(world, end, &link));
    Some(Others { ends, unreadable, receivers: world.receivers_of(inode, &near) })
}
