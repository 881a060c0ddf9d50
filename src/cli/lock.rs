//! `syncscope lock`.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use color_eyre::eyre::{WrapErr, bail, eyre};
use crossbeam_channel::{RecvTimeoutError, unbounded};

use super::{Outcome, contention};
use crate::backend::Update;
use crate::backend::lab::locks::experiments::{EXPERIMENTS, Experiment};
use crate::backend::lab::locks::{self, LockLab, PRIMITIVES};
use crate::backend::lab::run_headless;
use crate::backend::observe::contention::Way;
use crate::model::lab::{LabCommand, LabState};
use crate::model::lock::{LockProgress, LockSetting, LockSpec, Measure, PerMille, Spread, Trace};
use crate::model::{Fault, Nanos, Pid};
use crate::report::lock as report;
use crate::report::lock_experiments as experiments;

/// The options of `lock`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Args {
    /// The locks to measure; `all` leaves out those that are broken on purpose
    #[arg(long = "lock", value_name = "LOCK,…|all", value_delimiter = ',', default_value = "all")]
    locks: Vec<String>,
    /// How many threads contend, one measurement for each number (1 to 256)
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2,4,8")]
    threads: Vec<usize>,
    /// Work inside the lock, in nanoseconds (at most 1 s)
    #[arg(long, value_name = "NS", default_value_t = 0)]
    hold: u64,
    /// Work between two acquisitions, in nanoseconds (at most 1 s)
    #[arg(long, value_name = "NS", default_value_t = 0)]
    think: u64,
    /// How the work inside varies
    #[arg(long, value_name = "SPREAD", default_value = "fixed", value_parser = spread())]
    hold_spread: Spread,
    /// How the work between two acquisitions varies
    #[arg(long, value_name = "SPREAD", default_value = "fixed", value_parser = spread())]
    think_spread: Spread,
    /// The share of acquisitions that read, where one can read (0 to 1)
    #[arg(long, value_name = "F", default_value_t = 0.9)]
    read_share: f64,
    /// Try instead of waiting, and count failures, where the lock can be tried
    #[arg(long = "try")]
    tries: bool,
    /// How long each repetition lasts (0.5 where nothing is said); with --pid, how long to observe (until
    /// interrupted or the process has ended)
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Repetitions of each measurement
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// Record and check every acquisition; off measures the bare lock
    #[arg(long, value_enum, default_value_t = Recording::On)]
    trace: Recording,
    /// Instead of measuring, use locks wrongly and say what happened: these experiments, or `all`
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = experiment_names(), conflicts_with_all = ["locks", "csv", "pid"])]
    experiment: Vec<String>,
    /// Observe the contention of a running program instead, by lock address
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..),
          conflicts_with_all = ["locks", "threads", "hold", "think", "repeat", "trace", "csv", "tries", "read_share", "hold_spread", "think_spread"])]
    pid: Option<Pid>,
    /// With --pid: read /proc at intervals, though the scheduler's events may be had
    #[arg(long, requires = "pid")]
    sampling: bool,
    /// One JSON object a line for each measurement; with --pid, for each second and at the end
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// One line of CSV for each measurement
    #[arg(long)]
    csv: bool,
}

/// What `--trace` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Recording {
    /// Ordered stamps, checked for overlaps
    On,
    /// Plain stamps: cheaper, durations only
    Plain,
    /// Nothing
    Off,
}

fn experiment_names() -> PossibleValuesParser {
    let value = |experiment: &Experiment| PossibleValue::new(experiment.key).help(experiment.title);
    PossibleValuesParser::new(EXPERIMENTS.iter().map(value).chain([PossibleValue::new("all")]))
}

fn spread() -> impl TypedValueParser<Value = Spread> {
    PossibleValuesParser::new(Spread::ALL.map(Spread::name)).try_map(|text| {
        let found = Spread::ALL.into_iter().find(|spread| spread.name() == text);
        found.ok_or_else(|| format!("{text} is none of them"))
    })
}

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
        print(report::CSV_HEADER)?;
    }
    for (index, spec) in points.iter().enumerate() {
        progress_line(&format!("{}/{}  {} with {} threads", index + 1, points.len(), spec.lock, spec.threads));
        let ended = measure(spec, &interrupted);
        progress_line("");
        match ended? {
            Ended::Done(progress) => {
                if args.json {
                    print(&report::json(&progress).ok_or_else(|| eyre!("the worker reported no subject"))?)?;
                } else if args.csv {
                    print(&report::csv(&progress).ok_or_else(|| eyre!("the worker reported no subject"))?)?;
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
        print(report::table(&done).trim_end())?;
    }
    let violated = done.iter().any(|progress| report::checks(progress).1 > 0);
    Ok(if outcome == Outcome::Done && violated { Outcome::Found } else { outcome })
}

/// Does the experiments that were asked for, in the order of the registry.
fn experiment(args: &Args, interrupted: &AtomicBool) -> color_eyre::Result<Outcome> {
    let wanted = |key: &str| args.experiment.iter().any(|asked| asked == key || asked == "all");
    let mut outcome = Outcome::Done;
    for experiment in EXPERIMENTS.iter().filter(|experiment| wanted(experiment.key)) {
        progress_line(experiment.title);
        let found = experiment.run();
        progress_line("");
        if interrupted.load(Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        let done = found.map_err(|fault| eyre!("{}: {fault}", experiment.key))?;
        if args.json {
            print(&experiments::json(experiment, &done)?)?;
        } else {
            print(&experiments::text(experiment, &done))?;
        }
        if !done.as_documented {
            outcome = Outcome::Found;
        }
    }
    Ok(outcome)
}

/// What was typed as what is meant: every lock with every number of threads,
/// all of it checked before anything is measured.
fn points(args: &Args) -> color_eyre::Result<Vec<LockSpec>> {
    let seconds = args.seconds.unwrap_or(0.5);
    if !(seconds > 0.0 && seconds <= 3_600.0) {
        bail!("--seconds {seconds}: a repetition lasts more than 0 s and at most an hour");
    }
    let trace = match args.trace {
        Recording::On => Trace::Ordered,
        Recording::Plain => Trace::Plain,
        Recording::Off => Trace::Off,
    };
    if !(0.0..=1.0).contains(&args.read_share) {
        bail!("--read-share {}: a share is from 0 to 1", args.read_share);
    }
    let setting = LockSetting {
        hold: Nanos(args.hold),
        think: Nanos(args.think),
        hold_spread: args.hold_spread,
        think_spread: args.think_spread,
        reads: PerMille((args.read_share * 1_000.0).round() as u32),
        tries: args.tries,
        trace,
        ..LockSetting::default()
    };
    let each = Nanos::from(Duration::from_secs_f64(seconds));
    let mut points = Vec::new();
    for lock in names(&args.locks) {
        for &threads in &args.threads {
            let measure = Some(Measure { each, repeats: args.repeat });
            let spec = LockSpec { lock: lock.to_owned(), threads, setting, burst: None, measure };
            locks::check(&spec).map_err(|fault| option_fault(&fault))?;
            points.push(spec);
        }
    }
    Ok(points)
}

/// The keys that are meant: `all` is every lock that is meant to work.
fn names(typed: &[String]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in typed {
        let all = PRIMITIVES.iter().map(|p| p.info()).filter(|info| info.breaks.is_none());
        let meant: Vec<&str> = if name == "all" { all.map(|info| info.key).collect() } else { vec![name] };
        for name in meant {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

fn option_fault(fault: &Fault) -> color_eyre::Report {
    eyre!("--{fault}")
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
                let _ = commands.send(LabCommand::Stop);
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

/// One line of results, at once.
fn print(line: &str) -> color_eyre::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).wrap_err("cannot write the result")
}

/// What is going on, where standard error is a terminal; an empty text clears
/// the line.
fn progress_line(text: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        // A terminal that is gone needs no progress.
        let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn parsed(line: &str) -> color_eyre::Result<Vec<LockSpec>> {
        points(&Line::try_parse_from(std::iter::once("lock").chain(line.split_whitespace()))?.args)
    }

    #[test]
    fn every_lock_is_measured_with_every_number_of_threads() {
        let points = parsed("--lock std_mutex,ticket --threads 1,3 --hold 100 --trace off --repeat 2").unwrap();
        let of: Vec<_> = points.iter().map(|p| (p.lock.as_str(), p.threads)).collect();
        assert_eq!(of, [("std_mutex", 1), ("std_mutex", 3), ("ticket", 1), ("ticket", 3)]);
        assert_eq!(points[0].setting.hold, Nanos(100));
        assert_eq!(points[0].setting.trace, Trace::Off);
        assert_eq!(points[0].measure, Some(Measure { each: Nanos::from_millis(500), repeats: 2 }));
    }

    #[test]
    fn all_is_every_lock_that_works_and_nothing_twice() {
        let points = parsed("--lock ticket,all --threads 2").unwrap();
        assert_eq!(points[0].lock, "ticket");
        assert_eq!(points.iter().filter(|p| p.lock == "ticket").count(), 1);
        assert!(points.iter().all(|p| locks::find(&p.lock).is_some_and(|p| p.info().breaks.is_none())));
        let broken = PRIMITIVES.iter().filter(|p| p.info().breaks.is_some()).count();
        assert!(broken > 0 && points.len() == PRIMITIVES.len() - broken);
    }

    #[test]
    fn what_cannot_be_done_is_said_with_the_option() {
        let cases = [
            ("--lock std_mutx", "--lock: there is no lock `std_mutx` (did you mean `std_mutex`?"),
            ("--threads 0", "--threads: 0 cannot contend (from 1 to 256"),
            ("--hold 2000000000", "--hold: 2.00 s is too long (at most 1 s"),
            ("--read-share 1.01", "--read-share 1.01: a share is from 0 to 1"),
            ("--seconds 0", "--seconds 0: a repetition lasts"),
            ("--seconds nan", "--seconds NaN: a repetition lasts"),
        ];
        for (line, says) in cases {
            let error = parsed(line).unwrap_err().to_string();
            assert!(error.starts_with(says), "{line}: {error}");
        }
    }
}
