//! Holders of locks that do not store them, inferred and compared with what the
//! programs declare: nobody is ever named who does not hold it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![cfg(target_arch = "x86_64")]

#[path = "infer/parking.rs"]
mod parking;
#[path = "infer/pressed.rs"]
mod pressed;
#[path = "waits/target.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod target;

use std::collections::BTreeSet;
use std::path::Path;
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
    "itself_asking",
    "itself_called",
    "itself_mapping",
    "itself_dropping",
    "itself_reading",
    "itself_initialising",
    "scope",
    "in_condvar_with_another",
];
/// In which nobody does, or nobody can be found.
const HIDDEN: &[&str] = &[
    "forgotten",
    "manually",
    "leaked",
    "dropped",
    "maybe_dropped",
    "taken",
    "other",
    "condvar",
    "condvar_with_another_held",
    "relocking",
    "running",
    "forgotten_readers",
];

fn why(pids: &[i32]) -> Value {
    let pids = pids.iter().map(i32::to_string);
    let output = Command::new(env!("CARGO_BIN_EXE_syncscope")).arg("why").args(pids).arg("--json").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn thread(answer: &Value, tid: i64) -> Option<&Value> {
    answer["threads"].as_array().unwrap().iter().find(|thread| thread["tid"] == tid)
}

fn tids(list: &Value) -> BTreeSet<i64> {
    list.as_array().unwrap().iter().map(|id| id["tid"].as_i64().unwrap()).collect()
}

/// A program in which one thread waits for a lock.
struct Case {
    kind: &'static str,
    target: Target,
    waiter: i64,
    /// Who holds it.
    truth: BTreeSet<i64>,
}

impl Case {
    /// Whether all who hold it are named.
    fn is_found(&self, wait: &Value) -> bool {
        tids(&wait["holders"]) == self.truth
    }
}

/// Starts a program of `tests/programs` in each of these ways, all at one time.
fn program(name: &str, options: &[&str], kinds: &[&'static str]) -> Vec<Case> {
    cases_of(&target::build(name, options), kinds)
}

/// Starts a program in each of these ways, all at one time.
fn cases_of(binary: &Path, kinds: &[&'static str]) -> Vec<Case> {
    let start = |kind: &str| Target::start(Command::new(binary).arg(kind));
    let targets: Vec<_> = kinds.iter().map(|&kind| (kind, start(kind))).collect();
    let case = |(kind, mut target): (_, Target)| {
        let line = target.line();
        let mut numbers = line.split_ascii_whitespace().map(|word| word.parse().unwrap());
        let waiter = numbers.next().unwrap();
        Case { kind, target, waiter, truth: numbers.collect() }
    };
    targets.into_iter().map(case).collect()
}

/// Asks until each waits for a lock and is still as it was a moment later; whoever
/// is named at any time must hold it. The waits as they were seen last.
fn named(cases: &[Case], enough: impl Fn(&Case, &Value) -> bool) -> Vec<Value> {
    let deadline = Instant::now() + Duration::from_mins(1);
    let is_lock = |wait: &Value| {
        let parts = ["rust_", "rwlock", "pthread_mutex", "once", "cxa_guard", "parking_lot"];
        wait["kind"].as_str().is_some_and(|kind| parts.iter().any(|part| kind.contains(part)))
    };
    let mut seen = vec![(0, Value::Null); cases.len()];
    loop {
        let open: Vec<usize> =
            (0..cases.len()).filter(|&at| seen[at].0 < 3 || !enough(&cases[at], &seen[at].1)).collect();
        if open.is_empty() {
            return seen.into_iter().map(|(_, wait)| wait).collect();
        }
        let pids: Vec<i32> = open.iter().map(|&at| cases[at].target.pid()).collect();
        let answer = why(&pids);
        for at in open {
            let case = &cases[at];
            let wait = thread(&answer, case.waiter).map(|thread| thread["wait"].clone()).unwrap_or_default();
            if is_lock(&wait) {
                let holders = tids(&wait["holders"]);
                assert!(holders.is_subset(&case.truth), "{}: not all of {:?}: {wait:#}", case.kind, case.truth);
                seen[at] = (seen[at].0 + 1, wait);
            } else {
                seen[at].1 = wait;
            }
            assert!(Instant::now() < deadline, "{}: {:?}: {:#}", case.kind, case.truth, seen[at].1);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn every_kind(options: &[&str]) {
    let cases = program("guards.rs", options, HELD);
    assert!(cases.iter().all(|case| !case.truth.is_empty()));
    for (case, wait) in cases.iter().zip(named(&cases, Case::is_found)) {
        assert_eq!(wait["certainty"], "inferred", "{}: {wait:#}", case.kind);
        let evidence = wait["evidence"].to_string();
        assert!(evidence.contains("lets go of it if its"), "{}: {evidence}", case.kind);
    }
    never_wrong(options, HIDDEN);
}

/// Whoever is named holds it, if it is not known whether anybody can be.
fn never_wrong(options: &[&str], kinds: &[&'static str]) {
    named(&program("guards.rs", options, kinds), |_, _| true);
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

/// Kinds in which what a thread does next shows its lock, without any landing pad.
const SHOWN: &[&str] = &[
    "static",
    "returned",
    "by_value",
    "boxed",
    "optional",
    "taken_inside",
    "several",
    "scrutinee",
    "try_lock",
    "caught",
    "within_caught",
    "kept",
    "maybe_kept",
    "writer",
    "downgraded",
    "reader",
    "readers",
    "reads_twice",
    "arc",
    "scope",
];

fn shown_where_panics_abort(level: &str) {
    for strip in ["-Cstrip=none", "-Cstrip=symbols"] {
        let options = [level, "-Cpanic=abort", "--cfg=once", strip];
        named(&program("guards.rs", &options, SHOWN), Case::is_found);
        // Of that one the code does not tell what it waits for where it is stripped.
        let untold: &[&str] = if strip == "-Cstrip=symbols" { &["itself_initialising"] } else { &[] };
        let rest: Vec<_> =
            HELD.iter().copied().filter(|kind| !SHOWN.contains(kind) && !untold.contains(kind)).collect();
        never_wrong(&options, &rest);
        never_wrong(&options, HIDDEN);
    }
}

#[test]
fn holders_are_found_where_panics_abort_without_optimisation() {
    shown_where_panics_abort("-Copt-level=0");
}

#[test]
fn holders_are_found_where_panics_abort_at_level_2() {
    shown_where_panics_abort("-Copt-level=2");
}

#[test]
fn holders_are_found_where_panics_abort_at_level_3() {
    shown_where_panics_abort("-Copt-level=3");
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
fn a_reader_that_wants_to_write_waits_for_itself_in_every_build() {
    // The compiler sees there that taking the lock never unwinds, and puts no landing pad.
    let named_functions = [vec!["-Copt-level=3", "-Clto=fat"], vec!["-Copt-level=3", "-Cpanic=abort"]];
    // Without names it is followed through the taking, which leaves a mark for others that may wait.
    let stripped = ["-Copt-level=3", "-Copt-level=s"].map(|level| vec![level, "-Clto=fat", "-Cstrip=symbols"]);
    for options in named_functions.into_iter().chain(stripped) {
        let cases = program("guards.rs", &options, &["itself_reading"]);
        named(&cases, Case::is_found);
        let answer = why(&[cases[0].target.pid()]);
        assert_eq!(thread(&answer, cases[0].waiter).unwrap()["verdict"], "deadlocked", "{answer:#}");
    }
}

#[test]
fn a_writer_that_wants_to_read_waits_for_itself_in_a_stripped_program() {
    for level in ["-Copt-level=0", "-Copt-level=2", "-Copt-level=3"] {
        let cases = program("guards.rs", &[level, "-Cstrip=symbols"], &["itself_writing"]);
        named(&cases, Case::is_found);
        let answer = why(&[cases[0].target.pid()]);
        assert_eq!(thread(&answer, cases[0].waiter).unwrap()["verdict"], "deadlocked", "{answer:#}");
    }
}

/// Past the functions of the library that only let a thread sleep.
#[test]
fn who_sleeps_in_the_library_with_a_lock_is_found_where_panics_abort() {
    for level in ["-Copt-level=2", "-Copt-level=3"] {
        let options = [level, "-Cpanic=abort", "--cfg=once"];
        named(&program("guards.rs", &options, &["sending", "parked", "second_lock"]), Case::is_found);
    }
}

#[test]
fn nobody_is_named_wrongly_in_a_stripped_program() {
    let options = ["-Copt-level=2", "-Cstrip=symbols"];
    // Of that one the code does not tell what it waits for; of the others half are enough.
    let kinds: Vec<&str> = HELD.iter().copied().filter(|kind| *kind != "itself_initialising").step_by(2).collect();
    let cases = program("guards.rs", &options, &kinds);
    let waits = named(&cases, |_, _| true);
    let found = cases.iter().zip(&waits).filter(|(case, wait)| case.is_found(wait)).count();
    assert!(found >= kinds.len() / 2, "{found} of {}", kinds.len());
    never_wrong(&options, HIDDEN);
}

#[test]
fn two_mutexes_taken_crosswise_are_a_deadlock_in_every_build() {
    let levels = ["0", "1", "2", "3"].map(|level| vec![format!("-Copt-level={level}")]);
    let others =
        [["-Copt-level=3", "-Cpanic=abort"], ["-Copt-level=0", "-Cpanic=abort"], ["-Copt-level=3", "-Clto=fat"]];
    let stripped = ["-Cpanic=unwind", "-Cpanic=abort"].map(|panic| ["-Copt-level=3", "-Cstrip=symbols", panic]);
    let others = others.map(|options| options.to_vec()).into_iter().chain(stripped.map(|options| options.to_vec()));
    let others = others.map(|options| options.into_iter().map(str::to_owned).collect());
    for options in levels.into_iter().chain(others) {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        crosswise("guards.rs", &options, "abba");
    }
}

/// Of such a lock the memory before it cannot be read along with it, so that who
/// waits for it is read anew, and its holder found again.
#[test]
fn locks_at_the_edge_of_a_mapping_are_no_exception() {
    for options in [["-Copt-level=0"], ["-Copt-level=3"]] {
        crosswise("edge.rs", &options, "abba");
    }
}

/// The two threads of a program are a deadlock, inferred.
fn crosswise(name: &str, options: &[&str], kind: &'static str) {
    both_are_dead(&program(name, options, &[kind])[0], &format!("{options:?}"));
}

/// The same, of one that runs.
fn both_are_dead(case: &Case, build: &str) {
    let both: BTreeSet<i64> = case.truth.iter().copied().chain([case.waiter]).collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    let answer = loop {
        let answer = why(&[case.target.pid()]);
        if !answer["deadlocks"].as_array().unwrap().is_empty() {
            break answer;
        }
        assert!(Instant::now() < deadline, "{build}: {answer:#}");
    };
    let deadlock = &answer["deadlocks"][0];
    assert_eq!(tids(&deadlock["cycle"]), both, "{build}: {answer:#}");
    assert_eq!(deadlock["certainty"], "inferred");
    assert!(both.iter().all(|&tid| thread(&answer, tid).unwrap()["verdict"] == "deadlocked"), "{answer:#}");
}

#[test]
fn a_thread_that_sleeps_with_a_lock_is_not_a_deadlock() {
    let cases = program("guards.rs", &["-Copt-level=3"], &["static"]);
    named(&cases, Case::is_found);
    let answer = why(&[cases[0].target.pid()]);
    assert_eq!(thread(&answer, cases[0].waiter).unwrap()["verdict"], "waiting", "{answer:#}");
}

/// Blocks a thread in `wait` while another, `holder`, holds the lock; `None` where it
/// does so itself.
fn in_this_process(kind: &str, wait: impl FnOnce() + Send + 'static, holder: impl Into<Option<i64>>) {
    let (send, receive) = channel();
    std::thread::spawn(move || {
        send.send(i64::from(nix::unistd::gettid().as_raw())).unwrap();
        wait();
    });
    let waiter = receive.recv().unwrap();
    let holder = holder.into().unwrap_or(waiter);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = why(&[std::process::id().cast_signed()]);
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
fn a_reader_that_could_be_upgraded_is_found() {
    static UPGRADABLE: parking_lot::RwLock<u64> = parking_lot::RwLock::new(0);
    let holder = sleeps_with(|| UPGRADABLE.upgradable_read());
    in_this_process("parking_lot", || *UPGRADABLE.write() += 1, holder);
}

#[test]
fn who_runs_an_initialisation_of_parking_lot_is_found() {
    static ONCE: parking_lot::Once = parking_lot::Once::new();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        ONCE.call_once(|| {
            send.send(i64::from(nix::unistd::gettid().as_raw())).unwrap();
            std::thread::sleep(Duration::from_secs(1000));
        });
    });
    in_this_process("parking_lot", || ONCE.call_once(|| {}), receive.recv().unwrap());
}

/// Who was notified before the mutex was let go of has a guard that is alive, and the
/// mutex not.
#[test]
fn who_keeps_a_mutex_from_a_condition_variable_of_parking_lot_is_found() {
    static MUTEX: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    static CONDVAR: parking_lot::Condvar = parking_lot::Condvar::new();
    let (send, receive) = channel();
    std::thread::spawn(move || {
        send.send(i64::from(nix::unistd::gettid().as_raw())).unwrap();
        let _guard = loop {
            let guard = MUTEX.lock();
            if CONDVAR.notify_one() {
                break guard;
            }
            drop(guard);
            std::thread::yield_now();
        };
        std::thread::sleep(Duration::from_secs(1000));
    });
    let wait = move || {
        let mut guard = MUTEX.lock();
        CONDVAR.wait(&mut guard);
    };
    in_this_process("parking_lot", wait, receive.recv().unwrap());
}

#[test]
fn who_takes_a_lock_of_parking_lot_twice_waits_for_itself() {
    static MUTEX: parking_lot::Mutex<u64> = parking_lot::Mutex::new(0);
    let twice = || {
        let guard = MUTEX.lock();
        *MUTEX.lock() += *guard;
    };
    in_this_process("parking_lot", twice, None);
}

#[test]
fn a_reader_of_a_pthread_rwlock_is_found() {
    // Linked statically, what a thread sleeps in is followed as the program's own code is.
    let builds = [&["-O0", "-pthread"][..], &["-O2", "-pthread"], &["-O0", "-pthread", "-static"]];
    for options in builds.into_iter().chain([&["-O2", "-pthread", "-static"][..]]) {
        named(&program("readers.c", options, &["mutex", "read", "sleep", "poll"]), Case::is_found);
    }
}

/// A lock that lets writers go first keeps new readers out while one waits.
#[test]
fn who_reads_twice_waits_for_the_writer_in_between() {
    for options in [&["-O0", "-pthread"][..], &["-O2", "-pthread"]] {
        let cases = program("readers.c", options, &["twice", "twice_for_a_time"]);
        named(&cases, Case::is_found);
        both_are_dead(&cases[0], options[0]);
        let answer = why(&[cases[1].target.pid()]);
        assert!(answer["deadlocks"].as_array().unwrap().is_empty(), "{answer:#}");
        assert_eq!(thread(&answer, cases[1].waiter).unwrap()["verdict"], "waiting", "{answer:#}");
    }
}

#[test]
fn of_a_lock_that_processes_share_it_is_said_which_were_not_asked() {
    let mut target = Target::program("readers.c", &["-O2", "-pthread"], &["shared"]);
    let [writer, child] = target.numbers::<2>();
    let case = Case { kind: "shared", target, waiter: writer as i64, truth: BTreeSet::new() };
    let told = |wait: &Value| wait["evidence"].to_string().contains(&format!("not {child}: one may hold it"));
    named(&[case], |_, wait| told(wait) && wait["holders"].as_array().is_some_and(Vec::is_empty));
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
        let kinds = ["waiting", "semaphore", "sleeping", "c11", "writer", "readers"];
        let cases = program("musl_locks.c", options, &kinds);
        // What an optimised program keeps in a register is not always told.
        let waits = named(&cases, |case, wait| case.is_found(wait) || options == ["-O2", "-static"]);
        for (case, wait) in cases.iter().zip(waits) {
            let certainty = if tids(&wait["holders"]).is_empty() { "derived" } else { "inferred" };
            assert_eq!(wait["certainty"], certainty, "{}: {wait:#}", case.kind);
        }
    }
}

#[test]
fn nobody_is_named_who_does_not_hold_musls_lock() {
    for options in musl_builds() {
        let mut cases = program("musl_locks.c", options, &["forgotten", "let_go", "another", "condition", "tried"]);
        for case in &mut cases {
            case.truth.clear();
        }
        for (case, wait) in cases.iter().zip(named(&cases, |_, _| true)) {
            assert_eq!(wait["certainty"], "derived", "{}: {wait:#}", case.kind);
        }
    }
}

#[test]
fn two_mutexes_of_musl_taken_crosswise_are_a_deadlock() {
    for options in musl_builds() {
        crosswise("musl_locks.c", options, "abba");
    }
}

#[test]
fn a_mutex_and_a_stream_of_musl_taken_crosswise_are_a_deadlock() {
    for options in musl_builds() {
        crosswise("musl_locks.c", options, "stream");
    }
}

#[test]
fn holders_of_musls_mutexes_are_found_without_names() {
    for options in [["-O0", "-static", "-s"], ["-O2", "-static", "-s"]] {
        if musl_builds().next().is_none() {
            return;
        }
        crosswise("musl_locks.c", &options, "abba");
        let cases = program("musl_locks.c", &options, &["waiting", "semaphore", "sleeping", "c11"]);
        // What an optimised program keeps in a register is not always told.
        named(&cases, |case, wait| case.is_found(wait) || options[0] == "-O2");
        // Behind the wait for a stream the code does too much to be followed.
        let lookalikes = ["forgotten", "let_go", "another", "condition", "tried", "writer", "readers", "stream"];
        let mut cases = program("musl_locks.c", &options, &lookalikes);
        for case in &mut cases {
            case.truth.clear();
        }
        for (case, wait) in cases.iter().zip(named(&cases, |_, _| true)) {
            assert_eq!(wait["certainty"], "derived", "{}: {wait:#}", case.kind);
        }
    }
}

#[test]
fn who_runs_a_one_time_initialisation_is_found() {
    let builds: [&[&str]; 4] =
        [&["-O0", "-pthread"], &["-O2", "-pthread"], &["-O3", "-pthread"], &["-O2", "-pthread", "-static"]];
    for options in builds {
        // Unoptimised, the way out of a call may not be seen: nobody is named then.
        let must = options[0] != "-O0";
        let cases = program("once.c", options, &["sleeps", "itself"]);
        for wait in named(&cases, |case, wait| !must || case.is_found(wait)) {
            assert_eq!(wait["kind"], "pthread_once", "{wait:#}");
            assert!(!must || wait["certainty"] == "inferred", "{wait:#}");
        }
        if options[0] != "-O0" {
            crosswise("once.c", options, "crosswise");
        }
        // The one that does it runs; another has the address on its stack.
        let mut cases = program("once.c", options, &["beside"]);
        cases[0].truth.clear();
        let wait = named(&cases, |_, _| true).remove(0);
        assert!(wait["evidence"].to_string().contains("could not be asked"), "{wait:#}");
    }
}

#[test]
fn who_runs_a_one_time_initialisation_of_musl_is_found() {
    for options in musl_builds() {
        // What ends in a call has left no frame: there only the names of a library that is a
        // part of the program tell.
        let must = options != ["-O2"];
        named(&program("once.c", options, &["sleeps"]), Case::is_found);
        named(&program("once.c", options, &["itself"]), |case, wait| !must || case.is_found(wait));
        if must {
            crosswise("once.c", options, "crosswise");
        }
        let mut cases = program("once.c", options, &["beside"]);
        cases[0].truth.clear();
        named(&cases, |_, _| true);
    }
}

#[test]
fn who_initialises_a_static_variable_of_cpp_is_found() {
    if !target::has_cxx() {
        return;
    }
    for options in [["-O0", "-pthread"], ["-O2", "-pthread"], ["-O3", "-pthread"]] {
        let must = options[0] != "-O0";
        let wait = named(&program("statics.cpp", &options, &["sleeps"]), |case, wait| !must || case.is_found(wait));
        assert_eq!(wait[0]["kind"], "cxa_guard", "{wait:#?}");
        assert!(!must || wait[0]["certainty"] == "inferred", "{wait:#?}");
        // At the highest level nothing of it may be left in the frames.
        if options[0] == "-O2" {
            crosswise("statics.cpp", &options, "crosswise");
        }
    }
}
