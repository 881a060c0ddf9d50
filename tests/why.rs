//! `syncscope why` and `syncscope deadlocks` on real programs, compared with
//! what those declare of themselves.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod terminal;

#[path = "waits/target.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod target;

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use serde_json::Value;
use target::Target;

/// What a program says of its own threads.
#[derive(Debug, Default)]
struct Truth {
    cycle: BTreeSet<i64>,
    stuck: BTreeSet<i64>,
    free: BTreeSet<i64>,
}

impl Truth {
    fn of(target: &mut Target) -> Self {
        let mut truth = Truth::default();
        loop {
            let line = target.line();
            let mut words = line.split_ascii_whitespace();
            let set = match words.next() {
                Some("cycle") => &mut truth.cycle,
                Some("stuck") => &mut truth.stuck,
                Some("free") => &mut truth.free,
                _ => return truth,
            };
            set.extend(words.map(|word| word.parse::<i64>().unwrap()));
        }
    }

    fn all(&self) -> impl Iterator<Item = i64> {
        self.cycle.iter().chain(&self.stuck).chain(&self.free).copied()
    }
}

fn syncscope(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_syncscope")).args(arguments).output().unwrap()
}

fn why(pid: i32) -> (Value, i32) {
    let output = syncscope(&["why", &pid.to_string(), "--json"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    (value, output.status.code().unwrap())
}

fn verdict(answer: &Value, tid: i64) -> &str {
    let threads = answer["threads"].as_array().unwrap();
    threads.iter().find(|thread| thread["tid"] == tid).map_or("absent", |thread| thread["verdict"].as_str().unwrap())
}

fn tids(list: &Value) -> BTreeSet<i64> {
    list.as_array().unwrap().iter().map(|id| id["tid"].as_i64().unwrap()).collect()
}

/// Asks until the answer satisfies `test`: a program needs a moment to get into
/// its state.
fn until(pid: i32, test: impl Fn(&Value) -> bool) -> (Value, i32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (answer, code) = why(pid);
        if test(&answer) {
            return (answer, code);
        }
        assert!(Instant::now() < deadline, "{answer:#}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn is_deadlock(kind: &str, more: &[&str]) {
    let mut target = Target::program("chains.c", &["-pthread"], &[&[kind], more].concat());
    let truth = is_told(&mut target);
    // The scan of the machine finds the same one.
    let scan = syncscope(&["deadlocks", "--json"]);
    let found: Value = serde_json::from_slice(&scan.stdout).unwrap();
    let same = |dead: &Value| tids(&dead["cycle"]) == truth.cycle;
    assert!(found["deadlocks"].as_array().unwrap().iter().any(same), "{found:#}");
    assert_eq!(scan.status.code(), Some(1));
}

/// That of this program its deadlock is told, and all of it.
fn is_told(target: &mut Target) -> Truth {
    let truth = Truth::of(target);
    let all_stuck = |answer: &Value| {
        let dead = truth.cycle.iter().all(|&tid| verdict(answer, tid) == "deadlocked");
        let free = truth.free.iter().all(|&tid| verdict(answer, tid) == "waiting");
        dead && free && truth.stuck.iter().all(|&tid| verdict(answer, tid) == "stuck")
    };
    let (answer, code) = until(target.pid(), all_stuck);
    assert_eq!(code, 1, "what was looked for was found");
    let deadlocks = answer["deadlocks"].as_array().unwrap();
    assert_eq!(deadlocks.len(), 1, "{answer:#}");
    assert_eq!(tids(&deadlocks[0]["cycle"]), truth.cycle);
    assert_eq!(tids(&deadlocks[0]["stuck"]), truth.cycle.union(&truth.stuck).copied().collect());
    let text = deadlocks[0]["text"].as_str().unwrap();
    assert!(truth.cycle.iter().all(|tid| text.contains(&format!("thread {tid} "))), "{text}");
    // And people are told too.
    let told = String::from_utf8(syncscope(&["why", &target.pid().to_string()]).stdout).unwrap();
    assert!(told.contains("DEADLOCK"), "{told}");
    truth
}

/// Asks of a program in which processes share an address space until these threads wait for
/// a mutex; the answer, and what the process table says of them.
fn of_shared_space(kind: &str, enough: impl Fn(&Value) -> bool) -> (Vec<i64>, Value, Vec<Value>) {
    let mut target = Target::program("shared_space.c", &["-O2", "-pthread"], &[kind]);
    let [child, waiters @ ..] = target.numbers::<3>();
    let asked: Vec<String> =
        [target.pid().to_string(), child.to_string()].into_iter().filter(|pid| pid != "0").collect();
    let arguments: Vec<&str> = ["why", "--json"].into_iter().chain(asked.iter().map(String::as_str)).collect();
    let waiters: Vec<i64> = waiters.into_iter().filter(|&tid| tid != 0).map(u64::cast_signed).collect();
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer: Value = serde_json::from_slice(&syncscope(&arguments).stdout).unwrap();
        let waits = |tid: &i64| wait_of(&answer, *tid)["kind"] == "pthread_mutex";
        if waiters.iter().all(waits) && enough(&answer) {
            let table = String::from_utf8(syncscope(&["ps", "--threads", "--json"]).stdout).unwrap();
            let table = table.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
            let own = table.filter(|thread| waiters.iter().any(|tid| thread["tid"] == *tid)).collect();
            return (waiters, answer, own);
        }
        assert!(Instant::now() < deadline, "{kind}: {answer:#}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn wait_of(answer: &Value, tid: i64) -> &Value {
    let threads = answer["threads"].as_array().unwrap();
    threads.iter().find(|thread| thread["tid"] == tid).map_or(&Value::Null, |thread| &thread["wait"])
}

#[test]
fn a_lambda_of_cxx_is_named_by_where_it_stands() {
    let options = ["-std=c++20", "-pthread", "-g", "-O0"];
    let mut target = Target::program("atomic_wait.cpp", &options, &[]);
    let [_, waiter, _] = target.numbers::<3>();
    let waiter = waiter.cast_signed();
    let (answer, _) = until(target.pid(), |answer| !wait_of(answer, waiter)["at"].is_null());
    let at = wait_of(&answer, waiter)["at"].as_str().unwrap_or_default();
    assert!(at.ends_with(" in main::{lambda()#1}::operator() const"), "{at}");
}

#[test]
fn the_line_of_a_signal_handler_is_named_and_that_which_it_has_interrupted() {
    for options in [["-pthread", "-g", "-O0"], ["-pthread", "-g", "-O2"]] {
        for kind in ["raise", "timer", "stack", "pause"] {
            let mut target = Target::program("handler.c", &options, &[kind]);
            let [tid, locks, works] = target.numbers::<3>();
            let tid = tid.cast_signed();
            let (wanted, line, function) = match kind {
                "pause" => ("signal", works, "work"),
                _ => ("pthread_mutex", locks, "on_signal"),
            };
            let (answer, _) = until(target.pid(), |answer| wait_of(answer, tid)["kind"] == wanted);
            let at = wait_of(&answer, tid)["at"].as_str().unwrap_or_default();
            assert!(at.ends_with(&format!("handler.c:{line} in {function}")), "{kind}: {answer:#}");
            assert_eq!(verdict(&answer, tid), if kind == "pause" { "waiting" } else { "deadlocked" });
        }
    }
}

#[test]
fn nobody_is_named_by_a_word_that_a_process_in_the_same_address_space_may_have_written() {
    for kind in ["child_holds", "child_waits", "in_a_loop", "behind"] {
        let (waiters, answer, table) = of_shared_space(kind, |_| true);
        assert_eq!(answer["deadlocks"], Value::Array(Vec::new()), "{kind}: {answer:#}");
        for tid in waiters {
            let wait = wait_of(&answer, tid);
            assert_eq!(
                (verdict(&answer, tid), &wait["certainty"]),
                ("unknown", &"unknown".into()),
                "{kind}: {answer:#}"
            );
            assert_eq!((&wait["holders"], &wait["orphaned"]), (&Value::Array(Vec::new()), &false.into()), "{wait:#}");
            assert!(wait["evidence"].to_string().contains("shares this address space"), "{wait:#}");
        }
        // The table asks where the word names the waiter itself, or nobody who lives.
        for thread in table.iter().filter(|_| kind.starts_with("child_")) {
            let wait = &thread["wait"];
            assert_eq!((&wait["holders"], &wait["orphaned"]), (&Value::Array(Vec::new()), &false.into()), "{thread:#}");
        }
        assert!(!table.is_empty(), "{kind}");
    }
}

#[test]
fn children_that_only_borrow_an_address_space_leave_a_deadlock_what_it_is() {
    for kind in ["spawned", "borrowed"] {
        let dead = |answer: &Value| !answer["deadlocks"].as_array().unwrap().is_empty();
        let (waiters, answer, _) = of_shared_space(kind, dead);
        assert_eq!(answer["deadlocks"][0]["certainty"], "certain", "{kind}: {answer:#}");
        assert_eq!(tids(&answer["deadlocks"][0]["cycle"]), waiters.into_iter().collect(), "{kind}: {answer:#}");
    }
}

/// Somebody who may not ask about the processes of others.
struct Nobody {
    /// Where that user may go.
    directory: tempfile::TempDir,
}

impl Nobody {
    /// `None` where this test may not become another.
    fn new() -> Option<Self> {
        let is_root = nix::unistd::geteuid().is_root();
        if !is_root {
            eprintln!("skipped: this is no root, who could become another");
        }
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::chown(directory.path(), Some(65_534), Some(65_534)).ok();
        is_root.then_some(Nobody { directory })
    }

    /// A command, where that user finds it.
    fn copy(&self, from: &std::path::Path) -> std::path::PathBuf {
        let to = self.directory.path().join(from.file_name().unwrap());
        if !to.exists() {
            std::fs::copy(from, &to).unwrap();
        }
        to
    }

    /// A command as that user.
    fn command(&self, from: &std::path::Path) -> Command {
        use std::os::unix::process::CommandExt;
        let mut command = Command::new(self.copy(from));
        command.uid(65_534).gid(65_534);
        command
    }

    /// The answer to that user, once this thread has the verdict.
    fn why(&self, pid: i32, tid: i64, expected: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let mut command = self.command(std::path::Path::new(env!("CARGO_BIN_EXE_syncscope")));
            let output = command.args(["why", "--json", &pid.to_string()]).output().unwrap();
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            if verdict(&answer, tid) == expected {
                return answer;
            }
            assert!(Instant::now() < deadline, "{answer:#}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

#[test]
fn that_another_user_runs_the_same_program_leaves_a_deadlock_what_it_is() {
    let Some(nobody) = Nobody::new() else { return };
    let program = target::build("chains.c", &["-pthread"]);
    let mut others: Vec<Target> =
        (0..4).map(|_| Target::start(Command::new(nobody.copy(&program)).arg("locks"))).collect();
    let mut target = Target::start(nobody.command(&program).arg("locks"));
    for other in &mut others {
        Truth::of(other);
    }
    let truth = Truth::of(&mut target);
    for &tid in &truth.cycle {
        let answer = nobody.why(target.pid(), tid, "deadlocked");
        assert_eq!(answer["deadlocks"][0]["certainty"], "certain", "{answer:#}");
    }
}

#[test]
fn a_process_of_another_user_in_the_same_address_space_is_found_all_the_same() {
    let Some(nobody) = Nobody::new() else { return };
    let program = nobody.copy(&target::build("shared_space.c", &["-O2", "-pthread"]));
    let mut target = Target::start(Command::new(program).args(["child_holds", "other"]));
    let [child, waiter, _] = target.numbers::<3>();
    let waiter = waiter.cast_signed();
    let answer = nobody.why(target.pid(), waiter, "unknown");
    let wait = wait_of(&answer, waiter);
    assert_eq!((&wait["holders"], &answer["deadlocks"]), (&Value::Array(vec![]), &Value::Array(vec![])), "{answer:#}");
    let said = format!("process {child} may share this address space (kcmp(2) is not permitted)");
    assert!(wait["evidence"].to_string().contains(&said), "{wait:#}");
}

/// A deadlock over descriptors. Who may not read those of all processes cannot
/// rule out that one of them acts: there it is unknown, and none is claimed.
fn is_deadlock_of_descriptors(kind: &str, more: &[&str]) {
    let mut processes = std::fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let refused = |path: std::path::PathBuf| {
        let read = std::fs::read_dir(path.join("fd"));
        read.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if processes.any(refused) {
        eprintln!(
            "skipped: {kind}: the descriptors of other users' processes may not be read; only that none is claimed"
        );
        return is_none(kind, more, "unknown");
    }
    is_deadlock(kind, more);
}

fn is_none(kind: &str, more: &[&str], expected: &str) {
    let mut target = Target::program("chains.c", &["-pthread"], &[&[kind], more].concat());
    let truth = Truth::of(&mut target);
    let blocked = |answer: &Value| truth.all().all(|tid| verdict(answer, tid) == expected);
    for _ in 0..5 {
        let (answer, code) = until(target.pid(), blocked);
        assert_eq!((code, answer["deadlocks"].as_array().unwrap().len()), (0, 0), "{answer:#}");
    }
}

#[test]
fn two_locks_taken_in_opposite_order() {
    is_deadlock("locks", &[]);
}

#[test]
fn two_locks_of_which_the_kernel_refuses_one() {
    is_deadlock("inherit", &[]);
}

#[test]
fn locks_that_pass_priorities_on_at_the_start_of_memory_that_is_shared() {
    for level in ["-O0", "-O2", "-O3"] {
        for kind in ["inherit_shared", "inherit_apart"] {
            is_told(&mut Target::program("chains.c", &["-pthread", level], &[kind]));
        }
    }
}

#[test]
fn a_shared_lock_that_passes_priorities_on_and_is_waited_for_with_a_time_out() {
    is_none("inherit_shared_timed", &[], "waiting");
}

#[test]
fn two_processes_that_each_read_what_only_the_other_could_write() {
    is_deadlock_of_descriptors("pipes", &[]);
}

#[test]
fn a_parent_that_waits_for_a_child_before_it_reads_its_output() {
    is_deadlock_of_descriptors("wait", &[]);
}

#[test]
fn a_process_that_holds_the_only_write_end_of_the_pipe_it_reads() {
    is_deadlock_of_descriptors("own", &[]);
}

#[test]
fn two_files_locked_in_opposite_order() {
    let folder = tempfile::tempdir().unwrap();
    is_deadlock_of_descriptors("files", &[folder.path().to_str().unwrap()]);
}

#[test]
fn a_time_out_in_the_loop_ends_it() {
    is_none("timed", &[], "waiting");
}

#[test]
fn a_third_holder_of_an_end_may_end_the_wait() {
    is_none("third", &[], "waiting");
}

#[test]
fn an_end_that_is_in_flight_is_unknown_not_dead() {
    is_none("hidden", &[], "unknown");
}

#[test]
fn a_reader_that_has_both_ends_of_a_named_pipe_waits_for_whoever_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    is_none("named", &[folder.path().to_str().unwrap()], "unknown");
}

#[test]
fn a_lock_whose_holder_died_is_stuck_without_a_loop() {
    for kind in ["orphan", "without_main"] {
        let mut target = Target::program("chains.c", &["-pthread"], &[kind]);
        let truth = Truth::of(&mut target);
        let all_stuck = |answer: &Value| truth.stuck.iter().all(|&tid| verdict(answer, tid) == "stuck");
        let (answer, code) = until(target.pid(), all_stuck);
        assert_eq!((code, answer["deadlocks"].as_array().unwrap().len()), (1, 0), "{answer:#}");
        let threads = answer["threads"].as_array().unwrap();
        let waiter = threads.iter().find(|thread| truth.stuck.contains(&thread["tid"].as_i64().unwrap())).unwrap();
        assert_eq!(waiter["wait"]["orphaned"], true, "{kind}: {answer:#}");
        // The scan of the machine says whose thread it is.
        let told = String::from_utf8(syncscope(&["deadlocks"]).stdout).unwrap();
        let tid = waiter["tid"].as_i64().unwrap();
        let whose = format!("  tid {tid} of {} (pid {})  stuck", waiter["process"].as_str().unwrap(), target.pid());
        assert!(told.contains("STUCK FOR EVER") && told.contains(&whose), "{kind}: {told}");
    }
}

#[test]
fn what_cannot_be_answered_is_said_in_a_sentence() {
    let nobody = syncscope(&["why", "4194303"]);
    assert_eq!(nobody.status.code(), Some(2));
    let told = String::from_utf8(nobody.stderr).unwrap();
    assert!(told.contains("4194303") && told.contains("no such process") && told.lines().count() == 1, "{told}");
    // One of two can be answered.
    let own = std::process::id().to_string();
    let half = syncscope(&["why", "4194303", &own]);
    assert!(matches!(half.status.code(), Some(0 | 1)), "{half:?}");
    assert!(String::from_utf8(half.stdout).unwrap().contains("no such process"));
    for wrong in ["0", "-1", "x", ""] {
        assert_eq!(syncscope(&["why", "--", wrong]).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(syncscope(&["deadlocks", "--proc", "/nowhere"]).status.code(), Some(2));
}

#[test]
fn a_process_of_which_nothing_may_be_read_is_no_answer() {
    use std::os::unix::process::CommandExt;
    let asks = |pids: &[String]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
        command.arg("why").args(pids).arg("--json");
        if nix::unistd::geteuid().is_root() {
            command.uid(65_534).gid(65_534);
        }
        command.output()
    };
    // One that sleeps: of what runs it is at least known that it does.
    let init = std::fs::read_to_string("/proc/1/stat").unwrap();
    let sleeps = init.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'));
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/1").unwrap());
    let own = nix::unistd::geteuid().as_raw();
    let output = match asks(&["1".to_owned()]) {
        Ok(output) if sleeps && (own == 0 || owner != own) => output,
        Ok(_) => return eprintln!("skipped: process 1 may be read here, or does not sleep"),
        Err(error) => return eprintln!("skipped: another user may not run this program here ({error})"),
    };
    let told = String::from_utf8(output.stderr).unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let wait = &answer["threads"][0]["wait"];
    if wait["certainty"] != "unknown" {
        return eprintln!("skipped: this kernel tells everybody where process 1 sleeps");
    }
    assert_eq!(output.status.code(), Some(2), "{answer:#}");
    assert!(told.contains("1: what its threads wait for cannot be read") && told.lines().count() == 1, "{told}");
    assert_eq!(answer["unreadable"][0]["pid"], 1, "{answer:#}");
    // One of two that can be read is an answer.
    let mut readable = Command::new("sleep");
    readable.arg("1000");
    if own == 0 {
        readable.uid(65_534).gid(65_534);
    }
    let mut readable = readable.spawn().unwrap();
    let output = asks(&["1".to_owned(), readable.id().to_string()]).unwrap();
    readable.kill().unwrap();
    readable.wait().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn a_zombie_is_told_as_what_it_is() {
    let mut child = Command::new("true").spawn().unwrap();
    let (answer, _) = until(child.id() as i32, |answer| answer["threads"][0]["state"] == "Z");
    assert!(answer["threads"][0]["wait"].is_null());
    let told = String::from_utf8(syncscope(&["why", &child.id().to_string()]).stdout).unwrap();
    child.wait().unwrap();
    assert!(told.contains("zombie"), "{told}");
}

#[test]
fn the_number_of_a_thread_stands_for_its_process() {
    let mut target = Target::program("chains.c", &["-pthread"], &["timed"]);
    let truth = Truth::of(&mut target);
    let tid = *truth.free.last().unwrap();
    let (answer, _) = why(tid as i32);
    assert_eq!(answer["threads"][0]["pid"], target.pid());
    assert_eq!(answer["threads"].as_array().unwrap().len(), 5);
}

#[test]
fn threads_of_a_pid_namespace_have_their_numbers_outside() {
    if !nix::unistd::geteuid().is_root() {
        return println!("skipped: only root may make a pid namespace without a user namespace");
    }
    let program = target::build("chains.c", &["-pthread"]);
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child"]).arg(program).arg("locks");
    let mut target = Target::start(&mut command);
    let truth = Truth::of(&mut target);
    let (answer, _) = until(target.pid(), |answer| !answer["deadlocks"].as_array().unwrap().is_empty());
    let cycle = &answer["deadlocks"][0]["cycle"];
    assert_eq!(tids(cycle).len(), truth.cycle.len());
    for id in cycle.as_array().unwrap() {
        let (pid, tid) = (&id["pid"], &id["tid"]);
        let status = std::fs::read_to_string(format!("/proc/{pid}/task/{tid}/status")).unwrap();
        let inside =
            status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap().split_ascii_whitespace().last();
        assert!(truth.cycle.contains(&inside.unwrap().parse().unwrap()), "{tid} is {inside:?} inside");
    }
    // One thread of the namespace's first process can still end it.
    assert_eq!(verdict(&answer, i64::from(target.pid())), "waiting");
}

#[test]
fn watching_goes_on_until_it_is_interrupted_or_nothing_is_left() {
    use std::io::{BufRead, BufReader};
    let watch = |pid: i32| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
        command.args(["why", "--watch", "--json", &pid.to_string()]).stdout(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for _ in 0..2 {
            let answer: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(answer["threads"][0]["pid"], pid);
        }
        (child, lines)
    };
    let mut target = Target::program("chains.c", &["-pthread"], &["timed"]);
    Truth::of(&mut target);
    let (mut interrupted, _lines) = watch(target.pid());
    let id = nix::unistd::Pid::from_raw(interrupted.id() as i32);
    nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT).unwrap();
    assert_eq!(interrupted.wait().unwrap().code(), Some(130));
    let (mut left_alone, lines) = watch(target.pid());
    drop(target);
    lines.for_each(|line| drop(line.unwrap()));
    assert_eq!(left_alone.wait().unwrap().code(), Some(0));
}

/// Threads that end while they are read are left out, and no refusal.
#[test]
fn a_storm_of_threads_is_no_refusal() {
    let target = Target::program("storm.c", &["-pthread", "-O2"], &[]);
    for _ in 0..20 {
        let (answer, _) = why(target.pid());
        assert!(answer["unreadable"].as_array().unwrap().is_empty(), "{answer:#}");
        assert!(answer["threads"].as_array().unwrap().iter().all(|thread| thread["pid"] == target.pid()), "{answer:#}");
    }
}

/// However many threads there are, a person can read what is told of them.
#[test]
fn a_crowd_in_a_deadlock_is_told_in_a_screenful_or_two() {
    const COUNT: usize = 200;
    for kind in ["storm", "ring"] {
        let mut target = Target::program("crowd.c", &["-pthread", "-O2"], &[kind, &COUNT.to_string()]);
        assert_eq!(target.line(), "ready");
        let (answer, _) = until(target.pid(), |answer| {
            let cycle = answer["deadlocks"][0]["cycle"].as_array().map_or(0, Vec::len);
            cycle >= COUNT
        });
        assert_eq!(answer["threads"].as_array().unwrap().len(), COUNT + 1);
        let text = answer["deadlocks"][0]["text"].as_str().unwrap();
        let more = if kind == "ring" { "186 more" } else { "and 199 threads like it: " };
        assert!(text.contains(more) && text.len() < 4_000, "{text}");
        for arguments in [&["why", &target.pid().to_string()][..], &["deadlocks"]] {
            let told = String::from_utf8(syncscope(arguments).stdout).unwrap();
            let own = told.split("DEADLOCK").find(|part| part.contains(&format!("(pid {})", target.pid()))).unwrap();
            assert!(own.contains(more) && own.lines().count() < 150, "{told}");
        }
    }
}

/// A page that another process does not bring holds up who reads it.
#[test]
fn a_process_whose_memory_cannot_be_read_holds_up_nobody() {
    let mut target = Target::program("missing.c", &["-pthread"], &[]);
    let [pid] = target.numbers();
    if pid == 0 {
        return eprintln!("skipped: userfaultfd(2) is not permitted here");
    }
    let run = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_syncscope")).args(args).output().unwrap();
    let alone = run(&["why", &pid.to_string()]);
    assert_eq!(alone.status.code(), Some(2), "{alone:?}");
    assert!(String::from_utf8_lossy(&alone.stderr).contains("reading it hangs"), "{alone:?}");
    let other = Target::program("chains.c", &["-pthread"], &["locks"]);
    let both = run(&["why", "--json", &pid.to_string(), &other.pid().to_string()]);
    let answer: Value = serde_json::from_slice(&both.stdout).unwrap();
    assert!(answer["unreadable"].to_string().contains("reading it hangs"), "{answer:#}");
    assert!(answer["threads"].as_array().unwrap().iter().all(|thread| thread["pid"] == other.pid()), "{answer:#}");
}

#[test]
fn a_screen_that_is_too_small_says_how_many_lines_there_are_more() {
    let mut target = Target::program("chains.c", &["-pthread"], &["locks"]);
    let truth = Truth::of(&mut target);
    until(target.pid(), |answer| truth.cycle.iter().all(|&tid| verdict(answer, tid) == "deadlocked"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["why", "--watch", &target.pid().to_string()]);
    let terminal = terminal::Terminal::start(command, 120, 6);
    terminal.wait_for(" more lines");
    let lines = terminal.lines();
    assert!(lines[0].starts_with("DEADLOCK") && lines[4].ends_with(" more lines"), "{lines:#?}");
    terminal.resize(120, 60);
    terminal.wait_gone(" more lines");
    assert!(terminal.lines()[0].starts_with("DEADLOCK"));
}

/// A semaphore has no holder to name; but where all threads of a process sleep until it wakes
/// them itself, that is said.
#[test]
fn a_process_that_only_waits_for_itself_is_told() {
    for (kind, alone) in [("sem", true), ("cond", true), ("sem_timed", false), ("cond_timed", false)] {
        let mut target = Target::program("sync.c", &["-pthread"], &[kind]);
        let [main, waiter, _] = target.numbers::<3>();
        for tid in [main, waiter] {
            target::settled(target.pid(), tid as i32, "");
        }
        let told = String::from_utf8(syncscope(&["why", &target.pid().to_string()]).stdout).unwrap();
        assert_eq!(told.contains("each of its threads waits for another to act"), alone, "{kind}: {told}");
        let (answer, _) = why(target.pid());
        let said = answer["unclaimed"].to_string().contains("each of its threads waits for another to act");
        assert_eq!(said, alone, "{kind}: {answer:#}");
    }
}
