//! `syncscope run --no-ui`: exit codes, passed-on streams and signals, the
//! report.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{SigHandler, Signal, kill, signal};
use nix::unistd::Pid;
use serde_json::Value;

fn syncscope() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["run", "--no-ui"]).stdin(Stdio::null());
    // A shell ignores the one for what it starts in the background, nohup(1) the
    // other; a command that finds them ignored cannot catch them.
    let as_usual = || {
        for ignored in [Signal::SIGINT, Signal::SIGHUP] {
            // SAFETY: the default action runs no code of ours.
            unsafe { signal(ignored, SigHandler::SigDfl)? };
        }
        Ok(())
    };
    // SAFETY: between fork and exec only these system calls are made.
    unsafe { command.pre_exec(as_usual) };
    command
}

fn run(options: &[&str], words: &[&str]) -> Output {
    syncscope().args(options).arg("--").args(words).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_exit_code_is_what_a_shell_would_give() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8], mode: u32| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (plain, binary) = (file("plain", b"true\n", 0o644), file("binary", b"\0\x01\x02", 0o755));
    let (script, orphan) = (file("script", b"exit 9\n", 0o755), file("orphan", b"#!/no/such/thing\n", 0o755));
    let inside = directory.path().join("nowhere").display().to_string();
    let inside_out = format!("cannot enter {inside}: No such file or directory (ENOENT)\n");
    let cases: &[(&[&str], &[&str], i32, &str)] = &[
        (&[], &["true"], 0, ""),
        (&[], &["sh", "-c", "exit 42"], 42, ""),
        (&[], &["sh", "-c", "kill -TERM $$"], 143, ""),
        (&[], &["sh", "-c", "kill -KILL $$"], 137, ""),
        (&[], &[&script], 9, ""),
        (&[], &["no-such-command"], 127, "syncscope run: no-such-command: not found in PATH (ENOENT)\n"),
        (&[], &["/no/such/command"], 127, "cannot execute /no/such/command: No such file or directory (ENOENT)\n"),
        (&[], &[&orphan], 127, "the file is there; its interpreter /no/such/thing is not)\n"),
        (&[], &[&plain], 126, "Permission denied (EACCES) (is it executable? chmod +x"),
        (&[], &["/"], 126, "cannot execute /: Permission denied (EACCES) (it is a directory)\n"),
        (&[], &[&binary], 126, "Exec format error (ENOEXEC)\n"),
        (&["--cwd", &inside], &["true"], 125, &inside_out),
        (&["--env", "novalue"], &["true"], 125, "--env novalue: must be NAME=VALUE\n"),
        (&["--report", "/no/such/directory/file"], &["true"], 125, "cannot write /no/such/directory/file: "),
    ];
    for (options, words, code, sentence) in cases {
        let output = run(options, words);
        assert_eq!(output.status.code(), Some(*code), "{words:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(sentence), "{words:?}: {}", text(&output.stderr));
        assert_eq!(sentence.is_empty(), output.stderr.is_empty(), "{words:?}: {}", text(&output.stderr));
    }
}

#[test]
fn streams_pass_through_and_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let script = "read line; echo \"$line $WHO\"; pwd; printf broken >&2; exit 5";
    let mut child = syncscope()
        .args(["--json", "--report", report.to_str().unwrap(), "--cwd", "/", "--env", "WHO=me", "--env", "WHO=you"])
        .args(["--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"hello\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(text(&output.stdout), "hello you\n/\n");
    let (before, line) = text(&output.stderr).trim_end().rsplit_once('\n').unwrap();
    assert_eq!(before, "broken", "the report begins a line of its own");
    assert_eq!(line, std::fs::read_to_string(&report).unwrap().trim_end());
    let report: Value = serde_json::from_str(line).unwrap();
    assert_eq!(report["schema"], "syncscope.run/1");
    assert_eq!(report["exit"], serde_json::json!({"code": 5, "signal": null, "core": false}));
    assert_eq!(report["cmd"], serde_json::json!(["sh", "-c", script]));
    assert_eq!((&report["stdout_bytes"], &report["stderr_bytes"]), (&12.into(), &6.into()));
    assert_eq!(report["descendants_left"], serde_json::json!([]));
    for number in ["pid", "wall_ns", "user_ns", "system_ns", "max_rss"] {
        assert!(report[number].is_u64(), "{number}: {report}");
    }
    assert!(report["wall_ns"].as_u64() > Some(0) && report["max_rss"].as_u64() > Some(0));
    assert!(report["switches"]["voluntary"].is_u64() && report["faults"]["minor"].as_u64() > Some(0));
}

#[test]
fn every_byte_arrives_by_pipe_and_by_file() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let script = "head -c 3000000 /dev/zero; head -c 70000 /dev/zero >&2";
    let check = |stdout: u64, stderr: u64| {
        assert_eq!((stdout, stderr), (3_000_000, 70_000));
        let report: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
        assert_eq!((&report["stdout_bytes"], &report["stderr_bytes"]), (&stdout.into(), &stderr.into()));
    };
    let options = ["--report", report.to_str().unwrap()];
    let output = run(&options, &["sh", "-c", script]);
    check(output.stdout.len() as u64, output.stderr.len() as u64);
    // Where the kernel cannot splice: a file that is appended to.
    let open = |name: &str| {
        let path = directory.path().join(name);
        (std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap(), path)
    };
    let ((out, out_path), (err, err_path)) = (open("out"), open("err"));
    let status = syncscope().args(options).args(["sh", "-c", script]).stdout(out).stderr(err).status().unwrap();
    assert!(status.success());
    check(std::fs::metadata(out_path).unwrap().len(), std::fs::metadata(err_path).unwrap().len());
}

#[test]
fn one_file_for_both_streams_keeps_their_order() {
    let directory = tempfile::tempdir().unwrap();
    let (path, report) = (directory.path().join("both"), directory.path().join("report"));
    let file = std::fs::File::create(&path).unwrap();
    let script = "for i in 1 2 3 4 5 6 7 8; do echo $i; echo $i >&2; done";
    let status = syncscope()
        .args(["--report", report.to_str().unwrap(), "sh", "-c", script])
        .stdout(file.try_clone().unwrap())
        .stderr(file)
        .status()
        .unwrap();
    assert!(status.success());
    let expected = "1 1 2 2 3 3 4 4 5 5 6 6 7 7 8 8 ".replace(' ', "\n");
    assert_eq!(std::fs::read_to_string(path).unwrap(), expected);
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert!(report["stdout_bytes"].is_null() && report["stderr_bytes"].is_null(), "unknown is null");
}

#[test]
fn a_closed_reader_ends_the_command_as_it_would_without_us() {
    let mut child = syncscope().args(["--", "yes"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + libc::SIGPIPE));
}

/// The command has written all of it, and cannot know.
#[test]
fn output_that_cannot_be_passed_on_is_no_success() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (script, code) in [("echo lost", 125), ("echo lost; exit 7", 7)] {
        let output = syncscope().args(["--", "sh", "-c", script]).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{script}");
        let said = text(&output.stderr);
        assert!(said.contains("its output could not be passed on: No space left on device (ENOSPC)"), "{said}");
    }
}

/// Where both streams are one pipe nobody knows how the last line ends.
#[test]
fn the_report_has_a_line_of_its_own() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut command = syncscope();
    command.args(["--json", "--", "printf", "an open line"]);
    let mut child = command.stdout(writer.try_clone().unwrap()).stderr(writer).spawn().unwrap();
    drop(command);
    let mut all = String::new();
    reader.read_to_string(&mut all).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(all.starts_with("an open line\n") && all.lines().last().unwrap().starts_with("{\"schema\""), "{all}");
}

#[test]
fn signals_are_passed_on() {
    for (signal, code) in [(Signal::SIGINT, 7), (Signal::SIGTERM, 8), (Signal::SIGHUP, 9), (Signal::SIGUSR1, 10)] {
        let script = "trap 'exit 7' INT; trap 'exit 8' TERM; trap 'exit 9' HUP; trap 'exit 10' USR1; \
                      echo ready; while :; do sleep 0.05; done";
        let mut child = syncscope().args(["--", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = [0; 6];
        child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        // A dash that starts a command just then forgets the signal: it gets another.
        let status = loop {
            assert!(Instant::now() < deadline, "{signal} has no effect");
            kill(Pid::from_raw(child.id() as i32), signal).unwrap();
            let again = Instant::now() + Duration::from_secs(1);
            let ended = std::iter::repeat_with(|| child.try_wait().unwrap()).find(|ended| {
                std::thread::sleep(Duration::from_millis(5));
                ended.is_some() || Instant::now() > again
            });
            if let Some(Some(status)) = ended {
                break status;
            }
        };
        assert_eq!((status.code(), status.signal()), (Some(code), None), "{signal}");
    }
}

/// timeout(1) sends its signal to the process and to its group.
#[test]
fn a_signal_that_comes_twice_leaves_the_report() {
    for _ in 0..20 {
        let mut child = syncscope()
            .args(["--json", "--", "sh", "-c", "echo ready; exec sleep 1000"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
        for _ in 0..2 {
            kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
        }
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.status.signal()), (Some(130), None));
        let report: Value = serde_json::from_str(text(&output.stderr)).unwrap();
        assert_eq!(report["exit"], serde_json::json!({"code": null, "signal": 2, "core": false}));
    }
}

#[test]
fn a_reader_that_has_stopped_is_not_waited_for_for_ever() {
    let directory = tempfile::tempdir().unwrap();
    let (report, pid) = (directory.path().join("report"), directory.path().join("pid"));
    let script = format!("echo $$ >{}; exec head -c 100000 /dev/zero", pid.display());
    let mut child = syncscope()
        .args(["--report", report.to_str().unwrap(), "--", "sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    let has_ended = || {
        let pid = std::fs::read_to_string(&pid).ok().filter(|pid| pid.ends_with('\n'));
        pid.is_some_and(|pid| !Path::new("/proc").join(pid.trim()).exists())
    };
    while !has_ended() {
        assert!(Instant::now() < deadline, "the command goes on");
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(125), "its output was lost");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!((&report["exit"]["code"], &report["stdout_bytes"]), (&0.into(), &Value::Null));
}

#[test]
fn what_the_command_leaves_running_is_named_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let (report, pids) = (directory.path().join("report"), directory.path().join("pids"));
    // One in the background, one that made itself a daemon.
    let script = format!(
        "sleep 987 & echo $! > {p}; setsid sh -c 'sleep 986 & echo $! >> {p}' & while [ $(wc -l < {p}) != 2 ]; do sleep 0.01; done",
        p = pids.display()
    );
    let output = run(&["--report", report.to_str().unwrap()], &["sh", "-c", &script]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let mut expected: Vec<i64> =
        std::fs::read_to_string(&pids).unwrap().lines().map(|line| line.parse().unwrap()).collect();
    expected.sort_unstable();
    let report: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    let left = report["descendants_left"].as_array().unwrap();
    let sleeping: Vec<i64> =
        left.iter().filter(|left| left["name"] == "sleep").map(|left| left["pid"].as_i64().unwrap()).collect();
    assert_eq!(sleeping, expected, "{report}");
    for pid in expected {
        assert!(Path::new(&format!("/proc/{pid}")).exists(), "nobody told us to end it");
        kill(Pid::from_raw(pid as i32), Signal::SIGKILL).unwrap();
    }
}

#[test]
fn what_was_ignored_stays_ignored() {
    // As under nohup: SIGHUP neither ends us nor is it passed on.
    let exe = env!("CARGO_BIN_EXE_syncscope");
    let script = format!("trap '' HUP; exec {exe} run --no-ui -- sh -c 'echo ready; read line; echo $line'");
    let mut child =
        Command::new("sh").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    kill(Pid::from_raw(child.id() as i32), Signal::SIGHUP).unwrap();
    child.stdin.take().unwrap().write_all(b"still here\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "still here\n"));
}

/// A parent that ignores SIGCHLD hands that down, and the kernel would reap the
/// command before anybody has asked how it ended.
#[test]
fn an_end_is_told_though_children_are_ignored() {
    let sees_it: &[&str] = &["grep", "-q", "SigIgn:.*1....$", "/proc/self/status"];
    for (words, code) in [(&["sh", "-c", "exit 7"][..], 7), (&["sh", "-c", "kill -KILL $$"], 137), (sees_it, 0)] {
        let mut command = syncscope();
        let ignore = || {
            // SAFETY: ignoring runs no code of ours.
            unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn)? };
            Ok(())
        };
        // SAFETY: between fork and exec only this system call is made.
        unsafe { command.pre_exec(ignore) };
        let status = command.arg("--").args(words).status().unwrap();
        assert_eq!(status.code(), Some(code), "{words:?}");
    }
}

#[test]
fn waiting_costs_nothing() {
    let begin = Instant::now();
    let mut child = syncscope().args(["--", "sleep", "1"]).spawn().unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let switches = |status: &str| -> u64 {
        let line = status.lines().find(|line| line.starts_with("voluntary_ctxt_switches")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    // Once it waits, it wakes for the end only.
    let deadline = begin + Duration::from_millis(900);
    while Instant::now() < begin + Duration::from_millis(400) {
        std::thread::sleep(Duration::from_millis(10));
    }
    let before = switches(&stat());
    while Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(switches(&stat()), before, "it woke though nothing happened");
    assert!(child.wait().unwrap().success());
}
