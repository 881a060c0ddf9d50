//! `syncscope ps`.

use std::io::{self, BufWriter};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use color_eyre::eyre::bail;

use super::{Outcome, output};
use crate::backend::{Backend, Command, Options, Topics, Update};
use crate::model::process::ProcessTable;
use crate::model::{Nanos, Stamped};
use crate::report::ps::{Format, print};
use crate::sys::clock;

/// The interval over which CPU shares are measured: long enough that the
/// kernel's accounting, by ticks of 1 to 10 ms, is right to a few percent,
/// short enough that nobody waits for it.
const INTERVAL: Nanos = Nanos::from_millis(200);

/// How often readings that hang are looked after.
const PATROL: Duration = Duration::from_millis(100);

/// The options of `ps`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// One line for each thread instead of each process
    #[arg(long)]
    threads: bool,
    /// Print JSON Lines
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values
    #[arg(long)]
    csv: bool,
    /// Read this proc file system
    #[arg(long, value_name = "DIR", default_value = "/proc", hide = true)]
    proc: PathBuf,
}

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    let table = read(args)?;
    for fault in &table.value.faults {
        output::complain(&format!("syncscope: {fault}"));
    }
    if table.value.processes.is_empty() {
        bail!("{}: no process can be seen there", args.proc.display());
    }
    let stdout = io::stdout().lock();
    let format = match (args.json, args.csv) {
        (true, _) => Format::Json,
        (_, true) => Format::Csv,
        _ => Format::Text { width: output::width() },
    };
    output::unless_broken_pipe(print(&mut BufWriter::new(stdout), &table, args.threads, format), Outcome::Done)
}

/// Two readings, so that CPU shares are figures; the second with the waits.
fn read(args: &Args) -> color_eyre::Result<Arc<Stamped<ProcessTable>>> {
    // Readings come only when asked for.
    let options = Options { proc_root: args.proc.clone(), refresh: Duration::from_hours(1) };
    let mut backend = Backend::start(&options);
    let topics = Topics { processes: true, threads: args.threads, ..Topics::default() };
    backend.send(Command::Watch(topics));
    let first = next(&mut backend, 0)?;
    std::thread::sleep(Duration::from((first.at + INTERVAL).since(clock::monotonic())));
    backend.send(Command::Watch(Topics { waits: true, ..topics }));
    next(&mut backend, first.seq)
}

/// Waits for the next complete table after the one with this number.
fn next(backend: &mut Backend, after: u64) -> color_eyre::Result<Arc<Stamped<ProcessTable>>> {
    loop {
        let (mut table, mut fault) = (None, None);
        backend.poll(|update| match update {
            Update::Processes(new) if new.value.complete && new.seq > after => table = Some(new),
            Update::Fault(new) => fault = Some(new),
            _ => {}
        });
        match (table, fault) {
            (Some(table), _) => return Ok(table),
            (_, Some(fault)) => bail!("{fault}"),
            _ => drop(backend.bell().recv_timeout(PATROL)),
        }
    }
}
