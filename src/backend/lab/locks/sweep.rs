//! Throughput against the number of threads: one worker a point, each measured
//! as `syncscope lock` would.

use super::request::check;
use super::supervise::{Ended, run_worker};
use crate::backend::lab::{Lab, Session};
use crate::model::lab::LabState;
use crate::model::lock::{Curve, CurvePoint, LockProgress, LockSpec, Measure, Sweep};
use crate::model::sorting;
use crate::model::{Fault, Nanos};

/// How each point is measured where nothing else is asked for.
const MEASURE: Measure = Measure { each: Nanos::from_millis(150), repeats: 3 };

/// Measures every point; returns what to run instead where a face wants
/// something else. A point that fails stays in the curve, with the reason.
///
/// # Errors
/// A fault where one of the points cannot be asked for.
pub(super) fn run<L>(spec: &LockSpec, asked: &Sweep, session: &mut Session<L>) -> Result<Option<LockSpec>, Fault>
where
    L: Lab<Spec = LockSpec, Progress = LockProgress>,
{
    let points: Vec<LockSpec> = asked.points().map(|(lock, threads)| point(spec, lock, threads)).collect();
    points.iter().try_for_each(|point| check(point).map(drop))?;
    let mut curve = Curve { sweep: asked.clone(), points: Vec::new() };
    for point in points {
        let (lock, threads) = (point.lock.clone(), point.threads);
        let so_far = &curve;
        let mut dress = |progress: &mut LockProgress| {
            if progress.state == LabState::Done {
                progress.state = LabState::Running;
            }
            progress.curve = Some(so_far.clone());
        };
        let (found, mut last) = match run_worker(point, session, &mut dress) {
            Ok(Ended::Done(progress)) => (found(&lock, threads, &progress), *progress),
            Ok(ended) => return Ok(ended.instead()),
            Err(fault) => (failed(lock, threads, fault), LockProgress::default()),
        };
        curve.points.push(found);
        last.state = if curve.left() == 0 { LabState::Done } else { LabState::Running };
        last.curve = Some(curve.clone());
        session.publish(last);
    }
    Ok(None)
}

fn point(spec: &LockSpec, lock: &str, threads: usize) -> LockSpec {
    let measure = Some(spec.measure.unwrap_or(MEASURE));
    LockSpec { lock: lock.to_owned(), threads, sweep: None, burst: None, measure, ..spec.clone() }
}

fn found(lock: &str, threads: usize, progress: &LockProgress) -> CurvePoint {
    if let Some(deadlock) = progress.order.as_ref().and_then(|order| order.deadlock.as_ref()) {
        return failed(lock.to_owned(), threads, Fault::new("deadlock", deadlock.words()));
    }
    let mut rates = progress.figures.repeats.clone();
    sorting::by(&mut rates, f64::total_cmp);
    CurvePoint { lock: lock.to_owned(), threads, rates, jain: progress.figures.jain(), fault: None }
}

fn failed(lock: String, threads: usize, fault: Fault) -> CurvePoint {
    CurvePoint { lock, threads, rates: Vec::new(), jain: None, fault: Some(fault) }
}
