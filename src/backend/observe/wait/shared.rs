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

/// Finds the thread with number `owner` among those whose processes share the
/// lock, of which `pid` is one.
///
/// A thread writes the number that it has in its own pid namespace. One lock may
/// be shared between several, where the same number is another thread in each.
pub(super) fn thread_in(world: &mut World, pid: Pid, owner: Pid, identity: &Identity) -> Found {
    let mut found = Vec::new();
    let near = candidate(world, pid, owner);
    let near_maps_it = near.map(|holder| maps_it(world, holder.pid, identity));
    found.extend(near.filter(|_| near_maps_it == Some(Some(true))));
    let mut hidden = near_maps_it == Some(None);
    for other in world.processes_elsewhere(pid) {
        let Some(tid) = world.thread_by_inner_number(other, owner) else { continue };
        match maps_it(world, other, identity) {
            Some(true) => found.push(Holder { pid: other, tid: Some(tid) }),
            Some(false) => {}
            None => hidden = true,
        }
    }
    match (found[..].first(), found.len()) {
        _ if hidden => Found::Hidden(format!("whether the process of a thread {owner} maps the lock may not be read")),
        (Some(&holder), 1) => Found::Thread(holder),
        (Some(_), several) => Found::Hidden(format!(
            "{owner} is another thread in each of {several} pid namespaces that share the lock: which of them is meant \
             cannot be told"
        )),
        (None, _) if near.is_some() => {
            Found::Hidden(format!("thread {owner} lives, but its process does not map the lock"))
        }
        (None, _) if is_hidden(world, pid, owner) => {
            Found::Hidden(format!("thread {owner} lives, but is hidden (hidepid): run as root"))
        }
        (None, _) => Found::Nobody,
    }
}

/// Whether there is a thread with that number, which was not found: the kernel knows the
/// process group of those too that are not listed.
fn is_hidden(world: &mut World, pid: Pid, owner: Pid) -> bool {
    let own = world.root.has_our_numbers() && world.level(pid) == 0;
    let is_listed = |world: &World| world.status(&owner.to_string(), "Tgid:").is_some();
    own && !is_listed(world)
        && rustix::process::Pid::from_raw(owner).is_some_and(|owner| rustix::process::getpgid(Some(owner)).is_ok())
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

impl World {
    /// The other processes that have the word at an address of a process mapped, too, of
    /// those that may be read. To find them every process is asked.
    pub(in crate::backend::observe) fn others_that_map(&mut self, pid: Pid, address: u64) -> Vec<Pid> {
        let Some(identity) = identity(self, pid, address) else { return Vec::new() };
        let mut others = self.numbers_in(".");
        others.retain(|&other| other != pid && maps_it(self, other, &identity) == Some(true));
        others
    }
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

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{Machine, PID, TID};
    use crate::model::wait::{Holder, Wait};

    const LOCK: u64 = 0x6000_0000_0000;

    /// Thread 101 waits for a mutex in shared memory, of which it says that thread
    /// `owner` holds it.
    fn machine(owner: u32) -> Machine {
        let machine = Machine::new(&format!("202 {LOCK:#x} 0x0 0x2 0x0 0x0 0x0"), "futex_do_wait");
        machine.set_words(LOCK, &[2, 0, owner, 1, 0x80]);
        machine.stack("", &["pthread_mutex_lock", "!main"]);
        machine
    }

    #[test]
    fn a_private_lock_in_memory_that_is_shared_is_not_orphaned_by_its_holder_elsewhere() {
        let machine = |owner: u32| {
            let machine = Machine::new(&format!("202 {LOCK:#x} 0x80 0x2 0x0 0x0 0x0"), "futex_do_wait");
            machine.set_words(LOCK, &[2, 0, owner, 1, 0]);
            machine.stack("", &["pthread_mutex_lock", "!main"]);
            machine.process(300, &[300]);
            machine.write("300/maps", SHARES);
            machine
        };
        let wait = machine(300).decode().unwrap();
        assert_eq!((holders(&wait), wait.orphaned), (&[Holder { pid: 300, tid: Some(300) }][..], false), "{wait:#?}");
        assert_eq!(holders(&machine(PID as u32).decode().unwrap()), [Holder { pid: PID, tid: Some(PID) }]);
        assert!(machine(301).decode().unwrap().orphaned);
    }

    /// Process `pid`, number 1 of a pid namespace of its own, which maps this.
    fn first_of_a_namespace(machine: &Machine, pid: i32, maps: Option<&str>) {
        machine.process(pid, &[pid]);
        let status = format!("Tgid:\t{pid}\nTracerPid:\t0\nNSpid:\t{pid}\t1\nNSpgid:\t{pid}\t1\n");
        for path in [format!("{pid}/status"), format!("{pid}/task/{pid}/status")] {
            machine.write(&path, &status);
        }
        machine.link(&format!("{pid}/ns/pid"), &format!("pid:[{pid}]"));
        if let Some(maps) = maps {
            machine.write(&format!("{pid}/maps"), maps);
        }
    }

    const SHARES: &str = "10000-11000 rw-s 00000000 00:18 7 /dev/shm/x\n";

    fn holders(wait: &Wait) -> &[Holder] {
        &wait.holders
    }

    #[test]
    fn a_holder_in_another_pid_namespace_is_named_by_its_number_there() {
        let machine = machine(1);
        first_of_a_namespace(&machine, 300, Some(SHARES));
        first_of_a_namespace(&machine, 400, Some("10000-11000 rw-s 00000000 00:18 8 /dev/shm/y\n"));
        assert_eq!(holders(&machine.decode().unwrap()), [Holder { pid: 300, tid: Some(300) }]);
    }

    #[test]
    fn the_same_number_in_two_namespaces_names_nobody() {
        // The waiter's own number, and that of another which shares the lock.
        let machine = machine(1);
        first_of_a_namespace(&machine, 300, Some(SHARES));
        let own = |tid, inside| format!("Tgid:\t{PID}\nNSpid:\t{tid}\t{inside}\n");
        machine.write(&format!("{PID}/status"), &own(PID, 2));
        machine.write(&format!("{PID}/task/{PID}/status"), &own(PID, 2));
        machine.write(&format!("{PID}/task/{TID}/status"), &own(TID, 1));
        machine.link(&format!("{PID}/ns/pid"), "pid:[100]");
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
        assert!(wait.evidence.iter().any(|line| line.contains("2 pid namespaces")), "{wait:#?}");
    }

    #[test]
    fn whoever_may_not_be_read_may_hold_it() {
        let machine = machine(TID as u32);
        assert_eq!(holders(&machine.decode().unwrap()), [Holder { pid: PID, tid: Some(TID) }]);
        first_of_a_namespace(&machine, 300, None);
        assert_eq!(machine.decode().unwrap().holders.len(), 1, "it has another number there");
        let machine = self::machine(1);
        first_of_a_namespace(&machine, 300, None);
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
    }
}
