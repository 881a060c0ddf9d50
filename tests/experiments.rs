//! Children and labs in the dashboard, on the real program: what is started
//! there runs, shows what it does, and is gone when the dashboard is.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod terminal;

use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use terminal::{ENTER, ESCAPE, Terminal};

/// How long the program's other processes may outlive it.
const AFTERMATH: Duration = Duration::from_secs(1);

fn dashboard(panel: &str) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["--panel", panel, "--labs", "off"]);
    let terminal = Terminal::start(command, 120, 40);
    terminal.wait_for("q quit");
    terminal
}

/// Runs a command line in the children panel.
fn run(terminal: &Terminal, line: &str) {
    terminal.send_keys("r");
    terminal.wait_for("run ›");
    terminal.send_keys(line);
    terminal.wait_for(line);
    terminal.send_keys(ENTER);
    terminal.wait_gone("run ›");
}

/// Quits and fails unless everything is gone.
fn leave(mut terminal: Terminal) {
    terminal.send_keys("q");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_restored();
    terminal.mark.assert_gone_within(AFTERMATH);
}

#[test]
fn a_child_runs_writes_reads_and_is_killed() {
    let terminal = dashboard("children");
    run(&terminal, "sh -c 'echo hello from $$; exec cat'");
    terminal.wait_for("hello from");
    terminal.wait_for("1 of 1 alive");
    terminal.send_keys("i");
    terminal.wait_for("input ›");
    terminal.send_keys("and back again");
    terminal.send_keys(ENTER);
    terminal.wait_for("│ and back again");
    // The prompt stays for the next line; the status line may show a notice.
    terminal.send_keys(ESCAPE);
    terminal.wait_gone("input ›");
    terminal.send_keys("k");
    terminal.wait_for("Signal to");
    terminal.send_keys(ENTER);
    terminal.wait_for("Send SIGTERM to");
    terminal.send_keys(ENTER);
    terminal.wait_for("0 of 1 alive");
    terminal.wait_for("SIGTERM");
    leave(terminal);
}

#[test]
fn what_a_child_writes_cannot_touch_the_screen() {
    let terminal = dashboard("children");
    run(&terminal, r"printf '\033[2J\033[?1049lpwned\n'");
    terminal.wait_for("0 of 1 alive");
    terminal.wait_for("pwned");
    terminal.assert_taken();
    terminal.wait_for("q quit");
    leave(terminal);
}

#[test]
fn a_command_that_does_not_exist_is_said_to_be_so() {
    let terminal = dashboard("children");
    run(&terminal, "no-such-program-anywhere");
    terminal.wait_for("not started");
    leave(terminal);
}

/// Their own children, too.
#[test]
fn children_end_with_the_program_even_if_it_is_killed() {
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let mut terminal = dashboard("children");
        run(&terminal, "sleep 86400");
        terminal.wait_for("1 of 1 alive");
        assert!(terminal.mark.carriers().iter().any(|process| process.contains("sleep 86400")));
        kill(Pid::from_raw(terminal.pid()), signal).unwrap();
        assert_eq!(terminal.exit_code(), 128 + signal as i32);
        terminal.mark.assert_gone_within(AFTERMATH);
    }
}

#[test]
fn the_ipc_lab_measures() {
    let terminal = dashboard("ipc");
    terminal.wait_for("idle");
    terminal.send_keys("s");
    terminal.wait_for("measuring");
    terminal.wait_for("B/s");
    terminal.send_keys("s");
    terminal.wait_for("stopped");
    leave(terminal);
}

#[test]
fn the_lock_lab_contends_and_checks() {
    let terminal = dashboard("locks");
    terminal.wait_for("stopped");
    terminal.send_keys("s");
    terminal.wait_for("running");
    terminal.wait_for("0 violated");
    terminal.send_keys("s");
    terminal.wait_for("stopped");
    leave(terminal);
}

#[test]
fn the_ordering_lab_counts_outcomes() {
    let terminal = dashboard("ordering");
    terminal.wait_for("start/stop");
    terminal.send_keys("s");
    terminal.wait_for("running");
    // Rates that have reached thousands.
    terminal.wait_for(" k/s");
    terminal.send_keys("s");
    terminal.wait_gone("running");
    leave(terminal);
}

#[test]
fn killed_in_the_middle_of_a_measurement_it_leaves_no_worker() {
    for (panel, key) in [("ipc", "s"), ("locks", "s"), ("ordering", "s")] {
        let mut terminal = dashboard(panel);
        terminal.send_keys(key);
        terminal.wait_until("a worker besides the program and its janitor", |_| terminal.mark.carriers().len() > 2);
        kill(Pid::from_raw(terminal.pid()), Signal::SIGKILL).unwrap();
        assert_eq!(terminal.exit_code(), 137);
        terminal.mark.assert_gone_within(AFTERMATH);
    }
}
