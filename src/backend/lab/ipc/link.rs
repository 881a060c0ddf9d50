//! A channel between two workers, as the lab holds it.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::patience::{Patience, side_now};
use super::placement::Seats;
use super::protocol::{Job, Order, Report, Side};
use super::slice::{Middle, Slice, Task};
use super::{End, Ends, Family, Gauge, Setup, Sizes, Transport};
use crate::backend::janitor::NameGuard;
use crate::backend::lab::pacing::Pace;
use crate::backend::lab::worker::Worker;
use crate::model::channel::{ChannelFacts, Mode};
use crate::model::{Fault, Nanos, Pid};
use crate::sys::pidfd::Pidfd;
use crate::sys::{clock, limits};

/// How often a wait looks whether it is still wanted.
const LOOK: Nanos = Nanos::from_millis(50);
/// A worker may take so long to start without using CPU time: its program may
/// have to be read from a disk.
const START: Nanos = Nanos::from_secs(2);

/// Whether to go on; asked at least every 50 ms.
pub(super) type GoOn<'a> = &'a mut dyn FnMut() -> bool;

/// Why something has no result.
#[derive(Debug)]
pub(super) enum Ended {
    /// Nobody wants it any more.
    Stopped,
    /// It could not go on.
    Failed(Fault),
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Ended::Failed(fault)
    }
}

/// A channel with a worker at each end. Dropping it ends both.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) transport: &'static dyn Transport,
    pub(super) facts: ChannelFacts,
    asker: Worker,
    answerer: Worker,
    gauge: Option<Box<dyn Gauge>>,
    sizes: Sizes,
    /// Removed when the workers are gone.
    _names: Vec<NameGuard>,
    streams: Pace,
    round_trips: Pace,
}

/// How to wait for the reports of an order.
#[derive(Clone, Copy, Debug)]
struct Expected {
    /// How long it will take.
    time: Nanos,
    /// How long both sides may sleep meanwhile.
    pause: Nanos,
    /// Look into the channel half-way.
    looks: bool,
}

impl Link {
    /// Makes the channel and starts its workers; [`Link::ready`] waits for
    /// them.
    pub(super) fn start(transport: &'static dyn Transport, setup: Setup, seats: &Seats) -> Result<Self, Fault> {
        Link::make(transport, setup, seats).map_err(|fault| match limits::behind(&fault.what) {
            Some(limit) if fault.hint.is_none() => fault.hint(limit),
            _ => fault,
        })
    }

    fn make(transport: &'static dyn Transport, setup: Setup, seats: &Seats) -> Result<Self, Fault> {
        let begun = clock::monotonic();
        let Ends { asker, answerer, buffer, sizes, names: kept, gauge } = transport.create(&setup)?;
        let setup_time = clock::monotonic() - begun;
        let key = transport.about().key;
        if let Some(why) = sizes.refuse(setup.size) {
            return Err(Fault::new(key, why));
        }
        let names = [format!("{key} sender"), format!("{key} receiver")];
        let job = |side, cpus: &[usize], other, end: &End| {
            let (ids, directory) = (end.ids.clone(), end.directory.clone());
            Job { transport: key.to_owned(), side, setup, ids, cpus: cpus.to_vec(), directory, other }
        };
        let worker = |name, side, cpus, end: End| {
            let fds: Vec<_> = end.fds.iter().map(AsFd::as_fd).collect();
            Worker::start(name, &job(side, cpus, None, &end), &fds)
        };
        let (asker, answerer) = if transport.about().family == Family::OneProcess {
            Worker::start_both(&names, &job(Side::Asker, &seats.asker, Some(seats.answerer.clone()), &asker))?
        } else {
            let answerer = worker(&names[1], Side::Answerer, &seats.answerer, answerer)?;
            (worker(&names[0], Side::Asker, &seats.asker, asker)?, answerer)
        };
        Ok(Link {
            transport,
            facts: ChannelFacts { buffer, wait: setup.wait, setup: setup_time },
            asker,
            answerer,
            gauge: Some(gauge),
            sizes,
            _names: kept,
            streams: Pace::default(),
            round_trips: Pace::default(),
        })
    }

    /// Waits until both workers have attached their ends.
    pub(super) fn ready(&mut self, go_on: GoOn<'_>) -> Result<(), Ended> {
        let expected = Expected { time: Nanos::ZERO, pause: START, looks: false };
        let (asker, answerer, _) = self.reports(expected, go_on)?;
        for report in [asker, answerer] {
            match report {
                Report::Ready { took } => self.facts.setup += took,
                Report::Done(_) | Report::Broken(_) => {
                    return Err(Fault::new(self.transport.about().key, "a worker answered out of turn").into());
                }
            }
        }
        Ok(())
    }

    /// Whether it can carry messages of this size.
    pub(super) fn carries(&self, size: usize) -> bool {
        self.sizes.refuse(size).is_none()
    }

    /// The process at one end.
    pub(super) fn pid(&self, side: Side) -> Pid {
        self.at(side).pid()
    }

    /// The same, to send signals to.
    pub(super) fn pidfd(&self, side: Side) -> Arc<Pidfd> {
        self.at(side).pidfd()
    }

    /// The processes at both ends.
    pub(super) fn pids(&self) -> [Pid; 2] {
        [self.asker.pid(), self.answerer.pid()]
    }

    fn at(&self, side: Side) -> &Worker {
        if side == Side::Asker { &self.asker } else { &self.answerer }
    }

    /// Hands out what looks into the channel, and may hold an end of it open.
    pub(super) fn take_gauge(&mut self) -> Option<Box<dyn Gauge>> {
        self.gauge.take()
    }

    /// Gives up looking into the channel, which held an end of it open.
    pub(super) fn blind(&mut self) {
        self.gauge = None;
    }

    /// Works until the pace is known and `task.time` has been filled at least
    /// once; nothing of it counts.
    pub(super) fn warm_up(&mut self, task: &Task, go_on: GoOn<'_>) -> Result<(), Ended> {
        for _ in 0..16 {
            let settled = self.pace(task.mode).settled(task.time);
            self.slice(task, true, go_on)?;
            if settled {
                break;
            }
        }
        Ok(())
    }

    /// Works for about `task.time`; `fresh` forgets the round trips before.
    pub(super) fn slice(&mut self, task: &Task, fresh: bool, go_on: GoOn<'_>) -> Result<Slice, Ended> {
        let Task { mode, size, payload, time, every } = *task;
        let count = match every {
            Some(every) => (time.0 / every.0.max(1)).max(2),
            None => self.pace(mode).count(time),
        };
        let order = Order { mode, count, size, payload, fresh, every };
        // The receiver first: it is there when the first message comes.
        self.answerer.tell(&order, &[])?;
        self.asker.tell(&order, &[])?;
        let pause = every.unwrap_or_default();
        let expected = Expected { time: time + pause, pause, looks: mode == Mode::Throughput };
        let (asker, answerer, middle) = self.reports(expected, go_on)?;
        let (Report::Done(asker), Report::Done(answerer)) = (asker, answerer) else {
            return Err(Fault::new(self.transport.about().key, "a worker answered out of turn").into());
        };
        let loses = self.transport.about().loses;
        let slice = Slice { mode, count, size, loses, asker, answerer, middle };
        if every.is_none() {
            self.pace(mode).learn(count, slice.time());
        }
        Ok(slice)
    }

    /// Messages of another size take another time.
    pub(super) fn forget_pace(&mut self) {
        (self.streams, self.round_trips) = (Pace::default(), Pace::default());
    }

    /// CPU time that both workers have used.
    pub(super) fn cpu_time(&self) -> Nanos {
        match self.processes() {
            1 => self.asker.cpu_time(),
            _ => self.asker.cpu_time() + self.answerer.cpu_time(),
        }
    }

    /// How many processes work for it: one where both ends are threads.
    pub(super) fn processes(&self) -> u32 {
        if self.asker.pid() == self.answerer.pid() { 1 } else { 2 }
    }

    fn pace(&mut self, mode: Mode) -> &mut Pace {
        match mode {
            Mode::Throughput => &mut self.streams,
            Mode::Latency => &mut self.round_trips,
        }
    }

    /// Collects one report of each side.
    fn reports(&mut self, expected: Expected, go_on: GoOn<'_>) -> Result<(Report, Report, Middle), Ended> {
        let begun = clock::monotonic();
        let (mut asker, mut answerer, mut middle) = (None, None, Middle::default());
        let mut patience = Patience::new(begun, expected.time, expected.pause);
        let mut half_way = expected.looks.then_some(begun + Nanos(expected.time.0 / 2));
        loop {
            let now = clock::monotonic();
            if half_way.is_some_and(|time| now >= time) {
                middle = self.look();
                half_way = None;
            }
            let next = half_way.map_or(LOOK, |time| LOOK.min(time.since(now)));
            self.poll(next, asker.is_none(), answerer.is_none());
            for side in [Side::Asker, Side::Answerer] {
                let slot = if side == Side::Asker { &mut asker } else { &mut answerer };
                if slot.is_none() {
                    *slot = self.hear(side)?;
                }
            }
            match (asker, answerer) {
                (Some(asker), Some(answerer)) => return Ok((asker, answerer, middle)),
                both => (asker, answerer) = both,
            }
            if !go_on() {
                return Err(Ended::Stopped);
            }
            let missing = [(&self.asker, asker.is_none()), (&self.answerer, answerer.is_none())];
            if let Some(what) = patience.ended(&missing) {
                return Err(Fault::new(self.transport.about().key, what).into());
            }
        }
    }

    /// Looks at the channel and its sides, unless it was blinded: a sweep has
    /// nobody to show it to.
    fn look(&self) -> Middle {
        let Some(gauge) = &self.gauge else { return Middle::default() };
        let two = self.processes() == 2;
        let sides = || Some([side_now(self.asker.pid())?, side_now(self.answerer.pid())?]);
        let before = gauge.fill();
        let sides = two.then(sides).flatten();
        let fill = gauge.fill();
        // What moved meanwhile was not seen at one moment: a reader that sleeps
        // beside a full pipe has only emptied and filled it since.
        let stood_still = before.map(|fill| fill.queued) == fill.map(|fill| fill.queued);
        Middle { fill, sides: sides.filter(|_| stood_still) }
    }

    /// Sleeps until one of the workers still awaited says something.
    fn poll(&self, timeout: Nanos, asker: bool, answerer: bool) {
        let mut fds = Vec::with_capacity(2);
        let descriptors = (self.asker.descriptor(), self.answerer.descriptor());
        if asker {
            fds.push(PollFd::new(&descriptors.0, PollFlags::IN));
        }
        if answerer {
            fds.push(PollFd::new(&descriptors.1, PollFlags::IN));
        }
        let timeout = Timespec { tv_sec: 0, tv_nsec: timeout.0.min(999_999_999) as i64 };
        // An interrupted sleep is only a short one.
        let _ = poll(&mut fds, Some(&timeout));
    }

    /// What a side has said, if anything. A worker that died or whose channel
    /// broke ends the link; the fault names both what happened first and how
    /// the other side noticed.
    fn hear(&mut self, side: Side) -> Result<Option<Report>, Fault> {
        match self.side(side).hear::<Report>(Duration::ZERO) {
            Ok(Some(Report::Broken(what))) => Err(self.broken(side, &what)),
            Ok(report) => Ok(report),
            Err(fault) => Err(self.died(side, fault)),
        }
    }

    /// One side died: how did the other notice?
    fn died(&mut self, side: Side, fault: Fault) -> Fault {
        self.blind();
        let (other, name) = self.other(side);
        match other.hear::<Report>(Duration::from_millis(200)) {
            Ok(Some(Report::Broken(what))) => {
                let what = format!("{}; the {name} saw: {what}", fault.what);
                Fault::new(fault.source, what)
            }
            _ => fault,
        }
    }

    /// The channel broke on one side: did the other die?
    fn broken(&mut self, side: Side, what: &str) -> Fault {
        self.blind();
        let key = self.transport.about().key;
        let me = if side == Side::Asker { "sender" } else { "receiver" };
        let (other, _) = self.other(side);
        match other.hear::<Report>(Duration::from_millis(200)) {
            Err(fault) => Fault::new(fault.source, format!("{}; the {me} saw: {what}", fault.what)),
            Ok(_) => Fault::new(format!("{key} {me}"), what.to_owned()),
        }
    }

    fn side(&mut self, side: Side) -> &mut Worker {
        if side == Side::Asker { &mut self.asker } else { &mut self.answerer }
    }

    fn other(&mut self, side: Side) -> (&mut Worker, &'static str) {
        match side {
            Side::Asker => (&mut self.answerer, "receiver"),
            Side::Answerer => (&mut self.asker, "sender"),
        }
    }
}
