//! Every state of the panel at several sizes, and its keys.

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Style;

use super::fixtures::{deadlocked, failed, lanes, running, swept, unrecorded, violated, waiting};
use super::*;
use crate::model::Nanos;
use crate::model::Stamped;
use crate::model::lock::{Order, Several};
use crate::ui::director::Bursts;
use crate::ui::panels::Effect;
use crate::ui::theme::{Depth, Role, Theme};

fn theme() -> Theme {
    Theme::load("night", Depth::True).unwrap()
}

fn look<'a>(store: &'a Store, theme: &'a Theme) -> Look<'a> {
    Look { store, theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off }
}

/// A panel that has seen these, and the store behind it.
fn seen(all: impl IntoIterator<Item = LockProgress>) -> (Locks, Store) {
    let (mut panel, mut store) = (Locks::default(), Store::default());
    for progress in all {
        let update = Update::Locks(Arc::new(Stamped { value: progress, ..Stamped::default() }));
        store.apply(update.clone(), Nanos::ZERO);
        panel.on_update(&update, &store);
    }
    if let Some(subject) = panel.pictures.newest().and_then(|newest| newest.subject.clone()) {
        panel.spec = subject.spec;
    }
    (panel, store)
}

fn screen((panel, store): &mut (Locks, Store), width: u16, height: u16) -> Terminal<TestBackend> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let theme = theme();
    terminal.draw(|frame| panel.draw(frame, frame.area(), &look(store, &theme))).unwrap();
    terminal
}

fn press((panel, store): &mut (Locks, Store), code: KeyCode) -> Vec<LabCommand<LockSpec>> {
    let theme = theme();
    match panel.on_key(&KeyEvent::new(code, KeyModifiers::NONE), &look(store, &theme)) {
        Reaction::Ignored => panic!("{code:?} is no key of the panel"),
        Reaction::Taken(effects) => effects
            .into_iter()
            .map(|effect| match effect {
                Effect::Send(Command::Locks(command)) => command,
                other => panic!("{other:?}"),
            })
            .collect(),
    }
}

#[test]
fn every_state_looks_as_it_should() {
    insta::with_settings!({prepend_module_to_snapshot => false, snapshot_path => "snapshots"}, {
        for (width, height) in [(40, 6), (80, 21), (120, 37)] {
            let mut states = [
                ("idle", seen([])),
                ("running", seen([running(4)])),
                ("violated", seen([violated()])),
                ("unrecorded", seen([unrecorded()])),
                ("failed", seen([failed()])),
                ("stopped", seen([running(4), LockProgress::default()])),
                ("many", seen([running(64)])),
                ("deadlocked", seen([deadlocked()])),
                ("waiting", seen([waiting()])),
                ("curve", seen([swept(6)])),
                ("picker", seen([violated()])),
                ("read-out", seen([running(4)])),
            ];
            states[9].1.0.curves.open = true;
            press(&mut states[10].1, KeyCode::Char('/'));
            "broken".chars().for_each(|c| drop(press(&mut states[10].1, KeyCode::Char(c))));
            press(&mut states[10].1, KeyCode::Tab);
            press(&mut states[11].1, KeyCode::Char('.'));
            for (name, state) in &mut states {
                let terminal = screen(state, width, height);
                insta::assert_snapshot!(format!("{name}-{width}x{height}"), terminal.backend());
            }
        }
        let mut explained = seen([running(4)]);
        press(&mut explained, KeyCode::Char('e'));
        let terminal = screen(&mut explained, 120, 37);
        insta::assert_snapshot!("explained-120x37", terminal.backend());
        press(&mut explained, KeyCode::Char('i'));
        for (width, height) in [(80, 21), (120, 37)] {
            let terminal = screen(&mut explained, width, height);
            insta::assert_snapshot!(format!("figures-{width}x{height}"), terminal.backend());
        }
    });
}

/// What is done to a panel before it is drawn.
type Prepare = fn(&mut (Locks, Store));

#[test]
fn it_draws_at_every_size() {
    let curve = |state: &mut (Locks, Store)| state.0.curves.open = true;
    let cursor = |state: &mut (Locks, Store)| drop(press(state, KeyCode::Char('.')));
    let picker = |state: &mut (Locks, Store)| drop(press(state, KeyCode::Char('/')));
    let figures = |state: &mut (Locks, Store)| drop(press(state, KeyCode::Char('i')));
    let states: [(LockProgress, Prepare); 10] = [
        (running(1), |_| ()),
        (running(256), cursor),
        (violated(), |_| ()),
        (failed(), |_| ()),
        (deadlocked(), |_| ()),
        (waiting(), |_| ()),
        (swept(3), curve),
        (failed(), curve),
        (running(2), picker),
        (running(2), figures),
    ];
    for (progress, prepare) in states {
        let mut state = seen([progress]);
        prepare(&mut state);
        for (width, height) in (1..30).flat_map(|n| [(n * 9, n * 3), (n * 3, n), (n, 30), (240, n)]) {
            screen(&mut state, width, height);
        }
    }
}

#[test]
fn a_violation_is_shown_as_a_danger() {
    let terminal = screen(&mut seen([violated()]), 120, 37);
    let danger: Style = theme().style(Role::Danger);
    let buffer = terminal.backend().buffer();
    let red: String =
        buffer.content.iter().filter(|cell| cell.fg == danger.fg.unwrap()).map(ratatui::buffer::Cell::symbol).collect();
    assert!(red.contains("VIOLATED") && red.contains("212") && red.contains("t0 held it from 0 to 110 ns"), "{red}");
}

#[test]
fn keys_start_change_and_stop() {
    let mut state = seen([]);
    assert_eq!(press(&mut state, KeyCode::Right), [], "nothing runs, so nothing is sent");
    let started = press(&mut state, KeyCode::Char('s'));
    let spec = LockSpec { lock: "parking_lot".to_owned(), ..LockSpec::default() };
    assert_eq!(started, [LabCommand::Run(spec.clone())]);
    let mut state = seen([running(4)]);
    state.0.spec = spec.clone();
    press(&mut state, KeyCode::Down);
    let more = LockSpec { threads: 6, ..spec };
    assert_eq!(press(&mut state, KeyCode::Right), [LabCommand::Run(more.clone())], "a change reaches what runs");
    let mut zoomed = more;
    zoomed.setting.window = Nanos(10_000);
    assert_eq!(press(&mut state, KeyCode::Char('[')), [LabCommand::Run(zoomed)]);
    assert_eq!(press(&mut state, KeyCode::Char('s')), [LabCommand::Stop]);
}

#[test]
fn pausing_holds_the_picture() {
    let mut state = seen([running(2)]);
    press(&mut state, KeyCode::Char('p'));
    let before = screen(&mut state, 100, 30).backend().to_string();
    assert!(before.contains("PAUSED"));
    let mut next = running(2);
    next.lanes = Some(lanes(1));
    let update = Update::Locks(Arc::new(Stamped { value: next, ..Stamped::default() }));
    state.1.apply(update.clone(), Nanos::ZERO);
    state.0.on_update(&update, &state.1);
    let lanes_of = |text: &str| text.lines().take(6).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(lanes_of(&screen(&mut state, 100, 30).backend().to_string()), lanes_of(&before));
    press(&mut state, KeyCode::Char('p'));
    assert_ne!(lanes_of(&screen(&mut state, 100, 30).backend().to_string()), lanes_of(&before));
}

#[test]
fn many_threads_scroll() {
    let mut state = seen([running(64)]);
    assert!(screen(&mut state, 100, 30).backend().to_string().contains("t0 "));
    press(&mut state, KeyCode::PageDown);
    let further = screen(&mut state, 100, 30).backend().to_string();
    assert!(!further.contains("t0 ") && further.contains("of 64"), "{further}");
    for _ in 0..20 {
        press(&mut state, KeyCode::PageDown);
    }
    assert!(screen(&mut state, 100, 30).backend().to_string().contains("t63 "), "and end with the last");
}

#[test]
fn the_past_can_be_looked_at_and_read_out() {
    let pictures = [1_u64, 2, 3].map(|threads| {
        let mut progress = running(2);
        progress.lanes = Some(lanes(threads));
        progress
    });
    let mut state = seen(pictures);
    press(&mut state, KeyCode::Char('<'));
    press(&mut state, KeyCode::Char('<'));
    let drawn = screen(&mut state, 100, 30).backend().to_string();
    assert!(drawn.contains("PAUSED, BACK") && !drawn.contains("t1 "), "the first picture has one lane: {drawn}");
    press(&mut state, KeyCode::Char('>'));
    press(&mut state, KeyCode::Char('.'));
    let drawn = screen(&mut state, 100, 30).backend().to_string();
    assert!(drawn.contains(" holds, waited "), "{drawn}");
    let before = screen(&mut state, 100, 30).backend().to_string();
    press(&mut state, KeyCode::Char('.'));
    assert_ne!(screen(&mut state, 100, 30).backend().to_string(), before, "the cursor moves");
    press(&mut state, KeyCode::Char('p'));
    assert!(!screen(&mut state, 100, 30).backend().to_string().contains("PAUSED"));
}

#[test]
fn a_primitive_is_found_by_a_part_of_its_name() {
    let mut state = seen([running(4)]);
    press(&mut state, KeyCode::Char('/'));
    assert!(state.0.is_typing());
    "mcs".chars().for_each(|c| assert_eq!(press(&mut state, KeyCode::Char(c)), []));
    let sent = press(&mut state, KeyCode::Enter);
    let [LabCommand::Run(spec)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(spec.lock, "mcs");
    assert!(!state.0.is_typing());
}

#[test]
fn a_curve_is_of_what_is_marked_and_fills() {
    let mut state = seen([running(4)]);
    press(&mut state, KeyCode::Char('/'));
    press(&mut state, KeyCode::Tab);
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Tab);
    press(&mut state, KeyCode::Esc);
    let sent = press(&mut state, KeyCode::Char('c'));
    let [LabCommand::Run(spec)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(spec.sweep.as_ref().unwrap().locks, ["std_mutex", "parking_lot"]);
    assert!(screen(&mut state, 120, 37).backend().to_string().contains("measuring"));
    let update = |points| Update::Locks(Arc::new(Stamped { value: swept(points), ..Stamped::default() }));
    state.0.on_update(&update(3), &state.1);
    let drawn = screen(&mut state, 120, 37).backend().to_string();
    assert!(drawn.contains("3 of 8, linear"), "{drawn}");
    assert_eq!(press(&mut state, KeyCode::Char('c')), [], "closes it");
    assert_eq!(press(&mut state, KeyCode::Char('c')), [], "opens what is known");
    assert!(screen(&mut state, 120, 37).backend().to_string().contains("3 of 8"));
    assert_eq!(press(&mut state, KeyCode::Char('C')), sent, "measures it anew");
}

#[test]
fn several_locks_are_asked_for_and_their_deadlock_is_a_danger() {
    let mut state = seen([running(4)]);
    (0..4).for_each(|_| drop(press(&mut state, KeyCode::Down)));
    let sent = press(&mut state, KeyCode::Right);
    let [LabCommand::Run(spec)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(spec.several, Some(Several { locks: 2, take: 2, order: Order::Ascending }));
    let drawn = screen(&mut seen([deadlocked()]), 120, 37).backend().to_string();
    assert!(drawn.contains("DEADLOCK") && drawn.contains("held by contender 2 (certain)"), "{drawn}");
    assert!(drawn.contains("lock-order inversion, before they contended: L0 → L1 → L0"), "{drawn}");
}

#[test]
fn families_and_spreads_are_chosen_with_keys() {
    let mut state = seen([running(4)]);
    let sent = press(&mut state, KeyCode::Char('f'));
    let [LabCommand::Run(spec)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(spec.lock, "std_rwlock");
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Down);
    press(&mut state, KeyCode::Char('v'));
    assert_eq!(state.0.spec.setting.hold_spread, crate::model::lock::Spread::Uniform);
    assert!(screen(&mut state, 120, 37).backend().to_string().contains("200 ns, uniform"));
}

#[test]
fn experiments_are_chosen_played_and_read_on_a_page_of_their_own() {
    use crate::backend::Experimented;
    use crate::model::finding::{Finding, Observation};
    use crate::ui::store::Played;

    let mut shown = seen([]);
    assert!(press(&mut shown, KeyCode::Char('w')).is_empty());
    press(&mut shown, KeyCode::Down);
    let theme = theme();
    let enter = KeyEvent::new(KeyCode::Enter, KeyModifiers::NONE);
    let Reaction::Taken(effects) = shown.0.on_key(&enter, &look(&shown.1, &theme)) else { panic!("no key") };
    assert!(matches!(effects.as_slice(), [Effect::Send(Command::Experiment("abba-std"))]), "{effects:?}");
    let seen = Observation { text: "deadlock: knot 0 → knot 1".into(), as_documented: Some(true), chain: None };
    let found = Ok(Finding { observed: vec![seen], statement: "Each waits.".into() });
    let done = Experimented { key: "abba-std".into(), found };
    shown.1.apply(Update::Experiment(Arc::new(done)), Nanos::ZERO);
    assert!(matches!(shown.1.experiments["abba-std"], Played::Done(Ok(_))));
    for (width, height) in [(120, 40), (80, 24), (40, 8)] {
        let text = screen(&mut shown, width, height).backend().to_string();
        assert!(text.contains("✔ abba-std") && text.contains("knot 0 → knot 1"), "{text}");
    }
    press(&mut shown, KeyCode::Esc);
    let text = screen(&mut shown, 80, 24).backend().to_string();
    assert!(!text.contains("abba-std"), "{text}");
}
