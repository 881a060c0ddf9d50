//! `syncscope run`: a command under the dashboard, or without it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::builder::{PossibleValue, PossibleValuesParser};
use color_eyre::eyre::WrapErr;

use super::{OWN_FAILURE, Outcome, dashboard, output};
use crate::backend::children::experiments::{EXPERIMENTS, Experiment};
use crate::backend::children::{exit, headless};
use crate::model::child::ChildSpec;
use crate::model::launch::Environment;
use crate::report;
use crate::sys::spawn::SpawnError;

/// The options of `run`.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub struct Args {
    /// Set a variable in the command's environment; may be given again
    #[arg(long, value_name = "K=V", value_parser = clap::builder::OsStringValueParser::new())]
    env: Vec<OsString>,
    /// The command's working directory
    #[arg(long, value_name = "DIR")]
    cwd: Option<PathBuf>,
    /// Without the dashboard: the command's input and output are ours
    #[arg(long, group = "headless")]
    no_ui: bool,
    /// With --no-ui, write a report of the run to this file, as JSON
    #[arg(long, value_name = "FILE", requires = "no_ui")]
    report: Option<PathBuf>,
    /// With --no-ui, write it as the last line of standard error; with --experiment, print JSON
    #[arg(long, requires = "headless")]
    json: bool,
    /// Instead of a command, show by experiments what can go wrong with child processes
    #[arg(long, group = "headless", value_name = "NAME", value_delimiter = ',', value_parser = experiments(), conflicts_with_all = ["no_ui", "report", "command"])]
    experiment: Vec<String>,
    /// How the dashboard opens
    #[command(flatten)]
    dashboard: dashboard::Args,
    /// The command and its arguments; when we end, it ends with all that descends from it
    #[arg(
        value_name = "CMD",
        required_unless_present = "experiment",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    command: Vec<OsString>,
}

/// Does it.
///
/// # Errors
/// What an experiment could not do, as a sentence. Of a command such a sentence
/// is printed here, and the code is a shell's.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    if !args.experiment.is_empty() {
        return experiment(&args.experiment, args.json);
    }
    let spec = match spec(args) {
        Ok(spec) => spec,
        Err(what) => return Ok(refuse(OWN_FAILURE, &what)),
    };
    if args.no_ui {
        return Ok(without_dashboard(args, &spec));
    }
    if !dashboard::has_terminal() {
        let sentence = "the dashboard needs a terminal for its input and output; --no-ui does without";
        return Ok(refuse(OWN_FAILURE, sentence));
    }
    let opened = dashboard::open(&args.dashboard, dashboard::Opening { child: Some(spec), panel: Some("children") });
    opened.or_else(|report| Ok(refuse(OWN_FAILURE, &format!("{report:#}"))))
}

/// The names of all experiments, with what they show, and `all`.
fn experiments() -> PossibleValuesParser {
    let value = |known: &Experiment| PossibleValue::new(known.key).help(known.title);
    PossibleValuesParser::new(EXPERIMENTS.iter().map(value).chain([PossibleValue::new("all")]))
}

/// Plays experiments one after the other and prints what each has shown; one
/// that cannot be done does not keep the others from it.
fn experiment(keys: &[String], json: bool) -> color_eyre::Result<Outcome> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).wrap_err("cannot listen for signals")?;
    }
    let wanted = |known: &&Experiment| keys.iter().any(|key| key == known.key || key == "all");
    for known in EXPERIMENTS.iter().filter(wanted) {
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        let found = known.run();
        let text = if json {
            format!("{}\n", report::experiments::json(known, &found)?)
        } else {
            report::experiments::text(known, &found)
        };
        let mut out = io::stdout().lock();
        output::written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
    }
    Ok(if interrupted.load(Ordering::Relaxed) { Outcome::Interrupted } else { Outcome::Done })
}

fn spec(args: &Args) -> Result<ChildSpec, String> {
    let pair = |pair: &OsString| {
        let bytes = pair.as_bytes();
        match bytes.iter().position(|&byte| byte == b'=') {
            Some(at) if at > 0 => {
                Ok((OsString::from_vec(bytes[..at].to_vec()), OsStr::from_bytes(&bytes[at + 1..]).to_owned()))
            }
            _ => Err(format!("--env {}: must be NAME=VALUE", pair.display())),
        }
    };
    let env = args.env.iter().map(pair).collect::<Result<_, String>>()?;
    let [program, rest @ ..] = args.command.as_slice() else { return Err("there is no command".to_owned()) };
    let env = Environment { set: env, ..Environment::default() };
    Ok(ChildSpec { program: program.clone(), args: rest.to_vec(), env, cwd: args.cwd.clone(), ..ChildSpec::default() })
}

fn without_dashboard(args: &Args, spec: &ChildSpec) -> Outcome {
    // A report that cannot be written is better known before the command runs.
    let file = match args.report.as_ref().map(|path| (path, File::create(path))) {
        Some((path, Err(error))) => return refuse(OWN_FAILURE, &format!("cannot write {}: {error}", path.display())),
        Some((_, Ok(file))) => Some(file),
        None => None,
    };
    let run = match headless::run(spec) {
        Ok(run) => run,
        Err(headless::Failure::Start(error)) => return not_started(&error),
        Err(headless::Failure::Own(fault)) => return refuse(OWN_FAILURE, &fault.to_string()),
    };
    let told = tell(args.json, file, spec, &run);
    match told {
        Ok(()) => match (exit::shell_code(run.exit), &run.lost) {
            // It does not know of it.
            (0, Some(_)) => Outcome::Code(OWN_FAILURE),
            (code, _) => Outcome::Code(code),
        },
        Err(error) => refuse(OWN_FAILURE, &format!("cannot write the report: {error}")),
    }
}

fn tell(json: bool, file: Option<File>, spec: &ChildSpec, run: &headless::Run) -> io::Result<()> {
    if let Some(lost) = &run.lost {
        output::complain(&format!("syncscope run: {lost}"));
    }
    let line = report::run::json(spec, run)?;
    if let Some(mut file) = file {
        writeln!(file, "{line}")?;
    }
    if json {
        let begin = if run.stderr_open_line { "\n" } else { "" };
        writeln!(io::stderr(), "{begin}{line}")?;
    }
    Ok(())
}

fn not_started(error: &SpawnError) -> Outcome {
    let hint = error.hint().map(|hint| format!(" ({hint})")).unwrap_or_default();
    refuse(exit::not_started_code(error), &format!("{error}{hint}"))
}

fn refuse(code: u8, what: &str) -> Outcome {
    output::complain(&format!("syncscope run: {what}"));
    Outcome::Code(code)
}
