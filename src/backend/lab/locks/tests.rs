//! Every lock of the registry keeps the contract; every checker catches the
//! broken one.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use super::contend::Seat;
use super::gate::{Gate, Plan};
use super::overlap::{Interval, Overlap};
use super::pace::Work;
use super::stamps::RunClock;
use super::{PRIMITIVES, Primitive, find};
use crate::model::lock::{Spread, Trace};

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
fn what_is_held_alone_is_not_given_and_what_is_free_is() {
    for primitive in PRIMITIVES {
        let (subject, key) = (primitive.contend(2), primitive.info().key);
        if !subject.hold(&mut || ()) {
            assert!(!primitive.info().family.is_held(), "{key}");
            continue;
        }
        assert!(subject.try_lap(), "{key} is free at first");
        let shares = subject.try_shared();
        let mut tried = false;
        subject.hold(&mut || {
            tried = true;
            std::thread::scope(|scope| {
                scope.spawn(|| assert!(!subject.try_lap() && !subject.try_shared(), "{key} was given twice"));
            });
        });
        assert!(tried && subject.try_lap(), "{key} is free again");
        assert_eq!(subject.counted(), Some(2), "{key}");
        assert_eq!(subject.try_shared(), shares);
        if subject.hold_shared(&mut || tried = false) {
            assert!(shares && !tried, "{key}");
            subject.hold_shared(&mut || {
                std::thread::scope(|scope| {
                    scope.spawn(|| assert!(subject.try_shared() && !subject.try_lap(), "{key} is not shared"));
                });
            });
        }
    }
}

/// What a crew of threads found in so long, or by the first violation of a
/// sentence.
struct Found {
    laps: u64,
    counted: Option<(u64, u64)>,
    /// Checked and violated, each sentence.
    sentences: Vec<(&'static str, u64, u64)>,
    in_time: (u64, u64),
    sharing: u64,
    failures: u64,
}

impl Found {
    fn violations(&self, name: &str) -> u64 {
        self.sentences.iter().filter(|(of, ..)| *of == name).map(|(_, _, violations)| violations).sum()
    }
}

/// Lets `threads` contend until so many laps are done, the sentence `until` was
/// violated, or the time is over.
fn contend(
    primitive: &dyn Primitive,
    threads: usize,
    plan: Plan,
    trace: Trace,
    laps: u64,
    until: Option<&str>,
) -> Found {
    let clock = RunClock::choose(|| ());
    let subject: Arc<dyn super::Contend> = Arc::from(primitive.contend(threads));
    let seats: Arc<[Seat]> = (0..threads).map(|index| Seat::new(index, threads)).collect();
    let gate = Arc::new(Gate::closed(Plan::default()));
    let crew: Vec<_> = (0..threads)
        .map(|index| {
            let (subject, seats, gate) = (subject.clone(), seats.clone(), gate.clone());
            std::thread::spawn(move || subject.run(&seats[index], &gate))
        })
        .collect();
    gate.open(Plan { recorder: clock.recorder(trace), ..plan });
    let ordered = trace == Trace::Ordered && subject.excludes_in_time();
    let mut reader = super::reader::Reader::new(threads);
    let deadline = Instant::now() + Duration::from_mins(2);
    let sentences = || {
        let sum = |index| seats.iter().map(|seat| seat.tally.checks(index)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let of = |(index, sentence): (usize, &super::Sentence)| (sentence.name, sum(index).0, sum(index).1);
        subject.sentences().iter().enumerate().map(of).collect::<Vec<_>>()
    };
    let done = || seats.iter().map(|seat| seat.tally.laps()).sum::<u64>();
    let violated = || until.is_some_and(|name| sentences().iter().any(|&(of, _, n)| of == name && n > 0));
    while Instant::now() < deadline && done() < laps {
        std::thread::sleep(Duration::from_millis(1));
        reader.read(&seats, clock.scale, ordered);
        if violated() && (!ordered || reader.overlap.violations > 0) {
            break;
        }
    }
    gate.close();
    subject.interrupt();
    assert!(gate.rest(threads, Duration::from_mins(1)), "{} does not come to rest", primitive.info().key);
    reader.read(&seats, clock.scale, ordered);
    gate.end();
    for thread in crew {
        thread.join().unwrap();
    }
    let countable = seats.iter().map(|seat| subject.countable(seat)).sum();
    Found {
        laps: done(),
        counted: subject.counted().map(|counted| (countable, counted)),
        sentences: sentences(),
        in_time: (reader.overlap.checked, reader.overlap.violations),
        sharing: reader.overlap.sharing,
        failures: subject
            .own_names()
            .iter()
            .position(|name| *name == "failures")
            .map_or(0, |which| seats.iter().map(|seat| seat.tally.own(which)).sum()),
    }
}

fn sound() -> impl Iterator<Item = &'static &'static dyn Primitive> {
    PRIMITIVES.iter().filter(|primitive| primitive.info().breaks.is_none())
}

#[test]
fn no_sound_primitive_is_ever_flagged() {
    for primitive in sound() {
        for trace in [Trace::Off, Trace::Plain, Trace::Ordered] {
            // A queue with more threads than processors is slow.
            let plan = Plan { reads: 500, ..Plan::default() };
            let found = contend(*primitive, 3, plan, trace, 5_000, None);
            let key = primitive.info().key;
            assert!(found.laps >= 5_000, "{key} made {} laps in two minutes", found.laps);
            if let Some((laps, counted)) = found.counted {
                assert_eq!(laps, counted, "{key} lost counts");
            }
            for (name, checked, violations) in found.sentences {
                assert_eq!(violations, 0, "{key}: {name}, {trace:?}");
                // One that is checked only when it is at stake may not have been.
                let seldom = name == "no lost wake-up";
                assert!(checked > 0 || seldom || trace == Trace::Off, "{key}: {name} was not checked");
            }
            assert_eq!(found.in_time.1, 0, "{key} let two in at one time");
        }
    }
}

#[test]
fn every_sentence_is_broken_by_some_primitive_and_every_broken_one_is_caught() {
    let mut caught = Vec::new();
    for primitive in PRIMITIVES {
        let Some(name) = primitive.info().breaks else { continue };
        // Held for a moment, or two would seldom meet on few processors.
        let work = Work { steps: 200, spread: Spread::Uniform };
        let plan = Plan { reads: 500, hold: work, ..Plan::default() };
        let found = contend(*primitive, 3, plan, Trace::Ordered, u64::MAX, Some(name));
        let key = primitive.info().key;
        assert!(found.violations(name) > 0, "{key} was not caught in two minutes");
        if found.in_time.0 > 0 {
            assert!(found.in_time.1 > 0, "{key} was not caught in time");
        }
        caught.push(name);
    }
    for primitive in PRIMITIVES {
        for sentence in primitive.contend(2).sentences() {
            assert!(caught.contains(&sentence.name), "nothing breaks `{}`", sentence.name);
        }
    }
}

#[test]
fn a_broken_semaphore_is_caught_with_many_threads_too() {
    let plan = Plan { hold: Work { steps: 200, spread: Spread::Uniform }, ..Plan::default() };
    let found = contend(find("semaphore_unchecked").unwrap(), 8, plan, Trace::Ordered, u64::MAX, Some("permits"));
    assert!(found.violations("permits") > 0, "not caught in two minutes");
}

#[test]
fn who_tries_fails_while_another_holds_and_is_checked_all_the_same() {
    for key in ["std_mutex", "mcs", "clh", "ticket", "parking_lot_rwlock"] {
        let work = Work { steps: 2_000, spread: Spread::Fixed };
        let plan = Plan { hold: work, tries: true, ..Plan::default() };
        let found = contend(find(key).unwrap(), 3, plan, Trace::Ordered, 2_000, None);
        assert!(found.failures > 0, "{key} was never held when it was tried");
        assert!(found.laps >= 2_000 && found.in_time.1 == 0, "{key}");
        assert!(found.sentences.iter().all(|&(_, checked, violations)| checked > 0 && violations == 0), "{key}");
    }
}

#[test]
fn readers_share() {
    for primitive in sound().filter(|primitive| primitive.contend(2).hold_shared(&mut || ())) {
        let work = Work { steps: 20_000, spread: Spread::Fixed };
        let plan = Plan { reads: 1_000, hold: work, ..Plan::default() };
        let found = contend(*primitive, 4, plan, Trace::Ordered, 2_000, None);
        assert!(found.sharing > 0, "{}: no reader came while another read", primitive.info().key);
    }
}

#[test]
fn hand_offs_waits_and_records_add_up() {
    let clock = RunClock::choose(|| ());
    let subject = find("std_mutex").unwrap().contend(2);
    let seats = [Seat::new(0, 2), Seat::new(1, 2)];
    let plan = Plan { recorder: clock.recorder(Trace::Ordered), ..Plan::default() };
    let go_on = AtomicBool::new(true);
    for seat in [0, 0, 1, 0, 1, 1] {
        subject.laps(&seats[seat], &plan, &go_on, 10);
    }
    let handoffs: Vec<_> = (0..4).map(|i| seats[i % 2].tally.after(i / 2, i % 2)).collect();
    assert_eq!(handoffs, [9 + 10 + 9, 2, 1, 9 + 9 + 10], "each acquisition but the first has a predecessor");
    assert_eq!(seats[0].ring.completed() + seats[1].ring.completed(), 60);
    let mut batch = Vec::new();
    for (thread, seat) in seats.iter().enumerate() {
        let mut records = Vec::new();
        seat.ring.read(0, usize::MAX, &mut records);
        assert!(records.iter().all(|r| 0 < r.wanted && r.wanted <= r.got && r.got <= r.released), "{records:?}");
        batch.extend(records.iter().map(|r| Interval { thread, got: r.got, released: r.released, shared: false }));
    }
    let mut overlap = Overlap::default();
    overlap.check(&mut batch, clock.scale);
    assert_eq!((overlap.checked, overlap.violations), (60, 0));
}

#[test]
fn a_hold_that_is_cut_short_is_not_counted_and_lets_go() {
    let clock = RunClock::choose(|| ());
    for trace in [Trace::Off, Trace::Ordered] {
        let subject = find("futex_mutex").unwrap().contend(2);
        let seat = Seat::new(0, 1);
        let plan = Plan {
            hold: Work { steps: u64::MAX, spread: Spread::Fixed },
            recorder: clock.recorder(trace),
            ..Plan::default()
        };
        subject.laps(&seat, &plan, &AtomicBool::new(false), 1);
        assert_eq!((seat.tally.laps(), subject.counted(), seat.ring.completed()), (0, Some(0), 0));
        assert!(subject.try_lap());
    }
}
