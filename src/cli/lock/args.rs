//! The options of `lock`: what is typed, and what is meant.

use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use color_eyre::eyre::{bail, eyre};

use crate::backend::lab::locks::experiments::{EXPERIMENTS, Experiment};
use crate::backend::lab::locks::{self, Family, PRIMITIVES};
use crate::model::lock::{
    LockSetting, LockSpec, Measure, Order, PerMille, Pinning, Priority, Schedule, Several, Spread, Trace,
};
use crate::model::{Fault, Nanos, Pid};

/// The options of `lock`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub struct Args {
    /// The locks to measure; `all` leaves out those that are broken on purpose
    #[arg(long = "lock", value_name = "LOCK,…|all", value_delimiter = ',', default_value = "all")]
    pub(super) locks: Vec<String>,
    /// How many threads contend, one measurement for each number (1 to 256)
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,2,4,8")]
    pub(super) threads: Vec<usize>,
    /// Work inside the lock, in nanoseconds (at most 1 s)
    #[arg(long, value_name = "NS", default_value_t = 0)]
    pub(super) hold: u64,
    /// Work between two acquisitions, in nanoseconds (at most 1 s)
    #[arg(long, value_name = "NS", default_value_t = 0)]
    pub(super) think: u64,
    /// How the work inside varies
    #[arg(long, value_name = "SPREAD", default_value = "fixed", value_parser = spread())]
    pub(super) hold_spread: Spread,
    /// How the work between two acquisitions varies
    #[arg(long, value_name = "SPREAD", default_value = "fixed", value_parser = spread())]
    pub(super) think_spread: Spread,
    /// The share of acquisitions that read, where one can read (0 to 1)
    #[arg(long, value_name = "F", default_value_t = 0.9)]
    pub(super) read_share: f64,
    /// Try instead of waiting, and count failures, where the lock can be tried
    #[arg(long = "try")]
    pub(super) tries: bool,
    /// Let each thread take K of N locks together and hold them all (mutual exclusion only; at most 8 of 16). A
    /// deadlock is named by its wait chain and ends the measurement
    #[arg(long, value_name = "K/N", value_parser = several)]
    pub(super) several: Option<(usize, usize)>,
    /// With --several: in which order. Ascending, no circle of waits can close; rotating, thread i takes lock i and
    /// those after it, round and round; random, any. Random and rotating deadlock sooner or later
    #[arg(long, value_name = "ORDER", default_value = "ascending", value_parser = order(), requires = "several")]
    pub(super) order: Order,
    /// Which CPUs the threads run on: none (anywhere), each (each on one, in turn), one (all on one), or 0,1 (these in
    /// turn)
    #[arg(long, value_name = "HOW", default_value_t = Pinning::None)]
    pub(super) pin: Pinning,
    /// How urgent the threads are, in turn: nice:N, fifo:N or rr:N (real-time threads leave one CPU free). By
    /// default 5 nicer than the program
    #[arg(long, value_name = "P,…", value_delimiter = ',')]
    pub(super) priority: Vec<Priority>,
    /// How long each repetition lasts (0.5 where nothing is said); with --pid, how long to observe (until
    /// interrupted or the process has ended)
    #[arg(long, value_name = "S")]
    pub(super) seconds: Option<f64>,
    /// Repetitions of each measurement
    #[arg(long, value_name = "R", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) repeat: u32,
    /// Record and check every acquisition; off measures the bare lock
    #[arg(long, value_enum, default_value_t = Recording::On)]
    pub(super) trace: Recording,
    /// Instead of measuring, use locks wrongly and say what happened: these experiments, or `all`
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = experiment_names(), conflicts_with_all = ["locks", "csv", "pid"])]
    pub(super) experiment: Vec<String>,
    /// Observe the contention of a running program instead, by lock address
    #[arg(long, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..),
          conflicts_with_all = ["locks", "threads", "hold", "think", "repeat", "trace", "csv", "tries", "read_share", "hold_spread", "think_spread", "several", "pin", "priority"])]
    pub(super) pid: Option<Pid>,
    /// With --pid: read /proc at intervals, though the scheduler's events may be had
    #[arg(long, requires = "pid")]
    pub(super) sampling: bool,
    /// One JSON object a line for each measurement; with --pid, for each second and at the end
    #[arg(long, conflicts_with = "csv")]
    pub(super) json: bool,
    /// One line of CSV for each measurement
    #[arg(long)]
    pub(super) csv: bool,
}

/// What `--trace` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Recording {
    /// Ordered stamps, checked for overlaps
    On,
    /// Plain stamps: cheaper, durations only; alone with a lock, a hold begins when it is asked for
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

/// `2/4`: two of four.
fn several(text: &str) -> Result<(usize, usize), String> {
    let parts = text.split_once('/').and_then(|(take, locks)| Some((take.parse().ok()?, locks.parse().ok()?)));
    parts.ok_or_else(|| "K/N: 2/4 is two of four locks".to_owned())
}

fn order() -> impl TypedValueParser<Value = Order> {
    PossibleValuesParser::new(Order::ALL.map(Order::name)).try_map(|text| {
        let found = Order::ALL.into_iter().find(|order| order.name() == text);
        found.ok_or_else(|| format!("{text} is none of them"))
    })
}

/// What was typed as what is meant: every lock with every number of threads,
/// all of it checked before anything is measured.
pub(super) fn points(args: &Args) -> color_eyre::Result<Vec<LockSpec>> {
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
    let schedule = Schedule { pinning: args.pin.clone(), priorities: args.priority.clone() };
    let several = args.several.map(|(take, locks)| Several { locks, take, order: args.order });
    let each = Nanos::from(Duration::from_secs_f64(seconds));
    let mut points = Vec::new();
    for lock in names(&args.locks, several.is_some()) {
        for &threads in &args.threads {
            let measure = Some(Measure { each, repeats: args.repeat });
            let schedule = schedule.clone();
            let lock = lock.to_owned();
            let spec = LockSpec { lock, threads, setting, schedule, several, measure, ..LockSpec::default() };
            locks::check(&spec).map_err(|fault| option_fault(&fault))?;
            points.push(spec);
        }
    }
    Ok(points)
}

/// The keys that are meant: `all` is every lock that is meant to work, of those
/// of mutual exclusion where a thread is to take several.
fn names(typed: &[String], several: bool) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in typed {
        let all = PRIMITIVES.iter().map(|p| p.info()).filter(|info| info.breaks.is_none());
        let all = all.filter(|info| !several || info.family == Family::Exclusion);
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
    fn several_locks_and_a_schedule_are_asked_for_in_words() {
        let points = parsed("--several 2/5 --order random --pin each --priority fifo:1,nice:19 --threads 2").unwrap();
        let asked = Several { locks: 5, take: 2, order: Order::Random };
        assert!(points.iter().all(|p| p.several == Some(asked)), "{points:?}");
        let exclusive = |p: &LockSpec| locks::find(&p.lock).is_some_and(|p| p.info().family == Family::Exclusion);
        assert!(points.len() > 10 && points.iter().all(exclusive), "all are those that can be taken so");
        let schedule = &points[0].schedule;
        assert_eq!((&schedule.pinning, &*schedule.priorities_in_words()), (&Pinning::Each, "fifo:1,nice:19"));
        let pinned = parsed("--lock std_mutex --pin 0,1").unwrap();
        assert_eq!(pinned[0].schedule.pinning, Pinning::Cpus(vec![0, 1]));
        for wrong in ["--order random", "--several 2", "--priority idle:1", "--pin two", "--several 2/4 --order up"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_done_is_said_with_the_option() {
        let cases = [
            ("--lock std_mutx", "--lock: there is no lock `std_mutx` (did you mean `std_mutex`?"),
            ("--threads 0", "--threads: 0 cannot contend (from 1 to 256"),
            ("--hold 2000000000", "--hold: 2.00 s is too long (at most 1 s"),
            ("--lock barrier --several 2/2", "--several: barrier is of the family barrier (several locks"),
            ("--lock std_mutex --several 5/4", "--several: a thread cannot take 5 of 4"),
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
