//! One transport of a live run: its channel, what it has measured and what
//! disturbs it.

use super::disturbance::{Disturbance, Surroundings};
use super::link::{Ended, Link};
use super::placement::Seats;
use super::probe::Probes;
use super::slice::Task;
use super::{Setup, TRANSPORTS, transport};
use crate::model::channel::{IpcSpec, Mode, Series};
use crate::model::lab::LabState;
use crate::model::{Fault, Nanos};
use crate::sys::clock;

/// What disturbs a line is gathered for so long before it is told: a slice is
/// too short to tell a preemption or two from many.
const WINDOW: Nanos = Nanos::from_secs(2);

/// A transport of the run.
pub(super) struct Line {
    pub(super) link: Option<Link>,
    pub(super) series: Series,
    /// CPU time of its workers when last read.
    cpu_time: Nanos,
    /// Both workers have attached their ends.
    ready: bool,
    /// Nothing of what was measured so far counts.
    pub(super) cold: bool,
    /// The rate of the open loop has changed.
    pub(super) cold_rate: bool,
    /// What disturbed it, and since when that is counted.
    disturbance: Disturbance,
    since: Nanos,
}

/// What is measured in a turn.
#[derive(Clone, Copy)]
pub(super) struct Turn {
    pub(super) stream: Task,
    pub(super) ask: Task,
    /// So many messages a second in an open loop, as long as the closed one.
    pub(super) rate: Option<f64>,
    /// Whether it has to cost little.
    pub(super) burst: bool,
}

impl Line {
    pub(super) fn start(key: &str, spec: &IpcSpec, seats: &Seats) -> Self {
        let mut line = Line {
            link: None,
            series: Series::new(key),
            cpu_time: Nanos::ZERO,
            ready: false,
            cold: true,
            cold_rate: true,
            disturbance: Disturbance::default(),
            since: clock::monotonic(),
        };
        match open(key, spec, seats) {
            Ok(opened) => line.link = Some(opened),
            Err(fault) => line.series.state = LabState::Failed(fault),
        }
        line
    }

    /// Measures each kind for its time, after a warm-up where it is cold.
    pub(super) fn turn(&mut self, turn: &Turn, seats: &Seats, go_on: &mut dyn FnMut() -> bool) -> Result<(), Ended> {
        let Some(link) = &mut self.link else { return Ok(()) };
        if !self.ready {
            link.ready(go_on)?;
            self.ready = true;
            self.series.channel = Some(link.facts);
        }
        let fresh = self.cold;
        if self.cold {
            self.series.state = LabState::WarmUp;
            link.warm_up(&turn.stream, go_on)?;
            link.warm_up(&turn.ask, go_on)?;
            self.cold = false;
        }
        self.series.state = LabState::Running;
        let open = turn.rate.map(|rate| Task { every: Some(Nanos((1e9 / rate).round() as u64)), ..turn.ask });
        for task in [Some(turn.stream), Some(turn.ask), open].into_iter().flatten() {
            let fresh = fresh || (task.every.is_some() && std::mem::take(&mut self.cold_rate));
            // What a burst is disturbed by is not worth what it costs.
            let before = (!turn.burst).then(Surroundings::now);
            let slice = link.slice(&task, fresh && task.mode == Mode::Latency, go_on)?;
            match &before {
                Some(before) => self.disturbance.count(before, &slice, seats, &link.pids()),
                None => self.disturbance.count_sides(&slice),
            }
            match task.every {
                Some(_) => self.series.take_open(&slice, turn.rate.unwrap_or_default()),
                None if task.mode == Mode::Latency => self.series.take_round_trips(&slice),
                None => self.series.take_stream(&slice, clock::monotonic()),
            }
        }
        let now = clock::monotonic();
        if now.since(self.since) >= WINDOW {
            // What the probes say is theirs to change.
            self.series.flags.retain(|flag| Probes::made(flag));
            self.series.flags.extend(seats.flags.iter().map(|&flag| flag.to_owned()));
            self.series.flags.extend(self.disturbance.flags(seats.placement, link.facts.wait));
            (self.disturbance, self.since) = (Disturbance::default(), now);
        }
        Ok(())
    }

    /// Reads what its workers have used; what is gone stays counted.
    pub(super) fn account(&mut self) -> Nanos {
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
