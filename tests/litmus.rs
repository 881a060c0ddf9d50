//! `syncscope litmus`, from outside: real workers, real machine code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn syncscope(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.arg("litmus").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(args: &[&str]) -> Output {
    syncscope(args).output().unwrap()
}

fn objects(args: &[&str]) -> Vec<Value> {
    let output = output(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What it says where it cannot do what is asked.
fn refused(args: &[&str]) -> String {
    let output = output(args);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn sample(file: &str) -> String {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "tests", "litmus_samples", file].iter().collect();
    path.into_os_string().into_string().unwrap()
}

fn cpus() -> usize {
    std::thread::available_parallelism().unwrap().get()
}

#[test]
fn check_gives_the_reference_answers_as_json() {
    let table = std::fs::read_to_string(sample("expected.tsv")).unwrap();
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let model = if fields[1] == "c2tso" { "tso" } else { fields[1] };
        if model == "c11_partialSC" {
            continue;
        }
        let file = sample(fields[0]);
        let found = objects(&["check", &file, "--model", model, "--json"]).remove(0);
        assert_eq!(found["schema"], "syncscope.litmus.check/1");
        assert_eq!(found["file"], file.as_str());
        assert_eq!((&found["model"], &found["condition"]), (&Value::from(model), &Value::from(fields[7])), "{row}");
        assert_eq!((&found["verdict"], &found["observation"]), (&fields[2].into(), &fields[3].into()), "{row}");
        assert_eq!(found["race"], fields[4] == "Race", "{row}");
        assert_eq!(found["race_pair"].is_array(), fields[4] == "Race", "{row}");
        let states: BTreeSet<&str> =
            found["states"].as_array().unwrap().iter().map(|state| state.as_str().unwrap()).collect();
        assert_eq!(states, fields[6].split(" | ").collect(), "{row}");
        assert_eq!(found["witness"].is_null(), fields[2] == "Forbidden", "{row}");
        assert_eq!(found["broken_axiom"].is_null(), fields[2] == "Allowed", "{row}");
    }
}

#[test]
fn run_counts_what_this_machine_shows() {
    let done = objects(&["run", "SB-relaxed", &sample("SB-fences.litmus"), "--seconds", "0.5", "--json"]);
    let [relaxed, fenced] = &done[..] else { panic!("{done:?}") };
    for run in [relaxed, fenced] {
        assert_eq!(run["schema"], "syncscope.litmus.run/1");
        let chosen = run["strategy"].as_str().unwrap();
        assert!(["batched", "perpetual", "timebase"].contains(&chosen), "{chosen}");
        assert_eq!(run["alarms"], Value::Array(Vec::new()));
        assert!(run["iterations"].as_u64().unwrap() > 0 && run["seconds"].as_f64().unwrap() > 0.0);
        let states = run["states"].as_array().unwrap();
        let seen: u64 = states.iter().map(|state| state["count"].as_u64().unwrap()).sum();
        assert_eq!(seen, run["frames"].as_u64().unwrap());
        assert!(states.iter().all(|state| state["sc"].is_boolean() && state["rust"].is_boolean()));
    }
    assert_eq!(fenced["target"]["witnesses"], 0, "a fence in each thread forbids it");
    if cpus() < 2 {
        println!("skipped: relaxed outcomes need two CPUs");
        return;
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let run = objects(&["run", "SB-relaxed", "--seconds", "0.5", "--json"]).remove(0);
        if run["target"]["distinct"].as_u64().unwrap() > 0 {
            assert!(run["target"]["per_second"].as_f64().unwrap() > 0.0);
            return;
        }
        assert!(Instant::now() < deadline, "store buffering was not seen: {run}");
    }
}

#[test]
fn progress_comes_every_second_and_the_result_at_the_end() {
    let lines = objects(&["run", "R-relaxed", "--strategy", "batched", "--seconds", "2.3", "--json", "--progress"]);
    assert!(lines.len() >= 2, "{lines:?}");
    let iterations: Vec<u64> = lines.iter().map(|line| line["iterations"].as_u64().unwrap()).collect();
    assert!(iterations.is_sorted() && iterations[0] < *iterations.last().unwrap(), "{iterations:?}");
}

#[test]
fn csv_has_a_row_for_each_state() {
    let output = output(&["run", "counter-fetch-add", "--seconds", "0.2", "--csv"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<&str> = text.lines().collect();
    assert!(rows[0].starts_with("test,strategy,seconds,"), "{text}");
    assert!(rows.iter().any(|row| row.contains("[x]=2;,") && row.starts_with("counter-fetch-add,batched,")), "{text}");
}

#[test]
fn list_and_show_tell_what_there_is() {
    let listed = objects(&["list", "--json"]);
    assert!(listed.len() >= 15 && listed.iter().any(|test| test["test"] == "MP-release-acquire"));
    let shown = String::from_utf8(output(&["show", "mp-relaxed"]).stdout).unwrap();
    for part in ["x.store(1, Relaxed);", "rust  Allowed", "tso   Forbidden", "─fr→"] {
        assert!(shown.contains(part), "{part} is missing in\n{shown}");
    }
}

#[test]
fn what_cannot_be_done_is_said_in_a_sentence() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let wrong = file("wrong.litmus", b"C wrong\n{}\nP0 (atomic_int* x) {\n  atomic_store(x 1);\n}\nexists (x=1)\n");
    assert!(refused(&["run", &wrong]).contains(&format!("{wrong}: line 4, column 18: expected ',', found '1'")));
    let unknown = file("unknown.litmus", b"C u\n{}\nP0 (atomic_int* x) { }\nexists (0:r7=1)\n");
    assert!(refused(&["check", &unknown]).contains("line 4, column 11: thread 0 has no register 'r7'"));
    let bytes = file("bytes.litmus", b"C b\n\xff\xfe\n");
    assert!(refused(&["check", &bytes]).contains("line 2 is not UTF-8"));
    let hostile = file("hostile.litmus", b"C \x1b[2J\n\x1b[31m{}");
    assert!(!refused(&["check", &hostile]).contains('\x1b'));
    // One that cannot be judged keeps no other from being so.
    let both = output(&["check", &wrong, &unknown, "SB-relaxed", "--model", "sc"]);
    let (out, err) = (String::from_utf8(both.stdout).unwrap(), String::from_utf8(both.stderr).unwrap());
    assert!(!both.status.success() && out.contains("SB-relaxed") && out.contains("Forbidden"), "{out}");
    assert!(err.contains("wrong.litmus: line 4") && err.contains("unknown.litmus: line 4"), "{err}");
    assert!(refused(&["check", "/dev/zero"]).contains("more than 65536 bytes"));
    assert!(refused(&["check", directory.path().to_str().unwrap()]).contains("cannot read it"));
    assert!(refused(&["check", "/nowhere/at.all"]).contains("cannot open it: No such file"));
    assert!(refused(&["run", "SB-relaxd"]).contains("did you mean 'SB-relaxed'?"));
    assert!(refused(&["check", "SB-relaxed", "--model", "power"]).contains("there are sc, tso, rc11, rust"));
    assert!(refused(&["run", "SB-relaxed", "--seconds", "0"]).contains("--seconds"));
    let perpetual = refused(&["run", "IRIW-acquire", "--strategy", "perpetual"]);
    assert!(perpetual.contains("cannot run perpetually: only two threads"), "{perpetual}");
    // Nor one that cannot be run so.
    let few = ["--strategy", "perpetual", "--seconds", "0.2"];
    let both = output(&[&["run", "IRIW-acquire", "R-relaxed", "SB-relaxed"], &few[..]].concat());
    let (out, err) = (String::from_utf8(both.stdout).unwrap(), String::from_utf8(both.stderr).unwrap());
    assert!(both.status.code() == Some(2) && out.contains("SB-relaxed"), "{out}{err}");
    assert!(err.contains("IRIW-acquire cannot run") && err.contains("R-relaxed cannot run"), "{err}");
}

#[test]
fn an_interrupted_run_ends_at_once_and_leaves_no_worker() {
    let mut child = syncscope(&["run", "SB-relaxed", "--seconds", "600", "--json", "--progress"]).spawn().unwrap();
    let pid = Pid::from_raw(child.id() as i32);
    let children = format!("/proc/{pid}/task/{pid}/children");
    let deadline = Instant::now() + Duration::from_secs(20);
    // The worker is started by a thread of the lab.
    let workers = loop {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
        let of_task =
            |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let all: Vec<i32> =
            tasks.map(of_task).collect::<String>().split_whitespace().map(|pid| pid.parse().unwrap()).collect();
        if !all.is_empty() {
            break all;
        }
        assert!(Instant::now() < deadline, "no worker: {children}");
        std::thread::sleep(Duration::from_millis(5));
    };
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let gone = |worker: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        stat.is_empty() || stat.contains(") Z ")
    };
    while !workers.iter().all(gone) {
        assert!(Instant::now() < deadline, "workers are left: {workers:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
