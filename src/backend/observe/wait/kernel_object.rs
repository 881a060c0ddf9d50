//! Waits that the place in the kernel names at once: a signal, an eventfd, the other
//! opener of a FIFO.
//!
//! ```text
//! read    in eventfd_read, do_wait_intr_irq              an eventfd that is 0
//! pause, rt_sigsuspend, rt_sigtimedwait; read of signalfd    a signal
//! open    in wait_for_partner                            a FIFO's other end
//! ```

use super::caught::{by_signal, children_that_interrupt, living_children};
use super::descriptor::{Target, unreadable};
use super::signal_sets::{names, open_signals};
use super::{Decoder, Facts, World, path};
use crate::model::text::visible;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

/// A wait for a signal.
#[derive(Debug)]
pub(super) struct Signal;

/// A read from an eventfd that is zero.
#[derive(Debug)]
pub(super) struct Eventfd;

/// An open of a FIFO that nobody has open at the other end.
#[derive(Debug)]
pub(super) struct FifoOpen;

impl Decoder for Signal {
    fn key(&self) -> &'static str {
        "signal"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Signal]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a signal (pause(2), sigsuspend(2), sigwait(3), or a read of a signalfd). It is recognised \
         by the call, or by what the descriptor is. Anybody with the permission may send one; only where the end of a \
         child is among what it waits for, as with the wait of a shell, its children are named."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = facts.blocked()?;
        let resource = match call.number {
            libc::SYS_pause | libc::SYS_rt_sigsuspend if facts.may_sleep_in(&["pause", "sigsuspend"]) => {
                open_signals(facts, world)
            }
            libc::SYS_rt_sigtimedwait if facts.may_sleep_in(&["sigtimedwait"]) => signals(facts, world, call.args[0]),
            libc::SYS_read if facts.may_sleep_in(&["signalfd"]) => {
                let fd = call.args[0] as i32;
                let target = Target::of(facts, world, fd).ok()?;
                if target != Target::Anonymous("signalfd".to_owned()) {
                    return None;
                }
                target.words(fd)
            }
            _ => return None,
        };
        let mut wait = nobody(facts, WaitKind::Signal, resource);
        if matches!(call.number, libc::SYS_pause | libc::SYS_rt_sigsuspend) {
            wait.evidence.pop();
            by_signal(facts, world, &mut wait);
        }
        if world.is_precise() {
            let children = match call.number {
                libc::SYS_rt_sigtimedwait if !awaits_ends(facts, world, call.args[0]) => Vec::new(),
                libc::SYS_rt_sigtimedwait => living_children(world, facts.pid),
                libc::SYS_read => Vec::new(),
                _ => children_that_interrupt(facts, world),
            };
            for pid in children {
                wait.holders.push(Holder { pid, tid: None });
                wait.evidence.push(format!("process {pid} is a child, whose end it waits for (SIGCHLD) among others"));
            }
        }
        wait.timed = call.number == libc::SYS_rt_sigtimedwait && call.args[2] != 0;
        Some(wait)
    }
}

impl Decoder for Eventfd {
    fn key(&self) -> &'static str {
        "eventfd"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Eventfd]
    }

    fn explain(&self) -> &'static str {
        "The thread reads from an eventfd whose counter is zero and waits for somebody to add to it (eventfd(2)). It is \
         recognised by what the descriptor is and by the place in the kernel. Whoever shares the eventfd may write: \
         the other processes that have it open are named. So may the kernel, for asynchronous I/O, a control group or \
         a device, and it does not tell: nobody is called stuck for an eventfd."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let args = facts.call_in(&[libc::SYS_read])?;
        let fd = args[0] as i32;
        let target = Target::of(facts, world, fd).ok()?;
        if !facts.may_sleep_in(&["eventfd", "do_wait_intr_irq"]) || target != Target::Anonymous("eventfd".to_owned()) {
            return None;
        }
        let mut wait = nobody(facts, WaitKind::Eventfd, target.words(fd));
        if world.is_precise() {
            name_sharers(facts, world, fd, &mut wait);
        }
        Some(wait)
    }
}

impl Decoder for FifoOpen {
    fn key(&self) -> &'static str {
        "fifo_open"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::FifoOpen]
    }

    fn explain(&self) -> &'static str {
        "The thread opens a FIFO and waits until somebody opens its other end (fifo(7)): a reader for a writer, a \
         writer for a reader. It is recognised by the call and the place in the kernel. Nobody has the other end yet, \
         so nobody is named."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let path::Open { address, flags, .. } = path::Open::of(facts, world)?;
        // An open that waits for a disk or a server is no FIFO's.
        if !facts.has_wchan() || !facts.may_sleep_in(&["wait_for_partner", "fifo_open"]) {
            return None;
        }
        let for_whom = if flags & libc::O_ACCMODE == libc::O_WRONLY { "a reader" } else { "a writer" };
        let name = path::string(facts, world, address).map_or_else(|| "a FIFO".to_owned(), |name| visible(&name));
        Some(nobody(facts, WaitKind::FifoOpen, format!("{for_whom} of FIFO {name}")))
    }
}

/// Names who has an eventfd besides the process itself, if anybody does. That is never all:
/// the kernel adds to one for whoever has once asked it to, with or without a descriptor
/// left (`io_set_eventfd(3)`, `io_uring_register_eventfd(3)`, `cgroup.event_control`, devices).
fn name_sharers(facts: &Facts<'_>, world: &mut World, fd: i32, wait: &mut Wait) {
    let (others, hidden) = world.sharers(facts, fd, b"anon_inode:[eventfd]");
    wait.evidence.pop();
    if !others.is_empty() {
        wait.holders.extend(others.into_iter().map(|pid| Holder { pid, tid: None }));
        wait.add_besides([facts.pid]);
        wait.evidence.push("these processes have it open, and may add to it".to_owned());
    }
    if hidden > 0 {
        wait.evidence.push(unreadable(hidden));
    }
    wait.evidence.push("the kernel may add to it for whoever has asked it to, which it does not tell".to_owned());
}

/// A wait that some process must end, of which nobody can tell which.
fn nobody(facts: &Facts<'_>, kind: WaitKind, resource: String) -> Wait {
    let mut wait = Wait::new(kind, resource);
    wait.partial = true;
    wait.certainty = Certainty::Derived;
    if facts.has_wchan() {
        wait.evidence.push(format!("sleeps in {}", facts.wchan));
    }
    wait.evidence.push("who will end this wait cannot be told".to_owned());
    wait
}

/// Whether the end of a child is in a set of signals in the thread's memory.
fn awaits_ends(facts: &Facts<'_>, world: &World, address: u64) -> bool {
    const CHILD: u64 = 1 << (libc::SIGCHLD - 1);
    world.longs(facts.pid, address).is_ok_and(|[set]| set & CHILD != 0)
}

/// The signals of a set in the thread's memory.
fn signals(facts: &Facts<'_>, world: &World, address: u64) -> String {
    world.longs(facts.pid, address).map_or_else(|_| "a signal".to_owned(), |[set]| names(set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};

    fn read(wchan: &'static str, link: &str) -> Wait {
        let machine = Machine::new("0 0x3 0x0 0x8 0x0 0x0 0x0", wchan);
        machine.link("100/task/101/fd/3", link);
        let wait = machine.decode().unwrap();
        assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
        wait
    }

    #[test]
    fn reads_are_told_by_descriptor_and_place() {
        assert_eq!(read("eventfd_read", "anon_inode:[eventfd]").kind, WaitKind::Eventfd);
        assert_eq!(read("signalfd_read_iter", "anon_inode:[signalfd]").kind, WaitKind::Signal);
        // Look-alikes: one of the two facts is another.
        assert_eq!(read("eventfd_read", "anon_inode:[timerfd]").kind, WaitKind::Other);
        assert_eq!(read("timerfd_read_iter", "anon_inode:[eventfd]").kind, WaitKind::Other);
        assert_eq!(read("signalfd_read_iter", "pipe:[3]").kind, WaitKind::Other);
    }

    #[test]
    fn signals_are_named_from_the_set() {
        let machine = Machine::new(&format!("128 {DATA:#x} 0x0 0x0 0x8 0x0 0x0"), "do_sigtimedwait");
        machine.set_words(DATA, &[1 << 1 | 1 << 14, 0]);
        let wait = machine.decode().unwrap();
        assert_eq!((wait.kind, wait.timed, &*wait.resource), (WaitKind::Signal, false, "SIGINT or SIGTERM"));
        let wait = Machine::new("34 0x0 0x0 0x0 0x0 0x0 0x0", "__do_sys_pause").decode().unwrap();
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::Signal, "any signal"));
        let suspended = |blocked: &str| {
            let machine = Machine::new("130 0x7ffe 0x8 0x0 0x0 0x0 0x0", "sigsuspend");
            machine.write("100/task/101/status", &format!("Tgid:\t100\nNSpid:\t101\nSigBlk:\t{blocked}\n"));
            machine.decode().unwrap().resource
        };
        // As sigfillset(3) of glibc leaves them, without SIGTERM; SIGKILL and SIGSTOP are never held back.
        assert_eq!(&*suspended("fffffffe7ffbbeff"), "SIGTERM");
        assert_eq!(&*suspended("fffffffe7ffbbefd"), "SIGINT or SIGTERM");
        assert_eq!(&*suspended("0000000000004000"), "any of 54 signals");
        assert_eq!(&*suspended("0000000000000000"), "any signal");
        assert_eq!(Machine::new("34 0x0 0x0 0x0 0x0 0x0 0x0", "do_exit").decode().unwrap().kind, WaitKind::Other);
    }

    #[test]
    fn children_are_named_where_their_end_is_waited_for() {
        let suspend = |call: &str, blocked: &str, caught: &str, wchan| {
            let machine = Machine::new(call, wchan);
            let masks = format!("SigBlk:\t{blocked}\nSigCgt:\t{caught}\n");
            machine.write("100/task/101/status", &format!("Tgid:\t100\nNSpid:\t101\n{masks}"));
            machine.write("100/status", &format!("Tgid:\t100\nNSpid:\t100\n{masks}"));
            machine.write("100/task/100/children", "400 401 ");
            machine.process(400, &[400]);
            machine.set_words(DATA, &[1 << 16, 0]);
            machine.set_words(DATA + 0x100, &[1 << 14, 0]);
            let wait = machine.decode_precisely().unwrap();
            // A wait of pause(2) and its kin ends by a handler alone.
            let handled = !call.starts_with("130") || caught != "0000000000000000";
            assert_eq!((wait.kind, wait.partial, wait.within), (WaitKind::Signal, handled, !handled));
            wait.holders
        };
        let (none, child) = ("0000000000000000", "0000000000010000");
        let dash = "130 0x7ffe 0x8 0x0 0x0 0x0 0x0";
        let holder = vec![Holder { pid: 400, tid: None }];
        assert_eq!(suspend(dash, none, child, "sigsuspend"), holder);
        assert_eq!(suspend(dash, child, child, "sigsuspend"), []);
        assert_eq!(suspend(dash, none, none, "sigsuspend"), []);
        let wait = |at: u64| format!("128 {at:#x} 0x0 0x0 0x8 0x0 0x0");
        assert_eq!(suspend(&wait(DATA), child, none, "do_sigtimedwait"), holder);
        assert_eq!(suspend(&wait(DATA + 0x100), child, none, "do_sigtimedwait"), []);
    }

    #[test]
    fn an_open_is_a_fifos_only_where_the_kernel_says_so() {
        let open = |wchan| {
            let machine = Machine::new(&format!("257 0xffffff9c {DATA:#x} 0x1 0x0 0x0 0x0"), wchan);
            machine.set_bytes(PID, DATA, &[0; 256]);
            machine.set_bytes(PID, DATA, b"/tmp/f\x1b");
            machine.decode().unwrap()
        };
        let wait = open("wait_for_partner");
        assert_eq!((wait.kind, &*wait.resource), (WaitKind::FifoOpen, "a reader of FIFO /tmp/f\\x1b"));
        assert_eq!(open("nfs4_proc_open").kind, WaitKind::Other);
        assert_eq!(open("0").kind, WaitKind::Other);
    }
}
