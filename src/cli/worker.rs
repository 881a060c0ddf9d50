//! `syncscope worker`: a process of the program's own, never started by hand.

use color_eyre::eyre::WrapErr;

use super::Outcome;
use crate::backend::lab::worker;

/// The worker has no options: its job comes over its standard input.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Does the job.
///
/// # Errors
/// What ended it early.
pub fn run(_args: &Args) -> color_eyre::Result<Outcome> {
    worker::serve().wrap_err("worker")?;
    Ok(Outcome::Done)
}
