//! Which signals a process catches (`SigCgt` in `proc_pid_status(5)`): a handler
//! may do what the process waits for, as in the self-pipe trick.

use rustix::fs::readlinkat_raw;

use super::signal_sets::{HARMLESS, INTERNAL, bit, has_timer, held_back, line_of, mask_of, names, sends_one_of};
use super::{Facts, World};
use crate::backend::observe::endpoints::{self, End};
use crate::model::Pid;
use crate::model::wait::{Wait, WaitKind};

/// `SIGINT`: a person's wish that it ends. Python catches it always.
const INTERRUPT: u64 = bit(2);
/// `SIGCHLD`.
const CHILD: u64 = bit(17);
/// `SIGALRM`, `SIGVTALRM`, `SIGPROF`.
const ALARMS: u64 = bit(14) | bit(26) | bit(27);

/// Shells, which catch `SIGCHLD` to take note of it.
const SHELLS: &[&str] = &["bash", "dash", "zsh", "ksh", "mksh", "busybox"];

/// `SIGUSR1` and `SIGUSR2`, the second of which the JVM keeps for itself.
const AGREED: u64 = bit(10) | USR2;
const USR2: u64 = bit(12);
/// Those that are for programs alone: `SIGRTMIN` and above.
const REAL_TIME: u64 = u64::MAX << 33;
/// `SIGURG`: data out of band.
const URGENT: u64 = bit(23);
/// `SIGIO`: a descriptor is ready.
const READY: u64 = bit(29);
/// `SIGSTKFLT`, `SIGXCPU`, `SIGPWR`: those that nothing else sends, which some programs agree on.
const SPARE: u64 = bit(16) | bit(24) | bit(30);
/// Those that are sent to have something done.
const CALLING: u64 = ALARMS | AGREED | READY | URGENT | SPARE | REAL_TIME;
const OF_A_TIMER: &str = "the signal of a timer";

/// What a process catches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caught {
    /// No signal that another would send it.
    Nothing,
    /// `SIGINT` alone.
    OnlyInterrupt,
    /// More; or it cannot be told.
    Others,
}

/// Which signals process `pid` catches.
pub(super) fn caught(world: &World, pid: Pid) -> Caught {
    let mut content = Vec::new();
    if world.root.read_into(&format!("{pid}/status"), &mut content).is_err() {
        return Caught::Others;
    }
    of_status(&content)
}

/// Says so where a process that holds nothing of a wait may end it: a child whose end
/// interrupts the call, though a lock is waited for all the same, and a shell reads on what
/// it puts in place of a command; and what [`and_handlers`] says.
pub(super) fn and_outsiders(facts: &Facts<'_>, world: &World, wait: &mut Wait) {
    and_handlers(facts, world, wait);
    let reads_on = || wait.kind == WaitKind::PipeRead && runs(world, facts.pid, SHELLS);
    let waits_on = facts.call_in(&[libc::SYS_futex]).is_some() && wait.kind != WaitKind::Semaphore;
    if !waits_on && !reads_on() {
        let children = children_that_interrupt(facts, world);
        if let Some(child) = children.first() {
            wait.evidence.push(format!("the end of a child, as of {child}, interrupts it (SIGCHLD)"));
        }
        wait.add_besides(children);
    }
}

impl World {
    /// Why a thread that sleeps until its own process wakes it may be woken by somebody
    /// else: by a handler of a signal, by an `io_uring` (`IORING_OP_FUTEX_WAKE`), or by another
    /// process that has the same memory (`CLONE_VM`).
    #[inline(never)]
    pub fn is_woken_from_outside(&self, pid: Pid) -> Option<String> {
        let by_memory = |other| format!("{other}, and may wake it");
        let by_ring = || "an io_uring of the process has work under way, which may wake it".to_owned();
        let ring = || endpoints::is_at_work(&self.root, pid).then(by_ring);
        self.handlers(pid).or_else(ring).or_else(|| self.sharer(pid, |_| true).map(by_memory))
    }

    /// That a handler may wake a thread, if the process has any that counts.
    fn handlers(&self, pid: Pid) -> Option<String> {
        self.has_handlers(pid).then(|| format!("the process {}: a handler may wake it", catches(self, pid)))
    }

    /// Whether the process catches signals that another would send it. Python always catches
    /// `SIGINT`, of which its handler only takes note.
    fn has_handlers(&self, pid: Pid) -> bool {
        match caught(self, pid) {
            Caught::Nothing => false,
            Caught::OnlyInterrupt => !is_python(self, pid),
            Caught::Others => true,
        }
    }

    /// Whether the process has made itself a timer (`timer_create(2)`) whose signal it neither
    /// catches nor ignores nor holds back: that would end it. That of alarm(2) and
    /// setitimer(2) the kernel shows nobody.
    pub fn is_ended_by_timer(&self, pid: Pid) -> bool {
        let (mut timers, mut status) = (Vec::new(), Vec::new());
        let read = |file: &str, into: &mut Vec<u8>| self.root.read_into(&format!("{pid}/{file}"), into).is_ok();
        if !read("timers", &mut timers) || timers.is_empty() || !read("status", &mut status) {
            return false;
        }
        let masks = [&b"SigCgt:"[..], b"SigIgn:", b"SigBlk:"].map(|key| line_of(&status, key).unwrap_or(0));
        sends_one_of(&timers, !masks.into_iter().fold(HARMLESS, |all, mask| all | mask))
    }
}

/// Says of a wait that nothing but a signal ends, as pause(2) does, whether there is a handler
/// that may; without, the thread does nothing more before its own process has done something.
pub(super) fn by_signal(facts: &Facts<'_>, world: &World, wait: &mut Wait) {
    let handlers = world.handlers(facts.pid);
    (wait.within, wait.partial) = (handlers.is_none(), handlers.is_some());
    let nobody = || "the process catches no signal that others send it: it sleeps until it ends".to_owned();
    wait.evidence.push(handlers.unwrap_or_else(nobody));
}

/// `catches SIGTERM or SIGUSR1`: of the signals of a process those that count.
pub(super) fn catches(world: &World, pid: Pid) -> String {
    let mask = mask_of(world, &pid.to_string(), b"SigCgt:").unwrap_or(0);
    format!("catches {}", names(mask & !INTERNAL))
}

/// Says so where a handler may have a wait ended by a process that holds nothing of it: it
/// may wake a thread that then does so (`sem_post(3)`), or do so itself.
fn and_handlers(facts: &Facts<'_>, world: &World, wait: &mut Wait) {
    let alone = |pid: Pid| pid == facts.pid && world.numbers_in(&format!("{pid}/task")).len() < 2;
    let acts = |pid: &&Pid| !alone(**pid) && world.has_handlers(**pid);
    if let Some(pid) = wait.besides.iter().find(acts) {
        wait.evidence.push(format!("process {pid} {}: a handler may have the wait ended", catches(world, *pid)));
        wait.partial = true;
    }
}

/// Whether a handler of the process may use an end of its own, as in the self-pipe
/// trick. Python always catches `SIGINT`; what its handler writes to never blocks
/// (`signal.set_wakeup_fd`).
pub(super) fn may_use(world: &World, end: &End) -> bool {
    match caught(world, end.pid) {
        Caught::Nothing => false,
        Caught::OnlyInterrupt => !(is_python(world, end.pid) && blocks(world, end)),
        Caught::Others => true,
    }
}

fn is_python(world: &World, pid: Pid) -> bool {
    runs(world, pid, &["python"])
}

/// Whether the process runs a program of this name, with a version at most behind it:
/// `python3.11`.
fn runs(world: &World, pid: Pid, names: &[&str]) -> bool {
    let mut link = [0; 4096];
    let path = format!("{pid}/exe");
    let length = readlinkat_raw(world.root.directory(), path.as_str(), &mut link[..]).unwrap_or(0);
    let file = link[..length].rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    names.iter().any(|name| is_called(file, name))
}

fn is_called(file: &[u8], name: &str) -> bool {
    let is_version = |rest: &[u8]| rest.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    file.strip_prefix(name.as_bytes()).is_some_and(is_version)
}

/// Whether whoever uses this end waits if he must, as its open file says (`flags:`, in
/// octal, `proc_pid_fdinfo(5)`).
fn blocks(world: &World, end: &End) -> bool {
    let mut content = Vec::new();
    if world.root.read_into(&format!("{}/task/{}/fdinfo/{}", end.pid, end.tid, end.fd), &mut content).is_err() {
        return false;
    }
    let line = content.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"flags:"));
    let flags = line.and_then(|text| u32::from_str_radix(str::from_utf8(text).ok()?.trim(), 8).ok());
    flags.is_some_and(|flags| flags & libc::O_NONBLOCK.cast_unsigned() == 0)
}

/// Which signals the process catches that are sent to have something done: that of a timer,
/// by which it may have set itself a limit, or one that programs agree on. A handler
/// may end what it waits for. Those by which a person ends a program, or has it read its
/// settings anew, are none.
pub(super) fn calls(world: &World, pid: Pid) -> Option<String> {
    let mut mask = mask_of(world, &pid.to_string(), b"SigCgt:")?;
    if mask & USR2 != 0 && runs(world, pid, &["java"]) {
        mask &= !USR2;
    }
    if has_timer(world, pid, mask) {
        return Some(OF_A_TIMER.to_owned());
    }
    let calling = mask & CALLING;
    let open = if calling == 0 { 0 } else { calling & !held_back(world, pid) };
    (open != 0).then(|| names(open))
}

/// The living children whose end interrupts the thread, or another one of its process whose
/// handler may then end the wait, if there is any that is interrupted so.
pub(super) fn children_that_interrupt(facts: &Facts<'_>, world: &World) -> Vec<Pid> {
    if catches_ends(world, facts.pid) { living_children(world, facts.pid) } else { Vec::new() }
}

/// The children of a process that have not ended.
pub(super) fn living_children(world: &World, pid: Pid) -> Vec<Pid> {
    let mut children = world.children(pid).unwrap_or_default();
    children.retain(|&child| world.has_thread(child, child));
    children
}

/// Whether the end of a child interrupts a thread of the process: it catches `SIGCHLD`, and
/// there is a thread that does not hold it back.
fn catches_ends(world: &World, pid: Pid) -> bool {
    let has = |task: &str, key: &[u8], wanted: bool| {
        mask_of(world, task, key).is_some_and(|mask| (mask & CHILD != 0) == wanted)
    };
    // What is caught is the same for all threads, what is held back is not.
    has(&pid.to_string(), b"SigCgt:", true)
        && world
            .numbers_in(&format!("{pid}/task"))
            .iter()
            .any(|tid| has(&format!("{pid}/task/{tid}"), b"SigBlk:", false))
}

/// The mask of caught signals, if there is a line of it; all, if it makes no sense.
fn mask(status: &[u8]) -> Option<u64> {
    line_of(status, b"SigCgt:")
}

fn of_status(status: &[u8]) -> Caught {
    // Every kernel tells it of a process that has not ended.
    let Some(mask) = mask(status) else { return Caught::Nothing };
    match mask & !INTERNAL {
        0 => Caught::Nothing,
        INTERRUPT => Caught::OnlyInterrupt,
        _ => Caught::Others,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;

    #[test]
    fn a_program_is_what_its_name_says_and_no_longer_one() {
        assert!(is_called(b"python3.11", "python") && is_called(b"bash", "bash"));
        assert!(!is_called(b"dashboard", "dash") && !is_called(b"python-agent", "python"));
    }

    #[test]
    fn faults_and_the_librarys_own_do_not_count() {
        assert_eq!(of_status(b"Name:\tx\nSigCgt:\t0000000180000440\nx"), Caught::Nothing, "Rust with threads");
        assert_eq!(of_status(b"SigCgt:\t0000000000000002\n"), Caught::OnlyInterrupt, "Python");
        assert_eq!(of_status(b"SigCgt:\t0000000000004002\n"), Caught::Others);
        assert_eq!(of_status(b"SigCgt:\t0000000000010000\n"), Caught::Others, "SIGCHLD");
        assert_eq!(of_status(b"SigCgt:\tx\n"), Caught::Others);
        let called = |caught: u64| names(caught & CALLING);
        assert_eq!(called(0x2000), "SIGALRM");
        assert_eq!(called(0x800), "SIGUSR2");
        assert_eq!(called(0x2000_0000), "SIGPWR");
        assert_eq!(called(0x2_0000_0000), "signal 34", "SIGRTMIN of glibc");
        assert_eq!(of_status(b"SigCgt:\t0000000200000000\n"), Caught::Others);
        assert_eq!(0x1_8001_5003 & CALLING, 0, "HUP, INT, PIPE, TERM, CHLD, and the library's own");
        assert_eq!(of_status(b"Name:\tx\n"), Caught::Nothing);
    }

    #[test]
    fn the_end_of_a_child_interrupts_any_thread_that_does_not_hold_it_back() {
        let ends = |caught: &str, first: &str, second: &str| {
            let machine = Machine::new("34 0x0 0x0 0x0 0x0 0x0 0x0", "do_pause");
            machine.write("100/status", &format!("SigBlk:\t{first}\nSigCgt:\t{caught}\n"));
            machine.write("100/task/100/status", &format!("SigBlk:\t{first}\nSigCgt:\t{caught}\n"));
            machine.write("100/task/101/status", &format!("SigBlk:\t{second}\nSigCgt:\t{caught}\n"));
            catches_ends(&machine.world(), 100)
        };
        let (none, child, other) = ("0000000000000000", "0000000000010000", "0000000000000002");
        assert!(ends(child, other, child) && ends(child, child, none));
        assert!(!ends(child, child, child));
        assert!(!ends(other, none, none));
    }

    #[test]
    fn who_may_not_be_asked_may_share_the_memory_if_it_looks_the_same_and_was_not_started() {
        const FORKED: u32 = 0x40;
        let by = |code: u32, theirs: &str, [my_flags, flags]: [u32; 2]| {
            let machine = Machine::new("34 0x0 0x0 0x0 0x0 0x0 0x0", "do_pause");
            machine.process(400, &[400]);
            machine.tables.lock().unwrap().refuses = true;
            machine.write("100/statm", "2731 200 180 2 0 97 0");
            machine.write("100/status", "VmPeak:\t  8192 kB\nVmRSS:\t  800 kB\nRssAnon:\t 96 kB\nThreads:\t2\n");
            for (pid, flags) in [(100, my_flags), (400, flags)] {
                let stat = format!("{pid} (x) S 1 {pid} {pid} 0 -1 {flags}{}", " 0".repeat(43));
                machine.write(&format!("{pid}/stat"), &stat);
            }
            machine.write("400/statm", &format!("2731 200 180 {code} 0 97 0"));
            machine.write("400/status", theirs);
            machine.world().is_woken_from_outside(100)
        };
        let same = "VmPeak:\t  8192 kB\nVmRSS:\t  800 kB\nRssAnon:\t 96 kB\nThreads:\t1\n";
        let said = "process 400 may share this address space (kcmp(2) is not permitted), and may wake it";
        assert_eq!(by(2, same, [0, FORKED]).as_deref(), Some(said));
        assert_eq!(by(2, same, [FORKED, 0]).as_deref(), Some(said));
        assert_eq!(by(2, same, [0, 0]), None, "both have been started");
        assert_eq!(by(2, &same.replace(" 96", "100"), [0, FORKED]), None, "it has more of its own");
        assert_eq!(by(3, same, [0, FORKED]), None, "it is another program");
    }

    #[test]
    fn a_handler_that_every_thread_holds_back_does_not_run() {
        let calls_with = |first: &str, second: &str| {
            let machine = Machine::new("34 0x0 0x0 0x0 0x0 0x0 0x0", "do_pause");
            machine.write("100/status", "SigCgt:\t0000000000000200\n");
            machine.write("100/task/100/status", &format!("SigBlk:\t{first}\n"));
            machine.write("100/task/101/status", &format!("SigBlk:\t{second}\n"));
            calls(&machine.world(), 100)
        };
        let (open, held) = ("0000000000000000", "0000000000000200");
        assert_eq!(calls_with(open, held), Some("SIGUSR1".to_owned()));
        assert_eq!(calls_with(held, held), None);
    }
}
