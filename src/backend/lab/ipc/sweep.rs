//! A measurement with an end: every transport at every size and buffer, the
//! repetitions of all transports interleaved, so that what changes on the
//! machine meanwhile meets all of them.

mod repeats;

use std::time::Duration;

use self::repeats::Repeats;
use super::disturbance::Surroundings;
use super::link::{Ended, Link};
use super::placement::Seats;
use super::probe::Probes;
use super::slice::Task;
use super::{Family, Setup, Transport};
use crate::model::Nanos;
use crate::model::channel::{IpcPoint, Mode, Payload, Placement, Waiting};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Which transports.
    pub transports: Vec<&'static dyn Transport>,
    /// What of them.
    pub modes: Vec<Mode>,
    /// With messages of these sizes, in bytes.
    pub sizes: Vec<usize>,
    /// With buffers of these sizes; none is the transport's own.
    pub buffers: Vec<Option<u64>>,
    /// Where the processes run.
    pub placement: Placement,
    /// How they wait; each transport's own way where not given.
    pub wait: Option<Waiting>,
    /// How much is written and checked.
    pub payload: Payload,
    /// Measuring time of a point, all its repetitions together.
    pub time: Duration,
    /// How many repetitions.
    pub repeats: u32,
    /// Round trips also in an open loop, with so many messages a second.
    pub rate: Option<f64>,
}

/// What a sweep says while it runs.
#[derive(Debug)]
pub enum Event<'a> {
    /// Something begins.
    Step {
        /// How many steps are done.
        done: usize,
        /// Of how many.
        of: usize,
        /// What it is about: `pipe 4096 B, throughput`.
        what: &'a str,
    },
    /// A point is complete.
    Point(Box<IpcPoint>),
}

/// Whether a sweep came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All points are there.
    Done,
    /// It was stopped; all workers are gone.
    Stopped,
}

impl Sweep {
    /// What one repetition is.
    fn task(&self, mode: Mode, size: usize) -> Task {
        let repetition = Nanos::from(self.time).0 / u64::from(self.repeats.max(1));
        // Both loops share the time.
        let halves = if mode == Mode::Latency && self.rate.is_some() { 2 } else { 1 };
        Task { mode, size, payload: self.payload, time: Nanos(repetition / halves), every: None }
    }

    /// Runs it. `go_on` is asked many times a second; `each` gets every point
    /// as soon as it is complete.
    pub fn run(&self, go_on: &mut dyn FnMut() -> bool, each: &mut dyn FnMut(Event<'_>)) -> End {
        let seats = Seats::take(self.placement);
        let rounds = self.repeats as usize + 1;
        let of = self.buffers.len() * self.sizes.len() * self.transports.len() * self.modes.len() * rounds;
        let mut steps = Steps { done: 0, of, each };
        for &buffer in &self.buffers {
            for &size in &self.sizes {
                let mut group = Group::start(self, buffer, size, &seats);
                if group.measure(go_on, &mut steps) == End::Stopped {
                    return End::Stopped;
                }
                for point in group.points() {
                    (steps.each)(Event::Point(Box::new(point)));
                }
            }
        }
        End::Done
    }
}

struct Steps<'a> {
    done: usize,
    of: usize,
    each: &'a mut dyn FnMut(Event<'_>),
}

impl Steps<'_> {
    fn next(&mut self, what: &str) {
        (self.each)(Event::Step { done: self.done, of: self.of, what });
        self.done += 1;
    }
}

/// All transports at one size and buffer.
struct Group<'a> {
    sweep: &'a Sweep,
    size: usize,
    buffer: Option<u64>,
    lanes: Vec<Lane>,
    seats: &'a Result<Seats, String>,
    flags: Vec<String>,
    probes: Probes,
}

/// One transport of a group.
struct Lane {
    transport: &'static dyn Transport,
    wait: Waiting,
    link: Result<Link, String>,
    results: Vec<(Mode, Repeats)>,
}

impl<'a> Group<'a> {
    /// Starts all workers; what cannot start keeps the reason.
    fn start(sweep: &'a Sweep, buffer: Option<u64>, size: usize, seats: &'a Result<Seats, String>) -> Self {
        let lane = |&transport: &&'static dyn Transport| {
            let about = transport.about();
            let wait = sweep.wait.unwrap_or(about.waits[0]);
            let link = match seats {
                Err(why) => Err(why.clone()),
                Ok(_) if !about.waits.contains(&wait) => {
                    let known: Vec<_> = about.waits.iter().map(|wait| wait.name()).collect();
                    let (last, others) = known.split_last().map_or(("", &[][..]), |(last, others)| (*last, others));
                    let others = if others.is_empty() { String::new() } else { format!("{} or ", others.join(", ")) };
                    Err(format!("{} cannot wait by {wait}, only by {others}{last}", about.name))
                }
                Ok(seats) => {
                    Link::start(transport, Setup { buffer, wait, size }, seats).map_err(|fault| fault.to_string())
                }
            };
            Lane { transport, wait, link, results: sweep.modes.iter().map(|&m| (m, Repeats::default())).collect() }
        };
        let probes = Probes::between(seats.as_ref().ok());
        let flags = seats.as_ref().map(|seats| seats.flags.iter().map(|&f| f.to_owned()).collect()).unwrap_or_default();
        Group { sweep, size, buffer, lanes: sweep.transports.iter().map(lane).collect(), seats, flags, probes }
    }

    /// Warms every lane up, then repeats: each round visits every lane.
    fn measure(&mut self, go_on: &mut dyn FnMut() -> bool, steps: &mut Steps<'_>) -> End {
        let probed = self.lanes.iter().any(|lane| lane.link.is_ok() && is_shared(lane.transport));
        for round in 0..=self.sweep.repeats {
            for lane in &mut self.lanes {
                for index in 0..lane.results.len() {
                    let mode = lane.results[index].0;
                    steps.next(&format!("{} {} B, {mode}", lane.transport.about().key, self.size));
                    let task = self.sweep.task(mode, self.size);
                    let Ok(seats) = self.seats else { continue };
                    match lane.step(index, round, &task, (self.sweep.rate, seats), go_on) {
                        Ok(()) => {}
                        Err(Ended::Stopped) => return End::Stopped,
                        Err(Ended::Failed(fault)) => lane.link = Err(fault.to_string()),
                    }
                }
            }
            // After the warm-up, and after each repetition.
            if probed {
                self.probes.probe();
            }
        }
        End::Done
    }

    fn points(self) -> Vec<IpcPoint> {
        let Group { sweep, size, buffer, lanes, flags, probes, .. } = self;
        let mut points = Vec::new();
        for lane in lanes {
            let facts = lane.link.as_ref().ok().map(|link| link.facts);
            let failed = lane.link.err();
            let shared = failed.is_none() && is_shared(lane.transport);
            let mut flags = flags.clone();
            flags.extend(probes.flag().filter(|_| shared));
            for (mode, repeats) in lane.results {
                let blank = IpcPoint {
                    transport: lane.transport.about().key.into(),
                    mode,
                    size,
                    buffer: facts.map(|facts| facts.buffer).or(buffer),
                    placement: sweep.placement,
                    wait: lane.wait,
                    payload: sweep.payload,
                    repeats: sweep.repeats,
                    round_trip_ns: None,
                    round_trip_p50_ns: None,
                    open_loop_ns: None,
                    open_loop_rate: None,
                    throughput: None,
                    cpu_ns_per_message: None,
                    switches_per_message: None,
                    setup_ns: facts.map(|facts| facts.setup),
                    lost: 0,
                    corrupt: 0,
                    core_to_core_ns: probes.spread().filter(|_| shared),
                    flags: flags.clone(),
                    skipped: failed.clone(),
                    baseline: None,
                };
                points.push(if failed.is_some() {
                    blank
                } else {
                    repeats.fill(blank, sweep.rate, lane.transport.about().loses)
                });
            }
        }
        points
    }
}

impl Lane {
    /// Round 0 warms up; the others measure.
    fn step(
        &mut self,
        index: usize,
        round: u32,
        task: &Task,
        (rate, seats): (Option<f64>, &Seats),
        go_on: &mut dyn FnMut() -> bool,
    ) -> Result<(), Ended> {
        let (Ok(link), (_, repeats)) = (&mut self.link, &mut self.results[index]) else {
            return if go_on() { Ok(()) } else { Err(Ended::Stopped) };
        };
        if round == 0 {
            if index == 0 {
                link.ready(go_on)?;
                link.blind();
            }
            return link.warm_up(task, go_on);
        }
        let before = Surroundings::now();
        let slice = link.slice(task, round == 1, go_on)?;
        repeats.disturbance.count(&before, &slice, seats, &link.pids());
        repeats.take(&slice);
        if let Some(rate) = rate.filter(|_| task.mode == Mode::Latency) {
            let open = Task { every: Some(Nanos((1e9 / rate).round() as u64)), ..*task };
            let before = Surroundings::now();
            let slice = link.slice(&open, round == 1, go_on)?;
            repeats.disturbance.count(&before, &slice, seats, &link.pids());
            repeats.take_open(&slice);
        }
        Ok(())
    }
}

/// Whether the CPUs' caches carry the bytes, or the indices.
pub(super) fn is_shared(transport: &dyn Transport) -> bool {
    matches!(transport.about().family, Family::SharedMemory | Family::RemoteMemory | Family::OneProcess)
}
