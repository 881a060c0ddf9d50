//! Holders of `parking_lot`'s locks in released programs: optimised, stripped, put together
//! as a whole, and where panics abort.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::{Case, both_are_dead, cases_of, named, thread, why};

/// Kinds of `parking_guards.rs` in which somebody holds the lock that can be found.
const HELD: &[&str] = &[
    "static",
    "returned",
    "by_value",
    "boxed",
    "optional",
    "several",
    "try_lock",
    "parked",
    "receiving",
    "second_lock",
    "writer",
    "downgraded",
    "reader",
    "readers",
    "upgradable",
    "once",
    "arc",
    "upgrade",
    "itself",
    "itself_asking",
    "itself_dropping",
    "reading_twice",
    "itself_reading",
    "itself_writing",
];
/// In which nobody does, or nobody can be found.
const HIDDEN: &[&str] = &[
    "forgotten",
    "manually",
    "leaked",
    "dropped",
    "maybe_dropped",
    "taken",
    "tried",
    "other",
    "condvar",
    "condvar_with_another_held",
    "relocking",
    "unlocked",
    "running",
    "forgotten_readers",
];

/// How a program is made.
#[derive(Clone, Copy)]
struct Build {
    level: &'static str,
    panic: &'static str,
    strip: &'static str,
    whole: bool,
}

/// Makes the program with the crate as this very package has it, in a folder of its own for
/// each way; what is there already is used again.
fn binary(build: Build) -> PathBuf {
    static ONE_BY_ONE: Mutex<()> = Mutex::new(());
    let _guard = ONE_BY_ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Build { level, panic, strip, whole } = build;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("parking-{level}-{panic}-{strip}-{whole}"));
    std::fs::create_dir_all(folder.join("src")).unwrap();
    let manifest = "[package]\nname = \"program\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
                    [dependencies]\nparking_lot = \"0.13\"\n[workspace]\n";
    let source = std::fs::read(own.join("tests/programs/parking_guards.rs")).unwrap();
    for (path, content) in [("Cargo.toml", manifest.as_bytes()), ("src/main.rs", &source)] {
        let path = folder.join(path);
        if std::fs::read(&path).ok().as_deref() != Some(content) {
            std::fs::write(path, content).unwrap();
        }
    }
    if !folder.join("Cargo.lock").exists() {
        std::fs::copy(own.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    }
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args(["build", "--release", "--offline", "--quiet"]).current_dir(&folder).env("CARGO_TARGET_DIR", "made");
    cargo.env("CARGO_PROFILE_RELEASE_OPT_LEVEL", level).env("CARGO_PROFILE_RELEASE_PANIC", panic);
    cargo.env("CARGO_PROFILE_RELEASE_STRIP", strip);
    if whole {
        cargo.env("CARGO_PROFILE_RELEASE_LTO", "fat").env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1");
    }
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder.join("made/release/program")
}

/// Nobody is named who does not hold it; so many of those who do are found at least.
fn holders(build: Build, least: usize) {
    let binary = binary(build);
    let cases = cases_of(&binary, HELD);
    assert!(cases.iter().all(|case| !case.truth.is_empty()));
    let waits = named(&cases, |_, _| true);
    let missed: Vec<_> =
        cases.iter().zip(&waits).filter(|(case, wait)| !case.is_found(wait)).map(|(case, _)| case.kind).collect();
    assert!(cases.len() - missed.len() >= least, "not found: {missed:?}");
    named(&cases_of(&binary, HIDDEN), |_, _| true);
}

#[test]
fn holders_are_found_in_released_programs() {
    holders(Build { level: "3", panic: "unwind", strip: "none", whole: false }, HELD.len());
}

#[test]
fn holders_are_found_in_stripped_programs() {
    holders(Build { level: "3", panic: "unwind", strip: "symbols", whole: false }, HELD.len());
    // Of a program that is put together as a whole one is not.
    holders(Build { level: "3", panic: "unwind", strip: "symbols", whole: true }, HELD.len() - 2);
}

/// There nothing tells of a guard but what its thread does next: what that does in a loop
/// around another wait is not always clear.
#[test]
fn holders_are_found_where_panics_abort() {
    for (level, strip, missed) in [("0", "none", 4), ("2", "symbols", 4), ("3", "symbols", 4)] {
        holders(Build { level, panic: "abort", strip, whole: false }, HELD.len() - missed);
    }
    holders(Build { level: "3", panic: "abort", strip: "symbols", whole: true }, HELD.len() - 6);
}

#[test]
fn who_takes_a_lock_twice_waits_for_itself_in_a_stripped_program() {
    let stripped = |panic, whole| binary(Build { level: "3", panic, strip: "symbols", whole });
    let mutex = ["itself", "itself_asking", "itself_dropping"];
    let rwlock = ["itself_reading", "itself_writing"];
    for (binary, kinds) in [(stripped("abort", true), &mutex[..]), (stripped("unwind", false), &rwlock)] {
        let cases = cases_of(&binary, kinds);
        named(&cases, Case::is_found);
        for case in &cases {
            let answer = why(&[case.target.pid()]);
            assert_eq!(thread(&answer, case.waiter).unwrap()["verdict"], "deadlocked", "{}: {answer:#}", case.kind);
        }
    }
}

/// What keeps a second reading out is not the first, but who waits to write in between.
#[test]
fn who_reads_twice_waits_until_the_writer_in_between_gives_up() {
    let build = Build { level: "3", panic: "unwind", strip: "none", whole: false };
    for case in cases_of(&binary(build), &["reading_twice_for_a_time"]) {
        named(&[case], |case, wait| {
            let answer = why(&[case.target.pid()]);
            assert_eq!(thread(&answer, case.waiter).unwrap()["verdict"], "waiting", "{answer:#}");
            case.is_found(wait)
        });
    }
}

#[test]
fn two_mutexes_taken_crosswise_are_a_deadlock_in_a_stripped_program() {
    let binary = binary(Build { level: "3", panic: "abort", strip: "symbols", whole: true });
    let case = cases_of(&binary, &["abba"]).remove(0);
    both_are_dead(&case, "stripped");
}
