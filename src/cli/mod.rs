//! The command line: one file a subcommand, one row in [`Subcommand`].
//!
//! Exit codes are those of a Unix tool with findings: 0 done; 1 done, and what
//! was looked for was found; 2 could not do it, with one sentence on standard
//! error; 130 interrupted.

pub mod config;
mod contention;
pub mod dashboard;
pub mod deadlocks;
mod existing;
pub mod ipc;
pub mod litmus;
pub mod lock;
mod output;
pub mod ps;
pub mod run;
pub mod shell;
pub mod values;
pub mod why;
pub mod worker;

use std::process::ExitCode;

use clap::Parser;

use self::output::{SeenEnough, complain};
use crate::sys::signals;

/// What went well enough to have an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: 0.
    Done,
    /// Done, and what was looked for was found: 1.
    Found,
    /// Interrupted, everything cleaned up: 130.
    Interrupted,
    /// Another program's code, passed on (`run`).
    Code(u8),
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => ExitCode::SUCCESS,
            Outcome::Found => ExitCode::from(1),
            Outcome::Interrupted => ExitCode::from(130),
            Outcome::Code(code) => ExitCode::from(code),
        }
    }
}

/// What programs that run others say of a failure that is not the command's.
const OWN_FAILURE: u8 = 125;

/// See processes, the channels between them and the locks inside them.
#[derive(Debug, Parser)]
#[command(name = "syncscope", version, about, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub struct Cli {
    /// What to do; the dashboard where nothing is said.
    #[command(subcommand)]
    pub subcommand: Option<Subcommand>,
    /// How the dashboard opens.
    #[command(flatten)]
    pub dashboard: dashboard::Args,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
pub enum Subcommand {
    /// Run a command under the dashboard; ends with the command's exit code
    Run(run::Args),
    /// Print one reading of the process table, with what each process waits for
    Ps(ps::Args),
    /// Say what processes wait for, who holds it, and what those wait for in turn
    Why(why::Args),
    /// Find every deadlock on the machine
    Deadlocks(deadlocks::Args),
    /// Measure transports between real processes
    Ipc(ipc::Args),
    /// Measure locks under contention, or observe that of a running program
    Lock(lock::Args),
    /// Run litmus tests on this machine
    Litmus(litmus::Args),
    /// Write or check the configuration file
    Config(config::Args),
    /// Print a completion script
    Completions(shell::Completions),
    /// Print the manual page
    Man,
    /// A process of the program's own, spoken to over a socket
    #[command(hide = true)]
    Worker(worker::Args),
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    // For panics only: an error is told in one line, and needs no backtrace. Nor does a
    // release have one, since it is stripped of the names.
    if cfg!(debug_assertions) {
        color_eyre::config::HookBuilder::default().display_env_section(false).into_hooks().0.install();
    }
    signals::heed_children();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Usage errors exit with 2, `--help` and `--version` with 0.
        Err(error) => {
            let exists =
                existing::after(error.kind(), std::env::args_os().map(|word| word.to_string_lossy().into_owned()));
            if let Some(exists) = exists {
                let _ = error.print();
                complain(&exists);
                return ExitCode::from(2);
            }
            error.exit()
        }
    };
    let done = match cli.subcommand {
        None => dashboard::run(&cli.dashboard),
        Some(Subcommand::Run(args)) => run::run(&args),
        Some(Subcommand::Ps(args)) => ps::run(&args),
        Some(Subcommand::Why(args)) => why::run(&args),
        Some(Subcommand::Deadlocks(args)) => deadlocks::run(&args),
        Some(Subcommand::Ipc(args)) => ipc::run(&args),
        Some(Subcommand::Lock(args)) => lock::run(&args),
        Some(Subcommand::Litmus(args)) => litmus::run(&args),
        Some(Subcommand::Config(args)) => config::run(&args),
        Some(Subcommand::Completions(args)) => shell::completions(&args),
        Some(Subcommand::Man) => shell::man(),
        Some(Subcommand::Worker(args)) => worker::run(&args),
    };
    match done {
        Ok(outcome) => outcome.into(),
        Err(report) if report.is::<SeenEnough>() => Outcome::Done.into(),
        Err(report) => {
            complain(&format!("syncscope: {report:#}"));
            ExitCode::from(2)
        }
    }
}
