//! The names of sockets: what a Unix socket is bound to, or its peer is, and the
//! addresses of an internet socket.
//!
//! ```text
//! /run/x.sock listens    → /run/x.sock    TCP 127.0.0.1:5432 ↔ 127.0.0.1:50000
//! ```

use std::sync::Arc;

use super::identity::inode;
use crate::backend::observe::endpoints::Ends;
use crate::backend::observe::inet::{InetSocket, InetSockets};
use crate::backend::observe::wait::World;
use crate::model::Pid;
use crate::model::detail::{Descriptor, DescriptorKind};
use crate::sys::diag::{LISTENING, UnixNames};

/// A descriptor with its link as the kernel gives it.
pub(super) type Linked = (Descriptor, Vec<u8>);

/// The internet sockets of the process's namespace, where it has any itself; read
/// anew where one of them is younger.
pub(super) fn inet(descriptors: &[Linked], pid: Pid, world: &mut World) -> Option<Arc<InetSockets>> {
    let is_inet = |(descriptor, _): &&Linked| descriptor.kind == DescriptorKind::InetSocket;
    let own: Vec<u64> = descriptors.iter().filter(is_inet).filter_map(|(_, link)| inode(link)).collect();
    if own.is_empty() {
        return None;
    }
    let known = world.inet(pid);
    let all = own.iter().all(|&inode| known.of_inode(inode).is_some());
    Some(if all { known } else { world.new_inet(pid) })
}

/// Names those that have a name.
pub(super) fn name(descriptors: &mut [Linked], ends: &Ends, inet: Option<&InetSockets>) {
    let mut names = None;
    for (descriptor, link) in descriptors {
        let Some(inode) = inode(link) else { continue };
        let address = match descriptor.kind {
            DescriptorKind::InetSocket => inet.and_then(|all| all.of_inode(inode)).map(inet_words),
            DescriptorKind::UnixSocket => {
                let names = names.get_or_insert_with(UnixNames::open);
                names.as_mut().ok().and_then(|names| unix_words(inode, ends, names))
            }
            _ => None,
        };
        descriptor.address = address.map(Arc::from);
    }
}

fn inet_words(socket: &InetSocket) -> String {
    format!("{socket}{}", if socket.listens() { " listens" } else { "" })
}

fn unix_words(inode: u64, ends: &Ends, names: &mut UnixNames) -> Option<String> {
    let mut words = ends.unix_words(inode, names)?;
    if ends.unix_socket(inode)?.state == LISTENING {
        words.push_str(" listens");
    }
    Some(words)
}
