//! What every transport must do, for every entry of the registry and every
//! way it can wait. Both ends run on threads of the test here; between real
//! processes the black-box tests look at the same things.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::protocol::{Done, Order, Report, Side};
use super::{Duty, Setup, TRANSPORTS, Transport};
use crate::backend::lab::worker::Boss;
use crate::model::Nanos;
use crate::model::channel::{Losses, Mode, Payload, Waiting};
use crate::sys::frame::FrameSocket;

/// An end that is served by a thread.
struct TestEnd {
    socket: Option<FrameSocket>,
    ended: mpsc::Receiver<()>,
    thread: Option<JoinHandle<()>>,
}

impl TestEnd {
    fn start(transport: &'static dyn Transport, side: Side, setup: Setup, fds: Vec<OwnedFd>) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (end, ended) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let boss = Boss::from(FrameSocket::from(theirs));
            let duty = Duty { side, boss, lifeline: None, started: Nanos::ZERO };
            transport.attach(fds, &setup, duty).unwrap();
            let _ = end.send(());
        });
        let mut end = TestEnd { socket: Some(FrameSocket::from(ours)), ended, thread: Some(thread) };
        assert!(matches!(end.hear(), Report::Ready { .. }));
        end
    }

    fn tell(&mut self, order: Order) {
        self.socket.as_mut().unwrap().send(&order, &[]).unwrap();
    }

    fn hear(&mut self) -> Report {
        let report = self.socket.as_mut().unwrap().receive(Some(Duration::from_secs(20)), &mut Vec::new());
        report.unwrap().expect("a report within 20 s")
    }

    fn done(&mut self) -> Done {
        match self.hear() {
            Report::Done(done) => done,
            other => panic!("not done: {other:?}"),
        }
    }

    /// Leaves: its end of the channel closes.
    fn leave(&mut self) {
        self.socket = None;
        self.ended.recv_timeout(Duration::from_secs(20)).expect("it leaves within 20 s");
    }
}

impl Drop for TestEnd {
    fn drop(&mut self) {
        self.socket = None;
        if let (Some(thread), false) = (self.thread.take(), std::thread::panicking()) {
            thread.join().unwrap();
        }
    }
}

fn pair(transport: &'static dyn Transport, setup: Setup) -> (TestEnd, TestEnd) {
    let ends = transport.create(&setup).unwrap();
    // As a lab would, before it lets the sides notice each other's end.
    drop(ends.gauge);
    let asker = TestEnd::start(transport, Side::Asker, setup, ends.asker);
    let answerer = TestEnd::start(transport, Side::Answerer, setup, ends.answerer);
    (asker, answerer)
}

fn order(mode: Mode, count: u64, size: usize) -> Order {
    Order { mode, count, size, payload: Payload::Scanned, fresh: true }
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
        assert!(about.key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", about.key);
        assert!(!about.model.is_empty() && !about.guarantees.is_empty() && !about.failures.is_empty());
        assert!(!about.waits.is_empty(), "{} waits somehow", about.key);
    }
}

/// Every byte is compared with what it must be, and every number counted;
/// sizes beyond the buffer make partial reads and writes certain.
#[test]
fn messages_arrive_in_order_and_unharmed() {
    every(|transport, wait| {
        let (mut asker, mut answerer) = pair(transport, Setup { buffer: Some(65_536), wait });
        for (count, size) in [(5_000, 1), (3_000, 7), (3_000, 64), (500, 4096), (300, 5_003), (6, 1_000_003)] {
            let order = order(Mode::Throughput, count, size);
            answerer.tell(order);
            asker.tell(order);
            let (sent, received) = (asker.done(), answerer.done());
            assert_eq!(received.losses, Losses::default(), "{transport:?} {wait} {size}");
            assert!(received.elapsed > Nanos::ZERO && sent.cpu > Nanos::ZERO, "{transport:?} {wait} {size}");
        }
    });
}

#[test]
fn round_trips_are_answered_and_recorded() {
    every(|transport, wait| {
        let (mut asker, mut answerer) = pair(transport, Setup { buffer: None, wait });
        for (count, size) in [(50, 1), (50, 64), (20, 5_000), (3, 600_000)] {
            let order = order(Mode::Latency, count, size);
            answerer.tell(order);
            asker.tell(order);
            let done = asker.done();
            assert_eq!((done.losses, answerer.done().losses), (Losses::default(), Losses::default()));
            let trips = done.round_trips.expect("the asker recorded them");
            assert_eq!((trips.these.count, trips.all.quantiles.count), (count, count), "{transport:?} {wait} {size}");
            let p50 = trips.these.p50;
            // A side that sleeps and is not woken notices only after 50 ms; one
            // that spins has to wait for its turn where the machine is busy.
            let prompt = wait == Waiting::Spin || size != 64 || p50 < Nanos::from_millis(50);
            assert!(p50 > Nanos::ZERO && prompt, "{transport:?} {wait} {size}: {p50}");
        }
    });
}

#[test]
fn a_reader_sees_the_end_when_the_writer_leaves() {
    every(|transport, wait| {
        let (mut asker, mut answerer) = pair(transport, Setup { buffer: None, wait });
        answerer.tell(order(Mode::Throughput, 10, 64));
        asker.tell(order(Mode::Throughput, 4, 64));
        asker.done();
        asker.leave();
        match answerer.hear() {
            Report::Broken(what) => assert!(what.contains("end of file"), "{transport:?} {wait}: {what}"),
            other => panic!("{transport:?} {wait}: {other:?}"),
        }
    });
}

#[test]
fn a_writer_sees_a_broken_pipe_when_the_reader_leaves() {
    every(|transport, wait| {
        let (mut asker, mut answerer) = pair(transport, Setup { buffer: None, wait });
        answerer.leave();
        asker.tell(order(Mode::Throughput, 1_000_000, 4096));
        match asker.hear() {
            // A socket that is closed with data unread is reset, unix(7).
            Report::Broken(what) => {
                let named = ["roken pipe", "reset by peer"].iter().any(|name| what.contains(name));
                assert!(named, "{transport:?} {wait}: {what}");
            }
            other => panic!("{transport:?} {wait}: {other:?}"),
        }
    });
}

#[test]
fn the_gauge_sees_what_nobody_has_read() {
    for &transport in TRANSPORTS {
        let setup = Setup { buffer: None, wait: transport.about().waits[0] };
        let ends = transport.create(&setup).unwrap();
        let mut asker = TestEnd::start(transport, Side::Asker, setup, ends.asker);
        let empty = ends.gauge.fill().unwrap();
        assert_eq!((empty.queued, empty.capacity), (0, ends.buffer), "{transport:?}");
        asker.tell(order(Mode::Throughput, 10, 1000));
        asker.done();
        let filled = ends.gauge.fill().unwrap();
        assert!((10_000..=filled.capacity).contains(&filled.queued), "{transport:?}: {filled:?}");
    }
}

#[test]
fn a_buffer_is_as_large_as_asked_for_or_the_limit_is_named() {
    for &transport in TRANSPORTS {
        let wait = transport.about().waits[0];
        let ends = transport.create(&Setup { buffer: Some(262_144), wait }).unwrap();
        assert!(ends.buffer >= 262_144, "{transport:?}");
        let fault = transport.create(&Setup { buffer: Some(1 << 40), wait }).unwrap_err();
        assert!(!fault.what.is_empty(), "{fault}");
    }
}
