//! The lab as a panel runs it: one short slice after the other, in turns over
//! the transports, so that all of them advance together.

use std::sync::Arc;
use std::time::Duration;

use super::disturbance::Disturbance;
use super::link::{Ended, Link, Slice, Task};
use super::map::{Map, next_size};
use super::placement::Seats;
use super::{Setup, TRANSPORTS, transport};
use crate::backend::Update;
use crate::backend::lab::pacing::Schedule;
use crate::backend::lab::{Lab, Session, Wish};
use crate::model::channel::{HISTORY, IpcProgress, IpcSpec, Losses, Mode, Placement, RatePoint, Series, Waiting};
use crate::model::lab::{Burst, LabState, WorkerCost};
use crate::model::{Fault, Nanos, Stamped};
use crate::sys::clock;

/// A round over all transports should take about this long, so that each
/// line advances several times a second.
const ROUND: Nanos = Nanos::from_millis(150);
/// A slice is never shorter than this, but in a burst.
const SHORTEST: Nanos = Nanos::from_millis(5);
/// How often the face hears of it.
const PUBLISH: Nanos = Nanos::from_millis(100);
/// How often the workers' CPU time is read.
const ACCOUNT: Nanos = Nanos::from_millis(900);

/// The IPC lab.
#[derive(Debug)]
pub struct IpcLab;

impl Lab for IpcLab {
    type Spec = IpcSpec;
    type Progress = IpcProgress;

    const NAME: &'static str = "ipc";

    fn update(progress: Arc<Stamped<IpcProgress>>) -> Update {
        Update::Ipc(progress)
    }

    fn run(spec: IpcSpec, session: &mut Session<Self>) -> Result<(), Fault> {
        let mut next = Some(spec);
        let mut retired = Nanos::ZERO;
        while let Some(spec) = next.take() {
            let mut run = Run::start(spec, retired, session)?;
            next = run.go(session);
            retired = run.account();
        }
        Ok(())
    }

    fn failed(fault: Fault) -> IpcProgress {
        IpcProgress { state: LabState::Failed(fault), ..IpcProgress::default() }
    }

    fn idle() -> IpcProgress {
        IpcProgress::default()
    }
}

/// A run with one set of channels: it ends where other channels are wanted.
struct Run {
    spec: IpcSpec,
    state: LabState,
    lines: Vec<Line>,
    publish: Schedule,
    /// When the workers' CPU time is read: reading it costs some as well.
    account: Schedule,
    cpu_time: Nanos,
    /// CPU time of workers of lines that are gone.
    retired: Nanos,
    /// A wish that came in the middle of something.
    wish: Wish<IpcSpec>,
    seats: Seats,
    map: Map,
}

/// A transport of the run.
struct Line {
    link: Option<Link>,
    series: Series,
    /// CPU time of its workers when last read.
    cpu_time: Nanos,
    /// Both workers have attached their ends.
    ready: bool,
    /// Nothing of what was measured so far counts.
    cold: bool,
}

impl Run {
    /// Starts all workers at once.
    fn start(spec: IpcSpec, retired: Nanos, session: &mut Session<IpcLab>) -> Result<Self, Fault> {
        session.publish(IpcProgress { state: LabState::Starting, spec: Some(spec.clone()), ..IpcProgress::default() });
        let seats = Seats::take(spec.placement).map_err(|why| Fault::new(spec.placement.name(), why))?;
        let lines = spec.transports.iter().map(|key| Line::start(key, &spec, &seats)).collect();
        let now = clock::monotonic();
        Ok(Run {
            spec,
            state: LabState::WarmUp,
            lines,
            publish: Schedule::new(now, PUBLISH),
            account: Schedule::new(now, ACCOUNT),
            cpu_time: retired,
            retired,
            wish: Wish::GoOn,
            seats,
            map: Map::default(),
        })
    }

    /// Measures until other channels are wanted (then it returns what is
    /// wanted) or nothing more.
    fn go(&mut self, session: &mut Session<IpcLab>) -> Option<IpcSpec> {
        loop {
            let begun = clock::monotonic();
            self.publish(session);
            for index in 0..self.lines.len() {
                self.turn(index, session);
                if !matches!(self.wish, Wish::GoOn) {
                    break;
                }
            }
            self.state = LabState::Running;
            self.map.note(self.spec.size, self.lines.iter().map(|line| &line.series));
            if let Some(burst) = self.spec.burst
                && matches!(self.wish, Wish::GoOn)
            {
                self.rest(burst, begun, session);
            } else if !self.spec.walk && self.lines.iter().all(|line| line.link.is_none()) {
                // Everything failed: only a change can help.
                self.publish_now(session);
                self.wait(Nanos(u64::MAX), session);
            }
            match std::mem::replace(&mut self.wish, Wish::GoOn) {
                Wish::GoOn => {
                    if let Some(size) = next_size(&self.spec, self.lines.iter().map(|line| &line.series)) {
                        self.adopt(IpcSpec { size, ..self.spec.clone() });
                    }
                }
                Wish::Stop => return None,
                Wish::Change(spec) => {
                    if let Some(spec) = self.adopt(spec) {
                        return Some(spec);
                    }
                }
            }
        }
    }

    /// Takes over what needs no other channels; hands the rest back.
    fn adopt(&mut self, spec: IpcSpec) -> Option<IpcSpec> {
        let now = &self.spec;
        if (spec.buffer, spec.placement, spec.wait) != (now.buffer, now.placement, now.wait) {
            return Some(spec);
        }
        let other_messages = (spec.size, spec.payload) != (now.size, now.payload);
        let other_rhythm = spec.burst != now.burst;
        if spec.payload != now.payload {
            self.map.forget();
        }
        self.spec = spec;
        if other_messages {
            self.unseat_unfit();
        }
        self.seat_lines();
        for line in self.lines.iter_mut().filter(|_| other_messages || other_rhythm) {
            line.cold = true;
            if let Some(link) = &mut line.link {
                link.forget_pace();
            }
            if other_messages {
                line.series.forget();
            }
        }
        None
    }

    /// Ends the lines whose channels cannot carry the messages that are wanted
    /// now, or that failed: with other channels, or other messages, they may
    /// work.
    fn unseat_unfit(&mut self) {
        let size = self.spec.size;
        let fits = |line: &Line| line.link.as_ref().is_some_and(|link| link.carries(size));
        for mut line in std::mem::take(&mut self.lines) {
            if fits(&line) {
                self.lines.push(line);
            } else {
                self.retired += line.account();
            }
        }
    }

    /// Starts the lines that are new and ends those that are not wanted any
    /// more; the others keep what they have measured.
    fn seat_lines(&mut self) {
        let mut old = std::mem::take(&mut self.lines);
        for key in &self.spec.transports {
            let kept = old.iter().position(|line| *line.series.transport == **key);
            self.lines.push(match kept {
                Some(index) => old.swap_remove(index),
                None => Line::start(key, &self.spec, &self.seats),
            });
        }
        for line in &mut old {
            self.retired += line.account();
        }
    }

    /// A slice of throughput and one of round trips.
    fn turn(&mut self, index: usize, session: &mut Session<IpcLab>) {
        let IpcSpec { size, payload, burst, placement, .. } = self.spec;
        let share = self.lines.len().max(1) as u64;
        let time = match burst {
            Some(burst) => Nanos(burst.on.0 / share),
            None => Nanos(ROUND.0 / share).max(Nanos(2 * SHORTEST.0)),
        };
        let task = |mode, time| Task { mode, size, payload, time, every: None };
        let stream = task(Mode::Throughput, Nanos(time.0 * 3 / 5));
        let ask = task(Mode::Latency, Nanos(time.0 * 2 / 5));
        self.with(index, session, move |line, now, go_on| {
            let Some(link) = &mut line.link else { return Ok(()) };
            if !line.ready {
                link.ready(go_on)?;
                line.ready = true;
                line.series.channel = Some(link.facts);
            }
            let fresh = line.cold;
            if line.cold {
                line.series.state = LabState::WarmUp;
                link.warm_up(&stream, go_on)?;
                link.warm_up(&ask, go_on)?;
                line.cold = false;
            }
            line.series.state = LabState::Running;
            let slice = link.slice(&stream, false, go_on)?;
            line.series.take_stream(&slice, now());
            line.series.flags = flags_of(&slice, placement, link.facts.wait);
            let slice = link.slice(&ask, fresh, go_on)?;
            line.series.take_round_trips(&slice);
            Ok(())
        });
        self.publish(session);
    }

    /// Does something with a line; a fault stays with the line, a wish ends
    /// what is going on if it is to stop.
    fn with(
        &mut self,
        index: usize,
        session: &mut Session<IpcLab>,
        act: impl FnOnce(&mut Line, fn() -> Nanos, &mut dyn FnMut() -> bool) -> Result<(), Ended>,
    ) {
        let (line, wish) = (&mut self.lines[index], &mut self.wish);
        let mut go_on = || {
            match session.wish() {
                Wish::GoOn => {}
                latest => *wish = latest,
            }
            !matches!(wish, Wish::Stop)
        };
        // Wishes are heard even where nothing is waited for.
        if !go_on() {
            return;
        }
        if let Err(Ended::Failed(fault)) = act(line, clock::monotonic, &mut go_on) {
            line.account();
            line.link = None;
            line.series.state = LabState::Failed(fault);
        }
    }

    /// Waits for the next burst; the workers sleep.
    fn rest(&mut self, burst: Burst, begun: Nanos, session: &mut Session<IpcLab>) {
        self.state = LabState::Resting;
        self.publish_now(session);
        let until = begun + burst.every.max(burst.on);
        self.wait(until, session);
        self.state = LabState::Running;
    }

    /// Sleeps until then, or until something is wanted.
    fn wait(&mut self, until: Nanos, session: &mut Session<IpcLab>) {
        let left = until.since(clock::monotonic()).min(Nanos::from_secs(3600));
        self.wish = session.wait(Duration::from(left));
    }

    fn publish(&mut self, session: &mut Session<IpcLab>) {
        if self.publish.due(clock::monotonic()) {
            self.publish_now(session);
        }
    }

    fn publish_now(&mut self, session: &mut Session<IpcLab>) {
        if self.account.due(clock::monotonic()) {
            self.account();
        }
        let processes = self.lines.iter().filter_map(|line| line.link.as_ref()).map(Link::processes).sum();
        session.publish(IpcProgress {
            state: self.state.clone(),
            cost: WorkerCost { processes, cpu_time: self.cpu_time },
            spec: Some(self.spec.clone()),
            series: self.lines.iter().map(|line| line.series.clone()).collect(),
            cells: self.map.cells(),
        });
    }

    /// Reads what the workers have used.
    fn account(&mut self) -> Nanos {
        self.cpu_time = self.lines.iter_mut().fold(self.retired, |sum, line| sum + line.account());
        self.cpu_time
    }
}

impl Line {
    fn start(key: &str, spec: &IpcSpec, seats: &Seats) -> Self {
        let mut line = Line { link: None, series: Series::new(key), cpu_time: Nanos::ZERO, ready: false, cold: true };
        match open(key, spec, seats) {
            Ok(opened) => line.link = Some(opened),
            Err(fault) => line.series.state = LabState::Failed(fault),
        }
        line
    }

    /// Reads what its workers have used; what is gone stays counted.
    fn account(&mut self) -> Nanos {
        if let Some(link) = &self.link {
            self.cpu_time = self.cpu_time.max(link.cpu_time());
        }
        self.cpu_time
    }
}

fn open(key: &str, spec: &IpcSpec, seats: &Seats) -> Result<Link, Fault> {
    let Some(transport) = transport(key) else {
        let known: Vec<_> = TRANSPORTS.iter().map(|transport| transport.about().key).collect();
        return Err(Fault::new("ipc", format!("no transport is called {key}; there are {}", known.join(", "))));
    };
    let waits = transport.about().waits;
    let wait = spec.wait.filter(|wait| waits.contains(wait)).unwrap_or(waits[0]);
    Link::start(transport, Setup { buffer: spec.buffer, wait, size: spec.size }, seats)
}

fn flags_of(slice: &Slice, placement: Placement, wait: Waiting) -> Vec<String> {
    let mut disturbance = Disturbance::default();
    disturbance.count_sides(slice);
    disturbance.flags(placement, wait)
}

impl Series {
    pub(super) fn new(key: &str) -> Self {
        Series {
            transport: key.into(),
            state: LabState::Starting,
            channel: None,
            throughput: Vec::new(),
            cost: None,
            round_trip: None,
            fill: None,
            losses: Losses::default(),
            flags: Vec::new(),
        }
    }

    /// Other messages: what was measured belongs to the old ones.
    fn forget(&mut self) {
        let old = std::mem::replace(self, Series::new(""));
        *self = Series { transport: old.transport, state: old.state, channel: old.channel, ..Series::new("") };
    }

    fn take_stream(&mut self, slice: &Slice, at: Nanos) {
        self.lose(slice);
        self.fill = slice.fill.or(self.fill);
        self.cost = Some(slice.cost());
        if let Some(messages_per_s) = slice.messages_per_s() {
            if self.throughput.len() >= HISTORY {
                self.throughput.remove(0);
            }
            let bytes_per_s = messages_per_s * slice.size as f64;
            self.throughput.push(RatePoint { at, messages_per_s, bytes_per_s });
        }
    }

    fn take_round_trips(&mut self, slice: &Slice) {
        self.lose(slice);
        if self.losses.any() {
            self.round_trip = None;
        } else if let Some(round_trips) = &slice.asker.round_trips {
            self.round_trip = Some(Arc::new(round_trips.all.clone()));
        }
    }

    fn lose(&mut self, slice: &Slice) {
        let losses = slice.losses();
        self.losses.lost += losses.lost;
        self.losses.corrupt += losses.corrupt;
    }
}
