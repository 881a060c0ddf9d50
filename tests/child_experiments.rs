//! `syncscope run --experiment`: every experiment with child processes shows
//! what the manual says, the survey of waits says why, and nothing is left
//! behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod terminal;

use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use syncscope::backend::children::experiments::EXPERIMENTS;
use terminal::relatives::Mark;

fn play(arguments: &[&str], mark: &Mark) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.env(terminal::relatives::VARIABLE, mark.value()).args(["run", "--experiment"]).args(arguments);
    command.output().unwrap()
}

fn shown(keys: &str) -> Vec<Value> {
    let mark = Mark::new();
    let output = play(&[keys, "--json"], &mark);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    mark.assert_gone_within(Duration::from_secs(1));
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert_eq!(line["schema"], "syncscope.run.experiment/1");
        // Whoever may not look into others' processes cannot rule out that one of
        // them acts; what is seen is never otherwise than the manual says.
        let hidden = line["as_documented"].is_null() && !nix::unistd::geteuid().is_root();
        assert!(hidden || line["as_documented"] == true, "{line:#}");
        assert!(line["statement"].as_str().unwrap().ends_with('.') && line["skipped"].is_null());
    }
    lines
}

/// What the survey said in an experiment, the first time it was asked.
fn why(line: &Value) -> &Value {
    line["observed"].as_array().unwrap().iter().map(|seen| &seen["why"]).find(|why| !why.is_null()).unwrap()
}

#[test]
fn deadlocks_are_named_by_the_survey() {
    for line in shown("grep-deadlock,wait-before-read") {
        let why = why(&line);
        assert_eq!(why["schema"], "syncscope.why/1");
        if line["as_documented"].is_null() {
            eprintln!(
                "skipped: {}: other users' processes may hold its pipes, and may not be read",
                line["experiment"]
            );
            assert!(why["deadlocks"].as_array().unwrap().is_empty(), "what is not proved is not claimed: {line:#}");
            continue;
        }
        assert_eq!(why["deadlocks"].as_array().unwrap().len(), 1);
        assert_eq!(why["deadlocks"][0]["certainty"], "certain");
        assert_eq!(why["deadlocks"][0]["cycle"].as_array().unwrap().len(), 2);
    }
}

#[test]
fn waiting_lives_and_pipes_are_as_documented() {
    let keys = "grep-mended,wait-try-wait-kill,zombie,orphan,sigpipe,descriptor-leak,spawn-errors";
    assert_eq!(shown(keys).len(), 7);
}

#[test]
fn forks_leave_locks_that_nobody_holds() {
    let lines = shown("fork-with-mutex,fork-with-malloc,pre-exec");
    let mutex = &why(&lines[0])["threads"][0];
    assert_eq!(mutex["wait"]["kind"], "pthread_mutex");
    assert_eq!((&mutex["wait"]["orphaned"], &mutex["verdict"]), (&Value::Bool(true), &Value::from("stuck")));
    if lines[2]["as_documented"].is_null() {
        eprintln!("skipped: pre-exec: other users' processes may hold its socket, and may not be read");
        return;
    }
    let spawning = why(&lines[2])["threads"].as_array().unwrap().iter().filter(|one| one["verdict"] == "stuck");
    assert_eq!(spawning.count(), 2, "who spawns, and its child");
}

#[test]
fn costs_are_measured_for_every_way_and_size() {
    let lines = shown("spawn-costs");
    let seen: Vec<&str> =
        lines[0]["observed"].as_array().unwrap().iter().filter_map(|seen| seen["text"].as_str()).collect();
    assert_eq!(seen.len(), 4, "{seen:?}");
    for way in ["posix_spawn", "vfork", "clone3", "fork+exec"] {
        assert!(seen[1..].iter().all(|line| line.contains(way)), "{way}: {seen:?}");
    }
}

/// Each of them is in one of the tests above.
#[test]
fn all_are_offered_and_unknown_ones_are_refused() {
    assert_eq!(EXPERIMENTS.len(), 2 + 7 + 3 + 1);
    let mark = Mark::new();
    let output = play(&["no-such"], &mark);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(EXPERIMENTS.iter().all(|known| said.contains(known.key)), "{said}");
    let output = play(&["zombie", "--no-ui", "--", "true"], &mark);
    assert_eq!(output.status.code(), Some(2), "an experiment or a command");
    let output = play(&["zombie"], &mark);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.starts_with("a child has ended and nobody has waited for it (zombie)\n"), "{said}");
}
