//! The panel of waits in every state, drawn without a terminal, and the notice
//! of a deadlock in all other panels. After a wanted change:
//! `INSTA_UPDATE=always cargo test --test waits_panel`, and read the difference.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod knots;

use std::collections::HashSet;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use syncscope::backend::Update;
use syncscope::model::Nanos;
use syncscope::model::graph::{GraphThread, Verdict};
use syncscope::model::wait::WaitKind;
use syncscope::ui::app::{App, Clock, Settings};
use syncscope::ui::panels::PANELS;
use syncscope::ui::theme::Depth;

use knots::{by, chains, deadlock, graph, inferred, process, unknown, wait};

const NOW: Nanos = Nanos::from_secs(5_000);
const SIZES: [(u16, u16); 4] = [(40, 8), (80, 24), (120, 40), (240, 70)];

fn app_with(panel: &str, settings: Settings) -> App {
    let panel = PANELS.iter().position(|p| p.name == panel).unwrap();
    App::new(Settings { panel, clock: Clock::Fixed(NOW, NOW), ..settings }).unwrap()
}

fn app(panel: &str, update: &Update) -> App {
    let mut app = app_with(panel, Settings::default());
    app.on_update(update);
    app
}

fn text(app: &mut App, (width, height): (u16, u16)) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let rows = terminal.backend().buffer().content.chunks(usize::from(width));
    let row = |cells: &[ratatui::buffer::Cell]| cells.iter().map(ratatui::buffer::Cell::symbol).collect::<String>();
    rows.map(|cells| row(cells).trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn press(app: &mut App, code: KeyCode) {
    app.on_event(&Event::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

fn snapshots(name: &str, update: &Update, keys: &[KeyCode]) {
    for size in SIZES {
        let mut app = app("waits", update);
        for key in keys {
            press(&mut app, *key);
        }
        insta::assert_snapshot!(format!("{name}-{}x{}", size.0, size.1), text(&mut app, size));
    }
}

fn with_deadlock(others: Vec<GraphThread>) -> Update {
    let (mut threads, deadlock) = deadlock();
    threads.extend(others);
    graph(threads, vec![deadlock])
}

#[test]
fn nobody_waits() {
    snapshots("nobody", &graph(Vec::new(), Vec::new()), &[]);
}

#[test]
fn chains_and_crowds() {
    snapshots("chains", &graph(chains(), Vec::new()), &[]);
    let any_of = [KeyCode::Char('j')];
    snapshots("any-of", &graph(chains(), Vec::new()), &any_of);
}

#[test]
fn a_deadlock_is_drawn_as_a_loop_that_closes() {
    snapshots("deadlock", &with_deadlock(chains()), &[]);
}

#[test]
fn what_is_not_seen_is_said() {
    snapshots("unknown", &graph(unknown(), Vec::new()), &[KeyCode::Char('j'), KeyCode::Char('j')]);
    let mut app = app("waits", &graph(unknown(), Vec::new()));
    let orphaned = text(&mut app, (120, 40));
    assert!(orphaned.contains("its holder is gone for ever"), "{orphaned}");
    press(&mut app, KeyCode::Char('j'));
    let hidden = text(&mut app, (120, 40));
    assert!(hidden.contains("who must act cannot be seen"), "{hidden}");
    press(&mut app, KeyCode::Char('j'));
    let partial = text(&mut app, (120, 40));
    assert!(partial.contains("somebody who cannot be seen may act too"), "{partial}");
}

#[test]
fn what_is_inferred_says_so() {
    snapshots("inferred", &graph(inferred(), Vec::new()), &[]);
}

#[test]
fn a_large_loop_can_be_scrolled() {
    let ring: i32 = 200;
    let next = |n: i32| 1_000 + (n + 1) % ring;
    let threads: Vec<GraphThread> = (0..ring)
        .map(|n| {
            process(1_000 + n, "ring", Some(wait(WaitKind::PipeRead, "pipe", &[by(next(n))], 4_000)), Verdict::Waiting)
        })
        .collect();
    let mut app = app("waits", &graph(threads, Vec::new()));
    let first = text(&mut app, (120, 40));
    assert!(first.contains("ring 1000") && first.contains("J scrolls"), "{first}");
    (0..200).for_each(|_| press(&mut app, KeyCode::Char('J')));
    let last = text(&mut app, (120, 40));
    assert!(last.contains("and further") && !last.contains("J scrolls "), "{last}");
}

#[test]
fn a_wait_that_was_there_first_is_at_least_so_old() {
    let held = || wait(WaitKind::PipeRead, "pipe", &[by(2)], 4_648);
    for at_least in [true, false] {
        let wait = syncscope::model::wait::Wait { at_least, ..held() };
        let threads =
            vec![process(1, "reader", Some(wait), Verdict::Waiting), process(2, "writer", None, Verdict::Running)];
        let drawn = text(&mut app("waits", &graph(threads, Vec::new())), (120, 40));
        assert_eq!(drawn.matches("≥5m52").count(), if at_least { 2 } else { 0 }, "{drawn}");
        assert_eq!(drawn.matches("5m52").count(), 2, "{drawn}");
    }
}

#[test]
fn a_long_name_does_not_hide_how_long_one_waits() {
    let name = format!("mutex in B (/var/lib/{}/shared)", "deep/".repeat(30));
    for (width, height) in SIZES.into_iter().skip(1) {
        let held = wait(WaitKind::PthreadMutexPi, &name, &[by(2)], 4_648);
        let threads =
            vec![process(1, "waiter", Some(held), Verdict::Waiting), process(2, "holder", None, Verdict::Running)];
        let drawn = text(&mut app("waits", &graph(threads, Vec::new())), (width, height));
        assert!(drawn.contains("PI mutex: mu") && drawn.contains("… · 5m52 · certain"), "{drawn}");
    }
}

#[test]
fn plain_ascii_without_colour_shows_as_much() {
    let mut app = app_with("waits", Settings { ascii: true, depth: Depth::Mono, ..Settings::default() });
    app.on_update(&with_deadlock(chains()));
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).unwrap();
    terminal.draw(|frame| app.draw(frame)).unwrap();
    let buffer = terminal.backend().buffer();
    assert!(buffer.content.iter().all(|c| c.symbol().is_ascii()));
    let colours: HashSet<_> = buffer.content.iter().flat_map(|c| [c.fg, c.bg]).collect();
    assert_eq!(colours, HashSet::from([ratatui::style::Color::Reset]), "NO_COLOR means none");
    assert!(buffer.content.iter().any(|c| !c.modifier.is_empty()), "attributes tell roles apart");
    insta::assert_snapshot!("ascii-120x40", text(&mut app, (120, 40)));
}

#[test]
fn the_way_to_a_process_leads_back_to_the_same_chain() {
    let mut app = app("waits", &graph(chains(), Vec::new()));
    (0..2).for_each(|_| press(&mut app, KeyCode::Down));
    let before = text(&mut app, (120, 40));
    press(&mut app, KeyCode::Enter);
    let process = text(&mut app, (120, 40));
    assert!(process.contains("Bksp waits"), "{process}");
    press(&mut app, KeyCode::Backspace);
    assert_eq!(text(&mut app, (120, 40)), before);
    press(&mut app, KeyCode::Backspace);
    assert_eq!(text(&mut app, (120, 40)), before, "there is no further way back");
}

#[test]
fn a_new_deadlock_is_told_in_every_panel_until_it_is_looked_at_or_gone() {
    for panel in PANELS.iter().filter(|panel| panel.name != "waits") {
        for size in SIZES {
            let mut app = app(panel.name, &graph(chains(), Vec::new()));
            assert!(!text(&mut app, size).contains("DEADLOCK"), "{}", panel.name);
            assert!(app.on_update(&with_deadlock(chains())));
            let told = text(&mut app, size);
            assert!(told.contains("DEADLOCK – press 3"), "{} at {size:?}:\n{told}", panel.name);
            assert!(size.0 == 40 || told.contains("q quit"), "what can be done next stays on the screen:\n{told}");
            press(&mut app, KeyCode::Char('3'));
            text(&mut app, size);
            app.on_update(&with_deadlock(chains()));
            press(&mut app, KeyCode::Char('2'));
            assert!(!text(&mut app, size).contains("press 3"), "looked at, it is no news");
        }
    }
    let mut app = app("ipc", &with_deadlock(Vec::new()));
    app.on_update(&graph(Vec::new(), Vec::new()));
    assert!(!text(&mut app, (120, 40)).contains("DEADLOCK"), "gone");
    press(&mut app, KeyCode::Char('z'));
    assert!(app.on_update(&with_deadlock(Vec::new())));
    let frozen = text(&mut app, (120, 40));
    assert!(frozen.contains("DEADLOCK") && frozen.contains("FROZEN"), "{frozen}");
}

#[test]
fn the_overview_counts_deadlocks() {
    let said = |update: &Update| text(&mut app("overview", update), (120, 40));
    assert!(said(&graph(chains(), Vec::new())).contains("no deadlocks"));
    assert!(said(&with_deadlock(chains())).contains("1 deadlock"));
}
