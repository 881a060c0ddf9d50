//! Locks in memory that several processes share.
//!
//! Such a lock has another address in each process; what is the same everywhere
//! is the object behind the mapping: device, inode and the offset in it.

use std::fmt;

use super::World;
use crate::backend::observe::target::maps::{FileId, Mapping};
use crate::model::Pid;
use crate::model::wait::Holder;

/// The same word in every process that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    /// The object.
    pub(super) file: FileId,
    /// The offset in it.
    pub(super) offset: u64,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FileId { major, minor, inode } = self.file;
        write!(f, "device {major:02x}:{minor:02x}, inode {inode}, offset {:#x}", self.offset)
    }
}

/// What there is at an address that processes share; `None` for private memory.
pub(super) fn identity(world: &mut World, pid: Pid, address: u64) -> Option<Identity> {
    let maps = world.maps(pid)?;
    let mapping = maps.find(address).filter(|mapping| mapping.shared)?;
    Some(Identity { file: mapping.file?, offset: address - mapping.range.start + mapping.offset })
}

/// Who a thread id in a shared lock is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This thread; its process maps the lock.
    Thread(Holder),
    /// No living thread, for certain.
    Nobody,
    /// It cannot be told, and why.
    Hidden(String),
}

/// Finds the thread with number `owner`, as the processes that share the lock
/// number it, of which `pid` is one.
pub(super) fn thread_in(world: &mut World, pid: Pid, owner: Pid, identity: &Identity) -> Found {
    if let Some(holder) = candidate(world, pid, owner) {
        return match maps_it(world, holder.pid, identity) {
            Some(true) => Found::Thread(holder),
            Some(false) => Found::Hidden(format!("thread {owner} lives, but its process does not map the lock")),
            None => Found::Hidden(format!("whether the process of thread {owner} maps the lock may not be read")),
        };
    }
    // In another pid namespace the owner would have another number here.
    let elsewhere = world
        .numbers_in(".")
        .into_iter()
        .any(|other| world.is_in_other_namespace(pid, other) && maps_it(world, other, identity) != Some(false));
    if elsewhere {
        return Found::Hidden(format!("{owner} may be a thread of another pid namespace that maps the lock"));
    }
    Found::Nobody
}

/// The thread with that number in the namespace of `pid`: a thread of the same
/// process, or of any other in the same namespace.
fn candidate(world: &mut World, pid: Pid, owner: Pid) -> Option<Holder> {
    if let Some(tid) = world.thread_by_inner_number(pid, owner) {
        return Some(Holder { pid, tid: Some(tid) });
    }
    if world.is_in_other_namespace_than_ours(pid) {
        let others = world.numbers_in(".");
        return others.into_iter().find_map(|other| {
            let same = !world.is_in_other_namespace(pid, other);
            let tid = same.then(|| world.thread_by_inner_number(other, owner)).flatten()?;
            Some(Holder { pid: other, tid: Some(tid) })
        });
    }
    let process = *world.status(&owner.to_string(), "Tgid:")?.first()?;
    world.has_thread(process, owner).then_some(Holder { pid: process, tid: Some(owner) })
}

fn maps_it(world: &mut World, pid: Pid, identity: &Identity) -> Option<bool> {
    let maps = world.maps(pid)?;
    let covers = |mapping: &Mapping| {
        let length = mapping.range.end - mapping.range.start;
        mapping.shared
            && mapping.file == Some(identity.file)
            && (mapping.offset..mapping.offset + length).contains(&identity.offset)
    };
    Some(maps.all().iter().any(covers))
}
