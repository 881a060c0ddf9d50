//! One supervised child: its descriptors, its state, what is told of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::WaitIdOptions;

use super::family::{Family, Kinship};
use super::life::Life;
use super::output::Output;
use super::request::{Resolved, grouping};
use super::streams::Streams;
use super::{calls, exit};
use crate::backend::janitor::{self, Role};
use crate::model::child::{
    ChildId, ChildSpec, ChildState, ChildView, Course, Exit, LiveUsage, StdinState, Stream, Usage,
};
use crate::model::launch::{Fate, Grouping};
use crate::model::life::{Happening, Relative, Target};
use crate::model::{Bytes, Fault, Nanos, text};
use crate::sys::clock;
use crate::sys::reap::{self, Change};
use crate::sys::spawn::{Spawn, SpawnError, spawn};

/// The most that waits for a child that does not read.
pub(super) const STDIN_QUEUE: usize = 1 << 20;
/// How much is read from one stream before the others have their turn.
const TURN: usize = 256 << 10;
/// So many looks at what it uses are kept, one a second.
const HISTORY: usize = 120;
/// What ends the input of a terminal: `VEOF`, Ctrl-D.
const END_OF_INPUT: u8 = 4;

/// A child, as the supervisor holds it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) id: ChildId,
    pub(super) spec: Arc<ChildSpec>,
    pub(super) process: Option<janitor::Child>,
    command: Arc<str>,
    pub(super) life: Life,
    /// Who was asked to end, where somebody was.
    pub(super) ending: Target,
    pub(super) family: Option<Family>,
    relatives: Arc<[Relative]>,
    calls: Arc<[Arc<str>]>,
    pub(super) state: ChildState,
    code: Option<u8>,
    live: Option<LiveUsage>,
    live_at: Nanos,
    history: VecDeque<LiveUsage>,
    pub(super) stdin: Option<File>,
    queue: VecDeque<u8>,
    /// To be closed once the queue is empty.
    closing: bool,
    streams: [Option<File>; 2],
    /// Closes as the child executes its program.
    pub(super) executes: Option<OwnedFd>,
    pub(super) output: Output,
    /// What was last told, until something changes.
    view: Option<Arc<ChildView>>,
}

impl Child {
    /// Starts it.
    pub(super) fn start(id: ChildId, spec: &ChildSpec, limit: usize) -> Self {
        let mut child = Child {
            id,
            spec: Arc::new(spec.clone()),
            process: None,
            command: command_line(spec),
            life: Life::default(),
            ending: Target::Child,
            family: None,
            relatives: Arc::default(),
            calls: Arc::default(),
            state: ChildState::Running,
            code: None,
            live: None,
            live_at: Nanos::ZERO,
            history: VecDeque::new(),
            stdin: None,
            queue: VecDeque::new(),
            closing: false,
            streams: [None, None],
            executes: None,
            output: Output::new(limit),
            view: None,
        };
        child.start_again();
        child
    }

    /// Starts it once more, under the same number, with the same log.
    pub(super) fn start_again(&mut self) {
        self.life.begin();
        self.live_at = self.life.started;
        (self.live, self.process, self.executes, self.closing) = (None, None, None, false);
        self.history.clear();
        self.state = ChildState::Running;
        if let Err(fault) = self.spawn() {
            self.life.note(Happening::Failed);
            self.state = ChildState::NotStarted(fault);
        }
        self.touch();
    }

    fn spawn(&mut self) -> Result<(), Fault> {
        self.code = Some(125);
        let spec = self.spec.clone();
        let resolved = Resolved::of(&spec.attributes)?;
        let streams = Streams::open(&spec.streams)?;
        let pipe = |error: rustix::io::Errno| Fault::new("spawn", format!("cannot make its pipes: {error}"));
        // The child holds a copy of the writing end until it executes.
        let (executes, held) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(pipe)?;
        let in_session = spec.attributes.grouping == Grouping::Session;
        let request = Spawn {
            program: spec.program.as_encoded_bytes(),
            args: &spec.args,
            env: &spec.env.set,
            unset: &spec.env.remove,
            clear: spec.env.clear,
            cwd: spec.cwd.as_deref(),
            stdio: streams.stdio(),
            group: grouping(spec.attributes.grouping),
            attributes: resolved.attributes(&spec.attributes, streams.terminal && in_session),
            ..Spawn::default()
        };
        let created = clock::monotonic();
        let started = match spec.fate {
            Fate::End => janitor::ensure()?.spawn(&request, Role::User),
            // The janitor ends whom it knows: it does not hear of this one.
            Fate::Keep => spawn(&request).map(janitor::Child::from),
        };
        let process = started.map_err(|error| self.not_started(&error))?;
        drop(held);
        self.life.note_at(created, Happening::Created { pid: process.pid });
        self.code = None;
        self.calls = calls::lines(&process.trail).into();
        self.family = Some(Family::new(process.pid, spec.attributes.grouping != Grouping::Inherit));
        self.process = Some(process);
        (self.executes, self.stdin, self.streams) = (Some(executes), streams.input, streams.outputs);
        Ok(())
    }

    fn not_started(&mut self, error: &SpawnError) -> Fault {
        self.code = Some(exit::not_started_code(error));
        let fault = Fault::new("spawn", error.to_string());
        match error.hint() {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }

    /// `5200 cargo build`.
    pub(super) fn name(&self) -> String {
        match &self.process {
            Some(process) => format!("{} {}", process.pid, self.command),
            None => self.command.to_string(),
        }
    }

    pub(super) fn lives(&self) -> bool {
        matches!(self.state, ChildState::Running | ChildState::Stopped { .. })
    }

    /// Whether there is something to look at once a second: itself, or who is
    /// left of it.
    pub(super) fn is_looked_at(&self) -> bool {
        self.lives() || self.family.is_some()
    }

    /// Whether it is to end with the program.
    pub(super) fn ends_with_us(&self) -> bool {
        self.spec.fate == Fate::End
    }

    pub(super) fn stream(&self, stream: Stream) -> Option<&File> {
        self.streams[stream as usize].as_ref()
    }

    /// Something changed that a face should see.
    pub(super) fn touch(&mut self) {
        self.view = None;
    }

    /// It has become its program: nobody holds the pipe's other end any more.
    pub(super) fn executed(&mut self) {
        if self.executes.take().is_some() {
            self.life.note(Happening::Executed);
            self.touch();
        }
    }

    /// Whether something did since it was last told.
    pub(super) fn touched(&self) -> bool {
        self.view.is_none()
    }

    /// Reads what there is, for a turn; `false` once nobody writes any more.
    pub(super) fn read(&mut self, stream: Stream, buffer: &mut [u8]) -> bool {
        let Some(mut file) = self.streams[stream as usize].as_ref() else { return false };
        let mut left = TURN;
        let open = loop {
            match file.read(buffer) {
                Ok(0) => break false,
                Ok(read) => {
                    self.output.take(stream, clock::monotonic(), &buffer[..read]);
                    left = left.saturating_sub(read);
                    if left == 0 {
                        break true;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // A terminal that nobody has open any more says EIO.
                Err(_) => break false,
            }
        };
        self.touch();
        open
    }

    /// Closes our end of a stream; nobody writes there any more, or nobody
    /// shall.
    pub(super) fn close(&mut self, stream: Stream) {
        self.streams[stream as usize] = None;
        self.touch();
    }

    /// Queues bytes for its standard input.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.stdin.is_none() || self.closing {
            return Err(self.fault("its standard input is closed"));
        }
        if self.queue.len() + bytes.len() > STDIN_QUEUE {
            let waiting = Bytes(self.queue.len() as u64);
            return Err(self.fault(&format!("it does not read: {waiting} wait already, nothing was added")));
        }
        self.queue.extend(bytes);
        self.touch();
        Ok(())
    }

    pub(super) fn close_stdin(&mut self) {
        self.closing = true;
        self.touch();
    }

    /// Writes what it takes; whether something is left to be written.
    pub(super) fn flush(&mut self) -> bool {
        while let (Some(mut stdin), false) = (self.stdin.as_ref(), self.queue.is_empty()) {
            match stdin.write(self.queue.as_slices().0) {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.lose_stdin(),
            }
            self.touch();
        }
        if self.closing
            && let Some(mut stdin) = self.stdin.take()
        {
            if stdin.is_terminal() {
                // A terminal is told by a character that there is no more.
                let _ = stdin.write(&[END_OF_INPUT]);
                (self.stdin, self.closing) = (Some(stdin), false);
            }
            self.touch();
        }
        false
    }

    /// It closed its end.
    pub(super) fn lose_stdin(&mut self) {
        (self.stdin, self.queue) = (None, VecDeque::new());
        self.touch();
    }

    /// Its end, once it has one. Unknown where somebody else reaped it.
    pub(super) fn reap(&mut self) -> Option<(Exit, Usage)> {
        let process = self.process.clone()?;
        let ended = process.pidfd.wait(WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
        if matches!(ended, Ok(None)) {
            return None;
        }
        self.executed();
        let at = clock::monotonic();
        let unknown = (Exit { code: None, signal: None, core: false }, Usage::default());
        let (exit, mut usage) = reap::try_wait(&*process.pidfd).unwrap_or(Some(unknown))?;
        usage.wall = at.since(self.life.started);
        self.life.note_at(at, Happening::Ended { exit });
        self.life.note(Happening::Reaped);
        if let Some(family) = &mut self.family {
            family.lost_root(clock::ticks_since_boot());
        }
        self.state = ChildState::Ended { exit, usage };
        self.code = Some(exit::shell_code(exit));
        self.live = None;
        self.lose_stdin();
        let kill_at = self.life.kill_at;
        self.life.ended(exit, self.spec.restart);
        // Who was to end with it may still be there.
        self.life.kill_at = kill_at;
        Some((exit, usage))
    }

    /// Whether a signal stopped it or let it go on since the last time.
    pub(super) fn look_for_stop(&mut self) {
        let Some(process) = self.process.as_ref().filter(|_| self.lives()) else { return };
        let state = match reap::change(&*process.pidfd) {
            Ok(Some(Change::Stopped(signal))) => ChildState::Stopped { signal },
            Ok(Some(Change::Continued)) => ChildState::Running,
            // Nothing new, or it has just ended, which its pidfd tells.
            Ok(None) | Err(_) => return,
        };
        if self.state != state {
            self.life.note(match state {
                ChildState::Stopped { signal } => Happening::Stopped { signal },
                _ => Happening::Continued,
            });
        }
        self.state = state;
        self.touch();
    }

    /// Looks at who descends from it.
    pub(super) fn look_at_family(&mut self, now: &Kinship) {
        let Some(family) = &mut self.family else { return };
        family.look(now);
        let relatives = family.relatives(now);
        if *relatives != *self.relatives {
            self.relatives = relatives.into();
            self.touch();
        }
        if !self.lives() && self.relatives.is_empty() {
            self.family = None;
        }
    }

    /// Reads what it uses.
    pub(super) fn look_at_usage(&mut self) {
        let Some(process) = self.process.as_ref().filter(|_| self.lives()) else { return };
        let Ok(cpu_time) = clock::cpu_of_process(process.pid) else { return };
        let now = clock::monotonic();
        let before = self.live.map_or(Nanos::ZERO, |live| live.cpu_time);
        let passed = now.since(self.live_at).as_secs_f64();
        let cpu = if passed > 0.0 { (cpu_time.since(before).as_secs_f64() / passed) as f32 } else { 0.0 };
        let live = LiveUsage { cpu_time, cpu, rss: resident(process.pid) };
        self.live_at = now;
        self.live = Some(live);
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(live);
        self.touch();
    }

    /// What a face is shown; the same as before where nothing changed.
    pub(super) fn view(&mut self) -> Arc<ChildView> {
        if let Some(view) = &self.view {
            return view.clone();
        }
        let stdin = match &self.stdin {
            Some(_) if !self.closing => StdinState::Open { queued: self.queue.len() as u64 },
            _ => StdinState::Closed,
        };
        let log = self.output.log();
        let view = Arc::new(ChildView {
            id: self.id,
            pid: self.process.as_ref().filter(|_| self.lives()).map(|process| process.pid),
            command: self.command.clone(),
            started: self.life.started,
            state: self.state.clone(),
            code: self.code,
            live: self.live,
            history: self.history.iter().copied().collect(),
            course: Course { family: self.relatives.clone(), calls: self.calls.clone(), ..self.life.course() },
            spec: self.spec.clone(),
            stdin,
            stdout_bytes: self.output.bytes(Stream::Stdout),
            stderr_bytes: self.output.bytes(Stream::Stderr),
            dropped_lines: self.output.dropped(),
            log,
        });
        self.view.insert(view).clone()
    }

    pub(super) fn fault(&self, what: &str) -> Fault {
        Fault::new("children", format!("{}: {what}", self.name()))
    }
}

fn resident(pid: crate::model::Pid) -> Bytes {
    let pages = || std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    Bytes(pages().unwrap_or(0) * rustix::param::page_size() as u64)
}

/// The command as one would type it, made visible.
pub(super) fn command_line(spec: &ChildSpec) -> Arc<str> {
    let mut line = String::new();
    for word in std::iter::once(&spec.program).chain(&spec.args) {
        if !line.is_empty() {
            line.push(' ');
        }
        let word = text::visible(word.as_encoded_bytes());
        let plain = |c: char| c.is_alphanumeric() || "-_./:=,+@%^".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            line.push_str(&word);
        } else {
            line.push('\'');
            line.push_str(&word.replace('\'', "'\\''"));
            line.push('\'');
        }
    }
    Arc::from(line)
}
