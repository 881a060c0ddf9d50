//! However the dashboard ends, the terminal is as it was before and no process
//! is left behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod terminal;

use std::cell::Cell;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use terminal::{CTRL_C, CTRL_Z, Terminal};

/// In the status line of every panel.
const FIRST_FRAME: &str = "q quit";
/// How long the program's other processes may outlive it.
const AFTERMATH: Duration = Duration::from_secs(1);

fn syncscope(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(arguments);
    command
}

/// The dashboard, once its first frame is there.
fn dashboard() -> Terminal {
    let terminal = Terminal::start(syncscope(&[]), 100, 30);
    terminal.wait_for(FIRST_FRAME);
    terminal.assert_taken();
    terminal
}

#[test]
fn keys_quit_with_code_0() {
    for key in ["q", CTRL_C, "\x1b[21~"] {
        let mut terminal = dashboard();
        terminal.send_keys(key);
        assert_eq!(terminal.exit_code(), 0, "{key:?}");
        terminal.assert_restored();
        terminal.mark.assert_gone_within(AFTERMATH);
    }
}

#[test]
fn signals_end_it_with_their_code() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let mut terminal = dashboard();
        kill(Pid::from_raw(terminal.pid()), signal).unwrap();
        assert_eq!(terminal.exit_code(), code, "{signal}");
        terminal.assert_restored();
        terminal.mark.assert_gone_within(AFTERMATH);
    }
}

/// A window that hangs: what is written to it gets nowhere, and the thread that writes
/// takes no message.
#[test]
fn signals_end_it_though_nobody_reads_the_terminal() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let mut terminal = Terminal::start(syncscope(&["--demo"]), 240, 70);
        terminal.wait_for(FIRST_FRAME);
        terminal.stop_reading();
        let keys = Cell::new(0);
        terminal.wait_until("a write that waits", |_| {
            let waits = waits_to_write(terminal.pid());
            if !waits {
                terminal.send_keys(["2", "3", "1"][keys.replace(keys.get() + 1) % 3]);
            }
            waits
        });
        kill(Pid::from_raw(terminal.pid()), signal).unwrap();
        assert_eq!(terminal.exit_code(), code, "{signal}");
        terminal.read_on();
        terminal.wait_until("the main screen", |screen| !screen.alternate_screen());
        terminal.assert_restored();
        terminal.mark.assert_gone_within(AFTERMATH);
    }
}

/// Whether the process's main thread is blocked in a write to its standard output.
fn waits_to_write(pid: i32) -> bool {
    let call = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap();
    call.starts_with(&format!("{} 0x1 ", libc::SYS_write))
}

/// With every lab running and thus with workers.
#[test]
fn killed_outright_it_leaves_no_process() {
    let mut terminal = Terminal::start(syncscope(&["--demo"]), 100, 30);
    terminal.wait_for(FIRST_FRAME);
    kill(Pid::from_raw(terminal.pid()), Signal::SIGKILL).unwrap();
    assert_eq!(terminal.exit_code(), 137);
    terminal.mark.assert_gone_within(AFTERMATH);
}

/// Its workers, its janitor and whatever it supervises go with the window.
#[test]
fn a_closed_terminal_ends_it_and_all_it_started() {
    for arguments in [&["--demo"][..], &["run", "--", "sleep", "1000"]] {
        let mut terminal = Terminal::start(syncscope(arguments), 100, 30);
        terminal.wait_for(FIRST_FRAME);
        terminal.close();
        let code = terminal.exit_code();
        assert!([129, 143].contains(&code), "{arguments:?}: {code}");
        terminal.mark.assert_gone_within(AFTERMATH);
    }
}

/// A shell with job control stands between, as it does for people: it takes the
/// terminal back when its job stops, without touching the terminal's modes.
#[test]
fn suspended_it_gives_the_terminal_back_and_takes_it_again() {
    let mut shell = Command::new("sh");
    let script = r#"set -m; "$0"; echo "STOPPED $?"; read -r line; fg >/dev/null; echo "ENDED $?""#;
    shell.args(["-c", script, env!("CARGO_BIN_EXE_syncscope")]);
    let mut terminal = Terminal::start(shell, 100, 30);
    for round in 0..2 {
        terminal.wait_for(FIRST_FRAME);
        terminal.assert_taken();
        if round == 0 {
            terminal.send_keys(CTRL_Z);
            // 128 + SIGTSTP: stopped, not ended.
            terminal.wait_for("STOPPED 148");
            terminal.assert_restored();
            terminal.send_keys("\n");
        }
    }
    terminal.send_keys("q");
    terminal.wait_for("ENDED 0");
    assert_eq!(terminal.exit_code(), 0);
    terminal.assert_restored();
    terminal.mark.assert_gone_within(AFTERMATH);
}

#[test]
fn without_a_terminal_it_says_so() {
    let output = syncscope(&[]).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("needs a terminal") && text.lines().count() == 1, "{text}");
}

#[test]
fn what_does_not_exist_is_answered_with_what_does() {
    let cases: [(&[&str], &[&str]); 5] = [
        (
            &["--panel", "procesess"],
            &["'procesess'", "overview, processes, waits", "similar value exists: 'processes'"],
        ),
        (&["--theme", "nigth"], &["'nigth'", "night, day", "similar value exists: 'night'"]),
        (&["--refesh", "1s"], &["'--refesh'", "similar argument exists: '--refresh'"]),
        (&["--refresh", "1x"], &["no unit", "ms, s or m"]),
        (&["litmsu"], &["'litmsu'", "similar subcommand exists: 'litmus'"]),
    ];
    for (arguments, said) in cases {
        let output = syncscope(arguments).stdin(Stdio::null()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        for part in said {
            assert!(text.contains(part), "{arguments:?}: no {part:?} in:\n{text}");
        }
    }
}

/// Names, for the process in which the dashboard is to panic, the file whose
/// appearance makes it so.
const PANIC: &str = "SYNCSCOPE_TEST_PANIC";

/// No dashboard as it is should panic, so this test starts itself once more as
/// a program that does.
#[test]
fn a_panic_gives_the_terminal_back() {
    if let Some(cue) = std::env::var_os(PANIC) {
        return panic_in_the_dashboard(PathBuf::from(cue));
    }
    let directory = tempfile::tempdir().unwrap();
    let cue = directory.path().join("cue");
    let mut command = Command::new(std::env::current_exe().unwrap());
    // What a backtrace would push off the screen nobody can look for.
    command.args(["--exact", "a_panic_gives_the_terminal_back", "--nocapture"]);
    command.env(PANIC, &cue).env("RUST_BACKTRACE", "0");
    let mut terminal = Terminal::start(command, 100, 30);
    terminal.wait_for(FIRST_FRAME);
    std::fs::write(cue, "").unwrap();
    terminal.wait_for("a test of the panic hook");
    terminal.assert_restored();
    assert_ne!(terminal.exit_code(), 0, "the screen:\n{}", terminal.lines().join("\n"));
    terminal.assert_restored();
    // What is written at the end does not stand where the panic's own words stood.
    let screen = terminal.lines().join("\n");
    assert!(screen.contains("a test of the panic hook") && screen.contains("its message stands"), "{screen}");
    terminal.mark.assert_gone_within(AFTERMATH);
}

fn panic_in_the_dashboard(cue: PathBuf) {
    use syncscope::backend::{Backend, Options};
    use syncscope::ui::app::{App, Settings};
    use syncscope::ui::theme::Depth;

    let settings = Settings { depth: Depth::detect(), ..Settings::default() };
    std::thread::spawn(move || {
        while !cue.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("a test of the panic hook");
    });
    let mut app = App::new(settings).unwrap();
    let mut backend = Backend::start(&Options::default());
    syncscope::ui::run::run(&mut app, &mut backend).unwrap();
}
