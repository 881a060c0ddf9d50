//! The lab's thread: starts the worker, passes on wishes and reports.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::conductor::{Job, Order};
use super::{PRIMITIVES, Primitive, find};
use crate::backend::Update;
use crate::backend::lab::worker::Worker;
use crate::backend::lab::{Lab, Session, Wish};
use crate::model::lab::LabState;
use crate::model::lock::{LockProgress, LockSpec, PerMille};
use crate::model::{Fault, Nanos, Stamped};

/// The most threads: beyond it the lanes and the matrix say nothing any more,
/// and the scheduler is all that is measured.
pub const MAX_THREADS: usize = 256;
/// The longest hold and think time.
pub const MAX_WORK: Nanos = Nanos::from_secs(1);

/// How long to wait for a report before looking for wishes.
const LOOK: Duration = Duration::from_millis(25);
/// A worker that says nothing for so long is given up.
const SILENCE: Duration = Duration::from_secs(15);

/// The lab.
#[derive(Debug)]
pub struct LockLab;

impl Lab for LockLab {
    type Spec = LockSpec;
    type Progress = LockProgress;

    const NAME: &'static str = "locks";

    fn update(progress: Arc<Stamped<LockProgress>>) -> Update {
        Update::Locks(progress)
    }

    fn run(mut spec: LockSpec, session: &mut Session<Self>) -> Result<(), Fault> {
        session.publish(LockProgress { state: LabState::Starting, ..LockProgress::default() });
        while let Some(other) = run_worker(spec, session)? {
            spec = other;
        }
        Ok(())
    }

    fn failed(fault: Fault) -> LockProgress {
        LockProgress { state: LabState::Failed(fault), ..LockProgress::default() }
    }

    fn idle() -> LockProgress {
        LockProgress::default()
    }
}

/// Runs one worker to its end or until it is to be stopped, which is killing
/// it: there is nothing to clean up, and it needs no lock to be free for that.
/// Returns what to run instead, where that takes a new worker.
fn run_worker(mut spec: LockSpec, session: &mut Session<LockLab>) -> Result<Option<LockSpec>, Fault> {
    check(&spec)?;
    let mut worker = Worker::start("lock worker", &Job { spec: spec.clone() }, &[])?;
    let mut heard = Instant::now();
    loop {
        match worker.hear::<LockProgress>(LOOK)? {
            Some(LockProgress { state: LabState::Failed(fault), .. }) => return Err(fault),
            Some(progress) => {
                heard = Instant::now();
                let done = progress.state == LabState::Done;
                session.publish(progress);
                if done {
                    return Ok(None);
                }
            }
            None if heard.elapsed() > SILENCE => {
                return Err(Fault::new("lock worker", format!("worker {} does not answer", worker.pid()))
                    .hint("the machine may be overloaded: try fewer threads"));
            }
            None => {}
        }
        match session.wish() {
            Wish::GoOn => {}
            Wish::Stop => return Ok(None),
            Wish::Change(other) if other == spec => {}
            Wish::Change(other) => {
                check(&other)?;
                if needs_another_worker(&spec, &other) {
                    return Ok(Some(other));
                }
                worker.tell(&Order::Set(other.setting), &[])?;
                spec = other;
            }
        }
    }
}

fn needs_another_worker(now: &LockSpec, next: &LockSpec) -> bool {
    let kept = LockSpec { setting: next.setting, ..now.clone() };
    kept != *next || next.measure.is_some()
}

/// Whether a workload can be run, and the primitive that it names.
///
/// # Errors
/// A fault that says what can be asked for.
pub fn check(spec: &LockSpec) -> Result<&'static dyn Primitive, Fault> {
    let primitive = find(&spec.lock).ok_or_else(|| unknown(&spec.lock))?;
    let limit = |what: &'static str, said: String, hint: &'static str| Err(Fault::new(what, said).hint(hint));
    if !(1..=MAX_THREADS).contains(&spec.threads) {
        return limit("threads", format!("{} cannot contend", spec.threads), "from 1 to 256 threads can");
    }
    for (what, time) in [("hold", spec.setting.hold), ("think", spec.setting.think)] {
        if time > MAX_WORK {
            return limit(what, format!("{time} is too long"), "at most 1 s (1000000000 ns)");
        }
    }
    if spec.setting.reads > PerMille::WHOLE {
        return limit("read-share", format!("{} is no share", spec.setting.reads.share()), "from 0 to 1");
    }
    if spec.measure.is_some_and(|measure| measure.each == Nanos::ZERO || measure.repeats == 0) {
        return limit("measure", "no time to measure".to_owned(), "at least one repetition of more than 0 s");
    }
    Ok(primitive)
}

fn unknown(name: &str) -> Fault {
    let keys = |broken: bool| {
        let all = PRIMITIVES.iter().map(|p| p.info()).filter(|info| info.breaks.is_some() == broken);
        all.map(|info| info.key).collect::<Vec<_>>().join(", ")
    };
    let nearest = PRIMITIVES
        .iter()
        .map(|p| (strsim::jaro_winkler(name, p.info().key), p.info().key))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|&(likeness, _)| likeness > 0.7);
    let meant = nearest.map_or_else(String::new, |(_, key)| format!("did you mean `{key}`? "));
    let shown = crate::model::text::visible(name.as_bytes());
    Fault::new("lock", format!("there is no lock `{shown}`")).hint(format!(
        "{meant}there are {}; and, broken on purpose, {}",
        keys(false),
        keys(true)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lock::{LockSetting, Measure};

    fn refused(spec: &LockSpec) -> String {
        check(spec).map(|p| p.info().key).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_limit() {
        let spec = LockSpec::default();
        assert_eq!(check(&spec).map(|p| p.info().key), Ok("std_mutex"));
        for threads in [0, 257, 10_000] {
            assert!(refused(&LockSpec { threads, ..spec.clone() }).contains("from 1 to 256"));
        }
        let hold = |hold| LockSpec { setting: LockSetting { hold, ..spec.setting }, ..spec.clone() };
        assert!(check(&hold(MAX_WORK)).is_ok());
        assert!(refused(&hold(MAX_WORK + Nanos(1))).contains("at most 1 s"));
        let never = Measure { each: Nanos::ZERO, repeats: 1 };
        assert!(refused(&LockSpec { measure: Some(never), ..spec }).contains("no time"));
    }

    #[test]
    fn an_unknown_lock_is_answered_with_the_nearest_and_all() {
        let text = refused(&LockSpec { lock: "std_mutx\x1b".to_owned(), ..LockSpec::default() });
        assert!(text.contains("did you mean `std_mutex`?"), "{text}");
        assert!(text.contains("parking_lot") && text.contains("on purpose, broken_flag"), "{text}");
        assert!(!text.contains('\x1b'));
        assert!(!refused(&LockSpec { lock: "zzz".to_owned(), ..LockSpec::default() }).contains("did you mean"));
    }

    #[test]
    fn only_lock_and_threads_take_another_worker() {
        let spec = LockSpec::default();
        let setting = LockSetting { hold: Nanos(9), ..spec.setting };
        assert!(!needs_another_worker(&spec, &LockSpec { setting, ..spec.clone() }));
        assert!(needs_another_worker(&spec, &LockSpec { threads: 5, ..spec.clone() }));
        assert!(needs_another_worker(&spec, &LockSpec { lock: "ticket".to_owned(), ..spec.clone() }));
    }
}
