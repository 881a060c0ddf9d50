//! The wait-for graph that the dashboard is given: a deadlock appears in it by
//! itself, and goes when its processes do.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "waits/target.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod target;

use std::time::{Duration, Instant};

use syncscope::backend::{Backend, Command, Options, Topics, Update};
use syncscope::model::graph::{Verdict, WaitGraph};
use syncscope::model::wait::Certainty;
use target::Target;

/// Polls until a graph satisfies `test`.
fn until(backend: &mut Backend, test: impl Fn(&WaitGraph) -> bool) -> WaitGraph {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut last = None;
    while Instant::now() < deadline {
        backend.poll(|update| {
            if let Update::Graph(graph) = update {
                last = Some(graph);
            }
        });
        if let Some(graph) = last.as_ref().filter(|graph| test(&graph.value)) {
            return graph.value.clone();
        }
        let _ = backend.bell().recv_timeout(Duration::from_millis(100));
    }
    panic!("{last:#?}");
}

fn start() -> Backend {
    let options = Options { refresh: Duration::from_millis(100), ..Options::default() };
    let mut backend = Backend::start(&options);
    backend.send(Command::Watch(Topics { graph: true, ..Topics::default() }));
    backend
}

#[test]
fn a_deadlock_appears_and_goes() {
    let mut backend = start();
    let target = Target::program("chains.c", &["-pthread"], &["locks"]);
    let pid = target.pid();
    let dead = |graph: &WaitGraph| graph.deadlocks.iter().any(|dead| dead.cycle.iter().all(|id| id.pid == pid));
    let graph = until(&mut backend, dead);
    let deadlock = graph.deadlocks.iter().find(|dead| dead.cycle[0].pid == pid).unwrap();
    assert_eq!((deadlock.cycle.len(), deadlock.stuck.len(), deadlock.certainty), (2, 4, Certainty::Certain));
    let verdicts = |verdict| graph.threads_of(pid).iter().filter(|thread| thread.verdict == verdict).count();
    assert_eq!((verdicts(Verdict::Deadlocked), verdicts(Verdict::Stuck)), (2, 2), "{graph:#?}");
    assert!(graph.thread(deadlock.cycle[0]).unwrap().wait.as_ref().unwrap().since.is_some(), "its age is told");
    // It stands, reading after reading.
    for _ in 0..25 {
        assert!(dead(&until(&mut backend, |_| true)));
    }
    drop(target);
    until(&mut backend, |graph| !dead(graph));
}

/// What the readings of the process table cannot tell raises a suspicion all the same.
#[test]
fn a_lock_whose_holder_nobody_is_left_to_wake_appears() {
    let c = [("pressed.c", &["-pthread"][..], &["semaphore"][..]), ("pressed.c", &["-pthread", "-s"], &["asleep"])];
    let cxx = &["-std=c++20", "-pthread", "-O2", "-g"][..];
    let cxx = ["latch", "future"].map(|kind| ("pressed.cpp", cxx, [kind, "asleep"]));
    let cxx = cxx.iter().map(|(program, options, kind)| (*program, *options, &kind[..]));
    let mut backend = start();
    for (program, options, kind) in c.into_iter().chain(cxx.filter(|_| target::has_cxx())) {
        let target = Target::program(program, options, kind);
        let dead = |graph: &WaitGraph| graph.deadlocks.iter().any(|dead| dead.cycle[0].pid == target.pid());
        until(&mut backend, dead);
    }
}

#[test]
fn a_loop_that_ends_by_itself_is_never_told_as_a_deadlock() {
    let mut backend = start();
    let target = Target::program("chains.c", &["-pthread"], &["timed"]);
    let pid = target.pid();
    let waits = |graph: &WaitGraph| graph.threads_of(pid).iter().filter(|thread| thread.wait.is_some()).count() == 5;
    for _ in 0..25 {
        let graph = until(&mut backend, waits);
        assert!(graph.threads_of(pid).iter().all(|thread| !thread.verdict.is_for_ever()), "{graph:#?}");
    }
}
