//! The lab as a panel runs it: one short slice after the other, in turns over
//! the transports, so that all of them advance together.

use std::sync::Arc;
use std::time::Duration;

use super::line::{Line, Turn};
use super::link::{Ended, Link};
use super::map::{Map, next_size};
use super::placement::Seats;
use super::probe::Probes;
use super::slice::Task;
use super::sweep::is_shared;
use crate::backend::lab::pacing::Schedule;
use crate::backend::lab::{Lab, Session, Wish};
use crate::backend::{Command, Update};
use crate::model::channel::{IpcProgress, IpcSpec, Mode};
use crate::model::lab::{Burst, LabCommand, LabState, WorkerCost};
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
/// How often a cache line's way between two CPUs is measured, where memory is
/// shared, and how many of the figures are kept: a change of regime stays
/// flagged for as long.
const PROBE: Nanos = Nanos::from_secs(1);
const PROBES: usize = 10;

/// The IPC lab.
#[derive(Debug)]
pub struct IpcLab;

impl Lab for IpcLab {
    type Spec = IpcSpec;
    type Progress = IpcProgress;

    const NAME: &'static str = "ipc";

    fn asked(command: Command) -> Option<LabCommand<IpcSpec>> {
        if let Command::Ipc(asked) = command { Some(asked) } else { None }
    }

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
    probes: Probes,
    probe: Schedule,
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
            probes: Probes::between(Some(&seats)),
            probe: Schedule::new(now, PROBE),
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
            self.probe();
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
        let other_rate = spec.rate != now.rate;
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
        for line in self.lines.iter_mut().filter(|_| other_rate) {
            (line.series.open_loop, line.series.open_loop_rate) = (None, None);
            line.cold_rate = true;
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

    /// A slice of throughput and one of round trips, or two where a rate is
    /// asked for.
    fn turn(&mut self, index: usize, session: &mut Session<IpcLab>) {
        let IpcSpec { size, payload, burst, rate, .. } = self.spec;
        let share = self.lines.len().max(1) as u64;
        let time = match burst {
            Some(burst) => Nanos(burst.on.0 / share),
            None => Nanos(ROUND.0 / share).max(Nanos(2 * SHORTEST.0)),
        };
        let task = |mode, tenths| Task { mode, size, payload, time: Nanos(time.0 * tenths / 10), every: None };
        let trips = if rate.is_some() { 3 } else { 4 };
        let stream = task(Mode::Throughput, 10 - if rate.is_some() { 2 * trips } else { trips });
        let turn = Turn { stream, ask: task(Mode::Latency, trips), rate, burst: burst.is_some() };
        self.with(index, session, move |line, seats, go_on| line.turn(&turn, seats, go_on));
        self.publish(session);
    }

    /// Measures a cache line's way now and then, where a line shares memory
    /// between two CPUs, and tells those lines of a change.
    fn probe(&mut self) {
        let shared = |line: &Line| line.link.as_ref().is_some_and(|link| is_shared(link.transport));
        if self.spec.burst.is_some()
            || !self.probes.has_two()
            || !self.lines.iter().any(shared)
            || !self.probe.due(clock::monotonic())
        {
            return;
        }
        self.probes.probe();
        self.probes.keep(PROBES);
        let (spread, flag) = (self.probes.spread(), self.probes.flag());
        for line in self.lines.iter_mut().filter(|line| shared(line)) {
            line.series.core_to_core_ns = spread;
            line.series.flags.retain(|flag| !Probes::made(flag));
            line.series.flags.extend(flag.clone());
        }
    }

    /// Does something with a line; a fault stays with the line, a wish ends
    /// what is going on if it is to stop.
    fn with(
        &mut self,
        index: usize,
        session: &mut Session<IpcLab>,
        act: impl FnOnce(&mut Line, &Seats, &mut dyn FnMut() -> bool) -> Result<(), Ended>,
    ) {
        let (line, wish, seats) = (&mut self.lines[index], &mut self.wish, &self.seats);
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
        if let Err(Ended::Failed(fault)) = act(line, seats, &mut go_on) {
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
