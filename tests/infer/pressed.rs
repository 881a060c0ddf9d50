//! Who holds a lock that others wait for, and waits for what nobody in particular does: for
//! ever where all threads of its process sleep, perhaps where not.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::target::{self, Target};
use super::{thread, why};

/// A program of `tests/programs` made so, and what is told of its two threads.
fn told(options: &[&str], kind: &str, verdicts: [&str; 2]) -> Value {
    told_of("pressed.c", options, &[kind], verdicts)
}

fn told_of(program: &str, options: &[&str], kind: &[&str], [waiter, holder]: [&str; 2]) -> Value {
    let mut target = Target::start(Command::new(target::build(program, options)).args(kind));
    let [one, two] = target.numbers().map(|tid| tid as i64);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = why(&[target.pid()]);
        let verdict = |tid| thread(&answer, tid).map_or("none", |thread| thread["verdict"].as_str().unwrap());
        let now = [verdict(one), verdict(two)];
        if now == [waiter, holder] {
            return answer;
        }
        let dead = |verdict: &str| matches!(verdict, "deadlocked" | "stuck");
        let never = !dead(waiter) && now.into_iter().any(dead);
        assert!(!never && Instant::now() < deadline, "{options:?} {kind:?}: {now:?}: {answer:#}");
    }
}

const BUILDS: [&[&str]; 3] = [&["-O0", "-pthread"], &["-O2", "-pthread"], &["-O2", "-pthread", "-static"]];

#[test]
fn who_waits_with_a_lock_where_nobody_is_left_to_wake_it_is_dead() {
    for options in BUILDS {
        for kind in ["barrier", "condition", "semaphore", "asleep"] {
            let answer = told(options, kind, ["deadlocked", "deadlocked"]);
            assert_eq!(answer["deadlocks"].as_array().unwrap().len(), 1, "{kind}: {answer:#}");
            assert!(answer.to_string().contains("any thread of this process could, but all of them wait"));
            assert!(!answer["deadlocks"][0]["text"].as_str().unwrap().contains("at the other end"), "{answer:#}");
        }
        // Whoever held it for reading is gone, which nothing says.
        let answer = told(options, "reader ended", ["stuck", "none"]);
        assert!(answer["deadlocks"].as_array().unwrap().is_empty(), "{answer:#}");
    }
}

#[test]
fn where_anybody_could_wake_who_waits_with_a_lock_nobody_is_dead() {
    for options in BUILDS {
        let why = [("awake", "who may wake it is not stored"), ("handled", "SIGUSR1: a handler may wake it")];
        for (kind, why) in why {
            let answer = told(options, kind, ["unknown", "unknown"]);
            assert!(answer.to_string().contains(why), "{answer:#}");
        }
        told(options, "timed", ["waiting", "waiting"]);
        // Nobody wants what it holds: they may have nothing to do.
        told(options, "idle", ["waiting", "waiting"]);
    }
}

/// The library of C++ does not say that its futexes are private; without symbols most of what
/// it waits for has no name either.
#[test]
fn so_it_is_with_what_the_library_of_cxx_waits_for() {
    if !target::has_cxx() {
        return;
    }
    for build in [&["-O0"][..], &["-O2", "-g"], &["-O3", "-s"]] {
        let options = [&["-std=c++20", "-pthread"], build].concat();
        for kind in ["latch", "barrier", "semaphore", "future", "atomic"] {
            let answer = told_of("pressed.cpp", &options, &[kind, "asleep"], ["deadlocked", "deadlocked"]);
            assert_eq!(answer["deadlocks"].as_array().unwrap().len(), 1, "{kind}: {answer:#}");
            told_of("pressed.cpp", &options, &[kind, "awake"], ["unknown", "unknown"]);
        }
    }
}
