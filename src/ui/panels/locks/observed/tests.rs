//! The view of a running program at several sizes, and its keys.

use std::sync::Arc;

use crossterm::event::KeyModifiers;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::*;
use crate::model::contention::{Observation, Pair, Stack, Waiter, Waker};
use crate::model::histogram::{Distribution, Quantiles};
use crate::model::wait::{Certainty, WaitKind};
use crate::model::{Fault, Nanos, Stamped};
use crate::ui::director::Bursts;
use crate::ui::store::Store;
use crate::ui::theme::{Depth, Theme};

fn lock(address: u64, kind: WaitKind, name: &str, waits: u64) -> ContendedLock {
    let quantiles = Quantiles {
        count: waits,
        p50: Nanos(41_200),
        p99: Nanos(1_200_000),
        max: Nanos(8_100_000),
        ..Quantiles::default()
    };
    ContendedLock {
        address,
        kind,
        resource: format!("mutex in {name}").into(),
        certainty: Certainty::Derived,
        shared: false,
        waits,
        waiting: 1,
        waited: Nanos(waits * 50_000),
        wait: Some(Distribution { quantiles, first: 60, counts: vec![waits / 2, waits / 2] }),
        unproven: 3,
        waiters: vec![Waiter { tid: 4_130, name: "worker-2".into(), waits, waited: Nanos(waits * 50_000) }],
        wakers: vec![Waker { pid: 4_121, tid: 4_133, name: "worker-5".into(), wakes: waits - 3 }],
        pairs: vec![Pair { waker: 4_133, woken: 4_130, wakes: waits - 3 }],
        stacks: vec![Stack { frames: vec!["pthread_mutex_lock".into(), "transfer (main.c:42)".into()], waits }],
    }
}

fn store(notes: Vec<Fault>, locks: Vec<ContendedLock>) -> Store {
    let total = Contention {
        pid: 4_121,
        process: "payments".into(),
        observed: Nanos::from_secs(10),
        total: true,
        source: Source::SchedEvents,
        waits: 45_230,
        notes,
        locks,
        ..Contention::default()
    };
    let value = Observation { second: Contention { total: false, ..total.clone() }, total };
    let contention = Some(Arc::new(Stamped { value, ..Stamped::default() }));
    Store { contention, ..Store::default() }
}

fn screen(observed: &mut Observed, store: &Store, (width, height): (u16, u16)) -> String {
    let theme = Theme::load("night", Depth::True).unwrap();
    let look = Look { store, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| observed.draw(frame, frame.area(), &look)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content.chunks(usize::from(width));
    rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n").collect()
}

fn two() -> Vec<ContendedLock> {
    let hot = lock(0x1000, WaitKind::PthreadMutex, "HOT (.bss of /srv/payments +0x40)", 41_002);
    vec![hot, lock(0x2000, WaitKind::PthreadCond, "BELL (.bss of /srv/payments +0x80)", 4_228)]
}

#[test]
fn the_hot_lock_is_told_with_its_threads_and_its_calls() {
    let mut observed = Observed::default();
    observed.open(Some(4_121));
    let text = screen(&mut observed, &store(Vec::new(), two()), (140, 30));
    for part in [
        "Contention of payments 4121",
        "45,230 waits · 0 lost",
        "HOT (.bss of /srv/payments +0x40)",
        "41,002",
        "4.10 k",
        "1.20 ms",
        "worker-2 4130",
        "worker-5 4133 → worker-2 4130",
        "transfer (main.c:42)",
        "p50",
    ] {
        assert!(text.contains(part), "{part}:\n{text}");
    }
}

#[test]
fn it_fits_every_size_and_says_what_is_missing() {
    let note = Fault::new("perf_event_open", "not permitted (EPERM)").hint("run as root");
    let store = store(vec![note], two());
    for size in [(240, 70), (120, 40), (80, 24), (60, 14), (40, 8), (10, 3)] {
        let mut observed = Observed::default();
        observed.open(Some(4_121));
        let text = screen(&mut observed, &store, size);
        if size.0 >= 60 {
            assert!(text.contains("HOT") && text.contains("perf_event_open: not permitted"), "{text}");
        }
    }
    let mut observed = Observed::default();
    observed.open(None);
    assert!(screen(&mut observed, &store, (80, 24)).contains("No process is chosen"));
    observed.open(Some(7));
    assert!(screen(&mut observed, &store, (80, 24)).contains("the first second is not over"), "another's figures");
}

#[test]
fn the_marked_lock_stays_marked_when_another_overtakes_it() {
    let theme = Theme::load("night", Depth::True).unwrap();
    let before = store(Vec::new(), two());
    let look = Look { store: &before, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
    let mut observed = Observed::default();
    observed.open(Some(4_121));
    let press = |observed: &mut Observed, code| observed.on_key(&KeyEvent::new(code, KeyModifiers::NONE), &look);
    assert!(press(&mut observed, KeyCode::Down));
    let turned = store(Vec::new(), two().into_iter().rev().collect());
    assert!(screen(&mut observed, &turned, (120, 40)).contains("╭ mutex in BELL"));
    assert!(press(&mut observed, KeyCode::Esc) && !observed.is_open());
    assert_eq!(observed.target(), None, "nobody observes what nobody sees");
}
