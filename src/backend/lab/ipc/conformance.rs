//! What every transport must do, for every entry of the registry and every
//! way it can wait. Both ends run on threads of the test here; between real
//! processes the black-box tests look at the same things.

mod pair;

use self::pair::{Pair, TestEnd, order};
use super::protocol::{Order, Report};
use super::{Family, Setup, TRANSPORTS, Transport};
use crate::model::Nanos;
use crate::model::channel::{Losses, Mode, Waiting};

/// Whether a channel of this kind can carry messages of this size; one that
/// cannot says why.
fn carries(transport: &dyn Transport, setup: Setup) -> bool {
    match transport.create(&setup) {
        Ok(ends) => ends.sizes.refuse(setup.size).is_none(),
        Err(fault) => {
            assert!(!fault.what.is_empty());
            false
        }
    }
}

/// A size that the transport can carry, the smallest of the usual ones that is
/// at least `wanted`, or the largest.
fn fitting(transport: &dyn Transport, wait: Waiting, wanted: usize) -> usize {
    let fits = |size: &usize| carries(transport, Setup { buffer: None, wait, size: *size });
    let usual = [8, 64, 1000, 4096];
    usual.into_iter().filter(|size| *size >= wanted).find(fits).or_else(|| usual.into_iter().rev().find(fits)).unwrap()
}

/// Whether nothing outside the workers can look into it: its queue is memory
/// of theirs, or sockets that they made.
fn is_hidden(transport: &dyn Transport) -> bool {
    matches!(transport.about().family, Family::Number | Family::OneProcess) || transport.about().key == "ipc_channel"
}

fn every(mut test: impl FnMut(&'static dyn Transport, Waiting)) {
    for &transport in TRANSPORTS {
        for &wait in transport.about().waits {
            test(transport, wait);
        }
    }
}

#[test]
fn every_transport_says_what_it_is() {
    let mut keys: Vec<_> = TRANSPORTS.iter().map(|transport| transport.about().key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), TRANSPORTS.len(), "keys are unique");
    for transport in TRANSPORTS {
        let about = transport.about();
        assert!(about.key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{}", about.key);
        assert!(!about.model.is_empty() && !about.guarantees.is_empty() && !about.failures.is_empty());
        assert!(!about.waits.is_empty(), "{} waits somehow", about.key);
    }
}

/// Every byte is compared with what it must be, and every number counted;
/// sizes beyond the buffer make partial reads and writes certain.
#[test]
fn messages_arrive_in_order_and_unharmed() {
    every(|transport, wait| {
        let mut carried = 0;
        for (count, size) in
            [(5_000, 1), (3_000, 7), (3_000, 8), (3_000, 64), (500, 4096), (300, 5_003), (6, 1_000_003)]
        {
            // A buffer that is smaller than the largest message, where it can
            // be had.
            let [own, small] = [None, Some(65_536)].map(|buffer| Setup { buffer, wait, size });
            let Some(setup) = [small, own].into_iter().find(|setup| carries(transport, *setup)) else { continue };
            let (sent, received) = Pair::of(transport, setup).run(order(Mode::Throughput, count, size));
            let Losses { lost, corrupt } = received.losses;
            assert_eq!(corrupt, 0, "{transport:?} {wait} {size}");
            assert_eq!((lost == 0 || transport.about().loses, lost + received.received <= count), (true, true));
            // Where nearly all are lost, the clock stops where it started.
            let timed = received.elapsed > Nanos::ZERO || (transport.about().loses && received.received <= 1);
            assert!(timed && sent.cpu > Nanos::ZERO, "{transport:?} {wait} {size}: {received:?}");
            carried += 1;
        }
        assert!(carried > 0, "{transport:?} {wait} carries something");
    });
}

/// One channel, all orders one after the other: what is left of one must not
/// turn up in the next.
#[test]
fn a_channel_serves_one_order_after_the_other() {
    every(|transport, wait| {
        let size = fitting(transport, wait, 64);
        let mut pair = Pair::of(transport, Setup { buffer: None, wait, size });
        for count in [2, 500, 40] {
            for mode in [Mode::Throughput, Mode::Latency] {
                let (sent, received) = pair.run(order(mode, count, size));
                assert_eq!(sent.losses.corrupt + received.losses.corrupt, 0, "{transport:?} {wait} {mode} {count}");
                let lost = sent.losses.lost + received.losses.lost;
                assert!(lost == 0 || transport.about().loses, "{transport:?} {wait} {mode} {count}: {lost} lost");
            }
        }
    });
}

#[test]
fn round_trips_are_answered_and_recorded() {
    every(|transport, wait| {
        for (count, size) in [(50, 1), (50, 8), (50, 64), (20, 5_000), (3, 600_000)] {
            let setup = Setup { buffer: None, wait, size };
            if !carries(transport, setup) {
                continue;
            }
            let mut pair = Pair::of(transport, setup);
            for every in [None, Some(Nanos(20_000))] {
                let (done, answered) = pair.run(Order { every, ..order(Mode::Latency, count, size) });
                assert_eq!((done.losses, answered.losses), (Losses::default(), Losses::default()));
                let trips = done.round_trips.expect("the asker recorded them");
                assert_eq!(
                    (trips.these.count, trips.all.quantiles.count),
                    (count, count),
                    "{transport:?} {wait} {size}"
                );
                let p50 = trips.these.p50;
                // A side that sleeps and is not woken notices only after 50 ms; one
                // that spins has to wait for its turn where the machine is busy, and
                // at a rate every wait adds to all that come after it.
                let patient = wait == Waiting::Spin || every.is_some();
                let prompt = patient || size != 64 || p50 < Nanos::from_millis(50);
                assert!(p50 > Nanos::ZERO && prompt, "{transport:?} {wait} {size}: {p50}");
            }
        }
    });
}

#[test]
fn a_reader_sees_the_end_when_the_writer_leaves() {
    every(|transport, wait| {
        let size = fitting(transport, wait, 64);
        let mut pair = Pair::of(transport, Setup { buffer: None, wait, size });
        pair.answerer.tell(order(Mode::Throughput, 10, size));
        pair.asker.tell(order(Mode::Throughput, 4, size));
        pair.asker.done();
        pair.asker.leave();
        match pair.answerer.hear() {
            Report::Broken(what) => assert!(what.contains("end of file"), "{transport:?} {wait}: {what}"),
            // It was told that there are no more: they count as lost.
            Report::Done(done) if transport.about().loses => assert_eq!(done.losses.lost, 6),
            other => panic!("{transport:?} {wait}: {other:?}"),
        }
    });
}

#[test]
fn a_writer_sees_a_broken_pipe_when_the_reader_leaves() {
    every(|transport, wait| {
        let size = fitting(transport, wait, 4096);
        let mut pair = Pair::of(transport, Setup { buffer: None, wait, size });
        pair.answerer.leave();
        pair.asker.tell(order(Mode::Throughput, 1_000_000, size));
        match pair.asker.hear() {
            // A socket that is closed with data unread is reset, unix(7).
            Report::Broken(what) => {
                let named = ["roken pipe", "reset by peer", "refused", "No such process"];
                assert!(named.iter().any(|name| what.contains(name)), "{transport:?} {wait}: {what}");
            }
            other => panic!("{transport:?} {wait}: {other:?}"),
        }
    });
}

#[test]
fn the_gauge_sees_what_nobody_has_read() {
    for &transport in TRANSPORTS {
        let wait = transport.about().waits[0];
        let setup = Setup { buffer: None, wait, size: fitting(transport, wait, 1000) };
        let ends = transport.create(&setup).unwrap();
        let (mut asker, _answerer) = TestEnd::both(transport, setup, ends.asker, ends.answerer);
        let Some(empty) = ends.gauge.fill() else {
            assert!(is_hidden(transport), "{transport:?} can be looked into");
            continue;
        };
        assert_eq!((empty.queued, empty.capacity), (0, ends.buffer), "{transport:?}");
        asker.tell(order(Mode::Throughput, 10, setup.size));
        asker.done();
        let filled = ends.gauge.fill().unwrap();
        let sent = 10 * setup.size as u64;
        assert!((sent..=filled.capacity).contains(&filled.queued), "{transport:?}: {filled:?}");
    }
}

/// The receiver expects larger messages than are sent: where boundaries are
/// kept it notices at the first, where they are not it puts two together.
#[test]
fn boundaries_are_kept_where_messages_are_carried_whole() {
    every(|transport, wait| {
        let whole = match transport.about().family {
            Family::Messages => true,
            // A queue of boxed messages, or a ring of bytes.
            Family::OneProcess => transport.about().key != "rtrb",
            Family::Stream | Family::SharedMemory | Family::RemoteMemory => false,
            // What carries a number has no size.
            Family::Number => return,
        };
        let mut pair = Pair::of(transport, Setup { buffer: None, wait, size: 128 });
        // All are in the channel before the receiver looks, and leaves.
        pair.asker.tell(order(Mode::Throughput, 4, 64));
        pair.asker.done();
        pair.answerer.tell(order(Mode::Throughput, 2, 128));
        match pair.answerer.hear() {
            Report::Broken(what) => assert!(whole && what.contains("another size"), "{transport:?} {wait}: {what}"),
            Report::Done(done) => assert!(!whole && done.losses.corrupt > 0, "{transport:?} {wait}: {done:?}"),
            Report::Ready { .. } => panic!("{transport:?} {wait} answers out of turn"),
        }
    });
}

#[test]
fn a_size_that_cannot_be_carried_is_refused_with_a_reason() {
    for &transport in TRANSPORTS {
        let wait = transport.about().waits[0];
        let setup = Setup { buffer: None, wait, size: 1 << 30 };
        let why = match transport.create(&setup) {
            Ok(ends) => ends.sizes.refuse(setup.size),
            Err(fault) => Some(fault.to_string()),
        };
        let bounded = match transport.about().family {
            // It cuts a large message up and puts it together again.
            Family::Messages => transport.about().key != "ipc_channel",
            Family::Number => true,
            Family::Stream | Family::SharedMemory | Family::RemoteMemory | Family::OneProcess => false,
        };
        assert_eq!(why.is_some(), bounded, "{transport:?}: {why:?}");
        assert!(why.is_none_or(|why| why.contains("1073741824")), "{transport:?}");
    }
}

#[test]
fn a_buffer_is_as_large_as_asked_for_or_the_limit_is_named() {
    for &transport in TRANSPORTS {
        let wait = transport.about().waits[0];
        let size = fitting(transport, wait, 64);
        let setup = |buffer| Setup { buffer: Some(buffer), wait, size };
        let fault = transport.create(&setup(1 << 40)).unwrap_err();
        assert!(!fault.what.is_empty(), "{fault}");
        match transport.create(&setup(262_144)) {
            Ok(ends) => assert!(ends.buffer >= 262_144, "{transport:?}: {}", ends.buffer),
            Err(fault) => assert!(fault.what.contains("limit") || fault.what.contains("no buffer"), "{fault}"),
        }
    }
}
