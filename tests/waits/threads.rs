//! Threads that wait for threads: joins, PI and robust mutexes, reader-writer
//! locks, and what nobody holds.

use syncscope::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};

use crate::target::{Target, wait_until};

fn sync(kind: &str, options: &[&str]) -> (Target, [u64; 3]) {
    let mut target = Target::program("sync.c", &[&["-pthread"], options].concat(), &[kind]);
    let numbers = target.numbers();
    (target, numbers)
}

fn held_by(wait: &Wait, target: &Target, tid: u64) {
    assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(tid as i32) }], "{wait:#?}");
    assert_eq!((wait.orphaned, wait.partial, wait.certainty), (false, false, Certainty::Certain), "{wait:#?}");
}

#[test]
fn a_join_names_the_joined_thread() {
    for (kind, timed) in [("join", false), ("join_timed", true)] {
        let (target, [main, waiter, _]) = sync(kind, &["-O2", "-s"]);
        let wait = target.wait_of(waiter as i32, WaitKind::ThreadJoin);
        held_by(&wait, &target, main);
        assert_eq!(wait.timed, timed);
    }
}

#[test]
fn a_rust_join_names_the_joined_thread() {
    let mut target = Target::program("std_locks.rs", &["-Copt-level=3", "-Cstrip=symbols"], &["park"]);
    let [main, waiter, _] = target.numbers();
    let wait = target.wait_of(main as i32, WaitKind::ThreadJoin);
    held_by(&wait, &target, waiter);
}

#[test]
fn mutexes_that_the_kernel_knows_name_their_holder() {
    let kinds = [
        ("pi", WaitKind::PthreadMutexPi),
        ("robust", WaitKind::PthreadMutexRobust),
        ("robust_pi", WaitKind::PthreadMutexRobustPi),
    ];
    for (name, kind) in kinds {
        for timed in ["0", "1"] {
            let mut target = Target::program("mutex.c", &["-pthread", "-O2", "-s"], &[name, timed]);
            let [main, waiter, address] = target.numbers();
            let wait = target.wait_of(waiter as i32, kind);
            held_by(&wait, &target, main);
            assert_eq!((wait.address, wait.timed), (Some(address), timed == "1"), "{name}");
        }
    }
}

#[test]
fn a_writer_that_holds_a_rwlock_is_named() {
    let kinds = [
        ("written_rdlock", WaitKind::PthreadRwlockRead),
        ("written_rdlock_timed", WaitKind::PthreadRwlockRead),
        ("written_wrlock", WaitKind::PthreadRwlockWrite),
        ("prefer_written_rdlock", WaitKind::PthreadRwlockRead),
    ];
    for (name, kind) in kinds {
        for options in [&["-O0"][..], &["-O2", "-s"]] {
            let (target, [main, waiter, address]) = sync(name, options);
            let wait = target.wait_of(waiter as i32, kind);
            held_by(&wait, &target, main);
            assert_eq!((wait.address, wait.timed), (Some(address), name.ends_with("timed")), "{name}");
        }
    }
}

#[test]
fn readers_of_a_rwlock_are_counted_not_named() {
    let kinds = [
        ("reading_wrlock", WaitKind::PthreadRwlockWrite),
        ("reading_wrlock_timed", WaitKind::PthreadRwlockWrite),
        ("reading_queued_wrlock", WaitKind::PthreadRwlockWrite),
        ("prefer_reading_queued_rdlock", WaitKind::PthreadRwlockRead),
    ];
    for (name, kind) in kinds {
        let (target, [_, waiter, address]) = sync(name, &["-O2"]);
        let wait = target.wait_of(waiter as i32, kind);
        assert_eq!((wait.address, wait.mode, wait.partial), (Some(address), Mode::All, true), "{wait:#?}");
        assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
        assert!(wait.evidence.iter().any(|line| line.starts_with("1 reader holds it")), "{wait:#?}");
    }
}

#[test]
fn what_nobody_holds_is_named_without_a_holder() {
    let kinds = [
        ("cond", WaitKind::PthreadCond, false),
        ("cond_timed", WaitKind::PthreadCond, true),
        ("cond_mono", WaitKind::PthreadCond, true),
        ("sem", WaitKind::Semaphore, false),
        ("sem_timed", WaitKind::Semaphore, true),
        ("barrier", WaitKind::PthreadBarrier, false),
        ("once", WaitKind::PthreadOnce, false),
    ];
    for (name, kind, timed) in kinds {
        for options in [&["-O0"][..], &["-O2", "-s"], &["-O2", "-fno-plt"], &["-O2", "-static"]] {
            let (target, [_, waiter, address]) = sync(name, options);
            let wait = target.wait_of(waiter as i32, kind);
            assert!(wait.holders.is_empty() && !wait.orphaned && wait.partial, "{wait:#?}");
            assert_eq!((wait.address, wait.timed), (Some(address), timed), "{name} {wait:#?}");
        }
    }
}

/// What `std_locks.rs` can be made to wait for, but for a mutex.
pub(crate) const STD_WAITS: [(&str, WaitKind); 9] = [
    ("condvar", WaitKind::RustCondvar),
    ("condvar_timed", WaitKind::RustCondvar),
    ("park", WaitKind::RustPark),
    ("recv", WaitKind::RustPark),
    ("barrier", WaitKind::RustCondvar),
    ("once", WaitKind::RustOnce),
    ("read", WaitKind::RustRwlockRead),
    ("write", WaitKind::RustRwlockWrite),
    ("write_readers", WaitKind::RustRwlockWrite),
];

/// What such a program waits for, which is so however it was recognised.
pub(crate) fn std_wait(target: &mut Target, name: &str, kind: WaitKind) -> Wait {
    let [_, waiter, address] = target.numbers();
    let wait = target.wait_of(waiter as i32, kind);
    assert!(wait.holders.is_empty() && !wait.orphaned && wait.partial, "{wait:#?}");
    assert_eq!((wait.timed, wait.certainty), (name.ends_with("timed"), Certainty::Derived), "{wait:#?}");
    assert!(address == 0 || wait.address == Some(address), "{name}: {wait:#?}");
    wait
}

#[test]
fn waits_of_the_standard_library_are_told_apart() {
    for level in ["-Copt-level=0", "-Copt-level=3"] {
        for (name, kind) in STD_WAITS {
            let wait = std_wait(&mut Target::program("std_locks.rs", &[level], &[name]), name, kind);
            let says = |text: &str| wait.evidence.iter().any(|line| line.contains(text));
            match name {
                "read" | "write" => assert!(says("a writer holds it"), "{wait:#?}"),
                "write_readers" => assert!(says("1 reader holds it"), "{wait:#?}"),
                _ => {}
            }
        }
    }
}

#[test]
fn a_python_lock_is_a_semaphore() {
    let script = "import threading, _thread\nl = threading.Lock()\nl.acquire()\nprint(1, flush=True)\nl.acquire()";
    let mut python = Target::start(std::process::Command::new("python3").args(["-c", script]));
    python.line();
    let wait = wait_until(python.pid(), python.pid(), |wait| wait.kind == WaitKind::Semaphore);
    assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
}
