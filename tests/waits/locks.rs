//! Locks that threads wait for.

use std::time::{Duration, Instant};

use syncscope::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};

use crate::target::{Target, read};

fn held_by(wait: &Wait, pid: i32, tid: u64) {
    assert_eq!(wait.holders, [Holder { pid, tid: Some(tid as i32) }], "{wait:#?}");
    assert!(!wait.orphaned, "{wait:#?}");
}

fn pthread(kind: &str, timed: &str, options: &[&str]) -> (Target, [u64; 3]) {
    let mut target = Target::program("mutex.c", &[&["-pthread"], options].concat(), &[kind, timed]);
    let numbers = target.numbers();
    (target, numbers)
}

#[test]
fn a_pthread_mutex_of_each_kind_names_its_holder() {
    for kind in ["normal", "recursive", "errorcheck", "adaptive"] {
        for options in [&["-O0"][..], &["-O3"], &["-O2", "-s"]] {
            let (target, [main, waiter, address]) = pthread(kind, "0", options);
            let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
            held_by(&wait, target.pid(), main);
            assert_eq!((wait.address, wait.timed, wait.certainty), (Some(address), false, Certainty::Certain));
            assert!(wait.evidence.iter().any(|line| line.contains(&format!("owner word = {main} at"))), "{wait:#?}");
        }
    }
}

#[test]
fn the_lock_is_named_by_symbol_and_section() {
    let (target, [_, waiter, _]) = pthread("normal", "0", &["-O2"]);
    let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
    assert!(wait.resource.starts_with("mutex in accounts (.bss of /"), "{}", wait.resource);
    let (target, [_, waiter, _]) = pthread("normal", "0", &["-O2", "-s"]);
    let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
    assert!(wait.resource.starts_with("mutex in .bss of /"), "{}", wait.resource);
}

#[test]
fn a_timed_wait_for_a_mutex_is_timed() {
    for timed in ["1", "2"] {
        let (target, [main, waiter, _]) = pthread("normal", timed, &["-O2"]);
        let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
        held_by(&wait, target.pid(), main);
        assert!(wait.timed);
    }
}

#[test]
fn a_thread_that_locks_twice_waits_for_itself() {
    let (target, [main, ..]) = pthread("self", "0", &["-O2"]);
    let wait = target.wait_of(main as i32, WaitKind::PthreadMutex);
    held_by(&wait, target.pid(), main);
    assert!(wait.evidence.iter().any(|line| line.contains("holds it itself")), "{wait:#?}");
}

#[test]
fn a_mutex_that_the_kernel_refused_names_its_holder() {
    for (kind, timed, expected) in [
        ("pi_self", "0", WaitKind::PthreadMutexPi),
        ("pi_self", "1", WaitKind::PthreadMutexPi),
        ("robust_pi_self", "0", WaitKind::PthreadMutexRobustPi),
    ] {
        for options in [&["-O0"][..], &["-O2", "-s"]] {
            let (target, [main, _, address]) = pthread(kind, timed, options);
            let wait = target.wait_of(main as i32, expected);
            held_by(&wait, target.pid(), main);
            assert_eq!((wait.address, wait.timed), (Some(address), timed == "1"), "{wait:#?}");
        }
    }
}

#[test]
fn a_refused_mutex_without_a_living_holder_is_orphaned() {
    let mut target = Target::program("orphan.c", &["-pthread"], &["inherit"]);
    let [pid, _, _] = target.numbers();
    let wait = target.wait_of(pid as i32, WaitKind::PthreadMutexPi);
    assert!(wait.orphaned && wait.holders.is_empty(), "{wait:#?}");
}

#[test]
fn a_statically_linked_program_is_decoded_where_it_has_symbols() {
    let (target, [main, waiter, _]) = pthread("normal", "0", &["-O2", "-static"]);
    let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
    held_by(&wait, target.pid(), main);
}

#[test]
fn the_lock_of_a_stream_names_its_holder() {
    for options in [&["-O0", "-pthread"][..], &["-O2", "-pthread"], &["-O2", "-pthread", "-static"]] {
        let mut target = Target::program("stream.c", options, &[]);
        let [holder, waiter] = target.numbers();
        let wait = target.wait_of(waiter as i32, WaitKind::StdioLock);
        held_by(&wait, target.pid(), holder);
        assert_eq!(wait.certainty, Certainty::Certain);
    }
}

#[test]
fn a_mutex_of_a_type_that_was_chosen_is_decoded_with_inheritance_and_robustness() {
    for (kind, expected) in [
        ("pi_normal", WaitKind::PthreadMutexPi),
        ("robust_normal", WaitKind::PthreadMutexRobust),
        ("robust_pi_normal", WaitKind::PthreadMutexRobustPi),
    ] {
        let (target, [main, waiter, _]) = pthread(kind, "0", &["-O2"]);
        held_by(&target.wait_of(waiter as i32, expected), target.pid(), main);
    }
}

#[test]
fn a_mutex_shared_between_processes_names_the_thread_of_the_other() {
    let mut target = Target::program("shared_mutex.c", &["-pthread"], &[]);
    let [parent, child, address] = target.numbers();
    let wait = target.wait_of(parent as i32, WaitKind::PthreadMutex);
    held_by(&wait, child as i32, child);
    assert_eq!((wait.address, wait.mode), (Some(address), Mode::Any));
}

#[test]
fn a_lock_without_a_living_holder_is_orphaned() {
    for (program, arg) in [("orphan.c", "fork"), ("orphan.c", "exit"), ("shared_mutex.c", "die")] {
        let mut target = Target::program(program, &["-pthread"], &[arg]);
        let [pid, _, _] = target.numbers();
        let wait = crate::target::wait_until(pid as i32, pid as i32, |wait| wait.kind == WaitKind::PthreadMutex);
        assert!(wait.orphaned && wait.holders.is_empty(), "{program} {arg}: {wait:#?}");
    }
}

#[test]
fn a_busy_mutex_is_never_orphaned_nor_held_by_its_waiter() {
    let mut target = Target::program("busy.c", &["-pthread", "-O2"], &[]);
    let [pid] = target.numbers();
    let threads = || {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse::<i32>().ok())
    };
    let (mut named, deadline) = (0, Instant::now() + Duration::from_secs(20));
    while named < 300 && Instant::now() < deadline {
        for tid in threads() {
            let Some(wait) = read(pid as i32, tid) else { continue };
            assert!(!wait.orphaned, "{wait:#?}");
            if wait.kind == WaitKind::PthreadMutex {
                assert!(wait.holders.iter().all(|holder| holder.tid != Some(tid)), "{wait:#?}");
                named += wait.holders.len();
            }
        }
    }
    assert!(named > 0, "the mutex was never seen contended");
}

#[test]
fn a_rust_mutex_is_recognised_and_no_holder_is_made_up() {
    for level in ["-Copt-level=0", "-Copt-level=2", "-Copt-level=3"] {
        let mut target = Target::program("std_locks.rs", &[level], &["mutex"]);
        let [_, waiter, address] = target.numbers();
        let wait = target.wait_of(waiter as i32, WaitKind::RustMutex);
        assert_eq!((wait.address, wait.certainty), (Some(address), Certainty::Derived));
        assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
        assert!(wait.resource.contains("ACCOUNTS"), "{}", wait.resource);
    }
}
