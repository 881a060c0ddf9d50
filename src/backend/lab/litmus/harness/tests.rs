use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::*;
use crate::backend::lab::litmus::jit::Architecture;
use crate::backend::lab::litmus::parse::parse;

fn sample(name: &str) -> Test {
    let path = format!("{}/tests/litmus_samples/{name}.litmus", env!("CARGO_MANIFEST_DIR"));
    parse(name, &std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Runs until `enough`, ten seconds at most.
fn run_until(test: &Test, strategy: Strategy, enough: impl Fn(&Tally) -> bool) -> Tally {
    let runner = Runner::start(test, strategy).unwrap();
    runner.run();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !enough(&runner.tally()) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    runner.finish()
}

#[test]
fn store_buffering_is_seen_and_fences_forbid_it() {
    for strategy in [Strategy::Batched, Strategy::Perpetual, Strategy::Timebase] {
        if available_cpus().len() < 2 {
            println!("skipped: relaxed outcomes need two CPUs");
            return;
        }
        if strategy == Strategy::Timebase && Plan::first(&sample("SB-relaxed"), strategy, true).is_err() {
            println!("skipped: there is no time base");
            continue;
        }
        let seen = run_until(&sample("SB-relaxed"), strategy, |tally| tally.counts.distinct > 100);
        assert!(seen.counts.distinct > 100, "{strategy}: {seen:?}");
        assert!(seen.counts.witnesses >= seen.counts.distinct);
        assert_eq!(seen.states.values().sum::<u64>(), seen.counts.frames);
        assert_eq!(seen.states[&vec![0, 0]], seen.counts.witnesses);
    }
}

#[test]
fn what_x86_forbids_is_never_seen() {
    let forbidden = [
        "SB-fences",
        "SB-seqcst",
        "MP-relaxed",
        "MP-release-acquire",
        "LB-relaxed",
        "CoRR-relaxed",
        "2+2W-release",
        "counter-fetch-add",
        "IRIW-acquire",
    ];
    if Architecture::host() != Ok(Architecture::X86_64) {
        println!("skipped: what must not be seen is known for x86-64");
        return;
    }
    for name in forbidden {
        let test = sample(name);
        for strategy in [Strategy::Batched, Strategy::Perpetual] {
            if strategy == Strategy::Perpetual && not_perpetual(&test).is_some() {
                continue;
            }
            let seen = run_until(&test, strategy, |tally| tally.counts.frames > 100_000);
            assert!(seen.counts.frames > 100_000, "{name} {strategy}: {seen:?}");
            assert_eq!(seen.counts.witnesses, 0, "{name} {strategy}: {seen:?}");
        }
    }
}

#[test]
fn which_tests_can_run_perpetually_follows_from_what_they_do() {
    for (name, why) in [
        ("SB-relaxed", None),
        ("SB-seqcst", None),
        ("MP-relaxed", None),
        ("LB-relaxed", None),
        ("CoRR-relaxed", None),
        ("2+2W-release", Some("two stores to one location")),
        ("IRIW-acquire", Some("only two threads can be paired by what they read")),
        ("counter-fetch-add", Some("it does more than load, store a constant, and fence")),
        ("MP-plain-data", Some("it does more than load, store a constant, and fence")),
    ] {
        assert_eq!(not_perpetual(&sample(name)), why, "{name}");
    }
    let text = "C R\n{}\nP0 (atomic_int* x, atomic_int* y) { atomic_store(x,1); atomic_store(y,1); }\n\
        P1 (atomic_int* z, atomic_int* x) { atomic_store(z,2); int r0 = atomic_load(x); }\nexists (y=1 /\\ 1:r0=0)";
    assert_eq!(not_perpetual(&parse("R", text).unwrap()), Some("the condition asks for a location's final value"));
    assert!(Runner::start(&sample("IRIW-acquire"), Strategy::Perpetual).is_err());
}

#[test]
fn a_batched_run_counts_every_value_and_resets_between_rounds() {
    let text = "C t\n{ [x]=5; }\nP0 (atomic_int* x, int* d) { int r0 = atomic_fetch_add(x,100000); *d = -3; }\n\
        P1 (atomic_int* x) { int r0 = atomic_fetch_add(x,100000); }\nforall (x=200005 /\\ d=-3 /\\ (0:r0=5 \\/ 1:r0=5))";
    let seen = run_until(&parse("t", text).unwrap(), Strategy::Batched, |tally| tally.counts.frames > 50_000);
    assert_eq!(seen.counts.witnesses, seen.counts.frames);
    assert_eq!(seen.counts.iterations, 2 * seen.counts.frames);
    let possible = [vec![5, 100_005, -3, 200_005], vec![100_005, 5, -3, 200_005]];
    assert!(seen.states.keys().all(|state| possible.contains(state)), "{seen:?}");
}

#[test]
fn more_threads_than_cpus_make_progress_and_say_so() {
    let threads =
        (0..8).map(|n| format!("P{n} (atomic_int* x) {{ atomic_fetch_add(x,1); }}\n")).collect::<Vec<_>>().concat();
    let test = parse("t", &format!("C t\n{{}}\n{threads}forall (x=8)")).unwrap();
    let runner = Runner::start(&test, Strategy::Auto).unwrap();
    let few = available_cpus().len() < 8;
    assert_eq!(runner.cpus().is_empty(), few);
    assert_eq!(runner.notes().iter().any(|note| note.contains("8 threads take turns")), few);
    runner.run();
    let deadline = Instant::now() + Duration::from_secs(20);
    while runner.tally().counts.frames < 10_000 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
    let seen = runner.finish();
    assert!(seen.counts.frames >= 10_000, "{seen:?}");
    assert_eq!(seen.states, HashMap::from([(vec![8], seen.counts.frames)]));
}

#[test]
fn it_rests_and_goes_on_however_fast_the_wishes_come() {
    let runner = Runner::start(&sample("SB-relaxed"), Strategy::Batched).unwrap();
    for _ in 0..200 {
        runner.run();
        runner.rest();
        runner.rest();
        runner.run();
    }
    runner.rest();
    let settled = |runner: &Runner| {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let before = runner.tally();
            std::thread::sleep(Duration::from_millis(30));
            if runner.tally() == before {
                return before;
            }
            assert!(Instant::now() < deadline, "it does not come to rest");
        }
    };
    let before = settled(&runner);
    runner.run();
    let deadline = Instant::now() + Duration::from_secs(10);
    while runner.tally().counts.frames == before.counts.frames {
        assert!(Instant::now() < deadline, "it does not go on");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Every plan counts what it runs, and shows nothing that x86 forbids.
#[test]
fn every_plan_is_tried_and_one_is_chosen() {
    for (name, possible) in [("SB-relaxed", true), ("SB-fences", false), ("IRIW-acquire", false)] {
        let test = sample(name);
        let mut trials = Trials::start(test.clone(), Strategy::Auto, true).unwrap();
        let plans = trials.waiting();
        trials.runner().unwrap().run();
        let deadline = Instant::now() + Duration::from_secs(30);
        let mut steps = 0;
        while trials.is_searching() {
            assert!(Instant::now() < deadline, "{name}: the search does not end");
            std::thread::sleep(Duration::from_millis(5));
            steps += usize::from(trials.step().unwrap());
        }
        // Each of them, the best with its CPUs moved on, and the chosen one.
        assert_eq!(steps, plans + 1 + usize::from(has_cpus(&test)), "{name}");
        let note = trials.note().unwrap().to_owned();
        assert!(note.contains("this one showed most"), "{note}");
        let before = trials.tally();
        while trials.tally().counts.frames == before.counts.frames {
            assert!(Instant::now() < deadline, "{name}: the chosen plan does not run");
            std::thread::sleep(Duration::from_millis(1));
        }
        let seen = trials.finish();
        assert_eq!(seen.states.values().sum::<u64>(), seen.counts.frames, "{name}");
        if !possible && Architecture::host() == Ok(Architecture::X86_64) {
            assert_eq!(seen.counts.witnesses, 0, "{name}: {seen:?}");
        }
    }
}

#[test]
fn a_time_base_needs_cpus() {
    let fault = Plan::first(&sample("SB-relaxed"), Strategy::Timebase, false).unwrap_err();
    assert!(fault.what.contains("a CPU for each thread"), "{fault:?}");
}

#[test]
fn a_filter_leaves_out_what_it_excludes() {
    let text = "C t\n{}\nP0 (atomic_int* x) { int r0 = atomic_fetch_add(x,1); }\n\
        P1 (atomic_int* x) { int r0 = atomic_fetch_add(x,1); }\nfilter (0:r0=0)\nforall (1:r0=1)";
    let seen = run_until(&parse("t", text).unwrap(), Strategy::Auto, |tally| tally.counts.frames > 20_000);
    assert!(seen.states.keys().all(|state| state[..] == [0, 1]), "{seen:?}");
}
