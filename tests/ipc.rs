//! `syncscope ipc`, from outside: real workers, real channels.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use syncscope::backend::lab::ipc::{Family, TRANSPORTS};

/// A few of them, for what does not depend on the kind.
const FEW: &str = "pipe,unix_stream,memfd_ring";

fn syncscope(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.arg("ipc").args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn points(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let points: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let nothing = !points.is_empty() && points.iter().all(|point| point["skipped"].is_string());
    assert_eq!(output.status.code(), Some(if nothing { 2 } else { 0 }), "{output:?}");
    points
}

fn measure(args: &[&str]) -> Vec<Value> {
    points(&syncscope(args).arg("--json").output().unwrap())
}

/// A run whose workers can be found by a mark in their environment, however
/// they were started.
struct Run {
    child: Child,
    mark: String,
}

impl Run {
    fn start(args: &[&str]) -> Self {
        let mark = format!("SYNCSCOPE_TEST={}-{:?}", std::process::id(), Instant::now());
        let child = syncscope(args).env("SYNCSCOPE_TEST", mark.split_once('=').unwrap().1).spawn().unwrap();
        Run { child, mark }
    }

    /// The processes of this run that serve this transport's end.
    fn workers(&self) -> Vec<i32> {
        let mut pids = Vec::new();
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
            let read = |file| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let has_mark = read("environ").split(|&b| b == 0).any(|var| var == self.mark.as_bytes());
            let line = read("cmdline");
            let args: Vec<_> = line.split(|&b| b == 0).collect();
            let is_worker = args.contains(&&b"worker"[..]) && !args.contains(&&b"--janitor"[..]);
            if has_mark && is_worker {
                pids.push(pid);
            }
        }
        pids.sort_unstable();
        pids
    }

    fn wait_for_workers(&self, count: usize) -> Vec<i32> {
        wait_until("the workers are there", || Some(self.workers()).filter(|pids| pids.len() == count))
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn every_transport_is_measured_at_every_size() {
    let found = measure(&["--size", "1,8,70000", "--seconds", "0.04", "--repeat", "2", "--payload", "scanned"]);
    let each = 2 * TRANSPORTS.len();
    assert_eq!(found.len(), 3 * each);
    let mut measured = std::collections::BTreeSet::new();
    for (point, size) in found.iter().zip([1, 8, 70_000].into_iter().flat_map(|size| vec![size; each])) {
        assert_eq!(point["schema"], "syncscope.ipc/1");
        assert_eq!(point["size"], size);
        assert_eq!(point["corrupt"], 0, "{point}");
        if !point["skipped"].is_null() {
            // The reasons there can be: a machine with one CPU, and a message
            // that this transport cannot carry.
            let why = point["skipped"].as_str().unwrap();
            let named = ["two CPUs", "does not fit", "limit"].iter().any(|reason| why.contains(reason));
            assert!(named && (size != 8 || why.contains("two CPUs")), "{point}");
            assert!(point["throughput"].is_null() && point["round_trip_ns"].is_null());
            continue;
        }
        measured.insert(point["transport"].to_string());
        assert_eq!(point["repeats"], 2);
        assert!(point["buffer"].as_u64().unwrap() > 0 && point["setup_ns"].as_u64().unwrap() > 0);
        if point["lost"] != 0 {
            assert!(about(point).loses, "{point}");
            assert!(point["flags"].to_string().contains("lost"), "{point}");
            continue;
        }
        assert!(point["cpu_ns_per_message"]["receiver"].as_f64().unwrap() > 0.0);
        if point["mode"] == "latency" {
            let q = &point["round_trip_ns"];
            let order: Vec<_> = ["p50", "p90", "p99", "p999", "max"].iter().map(|p| q[p].as_u64().unwrap()).collect();
            assert!(order[0] > 0 && order.is_sorted(), "{point}");
            assert!(point["throughput"].is_null());
        } else {
            let bytes = &point["throughput"]["bytes_per_s"];
            let figure = |name: &str| bytes[name].as_f64().unwrap();
            assert!(figure("min") > 0.0 && figure("min") <= figure("median") && figure("median") <= figure("max"));
            assert!(point["round_trip_ns"].is_null());
        }
    }
    assert!(measured.is_empty() || measured.len() == TRANSPORTS.len(), "all of them carry 8 bytes: {measured:?}");
}

fn about(point: &Value) -> &'static syncscope::backend::lab::ipc::About {
    let key = point["transport"].as_str().unwrap();
    TRANSPORTS.iter().map(|transport| transport.about()).find(|about| about.key == key).unwrap()
}

#[test]
fn what_is_chosen_is_what_is_measured() {
    let args = ["--transport", "memfd_ring,pipe", "--mode", "latency", "--size", "4K", "--placement", "unpinned"];
    let found = measure(&[&args[..], &["--seconds", "0.02", "--wait", "spin", "--buffer", "64K"]].concat());
    let keys: Vec<_> = found.iter().map(|p| p["transport"].as_str().unwrap()).collect();
    assert_eq!(keys, ["memfd_ring", "pipe"]);
    for point in &found {
        assert_eq!((&point["mode"], &point["wait"]), (&"latency".into(), &"spin".into()));
        assert_eq!((&point["size"], &point["buffer"]), (&4096.into(), &65_536.into()));
        assert!(point["skipped"].is_null());
    }
}

#[test]
fn what_cannot_run_says_why_and_the_rest_goes_on() {
    let found = measure(&["--wait", "futex", "--size", "64", "--seconds", "0.02", "--placement", "unpinned"]);
    for point in found {
        if about(&point).waits.contains(&syncscope::model::channel::Waiting::Futex) {
            assert!(point["skipped"].is_null(), "{point}");
        } else {
            assert!(point["skipped"].as_str().unwrap().contains("cannot wait by futex"), "{point}");
            assert!(point["throughput"].is_null() && point["round_trip_ns"].is_null());
        }
    }
    let found = measure(&["--buffer", "1T", "--size", "64", "--seconds", "0.02", "--placement", "unpinned"]);
    assert!(found.iter().all(|point| point["skipped"].is_string()), "{found:?}");
}

#[test]
fn one_cpu_is_named_as_the_reason() {
    std::thread::spawn(|| {
        // Affinity is inherited from this thread alone.
        syncscope::sys::affinity::bind(&syncscope::sys::affinity::allowed().unwrap()[..1]).unwrap();
        let found = measure(&["--size", "64", "--seconds", "0.02", "--transport", FEW]);
        assert!(found.iter().all(|p| p["skipped"].as_str().unwrap().contains("two CPUs")), "{found:?}");
        let found = measure(&["--size", "64", "--seconds", "0.02", "--placement", "same-cpu", "--transport", FEW]);
        assert!(found.iter().all(|p| p["skipped"].is_null()), "{found:?}");
    })
    .join()
    .unwrap();
}

#[test]
fn the_table_and_the_csv_have_a_row_for_each_point() {
    let args = ["--size", "64", "--seconds", "0.02", "--placement", "unpinned"];
    let table = syncscope(&args).output().unwrap();
    let text = String::from_utf8(table.stdout).unwrap();
    for key in keys() {
        let of_key = |line: &&str| line.split_whitespace().next() == Some(key);
        assert_eq!(text.lines().filter(of_key).count(), 2, "{text}");
    }
    assert!(text.contains("B/s") && text.contains("p99.9"), "{text}");
    assert!(table.stderr.is_empty(), "progress is for terminals");
    let csv = syncscope(&args).arg("--csv").output().unwrap();
    let lines: Vec<_> = std::str::from_utf8(&csv.stdout).unwrap().lines().collect();
    assert_eq!(lines.len(), 1 + 2 * TRANSPORTS.len());
    assert!(lines[0].starts_with("transport,mode,size,"));
}

#[test]
fn a_rate_is_kept_and_measured_against_intended_times() {
    let args = ["--transport", "pipe,udp4", "--mode", "latency", "--size", "64", "--placement", "unpinned"];
    let found = measure(&[&args[..], &["--seconds", "0.4", "--repeat", "2", "--rate", "1000"]].concat());
    for point in &found {
        assert_eq!(point["open_loop_rate"]["intended"], 1000.0);
        let reached = point["open_loop_rate"]["reached"].as_f64().unwrap();
        assert!(reached <= 1050.0, "never faster than asked for: {point}");
        // Half of 0.4 s at 1,000 a second, in two repetitions.
        assert_eq!(point["open_loop_ns"]["count"], 200, "{point}");
        assert!(point["round_trip_ns"]["count"].as_u64().unwrap() > 0);
        assert!(point["throughput"].is_null());
    }
    // More than any pipe can: that it was not reached is said.
    let found = measure(&[&args[..], &["--seconds", "0.1", "--repeat", "1", "--rate", "20000000"]].concat());
    assert!(found[0]["flags"].to_string().contains("of the rate was reached"), "{}", found[0]);
    let open = &found[0]["open_loop_ns"];
    assert!(
        open["p99"].as_u64() > found[0]["round_trip_ns"]["p50"].as_u64(),
        "who is late counts from when it was due"
    );
}

/// UDP loses what finds no room: the receiver's throughput stands beside the
/// share that was lost.
#[test]
fn what_udp_loses_is_told_beside_what_it_delivers() {
    let args = ["--transport", "udp4", "--mode", "throughput", "--size", "64", "--placement", "unpinned"];
    let point = &measure(&[&args[..], &["--seconds", "0.2", "--repeat", "2"]].concat())[0];
    let said = point["flags"].to_string();
    assert_eq!(said.contains("messages lost: the figures are of those that came"), point["lost"] != 0, "{point}");
    assert!(point["throughput"]["messages_per_s"]["median"].as_f64().unwrap() > 0.0, "{point}");
    assert_eq!(point["corrupt"], 0);
}

#[test]
fn an_earlier_run_is_compared_with_and_what_is_no_such_run_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("before.jsonl");
    let path = file.to_str().unwrap();
    let args = ["--transport", "pipe", "--size", "64", "--placement", "unpinned", "--seconds", "0.1", "--repeat", "3"];
    let before = syncscope(&args).arg("--json").output().unwrap().stdout;
    std::fs::write(&file, &before).unwrap();
    let found = measure(&[&args[..], &["--baseline", path]].concat());
    assert_eq!(found.len(), 2);
    for point in &found {
        let ratio = &point["baseline"]["ratio"];
        let figure = |name: &str| ratio[name].as_f64().unwrap();
        assert!(figure("min") <= figure("median") && figure("median") <= figure("max"), "{point}");
        assert!(point["baseline"]["beyond_spread"].is_boolean());
    }
    // What was measured in another way is not compared.
    let other = ["--transport", "pipe", "--size", "128", "--placement", "unpinned", "--seconds", "0.02"];
    let found = measure(&[&other[..], &["--baseline", path]].concat());
    assert!(found.iter().all(|point| point["baseline"].is_null()));
    for (text, place) in [("", "holds no results"), ("{}\n", ":1:1"), ("nonsense", ":1:"), ("\n{\"a\":", ":2:")] {
        std::fs::write(&file, text).unwrap();
        let output = syncscope(&["--baseline", path]).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{text:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(path) && said.contains(place), "{text:?}: {said}");
    }
}

#[test]
fn shared_memory_between_two_cpus_says_how_far_apart_they_are() {
    let found = measure(&["--transport", "pipe,memfd_ring,process_vm", "--size", "64", "--seconds", "0.02"]);
    for point in found.iter().filter(|point| point["skipped"].is_null()) {
        let shared = point["transport"] != "pipe";
        assert!(shared || point["core_to_core_ns"].is_null());
        if let Some(median) = point["core_to_core_ns"]["median"].as_f64() {
            assert!(median > 1.0, "{point}");
        }
    }
}

#[test]
fn what_goes_wrong_is_shown_and_explained() {
    let found = measure(&["--failure", "all"]);
    assert_eq!(found.len(), syncscope::backend::lab::ipc::failures::FAILURES.len());
    for experiment in &found {
        assert_eq!(experiment["schema"], "syncscope.ipc.failure/1");
        assert_eq!(experiment["as_documented"], true, "{experiment}");
        assert!(!experiment["observed"].as_array().unwrap().is_empty());
    }
    let output = syncscope(&["--failure", "kill-reader,datagram-loss"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("roken pipe") && text.contains("were dropped") && text.matches('⇒').count() == 2, "{text}");
}

#[test]
fn mistakes_are_answered_with_what_exists() {
    let cases = [
        (["--transport", "pip"], "pipe"),
        (["--placement", "cross"], "cross-cpu"),
        (["--wait", "spin-prk"], "spin-park"),
        (["--size", "0"], "1 to 16M"),
        (["--size", "1T"], "16M"),
        (["--seconds", "x"], "number of seconds"),
        (["--repeat", "0"], "1..=1000"),
        (["--rate", "0"], "messages a second"),
        (["--baseline", "/nowhere"], "/nowhere"),
    ];
    for (args, hint) in cases {
        let output = syncscope(&args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(hint), "{args:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_interrupt_ends_with_130_and_leaves_nobody() {
    let args = ["--size", "64", "--seconds", "60", "--repeat", "1", "--placement", "unpinned"];
    let mut run = Run::start(&[&args[..], &["--transport", FEW]].concat());
    run.wait_for_workers(6);
    run.signal(Signal::SIGINT);
    assert_eq!(run.child.wait().unwrap().code(), Some(130));
    assert_eq!(run.workers(), Vec::<i32>::new(), "they are gone before it ends");
}

#[test]
fn workers_do_not_outlive_a_killed_program() {
    let args = ["--size", "8", "--seconds", "60", "--repeat", "1", "--placement", "unpinned"];
    for key in keys() {
        let mut run = Run::start(&[&args[..], &["--transport", key]].concat());
        let workers = run.wait_for_workers(processes_of(key));
        // One is in the middle of a measured loop when it has used CPU time.
        wait_until("it is at work", || (cpu_ticks(workers[0]) > 2).then_some(()));
        run.signal(Signal::SIGKILL);
        run.child.wait().unwrap();
        wait_until("the workers are gone", || run.workers().is_empty().then_some(()));
    }
}

fn keys() -> impl Iterator<Item = &'static str> {
    TRANSPORTS.iter().map(|transport| transport.about().key)
}

/// Where both sides are threads, one process is both of them.
fn processes_of(key: &str) -> usize {
    let family = syncscope::backend::lab::ipc::transport(key).unwrap().about().family;
    if family == Family::OneProcess { 1 } else { 2 }
}

/// Whichever side dies, in whichever transport, the point says so and the run
/// ends: within a second on a machine that has nothing else to do.
#[test]
fn a_side_that_is_killed_is_reported_soon_by_every_transport() {
    let args = ["--size", "8", "--seconds", "60", "--repeat", "1", "--placement", "unpinned", "--json"];
    for (index, key) in keys().enumerate() {
        let mode = if index % 2 == 0 { "throughput" } else { "latency" };
        let sides = processes_of(key);
        for victim in 0..sides {
            let mut run = Run::start(&[&args[..], &["--transport", key, "--mode", mode]].concat());
            let workers = run.wait_for_workers(sides);
            wait_until("it is at work", || (workers.iter().map(|pid| cpu_ticks(*pid)).sum::<u64>() > 2).then_some(()));
            kill(Pid::from_raw(workers[victim]), Signal::SIGKILL).unwrap();
            let killed = Instant::now();
            assert_eq!(run.child.wait().unwrap().code(), Some(2), "nothing was measured");
            let took = killed.elapsed();
            let mut said = String::new();
            run.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
            let point: Value = serde_json::from_str(&said).unwrap();
            let why = point["skipped"].as_str().unwrap_or_default();
            assert!(why.contains("SIGKILL") && why.contains(&workers[victim].to_string()), "{key}: {point}");
            assert!(took < Duration::from_secs(3), "{key} {mode}, side {victim}: {took:?}");
        }
    }
}

fn cpu_ticks(pid: i32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.get(11..13).map_or(0, |f| f.iter().filter_map(|t| t.parse::<u64>().ok()).sum())
}

/// Kills or stops one worker of a pipe; the point says which and how, the
/// other transport has its figures.
fn harm_one(signal: Signal) -> String {
    let args = ["--transport", "pipe,memfd_ring", "--mode", "throughput", "--size", "64", "--placement", "unpinned"];
    let mut run = Run::start(&[&args[..], &["--seconds", "3", "--repeat", "1", "--json"]].concat());
    // The pipe's workers are started first.
    let workers = run.wait_for_workers(4);
    wait_until("the pipe is at work", || (cpu_ticks(workers[0]) > 2).then_some(()));
    kill(Pid::from_raw(workers[0]), signal).unwrap();
    let mut lines = BufReader::new(run.child.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let (pipe, ring) = (next(), next());
    assert!(ring["skipped"].is_null() && ring["throughput"]["bytes_per_s"]["median"].as_f64().unwrap() > 0.0);
    assert!(pipe["throughput"].is_null(), "{pipe}");
    assert!(run.child.wait().unwrap().success());
    let why = pipe["skipped"].as_str().unwrap().to_owned();
    assert!(why.contains(&workers[0].to_string()), "{why}");
    why
}

#[test]
fn a_worker_that_dies_is_named_and_the_others_go_on() {
    let why = harm_one(Signal::SIGKILL);
    assert!(why.starts_with("pipe receiver: ") && why.contains("SIGKILL"), "{why}");
    assert!(why.contains("the sender saw: ") && why.contains("roken pipe"), "{why}");
}

#[test]
fn a_worker_that_hangs_is_named_and_the_others_go_on() {
    let why = harm_one(Signal::SIGSTOP);
    assert!(why.contains("hangs"), "{why}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_it() {
    let args = ["--size", "64,65,66,67,68,69,70", "--seconds", "0.05", "--repeat", "1", "--csv"];
    let mut run = Run::start(&[&args[..], &["--placement", "unpinned", "--transport", FEW]].concat());
    let mut out = run.child.stdout.take().unwrap();
    out.read_exact(&mut [0; 10]).unwrap();
    drop(out);
    assert_eq!(run.child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    run.child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}
