//! The children panel in a real terminal: `syncscope run -- CMD`, keys that
//! reach the child, output that cannot disturb the screen.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod terminal;

use std::process::Command;
use std::time::{Duration, Instant};

use terminal::{ENTER, ESCAPE, Terminal, UP};

const RIGHT: &str = "\x1b[C";

fn run(words: &[&str]) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["run", "--"]).args(words);
    Terminal::start(command, 120, 40)
}

#[test]
fn one_talks_to_the_command_and_leaves_with_its_code() {
    let mut terminal = run(&["sh", "-c", "echo ready; read line; echo \"got $line\"; exit 5"]);
    terminal.wait_for("1 line");
    terminal.send_keys("ihello");
    terminal.send_keys(ENTER);
    terminal.send_keys(ESCAPE);
    terminal.wait_for("got hello");
    terminal.wait_for("exit 5");
    terminal.send_keys("q");
    assert_eq!(terminal.exit_code(), 5);
    terminal.assert_restored();
    terminal.mark.assert_gone_within(Duration::from_secs(1));
}

#[test]
fn leaving_ends_the_command_and_says_so_in_the_code() {
    let mut terminal = run(&["sh", "-c", "sleep 1000 & echo ready; wait"]);
    terminal.wait_for("1 line");
    terminal.send_keys("q");
    assert_eq!(terminal.exit_code(), 128 + libc::SIGTERM);
    terminal.mark.assert_gone_within(Duration::from_secs(1));
}

#[test]
fn what_cannot_start_has_a_shell_s_code() {
    for (program, code) in [("no-such-program", 127), ("/", 126)] {
        let mut terminal = run(&[program]);
        terminal.wait_for("not started");
        terminal.send_keys("q");
        assert_eq!(terminal.exit_code(), code, "{program}");
    }
}

#[test]
fn a_signal_from_the_menu_ends_a_child_started_by_a_key() {
    let mut terminal = run(&["true"]);
    terminal.wait_for("exit 0");
    terminal.send_keys("r");
    terminal.wait_for("run ›");
    terminal.send_keys("sleep 1000");
    terminal.send_keys(ENTER);
    terminal.wait_for("1 of 2 alive");
    terminal.send_keys("k");
    terminal.wait_for("Signal to");
    terminal.send_keys(ENTER);
    terminal.wait_for("sends it");
    terminal.send_keys(ENTER);
    terminal.wait_for("0 of 2 alive");
    terminal.wait_for("SIGTERM");
    terminal.send_keys("q");
    assert_eq!(terminal.exit_code(), 0, "the code is that of the command it was opened on");
    terminal.mark.assert_gone_within(Duration::from_secs(1));
}

/// A child without a terminal cannot even open one, and what it writes acts on
/// nothing.
#[test]
fn hostile_output_leaves_the_screen_alone() {
    let script = r"printf '\033[2J\033[H\033[?1049l\033]0;gone\007\033c\233\377\0wiped\n'; \
                   echo x >/dev/tty || echo no terminal; head -c 200000 /dev/urandom; \
                   printf '\nstill here\n'; sleep 1000";
    let mut terminal = run(&["sh", "-c", script]);
    terminal.wait_for("still here");
    terminal.wait_for("1 of 1 alive");
    terminal.settle(Duration::from_millis(300));
    let lines = terminal.lines();
    assert!(lines[1].contains("4 Children"), "{lines:#?}");
    assert!(lines.iter().skip(3).take(30).all(|line| line.starts_with(['│', '├', '╰', '╭'])), "{lines:#?}");
    terminal.send_keys("q");
    terminal.exit_code();
    terminal.assert_restored();
}

/// With SIGKILL there is nobody left to do anything but the janitor.
#[test]
fn being_killed_ends_those_that_are_to_end_and_no_others() {
    for hang_up in [false, true] {
        let mut terminal = run(&["sh", "-c", "sleep 1001 & echo ready; wait"]);
        terminal.wait_for("1 line");
        terminal.send_keys("b");
        terminal.wait_for("Start a program");
        terminal.send_keys("sleep 1002");
        // To the fate, and its other choice.
        for key in [UP, UP, RIGHT] {
            terminal.send_keys(key);
            terminal.settle(Duration::from_millis(100));
        }
        terminal.wait_for("it goes on");
        terminal.send_keys(ENTER);
        terminal.wait_for("2 of 2 alive");
        let carriers = terminal.mark.carriers();
        let kept = carriers.iter().find(|line| line.ends_with("sleep 1002 ")).unwrap();
        let kept: i32 = kept.split(' ').next().unwrap().parse().unwrap();
        let signal = if hang_up { libc::SIGHUP } else { libc::SIGKILL };
        rustix::process::kill_process(
            rustix::process::Pid::from_raw(terminal.pid()).unwrap(),
            rustix::process::Signal::from_named_raw(signal).unwrap(),
        )
        .unwrap();
        terminal.exit_code();
        let deadline = Instant::now() + Duration::from_secs(5);
        while terminal.mark.carriers().len() > 1 {
            assert!(Instant::now() < deadline, "{:?}", terminal.mark.carriers());
        }
        std::thread::sleep(Duration::from_millis(300));
        let left = terminal.mark.carriers();
        assert!(left.len() == 1 && left[0].starts_with(&format!("{kept} ")), "{left:?}");
        let kept = rustix::process::Pid::from_raw(kept).unwrap();
        rustix::process::kill_process(kept, rustix::process::Signal::KILL).unwrap();
        terminal.mark.assert_gone_within(Duration::from_secs(1));
    }
}

/// A daemon has left its parent, its group and its session; the command it
/// descends from was told to end with us.
#[test]
fn what_made_itself_a_daemon_ends_with_its_command() {
    for way in ["q", "hang up", "SIGKILL"] {
        let script = "(setsid sleep 1003 </dev/null >/dev/null 2>&1 &); echo ready; exec sleep 1000";
        let mut terminal = run(&["sh", "-c", script]);
        terminal.wait_for("1 orphan");
        match way {
            "q" => terminal.send_keys("q"),
            "hang up" => terminal.close(),
            _ => {
                let pid = rustix::process::Pid::from_raw(terminal.pid()).unwrap();
                rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            }
        }
        terminal.exit_code();
        terminal.mark.assert_gone_within(Duration::from_secs(5));
    }
}

#[test]
fn what_an_ended_command_left_running_is_named_and_stays() {
    let mut terminal = run(&["sh", "-c", "setsid sleep 1004 </dev/null >/dev/null 2>&1 & echo ready"]);
    terminal.wait_for("exit 0");
    terminal.wait_for("1 orphan");
    terminal.send_keys("q");
    assert_eq!(terminal.exit_code(), 0);
    // The janitor ends a moment after the program.
    let begin = Instant::now();
    let left = loop {
        let left = terminal.mark.carriers();
        if left.len() <= 1 || begin.elapsed() > Duration::from_secs(5) {
            break left;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(left.len() == 1 && left[0].ends_with("sleep 1004 "), "{left:?}");
    let pid: i32 = left[0].split(' ').next().unwrap().parse().unwrap();
    let told = format!("left running by children that had ended: {pid} sleep");
    terminal.wait_for(&told);
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
