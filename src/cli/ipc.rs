//! `syncscope ipc`.

use super::Outcome;

/// The options of `ipc`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(_args: &Args) -> color_eyre::Result<Outcome> {
    Ok(Outcome::Done)
}
