//! Every state of the panel at several sizes, and its keys.

use std::sync::Arc;

use crossterm::event::{KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Style;

use super::*;
use crate::model::histogram::{Distribution, Quantiles};
use crate::model::lab::WorkerCost;
use crate::model::lock::{Figures, Invariant, Lanes, LongestWait, Recording, Subject, Switches, Trace, Violation};
use crate::model::{Bytes, Fault, Nanos};
use crate::ui::director::Bursts;
use crate::ui::panels::Effect;
use crate::ui::theme::{Depth, Role, Theme};

fn theme() -> Theme {
    Theme::load("night", Depth::True).unwrap()
}

fn look<'a>(store: &'a Store, theme: &'a Theme) -> Look<'a> {
    Look { store, theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off }
}

fn distribution(first: u32, counts: &[u64], p50: u64, p99: u64, max: u64) -> Distribution {
    let quantiles = Quantiles {
        count: counts.iter().sum(),
        mean: Nanos(p50),
        p50: Nanos(p50),
        p90: Nanos(p50 * 2),
        p99: Nanos(p99),
        p999: Nanos(p99 * 3),
        max: Nanos(max),
    };
    Distribution { quantiles, first, counts: counts.to_vec() }
}

/// `threads` threads that take turns, 40 ns each.
fn lanes(threads: u64) -> Lanes {
    let turn = |thread: u64, round: u64| {
        let got = (round * threads + thread) * 40;
        [got.saturating_sub(60), got, got + 40].into()
    };
    let rounds = 800 / (40 * threads).max(1) + 1;
    let span = rounds * threads * 40;
    Lanes {
        age: Nanos::ZERO,
        span: Nanos(span),
        threads: (0..threads).map(|t| (0..rounds).map(|r| turn(t, r)).collect()).collect(),
    }
}

fn running(threads: usize) -> LockProgress {
    let invariant = |name: &'static str, formula: &'static str, checked| Invariant {
        name: name.into(),
        formula: formula.into(),
        how: "so".into(),
        checked,
        violations: 0,
    };
    LockProgress {
        state: LabState::Running,
        cost: WorkerCost { processes: 1, cpu_time: Nanos::from_secs(6) },
        subject: Some(Subject {
            spec: LockSpec { threads, ..LockSpec::default() },
            version: "Rust 1.95 or later, futex".to_owned(),
            nice: 5,
        }),
        figures: Figures {
            measured: Nanos::from_millis(3_200),
            per_thread: (0..threads as u64).map(|t| 9_600_000 + t * 100_000).collect(),
            recent: (0..threads).map(|t| 3.0e6 + t as f64 * 4e4).collect(),
            repeats: Vec::new(),
            wait: Some(distribution(20, &[4, 900, 3_000, 700, 90, 9, 3, 1, 0, 1], 41, 1_210, 4_100_000)),
            held: Some(distribution(28, &[80, 9_000, 300, 2], 201, 260, 3_000_000)),
            longest: Some(LongestWait { thread: 2, waited: Nanos(4_100_000), still: false }),
            handoffs: Some(
                (0..threads).map(|f| (0..threads).map(|t| if f == t { 4 } else { 90 + t as u64 }).collect()).collect(),
            ),
            switches: Switches { voluntary: 12_000, involuntary: 40 },
            futex_calls: None,
            own: Vec::new(),
        },
        recording: Recording {
            clock: "invariant TSC".into(),
            cost: Some(Nanos(31)),
            recorded: 39_000_000,
            dropped: 38_100_000,
            memory: Bytes(1 << 20),
        },
        invariants: vec![
            invariant("mutual exclusion", "∀ t₁,t₂,τ  holds(t₁,M,τ) ∧ holds(t₂,M,τ) ⇒ t₁ = t₂", 41_220_113),
            invariant("mutual exclusion in time", "∀ i≠j  [gotᵢ, releasedᵢ) ∩ [gotⱼ, releasedⱼ) = ∅", 900_113),
        ],
        violations: Vec::new(),
        lanes: Some(lanes(threads as u64)),
    }
}

fn violated() -> LockProgress {
    let mut progress = running(2);
    progress.subject.as_mut().unwrap().spec.lock = "broken_flag".to_owned();
    progress.invariants[1].violations = 212;
    progress.violations = vec![Violation {
        invariant: "mutual exclusion in time".into(),
        holders: [0, 1],
        held: Some([[0, 110], [30, 205]]),
        words: None,
    }];
    progress
}

fn unrecorded() -> LockProgress {
    let mut progress = running(4);
    progress.subject.as_mut().unwrap().spec.setting.trace = Trace::Off;
    (progress.lanes, progress.recording.cost) = (None, None);
    let figures = &mut progress.figures;
    (figures.wait, figures.held, figures.handoffs, figures.longest) = (None, None, None, None);
    progress.invariants.truncate(1);
    progress
}

fn failed() -> LockProgress {
    let fault = Fault::new("lock worker", "worker 812 ended early: killed by signal 9");
    LockProgress { state: LabState::Failed(fault), ..LockProgress::default() }
}

/// A panel that has seen these, and the store behind it.
fn seen(all: impl IntoIterator<Item = LockProgress>) -> (Locks, Store) {
    let (mut panel, mut store) = (Locks::default(), Store::default());
    for progress in all {
        let update = Update::Locks(Arc::new(Stamped { value: progress, ..Stamped::default() }));
        store.apply(update.clone(), Nanos::ZERO);
        panel.on_update(&update, &store);
    }
    if let Some(subject) = panel.last.as_ref().and_then(|last| last.value.subject.clone()) {
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
            ];
            for (name, state) in &mut states {
                let terminal = screen(state, width, height);
                insta::assert_snapshot!(format!("{name}-{width}x{height}"), terminal.backend());
            }
        }
        let mut explained = seen([running(4)]);
        press(&mut explained, KeyCode::Char('e'));
        let terminal = screen(&mut explained, 120, 37);
        insta::assert_snapshot!("explained-120x37", terminal.backend());
    });
}

#[test]
fn it_draws_at_every_size() {
    for progress in [running(1), running(256), violated(), failed()] {
        let mut state = seen([progress]);
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
