//! `syncscope deadlocks`: every deadlock on the machine, and every thread that
//! waits for a holder that is gone.

use std::io::{self, BufWriter};
use std::path::PathBuf;

use color_eyre::eyre::bail;

use super::{Outcome, output};
use crate::report::{chains, why};
use crate::sys::clock;

/// The options of `deadlocks`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Read this proc file system
    #[arg(long, value_name = "DIR", default_value = "/proc", hide = true)]
    proc: PathBuf,
}

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    let mut surveyor = super::why::open(&args.proc)?;
    let graph = match surveyor.deadlocks() {
        Ok(graph) if graph.scanned.threads > 0 => graph,
        Ok(_) => bail!("{}: no process can be seen there", args.proc.display()),
        Err(error) => bail!("{}: cannot be listed: {}", args.proc.display(), io::Error::from(error)),
    };
    let mut stdout = BufWriter::new(io::stdout().lock());
    let at = clock::monotonic();
    let printed =
        if args.json { why::json(&mut stdout, &graph, at, true) } else { chains::scan(&mut stdout, &graph, at) };
    let outcome = if graph.has_stuck() { Outcome::Found } else { Outcome::Done };
    output::unless_broken_pipe(printed, outcome)
}
