//! The other end of a connected socket, and who has it open.

use super::descriptor::{Others, is_end};
use super::{Facts, World};
use crate::backend::observe::endpoints::End;
use crate::backend::observe::inet::{InetSocket, InetSockets};
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

/// Where the other end of a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// It is the socket with this inode.
    Socket(u64),
    /// Nobody has accepted the connection yet: it waits at the listening socket with this
    /// inode.
    WaitsAt(u64),
}

impl Peer {
    /// Who has it open, or may accept it, and what they have.
    pub(super) fn others(self, world: &mut World) -> (Others, &'static str) {
        match self {
            Peer::Socket(inode) => (holders_of(world, inode), "the peer"),
            Peer::WaitsAt(inode) => (holders_of(world, inode), "the listening socket"),
        }
    }
}

/// Where the other end of a connected socket is, or why that cannot be told.
pub(super) fn peer_of(facts: &Facts<'_>, world: &mut World, socket: &Socket) -> Result<Peer, &'static str> {
    match socket {
        Socket::Unix(socket) if socket.state == LISTENING => Err("any client may connect"),
        Socket::Unix(UnixSocket { peer: Some(peer), .. }) => Ok(Peer::Socket(*peer)),
        Socket::Unix(socket) => {
            let server = world.ends().ok().and_then(|ends| ends.unix_waits_at(socket.inode));
            server.map(Peer::WaitsAt).ok_or("the kernel names no peer: anybody may send to it")
        }
        Socket::Inet(socket) if socket.listens() => Err("any client may connect"),
        Socket::Inet(socket) => {
            let known = local_peer(&world.inet(facts.pid), socket);
            let peer = known.or_else(|| local_peer(&world.new_inet(facts.pid), socket));
            peer.ok_or("its peer is not in this network namespace, or is none")
        }
    }
}

/// The other end of a TCP connection within the same namespace.
fn local_peer(all: &InetSockets, socket: &InetSocket) -> Option<Peer> {
    let accepted = all.peer_of(socket).map(|peer| Peer::Socket(peer.inode));
    accepted.or_else(|| all.waits_at(socket).map(|server| Peer::WaitsAt(server.inode)))
}

/// Who has the other end of the connected socket with this inode open and what they have, or
/// why that cannot be told.
pub(super) fn other_end(
    facts: &Facts<'_>,
    world: &mut World,
    inode: u64,
) -> Result<(Others, &'static str), &'static str> {
    let unknown = "a socket of another family or namespace: its peer cannot be told";
    let socket = socket(facts, world, inode).ok_or(unknown)?;
    Ok(peer_of(facts, world, &socket)?.others(world))
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
    let link = format!("socket:[{inode}]");
    ends.retain(|end| is_end(world, end, &link));
    Some(Others { ends, unreadable, receivers: world.receivers_of(inode), welcomes: false })
}
