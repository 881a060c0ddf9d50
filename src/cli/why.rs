//! `syncscope why PID…`: the wait chains of processes, and of all they wait for.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use color_eyre::eyre::{WrapErr, bail};
use crossbeam_channel::{Receiver, bounded, never};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::{Outcome, output};
use crate::backend::observe::survey::Patient;
use crate::model::Pid;
use crate::model::graph::WaitGraph;
use crate::report::{chains, why};
use crate::sys::clock;
use crate::sys::thread::start_thread;

/// The options of `why`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The processes to explain; the number of a thread stands for its process
    #[arg(required = true, value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pids: Vec<Pid>,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Read again every second, until interrupted or all of them have ended
    #[arg(long)]
    watch: bool,
    /// Read this proc file system
    #[arg(long, value_name = "DIR", default_value = "/proc", hide = true)]
    proc: PathBuf,
}

/// Between two readings of `--watch`.
const INTERVAL: Duration = Duration::from_secs(1);

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    let mut surveyor = open(&args.proc)?;
    let interrupted = if args.watch { interruptions()? } else { never() };
    let mut stdout = BufWriter::new(io::stdout().lock());
    let clears = args.watch && !args.json && io::stdout().is_terminal();
    let mut outcome = Outcome::Done;
    for round in 0_u64.. {
        let mut graph = surveyor.why(&args.pids);
        if graph.threads.is_empty() && round > 0 {
            // They have ended: what was seen last stands.
            return Ok(outcome);
        }
        let asked = asked(&args.pids, &graph);
        if !asked.iter().any(|pid| graph.tells_of(*pid)) {
            let reasons: Vec<String> =
                graph.unreadable.iter().map(|process| format!("{}: {}", process.pid, process.why)).collect();
            if !asked.is_empty() {
                // That they are there, and no more. A person is told the reasons once.
                graph.unreadable.retain(|_| args.json);
                output::written(print(&mut stdout, &graph, &asked, args, clears))?;
            }
            bail!("{}", reasons.join("; "));
        }
        outcome = if graph.has_stuck() { Outcome::Found } else { Outcome::Done };
        let printed = print(&mut stdout, &graph, &asked, args, clears);
        if !args.watch || output::is_broken_pipe(&printed) {
            return output::unless_broken_pipe(printed, outcome);
        }
        output::written(printed)?;
        if interrupted.recv_timeout(INTERVAL).is_ok() {
            return Ok(Outcome::Interrupted);
        }
    }
    Ok(outcome)
}

/// One message for each Ctrl-C or SIGTERM.
fn interruptions() -> color_eyre::Result<Receiver<()>> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).wrap_err("cannot listen for signals")?;
    let (told, interrupted) = bounded(1);
    let listen = move || {
        for _ in signals.forever() {
            // One that has not been taken yet is enough.
            let _ = told.try_send(());
        }
    };
    start_thread("signals", Box::new(listen)).wrap_err("cannot start a thread")?;
    Ok(interrupted)
}

pub(super) fn open(root: &std::path::Path) -> color_eyre::Result<Patient> {
    match Patient::open(root) {
        Ok(surveyor) => Ok(surveyor),
        Err(error) => bail!("{}: cannot open the proc file system: {}", root.display(), io::Error::from(error)),
    }
}

/// The processes that were asked for, as far as they are there; each once.
fn asked(pids: &[Pid], graph: &WaitGraph) -> Vec<Pid> {
    let mut asked: Vec<Pid> = Vec::new();
    for &pid in pids {
        let process = graph.threads.iter().find(|thread| thread.id.pid == pid || thread.id.tid == pid);
        asked.extend(process.map(|thread| thread.id.pid).filter(|pid| !asked.contains(pid)));
    }
    asked
}

fn print(out: &mut impl Write, graph: &WaitGraph, asked: &[Pid], args: &Args, clears: bool) -> io::Result<()> {
    let at = clock::monotonic();
    if args.json {
        return why::json(out, graph, at, false);
    }
    let Some(size) = output::size().filter(|_| clears) else { return chains::explain(out, graph, asked, at) };
    let mut text = Vec::new();
    chains::explain(&mut text, graph, asked, at)?;
    // Home, and nothing below.
    write!(out, "\x1b[H\x1b[J{}", output::screenful(&String::from_utf8_lossy(&text), size))?;
    out.flush()
}
