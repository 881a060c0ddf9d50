//! `syncscope worker`: a process of the program's own, never started by hand.

use color_eyre::eyre::WrapErr;

use super::Outcome;
use crate::backend::janitor;
use crate::backend::lab::jobs;

/// A worker's job comes over its standard input.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Be the janitor instead.
    #[arg(long)]
    janitor: bool,
}

/// Does the job.
///
/// # Errors
/// What ended it early.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    if args.janitor {
        janitor::serve().wrap_err("janitor")?;
        return Ok(Outcome::Done);
    }
    jobs::serve().wrap_err("worker")?;
    Ok(Outcome::Done)
}
