//! A worker's life: one end of a channel, serving the lab's orders with
//! measured loops that only count down.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::books::{Books, LAPS};
use super::protocol::{Done, Job, Order, Report, Side};
use super::usage::Usage;
use super::{End as ChannelEnd, Receiver, Sender};
use crate::backend::lab::pacing::Intended;
use crate::backend::lab::worker::{self, Boss};
use crate::model::Nanos;
use crate::model::channel::{Mode, Payload};
use crate::sys::frame::FrameSocket;
use crate::sys::lifeline::Lifeline;
use crate::sys::tick::Tick;
use crate::sys::{affinity, clock};

impl worker::Job for Job {
    const KIND: &'static str = "ipc";

    fn work(self, mut boss: Boss, mut fds: Vec<OwnedFd>) -> io::Result<()> {
        let Some(transport) = super::transport(&self.transport) else {
            return boss.tell(&Report::Broken(format!("no transport is called {}", self.transport)));
        };
        if !self.cpus.is_empty()
            && let Err(error) = affinity::bind(&self.cpus)
        {
            return boss.tell(&Report::Broken(format!("cannot run on CPUs {:?}: {error}", self.cpus)));
        }
        if let Some(directory) = &self.directory {
            // SAFETY: this thread is the only one that the worker has yet.
            unsafe { std::env::set_var("TMPDIR", directory) };
        }
        let other = match &self.other {
            Some(cpus) => {
                let socket = fds.pop().ok_or(io::ErrorKind::InvalidInput)?;
                Some(Other { boss: FrameSocket::from(UnixStream::from(socket)).into(), cpus: cpus.clone() })
            }
            None => None,
        };
        let started = clock::monotonic();
        let duty = Duty { side: self.side, boss, lifeline: Lifeline::of_stdin().ok(), started, other };
        let end = ChannelEnd { fds, ids: self.ids.clone(), directory: None };
        transport.attach(end, &self.setup, duty)
    }
}

/// What a worker has to do once its end is attached.
#[derive(Debug)]
pub struct Duty {
    pub(super) side: Side,
    pub(super) boss: Boss,
    /// Ends the process if the lab goes away while a loop runs.
    pub(super) lifeline: Option<Lifeline>,
    /// When attaching began.
    pub(super) started: Nanos,
    /// The other side, where it is a thread of the same process.
    pub(super) other: Option<Other>,
}

/// The answering side, as a thread beside the asking one.
#[derive(Debug)]
pub(super) struct Other {
    pub(super) boss: Boss,
    pub(super) cpus: Vec<usize>,
}

impl Duty {
    /// Serves both sides of a channel between threads: the asker here, the
    /// answerer on a thread of its own.
    ///
    /// # Errors
    /// Whatever a socket to the lab says, or why there is no second thread.
    pub fn serve_both<S, R>(mut self, asker: (S, R), answerer: (S, R)) -> io::Result<()>
    where
        S: Sender + Send,
        R: Receiver + Send,
    {
        let Other { mut boss, cpus } = self.other.take().ok_or(io::ErrorKind::InvalidInput)?;
        let started = self.started;
        std::thread::scope(|scope| {
            let answer = move || {
                if !cpus.is_empty()
                    && let Err(error) = affinity::bind(&cpus)
                {
                    return boss.tell(&Report::Broken(format!("cannot run on CPUs {cpus:?}: {error}")));
                }
                let duty = Duty { side: Side::Answerer, boss, lifeline: None, started, other: None };
                duty.serve(answerer.0, answerer.1)
            };
            let answering = std::thread::Builder::new().name("receiver".to_owned()).spawn_scoped(scope, answer)?;
            let asked = self.serve(asker.0, asker.1);
            let answered = answering.join().unwrap_or_else(|_| Err(io::Error::other("the answering thread panicked")));
            asked.and(answered)
        })
    }

    /// Serves the lab's orders until it is gone or the channel breaks.
    ///
    /// # Errors
    /// Whatever the socket to the lab says.
    pub fn serve<S: Sender, R: Receiver>(self, sender: S, receiver: R) -> io::Result<()> {
        self.serve_by(&mut End { sender, receiver, books: Books::new() }, S::DEAF || R::DEAF)
    }

    /// As `serve`, whatever the transport: only its loops are its own.
    fn serve_by(mut self, end: &mut dyn Serve, deaf: bool) -> io::Result<()> {
        let mut tick = if deaf { Some(Tick::new()?) } else { None };
        self.boss.tell(&Report::Ready { took: clock::monotonic() - self.started })?;
        loop {
            let order: Order = match self.boss.hear(None) {
                Ok(Some(order)) => order,
                Ok(None) => continue,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            };
            if let Some(lifeline) = &self.lifeline {
                lifeline.arm()?;
            }
            if let Some(tick) = &mut tick {
                tick.arm()?;
            }
            let done = carry_out(end, self.side, &order);
            if let Some(tick) = &mut tick {
                tick.disarm()?;
            }
            if let Some(lifeline) = &self.lifeline {
                lifeline.disarm()?;
            }
            match done {
                Ok(done) => self.boss.tell(&Report::Done(done))?,
                Err(error) => return self.boss.tell(&Report::Broken(error.to_string())),
            }
        }
    }
}

fn carry_out(end: &mut dyn Serve, side: Side, order: &Order) -> io::Result<Done> {
    end.books().begin(order);
    let before = Usage::now();
    let elapsed = end.serve(side, order)?;
    let after = Usage::now();
    let asked = (order.mode, side) == (Mode::Latency, Side::Asker);
    let books = end.books();
    Ok(Done {
        elapsed,
        received: books.received,
        cpu: after.cpu - before.cpu,
        voluntary: after.voluntary - before.voluntary,
        involuntary: after.involuntary - before.involuntary,
        delay: after.delay - before.delay,
        losses: books.checker.losses,
        stall: books.stall(order, asked),
        round_trips: asked.then(|| books.round_trips(order)),
    })
}

/// What serves an order.
trait Serve {
    /// Its measured loop; how long that took.
    fn serve(&mut self, side: Side, order: &Order) -> io::Result<Nanos>;

    fn books(&mut self) -> &mut Books;
}

/// An attached end with what the loops need.
pub(super) struct End<S, R> {
    pub(super) sender: S,
    pub(super) receiver: R,
    pub(super) books: Books,
}

impl<S: Sender, R: Receiver> Serve for End<S, R> {
    fn serve(&mut self, side: Side, order: &Order) -> io::Result<Nanos> {
        match (order.mode, side) {
            (Mode::Throughput, Side::Asker) => self.stream(order),
            (Mode::Throughput, Side::Answerer) if R::LOSSY => self.collect_some(order),
            (Mode::Throughput, Side::Answerer) => self.collect(order),
            (Mode::Latency, Side::Asker) if R::LOSSY => self.ask_some(order),
            (Mode::Latency, Side::Asker) => self.ask(order),
            (Mode::Latency, Side::Answerer) if R::LOSSY => self.answer_some(order),
            (Mode::Latency, Side::Answerer) => self.answer(order),
        }
    }

    fn books(&mut self) -> &mut Books {
        &mut self.books
    }
}

impl<S: Sender, R: Receiver> End<S, R> {
    /// Sends messages as fast as they go, some written at a time.
    fn stream(&mut self, order: &Order) -> io::Result<Nanos> {
        let start = clock::monotonic();
        let last = self.books.sent + order.count;
        while self.books.sent < last {
            let until = last.min(self.books.sent + self.books.outbox.room());
            self.write_ahead(until, order.payload);
            for number in self.books.sent..until {
                self.sender.send(self.books.outbox.message(number))?;
                self.books.sent += 1;
            }
        }
        let elapsed = clock::monotonic() - start;
        self.sender.finish()?;
        Ok(elapsed)
    }

    /// Receives messages; its clock runs from the first to the last. It does
    /// not wait for as many as are known to be lost, and looks at the clock now
    /// and then, to find out whether it stood still for a while.
    fn collect(&mut self, order: &Order) -> io::Result<Nanos> {
        self.receiver.receive(&mut self.books.message)?;
        let start = clock::monotonic();
        self.check();
        let (lap, mut received, mut last) = ((order.count / LAPS).max(1), 1, start);
        let numbered = order.size >= size_of::<u64>();
        while received < order.count {
            let until = (received + lap).min(order.count);
            while received < until {
                self.receiver.receive(&mut self.books.message)?;
                self.check();
                // A number of a few bytes that was harmed looks like many lost.
                received += 1 + if numbered { self.books.checker.missed() } else { 0 };
            }
            let now = clock::monotonic();
            self.books.laps.record(now - last);
            last = now;
        }
        Ok(last - start)
    }

    /// Asks and waits for the answer, again and again. The content is written
    /// before the clock is read and checked after. In an open loop the clock
    /// runs from when the question was meant to be sent, late or not.
    fn ask(&mut self, order: &Order) -> io::Result<Nanos> {
        self.books.these.clear();
        let start = clock::monotonic();
        let mut pace = Intended::new(order.every);
        for _ in 0..order.count {
            self.write(order.payload);
            let asked = pace.next();
            self.sender.send(&self.books.message)?;
            self.receiver.receive(&mut self.books.message)?;
            self.books.these.record(clock::monotonic() - asked);
            self.books.sent += 1;
            self.check();
        }
        Ok(clock::monotonic() - start)
    }

    /// Answers with a message of its own: a wrong question is noticed here, a
    /// wrong answer by who asked.
    fn answer(&mut self, order: &Order) -> io::Result<Nanos> {
        let start = clock::monotonic();
        for _ in 0..order.count {
            self.receiver.receive(&mut self.books.message)?;
            self.check();
            self.write(order.payload);
            self.sender.send(&self.books.message)?;
            self.books.sent += 1;
        }
        Ok(clock::monotonic() - start)
    }
}

#[expect(clippy::inline_always, reason = "they only choose")]
impl<S: Sender, R: Receiver> End<S, R> {
    /// Writes the next message.
    #[inline(always)]
    pub(super) fn write(&mut self, payload: Payload) {
        if S::QUICK { self.books.write(payload) } else { self.books.write_by_call(payload) }
    }

    /// Writes a stream's next messages, up to this one.
    #[inline(always)]
    fn write_ahead(&mut self, until: u64, payload: Payload) {
        if S::QUICK { self.books.write_ahead(until, payload) } else { self.books.write_ahead_by_call(until, payload) }
    }

    /// Checks the message that has come.
    #[inline(always)]
    pub(super) fn check(&mut self) {
        if R::QUICK { self.books.check() } else { self.books.check_by_call() }
    }
}
