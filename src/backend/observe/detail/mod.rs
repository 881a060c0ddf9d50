//! One process in depth: one file a subject, every part with its own fault.
//!
//! Read with the procfs crate, from one directory held open: all parts are of
//! the same process, also where it ends meanwhile and its number is used again.

mod descriptors;
mod ends;
mod identity;
mod limits;
mod memory;
mod sockets;
mod source;
#[cfg(test)]
mod tests;
mod threads;

use self::source::Source;
use super::users::Users;
use super::wait::World;
use crate::model::detail::ProcessDetail;
use crate::model::process::ProcessTable;
use crate::model::{Fault, Pid};
use crate::sys::procroot::ProcRoot;

/// Reads everything about one process. `table` is the latest reading of all,
/// which gives what needs two readings (its share of CPU time) and the names
/// of other processes; it may be empty. A part that cannot be read says why; a
/// process that is gone has no [`ProcessDetail::process`].
pub fn read(root: &ProcRoot, pid: Pid, table: &ProcessTable, users: &mut Users, world: &mut World) -> ProcessDetail {
    let source = match Source::open(root, pid) {
        Ok(source) => source,
        Err(fault) => return nothing(pid, &fault),
    };
    let threads = threads::read(&source, pid, table, world);
    let main = threads.as_ref().ok().and_then(|threads| threads.iter().find(|thread| thread.tid == pid));
    ProcessDetail {
        pid,
        process: identity::process(&source, pid, table, users, main),
        exe: source.link("exe", source.process.exe()),
        cwd: source.link("cwd", source.process.cwd()),
        root: source.link("root", source.process.root()),
        descriptors: descriptors::read(&source, pid, table, world),
        memory: memory::totals(&source),
        mappings: memory::mappings(&source),
        limits: limits::read(&source),
        environment: identity::environment(&source),
        cgroup: identity::cgroup(&source),
        namespaces: identity::namespaces(&source, root),
        children: identity::children(&source, pid, table),
        threads,
    }
}

/// The detail of a process of which nothing can be read, for one reason.
fn nothing(pid: Pid, fault: &Fault) -> ProcessDetail {
    ProcessDetail {
        pid,
        process: None,
        exe: Err(fault.clone()),
        cwd: Err(fault.clone()),
        root: Err(fault.clone()),
        threads: Err(fault.clone()),
        descriptors: Err(fault.clone()),
        memory: Err(fault.clone()),
        mappings: Err(fault.clone()),
        limits: Err(fault.clone()),
        environment: Err(fault.clone()),
        cgroup: Err(fault.clone()),
        namespaces: Err(fault.clone()),
        children: Err(fault.clone()),
    }
}
