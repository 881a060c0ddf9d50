//! The contention of a running program, which is neither changed nor stopped:
//! who waits for which lock, how long, who wakes whom, and by which calls.
//!
//! ```text
//! events     every block and wake-up, by the scheduler's tracepoints
//!   set      the events that are opened          record  their samples, taken apart
//!   filter   the target's threads only           kernel  which blocks are futex waits
//!   needs    what events need of the system
//!   waits    blocks and wake-ups as waits        refusal why there are none
//!   told     what is kept of a sample        lens    which stacks are looked at
//! sampling   readings of /proc, where there are no events
//! reader     what is asked of the target: threads, memory, frames
//!   names    what a futex word belongs to        stacks  by which calls it is reached
//! ledger     all of it gathered into locks
//!   tally    what was counted of a word          durations
//! ```
//!
//! An acquisition that finds its lock free makes no system call, and so it is in
//! none of this: what is observed is contention, not use.

mod durations;
mod events;
mod filter;
mod kernel;
mod ledger;
mod lens;
mod names;
mod needs;
mod reader;
mod record;
mod refusal;
mod sampling;
mod set;
mod stacks;
mod tally;
mod told;
mod waits;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use self::events::Events;
use self::ledger::Ledger;
use self::reader::Reader;
use self::sampling::Sampling;
pub use self::watch::Watch;
use super::privilege::explain;
use crate::model::contention::{Contention, Observation, Source};
use crate::model::units::Bytes;
use crate::model::{Fault, Nanos, Pid, text};
use crate::sys::clock;
use crate::sys::pidfd::Pidfd;
use crate::sys::procroot::ProcRoot;

/// How often what was observed is told.
const SECOND: Nanos = Nanos::from_secs(1);

/// How a process is observed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Way {
    /// By events; where those cannot be had, by sampling.
    #[default]
    Best,
    /// By sampling.
    Sampling,
}

#[derive(Debug)]
enum Engine {
    Events(Box<Events>),
    Sampling(Box<Sampling>),
}

/// An observation under way.
#[derive(Debug)]
struct Observer {
    reader: Reader,
    engine: Engine,
    ledger: Ledger,
    process: Arc<str>,
    pidfd: Option<Pidfd>,
    began: Nanos,
    second: Nanos,
    /// Why there are no events.
    refusal: Option<Fault>,
    threads: usize,
    ended: bool,
}

/// Observes a process until `stop` is set, so much time has passed or it has
/// ended, and tells each second what was seen in it; returns all of it.
///
/// # Errors
/// Where there is no such process, or nothing of it may be read.
pub fn observe(
    pid: Pid,
    limit: Option<Duration>,
    way: Way,
    stop: &AtomicBool,
    mut each: impl FnMut(Observation),
) -> Result<Observation, Fault> {
    let mut observer = Observer::begin(pid, way)?;
    let end = limit.map(|limit| Nanos(observer.began.0 + Nanos::from(limit).0));
    loop {
        observer.turn();
        let now = clock::monotonic();
        let over = observer.ended || stop.load(Ordering::Relaxed) || end.is_some_and(|end| now >= end);
        if over {
            return Ok(observer.finish());
        }
        if now.since(observer.second) >= SECOND {
            each(observer.close_second());
        }
    }
}

impl Observer {
    fn begin(pid: Pid, way: Way) -> Result<Self, Fault> {
        let root = Arc::new(ProcRoot::open(Path::new("/proc")).map_err(|error| Fault::new("/proc", explain(error)))?);
        let pid = process_of(&root, pid)?;
        let mut reader = Reader::new(root.clone(), pid);
        let began = clock::monotonic();
        let (engine, refusal) = match way {
            Way::Sampling => (Engine::Sampling(Box::default()), None),
            Way::Best => match Events::open(&mut reader) {
                Ok(events) => (Engine::Events(Box::new(events)), None),
                Err(fault) => (Engine::Sampling(Box::default()), Some(fault)),
            },
        };
        let mut name = Vec::new();
        let _ = root.read_into(&format!("{pid}/comm"), &mut name);
        let mut observer = Observer {
            threads: reader.threads().len(),
            reader,
            engine,
            ledger: Ledger::default(),
            process: text::visible_arc(name.trim_ascii_end()),
            pidfd: Pidfd::open(pid).ok(),
            began,
            second: began,
            refusal,
            ended: false,
        };
        if let Engine::Sampling(sampling) = &mut observer.engine {
            // It asks of moments of which it has seen that they lasted.
            observer.reader.world.vouch();
            sampling.turn(&mut observer.reader);
            // Counts begin here.
            drop(sampling.close_second(&observer.reader));
            if let Some(error) = sampling.refused() {
                let advice = "run as root or with CAP_SYS_PTRACE, or watch a process of your own";
                return Err(Fault::new(format!("/proc/{pid}/task/TID/syscall"), explain(error)).hint(advice));
            }
        }
        Ok(observer)
    }

    fn turn(&mut self) {
        match &mut self.engine {
            Engine::Events(events) => events.turn(&mut self.reader),
            Engine::Sampling(sampling) => sampling.turn(&mut self.reader),
        }
        let gone = |pidfd: &Pidfd| pidfd.ended(Some(Duration::ZERO)).unwrap_or(false);
        self.ended = match &self.pidfd {
            Some(pidfd) => gone(pidfd),
            None => self.reader.threads().is_empty(),
        };
    }

    fn close_second(&mut self) -> Observation {
        let now = clock::monotonic();
        let lasted = now.since(self.second);
        self.second = now;
        let words = match &mut self.engine {
            Engine::Events(events) => events.close_second(),
            Engine::Sampling(sampling) => sampling.close_second(&self.reader),
        };
        let threads = self.reader.threads();
        if !threads.is_empty() {
            self.threads = threads.len();
        }
        self.ledger.meet(&self.reader.world, self.reader.pid, threads.into_iter());
        self.ledger.close_second(words, &self.reader.names);
        let observation =
            Observation { second: self.told(false, lasted), total: self.told(true, now.since(self.began)) };
        if !self.ended {
            self.reader.begin_second();
        }
        observation
    }

    fn finish(mut self) -> Observation {
        if let Engine::Events(events) = &mut self.engine {
            events.finish(&mut self.reader);
        }
        self.close_second()
    }

    fn told(&mut self, total: bool, observed: Nanos) -> Contention {
        let (source, waiting, lost, other_blocks) = match &self.engine {
            Engine::Events(events) => (Source::SchedEvents, events.waiting(), events.lost(), events.other_blocks()),
            Engine::Sampling(sampling) => (Source::Sampling, sampling.waiting(), 0, 0),
        };
        let timed = source == Source::SchedEvents;
        let target = (self.reader.pid, &mut self.reader.world);
        let locks = self.ledger.locks(total, timed, &waiting, target, &self.reader.names, &self.reader.stacks);
        Contention {
            pid: self.reader.pid,
            process: self.process.clone(),
            observed,
            total,
            ended: self.ended,
            threads: self.threads,
            source,
            lost,
            waits: self.ledger.waits(total),
            other_blocks,
            notes: self.notes(),
            locks,
        }
    }

    fn notes(&self) -> Vec<Fault> {
        let mut notes = Vec::new();
        notes.extend(self.refusal.clone());
        let mut crowded = self.ledger.crowded;
        match &self.engine {
            Engine::Events(events) => {
                crowded += events.crowded();
                let (period, room) = events.scale();
                if period > 1 {
                    let what = format!("told for one block in about {period}, and shared out over all");
                    notes.push(Fault::new("stacks", what));
                }
                if events.holds_back() {
                    let what =
                        "the kernel held some back, so many a second are there on one CPU: they are among the lost";
                    notes.push(Fault::new("events", what).hint("raise kernel.perf_event_max_sample_rate"));
                }
                if events.lost() > 0 {
                    let what =
                        format!("{} were not told, by rings of {} in all", events.lost(), Bytes(room as u64).short());
                    notes.push(Fault::new("events", what).hint("figures are too low by as much"));
                }
            }
            Engine::Sampling(sampling) => notes.extend(sampling.notes()),
        }
        if crowded > 0 {
            notes.push(Fault::new(
                "locks",
                format!("{crowded} waits were for further addresses, which are not told apart"),
            ));
        }
        if let Some(error) = self.reader.refused {
            let fault = Fault::new(format!("memory of {}", self.reader.pid), explain(error));
            notes.push(
                fault.hint("run as root or with CAP_SYS_PTRACE to see which kinds of locks they are, and stacks"),
            );
        }
        notes
    }
}

/// The process that a number is of: that of a thread stands for its process.
fn process_of(root: &ProcRoot, pid: Pid) -> Result<Pid, Fault> {
    let mut content = Vec::new();
    root.read_into(&format!("{pid}/status"), &mut content)
        .map_err(|_| Fault::new(pid.to_string(), "there is no such process"))?;
    let line = content.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"));
    let number = line.and_then(|rest| str::from_utf8(rest).ok()?.trim().parse().ok());
    Ok(number.unwrap_or(pid))
}
