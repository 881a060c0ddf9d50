//! `syncscope ipc`: measures transports between real processes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use color_eyre::eyre::{WrapErr, eyre};

use super::{Outcome, output};
use crate::backend::lab::ipc::sweep::{End, Event, Sweep};
use crate::backend::lab::ipc::{TRANSPORTS, Transport, failures, transport};
use crate::model::channel::{IpcPoint, Mode, Payload, Placement, Waiting};
use crate::report;
use crate::report::baseline::Baseline;

/// The options of `ipc`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Transports to measure, or `all`
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "all", value_parser = transports())]
    transport: Vec<String>,
    /// What to measure
    #[arg(long, default_value = "both", value_parser = PossibleValuesParser::new(["latency", "throughput", "both"]))]
    mode: String,
    /// Message sizes in bytes, 1 to 16M; K and M are binary
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "64,4096,65536", value_parser = message_size)]
    size: Vec<usize>,
    /// Sizes of the channel's buffer; each transport's own where not given
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = bytes)]
    buffer: Vec<u64>,
    /// Where the two processes run
    #[arg(long, default_value_t, value_parser = named(Placement::ALL, Placement::name))]
    placement: Placement,
    /// How a side waits; each transport's own way where not given
    #[arg(long, value_parser = named(Waiting::ALL, Waiting::name))]
    wait: Option<Waiting>,
    /// How much of each message is written and checked
    #[arg(long, default_value_t, value_parser = named(Payload::ALL, Payload::name))]
    payload: Payload,
    /// Measuring time of each point, all its repetitions together
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    seconds: Duration,
    /// Repetitions of each point, interleaved with those of the other transports
    #[arg(long, value_name = "R", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    repeat: u32,
    /// Measure round trips also against intended send times, so many messages a second
    #[arg(long, value_name = "MSGS/S", value_parser = rate)]
    rate: Option<f64>,
    /// Compare with the results of an earlier run: a file of its JSON Lines
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Instead of measuring, break something and say what happened: these experiments, or `all`
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = experiments(), conflicts_with_all = ["transport", "baseline", "csv"])]
    failure: Vec<String>,
    /// Print JSON Lines
    #[arg(long)]
    json: bool,
    /// Print CSV
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

fn transports() -> PossibleValuesParser {
    let value = |transport: &&'static dyn Transport| {
        let about = transport.about();
        PossibleValue::new(about.key).help(about.name)
    };
    let all = PossibleValue::new("all");
    PossibleValuesParser::new(TRANSPORTS.iter().map(value).chain([all]))
}

fn experiments() -> PossibleValuesParser {
    let value = |failure: &failures::Failure| PossibleValue::new(failure.key).help(failure.title);
    PossibleValuesParser::new(failures::FAILURES.iter().map(value).chain([PossibleValue::new("all")]))
}

fn named<T: Copy + Send + Sync + 'static>(
    all: &'static [T],
    name: fn(T) -> &'static str,
) -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(all.iter().map(|&value| name(value))).try_map(move |text| {
        let found = all.iter().copied().find(|&value| name(value) == text);
        found.ok_or_else(|| format!("{text} is none of them"))
    })
}

/// What is said of a text that is no size at all.
const NO_SIZE: &str = "not a size: say 4096, 64K or 1M";

fn bytes(text: &str) -> Result<u64, String> {
    let upper = text.to_ascii_uppercase();
    let digits = upper.trim_end_matches("IB").trim_end_matches('B');
    let (digits, factor) = match digits.as_bytes().last() {
        Some(b'K') => (&digits[..digits.len() - 1], 1 << 10),
        Some(b'M') => (&digits[..digits.len() - 1], 1 << 20),
        Some(b'G') => (&digits[..digits.len() - 1], 1 << 30),
        Some(b'T') => (&digits[..digits.len() - 1], 1 << 40),
        _ => (digits, 1),
    };
    let number: u64 = digits.parse().map_err(|_| NO_SIZE.to_owned())?;
    number
        .checked_mul(factor)
        .filter(|&bytes| bytes > 0)
        .ok_or_else(|| "at least 1 byte, and less than 16 EiB".to_owned())
}

fn message_size(text: &str) -> Result<usize, String> {
    const LARGEST: u64 = 16 << 20;
    match bytes(text) {
        Ok(size) if size <= LARGEST => Ok(size as usize),
        Err(error) if error == NO_SIZE => Err(error),
        _ => Err("a message has 1 to 16M bytes".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let fits = (0.001..=86_400.0).contains(&seconds);
    fits.then(|| Duration::from_secs_f64(seconds)).ok_or_else(|| "between 0.001 and 86400 seconds".to_owned())
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number of messages a second".to_owned())?;
    let fits = (0.01..=1e8).contains(&rate);
    fits.then_some(rate).ok_or_else(|| "between 0.01 and 100000000 messages a second".to_owned())
}

/// Measures and prints.
///
/// # Errors
/// What could not be done, as a sentence.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [libc::SIGINT, libc::SIGTERM] {
        signal_hook::flag::register(signal, interrupted.clone()).wrap_err("cannot listen for signals")?;
    }
    if !args.failure.is_empty() {
        return experiment(&args.failure, args.json, &interrupted);
    }
    let baseline = args.baseline.as_deref().map(Baseline::read).transpose()?;
    let mut printer = Printer::new(args, baseline);
    // A reader that has seen enough ends the measurement like an interrupt.
    let unwanted = printer.unwanted.clone();
    let mut go_on = || !interrupted.load(Ordering::Relaxed) && !unwanted.load(Ordering::Relaxed);
    let end = args.sweep()?.run(&mut go_on, &mut |event| printer.take(event));
    let nothing = printer.nothing();
    output::written(printer.finish())?;
    Ok(match end {
        End::Stopped => Outcome::Interrupted,
        // The table says of each why; that is no result.
        End::Done if nothing => Outcome::Code(2),
        End::Done => Outcome::Done,
    })
}

/// Runs experiments one after the other and prints what each has shown; one
/// that cannot be done does not keep the others from it.
fn experiment(keys: &[String], json: bool, interrupted: &AtomicBool) -> color_eyre::Result<Outcome> {
    let wanted = |failure: &&failures::Failure| keys.iter().any(|key| key == failure.key || key == "all");
    for failure in failures::FAILURES.iter().filter(wanted) {
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        let found = failure.run(&mut || !interrupted.load(Ordering::Relaxed));
        if interrupted.load(Ordering::Relaxed) {
            return Ok(Outcome::Interrupted);
        }
        let text = if json {
            format!("{}\n", report::failures::json(failure, &found)?)
        } else {
            report::failures::text(failure, &found)
        };
        let mut out = io::stdout().lock();
        output::written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))?;
    }
    Ok(Outcome::Done)
}

impl Args {
    fn sweep(&self) -> color_eyre::Result<Sweep> {
        let mut transports = Vec::new();
        for key in &self.transport {
            match transport(key) {
                _ if key == "all" => transports = TRANSPORTS.to_vec(),
                Some(known) if transports.iter().all(|t: &&dyn Transport| t.about().key != known.about().key) => {
                    transports.push(known);
                }
                Some(_) => {}
                None => return Err(eyre!("no transport is called {key}")),
            }
        }
        let wanted = |mode: &Mode| self.mode == "both" || self.mode == mode.name();
        Ok(Sweep {
            transports,
            modes: [Mode::Throughput, Mode::Latency].into_iter().filter(wanted).collect(),
            sizes: self.size.clone(),
            buffers: if self.buffer.is_empty() { vec![None] } else { self.buffer.iter().copied().map(Some).collect() },
            placement: self.placement,
            wait: self.wait,
            payload: self.payload,
            time: self.seconds,
            repeats: self.repeat,
            rate: self.rate,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Table,
}

/// Prints points as they come; progress goes to standard error where that is
/// a terminal.
#[derive(Debug)]
struct Printer {
    form: Form,
    baseline: Option<Baseline>,
    /// Points of one table that is not printed yet.
    group: Vec<IpcPoint>,
    header: bool,
    result: io::Result<()>,
    unwanted: Arc<AtomicBool>,
    /// Points that could be measured, and those that could not.
    measured: usize,
    skipped: usize,
}

impl Printer {
    fn new(args: &Args, baseline: Option<Baseline>) -> Self {
        let form = match (args.json, args.csv) {
            (true, _) => Form::Json,
            (_, true) => Form::Csv,
            _ => Form::Table,
        };
        Printer {
            form,
            baseline,
            group: Vec::new(),
            header: true,
            result: Ok(()),
            unwanted: Arc::default(),
            measured: 0,
            skipped: 0,
        }
    }

    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Step { done, of, what } => {
                self.flush_group();
                output::progress(&report::ipc_table::progress(done, of, what));
            }
            Event::Point(mut point) => {
                if point.skipped.is_some() {
                    self.skipped += 1;
                } else {
                    self.measured += 1;
                }
                if let Some(baseline) = &self.baseline {
                    baseline.compare(&mut point);
                }
                self.take_point(*point);
            }
        }
    }

    fn take_point(&mut self, point: IpcPoint) {
        match self.form {
            Form::Json => match report::ipc::json(&point) {
                Ok(line) => self.print(&format!("{line}\n")),
                Err(error) => self.result = Err(error.into()),
            },
            Form::Csv => {
                let header = if std::mem::take(&mut self.header) { report::ipc::CSV_HEADER } else { "" };
                let line_feed = if header.is_empty() { "" } else { "\n" };
                self.print(&format!("{header}{line_feed}{}\n", report::ipc::csv(&point)));
            }
            Form::Table => self.group.push(point),
        }
    }

    fn flush_group(&mut self) {
        let group = std::mem::take(&mut self.group);
        if !group.is_empty() {
            self.print(&report::ipc_table::table(&group, output::width()));
        }
    }

    fn print(&mut self, text: &str) {
        output::progress("");
        if self.result.is_ok() {
            let mut out = io::stdout().lock();
            self.result = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            self.unwanted.store(self.result.is_err(), Ordering::Relaxed);
        }
    }

    /// Whether nothing at all could be measured.
    fn nothing(&self) -> bool {
        self.skipped > 0 && self.measured == 0
    }

    fn finish(mut self) -> io::Result<()> {
        self.flush_group();
        output::progress("");
        self.result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, size) in [("1", 1), ("64", 64), ("4K", 4096), ("64KiB", 65_536), ("1m", 1 << 20), ("2GB", 2 << 30)] {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "0", "K", "-1", "1.5K", "99999999999999999999", "18446744073709551615K"] {
            assert!(bytes(text).is_err(), "{text}");
        }
        assert!(message_size("17M").is_err());
        assert!(seconds("0").is_err() && seconds("nan").is_err() && seconds("0.5").is_ok());
    }
}
