//! `syncscope lock`.

mod args;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use color_eyre::eyre::{WrapErr, bail, eyre};
use crossbeam_channel::{RecvTimeoutError, unbounded};

pub use self::args::Args;
use self::args::points;
use super::{Outcome, contention, output};
use crate::backend::lab::locks::LockLab;
use crate::backend::lab::locks::experiments::EXPERIMENTS;
use crate::backend::lab::run_headless;
use crate::backend::observe::contention::Way;
use crate::backend::{Command, Update};
use crate::model::lab::{LabCommand, LabState};
use crate::model::lock::{LockProgress, LockSpec};
use crate::report::lock as report;
use crate::report::lock_experiments as experiments;

/// How a measurement ended.
enum Ended {
    Done(Box<LockProgress>),
    Interrupted,
}

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    if let Some(pid) = args.pid {
        let way = if args.sampling { Way::Sampling } else { Way::Best };
        return contention::run(contention::Request { pid, seconds: args.seconds, json: args.json, way });
    }
    let points = points(args)?;
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).wrap_err("cannot watch for signals")?;
    }
    if !args.experiment.is_empty() {
        return experiment(args, &interrupted);
    }
    let mut done: Vec<LockProgress> = Vec::new();
    let mut outcome = Outcome::Done;
    if args.csv {
        output::line(report::CSV_HEADER)?;
    }
    for (index, spec) in points.iter().enumerate() {
        output::progress(&format!("{}/{}  {} with {} threads", index + 1, points.len(), spec.lock, spec.threads));
        let ended = measure(spec, &interrupted);
        output::progress("");
        match ended? {
            Ended::Done(progress) => {
                if args.json {
                    output::line(&report::json(&progress).ok_or_else(|| eyre!("the worker reported no subject"))?)?;
                } else if args.csv {
                    output::line(&report::csv(&progress).ok_or_else(|| eyre!("the worker reported no subject"))?)?;
                }
                done.push(*progress);
            }
            Ended::Interrupted => {
                outcome = Outcome::Interrupted;
                break;
            }
        }
    }
    if !args.json && !args.csv && !done.is_empty() {
        output::line(report::table(&done, output::width()).trim_end())?;
    }
    let deadlocked = |progress: &LockProgress| progress.order.as_ref().is_some_and(|order| order.deadlock.is_some());
    let found = done.iter().any(|progress| report::checks(progress).1 > 0 || deadlocked(progress));
    Ok(if outcome == Outcome::Done && found { Outcome::Found } else { outcome })
}

/// Does the experiments that were asked for, in the order of the registry.
fn experiment(args: &Args, interrupted: &AtomicBool) -> color_eyre::Result<Outcome> {
    let wanted = |key: &str| args.experiment.iter().any(|asked| asked == key || asked == "all");
    let mut outcome = Outcome::Done;
    for experiment in EXPERIMENTS.iter().filter(|experiment| wanted(experiment.key)) {
        output::progress(experiment.title);
        let found = experiment.run();
        output::progress("");
        if interrupted.load(Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        let done = found.map_err(|fault| eyre!("{}: {fault}", experiment.key))?;
        if args.json {
            output::line(&experiments::json(experiment, &done)?)?;
        } else {
            output::line(&experiments::text(experiment, &done))?;
        }
        if !done.as_documented {
            outcome = Outcome::Found;
        }
    }
    Ok(outcome)
}

/// Runs one measurement on a thread of its own, and looks for signals
/// meanwhile.
fn measure(spec: &LockSpec, interrupted: &AtomicBool) -> color_eyre::Result<Ended> {
    let (commands, inbox) = unbounded();
    let (updates, reports) = unbounded();
    let mut last = None;
    let ended = std::thread::scope(|scope| {
        let lab = scope.spawn(|| run_headless::<LockLab>(spec.clone(), inbox, updates));
        loop {
            match reports.recv_timeout(Duration::from_millis(20)) {
                Ok(Update::Locks(progress)) => last = Some(progress),
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if interrupted.load(Relaxed) {
                // The lab may have ended by itself.
                let _ = commands.send(Command::Locks(LabCommand::Stop));
            }
        }
        lab.join()
    });
    if interrupted.load(Relaxed) {
        return Ok(Ended::Interrupted);
    }
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => bail!("{fault}"),
        Err(_) => bail!("the lab's thread panicked"),
    }
    match last {
        Some(progress) if progress.value.state == LabState::Done => Ok(Ended::Done(Box::new(progress.value.clone()))),
        _ => bail!("{}: the worker ended without a result", spec.lock),
    }
}
