use std::sync::Arc;
use std::time::Duration;

use crossterm::event::{KeyCode, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::backend::lab::litmus::library::TESTS;
use crate::model::litmus::{Counts, Order, Slot};
use crate::model::{Nanos, Stamped};
use crate::ui::director::Bursts;
use crate::ui::theme::{Depth, Theme};

fn drawn(panel: &mut Ordering, store: &Store, width: u16, height: u16) -> String {
    let theme = Theme::load("night", Depth::True).unwrap();
    let look = Look { store, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|screen| panel.draw(screen, screen.area(), &look)).unwrap();
    terminal.backend().to_string()
}

fn press(panel: &mut Ordering, store: &Store, code: KeyCode) -> Reaction {
    press_with(panel, store, code, KeyModifiers::NONE)
}

fn press_with(panel: &mut Ordering, store: &Store, code: KeyCode, modifiers: KeyModifiers) -> Reaction {
    let theme = Theme::load("night", Depth::True).unwrap();
    let look = Look { store, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
    panel.on_key(&KeyEvent::new(code, modifiers), &look)
}

fn panel() -> Ordering {
    Ordering::new(LitmusSpec::store_buffering())
}

/// A run with these counts for the states in order.
fn running(spec: &LitmusSpec, counts: &[u64]) -> LitmusProgress {
    let mut progress = preview(spec).unwrap();
    progress.state = LabState::Running;
    for (outcome, count) in progress.outcomes.iter_mut().zip(counts) {
        (outcome.count, outcome.rate) = (*count, *count as f64 * 2.0);
    }
    let frames = counts.iter().sum();
    let witnesses = progress.outcomes.iter().filter(|outcome| outcome.target).map(|outcome| outcome.count).sum();
    progress.counts =
        Counts { iterations: 2 * frames, frames, witnesses, distinct: witnesses / 2, elapsed: Nanos::from_millis(500) };
    progress
}

fn take(panel: &mut Ordering, store: &mut Store, progress: LitmusProgress) {
    let update = Update::Litmus(Arc::new(Stamped { value: progress, ..Stamped::default() }));
    store.apply(update.clone(), Nanos::ZERO);
    panel.on_update(&update, store);
}

#[test]
fn before_it_runs_it_shows_program_and_verdicts() {
    let screen = drawn(&mut panel(), &Store::default(), 120, 36);
    for part in [
        "SB-relaxed  store buffering",
        "x.store(1, ‹Relaxed›);",
        "let r0 = x.load(Relaxed);",
        "exists (0:r0=0 /\\ 1:r0=0)",
        "not run yet: s starts it",
        "SC TSO RC11 Rust",
        "Why, by TSO",
        "allowed: for instance by this execution",
        "assembled when it starts",
    ] {
        assert!(screen.contains(part), "{part:?} is missing in\n{screen}");
    }
}

#[test]
fn every_size_says_what_was_seen() {
    let (mut panel, mut store) = (panel(), Store::default());
    take(&mut panel, &mut store, running(&LitmusSpec::store_buffering(), &[4_000, 5_000, 6_000, 7_000]));
    for (width, height) in [(40, 6), (80, 20), (120, 36), (240, 66), (10, 1), (20, 14), (66, 13)] {
        let screen = drawn(&mut panel, &store, width, height);
        if width >= 40 {
            assert!(screen.contains("4.00 k"), "{width}×{height}\n{screen}");
            assert!(screen.contains("running"), "{width}×{height}\n{screen}");
        }
    }
}

#[test]
fn an_ordering_changes_where_the_cursor_is_and_the_verdicts_with_it() {
    let (mut panel, store) = (panel(), Store::default());
    // Down to the load, right to the other thread's, and back.
    press(&mut panel, &store, KeyCode::Down);
    press(&mut panel, &store, KeyCode::Right);
    press(&mut panel, &store, KeyCode::Up);
    let slot = |thread, index| Slot { thread, index };
    for _ in 0..9 {
        press(&mut panel, &store, KeyCode::Char('>'));
    }
    assert_eq!(panel.spec.orders, [(slot(1, 0), Order::SeqCst)]);
    press(&mut panel, &store, KeyCode::Char('<'));
    assert_eq!(panel.spec.orders, [(slot(1, 0), Order::Release)]);
    // All four seq_cst: then no model allows the outcome.
    panel.cursor = 0;
    for _ in 0..4 {
        for _ in 0..2 {
            press(&mut panel, &store, KeyCode::Char('>'));
        }
        press(&mut panel, &store, KeyCode::Down);
    }
    let shown = panel.shown().unwrap();
    assert!(shown.test.judgements.iter().all(|judgement| !judgement.allowed));
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("forbidden: "), "{screen}");
    assert!(screen.contains('◄') && screen.contains("fr"), "the cycle is drawn\n{screen}");
    press(&mut panel, &store, KeyCode::Char('w'));
    assert!(panel.spec.orders.is_empty());
    press(&mut panel, &store, KeyCode::Enter);
    assert_eq!(panel.spec.orders.len(), 1, "Enter changes too");
    press(&mut panel, &store, KeyCode::Char(' '));
    assert_eq!(panel.spec.orders.len(), 1, "and so does Space");
    press(&mut panel, &store, KeyCode::Char('w'));
    // The arrows alone go about, with Control they change.
    panel.cursor = 0;
    for (arrow, order) in [(KeyCode::Up, Order::Release), (KeyCode::Up, Order::SeqCst), (KeyCode::Down, Order::Release)]
    {
        press_with(&mut panel, &store, arrow, KeyModifiers::CONTROL);
        assert_eq!(panel.spec.orders, [(slot(0, 0), order)]);
    }
}

#[test]
fn a_change_while_it_runs_lets_the_changed_test_run() {
    let (mut panel, mut store) = (panel(), Store::default());
    let started = press(&mut panel, &store, KeyCode::Char('s'));
    assert!(matches!(&started, Reaction::Taken(effects)
        if matches!(&effects[..], [Effect::Send(Command::Litmus(LabCommand::Run(spec)))] if *spec == panel.spec)));
    take(&mut panel, &mut store, running(&LitmusSpec::store_buffering(), &[1, 1, 1, 1]));
    let changed = press(&mut panel, &store, KeyCode::Char('>'));
    assert!(matches!(&changed, Reaction::Taken(effects)
        if matches!(&effects[..], [Effect::Send(Command::Litmus(LabCommand::Run(spec)))] if spec.orders.len() == 1)));
    assert_eq!(panel.shown().unwrap().counts.frames, 0, "figures of another test are not shown");
    let stopped = press(&mut panel, &store, KeyCode::Char('s'));
    assert!(matches!(&stopped, Reaction::Taken(effects)
        if matches!(&effects[..], [Effect::Send(Command::Litmus(LabCommand::Stop))])));
}

#[test]
fn figures_stay_when_the_run_is_stopped() {
    let (mut panel, mut store) = (panel(), Store::default());
    take(&mut panel, &mut store, running(&LitmusSpec::store_buffering(), &[4_000, 5_000, 6_000, 7_000]));
    take(&mut panel, &mut store, LitmusProgress::default());
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("4.00 k") && screen.contains("stopped"), "{screen}");
}

#[test]
fn nothing_seen_comes_with_its_bound_and_an_alarm_is_loud() {
    let (mut panel, mut store) = (Ordering::new(LitmusSpec::named("SB-fences")), Store::default());
    let spec = panel.spec.clone();
    take(&mut panel, &mut store, running(&spec, &[0, 5_000, 6_000, 7_000]));
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("rate below 1.7e-4 at 95 %"), "{screen}");
    let mut alarming = running(&spec, &[3, 5_000, 6_000, 7_000]);
    alarming.alarms = Some(vec!["0:r0=0; 1:r0=0; seen 3 times".to_owned()]);
    take(&mut panel, &mut store, alarming);
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("ALARM"), "{screen}");
    if cfg!(target_arch = "x86_64") {
        assert!(screen.contains("FORBIDDEN"), "{screen}");
    }
}

#[test]
fn a_race_is_undefined_and_no_claim_is_made() {
    let (mut panel, store) = (Ordering::new(LitmusSpec::named("MP-plain-data")), Store::default());
    panel.why.model = Some(2);
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("undefined: two accesses race"), "{screen}");
    assert!(screen.contains('?'), "{screen}");
}

#[test]
fn the_picker_lists_the_library_and_takes_one() {
    let (mut panel, store) = (panel(), Store::default());
    press(&mut panel, &store, KeyCode::Char('t'));
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains(&format!("1 of {}", TESTS.len())) && screen.contains("MP-fences"), "{screen}");
    drawn(&mut panel, &store, 40, 6);
    press(&mut panel, &store, KeyCode::End);
    press(&mut panel, &store, KeyCode::Enter);
    assert_eq!(panel.spec.test, TESTS[TESTS.len() - 1].0);
    let mut panel = Ordering::new(LitmusSpec::named("IRIW-seq_cst"));
    let screen = drawn(&mut panel, &store, 80, 20);
    assert!(screen.contains("x.store(1,‹sc›)") || screen.contains("x.store(1,‹SeqCst›)"), "{screen}");
    assert!(screen.contains("r1 = y.load(sc)"), "{screen}");
}

#[test]
fn a_failure_says_what_and_the_way_out() {
    let (mut panel, mut store) = (panel(), Store::default());
    let fault = Fault::new("litmus", "no assembler for this architecture (riscv64)").hint("try another");
    take(&mut panel, &mut store, LitmusProgress { state: LabState::Failed(fault), ..LitmusProgress::default() });
    let screen = drawn(&mut panel, &store, 80, 20);
    assert!(screen.contains("no assembler for this architecture") && screen.contains("another test"), "{screen}");
    press(&mut panel, &store, KeyCode::Char('w'));
    assert!(panel.shown().is_ok(), "and it can be left");
}

#[test]
fn each_outcome_is_explained_by_an_execution_or_a_cycle() {
    let (mut panel, store) = (Ordering::new(LitmusSpec::named("MP-release-acquire")), Store::default());
    panel.why.model = Some(2);
    let states: Vec<(String, bool)> = outcomes::ranked(panel.shown().unwrap())
        .iter()
        .map(|outcome| (outcome.state.clone(), outcome.allowed[2]))
        .collect();
    assert_eq!(states.len(), 4);
    for (state, allowed) in &states {
        press(&mut panel, &store, KeyCode::Char(']'));
        assert_eq!(panel.why.asked.as_ref().unwrap().state, *state);
        let screen = drawn(&mut panel, &store, 160, 50);
        assert!(screen.contains(&format!("Why, by RC11: {state}")), "{screen}");
        assert_eq!(screen.contains("allowed: for instance"), *allowed, "{screen}");
        assert_eq!(screen.contains("forbidden: "), !allowed, "{screen}");
        assert!(screen.contains('◄') || screen.contains('►'), "{screen}");
    }
    press(&mut panel, &store, KeyCode::Char(']'));
    assert!(panel.why.asked.is_none(), "beyond the last one it is the condition again");
    press(&mut panel, &store, KeyCode::Char('['));
    assert_eq!(panel.why.asked.as_ref().unwrap().state, states[3].0);
    // The message was seen: who reads from whom, and what follows.
    let seen = states.iter().position(|(state, _)| state == "1:r0=1; 1:r1=1;").unwrap();
    panel.why.asked = None;
    (0..=seen).for_each(|_| drop(press(&mut panel, &store, KeyCode::Char(']'))));
    let screen = drawn(&mut panel, &store, 160, 50);
    for part in ["a x.store(1, Relaxed)", "│ sb", "rf sw", "hb   a→c a→d b→d"] {
        assert!(screen.contains(part), "{part:?} is missing in\n{screen}");
    }
    // In less room the events are written in brief; as large as the panel in full.
    let screen = drawn(&mut panel, &store, 112, 40);
    assert!(screen.contains("a W x=1 rlx") && screen.contains("rf sw"), "{screen}");
    press(&mut panel, &store, KeyCode::Char('g'));
    let screen = drawn(&mut panel, &store, 120, 40);
    assert!(screen.contains("a x.store(1, Relaxed)") && screen.contains("rf sw"), "{screen}");
    press(&mut panel, &store, KeyCode::Char('g'));
    // Where there is no room for lines it is told in words.
    let witness = panel.why.asked.as_ref().unwrap().judgements[2].witness.clone().unwrap();
    let theme = Theme::load("night", Depth::True).unwrap();
    let look = Look { store: &store, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
    let words: Vec<String> = graph::lines(&witness, 30, 40, &look).iter().map(ToString::to_string).collect();
    let words = words.join("\n");
    for part in ["a x.store(1, Relaxed)", "rf   a→d b→c", "mo   x₀→a y₀→b", "sw   b→c"] {
        assert!(words.contains(part), "{part:?} is missing in\n{words}");
    }
    press(&mut panel, &store, KeyCode::Char('>'));
    assert!(panel.why.asked.is_none(), "another program has other executions");
}

#[test]
fn the_picker_finds_by_words_and_opens_files() {
    let (mut panel, store) = (panel(), Store::default());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.litmus");
    let text = "C mine \"my own\"\n{}\nP0 (atomic_int* x) { atomic_store(x,1); }\nexists (x=1)\n";
    std::fs::write(&path, text).unwrap();
    let typed = |panel: &mut Ordering, text: &str| {
        for key in text.chars() {
            press(panel, &store, KeyCode::Char(key));
        }
    };
    typed(&mut panel, "t/write causality");
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("WRC-relaxed") && !screen.contains("SB-seq_cst"), "{screen}");
    press(&mut panel, &store, KeyCode::Down);
    press(&mut panel, &store, KeyCode::Enter);
    assert_eq!(panel.spec.test, "WRC-release-acquire");
    typed(&mut panel, &format!("t/{}", path.display()));
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("Enter reads the file"), "{screen}");
    press(&mut panel, &store, KeyCode::Enter);
    assert_eq!(panel.spec.text.as_deref(), Some(text));
    assert!(drawn(&mut panel, &store, 120, 36).contains("my own"));
    std::fs::write(&path, text.replace("my own", "changed")).unwrap();
    typed(&mut panel, "r");
    assert!(drawn(&mut panel, &store, 120, 36).contains("changed"));
    // What is saved is shown by itself; what is wrong with it, beside what was good.
    let saved = |panel: &mut Ordering, text: &str| {
        let saved = SavedTest { path: path.display().to_string(), text: Ok(text.to_owned()) };
        let update = Update::SavedTest(Arc::new(saved));
        panel.on_update(&update, &store);
        let theme = Theme::load("night", Depth::True).unwrap();
        let look = Look { store: &store, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
        panel.after_update(&look)
    };
    saved(&mut panel, &text.replace("my own", "saved"));
    assert!(drawn(&mut panel, &store, 120, 36).contains("saved"));
    saved(&mut panel, &text.replace(",1);", ",1)"));
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("line 3, column 40: expected ';'") && screen.contains("x.store(1, "), "{screen}");
    saved(&mut panel, text);
    let screen = drawn(&mut panel, &store, 120, 36);
    assert!(screen.contains("my own") && !screen.contains("expected"), "{screen}");
    std::fs::remove_file(&path).unwrap();
    typed(&mut panel, "r");
    assert!(drawn(&mut panel, &store, 120, 36).contains("cannot open it"));
    typed(&mut panel, "t/");
    press(&mut panel, &store, KeyCode::Esc);
    press(&mut panel, &store, KeyCode::Esc);
    assert!(panel.picker.is_none());
}

#[test]
fn the_text_is_shown_as_it_was_written() {
    let (mut panel, store) = (panel(), Store::default());
    press(&mut panel, &store, KeyCode::Char('v'));
    let screen = drawn(&mut panel, &store, 120, 40);
    assert!(screen.contains("As written") && screen.contains("atomic_store_explicit(x"), "{screen}");
    assert!(screen.contains("x.store(1, ‹Relaxed›);"), "and what it means beside it\n{screen}");
    press(&mut panel, &store, KeyCode::Char('v'));
    assert!(!drawn(&mut panel, &store, 120, 40).contains("As written"));
}

#[test]
fn costs_are_measured_when_asked_for() {
    let (mut panel, store) = (panel(), Store::default());
    press(&mut panel, &store, KeyCode::Char('c'));
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while panel.costs.as_ref().unwrap().height() < 12 {
        assert!(std::time::Instant::now() < deadline, "the costs do not come");
        std::thread::sleep(Duration::from_millis(5));
    }
    let screen = drawn(&mut panel, &store, 120, 50);
    assert!(screen.contains("x.fetch_add(1, Relaxed)") && screen.contains("contended"), "{screen}");
    press(&mut panel, &store, KeyCode::Char('c'));
    assert!(!drawn(&mut panel, &store, 120, 50).contains("x.fetch_add(1, Relaxed)"));
}
