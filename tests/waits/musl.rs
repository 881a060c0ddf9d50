//! The primitives of musl, in programs linked to it dynamically and statically.

use std::process::Command;

use syncscope::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};

use crate::target::{Target, settled};

const BUILDS: [&[&str]; 4] = [&["-O0"], &["-O2", "-s"], &["-O0", "-static"], &["-O2", "-static"]];
/// There nothing has a name.
const NAMELESS: [&[&str]; 2] = [&["-O0", "-static", "-s"], &["-O2", "-static", "-s"]];

/// Whether musl's compiler is here; says so where it is not.
fn is_here() -> bool {
    let here = Command::new("musl-gcc").arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: there is no musl-gcc (package musl-tools)");
    }
    here
}

/// Runs `kind` in every build: `test` gets the program and what it declares.
fn in_every_build(kinds: &[&str], test: impl Fn(&str, &Target, [u64; 3])) {
    built(&BUILDS, kinds, test);
}

fn without_names(kinds: &[&str], test: impl Fn(&str, &Target, [u64; 3])) {
    built(&NAMELESS, kinds, test);
}

fn built(builds: &[&[&str]], kinds: &[&str], test: impl Fn(&str, &Target, [u64; 3])) {
    for options in builds.iter().filter(|_| is_here()) {
        for kind in kinds {
            let mut target = Target::program("musl.c", options, &[kind]);
            let numbers = target.numbers();
            test(kind, &target, numbers);
        }
    }
}

fn has_no_holder(wait: &Wait) {
    assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
    assert_eq!(wait.certainty, Certainty::Derived, "{wait:#?}");
}

#[test]
fn a_normal_mutex_does_not_store_its_holder() {
    in_every_build(&["normal", "timed", "shared"], |kind, target, [_, waiter, address]| {
        let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
        has_no_holder(&wait);
        assert_eq!((wait.address, wait.timed), (Some(address), kind == "timed"), "{kind} {wait:#?}");
    });
}

#[test]
fn a_mutex_with_a_type_names_its_holder() {
    let kinds =
        ["recursive", "errorcheck", "robust", "recursive_timed", "recursive_shared", "errorcheck_robust_shared"];
    in_every_build(&kinds, |kind, target, [main, waiter, address]| {
        let expected = if kind.contains("robust") { WaitKind::PthreadMutexRobust } else { WaitKind::PthreadMutex };
        let wait = target.wait_of(waiter as i32, expected);
        assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(main as i32) }], "{kind} {wait:#?}");
        assert_eq!((wait.orphaned, wait.partial, wait.certainty), (false, false, Certainty::Certain), "{wait:#?}");
        assert_eq!((wait.address, wait.timed), (Some(address), kind.ends_with("timed")), "{kind} {wait:#?}");
    });
}

#[test]
fn a_mutex_whose_holder_has_ended_is_orphaned() {
    in_every_build(&["ended_recursive", "ended_errorcheck"], |_, target, [_, waiter, address]| {
        let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutex);
        assert!(wait.orphaned && wait.holders.is_empty(), "{wait:#?}");
        assert_eq!(wait.address, Some(address));
    });
}

#[test]
fn a_mutex_that_passes_priorities_on_names_its_holder() {
    for kind in ["inherit", "inherit_timed", "inherit_recursive", "inherit_robust", "inherit_shared"] {
        in_every_build(&[kind], |_, target, [main, waiter, address]| {
            let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutexPi);
            assert_eq!(wait.address, Some(address), "{kind} {wait:#?}");
            assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(main as i32) }], "{kind} {wait:#?}");
            assert_eq!((wait.certainty, wait.timed), (Certainty::Certain, kind == "inherit_timed"), "{wait:#?}");
        });
    }
}

#[test]
fn a_mutex_that_the_kernel_has_refused_is_found_by_the_call_and_names_its_holder() {
    in_every_build(&["inherit_refused", "inherit_refused_timed"], |kind, target, [_, waiter, address]| {
        let wait = target.wait_of(waiter as i32, WaitKind::PthreadMutexPi);
        assert_eq!((wait.timed, wait.orphaned), (kind.ends_with("timed"), false), "{kind} {wait:#?}");
        assert_eq!((wait.address, wait.certainty), (Some(address), Certainty::Derived), "{kind} {wait:#?}");
        assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(waiter as i32) }], "{kind} {wait:#?}");
    });
}

#[test]
fn an_rwlock_says_how_it_is_held() {
    let kinds = ["written_rdlock", "written_rdlock_timed", "written_wrlock", "reading_wrlock"];
    in_every_build(&kinds, |name, target, [_, waiter, address]| {
        let reads = name.contains("rdlock");
        let kind = if reads { WaitKind::PthreadRwlockRead } else { WaitKind::PthreadRwlockWrite };
        let wait = target.wait_of(waiter as i32, kind);
        has_no_holder(&wait);
        assert_eq!((wait.address, wait.mode), (Some(address), Mode::All), "{name} {wait:#?}");
        let says = if name.contains("written") { "a writer holds it" } else { "1 reader holds it" };
        assert!(wait.evidence.iter().any(|line| line.starts_with(says)), "{name} {wait:#?}");
    });
}

#[test]
fn a_join_names_the_joined_thread() {
    in_every_build(&["join", "join_timed"], |kind, target, [main, waiter, _]| {
        let wait = target.wait_of(waiter as i32, WaitKind::ThreadJoin);
        assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(main as i32) }], "{wait:#?}");
        assert_eq!((wait.partial, wait.certainty), (false, Certainty::Certain), "{wait:#?}");
        assert_eq!(wait.timed, kind.ends_with("timed"));
    });
}

#[test]
fn what_nobody_holds_is_named_without_a_holder() {
    let kinds = [
        ("cond", WaitKind::PthreadCond),
        ("cond_timed", WaitKind::PthreadCond),
        ("cond_shared", WaitKind::PthreadCond),
        ("sem", WaitKind::Semaphore),
        ("sem_timed", WaitKind::Semaphore),
        ("sem_shared", WaitKind::Semaphore),
        ("barrier", WaitKind::PthreadBarrier),
        ("once", WaitKind::PthreadOnce),
    ];
    for (name, kind) in kinds {
        in_every_build(&[name], |_, target, [main, waiter, address]| {
            let wait = target.wait_of(waiter as i32, kind);
            has_no_holder(&wait);
            assert_eq!(wait.timed, name.ends_with("timed"), "{name} {wait:#?}");
            assert_eq!(wait.address, Some(address), "{name} {wait:#?}");
            if name == "barrier" {
                let other = target.wait_of(main as i32, kind);
                has_no_holder(&other);
                assert_eq!(other.address, Some(address), "{other:#?}");
            }
            // Somebody runs an initialisation, and is in it.
            let says_nobody = wait.evidence.iter().any(|line| line.contains("nobody holds it"));
            assert_eq!(says_nobody, name != "once", "{wait:#?}");
        });
    }
}

#[test]
fn what_only_has_the_bytes_of_a_mutex_is_refused() {
    in_every_build(&["by_syscall", "by_hand"], |_, target, [_, waiter, _]| {
        let wait = settled(target.pid(), waiter as i32, "futex");
        assert!(wait.kind == WaitKind::Futex && wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
    });
}

/// Who holds it is the main thread, certainly.
fn is_held_by(wait: &Wait, target: &Target, main: u64) {
    assert_eq!(wait.holders, [Holder { pid: target.pid(), tid: Some(main as i32) }], "{wait:#?}");
    assert_eq!((wait.orphaned, wait.partial, wait.certainty), (false, false, Certainty::Certain), "{wait:#?}");
}

#[test]
fn the_lock_of_a_stream_names_its_holder() {
    let test = |_: &str, target: &Target, [main, waiter, address]: [u64; 3]| {
        let wait = target.wait_of(waiter as i32, WaitKind::StdioLock);
        is_held_by(&wait, target, main);
        assert_eq!(wait.address, Some(address));
    };
    in_every_build(&["stderr", "stdin", "stream"], test);
    without_names(&["stderr", "stdin", "stream"], test);
}

#[test]
fn what_a_stripped_program_that_is_linked_statically_waits_for_is_told_by_its_code() {
    let kinds = [
        ("normal", WaitKind::PthreadMutex),
        ("timed", WaitKind::PthreadMutex),
        ("shared", WaitKind::PthreadMutex),
        ("written_rdlock", WaitKind::PthreadRwlockRead),
        ("written_wrlock", WaitKind::PthreadRwlockWrite),
        ("reading_wrlock", WaitKind::PthreadRwlockWrite),
        ("sem", WaitKind::Semaphore),
        ("sem_timed", WaitKind::Semaphore),
    ];
    for (kind, expected) in kinds {
        without_names(&[kind], |_, target, [_, waiter, address]| {
            let wait = target.wait_of(waiter as i32, expected);
            has_no_holder(&wait);
            assert_eq!((wait.address, wait.timed), (Some(address), kind.ends_with("timed")), "{kind} {wait:#?}");
        });
    }
    for (kind, expected) in [
        ("recursive", WaitKind::PthreadMutex),
        ("errorcheck", WaitKind::PthreadMutex),
        ("recursive_shared", WaitKind::PthreadMutex),
        ("errorcheck_robust_shared", WaitKind::PthreadMutexRobust),
        ("join", WaitKind::ThreadJoin),
    ] {
        without_names(&[kind], |_, target, [main, waiter, _]| {
            is_held_by(&target.wait_of(waiter as i32, expected), target, main);
        });
    }
    without_names(&["ended_recursive"], |_, target, [_, waiter, _]| {
        assert!(target.wait_of(waiter as i32, WaitKind::PthreadMutex).orphaned);
    });
}

#[test]
fn what_the_code_of_such_a_program_does_not_tell_is_not_guessed() {
    without_names(
        &["cond", "barrier", "once", "by_syscall", "by_hand", "own_lock", "own_join"],
        |kind, target, [_, waiter, _]| {
            let wait = settled(target.pid(), waiter as i32, "futex");
            assert!(wait.kind == WaitKind::Futex && wait.holders.is_empty() && !wait.orphaned, "{kind}: {wait:#?}");
        },
    );
}
