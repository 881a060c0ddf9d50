//! `syncscope litmus`: litmus tests on paper and on this machine.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use color_eyre::eyre::{WrapErr, bail};
use crossbeam_channel::{RecvTimeoutError, unbounded};

use super::{Outcome, output};
use crate::backend::lab::litmus::ast::Test;
use crate::backend::lab::litmus::check::judge;
use crate::backend::lab::litmus::harness::cost::measure;
use crate::backend::lab::litmus::models::{MODELS, Model};
use crate::backend::lab::litmus::{LitmusLab, library, run as lab};
use crate::backend::lab::run_headless;
use crate::backend::{Command, Update};
use crate::model::lab::{LabCommand, LabState};
use crate::model::litmus::{Judgement, LitmusProgress, LitmusSpec, Strategy};
use crate::model::{Fault, Nanos};
use crate::report::{csv, litmus as report};

/// The options of `litmus`.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, clap::Subcommand)]
enum Task {
    /// Name the tests that come with the program
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show a test: its source, what it teaches, what the models say
    Show {
        /// A test's name or a file in the C litmus dialect
        #[arg(value_name = "FILE|NAME", required = true)]
        tests: Vec<String>,
    },
    /// Judge tests under memory models, without running them
    Check(CheckArgs),
    /// Run tests on this machine and count what is seen
    Run(RunArgs),
    /// Measure what loads, stores, read-modify-writes and fences cost here
    Cost {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// Tests' names, or files in the C litmus dialect
    #[arg(value_name = "FILE|NAME", required = true)]
    tests: Vec<String>,
    /// Which models judge
    #[arg(long = "model", value_name = "MODEL,…", value_delimiter = ',', default_value = "sc,tso,rc11,rust")]
    models: Vec<String>,
    /// Give a test up after so many seconds
    #[arg(long, value_name = "S", default_value_t = 60.0)]
    seconds: f64,
    /// One JSON object a line for each test and model
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// Tests' names, or files in the C litmus dialect
    #[arg(value_name = "FILE|NAME", required = true)]
    tests: Vec<String>,
    /// How to run them; auto tries several ways and stays with the one that shows most
    #[arg(long, value_enum, default_value_t = Choice::Auto)]
    strategy: Choice,
    /// How long each test runs
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    seconds: f64,
    /// One JSON object a line for each test
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// One line of CSV for each final state
    #[arg(long)]
    csv: bool,
    /// With --json, one object a second while it runs
    #[arg(long, requires = "json")]
    progress: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    Auto,
    Batched,
    Perpetual,
    Timebase,
}

impl From<Choice> for Strategy {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::Auto => Strategy::Auto,
            Choice::Batched => Strategy::Batched,
            Choice::Perpetual => Strategy::Perpetual,
            Choice::Timebase => Strategy::Timebase,
        }
    }
}

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    match &args.task {
        Task::List { json } => list(*json),
        Task::Show { tests } => show(tests),
        Task::Check(args) => check(args),
        Task::Run(args) => run_all(args),
        Task::Cost { json } => cost(*json),
    }
}

fn list(json: bool) -> color_eyre::Result<Outcome> {
    let wide = library::TESTS.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, _) in library::TESTS {
        let test = library::load(&LitmusSpec::named(*name))?;
        output::line(&if json {
            serde_json::json!({"test": name, "headline": test.headline, "condition": test.condition.text}).to_string()
        } else {
            format!("{name:wide$}  {}", test.headline)
        })?;
    }
    Ok(Outcome::Done)
}

fn cost(json: bool) -> color_eyre::Result<Outcome> {
    for cost in measure()? {
        output::line(&if json { report::cost(&cost).to_string() } else { report::cost_text(&cost) })?;
    }
    Ok(Outcome::Done)
}

fn show(tests: &[String]) -> color_eyre::Result<Outcome> {
    for name in tests {
        let progress = lab::preview(&library::find(name)?)?;
        let test = &progress.test;
        let mut out = format!("{}: {}\n\n{}\n", test.name, test.headline, test.comment);
        for (number, thread) in test.threads.iter().enumerate() {
            let _ = writeln!(out, "\nP{number}");
            for line in &thread.source {
                let _ = writeln!(out, "    {}", report::source_line(line));
            }
        }
        out.push('\n');
        out.push_str(&report::check_text(&test.name, &test.condition, &test.judgements));
        out.extend(test.undecided.iter().map(|why| format!("{why}\n")));
        output::line(&out)?;
    }
    Ok(Outcome::Done)
}

fn check(args: &CheckArgs) -> color_eyre::Result<Outcome> {
    let models: Vec<Model> = args.models.iter().map(|name| model(name)).collect::<Result<_, _>>()?;
    let time = seconds(args.seconds)?;
    // One that cannot be judged keeps no other from being so.
    let mut failed: Option<Fault> = None;
    for name in &args.tests {
        let (spec, test, judgements) = match verdicts(name, &models, time) {
            Ok(verdicts) => verdicts,
            Err(fault) => {
                if let Some(before) = failed.replace(fault) {
                    let _ = writeln!(io::stderr().lock(), "syncscope: {before}");
                }
                continue;
            }
        };
        if args.json {
            for judgement in &judgements {
                let line = report::check(&spec.test, &test.name, &test.condition.text, judgement);
                output::line(&serde_json::to_string(&line).wrap_err("cannot tell the verdict")?)?;
            }
        } else {
            output::line(report::check_text(&test.name, &test.condition.text, &judgements).trim_end())?;
        }
    }
    failed.map_or(Ok(Outcome::Done), |fault| Err(fault.into()))
}

fn verdicts(name: &str, models: &[Model], time: Duration) -> Result<(LitmusSpec, Test, Vec<Judgement>), Fault> {
    let spec = library::find(name)?;
    let test = library::load(&spec)?;
    let judged = judge(&test, models, time);
    let judged = judged.map_err(|why| Fault::new(spec.test.clone(), format!("no verdict: {why}")))?;
    Ok((spec, test, judged.judgements))
}

fn model(name: &str) -> color_eyre::Result<Model> {
    let names: Vec<&str> = MODELS.iter().map(|model| model.name).collect();
    match MODELS.iter().find(|model| model.name == name) {
        Some(model) => Ok(*model),
        None => bail!(
            "--model: there is no model '{}'; there are {}",
            crate::model::text::visible(name.as_bytes()),
            names.join(", ")
        ),
    }
}

fn seconds(seconds: f64) -> color_eyre::Result<Duration> {
    match Duration::try_from_secs_f64(seconds) {
        Ok(time) if !time.is_zero() && seconds <= 86_400.0 => Ok(time),
        _ => bail!("--seconds {seconds}: more than 0 and at most a day is possible"),
    }
}

fn run_all(args: &RunArgs) -> color_eyre::Result<Outcome> {
    let duration = Some(Nanos::from(seconds(args.seconds)?));
    let strategy = args.strategy.into();
    // All of them are read before the first one runs.
    let mut specs = Vec::new();
    for name in &args.tests {
        let spec = LitmusSpec { strategy, duration, ..library::find(name)? };
        library::load(&spec)?;
        specs.push(spec);
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).wrap_err("cannot watch for signals")?;
    }
    if args.csv {
        print_record(report::RUN_COLUMNS)?;
    }
    let mut outcome = Outcome::Done;
    // One that cannot be run so keeps no other from being so.
    let mut failed: Option<color_eyre::Report> = None;
    for spec in specs {
        let progress = match run_one(spec, args, &interrupted) {
            Ok(Some(progress)) => progress,
            Ok(None) => return Ok(Outcome::Interrupted),
            Err(report) if report.is::<Fault>() => {
                if let Some(before) = failed.replace(report) {
                    let _ = writeln!(io::stderr().lock(), "syncscope: {before}");
                }
                continue;
            }
            Err(report) => return Err(report),
        };
        if args.json {
            output::line(&report::run(&progress).to_string())?;
        } else if args.csv {
            report::run_rows(&progress).into_iter().try_for_each(print_record)?;
        } else {
            output::line(&report::run_text(&progress))?;
        }
        if progress.alarms.iter().flatten().next().is_some() {
            outcome = Outcome::Found;
        }
    }
    failed.map_or(Ok(outcome), Err)
}

/// Runs one test to its end; nothing where that was interrupted.
fn run_one(spec: LitmusSpec, args: &RunArgs, interrupted: &AtomicBool) -> color_eyre::Result<Option<LitmusProgress>> {
    let (commands, inbox) = unbounded();
    let (updates, reports) = unbounded();
    let mut last = None;
    let mut reported = Instant::now();
    let ended = std::thread::scope(|scope| {
        let lab = scope.spawn(|| run_headless::<LitmusLab>(spec, inbox, updates));
        loop {
            match reports.recv_timeout(Duration::from_millis(20)) {
                Ok(Update::Litmus(progress)) => {
                    show_progress(&progress.value, args, &mut reported)?;
                    last = Some(progress);
                }
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if interrupted.load(Ordering::Relaxed) {
                // The lab may have ended by itself.
                let _ = commands.send(Command::Litmus(LabCommand::Stop));
            }
        }
        Ok::<_, color_eyre::Report>(lab.join())
    })?;
    output::progress("");
    match ended {
        Ok(done) => done?,
        Err(_) => bail!("the lab's thread panicked"),
    }
    Ok(last.filter(|progress| progress.value.state == LabState::Done).map(|progress| progress.value.clone()))
}

/// One object a second on standard output, or a line that is renewed on
/// standard error.
fn show_progress(progress: &LitmusProgress, args: &RunArgs, reported: &mut Instant) -> color_eyre::Result<()> {
    if progress.state != LabState::Running {
        return Ok(());
    }
    if args.progress && reported.elapsed() >= Duration::from_secs(1) {
        *reported = Instant::now();
        output::line(&report::run(progress).to_string())?;
    }
    output::progress(&format!("{}  {}", progress.test.name, report::witnesses(progress)));
    Ok(())
}

fn print_record<S: AsRef<str>>(fields: impl IntoIterator<Item = S>) -> color_eyre::Result<()> {
    output::written(csv::record(&mut io::stdout().lock(), fields))
}
