//! Standard output and standard error that nobody takes, of every command that
//! prints: a reader that has seen enough is no failure, a full disk is one.

use std::fs::File;
use std::process::{Command, Output, Stdio};

const COMMANDS: &[&[&str]] = &[
    &["ps"],
    &["deadlocks", "--json"],
    &["why", "1"],
    &["ipc", "--transport", "pipe", "--size", "64", "--seconds", "0.01", "--json"],
    &["ipc", "--failure", "full-queue"],
    &["lock", "--lock", "std_mutex", "--threads", "1", "--seconds", "0.01", "--json"],
    &["lock", "--experiment", "self"],
    &["run", "--experiment", "wait-try-wait-kill"],
    &["litmus", "list", "--json"],
    &["litmus", "show", "SB-relaxed"],
    &["litmus", "check", "SB-relaxed"],
    &["completions", "fish"],
    &["man"],
];

fn syncscope(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    // A backtrace that nobody sees takes half a second to prepare.
    command.args(words).env_remove("RUST_BACKTRACE").stdin(Stdio::null()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    for words in COMMANDS {
        let mut child = syncscope(words).stdout(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        // 1: done, and there is something to be found.
        assert!(matches!(output.status.code(), Some(0 | 1)), "{words:?}: {}", said(&output));
        assert!(!said(&output).contains("cannot write"), "{words:?}: {}", said(&output));
    }
}

#[test]
fn a_full_disk_is_said_in_a_sentence() {
    for words in COMMANDS {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = syncscope(words).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", said(&output));
        let sentence = "syncscope: cannot write the results: No space left on device";
        assert!(said(&output).contains(sentence), "{words:?}: {}", said(&output));
    }
}

#[test]
fn notes_that_nobody_can_be_told_are_no_failure() {
    // Of a file system without processes there is something to complain about.
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = syncscope(&["ps", "--proc", "/nonexistent"]).stdout(Stdio::null()).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let status = syncscope(&["ps"]).stdout(Stdio::null()).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(0));
}

/// `run` ends as a shell would: 2 would be the command's own.
#[test]
fn a_dashboard_without_a_terminal_is_a_failure_of_ours() {
    let output = syncscope(&["run", "--", "true"]).stdout(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(125), "{}", said(&output));
    assert!(said(&output).contains("needs a terminal") && said(&output).contains("--no-ui"), "{}", said(&output));
}
