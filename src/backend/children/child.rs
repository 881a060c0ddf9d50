//! One supervised child: its descriptors, its state, what is told of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};

use super::exit;
use super::output::Output;
use crate::backend::janitor::{self, Role};
use crate::model::child::{ChildId, ChildSpec, ChildState, ChildView, Exit, LiveUsage, StdinState, Stream, Usage};
use crate::model::{Bytes, Fault, Nanos, text};
use crate::sys::clock;
use crate::sys::reap::{self, Change};
use crate::sys::spawn::{Group, Spawn, Stdio};

/// The most that waits for a child that does not read.
pub(super) const STDIN_QUEUE: usize = 1 << 20;
/// How much is read from one stream before the others have their turn.
const TURN: usize = 256 << 10;

/// A child, as the supervisor holds it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) id: ChildId,
    pub(super) spec: ChildSpec,
    pub(super) process: Option<janitor::Child>,
    command: Arc<str>,
    started: Nanos,
    pub(super) state: ChildState,
    code: Option<u8>,
    live: Option<LiveUsage>,
    live_at: Nanos,
    pub(super) stdin: Option<File>,
    queue: VecDeque<u8>,
    /// To be closed once the queue is empty.
    closing: bool,
    streams: [Option<File>; 2],
    pub(super) output: Output,
    /// What was last told, until something changes.
    view: Option<Arc<ChildView>>,
}

impl Child {
    /// Starts it, in a session of its own: it has no terminal to disturb.
    pub(super) fn start(id: ChildId, spec: &ChildSpec, limit: usize) -> Self {
        let started = clock::monotonic();
        let mut child = Child {
            id,
            spec: spec.clone(),
            process: None,
            command: command_line(spec),
            started,
            state: ChildState::Running,
            code: None,
            live: None,
            live_at: started,
            stdin: None,
            queue: VecDeque::new(),
            closing: false,
            streams: [None, None],
            output: Output::new(limit),
            view: None,
        };
        if let Err(fault) = child.spawn(spec) {
            child.state = ChildState::NotStarted(fault);
        }
        child
    }

    fn spawn(&mut self, spec: &ChildSpec) -> Result<(), Fault> {
        let pipe = |error: io::Error| Fault::new("spawn", format!("cannot make its pipes: {error}"));
        let (their_in, our_in) = one_way(true).map_err(pipe)?;
        let (our_out, their_out) = one_way(false).map_err(pipe)?;
        let (our_err, their_err) = one_way(false).map_err(pipe)?;
        let request = Spawn {
            program: spec.program.as_encoded_bytes(),
            args: &spec.args,
            env: &spec.env,
            cwd: spec.cwd.as_deref(),
            stdio: [Stdio::Fd(their_in.as_fd()), Stdio::Fd(their_out.as_fd()), Stdio::Fd(their_err.as_fd())],
            group: Group::Session,
            ..Spawn::default()
        };
        self.code = Some(125);
        let process = janitor::ensure()?.spawn(&request, Role::User).map_err(|error| {
            self.code = Some(exit::not_started_code(&error));
            let fault = Fault::new("spawn", error.to_string());
            match error.hint() {
                Some(hint) => fault.hint(hint),
                None => fault,
            }
        })?;
        self.code = None;
        self.process = Some(process);
        self.stdin = Some(File::from(our_in));
        self.streams = [Some(File::from(our_out)), Some(File::from(our_err))];
        Ok(())
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

    pub(super) fn stream(&self, stream: Stream) -> Option<&File> {
        self.streams[stream as usize].as_ref()
    }

    /// Something changed that a face should see.
    pub(super) fn touch(&mut self) {
        self.view = None;
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
        if self.closing {
            self.stdin = None;
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
        let process = self.process.as_ref()?;
        let unknown = (Exit { code: None, signal: None, core: false }, Usage::default());
        let (exit, mut usage) = reap::try_wait(&*process.pidfd).unwrap_or(Some(unknown))?;
        usage.wall = clock::monotonic().since(self.started);
        self.state = ChildState::Ended { exit, usage };
        self.code = Some(exit::shell_code(exit));
        self.live = None;
        self.lose_stdin();
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
        self.state = state;
        self.touch();
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
        if self.live.replace(live) != Some(live) {
            self.touch();
        }
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
            started: self.started,
            state: self.state.clone(),
            code: self.code,
            live: self.live,
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

/// A pipe's reading and writing end, ours not blocking.
fn one_way(writing_is_ours: bool) -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    fcntl_setfl(if writing_is_ours { &writer } else { &reader }, OFlags::NONBLOCK)?;
    Ok((reader, writer))
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
