//! The worker's main thread: when the threads run, when they rest, when it
//! reports.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::stage::Stage;
use crate::backend::lab::worker::{self, Boss};
use crate::model::Nanos;
use crate::model::lab::{Burst, LabState};
use crate::model::lock::{LockProgress, LockSetting, LockSpec, Measure};
use crate::sys::clock;

/// From one report to the next; with many threads, whose figures are long,
/// less often.
const TICK: Nanos = Nanos::from_millis(100);
const SLOW_TICK: Nanos = Nanos::from_millis(500);
const MANY: usize = 32;
/// From one look for a priority inversion to the next, where there can be one.
const LOOK: Nanos = Nanos::from_millis(10);
/// Caches, branch predictors and the scheduler find their places.
const WARM_UP: Nanos = Nanos::from_millis(50);

/// What a worker of this lab is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The workload.
    pub spec: LockSpec,
}

/// What the lab tells a worker that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Order {
    /// Go on with this.
    Set(LockSetting),
}

impl worker::Job for Job {
    const KIND: &'static str = "locks";

    fn work(self, mut boss: Boss, _fds: Vec<OwnedFd>) -> io::Result<()> {
        // Ctrl-C reaches the whole process group; ending is the lab's business.
        signal_hook::flag::register(libc::SIGINT, Arc::new(AtomicBool::new(false)))?;
        let played = match Stage::set(self.spec) {
            Ok(stage) => Conductor { boss: &mut boss, stage, repeats: Vec::new() }.play(),
            Err(fault) => boss.tell(&LockProgress { state: LabState::Failed(fault), ..LockProgress::default() }),
        };
        match played {
            // The lab is gone or wants no more.
            Err(error) if matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe) => Ok(()),
            other => other,
        }
    }
}

struct Conductor<'a> {
    boss: &'a mut Boss,
    stage: Stage,
    repeats: Vec<f64>,
}

impl Conductor<'_> {
    fn play(&mut self) -> io::Result<()> {
        let spec = self.stage.spec();
        match (spec.measure, spec.burst) {
            (Some(measure), _) => self.measure(measure),
            (None, Some(burst)) => self.bursts(burst),
            (None, None) => self.go_on(),
        }
    }

    /// So many repetitions, with a rest after each.
    fn measure(&mut self, measure: Measure) -> io::Result<()> {
        self.report(LabState::WarmUp)?;
        self.warm_up(WARM_UP + WARM_UP)?;
        for _ in 0..measure.repeats {
            let before = self.stage.so_far();
            let end = self.stage.open() + measure.each;
            loop {
                self.listen(end.min(self.next_tick()))?;
                if clock::monotonic() >= end {
                    break;
                }
                if self.report(LabState::Running)? {
                    // Nothing more can come of it; but the lab looks at the
                    // threads from outside, and ends the worker itself.
                    self.report(LabState::Done)?;
                    return self.boss.hear::<Order>(None).map(drop);
                }
            }
            self.stage.close();
            let after = self.stage.so_far();
            self.repeats.push((after.0 - before.0) as f64 / (after.1 - before.1).as_secs_f64());
        }
        self.report(LabState::Done).map(drop)
    }

    /// Until the lab has enough.
    fn go_on(&mut self) -> io::Result<()> {
        // What is known before the threads meet.
        self.report(LabState::WarmUp)?;
        loop {
            self.warm_up(WARM_UP)?;
            self.stage.open();
            let setting = loop {
                if let Some(setting) = self.listen(self.next_tick())? {
                    break setting;
                }
                self.report(LabState::Running)?;
            };
            self.stage.close();
            self.stage.change(setting);
        }
    }

    /// A burst, a report, a rest, until the lab has enough.
    fn bursts(&mut self, burst: Burst) -> io::Result<()> {
        loop {
            let begin = self.stage.open();
            self.listen(begin + burst.on)?;
            self.stage.close();
            self.report(LabState::Resting)?;
            if let Some(setting) = self.listen(begin + burst.every)? {
                self.stage.change(setting);
                self.stage.rebase();
            }
        }
    }

    /// Nothing, where the threads may deadlock: everything until then counts.
    fn warm_up(&mut self, time: Nanos) -> io::Result<()> {
        if self.stage.may_deadlock() {
            return Ok(());
        }
        let end = self.stage.open() + time;
        self.listen(end)?;
        self.stage.close();
        self.stage.rebase();
        Ok(())
    }

    /// Waits until then, or until the lab wants another setting.
    fn listen(&mut self, until: Nanos) -> io::Result<Option<LockSetting>> {
        loop {
            let left = until.since(clock::monotonic());
            let step = if self.stage.may_invert() { left.min(LOOK) } else { left };
            match self.boss.hear(Some(Duration::from(step)))? {
                Some(Order::Set(setting)) => return Ok(Some(setting)),
                None if clock::monotonic() >= until => return Ok(None),
                None => self.stage.look(),
            }
        }
    }

    /// Tells the lab how it stands; returns whether threads are deadlocked.
    fn report(&mut self, state: LabState) -> io::Result<bool> {
        let progress = self.stage.progress(state, &self.repeats);
        self.boss.tell(&progress)?;
        Ok(progress.order.is_some_and(|order| order.deadlock.is_some()))
    }

    fn next_tick(&self) -> Nanos {
        clock::monotonic() + if self.stage.spec().threads > MANY { SLOW_TICK } else { TICK }
    }
}
