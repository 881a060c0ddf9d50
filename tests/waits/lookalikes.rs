//! Waits that look like a lock's and are not: no holder may be named.

use syncscope::model::wait::WaitKind;

use crate::target::{Target, has_cxx, settled};

fn is_plain_futex(mut target: Target) {
    let [_, waiter, _] = target.numbers();
    let wait = settled(target.pid(), waiter as i32, "futex");
    assert_eq!(wait.kind, WaitKind::Futex, "{wait:#?}");
    assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
}

#[test]
fn perfect_bytes_without_the_code_of_a_mutex_are_refused() {
    for kind in ["futex", "bitset", "shared", "inline", "own_word"] {
        for options in [&["-pthread", "-O0"][..], &["-pthread", "-O2", "-s"]] {
            is_plain_futex(Target::program("lookalike.c", options, &[kind]));
        }
    }
}

#[test]
fn the_lock_of_a_stream_is_no_mutex() {
    for options in [&["-pthread", "-O0"][..], &["-pthread", "-O2", "-s"]] {
        let mut target = Target::program("lookalike.c", options, &["stdio"]);
        let [_, waiter, _] = target.numbers();
        let wait = settled(target.pid(), waiter as i32, "futex");
        assert_eq!(wait.kind, WaitKind::StdioLock, "{wait:#?}");
    }
}

#[test]
fn waiting_for_an_atomic_is_no_mutex() {
    if !has_cxx() {
        return;
    }
    is_plain_futex(Target::program("atomic_wait.cpp", &["-std=c++20", "-pthread", "-O2"], &[]));
}

#[test]
fn a_condition_variable_whose_counter_is_two_is_no_mutex() {
    for options in [&["-Copt-level=0"][..], &["-Copt-level=3"], &["-Copt-level=3", "-Cstrip=symbols"]] {
        let mut target = Target::program("std_locks.rs", options, &["condvar"]);
        let [_, waiter, _] = target.numbers();
        let wait = settled(target.pid(), waiter as i32, "futex");
        assert!(matches!(wait.kind, WaitKind::RustCondvar | WaitKind::Futex), "{wait:#?}");
        assert_ne!(wait.kind, WaitKind::RustMutex, "{wait:#?}");
        assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
    }
}
