//! A real deadlock on the real dashboard: told, drawn, and gone with its program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "waits/target.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod target;
#[expect(dead_code, reason = "other tests use the rest")]
mod terminal;

use std::process::Command;

use target::Target;
use terminal::{ENTER, Terminal};

#[test]
fn a_deadlock_is_told_drawn_and_forgotten() {
    let target = Target::program("chains.c", &["-pthread"], &["locks"]);
    let pid = target.pid();
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["--panel", "children", "--labs", "off", "--refresh", "200ms"]);
    let mut terminal = Terminal::start(command, 160, 50);
    // Other programs of this machine may have deadlocks of their own.
    terminal.wait_for("DEADLOCK – press 3");
    terminal.send_keys("3");
    terminal.wait_gone("DEADLOCK – press 3");
    terminal.wait_for("deadlocked");
    let chain = format!("{pid} DEADLOCK");
    terminal.wait_for(&chain);
    select(&terminal, &chain);
    terminal.wait_for("none of them can go on by itself");
    // To its process, and back to the same chain.
    terminal.send_keys(ENTER);
    terminal.wait_for("Bksp waits");
    terminal.wait_for(&format!(" {pid} "));
    terminal.send_keys("\x7f");
    terminal.wait_for("none of them can go on by itself");
    drop(target);
    terminal.wait_gone(&chain);
    terminal.send_keys("q");
    assert_eq!(terminal.exit_code(), 0);
}

/// Clicks on a chain of the list.
fn select(terminal: &Terminal, chain: &str) {
    let lines = terminal.lines();
    let row = lines.iter().position(|line| line.contains(chain)).unwrap();
    terminal.click(10, row);
}
