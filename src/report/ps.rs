//! One reading of the process table, schema `syncscope.ps/1`.

use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::csv;
use super::wait::{WaitObject, holder_id, kind_name, lasted, line};
use crate::model::process::{Process, ProcessTable, State, Thread};
use crate::model::wait::Wait;
use crate::model::{Bytes, Nanos, Pid, Stamped};

/// How a reading is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON Lines.
    Json,
    /// Comma-separated values with a heading.
    Csv,
    /// A table for people, cut to so many columns where that is given.
    Text {
        /// The width of the terminal.
        width: Option<usize>,
    },
}

/// One line of the report: a process, or one of its threads.
struct Line<'a> {
    process: &'a Process,
    tid: Option<Pid>,
    name: &'a str,
    state: State,
    cpu: Option<f32>,
    started: Nanos,
    wait: Option<&'a Wait>,
}

impl<'a> Line<'a> {
    fn of_process(process: &'a Process, tid: Option<Pid>) -> Self {
        let Process { name, state, cpu, started, wait, .. } = process;
        Line { process, tid, name, state: *state, cpu: *cpu, started: *started, wait: wait.as_deref() }
    }

    fn of_thread(process: &'a Process, thread: &'a Thread) -> Self {
        let Thread { tid, name, state, cpu, started, wait, .. } = thread;
        Line { process, tid: Some(*tid), name, state: *state, cpu: *cpu, started: *started, wait: wait.as_deref() }
    }
}

/// Prints `table`: each process, or each thread.
///
/// # Errors
/// Whatever the writer says, a broken pipe among it.
pub fn print(out: &mut impl Write, table: &Stamped<ProcessTable>, threads: bool, format: Format) -> io::Result<()> {
    let lines = lines(&table.value, threads);
    match format {
        Format::Json => json(out, &lines, table.at)?,
        Format::Csv => comma_separated(out, &lines, table.at)?,
        Format::Text { width } => text(out, &lines, threads, width)?,
    }
    out.flush()
}

fn lines(table: &ProcessTable, threads: bool) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for process in &table.processes {
        let own = table.threads_of(process.pid);
        if !threads {
            lines.push(Line::of_process(process, None));
        } else if own.is_empty() {
            // One thread: the process is the thread.
            lines.push(Line::of_process(process, Some(process.pid)));
        } else {
            lines.extend(own.iter().map(|thread| Line::of_thread(process, thread)));
        }
    }
    lines
}

#[derive(Serialize)]
struct Object<'a> {
    schema: &'static str,
    pid: Pid,
    tid: Option<Pid>,
    ppid: Pid,
    user: &'a str,
    state: State,
    name: &'a str,
    cmdline: &'a [Arc<str>],
    cpu: Option<f32>,
    rss: Bytes,
    threads: u32,
    started_ns: Nanos,
    wait: Option<WaitObject<'a>>,
}

fn json(out: &mut impl Write, lines: &[Line<'_>], at: Nanos) -> io::Result<()> {
    for line in lines {
        let process = line.process;
        let object = Object {
            schema: "syncscope.ps/1",
            pid: process.pid,
            tid: line.tid,
            ppid: process.ppid,
            user: &process.user,
            state: line.state,
            name: line.name,
            cmdline: &process.cmdline,
            cpu: line.cpu,
            rss: process.rss,
            threads: process.threads,
            started_ns: line.started,
            wait: line.wait.map(|wait| WaitObject::new(wait, at)),
        };
        serde_json::to_writer(&mut *out, &object)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

const HEADING: [&str; 17] = [
    "pid",
    "tid",
    "ppid",
    "user",
    "state",
    "name",
    "command",
    "cpu",
    "rss",
    "threads",
    "started_ns",
    "wait_kind",
    "wait_resource",
    "wait_holders",
    "wait_timed",
    "wait_since_ns",
    "wait_certainty",
];

fn comma_separated(out: &mut impl Write, lines: &[Line<'_>], at: Nanos) -> io::Result<()> {
    csv::record(out, HEADING)?;
    for line in lines {
        let Process { pid, ppid, user, rss, threads, .. } = line.process;
        let mut fields = vec![
            pid.to_string(),
            or_empty(line.tid),
            ppid.to_string(),
            user.to_string(),
            line.state.letter().to_string(),
            line.name.to_owned(),
            line.process.cmdline.join(" "),
            or_empty(line.cpu),
            rss.0.to_string(),
            threads.to_string(),
            line.started.0.to_string(),
        ];
        match line.wait {
            Some(wait) => {
                let holders: Vec<String> = wait.holders.iter().map(|holder| holder_id(*holder).to_string()).collect();
                let certainty = format!("{:?}", wait.certainty).to_lowercase();
                let since = or_empty(lasted(wait, at).map(|lasted| lasted.0));
                let (resource, timed) = (wait.resource.to_string(), wait.timed.to_string());
                fields.extend([kind_name(wait.kind), resource, holders.join(" "), timed, since, certainty]);
            }
            None => fields.resize(HEADING.len(), String::new()),
        }
        csv::record(out, &fields)?;
    }
    Ok(())
}

fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The widest the columns `USER` and `WAIT` get.
const WIDEST: [usize; 2] = [12, 44];

/// ```text
///     PID     TID USER     S  CPU%   RSS  THR WAIT                  COMMAND
///    4121    4130 web      S   0.3   25M   12 mutex: q.lock ← 4133  payments --port 80
/// ```
fn text(out: &mut impl Write, lines: &[Line<'_>], threads: bool, width: Option<usize>) -> io::Result<()> {
    let waits: Vec<String> = lines.iter().map(|of| of.wait.map(line).unwrap_or_default()).collect();
    let longest = |texts: &mut dyn Iterator<Item = &str>, least: usize, most: usize| {
        texts.map(UnicodeWidthStr::width).max().unwrap_or(0).clamp(least, most)
    };
    let user = longest(&mut lines.iter().map(|line| &*line.process.user), 4, WIDEST[0]);
    let wait = longest(&mut waits.iter().map(String::as_str), 4, WIDEST[1]);
    let tid_heading = if threads { format!(" {:>7}", "TID") } else { String::new() };
    let (user_heading, wait_heading) = (pad("USER", user), pad("WAIT", wait));
    let heading = format!("{:>7}{tid_heading} {user_heading} S  CPU%   RSS  THR {wait_heading} COMMAND", "PID");
    writeln!(out, "{}", cut(&heading, width))?;
    for (line, waits_for) in lines.iter().zip(&waits) {
        let process = line.process;
        let tid = if threads { format!(" {:>7}", or_empty(line.tid)) } else { String::new() };
        let cpu = line.cpu.map_or("-".to_owned(), |cpu| format!("{:.1}", cpu * 100.0));
        let command = if line.tid.is_some_and(|tid| tid != process.pid) {
            format!("{{{}}} {}", line.name, process.command())
        } else {
            process.command()
        };
        let row = format!(
            "{:>7}{tid} {} {} {cpu:>5} {:>5} {:>4} {} {command}",
            process.pid,
            pad(&process.user, user),
            line.state.letter(),
            process.rss.short(),
            process.threads,
            pad(waits_for, wait),
        );
        writeln!(out, "{}", cut(&row, width))?;
    }
    Ok(())
}

/// Exactly `width` columns.
fn pad(text: &str, width: usize) -> String {
    let text = cut(text, Some(width));
    let missing = width.saturating_sub(text.width());
    format!("{text}{}", " ".repeat(missing))
}

/// At most `width` columns, the last one `…` where something is missing.
fn cut(text: &str, width: Option<usize>) -> String {
    let Some(width) = width.filter(|width| text.width() > *width) else { return text.trim_end().to_owned() };
    let mut room = width.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let columns = c.width().unwrap_or(0);
        let fits = columns <= room;
        room = room.saturating_sub(columns);
        fits
    });
    kept.chain(['…']).collect()
}
