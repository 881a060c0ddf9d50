//! The contention of real programs, compared with what they themselves declare.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

#[expect(dead_code, reason = "other tests use the rest")]
#[path = "waits/target.rs"]
mod target;

/// A program with its declared truth, and the observation of it.
struct Stage {
    program: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pid: i32,
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// What a program says of one of its locks.
#[derive(Debug)]
struct Truth {
    name: String,
    address: String,
    waiter: i64,
    waker: i64,
    waits: u64,
    waited: u64,
}

/// What was observed, and said of why.
struct Seen {
    seconds: Vec<Value>,
    total: Value,
    errors: String,
    truth: Vec<Truth>,
}

impl Seen {
    fn lock(&self, address: &str) -> &Value {
        let locks = self.total["locks"].as_array().unwrap();
        locks.iter().find(|lock| lock["address"] == address).unwrap_or_else(|| panic!("no {address}: {:#}", self.total))
    }
}

fn start(name: &str, options: &[&str], words: &[&str]) -> Stage {
    stage(Command::new(target::build(name, options)).args(words))
}

fn stage(command: &mut Command) -> Stage {
    let mut program = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let to = program.stdin.take().unwrap();
    let mut from = BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    let pid = line.strip_prefix("ready ").unwrap().trim().parse().unwrap();
    Stage { program, to, from, pid }
}

/// Observes the program from before its first round to after its last.
fn observe(stage: &mut Stage, syncscope: &mut Command) -> Seen {
    let mut observer = syncscope.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(observer.stdout.take().unwrap()).lines();
    let mut seconds = Vec::new();
    let mut truth = Vec::new();
    // Its first second is over: it is at work.
    if let Some(first) = lines.next() {
        seconds.push(serde_json::from_str(&first.unwrap()).unwrap());
        writeln!(stage.to, "go").unwrap();
        let mut line = String::new();
        while stage.from.read_line(&mut line).unwrap() > 0 && line.trim() != "done" {
            truth.push(Truth::parse(&line));
            line.clear();
        }
        // Its memory can be read until the observer has heard of all.
        seconds.extend(lines.next().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()));
        // What happened last is told with the second after.
        let _ = writeln!(stage.to, "end");
    }
    seconds.extend(lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()));
    let output = observer.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let total = seconds.pop().unwrap();
    Seen { seconds, total, errors, truth }
}

impl Truth {
    /// `hot 0x55… waiter 7 waker 8 waits 9 waited 10`.
    fn parse(line: &str) -> Self {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |at: usize| words[at].parse::<u64>().unwrap();
        Truth {
            name: words[0].to_owned(),
            address: words[1].to_owned(),
            waiter: number(3) as i64,
            waker: number(5) as i64,
            waits: number(7),
            waited: number(9),
        }
    }
}

fn syncscope(pid: i32) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["lock", "--json", "--pid", &pid.to_string()]);
    command
}

/// Whether events can be had here at all.
fn has_events() -> bool {
    let probe = syncscope(std::process::id() as i32).args(["--seconds", "0.1"]).output().unwrap();
    let value: Value = serde_json::from_slice(&probe.stdout).unwrap();
    let has = value["source"] == "sched_events";
    if !has {
        println!("skipped: {}", value["notes"]);
    }
    has
}

/// Every wait of the declared waiter, ended by the declared waker, as long as
/// the program itself measured at most.
fn assert_exact(seen: &Seen, truth: &Truth, kind: &str) {
    let lock = seen.lock(&truth.address);
    assert_eq!(seen.total["lost_events"], 0);
    assert_eq!((&lock["kind"], &lock["waits"]), (&kind.into(), &truth.waits.into()), "{lock:#}");
    let of_waiter = lock["waiters"].as_array().unwrap().iter().find(|waiter| waiter["tid"] == truth.waiter).unwrap();
    assert_eq!(of_waiter["waits"], truth.waits, "{lock:#}");
    let of_waker = lock["wakers"].as_array().unwrap().iter().find(|waker| waker["tid"] == truth.waker).unwrap();
    assert_eq!(of_waker["wakes"], truth.waits, "{lock:#}");
    let waited = lock["waited_ns"].as_u64().unwrap();
    // The holder lets go no sooner than half a millisecond after the waiter sleeps; the
    // program's own measure holds the way to sleep and back too.
    assert!(waited <= truth.waited && waited >= truth.waits * 500_000, "{waited} of {truth:?}");
    let told: u64 = lock["stacks"].as_array().unwrap().iter().map(|stack| stack["waits"].as_u64().unwrap()).sum();
    assert!(told.abs_diff(truth.waits) <= truth.waits / 50 + 2, "{lock:#}");
}

/// What was observed once no event was lost. A machine on which others want every CPU
/// may not let an unoptimised observer read in time: what it lost then it must have
/// counted, and another time shows all.
fn without_loss(mut observed: impl FnMut() -> Seen) -> Seen {
    const TIMES: usize = 5;
    for _ in 1..TIMES {
        let seen = observed();
        if seen.total["lost_events"] == 0 {
            return seen;
        }
        println!("{} events were lost: once more", seen.total["lost_events"]);
    }
    observed()
}

#[test]
fn the_hot_lock_among_several_is_told_with_every_wait() {
    if !has_events() {
        return;
    }
    let mut stage = start("contended.c", &["-g", "-O1", "-pthread"], &["hot", "400"]);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, &mut command);
    let [hot, cold] = &seen.truth[..] else { panic!("two locks") };
    assert_exact(&seen, hot, "pthread_mutex");
    assert_exact(&seen, cold, "pthread_mutex");
    assert_eq!(seen.total["locks"][0]["address"], hot.address.as_str(), "the hot one first");
    let resource = seen.lock(&hot.address)["resource"].as_str().unwrap();
    assert!(resource.contains("hot_lock"), "{resource}");
    let frames = seen.lock(&hot.address)["stacks"][0]["frames"].to_string();
    assert!(frames.contains("wait_for_lock (contended.c:"), "{frames}");
    // The seconds together are the whole.
    let of = |value: &Value| value["waits"].as_u64().unwrap();
    assert!(seen.seconds.iter().all(|second| second["total"] == false) && seen.total["total"] == true);
    assert!(seen.seconds.iter().map(of).sum::<u64>() <= of(&seen.total));
    assert_eq!(seen.total["ended"], true, "it has ended meanwhile");
}

#[test]
fn a_condition_variable_is_no_mutex() {
    if !has_events() {
        return;
    }
    let mut stage = start("contended.c", &["-g", "-O1", "-pthread"], &["cond", "200"]);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, &mut command);
    assert_exact(&seen, &seen.truth[0], "pthread_cond");
    let locks = seen.total["locks"].as_array().unwrap();
    assert!(
        locks.iter().all(|lock| lock["kind"] != "pthread_mutex" || lock["waits"].as_u64() < Some(20)),
        "{locks:#?}"
    );
}

#[test]
fn rusts_mutex_and_condvar_are_told_apart() {
    if !has_events() {
        return;
    }
    for (mode, kind) in [("mutex", "rust_mutex"), ("condvar", "rust_condvar")] {
        let seen = without_loss(|| {
            // For some seconds: an unoptimised observer takes its time over the names of a
            // Rust program, and asks them of one that is alive.
            let mut stage = start("contended.rs", &["-g", "-O"], &[mode, "5000"]);
            let mut command = syncscope(stage.pid);
            let seen = observe(&mut stage, &mut command);
            let (lock, truth) = (seen.lock(&seen.truth[0].address), &seen.truth[0]);
            assert!(lock["kind"] == kind && lock["waits"].as_u64() <= Some(truth.waits), "{lock:#}");
            seen
        });
        assert_exact(&seen, &seen.truth[0], kind);
        let lock = seen.lock(&seen.truth[0].address);
        assert_eq!(lock["waiters"][0]["thread"], "waiter");
    }
}

#[test]
fn a_lock_between_processes_is_woken_by_the_other_process() {
    if !has_events() {
        return;
    }
    let mut stage = start("contended.c", &["-g", "-O1", "-pthread"], &["shared", "150"]);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, &mut command);
    assert_exact(&seen, &seen.truth[0], "pthread_mutex");
    let lock = seen.lock(&seen.truth[0].address);
    assert_eq!(lock["shared"], true);
    assert_eq!((&lock["wakers"][0]["pid"], lock["wakers"].as_array().unwrap().len()), (&seen.truth[0].waker.into(), 1));
}

#[test]
fn threads_that_come_and_go_are_all_seen() {
    if !has_events() {
        return;
    }
    let mut stage = start("contended.c", &["-g", "-O1", "-pthread"], &["churn", "60"]);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, &mut command);
    let truth = &seen.truth[0];
    let lock = seen.lock(&truth.address);
    assert_eq!((&lock["waits"], &lock["kind"]), (&truth.waits.into(), &"pthread_mutex".into()), "{lock:#}");
    assert_eq!(lock["waiters"].as_array().unwrap().len() as u64, truth.waits, "each by a thread of its own");
    assert_eq!(lock["wakers"][0]["wakes"], truth.waits);
}

#[test]
fn a_program_that_never_blocks_shows_nothing() {
    if !has_events() {
        return;
    }
    let mut stage = start("contended.c", &["-g", "-O1", "-pthread"], &["never", "1500"]);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, &mut command);
    assert_eq!((&seen.total["waits"], &seen.total["locks"]), (&0.into(), &serde_json::json!([])));
}

#[test]
fn a_program_that_ends_in_a_wait_ends_the_observation() {
    if !has_events() {
        return;
    }
    let mut stage = start("contended.c", &["-g", "-O1", "-pthread"], &["end", "500"]);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, &mut command);
    assert_eq!(seen.total["ended"], true);
    let lock = &seen.total["locks"][0];
    assert_eq!(
        (&lock["waits"], &lock["unproven_wakes"], &lock["wakers"]),
        (&1.into(), &1.into(), &serde_json::json!([]))
    );
    assert!(lock["waited_ns"].as_u64().unwrap() >= 400_000_000, "{lock:#}");
}

#[test]
fn threads_of_a_pid_namespace_have_the_numbers_they_have_here() {
    if !has_events() {
        return;
    }
    let program = target::build("contended.c", &["-g", "-O1", "-pthread"]);
    let mut command = Command::new("unshare");
    let namespace = ["--pid", "--fork", "--kill-child", "--mount-proc"];
    if !Command::new("unshare").args(namespace).arg("true").status().is_ok_and(|status| status.success()) {
        println!("skipped: no pid namespace may be made here");
        return;
    }
    command.args(namespace).arg(program).args(["mutex", "100"]);
    let mut stage = stage(&mut command);
    // It calls itself 1; here it is the child of unshare.
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", stage.program.id())).unwrap();
    assert_eq!(std::mem::replace(&mut stage.pid, children.trim().parse().unwrap()), 1);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, &mut command);
    let truth = &seen.truth[0];
    let lock = seen.lock(&truth.address);
    assert_eq!((&lock["waits"], &lock["kind"]), (&truth.waits.into(), &"pthread_mutex".into()), "{lock:#}");
    assert_eq!((&lock["wakers"][0]["wakes"], &lock["wakers"][0]["pid"]), (&truth.waits.into(), &stage.pid.into()));
    let tid = lock["waiters"][0]["tid"].as_i64().unwrap();
    assert!(tid != truth.waiter && tid > i64::from(stage.pid), "the numbers of this namespace: {lock:#}");
}

#[test]
fn sampling_sees_the_time_and_says_what_it_does_not_see() {
    let mut stage = start("contended.c", &["-g", "-O1", "-pthread"], &["mutex", "600"]);
    let mut command = syncscope(stage.pid);
    let seen = observe(&mut stage, command.arg("--sampling"));
    let truth = &seen.truth[0];
    assert_eq!(seen.total["source"], "sampling");
    let lock = seen.lock(&truth.address);
    assert!(lock["wait_ns"].is_null() && lock["unproven_wakes"].is_null(), "{lock:#}");
    assert!(lock["waits"].as_u64().unwrap() <= truth.waits && lock["wakers"] == serde_json::json!([]), "{lock:#}");
    assert_eq!(lock["kind"], "pthread_mutex");
    // A share of the time: right within a factor even on a machine full of others.
    let waited = lock["waited_ns"].as_u64().unwrap();
    assert!(waited > truth.waited / 4 && waited < truth.waited * 4, "{waited} of {truth:?}, {}", seen.total["notes"]);
    let notes = seen.total["notes"].to_string();
    assert!(notes.contains("shorter ones mostly not"), "{notes}");
}

/// Runs as `nobody`, where this test may become that.
fn as_nobody(command: &mut Command) -> bool {
    use std::os::unix::process::CommandExt;
    if !nix::unistd::geteuid().is_root() {
        return false;
    }
    command.uid(65_534).gid(65_534);
    true
}

#[test]
fn an_ordinary_user_is_told_why_and_gets_samples() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(directory.path(), Some(65_534), Some(65_534)).ok();
    // Both where that user may go.
    let copy = |from: &std::path::Path, name: &str| {
        let to = directory.path().join(name);
        std::fs::copy(from, &to).unwrap();
        to
    };
    let program = copy(&target::build("contended.c", &["-g", "-O1", "-pthread"]), "program");
    let syncscope = copy(std::path::Path::new(env!("CARGO_BIN_EXE_syncscope")), "syncscope");
    let mut command = Command::new(program);
    command.args(["mutex", "300"]);
    if !as_nobody(&mut command) {
        println!("skipped: this is no root, who could become another");
        return;
    }
    let mut stage = stage(&mut command);
    let mut command = Command::new(syncscope);
    command.args(["lock", "--json", "--pid", &stage.pid.to_string()]);
    as_nobody(&mut command);
    let seen = observe(&mut stage, &mut command);
    if seen.total["source"] == "sched_events" {
        println!("skipped: any user may have events here");
        return;
    }
    assert_eq!(seen.total["source"], "sampling");
    let named = ["/sys/kernel/tracing", "perf_event_open", "/proc/kallsyms"];
    let notes = seen.total["notes"].to_string();
    assert!(named.iter().any(|name| notes.contains(name)) && notes.contains("run as root"), "{notes}");
    assert!(named.iter().any(|name| seen.errors.contains(name)), "{}", seen.errors);
    let lock = seen.lock(&seen.truth[0].address);
    assert_eq!((&lock["kind"], &seen.truth[0].name), (&"pthread_mutex".into(), &"hot".to_owned()), "{lock:#}");
}

#[test]
fn what_is_not_there_or_not_ours_is_said() {
    let gone = syncscope(i32::MAX).output().unwrap();
    assert_eq!(gone.status.code(), Some(2));
    let text = String::from_utf8_lossy(&gone.stderr);
    assert!(text.contains("2147483647: there is no such process"), "{text}");
    let both = syncscope(1).args(["--threads", "2"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2));
    let never = syncscope(1).args(["--seconds", "0"]).output().unwrap();
    assert!(String::from_utf8_lossy(&never.stderr).contains("--seconds 0"));
}
