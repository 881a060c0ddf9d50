//! The worker process of this lab: it owns the threads that run a test.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::harness::{Runner, Tally};
use super::library;
use crate::backend::lab::worker::{self, Boss};
use crate::model::lab::Burst;
use crate::model::litmus::{Counts, Instruction, LitmusSpec, Strategy};
use crate::model::{Fault, Nanos};
use crate::sys::clock;

/// How often a worker reports while it runs.
const REPORT: Duration = Duration::from_millis(100);
/// So soon come the first figures.
const FIRST: Duration = Duration::from_millis(15);

/// What a worker of this lab is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Number of the run; its reports bear it.
    pub number: u64,
    /// What is run.
    pub spec: LitmusSpec,
}

/// What the lab wants of a worker that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Demand {
    /// Run this instead.
    Run(Box<Job>),
    /// Go on in bursts, or without.
    Burst(Option<Burst>),
    /// Report for the last time and end.
    Finish,
}

/// What a worker reports, and of which run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Numbered {
    /// The run's number.
    pub number: u64,
    /// The report.
    pub report: Report,
}

/// What a worker reports.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The threads are there.
    Ready {
        /// How they run it.
        strategy: Strategy,
        /// The CPU of each thread; empty where there are too few.
        cpus: Vec<usize>,
        /// What should be known beside the figures.
        notes: Vec<String>,
        /// The machine code of each thread.
        code: Vec<Vec<Instruction>>,
    },
    /// What was counted since it was ready.
    Counted {
        /// The counts.
        counts: Counts,
        /// Each state and how often it was seen.
        states: Vec<(Vec<i32>, u64)>,
        /// CPU time of this process so far.
        cpu_time: Nanos,
        /// Whether the threads sleep until the next burst.
        resting: bool,
        /// Whether this is the last report.
        last: bool,
    },
    /// It cannot be run.
    Failed(Fault),
}

impl Report {
    fn counted(tally: Tally, resting: bool, last: bool) -> Self {
        let states = tally.states.into_iter().collect();
        Report::Counted { counts: tally.counts, states, cpu_time: clock::process_cpu(), resting, last }
    }
}

impl worker::Job for Job {
    const KIND: &'static str = "litmus";

    fn work(mut self, mut boss: Boss, _fds: Vec<OwnedFd>) -> io::Result<()> {
        loop {
            let started = library::load(&self.spec).and_then(|test| Runner::start(&test, self.spec.strategy));
            let next = match started {
                Ok(runner) => serve(runner, &self, &mut boss),
                Err(fault) => {
                    boss.tell(&Numbered { number: self.number, report: Report::Failed(fault) })?;
                    demand(&mut boss)
                }
            };
            match next {
                Ok(Some(next)) => self = next,
                Ok(None) => return Ok(()),
                // The lab is gone: so is the work.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Waits for something else to run.
fn demand(boss: &mut Boss) -> io::Result<Option<Job>> {
    loop {
        match boss.hear(None)? {
            Some(Demand::Run(job)) => return Ok(Some(*job)),
            Some(Demand::Finish) => return Ok(None),
            Some(Demand::Burst(_)) | None => {}
        }
    }
}

/// Runs a test until something else is to be run, or nothing any more.
fn serve(runner: Runner, job: &Job, boss: &mut Boss) -> io::Result<Option<Job>> {
    let tell = |boss: &mut Boss, report| boss.tell(&Numbered { number: job.number, report });
    let mut burst = job.spec.burst;
    let ready = Report::Ready {
        strategy: runner.strategy(),
        cpus: runner.cpus().to_vec(),
        notes: runner.notes().to_vec(),
        code: runner.code(),
    };
    tell(boss, ready)?;
    runner.run();
    let mut resting = false;
    let mut wait = burst.map_or(FIRST, |burst| burst.on.into());
    loop {
        match boss.hear(Some(wait))? {
            Some(Demand::Run(job)) => return Ok(Some(*job)),
            Some(Demand::Finish) => {
                tell(boss, Report::counted(runner.finish(), false, true))?;
                return Ok(None);
            }
            Some(Demand::Burst(changed)) => {
                burst = changed;
                resting = false;
                runner.run();
            }
            None => {
                // A burst is over, or the rest after it; without bursts it
                // just goes on.
                resting = burst.is_some() && !resting;
                if resting {
                    runner.rest();
                } else {
                    runner.run();
                }
                if resting || burst.is_none() {
                    tell(boss, Report::counted(runner.tally(), resting, false))?;
                }
            }
        }
        wait = match burst {
            Some(Burst { on, every }) => if resting { every.since(on) } else { on }.into(),
            None => REPORT,
        };
    }
}
