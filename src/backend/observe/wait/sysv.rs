//! System V semaphores and message queues: `semop(2)`, `msgrcv(2)`, `msgsnd(2)`.
//!
//! ```text
//! semop(id, operations, count)     struct sembuf: number 2, change 2, flags 2
//! msgrcv(id, …)   msgsnd(id, …)
//! /proc/sysvipc/sem    key semid perms nsems …
//! /proc/sysvipc/msg    key msqid perms cbytes qnum lspid lrpid …
//! ```
//!
//! Whoever knows the id may raise a semaphore or use a queue; the kernel keeps
//! who did so last, which is a hint and no holder.

use rustix::fs::readlinkat_raw;

use super::{Decoder, Facts, World};
use crate::model::wait::{Certainty, Wait, WaitKind};

/// More operations than this are not read.
const READ: u64 = 64;

/// A thread that waits for a System V semaphore.
#[derive(Debug)]
pub(super) struct Semaphore;

/// A thread that waits for a System V message, or for room for one.
#[derive(Debug)]
pub(super) struct Message;

impl Decoder for Semaphore {
    fn key(&self) -> &'static str {
        "sysv_sem"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::SysvSem]
    }

    fn explain(&self) -> &'static str {
        "The thread waits until a System V semaphore can be lowered, or is zero (semop(2)). It is recognised by the \
         call, by the place in the kernel and by the operations in the thread's memory. The kernel stores no holder, \
         only who used the semaphore last: that is shown as evidence, and nobody is named."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_semop, libc::SYS_semtimedop])?;
        if !facts.has_wchan() || !facts.may_sleep_in(&["semop", "semtimedop"]) {
            return None;
        }
        let id = args[0] as i32;
        let operations = operations(facts, world, args[1], args[2]);
        let what = operations.as_ref().and_then(|all| all.iter().find(|one| one.1 <= 0).copied());
        let mut wait = Wait::new(
            WaitKind::SysvSem,
            match what {
                Some((number, 0)) => format!("semaphore {number} of set {id} to be zero"),
                Some((number, change)) => {
                    format!("semaphore {number} of set {id} to be at least {}", -i32::from(change))
                }
                None => format!("a semaphore of set {id}"),
            },
        );
        wait.timed = facts.call_in(&[libc::SYS_semtimedop]).is_some_and(|args| args[3] != 0);
        unnamed(facts, &mut wait);
        if let Some(all) = &operations {
            let words: Vec<String> = all.iter().map(|(number, change)| format!("{number}: {change:+}")).collect();
            wait.evidence.push(format!("asks for {}", words.join(", ")));
        }
        if let Some(fields) = row(facts, world, "sem", id) {
            wait.evidence.push(format!("the set has key {} and {} semaphores", key(&fields[0]), fields[3]));
            if let Some((number, _)) = what {
                wait.evidence.extend(last_use(world, id, number));
            }
        }
        Some(wait)
    }
}

impl Decoder for Message {
    fn key(&self) -> &'static str {
        "sysv_msg"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::SysvMsg]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a message in a System V queue, or for room in it (msgrcv(2), msgsnd(2)). It is \
         recognised by the call and the place in the kernel. Whoever knows the queue may send or receive, so nobody \
         is named; who did so last is shown as evidence."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = facts.blocked()?;
        let (place, what) = match call.number {
            libc::SYS_msgrcv => ("msgrcv", "a message in"),
            libc::SYS_msgsnd => ("msgsnd", "room in"),
            _ => return None,
        };
        if !facts.has_wchan() || !facts.may_sleep_in(&[place]) {
            return None;
        }
        let id = call.args[0] as i32;
        let mut wait = Wait::new(WaitKind::SysvMsg, format!("{what} System V queue {id}"));
        unnamed(facts, &mut wait);
        if let Some(fields) = row(facts, world, "msg", id) {
            wait.evidence.push(format!("the queue has key {} and holds {} messages", key(&fields[0]), fields[4]));
            wait.evidence.push(format!("last sent by process {}, last received by process {}", fields[5], fields[6]));
        }
        Some(wait)
    }
}

fn unnamed(facts: &Facts<'_>, wait: &mut Wait) {
    wait.partial = true;
    wait.certainty = Certainty::Derived;
    wait.evidence.push(format!("sleeps in {}", facts.wchan));
    wait.evidence.push("anybody who knows it may act: nobody is named".to_owned());
}

/// Number and change of each operation.
fn operations(facts: &Facts<'_>, world: &World, address: u64, count: u64) -> Option<Vec<(u16, i16)>> {
    let count = (1..=READ).contains(&count).then_some(count)?;
    let mut bytes = vec![0; count as usize * 6];
    world.memory(facts.pid, address, &mut bytes).ok()?;
    let one = |chunk: &[u8]| (u16::from_ne_bytes([chunk[0], chunk[1]]), i16::from_ne_bytes([chunk[2], chunk[3]]));
    Some(bytes.chunks_exact(6).map(one).collect())
}

/// The row of `/proc/sysvipc/TABLE` for this id; `None` where the thread's
/// process lives in another IPC namespace, or that cannot be told.
fn row(facts: &Facts<'_>, world: &World, table: &str, id: i32) -> Option<Vec<String>> {
    let namespace = |of: &str| {
        let mut link = [0; 64];
        let path = format!("{of}/ns/ipc");
        let length = readlinkat_raw(world.root.directory(), path.as_str(), &mut link[..]).ok()?;
        Some(link[..length].to_vec())
    };
    let (theirs, ours) = (namespace(&facts.pid.to_string())?, namespace("self")?);
    if theirs != ours {
        return None;
    }
    let mut content = Vec::new();
    world.root.read_into(&format!("sysvipc/{table}"), &mut content).ok()?;
    let text = str::from_utf8(&content).ok()?;
    let fields = |line: &str| line.split_ascii_whitespace().map(str::to_owned).collect::<Vec<_>>();
    text.lines().skip(1).map(fields).find(|fields| fields.len() > 9 && fields[1] == id.to_string())
}

/// A key as ipcs(1) shows it; the table has it as a signed number.
fn key(field: &str) -> String {
    format!("{:#010x}", field.parse::<i32>().unwrap_or_default())
}

/// Who used a semaphore of this program's own namespace last.
fn last_use(world: &World, id: i32, number: u16) -> Option<String> {
    if !world.root.is_real() {
        return None;
    }
    let (pid, value) = crate::sys::semaphore::last_use(id, number).ok()?;
    Some(match pid {
        0 => format!("its value is {value}"),
        pid => format!("its value is {value}; process {pid} used it last, which need not be who must raise it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};

    fn semop(wchan: &'static str, call: &str) -> Wait {
        let machine = Machine::new(&format!("{call} 0x7 {DATA:#x} 0x2 0x0 0x0 0x0"), wchan);
        // Raise 3, lower 1 by two.
        machine.set_bytes(PID, DATA, &[3, 0, 1, 0, 0, 0, 1, 0, 0xfe, 0xff, 0, 0]);
        machine.link("100/ns/ipc", "ipc:[1]");
        machine.link("self/ns/ipc", "ipc:[1]");
        machine.write("sysvipc/sem", "key semid\n 32452 7 600 4 0 0 0 0 0 0\n 5 8 600 1 0 0 0 0 0 0\n");
        machine.write("sysvipc/msg", "key msqid\n -9 7 600 4 2 33 44 0 0 0 0 0 0 0\n");
        machine.decode().unwrap()
    }

    #[test]
    fn the_operation_that_waits_is_told() {
        let wait = semop("do_semtimedop", "65");
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::SysvSem, "semaphore 1 of set 7 to be at least 2"));
        assert!(wait.holders.is_empty() && wait.partial && !wait.timed);
        assert!(wait.evidence.contains(&"the set has key 0x00007ec4 and 4 semaphores".to_owned()), "{wait:#?}");
        assert!(!semop("do_semtimedop", "220").timed);
    }

    #[test]
    fn a_queue_tells_who_used_it_last_and_names_nobody() {
        let wait = semop("do_msgrcv", "70");
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::SysvMsg, "a message in System V queue 7"));
        assert!(wait.evidence.contains(&"the queue has key 0xfffffff7 and holds 2 messages".to_owned()), "{wait:#?}");
        assert!(wait.evidence.contains(&"last sent by process 33, last received by process 44".to_owned()));
        assert!(wait.holders.is_empty() && wait.partial);
        assert_eq!(&*semop("do_msgsnd", "69").resource, "room in System V queue 7");
    }

    #[test]
    fn another_place_in_the_kernel_is_none_of_these() {
        for call in ["65", "220", "69", "70"] {
            assert_eq!(semop("down_read", call).kind, WaitKind::Other, "{call}");
            assert_eq!(semop("0", call).kind, WaitKind::Other, "{call}");
        }
        assert_eq!(semop("do_msgrcv", "69").kind, WaitKind::Other, "sends, but sleeps where receivers do");
    }
}
