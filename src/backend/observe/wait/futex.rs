//! Any futex that no decoder before has named, and what all futex waits share:
//! `futex(address, operation, value, time-out, _, bitset)`, `futex(2)`.
//!
//! ```text
//! operation  0 WAIT   9 WAIT_BITSET   6 LOCK_PI   13 LOCK_PI2   11 WAIT_REQUEUE_PI
//!            | 0x80 private to the process   | 0x100 time-out on the real-time clock
//! ```

use super::{Decoder, Facts, World};
use crate::backend::observe::target::demangle::readable;
use crate::backend::observe::target::maps::Mapping;
use crate::backend::observe::target::stack::CallSite;
use crate::model::Pid;
use crate::model::wait::{Certainty, Wait, WaitKind};

const PRIVATE: u64 = 0x80;
const REALTIME: u64 = 0x100;

/// What a futex call waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// `FUTEX_WAIT`.
    Wait,
    /// `FUTEX_WAIT_BITSET`.
    WaitBitset,
    /// `FUTEX_LOCK_PI` or `FUTEX_LOCK_PI2`.
    LockPi,
    /// `FUTEX_WAIT_REQUEUE_PI`.
    RequeuePi,
}

/// The arguments of a futex wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FutexCall {
    /// The word.
    pub(super) address: u64,
    /// The operation.
    pub(super) operation: Operation,
    /// The operation as it stands.
    pub(super) raw: u64,
    /// Known to one process only.
    pub(super) private: bool,
    /// What the word held when the wait began.
    pub(super) value: u32,
    /// Whether it ends by itself.
    pub(super) timed: bool,
}

impl FutexCall {
    /// The arguments, if the thread is in a futex wait.
    pub(super) fn of(facts: &Facts<'_>) -> Option<Self> {
        let args = facts.call_in(&[libc::SYS_futex])?;
        let raw = args[1] & 0xffff_ffff;
        let operation = match raw & !(PRIVATE | REALTIME) {
            0 => Operation::Wait,
            9 => Operation::WaitBitset,
            6 | 13 => Operation::LockPi,
            11 => Operation::RequeuePi,
            _ => return None,
        };
        let private = raw & PRIVATE != 0;
        // The argument is an int: what stands above it is left over.
        Some(FutexCall { address: args[0], operation, raw, private, value: args[2] as u32, timed: args[3] != 0 })
    }

    /// A wait for this futex, with what the call itself tells.
    pub(super) fn wait(&self, kind: WaitKind, resource: impl Into<std::sync::Arc<str>>) -> Wait {
        let mut wait = Wait::new(kind, resource);
        wait.address = Some(self.address);
        wait.timed = self.timed;
        wait.within = self.private;
        wait
    }

    /// A wait for something at `start` that stores nobody who must act, as far as the
    /// code and the fields tell.
    pub(super) fn ownerless(&self, kind: WaitKind, what: &str, start: u64, of: Pid, world: &mut World) -> Wait {
        let mut wait = self.wait(kind, format!("{what} in {}", world.place(of, start)));
        wait.address = Some(start);
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait
    }
}

/// Says of a futex that is not marked as private, as those of libstdc++ are not, whether it
/// is known to one process only all the same: the kernel takes a word of memory that is
/// copied on write for one of that memory alone. Of a file's page that has never been written
/// to it does not; the data of programs and libraries is where it matters.
pub(super) fn and_private(facts: &Facts<'_>, world: &mut World, wait: &mut Wait) {
    let Some(call) = FutexCall::of(facts).filter(|call| !call.private) else { return };
    let Some(maps) = world.maps(facts.pid) else { return };
    let is_program = |file| maps.all().iter().any(|mapping| mapping.execute && mapping.file == file);
    let is_private = |at: &Mapping| at.write && !at.shared && (at.file.is_none() || is_program(at.file));
    wait.within |= maps.find(call.address).is_some_and(is_private);
}

/// How many readers hold a lock, in words.
pub(super) fn read_by(count: u32) -> String {
    if count == 1 { "1 reader holds it".to_owned() } else { format!("{count} readers hold it") }
}

/// Whether a file is a C library of its own.
pub(super) fn is_library(file: &str) -> bool {
    file.rsplit('/').next().is_some_and(|name| name.starts_with("libc"))
}

/// A futex of unknown make.
#[derive(Debug)]
pub(super) struct Futex;

impl Decoder for Futex {
    fn key(&self) -> &'static str {
        "futex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Futex]
    }

    fn explain(&self) -> &'static str {
        "The thread sleeps until another changes a word of memory and wakes it (futex(2)). Nearly every lock, \
         condition variable and channel waits this way. It stays a plain futex where what is known fits none of \
         the layouts that this program has verified, or more than one: the address, the awaited value, the word's \
         present value and the calling functions are shown, and nobody is named as the holder."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        if facts.call_in(&[libc::SYS_restart_syscall]).is_some() && facts.wchan.contains("futex") {
            return Some(resumed(facts));
        }
        let call = FutexCall::of(facts)?;
        let resource = format!("futex in {}", world.place(facts.pid, call.address));
        let mut wait = call.wait(WaitKind::Futex, resource);
        wait.certainty = Certainty::Unknown;
        wait.evidence.push(format!("futex({:#x}, operation {:#x}, value {})", call.address, call.raw, call.value));
        match world.words::<1>(facts.pid, call.address) {
            Ok([now]) => wait.evidence.push(format!("the word holds {now} ({now:#x})")),
            Err(error) => wait.evidence.push(format!("the word cannot be read: {error}")),
        }
        let site = world.call_site(facts);
        wait.evidence.extend(site.as_deref().map(route));
        let managed = world.managed_runtime(facts.pid);
        wait.evidence.extend(managed.map(|runtime| format!("in {runtime}")));
        let nameless = site.as_deref().and_then(nameless).filter(|_| managed.is_none());
        let unnamed = "no layout of a known lock fits: the holder cannot be named";
        wait.evidence.push(nameless.unwrap_or_else(|| unnamed.to_owned()));
        Some(wait)
    }
}

/// A wait that was interrupted by a stop and goes on: only those with a time-out do so by
/// a call of their own, which has no arguments.
fn resumed(facts: &Facts<'_>) -> Wait {
    let mut wait = Wait::new(WaitKind::Futex, "a futex, continued after a stop");
    wait.timed = true;
    wait.partial = true;
    wait.certainty = Certainty::Derived;
    wait.evidence.push(format!("restart_syscall(2), sleeps in {}", facts.wchan));
    wait.evidence.push("which futex it is is not told any more".to_owned());
    wait
}

/// What is missing where the program's own code has no names.
fn nameless(site: &CallSite) -> Option<String> {
    let own = std::iter::once(&site.at).chain(&site.callers).find(|code| !is_library(&code.file))?;
    let file = own.file.rsplit('/').next().unwrap_or("");
    let whose = match file {
        "" => "the code that waits belongs to no file".to_owned(),
        file if file.starts_with('[') => format!("the code that waits is in {file}"),
        file => format!("{file} has no symbols there (stripped)"),
    };
    own.function.is_none().then(|| format!("{whose}: which lock it is, and who holds it, cannot be told"))
}

/// `in syscall (libc.so.6), called from std::sync::…, main`.
pub(super) fn route(site: &CallSite) -> String {
    let file = site.at.file.rsplit('/').next().unwrap_or("");
    let mut text = match &site.at.function {
        Some(name) => format!("in {} ({file})", readable(name)),
        None if file.is_empty() => format!("in code at {:#x}", site.at.address),
        None => format!("in {file}"),
    };
    // Above code of the program's own that has no name what has one may be of an earlier call.
    let told = site.callers.iter().take_while(|code| code.function.is_some() || is_library(&code.file));
    let names: Vec<String> = told.filter_map(|code| code.function.as_deref().map(readable)).take(3).collect();
    if !names.is_empty() {
        text.push_str(", on the stack: ");
        text.push_str(&names.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine};
    use crate::model::wait::WaitKind;

    #[test]
    fn a_wait_that_goes_on_after_a_stop_ends_by_itself() {
        let resumed = |wchan| Machine::new("219 0x0 0x0 0x0 0x0 0x0 0x0", wchan).decode().unwrap();
        let wait = resumed("futex_do_wait");
        assert_eq!((wait.kind, wait.timed, wait.address), (WaitKind::Futex, true, None));
        assert_eq!(resumed("do_syscall_64").kind, WaitKind::Other);
    }

    #[test]
    fn a_name_above_code_without_one_is_not_told() {
        let route = |callers: &[&str]| {
            let machine = Machine::futex(0x80, 0, 0);
            machine.set_words(DATA, &[0]);
            machine.stack("syscall", callers);
            let evidence = machine.decode().unwrap().evidence;
            evidence.into_iter().find(|line| line.starts_with("in syscall")).unwrap()
        };
        let file = "in syscall (libc.so.6)";
        assert_eq!(route(&["!park", "!run", "!start", "!main"]), format!("{file}, on the stack: park, run, start"));
        assert_eq!(route(&["", "wait", "!main"]), format!("{file}, on the stack: wait, main"));
        assert_eq!(route(&["!", "free", "!main"]), file);
    }

    #[test]
    fn a_word_of_private_memory_is_known_to_one_process_whatever_the_call_says() {
        let within = |operation, mapping: &str| {
            let machine = Machine::futex(operation, 0, 0);
            machine.set_words(DATA, &[0]);
            let code = "700000000000-700000001000 r-xp 00001000 fd:00 12 /srv/x\n";
            machine.write("100/maps", &format!("{DATA:x}-{:x} {mapping}\n{code}", DATA + 4096));
            machine.decode().unwrap().within
        };
        assert!(within(0, "rw-p 00000000 00:00 0 [heap]") && within(0, "rw-p 00003000 fd:00 12 /srv/x"));
        assert!(within(0x80, "rw-s 00000000 00:18 7 /dev/shm/x"));
        assert!(!within(0, "rw-s 00000000 00:18 7 /dev/shm/x"), "another process may have it too");
        assert!(!within(0, "r--p 00000000 fd:00 12 /srv/x"), "the file's own page, which others may write to");
        assert!(!within(0, "rw-p 00000000 00:18 7 /dev/shm/x"), "it may have been so when the wait began");
    }

    #[test]
    fn a_runtime_with_threads_of_its_own_is_named_and_not_followed() {
        let says = |machine: &Machine, text: &str| {
            let wait = machine.decode().unwrap();
            assert!(wait.kind == WaitKind::Futex && wait.holders.is_empty());
            wait.evidence.iter().any(|line| line.contains(text))
        };
        let machine = Machine::futex(0x80, 0, 0);
        machine.set_words(DATA, &[0]);
        assert!(!says(&machine, "Go") && !says(&machine, "Java"));
        machine.tables.lock().unwrap().go = true;
        assert!(says(&machine, "a Go program"));
        machine.write("100/maps", "700000001000-700000002000 r-xp 00001000 fd:00 12 /opt/jvm/lib/server/libjvm.so\n");
        assert!(says(&machine, "a Java virtual machine"));
    }
}
