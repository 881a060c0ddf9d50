//! Who is at the other end of a pipe, a FIFO or a socket.
//!
//! The index of all open ends may be a few seconds old: each end that it names
//! is looked at once more, and an index that does not know the process's own
//! end is read anew.

use std::sync::Arc;

use rustix::fs::{AtFlags, statat};
use rustix::io::Errno;

use super::identity::inode;
use super::sockets::{self, Linked};
use super::source::Source;
use crate::backend::observe::endpoints::{End, Ends, of_fifo};
use crate::backend::observe::inet::InetSockets;
use crate::backend::observe::wait::World;
use crate::model::Pid;
use crate::model::detail::{Descriptor, DescriptorKind, OtherEnd};
use crate::model::process::ProcessTable;
use crate::model::text::visible_arc;

/// Names the other ends of all `descriptors` of `pid`. Those of processes whose
/// descriptors may not be read stay unknown.
pub(super) fn name(descriptors: &mut [Linked], source: &Source, pid: Pid, table: &ProcessTable, world: &mut World) {
    if !descriptors.iter().any(|(descriptor, _)| indexed(descriptor.kind)) {
        name_fifos(descriptors, source, pid, table, world);
        return;
    }
    let knows_all = |ends: &Ends| {
        let known = |(descriptor, link): &Linked| {
            let own = |end: &End| (end.pid, end.fd) == (pid, descriptor.fd);
            !indexed(descriptor.kind)
                || inode(link).is_some_and(|inode| same(ends, descriptor.kind, inode).iter().any(own))
        };
        descriptors.iter().all(known)
    };
    let inet = sockets::inet(descriptors, pid, world);
    let fresh = world.ends().is_ok_and(knows_all);
    let found = if fresh { world.ends() } else { world.new_ends() };
    if let Ok(ends) = found {
        sockets::name(descriptors, ends, inet.as_deref());
        let found: Vec<Vec<(End, u64)>> =
            descriptors.iter().map(|linked| opposite(ends, inet.as_deref(), pid, linked)).collect();
        for ((descriptor, link), ends) in descriptors.iter_mut().zip(found) {
            let kind: &[u8] = if link.starts_with(b"pipe:") { b"pipe" } else { b"socket" };
            let still = |(end, inode): &(End, u64)| {
                let now = [kind, format!(":[{inode}]").as_bytes()].concat();
                link_of(world, *end).is_ok_and(|link| link == now)
            };
            let ends = ends.iter().filter(|end| still(end)).map(|(end, _)| *end);
            descriptor.other_ends = ends.map(|end| other(descriptor, end, table, world)).collect();
        }
    }
    name_fifos(descriptors, source, pid, table, world);
}

/// Whether the index of pipes and sockets has this kind.
fn indexed(kind: DescriptorKind) -> bool {
    matches!(kind, DescriptorKind::Pipe | DescriptorKind::UnixSocket | DescriptorKind::InetSocket)
}

/// All ends of the same pipe or socket.
fn same(ends: &Ends, kind: DescriptorKind, inode: u64) -> &[End] {
    if kind == DescriptorKind::Pipe { ends.of_pipe(inode) } else { ends.of_socket(inode) }
}

/// The ends opposite to a descriptor, each with the inode it stands for.
fn opposite(ends: &Ends, inet: Option<&InetSockets>, pid: Pid, (descriptor, link): &Linked) -> Vec<(End, u64)> {
    let Some(inode) = inode(link) else { return Vec::new() };
    let of_peer = |peer: u64| ends.of_socket(peer).iter().map(|end| (*end, peer)).collect();
    match descriptor.kind {
        DescriptorKind::Pipe => {
            let ends = ends.of_pipe(inode).iter().filter(|end| is_opposite(descriptor, pid, **end));
            ends.map(|end| (*end, inode)).collect()
        }
        DescriptorKind::UnixSocket => {
            ends.unix_socket(inode).and_then(|socket| socket.peer).map_or_else(Vec::new, of_peer)
        }
        DescriptorKind::InetSocket => {
            let peer = inet.and_then(|all| all.peer_of(all.of_inode(inode)?));
            peer.map_or_else(Vec::new, |peer| of_peer(peer.inode))
        }
        _ => Vec::new(),
    }
}

/// Whether what one end reads the other may write, or the reverse.
fn is_opposite(descriptor: &Descriptor, pid: Pid, end: End) -> bool {
    let (reads, writes) = (descriptor.access.contains('r'), descriptor.access.contains('w'));
    (end.pid, end.fd) != (pid, descriptor.fd) && (reads && end.access.write || writes && end.access.read)
}

/// FIFOs are found by their name: one pass over all descriptors for each.
fn name_fifos(descriptors: &mut [Linked], source: &Source, pid: Pid, table: &ProcessTable, world: &World) {
    let Ok(directory) = source.file("fd") else { return };
    for (descriptor, link) in descriptors.iter_mut().filter(|(d, _)| d.kind == DescriptorKind::Fifo) {
        let Ok(status) = statat(&directory, descriptor.fd.to_string(), AtFlags::empty()) else { continue };
        let Ok((ends, _)) = of_fifo(&world.root, link, status.st_dev, status.st_ino) else { continue };
        let ends = ends.into_iter().filter(|end| is_opposite(descriptor, pid, *end));
        descriptor.other_ends = ends.map(|end| other(descriptor, end, table, world)).collect();
    }
}

fn link_of(world: &World, end: End) -> Result<Vec<u8>, Errno> {
    let path = format!("{}/fd/{}", end.pid, end.fd);
    Ok(rustix::fs::readlinkat(world.root.directory(), path, Vec::new())?.into_bytes())
}

fn other(descriptor: &Descriptor, end: End, table: &ProcessTable, world: &World) -> OtherEnd {
    let role = match descriptor.kind {
        DescriptorKind::UnixSocket | DescriptorKind::InetSocket => "peer",
        _ if end.access.read && end.access.write => "reads and writes",
        _ if end.access.write => "writes",
        _ => "reads",
    };
    let name = match table.process(end.pid) {
        Some(process) => process.name.clone(),
        None => name_of(world, end.pid),
    };
    OtherEnd { pid: end.pid, name, fd: end.fd, role: role.into() }
}

fn name_of(world: &World, pid: Pid) -> Arc<str> {
    let mut name = Vec::new();
    // One that has just ended has no name any more.
    let _ = world.root.read_into(&format!("{pid}/comm"), &mut name);
    visible_arc(name.strip_suffix(b"\n").unwrap_or(&name))
}
