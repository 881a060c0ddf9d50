//! System calls of 32-bit programs, which number them as i386 does
//! (`arch/x86/entry/syscalls/syscall_32.tbl`): `close` of this machine is their `read`.
//!
//! A thread whose stack and code lie in the lowest 4 GiB, in a process that has
//! nothing above them, is one of those. Calls whose arguments mean the same in both
//! interfaces are given the number of this machine; of the others only the name is
//! known: their structures have other layouts, and so have the locks of their C
//! library.
//!
//! ```text
//! socketcall(call, arguments)    3 connect  5 accept  9 send  10 recv  11 sendto  12 recvfrom
//!                                16 sendmsg  17 recvmsg  18 accept4
//! ```

use super::{Call, Decoder, Facts, World};
use crate::model::process::BlockedCall;
use crate::model::wait::{Certainty, Wait, WaitKind};
use crate::sys::syscalls;

/// Beyond what a 32-bit program can address.
const LIMIT: u64 = 1 << 32;
/// A call that has no counterpart here has its own number, and this added.
const FOREIGN: i64 = 1 << 32;
/// From here on every architecture has the same numbers.
const COMMON: i64 = 424;
const FUTEX: [i64; 2] = [240, 422];
const NANOSLEEP: [i64; 2] = [162, 267];
const SOCKETCALL: i64 = 102;

/// Calls with the same arguments: the number there, and here.
const SAME: &[(i64, i64)] = &[
    (0, libc::SYS_restart_syscall),
    (3, libc::SYS_read),
    (4, libc::SYS_write),
    (5, libc::SYS_open),
    (7, libc::SYS_wait4),
    (29, libc::SYS_pause),
    (72, libc::SYS_rt_sigsuspend),
    (114, libc::SYS_wait4),
    (142, libc::SYS_select),
    (143, libc::SYS_flock),
    (145, libc::SYS_readv),
    (146, libc::SYS_writev),
    (168, libc::SYS_poll),
    (177, libc::SYS_rt_sigtimedwait),
    (179, libc::SYS_rt_sigsuspend),
    (187, libc::SYS_sendfile),
    (190, libc::SYS_vfork),
    (239, libc::SYS_sendfile),
    (256, libc::SYS_epoll_wait),
    (284, libc::SYS_waitid),
    (295, libc::SYS_openat),
    (308, libc::SYS_pselect6),
    (313, libc::SYS_splice),
    (315, libc::SYS_tee),
    (316, libc::SYS_vmsplice),
    (319, libc::SYS_epoll_pwait),
    (337, libc::SYS_recvmmsg),
    (345, libc::SYS_sendmmsg),
    (362, libc::SYS_connect),
    (364, libc::SYS_accept4),
    (369, libc::SYS_sendto),
    (370, libc::SYS_sendmsg),
    (371, libc::SYS_recvfrom),
    (372, libc::SYS_recvmsg),
    (378, libc::SYS_preadv2),
    (379, libc::SYS_pwritev2),
    (407, libc::SYS_clock_nanosleep),
    (413, libc::SYS_pselect6),
    (414, libc::SYS_ppoll),
    (417, libc::SYS_recvmmsg),
    (421, libc::SYS_rt_sigtimedwait),
];

/// The parts of `socketcall` that wait: the number there, and here.
const SOCKET_CALLS: &[(u32, i64)] = &[
    (3, libc::SYS_connect),
    (5, libc::SYS_accept),
    (9, libc::SYS_sendto),
    (10, libc::SYS_recvfrom),
    (11, libc::SYS_sendto),
    (12, libc::SYS_recvfrom),
    (16, libc::SYS_sendmsg),
    (17, libc::SYS_recvmsg),
    (18, libc::SYS_accept4),
];

/// Names of calls that wait, and have no counterpart with the same arguments.
const NAMES: &[(i64, &str)] = &[
    (55, "fcntl"),
    (117, "ipc"),
    (162, "nanosleep"),
    (221, "fcntl64"),
    (240, "futex"),
    (267, "clock_nanosleep"),
    (309, "ppoll"),
    (422, "futex_time64"),
];

/// The call of a thread of a 32-bit program, as this machine would number it; `None`
/// for any other thread.
pub(super) fn native(facts: &Facts<'_>, world: &mut World) -> Option<Call> {
    let &Call::Blocked { ref call, sp, pc } = facts.call else { return None };
    if sp >= LIMIT || pc >= LIMIT {
        return None;
    }
    let maps = world.maps(facts.pid)?;
    if maps.all().iter().any(|mapping| mapping.range.start >= LIMIT && &*mapping.name != "[vsyscall]") {
        return None;
    }
    let mut args = call.args;
    let known = match call.number {
        SOCKETCALL => {
            let which = SOCKET_CALLS.iter().find(|(part, _)| u64::from(*part) == args[0]);
            let words: Option<[u32; 3]> = world.words(facts.pid, args[1]).ok();
            which.zip(words).map(|((_, here), words)| {
                args = [words[0], words[1], words[2], 0, 0, 0].map(u64::from);
                *here
            })
        }
        number => SAME.iter().find(|(there, _)| *there == number).map(|(_, here)| *here),
    };
    let common = (call.number >= COMMON).then_some(call.number);
    let call = match known.or(common) {
        Some(number) => {
            let name = syscalls::name(number).map_or_else(|| format!("syscall {number}").into(), Into::into);
            BlockedCall { number, name, args }
        }
        None => {
            let name = NAMES.iter().find(|(number, _)| *number == call.number);
            let name =
                name.map_or_else(|| format!("32-bit syscall {}", call.number).into(), |(_, name)| (*name).into());
            BlockedCall { number: FOREIGN + call.number, name, args }
        }
    };
    Some(Call::Blocked { call, sp, pc })
}

/// A wait of a 32-bit program that is known by its call alone.
#[derive(Debug)]
pub(super) struct Compat;

impl Decoder for Compat {
    fn key(&self) -> &'static str {
        "compat"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Futex, WaitKind::Sleep]
    }

    fn explain(&self) -> &'static str {
        "The thread belongs to a 32-bit program and sleeps, or waits for a futex. It is recognised by the call, in the \
         numbering of such programs, and the place in the kernel. The layouts of their locks are others and are not \
         decoded: the holder is not named."
    }

    fn decode(&self, facts: &Facts<'_>, _: &mut World) -> Option<Wait> {
        let call = facts.blocked()?;
        let is = |numbers: [i64; 2]| numbers.contains(&(call.number - FOREIGN));
        let mut wait = if is(FUTEX) && facts.may_sleep_in(&["futex", "rt_mutex"]) {
            let mut wait = Wait::new(WaitKind::Futex, format!("futex at {:#x}", call.args[0]));
            wait.address = Some(call.args[0]);
            // FUTEX_LOCK_PI takes no value; the rest wait for the value to change.
            wait.timed = call.args[3] != 0;
            wait.partial = true;
            wait.certainty = Certainty::Unknown;
            wait.evidence.push("locks of 32-bit programs are not decoded: the holder cannot be named".to_owned());
            wait
        } else if is(NANOSLEEP) && facts.may_sleep_in(&["nanosleep"]) {
            let mut wait = Wait::new(WaitKind::Sleep, "sleep");
            wait.timed = true;
            wait.evidence.push(format!("{} ends by itself", call.name));
            wait
        } else {
            return None;
        };
        if facts.has_wchan() {
            wait.evidence.push(format!("sleeps in {}", facts.wchan));
        }
        Some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{Machine, PID, TID};
    use crate::model::wait::Holder;

    const ARGS: u64 = 0xffd0_1000;

    /// Thread 101 of a 32-bit program, which has a pipe open as fd 3.
    fn machine(call: &str, wchan: &'static str, maps: &str) -> Machine {
        let machine = Machine::new("0 0x0 0x0 0x0 0x0 0x0 0x0", wchan);
        machine.write("100/maps", maps);
        machine.link("100/task/101/fd/3", "pipe:[7]");
        machine.process(200, &[200]);
        machine.link("200/fd/1", "pipe:[7]");
        Machine { syscall: format!("{call} 0xffd00000 0x8049000"), ..machine }
    }

    fn decoded(machine: &Machine) -> Wait {
        machine.decode_call(&Call::parse(machine.syscall.as_bytes()).unwrap()).unwrap()
    }

    const LOW: &str =
        "08048000-0804c000 r-xp 00000000 fd:00 11 /srv/old\nffd00000-ffd21000 rw-p 00000000 00:00 0 [stack]\n";

    #[test]
    fn calls_are_numbered_as_their_program_does() {
        let read = machine("3 0x3 0xffd00100 0x1 0x0 0x0 0x0", "anon_pipe_read", LOW);
        let wait = decoded(&read);
        assert_eq!((wait.kind, &wait.holders[..]), (WaitKind::PipeRead, &[Holder { pid: 200, tid: None }][..]));
        let futex = decoded(&machine("240 0x804b000 0x80 0x2 0x0 0x0 0x0", "futex_do_wait", LOW));
        assert_eq!((futex.kind, futex.holders.len(), futex.timed), (WaitKind::Futex, 0, false));
        let sleep = decoded(&machine("162 0xffd00100 0x0 0x0 0x0 0x0 0x0", "hrtimer_nanosleep", LOW));
        assert_eq!((sleep.kind, sleep.timed), (WaitKind::Sleep, true));
        let other = decoded(&machine("221 0x3 0xe 0xffd00100 0x0 0x0 0x0", "fcntl_setlk", LOW));
        assert!(other.kind == WaitKind::Other && other.resource.starts_with("fcntl64("), "{other:#?}");
    }

    #[test]
    fn a_program_with_anything_above_is_none_of_these() {
        let above = format!("{LOW}7f0000000000-7f0000001000 rw-p 00000000 00:00 0 \n");
        let wait = decoded(&machine("3 0x3 0xffd00100 0x1 0x0 0x0 0x0", "anon_pipe_read", &above));
        assert!(wait.kind == WaitKind::Other && wait.resource.starts_with("close("), "{wait:#?}");
        let vsyscall = format!("{LOW}ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n");
        let wait = decoded(&machine("3 0x3 0xffd00100 0x1 0x0 0x0 0x0", "anon_pipe_read", &vsyscall));
        assert_eq!(wait.kind, WaitKind::PipeRead);
    }

    #[test]
    fn a_call_for_sockets_is_looked_up_in_its_arguments() {
        let machine = machine("102 0xa 0xffd01000 0x0 0x0 0x0 0x0", "unix_stream_read_generic", LOW);
        let words = [9_u32, 0xffd0_0100, 1].map(u32::to_ne_bytes).concat();
        machine.set_bytes(PID, ARGS, &words);
        let call = Call::parse(machine.syscall.as_bytes()).unwrap();
        let facts = Facts { pid: PID, tid: TID, state: machine.state, call: &call, wchan: machine.wchan, since: None };
        let Some(Call::Blocked { call, .. }) = native(&facts, &mut machine.world()) else { panic!("a call") };
        assert_eq!((call.number, &*call.name, call.args[0]), (libc::SYS_recvfrom, "recvfrom", 9));
    }
}
