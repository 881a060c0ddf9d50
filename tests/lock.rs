//! `syncscope lock`, the real binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use syncscope::backend::lab::locks::{Family, PRIMITIVES, find};

fn lock(args: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.arg("lock").args(args.split_whitespace());
    command
}

fn run(args: &str) -> Output {
    lock(args).output().unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    let text = str::from_utf8(&output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn sum(value: &Value) -> u64 {
    match value {
        Value::Array(all) => all.iter().map(sum).sum(),
        number => number.as_u64().unwrap(),
    }
}

#[test]
fn every_lock_reports_figures_that_add_up_and_nothing_violated() {
    let output = run("--threads 1,2 --seconds 0.02 --repeat 2 --hold 50 --think 50 --json");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = objects(&output);
    let sound = PRIMITIVES.iter().filter(|primitive| primitive.info().breaks.is_none()).count();
    assert_eq!(rows.len(), 2 * sound, "two numbers of threads");
    for row in rows {
        if row["lock"] == "rendezvous" && row["threads"] == 1 {
            assert_eq!(row["acquisitions"], 0, "one alone meets nobody");
            continue;
        }
        let family = find(row["lock"].as_str().unwrap()).unwrap().info().family;
        assert_eq!(row["family"], family.name());
        let (threads, acquisitions) =
            (row["threads"].as_u64().unwrap() as usize, row["acquisitions"].as_u64().unwrap());
        assert_eq!(row["schema"], "syncscope.lock/1");
        assert!(acquisitions > 0 && row["version"].as_str().is_some_and(|version| !version.is_empty()), "{row}");
        assert_eq!(row["per_thread"].as_array().unwrap().len(), threads);
        assert_eq!(sum(&row["per_thread"]), acquisitions);
        assert_eq!(row["wait_ns"]["count"], acquisitions);
        if family.is_held() {
            assert_eq!(row["held_ns"]["count"], acquisitions);
        } else {
            assert!(row["held_ns"].is_null() && row["handoffs"].is_null(), "{row}");
        }
        if family == Family::Exclusion {
            assert_eq!(sum(&row["handoffs"]), acquisitions, "each after another, the first after the warm-up's last");
        }
        assert_eq!(row["read_share"].is_null(), !family.reads());
        let rate = &row["acquisitions_per_s"];
        let [min, median, max] = ["min", "median", "max"].map(|key| rate[key].as_f64().unwrap());
        // Where every CPU is wanted by others, 20 ms may pass without a turn.
        assert!(0.0 <= min && min <= median && median <= max && 0.0 < max, "{rate}");
        let jain = row["jain"].as_f64().unwrap();
        assert!(1.0 / threads as f64 - 1e-9 <= jain && jain <= 1.0, "{jain}");
        let invariants = row["invariants"].as_array().unwrap();
        assert!(invariants.iter().all(|i| i["violations"] == 0), "{row}");
        if family == Family::Exclusion {
            assert_eq!(invariants[0]["name"], "mutual exclusion");
            assert!(invariants[0]["checked"].as_u64().unwrap() >= acquisitions);
            assert!(invariants.iter().all(|i| i["checked"].as_u64() > Some(0)), "{row}");
            assert!(row["trace_cost_ns"].as_u64().is_some_and(|cost| cost > 0));
        }
        assert!(row["recorded"].as_u64().unwrap() >= row["dropped"].as_u64().unwrap());
    }
}

#[test]
fn readers_report_their_share_and_what_they_retried() {
    let rows = objects(&run("--lock std_rwlock,seqlock --threads 2 --read-share 0.5 --seconds 0.05 --repeat 1 --json"));
    for row in &rows {
        assert_eq!(row["read_share"], 0.5);
        let (reads, all) = (row["reads"].as_u64().unwrap() as f64, row["acquisitions"].as_u64().unwrap() as f64);
        assert!((0.4..0.6).contains(&(reads / all)), "{row}");
    }
    assert!(rows[0].get("retries").is_none() && rows[1]["retries"].is_u64());
    let varied =
        objects(&run("--lock std_mutex --threads 1 --hold 2000 --hold-spread exponential --seconds 0.2 --json"));
    let held = &varied[0]["held_ns"];
    let [p50, mean] = ["p50", "mean"].map(|key| held[key].as_f64().unwrap());
    assert!(p50 < mean * 0.9, "the median of an exponential distribution is ln 2 of its mean: {held}");
}

#[test]
fn without_recording_only_counts_are_known_and_still_checked() {
    let rows = objects(&run("--lock std_mutex --threads 2 --seconds 0.05 --repeat 2 --trace off --json"));
    let row = &rows[0];
    for unknown in ["wait_ns", "held_ns", "handoffs", "trace_cost_ns"] {
        assert!(row.get(unknown).is_some_and(Value::is_null), "{unknown}: {row}");
    }
    assert_eq!(row["invariants"].as_array().unwrap().len(), 1);
    let invariant = &row["invariants"][0];
    assert!(invariant["checked"].as_u64() >= row["acquisitions"].as_u64(), "the warm-up is checked too: {row}");
    assert_eq!(invariant["violations"], 0);
}

#[test]
fn a_broken_lock_is_found_out_and_its_holders_are_named() {
    let caught = |format: &str| {
        // On a machine that is busy with other things the threads may never
        // run at one time: then once more.
        wait_until("a violation", || {
            let output = run(&format!("--lock broken_flag --threads 4 --seconds 1 --repeat 1 {format}"));
            (output.status.code() == Some(1)).then_some(output)
        })
    };
    let row = &objects(&caught("--json"))[0];
    assert!(row["invariants"][0]["violations"].as_u64() > Some(0), "{row}");
    let holders = row["violations"][0]["holders"].as_array().unwrap();
    assert_eq!(holders.len(), 2);
    assert!(holders.iter().all(|thread| thread.as_u64() < Some(4)), "{holders:?}");
    let text = String::from_utf8(caught("").stdout).unwrap();
    assert!(text.contains("broken_flag, 4 threads: mutual exclusion violated"), "{text}");
}

#[test]
fn a_try_that_fails_is_counted() {
    let args = "--lock std_mutex,std_rwlock --threads 3 --hold 20000 --try --seconds 0.3 --repeat 1 --json";
    wait_until("a failure", || {
        let rows = objects(&run(args));
        assert!(rows.iter().all(|row| row["acquisitions"].as_u64() > Some(0)), "{rows:?}");
        rows.iter().all(|row| row["failures"].as_u64() > Some(0)).then_some(())
    });
}

#[test]
fn several_locks_in_any_order_end_in_a_deadlock_that_is_named() {
    let args = "--lock pthread --several 2/3 --order random --threads 4 --hold 20000 --seconds 30 --repeat 1";
    let output = run(&format!("{args} --json"));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let row = &objects(&output)[0];
    assert_eq!(row["several"], serde_json::json!({"locks": 3, "take": 2, "order": "random"}));
    let deadlock = &row["lock_order"]["deadlock"];
    assert!(deadlock["circle"].as_array().is_some_and(|circle| circle.len() >= 2), "{row}");
    let chain: Vec<_> = deadlock["chain"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(chain.iter().any(|line| line.starts_with("deadlock: contender ")), "{chain:?}");
    let text = String::from_utf8(run(args).stdout).unwrap();
    assert!(text.contains("lock-order inversion, seen before") && text.contains("DEADLOCK"), "{text}");
    let output = run("--lock pthread --several 2/3 --order random --threads 4 --hold 20000 --try --seconds 0.3 --json");
    assert_eq!(output.status.code(), Some(0), "whoever lets go cannot be in a circle");
    assert!(objects(&output)[0]["lock_order"]["deadlock"].is_null());
}

#[test]
fn kinds_without_a_holder_have_null_for_it_and_fields_of_their_own() {
    for (lock, own) in [
        ("barrier", "phases"),
        ("once_lock", "initialisations"),
        ("condvar", "spurious"),
        ("cas_weak", "retries"),
        ("rendezvous", "messages"),
    ] {
        let row = &objects(&run(&format!("--lock {lock} --threads 2 --seconds 0.1 --repeat 1 --json")))[0];
        assert!(row["held_ns"].is_null() && row["handoffs"].is_null(), "{row}");
        assert!(row[own].is_u64(), "{lock} has no {own}: {row}");
        assert!(row["acquisitions"].as_u64() > Some(0) && row["invariants"][0]["violations"] == 0, "{row}");
    }
}

#[test]
fn experiments_end_in_a_plain_statement() {
    let names = "abba,poison-mutex,guard-leaked,inversion";
    let output = run(&format!("--experiment {names} --json"));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = objects(&output);
    let of: Vec<_> = rows.iter().map(|row| row["experiment"].as_str().unwrap()).collect();
    assert_eq!(of, ["abba", "inversion", "poison-mutex", "guard-leaked"], "in the order of the registry");
    for row in &rows {
        assert_eq!(row["as_documented"], true, "{row}");
        assert!(row["statement"].as_str().is_some_and(|text| text.ends_with('.')), "{row}");
    }
    let said = |row: &Value, words: &str| {
        row["observed"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().contains(words))
    };
    assert!(said(&rows[0], "deadlock: knot 0 → knot 1"), "{}", rows[0]);
    assert!(said(&rows[1], "A → B → A") || said(&rows[1], "B → A → B"), "{}", rows[1]);
    let text = String::from_utf8(run("--experiment guard-early").stdout).unwrap();
    assert!(text.starts_with("a guard is dropped") && text.contains("⇒ "), "{text}");
    assert_eq!(run("--experiment nonsense").status.code(), Some(2));
}

#[test]
fn csv_and_table_have_a_line_for_each_measurement() {
    let output = run("--lock std_mutex,ticket --threads 1 --seconds 0.02 --repeat 1 --csv");
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("lock,version,threads,"), "{text}");
    assert!(lines[1].starts_with("std_mutex,\"Rust ") && lines[2].starts_with("ticket,\""), "{text}");
    let output = run("--lock std_mutex,ticket --threads 1 --seconds 0.02 --repeat 1");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().next().unwrap().contains("acquisitions/s"), "{text}");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(output.stderr.is_empty(), "progress is for terminals");
}

#[test]
fn what_cannot_be_done_ends_with_2_and_one_sentence() {
    for (args, says) in [
        ("--lock std_mutx", "did you mean `std_mutex`?"),
        ("--threads 0", "from 1 to 256 threads"),
        ("--threads 10000", "from 1 to 256 threads"),
        ("--hold 1000000001", "at most 1 s"),
        ("--think 9999999999", "at most 1 s"),
        ("--seconds 0", "more than 0 s"),
        ("--repeat 0", "0"),
        ("--lock condvar --several 2/3", "those of mutual exclusion"),
        ("--several 9/16", "at most 8"),
        ("--pin 999", "CPU 999 is not one that may be used here"),
        ("--priority nice:20", "nice:N (-20 to 19)"),
        ("--order random", "--several"),
    ] {
        let output = run(args);
        assert_eq!(output.status.code(), Some(2), "{args}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(text.contains(says), "{args}: {text}");
        assert!(output.stdout.is_empty(), "{args}");
    }
}

#[test]
fn an_interrupt_ends_it_with_130_and_leaves_no_worker() {
    let mut child =
        lock("--lock ttas_spin --threads 64 --hold 1000000 --seconds 600").stdout(Stdio::null()).spawn().unwrap();
    let worker = worker_of(&child);
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert_eq!(status_of(&mut child), Some(130));
    assert!(!alive(worker), "worker {worker} is left");
}

#[test]
fn a_worker_that_dies_is_named_with_its_status() {
    let child = lock("--lock std_mutex --threads 2 --seconds 600")
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let worker = worker_of(&child);
    kill(Pid::from_raw(worker), Signal::SIGKILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        text.contains("lock worker") && text.contains(&worker.to_string()) && text.contains("killed by SIGKILL"),
        "{text}"
    );
}

#[test]
fn a_worker_ends_when_its_parent_is_gone() {
    let mut child = lock("--lock std_mutex --threads 2 --seconds 600").stdout(Stdio::null()).spawn().unwrap();
    let worker = worker_of(&child);
    child.kill().unwrap();
    child.wait().unwrap();
    wait_until("the worker is gone", || (!alive(worker)).then_some(()));
}

/// The worker process of a running measurement, once its threads run.
fn worker_of(child: &Child) -> i32 {
    let children = format!("/proc/{0}/task", child.id());
    wait_until("a worker with running threads", || {
        for task in fs::read_dir(&children).ok()?.flatten() {
            let pids = fs::read_to_string(task.path().join("children")).ok()?;
            for pid in pids.split_ascii_whitespace() {
                let contends = fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten().any(|task| {
                    fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.starts_with("contender"))
                });
                if contends {
                    return pid.parse().ok();
                }
            }
        }
        None
    })
}

fn status_of(child: &mut Child) -> Option<i32> {
    wait_until("the end of syncscope", || child.try_wait().unwrap()).code()
}

fn alive(pid: i32) -> bool {
    // A zombie that nobody has reaped yet runs no more.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
}

fn wait_until<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited 30 s for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn calls_of_futex_are_counted_where_the_kernel_lets_us() {
    let calls = |lock: &str| {
        let asked = format!("--lock {lock} --threads 4 --hold 20000 --think 20000 --seconds 0.2 --json");
        let rows = objects(&run(&asked));
        (rows[0]["futex_calls"].as_u64(), rows[0]["acquisitions"].as_u64().unwrap())
    };
    let ((sleeps, _), (spins, acquisitions)) = (calls("std_mutex"), calls("ttas_spin"));
    let Some((sleeps, spins)) = sleeps.zip(spins) else {
        return println!("skipped: the kernel counts calls of futex(2) for root only, or not at all");
    };
    assert!(sleeps > 100, "{sleeps}");
    // Threads that come to rest between two repetitions sleep too.
    assert!(spins < 100 && acquisitions > 1_000, "{spins} calls in {acquisitions} acquisitions");
}
