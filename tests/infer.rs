//! Holders of locks that do not store them, inferred and compared with what the
//! programs declare: nobody is ever named who does not hold it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

#[path = "waits/target.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod target;

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;
use target::Target;

/// Kinds of `guards.rs` in which somebody holds the lock that can be found.
const HELD: &[&str] = &[
    "static",
    "returned",
    "by_value",
    "boxed",
    "optional",
    "taken_inside",
    "several",
    "session",
    "scrutinee",
    "try_lock",
    "parked",
    "receiving",
    "sending",
    "caught",
    "within_caught",
    "kept",
    "maybe_kept",
    "second_lock",
    "writer",
    "downgraded",
    "reader",
    "readers",
    "reads_twice",
    "once",
    "cell",
    "lazy",
    "foreign",
    "arc",
    "itself",
    "itself_printing",
    "itself_called",
    "itself_mapping",
    "itself_dropping",
    "itself_reading",
    "itself_initialising",
    "scope",
];
/// In which nobody does, or nobody can be found; of the last, its holder may be.
const HIDDEN: &[&str] = &[
    "forgotten",
    "manually",
    "leaked",
    "dropped",
    "maybe_dropped",
    "taken",
    "other",
    "condvar",
    "relocking",
    "running",
    "forgotten_readers",
    "in_condvar_with_another",
];

fn why(pid: i32) -> Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_syncscope")).args(["why", &pid.to_string(), "--json"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn thread(answer: &Value, tid: i64) -> Option<&Value> {
    answer["threads"].as_array().unwrap().iter().find(|thread| thread["tid"] == tid)
}

fn tids(list: &Value) -> BTreeSet<i64> {
    list.as_array().unwrap().iter().map(|id| id["tid"].as_i64().unwrap()).collect()
}

/// Starts `guards`; the tid of who waits, and of those who hold.
fn guards(options: &[&str], kind: &str) -> (Target, i64, BTreeSet<i64>) {
    program("guards.rs", options, kind)
}

fn program(name: &str, options: &[&str], kind: &str) -> (Target, i64, BTreeSet<i64>) {
    let mut target = Target::program(name, options, &[kind]);
    let line = target.line();
    let mut numbers = line.split_ascii_whitespace().map(|word| word.parse().unwrap());
    let waiter = numbers.next().unwrap();
    (target, waiter, numbers.collect())
}

/// Asks until the thread waits for a lock and is still as it was a moment later;
/// whoever is named at any time must be one of `truth`.
fn named(target: &Target, waiter: i64, truth: &BTreeSet<i64>, enough: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut settled = 0;
    loop {
        let answer = why(target.pid());
        let wait = thread(&answer, waiter).map(|thread| thread["wait"].clone()).unwrap_or_default();
        let is_lock = |kind: &str| {
            ["rust_", "rwlock", "pthread_mutex", "once", "cxa_guard"].iter().any(|part| kind.contains(part))
        };
        let is_lock = wait["kind"].as_str().is_some_and(is_lock);
        if is_lock {
            let holders = tids(&wait["holders"]);
            assert!(holders.is_subset(truth), "{holders:?} are not all of {truth:?}: {wait:#}");
            settled += 1;
            if enough(&wait) && settled > 2 {
                return wait;
            }
        }
        assert!(Instant::now() < deadline, "{truth:?}: {answer:#}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn every_kind(options: &[&str]) {
    for kind in HELD {
        let (target, waiter, truth) = guards(options, kind);
        assert!(!truth.is_empty(), "{kind}");
        let wait = named(&target, waiter, &truth, |wait| tids(&wait["holders"]) == truth);
        assert_eq!(wait["certainty"], "inferred", "{kind}: {wait:#}");
        let evidence = wait["evidence"].to_string();
        assert!(evidence.contains("lets go of it if its"), "{kind}: {evidence}");
    }
    never_wrong(options, HIDDEN);
}

/// Whoever is named holds it, if it is not known whether anybody can be.
fn never_wrong(options: &[&str], kinds: &[&str]) {
    for kind in kinds {
        let (target, waiter, truth) = guards(options, kind);
        named(&target, waiter, &truth, |_| true);
    }
}

#[test]
fn every_holder_is_found_without_optimisation() {
    every_kind(&["-Copt-level=0"]);
}

#[test]
fn every_holder_is_found_at_level_1() {
    every_kind(&["-Copt-level=1"]);
}

#[test]
fn every_holder_is_found_at_level_2() {
    every_kind(&["-Copt-level=2"]);
}

#[test]
fn every_holder_is_found_at_level_3() {
    every_kind(&["-Copt-level=3"]);
}

#[test]
fn nobody_is_named_wrongly_where_panics_abort() {
    never_wrong(&["-Copt-level=3", "-Cpanic=abort"], HELD);
    never_wrong(&["-Copt-level=3", "-Cpanic=abort"], HIDDEN);
}

#[test]
fn nobody_is_named_wrongly_in_a_program_optimised_as_a_whole() {
    never_wrong(&["-Copt-level=3", "-Clto=fat"], HELD);
    never_wrong(&["-Copt-level=3", "-Clto=fat"], HIDDEN);
}

#[test]
fn two_mutexes_taken_crosswise_are_a_deadlock_in_every_build() {
    let levels = ["0", "1", "2", "3"].map(|level| vec![format!("-Copt-level={level}")]);
    let others =
        [["-Copt-level=3", "-Cpanic=abort"], ["-Copt-level=0", "-Cpanic=abort"], ["-Copt-level=3", "-Clto=fat"]];
    for options in levels.into_iter().chain(others.map(|options| options.map(str::to_owned).to_vec())) {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        crosswise(guards(&options, "abba"), &options);
    }
}

/// The two threads of a program are a deadlock, inferred.
fn crosswise((target, one, others): (Target, i64, BTreeSet<i64>), options: &[&str]) {
    let both: BTreeSet<i64> = others.into_iter().chain([one]).collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        let answer = why(target.pid());
        if !answer["deadlocks"].as_array().unwrap().is_empty() {
            break answer;
        }
        assert!(Instant::now() < deadline, "{options:?}: {answer:#}");
    };
    let deadlock = &answer["deadlocks"][0];
    assert_eq!(tids(&deadlock["cycle"]), both, "{options:?}: {answer:#}");
    assert_eq!(deadlock["certainty"], "inferred");
    assert!(both.iter().all(|&tid| thread(&answer, tid).unwrap()["verdict"] == "deadlocked"), "{answer:#}");
}

#[test]
fn a_thread_that_sleeps_with_a_lock_is_not_a_deadlock() {
    let (target, waiter, truth) = guards(&["-Copt-level=3"], "static");
    named(&target, waiter, &truth, |wait| tids(&wait["holders"]) == truth);
    let answer = why(target.pid());
    assert_eq!(thread(&answer, waiter).unwrap()["verdict"], "waiting", "{answer:#}");
}

/// Blocks a thread in `wait` while another, started by `hold`, holds the lock.
fn in_this_process(kind: &str, wait: impl FnOnce() + Send + 'static, holder: i64) {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        send.send(i64::from(nix::unistd::gettid().as_raw())).unwrap();
        wait();
    });
    let waiter = receive.recv().unwrap();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = why(std::process::id().cast_signed());
        let wait = thread(&answer, waiter).map(|thread| thread["wait"].clone()).unwrap_or_default();
        let holders = wait["holders"].as_array().map(|_| tids(&wait["holders"])).unwrap_or_default();
        if wait["kind"] == kind && !holders.is_empty() {
            assert_eq!(holders, BTreeSet::from([holder]), "{wait:#}");
            assert_eq!(wait["certainty"], "inferred", "{wait:#}");
            return;
        }
        assert!(Instant::now() < deadline, "{kind}: {answer:#}");
    }
}

/// A thread that holds a lock and sleeps; its id.
fn sleeps_with<G: 'static>(lock: impl FnOnce() -> G + Send + 'static) -> i64 {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        let guard = lock();
        send.send(i64::from(nix::unistd::gettid().as_raw())).unwrap();
        std::thread::sleep(Duration::from_secs(1000));
        drop(guard);
    });
    receive.recv().unwrap()
}

#[test]
fn holders_of_parking_lots_locks_are_found() {
    static MUTEX: parking_lot::Mutex<u64> = parking_lot::Mutex::new(0);
    static WRITTEN: parking_lot::RwLock<u64> = parking_lot::RwLock::new(0);
    static READ: parking_lot::RwLock<u64> = parking_lot::RwLock::new(0);
    let holder = sleeps_with(|| MUTEX.lock());
    in_this_process("parking_lot", || *MUTEX.lock() += 1, holder);
    let holder = sleeps_with(|| WRITTEN.write());
    in_this_process("parking_lot", || assert!(*WRITTEN.read() > 0), holder);
    let holder = sleeps_with(|| READ.read());
    in_this_process("parking_lot", || *READ.write() += 1, holder);
}

#[test]
fn a_reader_of_a_pthread_rwlock_is_found() {
    for options in [["-O0", "-pthread"], ["-O2", "-pthread"]] {
        let mut target = Target::program("readers.c", &options, &[]);
        let [reader, writer] = target.numbers();
        let truth = BTreeSet::from([reader as i64]);
        // What an optimised program keeps in a register is not told.
        let found = |wait: &Value| tids(&wait["holders"]) == truth || options[0] == "-O2";
        named(&target, writer as i64, &truth, found);
    }
}

const MUSL_BUILDS: [&[&str]; 4] = [&["-O0"], &["-O2"], &["-O0", "-static"], &["-O2", "-static"]];

/// The builds of a program that is linked to musl; none, said so, where its
/// compiler is not here.
fn musl_builds() -> impl Iterator<Item = &'static [&'static str]> {
    let here = Command::new("musl-gcc").arg("--version").output().is_ok();
    if !here {
        eprintln!("skipped: there is no musl-gcc (package musl-tools)");
    }
    MUSL_BUILDS.into_iter().filter(move |_| here)
}

#[test]
fn holders_of_musls_locks_are_found() {
    for options in musl_builds() {
        for kind in ["waiting", "semaphore", "sleeping", "c11", "writer", "readers"] {
            let (target, waiter, truth) = program("musl_locks.c", options, kind);
            // What an optimised program keeps in a register is not always told.
            let found = |wait: &Value| tids(&wait["holders"]) == truth || options == ["-O2", "-static"];
            let wait = named(&target, waiter, &truth, found);
            let certainty = if tids(&wait["holders"]).is_empty() { "derived" } else { "inferred" };
            assert_eq!(wait["certainty"], certainty, "{kind}: {wait:#}");
        }
    }
}

#[test]
fn nobody_is_named_who_does_not_hold_musls_lock() {
    for options in musl_builds() {
        for kind in ["forgotten", "let_go", "another", "condition", "tried"] {
            let (target, waiter, _) = program("musl_locks.c", options, kind);
            let wait = named(&target, waiter, &BTreeSet::new(), |_| true);
            assert_eq!(wait["certainty"], "derived", "{kind}: {wait:#}");
        }
    }
}

#[test]
fn two_mutexes_of_musl_taken_crosswise_are_a_deadlock() {
    for options in musl_builds() {
        crosswise(program("musl_locks.c", options, "abba"), options);
    }
}

#[test]
fn who_runs_a_one_time_initialisation_is_found() {
    for options in [["-O0", "-pthread"], ["-O2", "-pthread"], ["-O3", "-pthread"]] {
        for kind in ["sleeps", "itself"] {
            let (target, waiter, truth) = program("once.c", &options, kind);
            // Unoptimised, the way out of a call may not be seen: nobody is named then.
            let must = options[0] != "-O0";
            let wait = named(&target, waiter, &truth, |wait| !must || tids(&wait["holders"]) == truth);
            assert_eq!(wait["kind"], "pthread_once", "{wait:#}");
            assert!(!must || wait["certainty"] == "inferred", "{wait:#}");
        }
        if options[0] != "-O0" {
            crosswise(program("once.c", &options, "crosswise"), &options);
        }
        // The one that does it runs; another has the address on its stack.
        let (target, waiter, _) = program("once.c", &options, "beside");
        let wait = named(&target, waiter, &BTreeSet::new(), |_| true);
        assert!(wait["evidence"].to_string().contains("could not be asked"), "{wait:#}");
    }
}

#[test]
fn who_initialises_a_static_variable_of_cpp_is_found() {
    for options in [["-O0", "-pthread"], ["-O2", "-pthread"], ["-O3", "-pthread"]] {
        let (target, waiter, truth) = program("statics.cpp", &options, "sleeps");
        let must = options[0] != "-O0";
        let wait = named(&target, waiter, &truth, |wait| !must || tids(&wait["holders"]) == truth);
        assert_eq!(wait["kind"], "cxa_guard", "{wait:#}");
        assert!(!must || wait["certainty"] == "inferred", "{wait:#}");
        // At the highest level nothing of it may be left in the frames.
        if options[0] == "-O2" {
            crosswise(program("statics.cpp", &options, "crosswise"), &options);
        }
    }
}
