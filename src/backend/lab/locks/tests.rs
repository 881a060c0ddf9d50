//! Every lock of the registry keeps the contract; every checker catches the
//! broken one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::contend::Seat;
use super::gate::{Gate, Plan};
use super::overlap::{Interval, Overlap};
use super::pace::Work;
use super::stamps::{Recorder, RunClock};
use super::{Family, PRIMITIVES, Primitive, find};
use crate::model::lock::Trace;

const BARE: Plan = Plan { hold: Work { steps: 0 }, think: Work { steps: 0 }, recorder: Recorder::Off };

#[test]
fn every_row_is_complete_and_its_name_is_its_own() {
    for primitive in PRIMITIVES {
        let info = primitive.info();
        assert_eq!(PRIMITIVES.iter().filter(|p| p.info().key == info.key).count(), 1, "{}", info.key);
        assert!(info.key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", info.key);
        assert!(!info.name.is_empty() && !(info.version)().is_empty(), "{}", info.key);
        assert!(info.explanation.len() > 100 && info.explanation.ends_with('.'), "{}", info.key);
        assert!(!info.explanation.contains("  "), "{}", info.key);
    }
}

#[test]
fn a_held_lock_is_not_given_and_a_free_one_is() {
    for primitive in PRIMITIVES {
        let (subject, key) = (primitive.contend(), primitive.info().key);
        assert!(subject.try_lap(), "{key} is free at first");
        let mut tried = false;
        subject.hold(&mut || {
            tried = true;
            std::thread::scope(|scope| {
                scope.spawn(|| assert!(!subject.try_lap(), "{key} was given twice"));
            });
        });
        assert!(tried && subject.try_lap(), "{key} is free again");
        assert_eq!(subject.counted(), 2, "{key}");
    }
}

/// What a crew of threads found in so long, or by the first violation.
struct Found {
    laps: u64,
    counted: u64,
    in_data: u64,
    in_time: u64,
    checked_in_time: u64,
}

fn contend(primitive: &dyn Primitive, threads: usize, laps: u64, at_most: Duration, trace: Trace) -> Found {
    let clock = RunClock::choose(|| ());
    let subject: Arc<dyn super::Contend> = Arc::from(primitive.contend());
    let seats: Arc<[Seat]> = (0..threads).map(|index| Seat::new(index, threads)).collect();
    let gate = Arc::new(Gate::closed(BARE));
    let crew: Vec<_> = (0..threads)
        .map(|index| {
            let (subject, seats, gate) = (subject.clone(), seats.clone(), gate.clone());
            std::thread::spawn(move || subject.run(&seats[index], &gate))
        })
        .collect();
    gate.open(Plan { recorder: clock.recorder(trace), ..BARE });
    let mut reader = super::reader::Reader::new(threads);
    let deadline = Instant::now() + at_most;
    let done = || seats.iter().map(|seat| seat.tally.laps()).sum::<u64>();
    let in_data = || seats.iter().map(|seat| seat.tally.checks().1).sum::<u64>();
    while Instant::now() < deadline && done() < laps && in_data().min(reader.overlap.violations) == 0 {
        std::thread::sleep(Duration::from_millis(1));
        reader.read(&seats, clock.scale, trace == Trace::Ordered);
    }
    gate.close();
    assert!(gate.rest(threads, Duration::from_secs(20)), "{} does not come to rest", primitive.info().key);
    reader.read(&seats, clock.scale, trace == Trace::Ordered);
    gate.end();
    for thread in crew {
        thread.join().unwrap();
    }
    Found {
        laps: done(),
        counted: subject.counted(),
        in_data: in_data(),
        in_time: reader.overlap.violations,
        checked_in_time: reader.overlap.checked,
    }
}

#[test]
fn every_lock_keeps_others_out_while_threads_contend() {
    for primitive in PRIMITIVES.iter().filter(|p| p.info().family == Family::Exclusion) {
        for trace in [Trace::Off, Trace::Plain, Trace::Ordered] {
            // A ticket lock with more threads than processors is slow.
            let found = contend(*primitive, 3, 5_000, Duration::from_mins(2), trace);
            let key = primitive.info().key;
            assert!(found.laps >= 5_000, "{key} made {} acquisitions in two minutes", found.laps);
            assert_eq!(found.laps, found.counted, "{key} lost counts");
            assert_eq!((found.in_data, found.in_time), (0, 0), "{key} let two in");
            assert_eq!(found.checked_in_time > 0, trace == Trace::Ordered);
        }
    }
}

#[test]
fn the_broken_flag_is_caught_by_both_checks() {
    let broken = find("broken_flag").unwrap();
    let found = contend(broken, 2, u64::MAX, Duration::from_secs(20), Trace::Ordered);
    assert!(found.in_data > 0 && found.in_time > 0, "in data {}, in time {}", found.in_data, found.in_time);
}

#[test]
fn hand_offs_waits_and_records_add_up() {
    let clock = RunClock::choose(|| ());
    let subject = find("std_mutex").unwrap().contend();
    let seats = [Seat::new(0, 2), Seat::new(1, 2)];
    let plan = Plan { recorder: clock.recorder(Trace::Ordered), ..BARE };
    let go_on = AtomicBool::new(true);
    for seat in [0, 0, 1, 0, 1, 1] {
        subject.laps(&seats[seat], &plan, &go_on, 10);
    }
    let handoffs: Vec<_> = (0..4).map(|i| seats[i % 2].tally.after(i / 2)).collect();
    assert_eq!(handoffs, [9 + 10 + 9, 2, 1, 9 + 9 + 10], "each acquisition but the first has a predecessor");
    assert_eq!(seats[0].ring.completed() + seats[1].ring.completed(), 60);
    let mut batch = Vec::new();
    for (thread, seat) in seats.iter().enumerate() {
        let mut records = Vec::new();
        seat.ring.read(0, usize::MAX, &mut records);
        assert!(records.iter().all(|r| 0 < r.wanted && r.wanted <= r.got && r.got <= r.released), "{records:?}");
        batch.extend(records.iter().map(|r| Interval { thread, got: r.got, released: r.released }));
    }
    let mut overlap = Overlap::default();
    overlap.check(&mut batch, clock.scale);
    assert_eq!((overlap.checked, overlap.violations), (60, 0));
}

#[test]
fn a_hold_that_is_cut_short_is_not_counted_and_lets_go() {
    let clock = RunClock::choose(|| ());
    for trace in [Trace::Off, Trace::Ordered] {
        let subject = find("futex_mutex").unwrap().contend();
        let seat = Seat::new(0, 1);
        let plan = Plan { hold: Work { steps: u64::MAX }, recorder: clock.recorder(trace), ..BARE };
        subject.laps(&seat, &plan, &AtomicBool::new(false), 1);
        assert_eq!((seat.tally.laps(), subject.counted(), seat.ring.completed()), (0, 0, 0));
        assert!(subject.try_lap());
    }
}
