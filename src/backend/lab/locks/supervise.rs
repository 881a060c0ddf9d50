//! One worker, from its start to its end: wishes are passed on to it, and its
//! reports from it.

use std::time::{Duration, Instant};

use super::chain;
use super::conductor::{Job, Order};
use super::crew::CONTENDER;
use super::request::check;
use crate::backend::lab::worker::Worker;
use crate::backend::lab::{Lab, Session, Wish};
use crate::model::Fault;
use crate::model::lab::LabState;
use crate::model::lock::{LockProgress, LockSpec, Trace};

/// How long to wait for a report before looking for wishes.
const LOOK: Duration = Duration::from_millis(25);
/// A worker that says nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(15);

/// How a worker's run ended.
pub(super) enum Ended {
    /// It did what it was to do; this was its last report.
    Done(Box<LockProgress>),
    /// It was to be stopped.
    Stopped,
    /// This is to be run instead.
    Instead(LockSpec),
}

impl Ended {
    /// What to run instead, if anything.
    pub(super) fn instead(self) -> Option<LockSpec> {
        match self {
            Ended::Instead(spec) => Some(spec),
            Ended::Done(_) | Ended::Stopped => None,
        }
    }
}

/// Runs one worker to its end or until it is to be stopped, which is killing
/// it: there is nothing to clean up, and it needs no lock to be free for that.
/// Every report is passed on once `dress` has seen it.
///
/// # Errors
/// A fault where the workload cannot be run, or the worker could not go on.
pub(super) fn run_worker<L>(
    mut spec: LockSpec,
    session: &mut Session<L>,
    dress: &mut dyn FnMut(&mut LockProgress),
) -> Result<Ended, Fault>
where
    L: Lab<Spec = LockSpec, Progress = LockProgress>,
{
    check(&spec)?;
    let mut worker = Worker::start("lock worker", &Job { spec: spec.clone() }, &[])?;
    let mut heard = Instant::now();
    let mut outside = Outside::default();
    loop {
        match worker.hear::<LockProgress>(LOOK)? {
            Some(LockProgress { state: LabState::Failed(fault), .. }) => return Err(fault),
            Some(mut progress) => {
                heard = Instant::now();
                outside.look(&worker, &mut progress);
                let done = progress.state == LabState::Done;
                dress(&mut progress);
                if done {
                    session.publish(progress.clone());
                    return Ok(Ended::Done(Box::new(progress)));
                }
                session.publish(progress);
            }
            None if heard.elapsed() > SILENCE => {
                return Err(Fault::new("lock worker", format!("worker {} does not answer", worker.pid()))
                    .hint("the machine may be overloaded: try fewer threads"));
            }
            None => {}
        }
        match session.wish() {
            Wish::GoOn => {}
            Wish::Stop => return Ok(Ended::Stopped),
            Wish::Change(other) if other == spec => {}
            Wish::Change(other) => {
                check(&other)?;
                if outside.is_deadlocked() || needs_another_worker(&spec, &other) {
                    return Ok(Ended::Instead(other));
                }
                worker.tell(&Order::Set(other.setting), &[])?;
                spec = other;
            }
        }
    }
}

/// What the wait chains of a deadlocked worker say, asked once.
#[derive(Debug, Default)]
struct Outside {
    chain: Option<Vec<String>>,
}

impl Outside {
    fn is_deadlocked(&self) -> bool {
        self.chain.is_some()
    }

    /// Where the worker says that it is deadlocked, adds what is seen of it.
    fn look(&mut self, worker: &Worker, progress: &mut LockProgress) {
        let Some(deadlock) = progress.order.as_mut().and_then(|order| order.deadlock.as_mut()) else { return };
        let ask = || match chain::surveyor() {
            Ok(mut surveyor) => chain::lines(&surveyor.why(&[worker.pid()]), CONTENDER),
            Err(fault) => vec![fault.to_string()],
        };
        deadlock.chain.clone_from(self.chain.get_or_insert_with(ask));
    }
}

fn needs_another_worker(now: &LockSpec, next: &LockSpec) -> bool {
    let kept = LockSpec { setting: next.setting, ..now.clone() };
    // What the kernel counts is decided before the threads are started.
    let counts = |spec: &LockSpec| spec.setting.trace != Trace::Off;
    kept != *next || next.measure.is_some() || counts(now) != counts(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::lock::LockSetting;

    #[test]
    fn only_lock_and_threads_take_another_worker() {
        let spec = LockSpec::default();
        let setting = LockSetting { hold: Nanos(9), ..spec.setting };
        assert!(!needs_another_worker(&spec, &LockSpec { setting, ..spec.clone() }));
        assert!(needs_another_worker(&spec, &LockSpec { threads: 5, ..spec.clone() }));
        assert!(needs_another_worker(&spec, &LockSpec { lock: "ticket".to_owned(), ..spec.clone() }));
    }
}
