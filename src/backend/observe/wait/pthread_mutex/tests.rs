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
    for caller in ["pthread_barrier_wait", "pthread_cond_wait", "pthread_rwlock_rdlock", "sem_wait", "pthread_once"] {
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
