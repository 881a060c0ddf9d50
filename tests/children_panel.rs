//! The children panel in its states, drawn without a terminal, and its keys.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use syncscope::backend::children::experiments::experiment;
use syncscope::backend::{ChildCommand, Command, Experimented, Update};
use syncscope::model::child::{
    ChildState, ChildView, Children, Course, Keyboard, LiveUsage, OutputLine, StdinState, Stream, Usage,
};
use syncscope::model::finding::{Chain, Finding, Observation};
use syncscope::model::graph::WaitGraph;
use syncscope::model::launch::Redirect;
use syncscope::model::life::{Exit, Happening, Moment, Relative, Target};
use syncscope::model::process::Switches;
use syncscope::model::{Bytes, Fault, Nanos, Stamped};
use syncscope::ui::app::{After, App, Clock, Settings};
use syncscope::ui::panels::PANELS;

#[path = "children_panel/log.rs"]
mod log_tests;

const NOW: Nanos = Nanos::from_secs(5_000);
const SIZES: [(u16, u16); 4] = [(40, 8), (80, 24), (120, 40), (240, 70)];

fn child(id: u64, command: &str, state: ChildState) -> ChildView {
    let lives = matches!(state, ChildState::Running | ChildState::Stopped { .. });
    ChildView {
        id,
        pid: lives.then_some(5_180 + id as i32),
        command: Arc::from(command),
        started: Nanos::from_secs(4_988),
        state,
        code: None,
        history: Arc::default(),
        course: Course::default(),
        spec: Arc::default(),
        live: lives.then_some(LiveUsage { cpu_time: Nanos::from_secs(11), cpu: 0.97, rss: Bytes(41 << 20) }),
        stdin: if lives { StdinState::Open { queued: 0 } } else { StdinState::Closed },
        keyboard: Keyboard::default(),
        stdout_bytes: 0,
        stderr_bytes: 0,
        dropped_lines: 0,
        log_limit: Bytes(1 << 20),
        log: Vec::new(),
    }
}

fn log(count: u64, dropped: u64) -> Vec<Arc<[OutputLine]>> {
    let line = |n: u64| {
        let (stream, text) = match n % 7 {
            3 => (Stream::Stderr, format!("warning {n}: unused import: `std::io::Read`, which is a long story {n}")),
            _ => (Stream::Stdout, format!("test case_{n} ... ok")),
        };
        OutputLine {
            at: Nanos::from_secs(4_988) + Nanos::from_millis(25 * n),
            stream,
            text: text.into(),
            strokes: None,
            continues: false,
        }
    };
    let lines: Vec<OutputLine> = (dropped..count).map(line).collect();
    lines.chunks(256).map(Arc::from).collect()
}

fn ended(code: Option<i32>, signal: Option<i32>) -> ChildState {
    let usage = Usage {
        wall: Nanos::from_millis(1_300),
        user: Nanos::from_millis(420),
        system: Nanos::from_millis(35),
        max_rss: Bytes(88 << 20),
        max_rss_is_ours: false,
        switches: Switches { voluntary: 1_204, involuntary: 87 },
        minor_faults: 20_411,
        major_faults: 3,
    };
    ChildState::Ended { exit: Exit { code, signal, core: signal == Some(11) }, usage }
}

fn app(children: Vec<ChildView>) -> App {
    let panel = PANELS.iter().position(|p| p.name == "children").unwrap();
    let mut app = App::new(Settings { panel, clock: Clock::Fixed(NOW, NOW), ..Settings::default() }).unwrap();
    show(&mut app, children);
    app
}

fn tell(app: &mut App, children: Vec<ChildView>) {
    let value = Children { children: children.into_iter().map(Arc::new).collect() };
    app.on_update(&Update::Children(Arc::new(Stamped { at: NOW, seq: 1, value, ..Stamped::default() })));
}

fn show(app: &mut App, children: Vec<ChildView>) {
    tell(app, children);
    // A panel sees what is new when it is drawn.
    text(app, (80, 24));
}

fn busy() -> Vec<ChildView> {
    let running = ChildView {
        stdout_bytes: 25_803,
        stderr_bytes: 9_112,
        dropped_lines: 1_000,
        log: log(1_480, 1_000),
        ..child(5, "cargo test --workspace", ChildState::Running)
    };
    vec![
        child(1, "make -j2", ended(Some(2), None)),
        child(2, "./crash", ended(None, Some(11))),
        child(3, "gzip -9", ChildState::Stopped { signal: 19 }),
        child(4, "true", ended(Some(0), None)),
        running,
    ]
}

fn text(app: &mut App, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let rows = terminal.backend().buffer().content.chunks(usize::from(width));
    let row = |row: &[ratatui::buffer::Cell]| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    rows.map(|cells| row(cells).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn press(app: &mut App, code: KeyCode) {
    app.on_event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

fn type_text(app: &mut App, text: &str) {
    text.chars().for_each(|c| press(app, KeyCode::Char(c)));
}

/// What the panel has asked the supervisor since the last time.
fn asked(app: &mut App) -> Vec<ChildCommand> {
    let commands = app.take_commands().into_iter();
    commands.filter_map(|command| if let Command::Child(command) = command { Some(command) } else { None }).collect()
}

fn snapshots(name: &str, make: impl Fn() -> App) {
    for size in SIZES {
        insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), text(&mut make(), size));
    }
}

#[test]
fn a_child_that_comes_back_says_when() {
    let mut flaky = child(1, "./flaky", ended(Some(1), None));
    flaky.course.starts = 4;
    flaky.course.next_start = Some(NOW + Nanos::from_millis(2_300));
    for size in [(120, 40), (80, 24), (60, 12)] {
        let shown = text(&mut app(vec![flaky.clone()]), size);
        assert!(shown.contains("exit 1  again in 2.3 s"), "{shown}");
        let whole = "in 2.3 s: start 5; X calls it off";
        assert!(size.1 < 40 || shown.contains(whole), "{shown}");
    }
}

#[test]
fn a_running_child_and_its_log() {
    snapshots("running", || app(busy()));
}

#[test]
fn one_that_crashed() {
    snapshots("crashed", || {
        let mut app = app(busy());
        (0..3).for_each(|_| press(&mut app, KeyCode::Down));
        app
    });
}

#[test]
fn one_that_did_not_start() {
    let fault = Fault::new("spawn", "cannot execute ./tool: Permission denied (EACCES)");
    let fault = fault.hint("is it executable? chmod +x ./tool");
    snapshots("fault", || app(vec![child(1, "./tool --all", ChildState::NotStarted(fault.clone()))]));
}

#[test]
fn a_command_is_typed_read_and_remembered() {
    let mut app = app(Vec::new());
    type_text(&mut app, "rA=1 sh -c 'exit 3");
    press(&mut app, KeyCode::Enter);
    assert!(asked(&mut app).is_empty());
    assert!(text(&mut app, (80, 24)).contains("a quote is not closed"));
    type_text(&mut app, "'");
    press(&mut app, KeyCode::Enter);
    let commands = asked(&mut app);
    let [ChildCommand::Spawn(spec)] = commands.as_slice() else { unreachable!("{commands:?}") };
    assert_eq!((spec.program.to_str(), spec.args.len(), spec.env.set.len()), (Some("sh"), 2, 1));
    press(&mut app, KeyCode::Char('r'));
    press(&mut app, KeyCode::Up);
    assert!(text(&mut app, (80, 24)).contains("run › A=1 sh -c 'exit 3'"));
    press(&mut app, KeyCode::Esc);
    assert!(!text(&mut app, (80, 24)).contains("run ›"));
}

#[test]
fn input_signal_forget_and_again_reach_the_selected_child() {
    let mut app = app(busy());
    type_text(&mut app, "ihello");
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Esc);
    assert!(matches!(&asked(&mut app)[..], [ChildCommand::Write { id: 5, bytes }] if bytes == b"hello\n"));
    type_text(&mut app, "x");
    assert!(asked(&mut app).is_empty(), "it runs");
    type_text(&mut app, "k9");
    press(&mut app, KeyCode::Enter);
    assert!(asked(&mut app).is_empty(), "a signal is asked for twice");
    press(&mut app, KeyCode::Enter);
    assert!(matches!(asked(&mut app)[..], [ChildCommand::Signal { id: 5, signal: 9, .. }]));
    app.on_event(&Event::Key(KeyEvent::new(KeyCode::Char('d'), KeyModifiers::CONTROL)));
    assert!(matches!(asked(&mut app)[..], [ChildCommand::CloseStdin(5)]));
    press(&mut app, KeyCode::Down);
    type_text(&mut app, "xR");
    assert!(matches!(asked(&mut app)[..], [ChildCommand::Forget(4), ChildCommand::Again(4)]));
}

#[test]
fn a_new_child_is_selected_as_it_appears() {
    let mut app = app(busy());
    press(&mut app, KeyCode::Down);
    let mut more = busy();
    more.push(child(6, "newcomer", ChildState::Running));
    show(&mut app, more);
    assert!(text(&mut app, (120, 40)).contains("╮╭ 5186 newcomer "));
}

/// One with a course, a tree and a past.
fn eventful() -> Vec<ChildView> {
    let at = |millis: u64, what| Moment { at: Nanos::from_secs(4_988) + Nanos::from_millis(millis), what };
    let moments = [
        at(0, Happening::Created { pid: 5_185 }),
        at(1, Happening::Executed),
        at(4_000, Happening::Signalled { signal: 19, target: Target::Group, unheard: None }),
        at(4_001, Happening::Stopped { signal: 19 }),
        at(7_000, Happening::Continued),
    ];
    let relative = |pid, parent, depth, name: &str, state, orphan| Relative {
        pid,
        parent,
        depth,
        name: Arc::from(name),
        state,
        orphan,
    };
    let family = [
        relative(5_190, 5_185, 1, "rustc", 'R', false),
        relative(5_191, 5_190, 2, "cc", 'Z', false),
        relative(5_195, 1, 1, "sccache", 'S', true),
    ];
    let calls = ["clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD) = 5185", "setsid() = 5185"];
    let mut all = busy();
    let child = &mut all[4];
    child.course = Course {
        moments: Arc::from(moments),
        family: Arc::from(family),
        calls: calls.into_iter().map(Arc::from).collect(),
        starts: 1,
        kill_at: Some(NOW + Nanos::from_millis(3_200)),
        ..Course::default()
    };
    let past = |n: u64| LiveUsage { cpu: (n % 10) as f32 / 10.0, rss: Bytes((n + 3) << 20), ..LiveUsage::default() };
    child.history = (0..30).map(past).collect();
    all
}

#[test]
fn the_views_of_a_child_follow_each_other() {
    let shown = |presses: usize| {
        let mut app = app(eventful());
        (0..presses).for_each(|_| press(&mut app, KeyCode::Char('v')));
        app
    };
    snapshots("process", || shown(1));
    snapshots("tree", || shown(2));
    snapshots("life", || shown(3));
    snapshots("start", || shown(4));
    let mut app = shown(5);
    let log = text(&mut app, (120, 40));
    assert!(log.contains("case_1479"), "round to the log: {log}");
    assert!(log.contains("3 descendants, 1 zombie, 1 orphan") && log.contains("SIGKILL in 3.2 s"), "{log}");
}

#[test]
fn the_builder_says_what_to_start_and_how_in_rust() {
    let built = || {
        let mut app = app(busy());
        type_text(&mut app, "bsort -r");
        (0..6).for_each(|_| press(&mut app, KeyCode::Down));
        press(&mut app, KeyCode::Right);
        (0..4).for_each(|_| press(&mut app, KeyCode::Down));
        type_text(&mut app, "4");
        app
    };
    snapshots("builder", built);
    let mut app = built();
    type_text(&mut app, "0");
    press(&mut app, KeyCode::Enter);
    assert!(asked(&mut app).is_empty());
    assert!(text(&mut app, (120, 40)).contains("nice: -20 to 19"));
    press(&mut app, KeyCode::Backspace);
    app.on_event(&Event::Key(KeyEvent::new(KeyCode::Char('y'), KeyModifiers::CONTROL)));
    let code = app.take_copied().unwrap();
    assert!(code.contains("Command::new(\"sort\")") && code.contains("stdout(Stdio::null())"), "{code}");
    press(&mut app, KeyCode::Enter);
    let commands = asked(&mut app);
    let [ChildCommand::Spawn(spec)] = commands.as_slice() else { unreachable!("{commands:?}") };
    assert_eq!(spec.streams, [Redirect::Pipe, Redirect::Null, Redirect::Pipe]);
    assert_eq!((spec.attributes.nice, spec.args.len()), (Some(4), 1));
}

/// Code that is cut on the screen would be wrong where it is read.
#[test]
fn no_character_of_the_builder_s_code_is_lost() {
    for size in [(120, 40), (99, 45), (141, 50)] {
        let mut app = app(Vec::new());
        let words: Vec<String> = (100..160).map(|number| format!("w{number}")).collect();
        type_text(&mut app, &format!("becho {}", words.join(" ")));
        let text = text(&mut app, size);
        let code = text.split("The same in Rust").nth(1).unwrap();
        let rows = code.lines().map(|row| row.trim_end().trim_end_matches('│').rsplit('│').next().unwrap().trim());
        let code: String = rows.collect::<Vec<_>>().concat().replace(' ', "");
        let args: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        assert!(code.contains(&args.join(",")), "{size:?}:\n{text}");
    }
}

#[test]
fn signals_go_to_whom_they_are_meant_for() {
    let mut app = app(busy());
    type_text(&mut app, "k");
    press(&mut app, KeyCode::Tab);
    assert!(text(&mut app, (120, 40)).contains("Signal to the group of 5185"));
    press(&mut app, KeyCode::Tab);
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Enter);
    let expected = ChildCommand::Signal { id: 5, signal: 15, target: Target::Tree };
    assert_eq!(format!("{:?}", asked(&mut app)), format!("{:?}", [expected]));
    type_text(&mut app, "X");
    assert!(matches!(asked(&mut app)[..], [ChildCommand::End { id: 5, target: Target::Tree, .. }]));
    // Raw input: every key, but the one that ends it.
    type_text(&mut app, "Iq");
    press(&mut app, KeyCode::Up);
    let control = |app: &mut App, c| app.on_event(&Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL)));
    for c in ['c', 'z', 'l', '4'] {
        assert_eq!(control(&mut app, c), After::Draw, "not the dashboard's");
    }
    control(&mut app, ']');
    type_text(&mut app, "x");
    let written: Vec<u8> = asked(&mut app)
        .into_iter()
        .flat_map(|command| if let ChildCommand::Write { bytes, .. } = command { bytes } else { unreachable!() })
        .collect();
    assert_eq!(written, b"q\x1b[A\x03\x1a\x0c\x1c");
    assert_eq!(control(&mut app, 'c'), After::Quit);
    // The keys come back when nobody reads them any more.
    type_text(&mut app, "I");
    let mut over = busy();
    over[4] = child(5, "cargo test --workspace", ended(Some(0), None));
    show(&mut app, over);
    assert_eq!(control(&mut app, 'c'), After::Quit);
}

#[test]
fn who_outlived_a_child_can_be_reached() {
    let left = Relative { pid: 91, parent: 1, depth: 1, name: "sleep".into(), state: 'S', orphan: true };
    let ended = |family: Vec<Relative>| {
        let course = Course { family: family.into(), ..Course::default() };
        ChildView { course, ..child(1, "make", ended(Some(0), None)) }
    };
    let mut app = app(vec![ended(vec![left])]);
    type_text(&mut app, "kX");
    assert!(text(&mut app, (120, 40)).contains("Signal to the tree of make"));
    press(&mut app, KeyCode::Enter);
    press(&mut app, KeyCode::Enter);
    assert!(matches!(asked(&mut app)[..], [ChildCommand::Signal { id: 1, signal: 15, target: Target::Tree }]));
    type_text(&mut app, "X");
    assert!(matches!(asked(&mut app)[..], [ChildCommand::End { id: 1, target: Target::Tree, .. }]));
    show(&mut app, vec![ended(Vec::new())]);
    type_text(&mut app, "kX");
    assert!(asked(&mut app).is_empty());
}

#[test]
fn experiments_are_played_and_told() {
    let chain = Chain { asked: 1, at: NOW, graph: WaitGraph::default() };
    let seen = |text: &str, chain| Observation { text: text.to_owned(), as_documented: Some(true), chain };
    let observed = vec![seen("grep is 12; it was sent 18 bytes", None), seen("it waits", Some(chain))];
    let statement = experiment("grep-deadlock").unwrap().statement.into();
    let done = Experimented { key: "grep-deadlock".to_owned(), found: Ok(Finding { observed, statement }) };
    let update = Update::Experiment(Arc::new(done));
    snapshots("experiments", || {
        let mut app = app(Vec::new());
        type_text(&mut app, "e");
        app.on_update(&update);
        app
    });
    let mut app = app(Vec::new());
    type_text(&mut app, "e");
    press(&mut app, KeyCode::Down);
    press(&mut app, KeyCode::Enter);
    assert!(matches!(app.take_commands().last(), Some(Command::Experiment("grep-mended"))));
    assert!(text(&mut app, (120, 40)).contains("It is being played"));
    press(&mut app, KeyCode::Esc);
    assert!(text(&mut app, (120, 40)).contains("No program has been started"));
}
