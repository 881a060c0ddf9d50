//! Both ends of a channel, served by threads of a test.

use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::backend::janitor::NameGuard;
use crate::backend::lab::ipc::protocol::{Done, Order, Report, Side};
use crate::backend::lab::ipc::side::Other;
use crate::backend::lab::ipc::{Duty, End, Family, Setup, Transport};
use crate::backend::lab::worker::Boss;
use crate::model::Nanos;
use crate::model::channel::{Mode, Payload};
use crate::sys::frame::FrameSocket;

/// An end that is served by a thread.
pub(super) struct TestEnd {
    socket: Option<FrameSocket>,
    /// Hears when the thread has left; not where it serves both ends.
    ended: Option<mpsc::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl TestEnd {
    /// Both ends, each on a thread of its own, or on those of one worker.
    pub(super) fn both(transport: &'static dyn Transport, setup: Setup, asker: End, answerer: End) -> (Self, Self) {
        let alone = |side, end| {
            let (socket, boss) = TestEnd::line();
            let (over, ended) = mpsc::channel();
            let thread = std::thread::spawn(move || {
                let duty = Duty { side, boss, lifeline: None, started: Nanos::ZERO, other: None };
                transport.attach(end, &setup, duty).unwrap();
                let _ = over.send(());
            });
            TestEnd { socket: Some(socket), ended: Some(ended), thread: Some(thread) }
        };
        let (mut asker, mut answerer) = if transport.about().family == Family::OneProcess {
            let ((asks, boss), (answers, other)) = (TestEnd::line(), TestEnd::line());
            // It ends when both of its sockets are closed.
            std::thread::spawn(move || {
                let other = Some(Other { boss: other, cpus: Vec::new() });
                let duty = Duty { side: Side::Asker, boss, lifeline: None, started: Nanos::ZERO, other };
                transport.attach(asker, &setup, duty).unwrap();
            });
            let end = |socket| TestEnd { socket: Some(socket), ended: None, thread: None };
            (end(asks), end(answers))
        } else {
            (alone(Side::Asker, asker), alone(Side::Answerer, answerer))
        };
        for end in [&mut asker, &mut answerer] {
            assert!(matches!(end.hear(), Report::Ready { .. }), "{transport:?}");
        }
        (asker, answerer)
    }

    /// A line between the test and an end.
    fn line() -> (FrameSocket, Boss) {
        let (ours, theirs) = FrameSocket::pair().unwrap();
        (ours, theirs.into())
    }

    pub(super) fn tell(&mut self, order: Order) {
        self.socket.as_mut().unwrap().send(&order, &[]).unwrap();
    }

    pub(super) fn hear(&mut self) -> Report {
        let report = self.socket.as_mut().unwrap().receive(Some(Duration::from_secs(20)), &mut Vec::new());
        report.unwrap().expect("a report within 20 s")
    }

    pub(super) fn done(&mut self) -> Done {
        match self.hear() {
            Report::Done(done) => done,
            other => panic!("not done: {other:?}"),
        }
    }

    /// Leaves: its end of the channel closes.
    pub(super) fn leave(&mut self) {
        self.socket = None;
        if let Some(ended) = &self.ended {
            ended.recv_timeout(Duration::from_secs(20)).expect("it leaves within 20 s");
        }
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

/// Both ends of a channel, and the names that have to stay meanwhile.
pub(super) struct Pair {
    pub(super) asker: TestEnd,
    pub(super) answerer: TestEnd,
    _names: Vec<NameGuard>,
}

impl Pair {
    pub(super) fn of(transport: &'static dyn Transport, setup: Setup) -> Self {
        let ends = transport.create(&setup).unwrap();
        let (asker, answerer) = TestEnd::both(transport, setup, ends.asker, ends.answerer);
        // As a lab would, before it lets the sides notice each other's end.
        drop(ends.gauge);
        Pair { asker, answerer, _names: ends.names }
    }

    /// Carries an order out and returns what both sides say.
    pub(super) fn run(&mut self, order: Order) -> (Done, Done) {
        self.answerer.tell(order);
        self.asker.tell(order);
        (self.asker.done(), self.answerer.done())
    }
}

pub(super) fn order(mode: Mode, count: u64, size: usize) -> Order {
    Order { mode, count, size, payload: Payload::Scanned, fresh: true, every: None }
}
