//! A pthread mutex of glibc on x86-64 that stores its owner
//! (`sysdeps/x86/nptl/bits/struct_mutex.h`):
//!
//! ```text
//! +0   lock    0 free, 1 held, 2 held and waited for
//! +4   count   of a recursive mutex
//! +8   owner   thread id of the holder
//! +12  nusers  the holder, and waiters of condition variables that use it
//! +16  kind    0 normal, 1 recursive, 2 error-checking, 3 adaptive
//!              | 0x80 shared between processes, | 0x100 elided, | 0x200 not elided
//! ```
//!
//! Waiters sleep in `futex(lock, FUTEX_WAIT, 2)` inside `__lll_lock_wait`, or
//! with a time-out in `FUTEX_WAIT_BITSET`. The look-alikes: stdio's and
//! malloc's internal locks (`__lll_lock_wait_private`), `GMutex` and others that
//! call `syscall` themselves, a barrier's bytes, `std::atomic::wait` on a 2,
//! musl's locks.

use super::futex::{FutexCall, Operation, route};
use super::owner::{Dead, name};
use super::{Decoder, Facts, World, glibc_nameless};
use crate::backend::observe::target::stack::CallSite;
use crate::model::Pid;
use crate::model::wait::{Wait, WaitKind};

const KIND_MASK: u32 = 0x3;
const PSHARED: u32 = 0x80;
const ELISION: u32 = 0x300;
const RECURSIVE: u32 = 1;
/// Thread ids are below 2²² (`PID_MAX_LIMIT`).
const PID_LIMIT: u32 = 1 << 22;

/// The first fields of `pthread_mutex_t`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fields {
    lock: u32,
    count: u32,
    owner: u32,
    nusers: u32,
    kind: u32,
}

impl Fields {
    fn read(world: &World, pid: Pid, address: u64) -> Option<Self> {
        let [lock, count, owner, nusers, kind] = world.words(pid, address).ok()?;
        Some(Fields { lock, count, owner, nusers, kind })
    }

    /// Whether a mutex that is waited for may look so.
    fn plausible(&self, private: bool) -> bool {
        let kind = self.kind & !ELISION;
        let recursion = if kind & KIND_MASK == RECURSIVE { self.count >= 1 } else { self.count == 0 };
        self.lock == 2
            && kind & !(KIND_MASK | PSHARED) == 0
            && (kind & PSHARED == 0) == private
            && recursion
            && (1..PID_LIMIT).contains(&self.owner)
            && (1..0x1_0000).contains(&self.nusers)
    }

    fn kind_word(&self) -> &'static str {
        ["normal", "recursive", "error-checking", "adaptive"][(self.kind & KIND_MASK) as usize]
    }
}

/// A mutex that stores who holds it.
#[derive(Debug)]
pub(super) struct PthreadMutex;

impl Decoder for PthreadMutex {
    fn key(&self) -> &'static str {
        "pthread_mutex"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadMutex]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a pthread mutex (pthread_mutex_lock(3), C11 mtx_lock, std::mutex of C++). glibc \
         writes the holder's thread id into the mutex, so the holder is read from there. It is recognised by the \
         place in glibc where the thread sleeps, by its caller, and by the fields of the mutex (lock word, kind, \
         owner, users), all read again after the thread was seen still waiting. A holder that is no living thread \
         any more makes the lock orphaned. Only glibc from 2.34 on is decoded; with others the wait is shown as a \
         futex."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        let timed = call.operation == Operation::WaitBitset && call.timed;
        let plain = call.operation == Operation::Wait && !call.timed;
        if call.value != 2 || !call.address.is_multiple_of(8) || !(plain || timed) {
            return None;
        }
        let fields = Fields::read(world, facts.pid, call.address)?;
        if !fields.plausible(call.private) {
            return None;
        }
        let mut site = world.call_site(facts)?;
        if !waits_in_mutex_code(&site, timed) {
            // What calls have left on the stack may stand in between.
            site = world.live_call_site(facts).filter(|site| waits_in_mutex_code(site, timed))?.into();
        }
        // Where the program's own code is in the same file as glibc's, and neither has names.
        let nameless = site.at.name().is_empty() && site.caller().is_some_and(|code| code.name().is_empty());
        if nameless && !glibc_nameless::is_library(&site.at.file) && !glibc_nameless::takes_mutex(facts, world, &call) {
            return None;
        }
        let mut wait = call.wait(WaitKind::PthreadMutex, resource(facts, world, &call));
        wait.evidence.push(format!("owner word = {} at {:#x}", fields.owner, call.address + 8));
        wait.evidence.push(format!(
            "lock word = 2 (held and waited for), nusers = {}, kind = {:#x} ({})",
            fields.nusers,
            fields.kind,
            fields.kind_word()
        ));
        wait.evidence.push(route(&site));
        name(facts, world, &call, fields.owner, (call.private, Dead::Orphaned), &mut wait);
        // Last: whoever was found to hold it, or not to live, did so meanwhile.
        confirm(facts, world, &call, fields)?;
        Some(wait)
    }
}

/// As [`PthreadMutex`], of a wait that may be over: whoever held the mutex has
/// perhaps let go of it. Where the thread was in its code and what the mutex is
/// by its kind stay.
pub(super) fn past(facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
    let call = FutexCall::of(facts)?;
    let timed = call.operation == Operation::WaitBitset && call.timed;
    let plain = call.operation == Operation::Wait && !call.timed;
    if call.value != 2 || !call.address.is_multiple_of(8) || !(plain || timed) {
        return None;
    }
    let fields = Fields::read(world, facts.pid, call.address)?;
    let kind = fields.kind & !ELISION;
    if kind & !(KIND_MASK | PSHARED) != 0 || (kind & PSHARED == 0) != call.private || fields.owner >= PID_LIMIT {
        return None;
    }
    let site = world.call_site(facts)?;
    if !waits_in_mutex_code(&site, timed) || !named_mutex_function(&site) {
        return None;
    }
    let mut wait = call.wait(WaitKind::PthreadMutex, resource(facts, world, &call));
    wait.certainty = crate::model::wait::Certainty::Derived;
    wait.evidence.push(route(&site));
    Some(wait)
}

/// Whether glibc's function is named, and is a mutex's.
fn named_mutex_function(site: &CallSite) -> bool {
    let inner = site.callers.iter().take_while(|code| code.file == site.at.file).take(3);
    inner
        .filter(|code| !code.name().is_empty())
        .take(1)
        .any(|code| is_mutex_function(code.name().trim_start_matches('_')))
}

fn resource(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> String {
    format!("mutex in {}", world.place(facts.pid, call.address))
}

/// Whether the thread is inside of glibc's code for mutexes.
fn waits_in_mutex_code(site: &CallSite, timed: bool) -> bool {
    if !site.at.runtime.known_glibc() {
        return false;
    }
    // These are not exported: nameless in a stripped libc, named in a static or
    // unstripped one.
    let at = site.at.name().trim_start_matches('_');
    let sleeps = match at {
        "" => true,
        "lll_lock_wait" => !timed,
        _ => timed && (at.starts_with("futex_abstimed_wait") || at.starts_with("lll_clocklock")),
    };
    let Some(first) = site.caller() else { return false };
    if !sleeps || first.file != site.at.file {
        return false;
    }
    // The way out of libc: the nearest frame that has a name must be a mutex's,
    // or that of a condition variable which takes its mutex again, through a
    // nameless function of its own.
    let inner = site.callers.iter().take_while(|code| code.file == site.at.file).take(3);
    let named = inner.enumerate().find(|(_, code)| !code.name().is_empty());
    match named {
        None => true,
        Some((depth, code)) => {
            let name = code.name().trim_start_matches('_');
            is_mutex_function(name) || (depth > 0 && (name.starts_with("pthread_cond_") || name.starts_with("cnd_")))
        }
    }
}

fn is_mutex_function(name: &str) -> bool {
    name.starts_with("pthread_mutex_")
        || name.starts_with("mtx_")
        || name.starts_with("lll_clocklock_wait")
        || name.starts_with("lll_lock_elision")
}

/// Sees the thread still in its call, and then the mutex unchanged. A thread
/// that waits for itself might have been seen before and after it held the
/// lock: then it must not have run in between.
fn confirm(facts: &Facts<'_>, world: &mut World, call: &FutexCall, fields: Fields) -> Option<()> {
    let inner_self = world.has_inner_number(facts.pid, facts.tid, fields.owner as Pid);
    let before = if inner_self { world.times_run(facts.pid, facts.tid) } else { None };
    let first = if inner_self { Fields::read(world, facts.pid, call.address)? } else { fields };
    let unchanged = first == fields
        && world.still_there(facts)
        && Fields::read(world, facts.pid, call.address)? == fields
        && (!inner_self || world.times_run(facts.pid, facts.tid) == before);
    unchanged.then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::target::module::Runtime;
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID, TID};
    use crate::model::wait::{Certainty, Holder};

    /// A thread that waits for a normal mutex which thread `owner` holds.
    fn machine(words: [u32; 5]) -> Machine {
        let machine = Machine::futex(0x80, 2, 0);
        machine.set_words(DATA, &words);
        machine.stack("", &["pthread_mutex_lock", "!main"]);
        machine
    }

    fn refuses(machine: &Machine) {
        let wait = machine.decode().unwrap();
        assert_eq!(wait.kind, WaitKind::Futex, "{wait:#?}");
        assert!(wait.holders.is_empty() && !wait.orphaned);
    }

    #[test]
    fn the_holder_is_read_from_the_mutex() {
        let wait = machine([2, 0, PID as u32, 1, 0]).decode().unwrap();
        assert_eq!(wait.kind, WaitKind::PthreadMutex);
        assert_eq!(wait.holders, [Holder { pid: PID, tid: Some(PID) }]);
        assert_eq!(
            (wait.address, wait.certainty, &*wait.resource),
            (Some(DATA), Certainty::Certain, "mutex in [heap] +0x0")
        );
    }

    #[test]
    fn every_kind_that_stores_its_owner_is_taken() {
        for (count, kind) in [(0, 0), (3, 1), (0, 2), (0, 3), (0, 0x200), (0, 0x100)] {
            assert_eq!(machine([2, count, PID as u32, 4, kind]).decode().unwrap().holders.len(), 1, "kind {kind:#x}");
        }
    }

    #[test]
    fn bytes_that_do_not_fit_are_refused() {
        let owner = PID as u32;
        for words in [
            [0, 0, owner, 1, 0],           // free meanwhile
            [1, 0, owner, 1, 0],           // changing hands
            [2, 0, 0, 1, 0],               // a barrier's bytes: no owner
            [2, 0, owner, 0, 0],           // no user
            [2, 0, 1 << 22, 1, 0],         // no thread id
            [2, 0, owner, 0x7fff_0000, 0], // the upper half of a pointer
            [2, 1, owner, 1, 0],           // a normal mutex does not count
            [2, 0, owner, 1, 1],           // a recursive one does
            [2, 0, owner, 1, 0x10],        // robust
            [2, 0, owner, 1, 0x20],        // PI
            [2, 0, owner, 1, 0x80],        // shared, but waited for as private
            [2, 0, owner, 1, 0xdead],
        ] {
            refuses(&machine(words));
        }
    }

    #[test]
    fn code_that_is_not_a_mutex_is_refused_even_with_perfect_bytes() {
        let words = [2, 0, PID as u32, 1, 0];
        for (at, callers) in [
            ("syscall", &["pthread_mutex_lock"][..]),             // GMutex
            ("__lll_lock_wait_private", &["pthread_mutex_lock"]), // stdio, malloc
            ("", &["", "sem_wait"]),
            ("", &["flockfile"]),
            ("", &["!std::atomic::wait"]),
            ("", &[]),
        ] {
            let machine = Machine::futex(0x80, 2, 0);
            machine.set_words(DATA, &words);
            machine.stack(at, callers);
            refuses(&machine);
        }
        let again = Machine::futex(0x80, 2, 0);
        again.set_words(DATA, &words);
        again.stack("", &["", "pthread_cond_wait"]);
        assert_eq!(again.decode().unwrap().kind, WaitKind::PthreadMutex, "a condition variable takes its mutex again");
    }

    #[test]
    fn what_another_primitive_leaves_behind_is_never_a_mutex() {
        for caller in ["pthread_barrier_wait", "pthread_cond_wait", "pthread_rwlock_rdlock", "sem_wait", "pthread_once"]
        {
            let machine = Machine::futex(0x80, 2, 0);
            machine.set_words(DATA, &[2, 0, PID as u32, 1, 0]);
            machine.stack("", &[caller, "!main"]);
            let wait = machine.decode().unwrap();
            assert_ne!(wait.kind, WaitKind::PthreadMutex);
            assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
        }
    }

    #[test]
    fn another_c_library_is_not_decoded() {
        for runtime in [Runtime::Musl, Runtime::Unknown, Runtime::Glibc(31)] {
            let machine = machine([2, 0, PID as u32, 1, 0]);
            machine.runtime(runtime);
            refuses(&machine);
        }
    }

    #[test]
    fn a_thread_that_has_moved_on_is_not_decoded() {
        let machine = machine([2, 0, PID as u32, 1, 0]);
        machine.write("100/task/101/syscall", "running");
        refuses(&machine);
    }

    #[test]
    fn a_holder_that_does_not_live_is_told_as_orphaned_never_named() {
        let wait = machine([2, 0, 4133, 1, 0]).decode().unwrap();
        assert!(wait.orphaned && wait.holders.is_empty());
        // The same number in another process is another thread.
        let machine = machine([2, 0, 300, 1, 0]);
        machine.process(300, &[300]);
        let wait = machine.decode().unwrap();
        assert!(wait.orphaned && wait.holders.is_empty(), "{wait:#?}");
    }

    #[test]
    fn a_main_thread_that_has_ended_holds_nothing_alive() {
        let machine = machine([2, 0, PID as u32, 1, 0]);
        machine.write("100/task/100/stat", "100 (x) Z 1 100 100 0 -1 0");
        assert!(machine.decode().unwrap().orphaned);
    }

    #[test]
    fn numbers_of_a_pid_namespace_are_translated() {
        let machine = machine([2, 0, 7, 1, 0]);
        machine.write("100/status", "Tgid:\t100\nNSpid:\t100\t6\n");
        machine.write("100/task/100/status", "Tgid:\t100\nNSpid:\t100\t6\n");
        machine.write("100/task/101/status", "Tgid:\t100\nNSpid:\t101\t8\n");
        machine.process(PID, &[107]);
        machine.write("100/status", "Tgid:\t100\nNSpid:\t100\t6\n");
        machine.write("100/task/107/status", "Tgid:\t100\nNSpid:\t107\t7\n");
        assert_eq!(machine.decode().unwrap().holders, [Holder { pid: PID, tid: Some(107) }]);
    }

    #[test]
    fn a_thread_that_waits_for_itself_must_not_have_run_meanwhile() {
        let own = machine([2, 0, TID as u32, 1, 0]);
        assert_eq!(own.decode().unwrap().holders, [Holder { pid: PID, tid: Some(TID) }]);
    }

    #[test]
    fn a_torn_timed_wait_needs_its_time_out() {
        let untimed = Machine::futex(0x189, 2, 0);
        untimed.set_words(DATA, &[2, 0, PID as u32, 1, 0]);
        untimed.stack("", &["", "!main"]);
        refuses(&untimed);
    }
}
