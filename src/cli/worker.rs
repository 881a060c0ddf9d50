//! `syncscope worker`.

use super::Outcome;

/// The options of `worker`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(_args: &Args) -> color_eyre::Result<Outcome> {
    Ok(Outcome::Done)
}
