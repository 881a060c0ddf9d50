//! Waits in programs whose functions have no names: what their code would do next tells.

use syncscope::model::wait::{Holder, WaitKind};

use crate::target::{Target, has_cxx, settled};
use crate::threads::{STD_WAITS, std_wait};

const STATIC: &[&str] = &["-pthread", "-O2", "-static", "-s"];

#[test]
fn waits_of_rusts_standard_library_are_told_apart_without_symbols() {
    let builds: [&[&str]; 4] = [
        &["-Cstrip=symbols", "-Copt-level=0"],
        &["-Cstrip=symbols", "-Copt-level=3"],
        &["-Cstrip=symbols", "-Copt-level=3", "-Clto=fat", "-Cpanic=abort"],
        &["-Cstrip=symbols", "-Copt-level=2", "-Ctarget-feature=+crt-static"],
    ];
    for options in builds {
        // All at once: each takes a while to settle.
        let kinds = STD_WAITS.into_iter().chain([("mutex", WaitKind::RustMutex)]);
        let targets: Vec<_> =
            kinds.map(|(name, kind)| (Target::program("std_locks.rs", options, &[name]), name, kind)).collect();
        for (mut target, name, kind) in targets {
            let wait = std_wait(&mut target, name, kind);
            assert!(wait.evidence[0].starts_with("by its code"), "{wait:#?}");
        }
    }
}

#[test]
fn futexes_of_a_rust_program_that_only_wait_as_std_does_are_refused() {
    for level in ["-Copt-level=0", "-Copt-level=3"] {
        for kind in ["nothing", "gate", "ticket", "token", "state", "begun"] {
            let mut target = Target::program("own_futex.rs", &["-Cstrip=symbols", level], &[kind]);
            let [_, waiter, _] = target.numbers();
            let wait = settled(target.pid(), waiter as i32, "futex");
            assert_eq!(wait.kind, WaitKind::Futex, "{kind}: {wait:#?}");
            // What is missing is said.
            assert!(wait.evidence.last().unwrap().contains("has no symbols"), "{wait:#?}");
        }
    }
}

#[test]
fn mutexes_and_joins_of_a_stripped_static_glibc_name_their_holder() {
    for (kind, timed) in [("normal", "0"), ("recursive", "0"), ("adaptive", "0"), ("normal", "1")] {
        let mut target = Target::program("mutex.c", STATIC, &[kind, timed]);
        let [main, waiter, address] = target.numbers();
        let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
        assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(main as i32) }], "{wait:#?}");
        assert_eq!(wait.address, Some(address), "{wait:#?}");
    }
    let mut target = Target::program("sync.c", STATIC, &["join"]);
    let [main, waiter, _] = target.numbers();
    let wait = target.wait_of(waiter as i32, WaitKind::ThreadJoin);
    assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(main as i32) }], "{wait:#?}");
}

#[test]
fn what_nobody_holds_in_a_stripped_static_glibc_is_told_by_its_code() {
    let kinds = [
        ("sem", WaitKind::Semaphore),
        ("sem_timed", WaitKind::Semaphore),
        ("barrier", WaitKind::PthreadBarrier),
        ("once", WaitKind::PthreadOnce),
        ("cond", WaitKind::PthreadCond),
        ("cond_timed", WaitKind::PthreadCond),
        ("cond_mono", WaitKind::PthreadCond),
    ];
    for (name, kind) in kinds {
        let mut target = Target::program("sync.c", STATIC, &[name]);
        let [_, waiter, address] = target.numbers();
        let wait = target.wait_of(waiter as i32, kind);
        assert!(wait.holders.is_empty() && !wait.orphaned && wait.partial, "{wait:#?}");
        assert_eq!(wait.address, Some(address), "{name}: {wait:#?}");
    }
}

#[test]
fn reader_writer_locks_of_a_stripped_static_glibc_are_told_by_its_code() {
    let kinds = [
        ("written_rdlock", WaitKind::PthreadRwlockRead),
        ("written_rdlock_timed", WaitKind::PthreadRwlockRead),
        ("written_wrlock", WaitKind::PthreadRwlockWrite),
        ("reading_wrlock", WaitKind::PthreadRwlockWrite),
        ("reading_wrlock_timed", WaitKind::PthreadRwlockWrite),
        ("prefer_reading_queued_rdlock", WaitKind::PthreadRwlockRead),
        ("prefer_reading_queued_rdlock_timed", WaitKind::PthreadRwlockRead),
    ];
    for (name, kind) in kinds {
        let mut target = Target::program("sync.c", STATIC, &[name]);
        let [main, waiter, address] = target.numbers();
        let wait = target.wait_of(waiter as i32, kind);
        // A writer is stored, a reader is not.
        let holder = Holder { pid: target.pid(), tid: Some(main as i32) };
        let holders = if name.starts_with("written") { vec![holder] } else { Vec::new() };
        assert_eq!((wait.address, &wait.holders, wait.orphaned), (Some(address), &holders, false), "{name}: {wait:#?}");
        assert_eq!(wait.timed, name.ends_with("timed"), "{name}: {wait:#?}");
    }
}

#[test]
fn perfect_bytes_without_the_code_are_refused_there_too() {
    let kinds =
        ["futex", "bitset", "shared", "inline", "own_word", "cond_bytes", "rw_next", "rw_read", "rw_write", "rw_first"];
    for kind in kinds {
        let mut target = Target::program("lookalike.c", STATIC, &[kind]);
        let [_, waiter, _] = target.numbers();
        let wait = settled(target.pid(), waiter as i32, "futex");
        assert_eq!(wait.kind, WaitKind::Futex, "{kind}: {wait:#?}");
        assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
    }
}

#[test]
fn what_cxx_waits_for_by_itself_is_told_by_its_functions() {
    if !has_cxx() {
        return;
    }
    let kinds = ["latch", "barrier", "future", "future_timed", "atomic", "atomic_char"];
    for options in [&["-O0"][..], &["-O2", "-g"]] {
        for kind in kinds {
            let options = [&["-std=c++20", "-pthread"], options].concat();
            let mut target = Target::program("cxx_waits.cpp", &options, &[kind]);
            let [_, waiter, _] = target.numbers();
            let wait = target.wait_of(waiter as i32, WaitKind::CxxWait);
            let name = kind.split('_').next().unwrap();
            // What is no int waits by a word of the library's: where that is says nothing.
            let has_place = !matches!(kind, "barrier" | "atomic_char");
            let expected = format!("std::{name}{}", if has_place { " in " } else { "" });
            let is_told = if has_place { wait.resource.starts_with(&expected) } else { *wait.resource == *expected };
            assert!(is_told && wait.address.is_some() == has_place, "{options:?}: {wait:#?}");
            assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
            assert_eq!(wait.timed, kind.ends_with("timed"));
        }
    }
    // Without names and without debug information only what the library keeps to itself.
    for (kind, expected) in [("latch", WaitKind::Futex), ("future", WaitKind::CxxWait)] {
        let mut target = Target::program("cxx_waits.cpp", &["-std=c++20", "-pthread", "-O2", "-s"], &[kind]);
        let [_, waiter, _] = target.numbers();
        assert_eq!(settled(target.pid(), waiter as i32, "futex").kind, expected, "{kind}");
    }
}

#[test]
fn a_lock_that_a_function_jumps_to_is_found() {
    for (kind, expected) in [("rwlock", WaitKind::PthreadRwlockWrite), ("refused", WaitKind::PthreadMutexPi)] {
        for options in [&["-pthread", "-O2"][..], &["-pthread", "-O2", "-s"]] {
            let mut target = Target::program("tail_call.c", options, &[kind]);
            let [main, waiter, address] = target.numbers();
            // Which of the two is refused is a matter of order: only that has a known holder.
            let wait = target.wait_until(waiter as i32, |wait| wait.kind == expected && !wait.holders.is_empty());
            assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(main as i32) }], "{wait:#?}");
            assert_eq!(wait.address, Some(address), "{kind}: {wait:#?}");
        }
    }
    let mut target = Target::program("tail_call.c", &["-pthread", "-O2", "-s"], &["semaphore"]);
    let [_, waiter, _] = target.numbers();
    let wait = settled(target.pid(), waiter as i32, "futex");
    assert!(matches!(wait.kind, WaitKind::Semaphore | WaitKind::Futex), "{wait:#?}");
}
