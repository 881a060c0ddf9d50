//! A parent that stands still until its child has its own memory: `vfork(2)`.
//!
//! ```text
//! vfork()      clone(flags, …)      clone3(struct: flags 8, …)      flags with CLONE_VFORK
//! ```
//!
//! The child borrows the parent's memory; the parent goes on when the child
//! calls execve(2) or ends.

use super::{Call, Decoder, Facts, World};
use crate::model::Pid;
use crate::model::process::BlockedCall;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

const CLONE_VM: u64 = 0x100;
const CLONE_VFORK: u64 = 0x4000;

/// A parent in vfork.
#[derive(Debug)]
pub(super) struct Vfork;

impl Decoder for Vfork {
    fn key(&self) -> &'static str {
        "vfork"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Vfork]
    }

    fn explain(&self) -> &'static str {
        "The thread has made a child that borrows its memory (vfork(2), posix_spawn(3)) and stands still until the \
         child starts another program or ends. It is recognised by the call with its flags and by the place in the \
         kernel. The child is the one made by this very thread that still shares its memory."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = facts.blocked()?;
        let flags = flags(call, facts.pid, world)?;
        if flags & CLONE_VFORK == 0 || !facts.has_wchan() || !facts.may_sleep_in(&["clone", "vfork", "do_fork"]) {
            return None;
        }
        let mut wait = Wait::new(WaitKind::Vfork, "its vfork child to start a program or to end");
        wait.evidence.push(format!("{} with CLONE_VFORK, sleeps in {}", call.name, facts.wchan));
        match child(facts, world, flags) {
            Ok(pid) => {
                wait.holders.push(Holder { pid, tid: None });
                wait.evidence.push(format!("process {pid} is a child of this thread and shares its memory"));
            }
            Err(why) => {
                wait.certainty = Certainty::Unknown;
                wait.partial = true;
                wait.evidence.push(why.to_owned());
            }
        }
        Some(wait)
    }
}

/// With which flags a call of a process makes a child.
fn flags(call: &BlockedCall, pid: Pid, world: &World) -> Option<u64> {
    match call.number {
        libc::SYS_vfork => Some(CLONE_VM | CLONE_VFORK),
        libc::SYS_clone => Some(call.args[0]),
        libc::SYS_clone3 => world.longs::<1>(pid, call.args[0]).ok().map(|[flags]| flags),
        _ => None,
    }
}

/// Whether a thread of process `pid` stands still until process `other`, which it has made,
/// has its own memory.
pub(super) fn stands_still_for(world: &World, pid: Pid, other: Pid) -> bool {
    world.numbers_in(&format!("{pid}/task")).into_iter().any(|tid| {
        let made = world.children_of_thread(pid, tid).is_some_and(|children| children.contains(&other));
        let is_vfork = |call| matches!(call, Call::Blocked { call, .. } if flags(&call, pid, world).is_some_and(|flags| flags & CLONE_VFORK != 0));
        made && world.call_of(pid, tid).is_some_and(is_vfork)
    })
}

fn child(facts: &Facts<'_>, world: &World, flags: u64) -> Result<Pid, &'static str> {
    if flags & CLONE_VM == 0 {
        return Err("the child has its own memory: which of the children it is cannot be told");
    }
    let children = world.children_of_thread(facts.pid, facts.tid);
    let children = children.ok_or("the kernel does not list children (CONFIG_PROC_CHILDREN)")?;
    let mut sharing = Vec::new();
    for pid in children {
        match world.shares_memory(facts.pid, pid) {
            Some(true) if world.has_thread(pid, pid) => sharing.push(pid),
            Some(_) => {}
            None => return Err("whether a child shares its memory cannot be told (kcmp)"),
        }
    }
    match sharing[..] {
        [pid] => Ok(pid),
        [] => Err("none of its children shares its memory: it may have been given to another parent"),
        // Children made with CLONE_VM alone.
        _ => Err("several of its children share its memory"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::process::State;

    fn machine(call: &str) -> Machine {
        let machine = Machine { state: State::Disk, ..Machine::new(call, "kernel_clone") };
        machine.write("100/task/101/children", "200 201 ");
        machine.write("100/task/100/children", "202 ");
        for pid in [200, 201, 202] {
            machine.process(pid, &[pid]);
        }
        machine.tables.lock().unwrap().shared_memory = vec![(PID, 201), (PID, 202)];
        machine.set_bytes(PID, DATA, &0x4100_u64.to_ne_bytes());
        machine
    }

    #[test]
    fn the_child_of_this_thread_that_shares_memory_is_named() {
        let clone3 = format!("435 {DATA:#x} 0x58 0x0 0x0 0x0 0x0");
        for call in ["58 0x0 0x0 0x0 0x0 0x0 0x0", "56 0x4111 0x0 0x0 0x0 0x0 0x0", &clone3] {
            let wait = machine(call).decode().unwrap();
            assert_eq!((wait.kind, wait.certainty, wait.partial), (WaitKind::Vfork, Certainty::Certain, false));
            assert_eq!(wait.holders, [Holder { pid: 201, tid: None }]);
        }
    }

    #[test]
    fn what_is_no_vfork_or_has_no_such_child_names_nobody() {
        let plain = machine("56 0x111 0x0 0x0 0x0 0x0 0x0").decode().unwrap();
        assert_eq!(plain.kind, WaitKind::Disk, "a clone that waits for a disk");
        let elsewhere = Machine { wchan: "folio_wait_bit", ..machine("58 0x0 0x0 0x0 0x0 0x0 0x0") };
        assert_eq!(elsewhere.decode().unwrap().kind, WaitKind::Disk);
        for shared in [vec![], vec![(PID, 202)], vec![(PID, 200), (PID, 201)]] {
            let machine = machine("58 0x0 0x0 0x0 0x0 0x0 0x0");
            machine.tables.lock().unwrap().shared_memory = shared;
            let wait = machine.decode().unwrap();
            assert_eq!((wait.kind, wait.holders.len(), wait.certainty), (WaitKind::Vfork, 0, Certainty::Unknown));
            assert!(wait.partial);
        }
    }
}
