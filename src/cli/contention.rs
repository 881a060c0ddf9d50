//! `syncscope lock --pid PID`: the contention of a running program.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use color_eyre::eyre::{WrapErr, bail};

use super::{Outcome, output};
use crate::backend::observe::contention::{Way, observe};
use crate::model::Pid;
use crate::model::contention::{Contention, Observation};
use crate::report::contention as report;

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request {
    /// The process.
    pub(super) pid: Pid,
    /// How long; until interrupted or until it ends, where that is not said.
    pub(super) seconds: Option<f64>,
    /// JSON, one object a second and one at the end.
    pub(super) json: bool,
    /// How.
    pub(super) way: Way,
}

/// Does it.
///
/// # Errors
/// What could not be done, as a sentence.
pub(super) fn run(request: Request) -> color_eyre::Result<Outcome> {
    let limit = match request.seconds {
        Some(seconds) if !(seconds > 0.0 && seconds <= 1e7) => {
            bail!("--seconds {seconds}: an observation lasts more than 0 s and at most 10,000,000 s")
        }
        seconds => seconds.map(Duration::from_secs_f64),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        for flag in [&stop, &interrupted] {
            signal_hook::flag::register(signal, flag.clone()).wrap_err("cannot watch for signals")?;
        }
    }
    let live = !request.json && io::stdout().is_terminal();
    let mut failed = Ok(());
    let mut told = false;
    let each = |observation: Observation| {
        if !std::mem::replace(&mut told, true) && !live {
            say(&observation.total);
        }
        let printed = match (request.json, live) {
            (true, _) => print(&report::json(&observation.second)),
            // Home, and nothing below.
            (_, true) => {
                print(&format!("\x1b[H\x1b[J{}", report::text(&observation.total, output::width()).trim_end()))
            }
            _ => Ok(()),
        };
        if printed.is_err() {
            // Nobody reads it any more.
            stop.store(true, Relaxed);
            failed = printed;
        }
    };
    let last = match observe(request.pid, limit, request.way, &stop, each) {
        Ok(last) => last.total,
        Err(fault) => bail!("{fault}"),
    };
    if !told && !live {
        say(&last);
    }
    let printed = failed.and_then(|()| {
        if request.json {
            return print(&report::json(&last));
        }
        let clear = if live { "\x1b[H\x1b[J" } else { "" };
        print(&format!("{clear}{}", report::text(&last, output::width()).trim_end()))
    });
    let outcome = if interrupted.load(Relaxed) { Outcome::Interrupted } else { Outcome::Done };
    output::unless_broken_pipe(printed, outcome)
}

/// Why it is seen less well than it could be, for whoever reads no notes.
fn say(contention: &Contention) {
    for note in &contention.notes {
        output::complain(&format!("syncscope: {note}"));
    }
}

/// A line of results, at once.
fn print(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush())
}
