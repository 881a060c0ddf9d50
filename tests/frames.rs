//! Every panel in every state, drawn without a terminal and compared with what
//! was found good before (`tests/snapshots`). After a wanted change:
//! `INSTA_UPDATE=always cargo test --test frames`, and read the difference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use syncscope::backend::Update;
use syncscope::model::child::{ChildState, ChildView, Children, Course, Keyboard, LiveUsage, StdinState, Usage};
use syncscope::model::lab::LabState;
use syncscope::model::life::Exit;
use syncscope::model::process::{Process, ProcessTable, State, Tally, Thread};
use syncscope::model::system::{OwnCost, Pressure, SystemSample};
use syncscope::model::wait::{Holder, Wait, WaitKind};
use syncscope::model::{Bytes, Fault, Nanos, Pid, Stamped};
use syncscope::ui::app::{After, App, Clock, Settings};
use syncscope::ui::panels::PANELS;

#[expect(dead_code, reason = "other tests use the rest")]
mod knots;

const NOW: Nanos = Nanos::from_secs(5_000);
const SIZES: [(u16, u16); 3] = [(40, 8), (80, 24), (120, 40)];

fn app(panel: &str) -> App {
    let panel = PANELS.iter().position(|p| p.name == panel).unwrap();
    App::new(Settings { panel, clock: Clock::Fixed(NOW, NOW), ..Settings::default() }).unwrap()
}

fn text(app: &mut App, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    // The second frame knows what the first has measured.
    terminal.draw(|frame| app.draw(frame)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer
        .content
        .chunks(usize::from(width))
        .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned());
    rows.collect::<Vec<_>>().join("\n")
}

fn snapshots(name: &str, make: impl Fn() -> App) {
    for size in SIZES {
        let mut app = make();
        insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), text(&mut app, size));
    }
}

fn press(app: &mut App, code: KeyCode) -> After {
    app.on_event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

fn type_text(app: &mut App, text: &str) {
    for c in text.chars() {
        press(app, KeyCode::Char(c));
    }
}

fn stamped<T>(value: T) -> Arc<Stamped<T>> {
    Arc::new(Stamped { at: NOW, took: Nanos(1_000), seq: 1, value })
}

fn machine() -> Update {
    let pressure = |some10| Some(Pressure { some10, some60: 0.0, full10: 0.0 });
    Update::System(stamped(SystemSample {
        host: Arc::from("vm"),
        kernel: Arc::from("6.18.0"),
        uptime: NOW,
        cpus: vec![0.5, 0.25],
        cpu: Some(0.375),
        memory_total: Bytes(24 << 30),
        memory_used: Bytes(3 << 30),
        load: [0.41, 0.32, 0.2],
        psi_cpu: pressure(1.5),
        psi_memory: pressure(0.0),
        psi_io: None,
        own: OwnCost { program: 0.006, workers: 0.04, rss: Bytes(9 << 20) },
        ..SystemSample::default()
    }))
}

fn process(pid: Pid, ppid: Pid, name: &str) -> Process {
    Process {
        pid,
        ppid,
        pgrp: pid,
        session: pid,
        uid: 0,
        user: Arc::from("root"),
        state: State::Sleeping,
        name: Arc::from(name),
        cmdline: Arc::from([Arc::from(format!("/usr/bin/{name}")), Arc::from("--serve")]),
        kernel: false,
        cpu: Some(0.0),
        cpu_time: Nanos::from_millis(61_230),
        nice: 0,
        rss: Bytes(4 << 20),
        virt: Bytes(64 << 20),
        threads: 1,
        started: Nanos::from_secs(1_000),
        switches: None,
        io: None,
        wchan: None,
        call: None,
        wait: None,
        stale: None,
    }
}

fn mutex(holder: Pid, of: Pid) -> Arc<Wait> {
    let mut wait = Wait::new(WaitKind::PthreadMutex, "mutex [heap] +0x2a0");
    wait.address = Some(0x55d0_0000_a040);
    wait.holders = vec![Holder { pid: of, tid: Some(holder) }];
    wait.since = Some(Nanos::from_secs(4_808));
    wait.evidence = vec![format!("owner word = {holder} at 0x55d00000a048"), "kind = 0 (normal)".to_owned()];
    Arc::new(wait)
}

fn thread(pid: Pid, tid: Pid, name: &str, wait: Option<Arc<Wait>>) -> Arc<Thread> {
    Arc::new(Thread {
        pid,
        tid,
        name: Arc::from(name),
        state: State::Sleeping,
        cpu: Some(0.0),
        cpu_time: Nanos::ZERO,
        started: Nanos::from_secs(1_001),
        last_cpu: 1,
        switches: None,
        wchan: None,
        call: None,
        wait,
    })
}

/// A machine with a deadlock in `payments`, a pipeline that is full, and a name
/// that would like to repaint the screen.
fn processes() -> Update {
    let mut init = process(1, 0, "init");
    init.cpu = Some(0.004);
    let mut payments = process(4_121, 1, "payments");
    payments.threads = 3;
    let mut tar = process(5_120, 1, "tar");
    let mut full = Wait::new(WaitKind::PipeWrite, "pipe 48213 (fd 1)");
    full.holders = vec![Holder { pid: 5_121, tid: None }];
    full.since = Some(Nanos::from_secs(4_992));
    tar.wait = Some(Arc::new(full));
    let mut gzip = process(5_121, 1, "gzip");
    (gzip.state, gzip.cpu, gzip.rss) = (State::Running, Some(0.97), Bytes(41 << 20));
    let mut stuck = process(5_200, 1, "stuck");
    stuck.stale = Some(Nanos::from_secs(4_997));
    let mut zombie = process(5_300, 4_121, "evil\\x1b[2J");
    (zombie.state, zombie.cmdline) = (State::Zombie, Arc::from([]));
    let all = [init, payments, tar, gzip, stuck, zombie];
    let threads = vec![
        thread(4_121, 4_121, "payments", None),
        thread(4_121, 4_130, "worker-2", Some(mutex(4_133, 4_121))),
        thread(4_121, 4_133, "worker-5", Some(mutex(4_130, 4_121))),
    ];
    Update::Processes(stamped(ProcessTable {
        tally: Tally { processes: 6, threads: 8, running: 1, disk: 0, stopped: 0, zombies: 1 },
        processes: all.into_iter().map(Arc::new).collect(),
        threads,
        complete: true,
        faults: vec![
            Fault::new("/proc/PID/io", "permission denied (EACCES) for 2 processes")
                .hint("run as root to see their I/O"),
        ],
    }))
}

fn children() -> Update {
    let child = |id, pid, command: &str, state| {
        Arc::new(ChildView {
            id,
            pid: Some(pid),
            command: Arc::from(command),
            started: Nanos::from_secs(4_988),
            state,
            code: None,
            history: Arc::default(),
            course: Course::default(),
            spec: Arc::default(),
            live: Some(LiveUsage { cpu_time: Nanos::from_secs(11), cpu: 0.97, rss: Bytes(41 << 20) }),
            stdin: StdinState::Closed,
            keyboard: Keyboard::default(),
            stdout_bytes: 1_234,
            stderr_bytes: 0,
            dropped_lines: 0,
            log_limit: Bytes(1 << 20),
            log: Vec::new(),
        })
    };
    let ended = |code, signal| ChildState::Ended {
        exit: Exit { code, signal, core: false },
        usage: Usage { wall: Nanos::from_millis(1_300), ..Usage::default() },
    };
    Update::Children(stamped(Children {
        children: vec![
            child(1, 5_188, "make", ended(Some(2), None)),
            child(2, 5_190, "sleep 100", ended(None, Some(15))),
            child(3, 5_121, "gzip -9", ChildState::Running),
        ],
    }))
}

fn busy(panel: &str) -> App {
    let mut app = app(panel);
    let (mut threads, deadlock) = knots::deadlock();
    threads.extend(knots::chains());
    for update in [machine(), processes(), knots::graph(threads, vec![deadlock]), children()] {
        app.on_update(&update);
    }
    app
}

#[test]
fn before_anything_was_read() {
    for panel in PANELS {
        snapshots(&format!("{}-loading", panel.name), || app(panel.name));
    }
}

#[test]
fn overview() {
    snapshots("overview-busy", || busy("overview"));
}

#[test]
fn overview_with_a_lab_that_failed() {
    snapshots("overview-fault", || {
        let mut app = busy("overview");
        let fault = Fault::new("pipe receiver", "worker 812 ended early: killed by signal 9");
        let failed = syncscope::model::channel::IpcProgress { state: LabState::Failed(fault), ..Default::default() };
        app.on_update(&Update::Ipc(stamped(failed)));
        app
    });
}

#[test]
fn process_table() {
    snapshots("processes-busy", || busy("processes"));
}

#[test]
fn process_tree_with_threads() {
    snapshots("processes-tree", || {
        let mut app = busy("processes");
        type_text(&mut app, "tH");
        app
    });
}

#[test]
fn a_filter_without_matches_says_how_to_get_out() {
    snapshots("processes-nothing", || {
        let mut app = busy("processes");
        type_text(&mut app, "fnobody-is-called-so");
        press(&mut app, KeyCode::Enter);
        app
    });
}

#[test]
fn signal_menu_and_its_question() {
    snapshots("processes-signal", || {
        let mut app = busy("processes");
        press(&mut app, KeyCode::Char('k'));
        app
    });
    snapshots("processes-signal-question", || {
        let mut app = busy("processes");
        press(&mut app, KeyCode::Char('k'));
        press(&mut app, KeyCode::Enter);
        app
    });
}

/// The last row.
fn status(app: &mut App) -> String {
    text(app, (100, 30)).lines().last().unwrap().to_owned()
}

#[test]
fn the_status_line_says_what_can_be_done_next_whatever_else_it_says() {
    let mut app = busy("processes");
    press(&mut app, KeyCode::Char('T'));
    let line = status(&mut app);
    assert!(line.contains("theme day") && line.contains("Enter detail") && line.contains("q quit"), "{line}");
    press(&mut app, KeyCode::Char('/'));
    let line = status(&mut app);
    assert!(line.contains("Enter keep") && line.contains("^C quit"), "{line}");
    assert!(!line.contains("? keys"), "a letter goes into the prompt: {line}");
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::Char('k'));
    assert!(status(&mut app).contains("Enter choose"), "{}", status(&mut app));
    press(&mut app, KeyCode::Enter);
    assert!(status(&mut app).contains("Enter send it") && status(&mut app).contains("Esc back"));
}

#[test]
fn what_is_to_be_found_is_asked_from_the_overview_too() {
    let mut app = busy("overview");
    press(&mut app, KeyCode::Char('/'));
    assert!(status(&mut app).contains("Enter keep"), "{}", status(&mut app));
    for c in "gzip".chars() {
        press(&mut app, KeyCode::Char(c));
    }
    let shown = text(&mut app, (100, 30));
    assert!(shown.contains("find gzip") && !shown.contains("no process has it"), "{shown}");
    for c in "zz".chars() {
        press(&mut app, KeyCode::Char(c));
    }
    let shown = text(&mut app, (100, 30));
    assert!(shown.contains("find gzipzz") && shown.contains("no process has it"), "{shown}");
    press(&mut app, KeyCode::Esc);
    press(&mut app, KeyCode::Backspace);
    assert!(status(&mut app).contains("Enter waits"), "back on the overview: {}", status(&mut app));
}

#[test]
fn hidden_processes_are_missed_wherever_they_would_have_been() {
    for panel in ["overview", "processes", "waits"] {
        snapshots(&format!("{panel}-hidden"), || {
            let mut app = app(panel);
            let hidden = Fault::new("/proc", "processes of other users are hidden (hidepid)").hint("run as root");
            let tally = Tally { processes: 1, threads: 1, ..Tally::default() };
            let processes = vec![Arc::new(process(4_121, 1, "payments"))];
            let faults = vec![hidden];
            let table = ProcessTable { processes, tally, faults, complete: true, ..ProcessTable::default() };
            let graph = knots::graph(Vec::new(), Vec::new());
            for update in [machine(), Update::Processes(stamped(table)), graph] {
                app.on_update(&update);
            }
            app
        });
    }
}

#[test]
fn help_lists_every_key() {
    snapshots("processes-help", || {
        let mut app = busy("processes");
        press(&mut app, KeyCode::Char('?'));
        app
    });
    for panel in PANELS {
        let mut app = busy(panel.name);
        press(&mut app, KeyCode::Char('?'));
        let shown = text(&mut app, (120, 70));
        for global in syncscope::ui::keymap::hints(syncscope::ui::keymap::GLOBAL) {
            assert!(shown.contains(global.long), "{}: the help lacks `{}`:\n{shown}", panel.name, global.long);
        }
    }
}

#[test]
fn a_frozen_screen_says_so_and_stands_still() {
    let mut app = busy("processes");
    press(&mut app, KeyCode::Char('z'));
    app.on_update(&Update::Processes(stamped(ProcessTable::default())));
    let frame = text(&mut app, (120, 40));
    assert!(frame.contains("FROZEN") && frame.contains("gzip"), "{frame}");
    press(&mut app, KeyCode::Char('z'));
    app.on_update(&Update::Processes(stamped(ProcessTable::default())));
    assert!(!text(&mut app, (120, 40)).contains("gzip"));
}

#[test]
fn no_size_is_too_small() {
    for panel in PANELS {
        let mut app = busy(panel.name);
        for (width, height) in [(1, 1), (2, 2), (5, 3), (12, 4), (20, 5), (40, 3), (300, 2), (3, 100), (240, 70)] {
            text(&mut app, (width, height));
            press(&mut app, KeyCode::Char('?'));
            text(&mut app, (width, height));
            press(&mut app, KeyCode::Esc);
        }
    }
}

#[test]
fn every_panel_is_named_and_explained() {
    let names: HashSet<_> = PANELS.iter().map(|p| p.name).collect();
    assert_eq!(names.len(), PANELS.len(), "names are unique");
    for panel in PANELS {
        assert!(panel.question.ends_with('?') || panel.question.ends_with('.'), "{}: {}", panel.name, panel.question);
        assert!(panel.question.len() > 10, "{}", panel.name);
    }
}

#[test]
fn a_theme_with_a_ground_leaves_no_hole_in_it() {
    for (panel, keys) in [("overview", ""), ("processes", "k"), ("processes", "?"), ("ordering", "t"), ("locks", "")] {
        let mut app = busy(panel);
        press(&mut app, KeyCode::Char('T'));
        type_text(&mut app, keys);
        let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
        terminal.draw(|frame| app.draw(frame)).unwrap();
        let cells = &terminal.backend().buffer().content;
        let holes = cells.iter().filter(|cell| cell.bg == ratatui::style::Color::Reset).count();
        assert_eq!(holes, 0, "{panel} {keys}");
    }
}
