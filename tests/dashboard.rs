//! The dashboard as a person uses it: the real program in a pseudo-terminal,
//! on the real processes of this machine.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other tests use the rest")]
mod terminal;

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use syncscope::ui::panels::PANELS;
use terminal::{BACK_TAB, ENTER, ESCAPE, TAB, Terminal};
use vt100::Screen;

/// In the status line of every panel.
const READY: &str = "q quit";

fn dashboard(arguments: &[&str]) -> Terminal {
    sized(arguments, 120, 40)
}

fn sized(arguments: &[&str], columns: u16, rows: u16) -> Terminal {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(arguments);
    Terminal::start(command, columns, rows)
}

/// The process panel, its table filtered down to `text`.
fn processes(text: &str) -> Terminal {
    let terminal = dashboard(&["--panel", "processes", "--labs", "off", "--refresh", "200ms"]);
    terminal.wait_for("COMMAND");
    terminal.send_keys("f");
    terminal.wait_for("Enter keep");
    terminal.send_keys(text);
    terminal.wait_for(&format!("filter {text}"));
    terminal.send_keys(ENTER);
    terminal.wait_gone("Enter keep");
    terminal
}

/// A process of ours that no other can be taken for: it sleeps a time of its
/// own. It is killed when dropped.
struct Sleeper {
    child: Child,
    seconds: String,
}

impl Sleeper {
    fn start() -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        let seconds = format!("86399.{now:09}");
        Sleeper { child: Command::new("sleep").arg(&seconds).spawn().unwrap(), seconds }
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The panel whose tab looks unlike all the others'.
fn open_panel(screen: &Screen) -> Option<&'static str> {
    let (_, columns) = screen.size();
    let line: Vec<_> = (0..columns.get()).filter_map(|column| screen.cell(1, column)).collect();
    let text: String = line.iter().map(|cell| if cell.has_contents() { cell.contents() } else { " " }).collect();
    let look = |title: &str| {
        let cell = line.get(text.find(title)?)?;
        Some((cell.fgcolor(), cell.bgcolor(), cell.bold(), cell.inverse(), cell.underline()))
    };
    let looks: Vec<_> = PANELS.iter().map(|panel| look(panel.title)).collect::<Option<_>>()?;
    let alone = |index: usize| looks.iter().filter(|other| **other == looks[index]).count() == 1;
    (0..PANELS.len()).find(|index| alone(*index)).map(|index| PANELS[index].name)
}

#[track_caller]
fn wait_for_panel(terminal: &Terminal, name: &str) {
    terminal.wait_until(&format!("the panel {name} open"), |screen| open_panel(screen) == Some(name));
}

#[test]
fn it_opens_on_what_runs_here() {
    let sleeper = Sleeper::start();
    let terminal = processes(&sleeper.seconds);
    let pid = sleeper.child.id().to_string();
    terminal.wait_until("the sleeper with its pid and what it waits for", |screen| {
        let (_, columns) = screen.size();
        let is_it =
            |line: String| line.contains(&sleeper.seconds) && line.contains(&pid) && line.matches("sleep").count() > 1;
        screen.rows(0, columns.get()).any(is_it)
    });
}

#[test]
fn every_panel_opens_by_its_number_by_tab_and_by_mouse() {
    let terminal = dashboard(&["--labs", "off"]);
    terminal.wait_for(READY);
    wait_for_panel(&terminal, PANELS[0].name);
    for (index, panel) in PANELS.iter().enumerate().rev() {
        terminal.send_keys(&(index + 1).to_string());
        wait_for_panel(&terminal, panel.name);
    }
    for panel in PANELS.iter().rev() {
        terminal.click_on(panel.title);
        wait_for_panel(&terminal, panel.name);
    }
    for panel in PANELS.iter().skip(1).chain(&PANELS[..1]) {
        terminal.send_keys(TAB);
        wait_for_panel(&terminal, panel.name);
    }
    terminal.send_keys(BACK_TAB);
    wait_for_panel(&terminal, PANELS[PANELS.len() - 1].name);
}

#[test]
fn every_panel_can_be_opened_from_the_command_line() {
    for panel in PANELS {
        let terminal = dashboard(&["--labs", "off", "--panel", panel.name]);
        wait_for_panel(&terminal, panel.name);
    }
}

#[test]
fn a_filter_without_a_match_says_the_way_out() {
    // Nothing has it in its command line, this test's program included.
    let nothing = ["no", "body", "has", "this"].join("-");
    let terminal = processes(&nothing);
    terminal.wait_for("Esc clears the filter");
    terminal.send_keys(ESCAPE);
    terminal.wait_gone(&nothing);
    terminal.wait_for("COMMAND");
}

#[test]
fn a_signal_is_sent_after_a_confirmation_to_that_process_only() {
    let (mut one, mut other) = (Sleeper::start(), Sleeper::start());
    let terminal = processes(&one.seconds);
    terminal.wait_for(&format!("sleep {}", one.seconds));
    terminal.send_keys("k");
    terminal.wait_for(&format!("Signal to {} sleep", one.child.id()));
    terminal.send_keys(ENTER);
    terminal.wait_for("Send SIGTERM to");
    assert!(one.child.try_wait().unwrap().is_none(), "nothing is sent before it is confirmed");
    terminal.send_keys(ENTER);
    terminal.wait_for(&format!("SIGTERM sent to {} sleep", one.child.id()));
    assert_eq!(one.child.wait().unwrap().signal(), Some(libc::SIGTERM));
    assert!(other.child.try_wait().unwrap().is_none());
}

#[test]
fn the_detail_names_the_other_end_of_a_pipe() {
    let mut child = Command::new("cat").arg("-").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let terminal = processes(&format!("pid:{}", child.id()));
    terminal.wait_for("cat -");
    terminal.send_keys(ENTER);
    terminal.wait_for(&format!(" {} cat", child.id()));
    terminal.wait_for("Descriptors");
    terminal.send_keys("\x1b[C");
    terminal.wait_for(&format!("{} ", std::process::id()));
    terminal.wait_for("writes");
    child.kill().unwrap();
    child.wait().unwrap();
    terminal.wait_for("is gone");
}

#[test]
fn it_serves_every_size() {
    let terminal = dashboard(&["--labs", "off"]);
    terminal.wait_for(READY);
    for (columns, rows) in [(40, 8), (80, 24), (240, 70), (1, 1), (20, 3), (300, 4), (120, 40)] {
        for panel in 1..=PANELS.len() {
            terminal.send_keys(&panel.to_string());
            terminal.resize(columns, rows);
        }
        if columns >= 40 && rows >= 8 {
            // This one has a frame at any size.
            terminal.send_keys("2");
            terminal.wait_until(&format!("a frame down to the corner of {columns}x{rows}"), |screen| {
                let corner = screen.cell(rows - 2, columns - 1);
                corner.is_some_and(|cell| cell.contents() == "╯")
            });
        }
    }
    terminal.send_keys("1");
    wait_for_panel(&terminal, PANELS[0].name);
}

/// A window that is dragged by its corner must not swallow what is typed.
#[test]
fn no_key_is_lost_while_the_size_changes() {
    let terminal = dashboard(&["--labs", "off"]);
    terminal.wait_for(READY);
    for turn in 0..60 {
        // The last key of a burst is the one that would stay unread.
        let last = turn % PANELS.len();
        for (key, columns) in [(1, 100), (2, 90), (last + 1, 120)] {
            terminal.resize(columns, 40);
            terminal.send_keys(&key.to_string());
        }
        wait_for_panel(&terminal, PANELS[last].name);
    }
}

#[test]
fn help_lists_the_keys_of_the_panel_and_goes_away() {
    let terminal = dashboard(&["--panel", "processes", "--labs", "off"]);
    terminal.wait_for(READY);
    terminal.send_keys("?");
    terminal.wait_for("as a tree of parents and children");
    terminal.send_keys(ESCAPE);
    terminal.wait_gone("as a tree of parents and children");
}

/// Not one byte, for many refreshes; and it goes on where it stopped.
#[test]
fn a_frozen_screen_writes_nothing() {
    let terminal = dashboard(&["--panel", "processes", "--labs", "off", "--refresh", "50ms"]);
    terminal.wait_for("COMMAND");
    terminal.send_keys("z");
    // The frame that says so is the last.
    terminal.settle(Duration::from_millis(300));
    let before = terminal.bytes();
    let until = Instant::now() + Duration::from_millis(700);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(terminal.bytes(), before);
    }
    terminal.send_keys("z");
    let deadline = Instant::now() + terminal::DEADLINE;
    while terminal.bytes() < before + 500 {
        assert!(Instant::now() < deadline, "it does not go on");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_name_with_escape_sequences_cannot_touch_the_screen() {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("\x1b[2J\x1b]0;owned\x07evil");
    std::fs::copy("/bin/sleep", &program).unwrap();
    let mut child = Command::new(&program).arg("86400").spawn().unwrap();
    let terminal = processes(&format!("pid:{}", child.id()));
    terminal.wait_for("\\x1b[2J\\x1b]0;owned\\x07evil");
    terminal.wait_for(READY);
    child.kill().unwrap();
    child.wait().unwrap();
}
