//! One supervised child: its descriptors, its state, what is told of it.

mod input;
mod start;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use rustix::process::WaitIdOptions;

use super::family::{Family, Kinship};
use super::keyboard::Asked;
use super::life::Life;
use super::output::Output;
use super::{calls, exit};
use crate::backend::janitor;
use crate::model::child::{
    ChildId, ChildSpec, ChildState, ChildView, Course, Keyboard, LiveUsage, StdinState, Stream, Usage,
};
use crate::model::launch::Fate;
use crate::model::life::{Exit, Happening, Relative, Target};
use crate::model::text::visible;
use crate::model::{Bytes, Fault, Nanos};
use crate::sys::brand::Brand;
use crate::sys::clock;
use crate::sys::reap::{self, Change};

/// How much is read from one stream before the others have their turn.
const TURN: usize = 256 << 10;
/// So many looks at what it uses are kept, one a second.
const HISTORY: usize = 120;

/// A child, as the supervisor holds it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) id: ChildId,
    pub(super) spec: Arc<ChildSpec>,
    pub(super) process: Option<janitor::Child>,
    /// What its descendants are known by.
    brand: Option<Brand>,
    command: Arc<str>,
    pub(super) life: Life,
    /// Who was asked to end, where somebody was.
    pub(super) ending: Target,
    pub(super) family: Option<Family>,
    relatives: Arc<[Relative]>,
    /// How it was started, once somebody was told.
    calls: Option<Arc<[Arc<str>]>>,
    pub(super) state: ChildState,
    code: Option<u8>,
    live: Option<LiveUsage>,
    live_at: Nanos,
    history: VecDeque<LiveUsage>,
    /// The same, as it is told: it changes once a second, the log far oftener.
    told_history: Arc<[LiveUsage]>,
    pub(super) stdin: Option<File>,
    queue: VecDeque<u8>,
    /// To be closed once the queue is empty.
    closing: bool,
    streams: [Option<File>; 2],
    /// What it asks about keys, where its output is a terminal.
    asked: Option<Asked>,
    /// Closes as the child executes its program.
    pub(super) executes: Option<OwnedFd>,
    pub(super) output: Output,
    /// What was last told, until something changes.
    view: Option<Arc<ChildView>>,
}

impl Child {
    /// `5200 cargo build`.
    pub(super) fn name(&self) -> String {
        match &self.process {
            Some(process) => format!("{} {}", process.pid, self.command),
            None => self.command.to_string(),
        }
    }

    /// `5200 cargo`: where there is no room for all its arguments.
    pub(super) fn short_name(&self) -> String {
        let file = Path::new(&self.spec.program).file_name().unwrap_or(&self.spec.program);
        let program = visible(file.as_bytes());
        match &self.process {
            Some(process) => format!("{} {program}", process.pid),
            None => program,
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

    /// Whether it has become its program: then nobody holds the pipe's other
    /// end any more. Another child may, that is between its clone and its
    /// execve just now; the pipe's end is waited for then.
    pub(super) fn look_for_exec(&mut self) {
        let closed = self.executes.as_ref().is_some_and(|pipe| rustix::io::read(pipe, &mut [0; 1]) == Ok(0));
        if closed {
            self.executes = None;
            self.life.note(Happening::Executed);
            self.touch();
        }
    }

    /// Whether something did since it was last told.
    pub(super) fn touched(&self) -> bool {
        self.view.is_none()
    }

    /// Reads what there is, for a turn; `false` once nobody writes any more.
    pub(super) fn read(&mut self, stream: Stream, buffer: &mut Vec<u8>) -> bool {
        let Some(mut file) = self.streams[stream as usize].as_ref() else { return false };
        let mut left = TURN;
        let open = loop {
            match file.read(buffer) {
                Ok(0) => break false,
                Ok(read) => {
                    let at = clock::monotonic();
                    self.asked.iter_mut().for_each(|asked| asked.read(&buffer[..read]));
                    if read < buffer.len() {
                        // That was all, most likely; if not, we are called again.
                        self.output.take(stream, at, &buffer[..read]);
                        break true;
                    }
                    self.output.take_buffer(stream, at, buffer);
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
        self.output.end(stream);
        self.touch();
    }

    /// Its end, once it has one. Unknown where somebody else reaped it.
    pub(super) fn reap(&mut self) -> Option<(Exit, Usage)> {
        let process = self.process.clone()?;
        let ended = process.pidfd.wait(WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT);
        if matches!(ended, Ok(None)) {
            return None;
        }
        self.look_for_exec();
        let at = clock::monotonic();
        let unknown = (Exit { code: None, signal: None, core: false }, Usage::default());
        let (exit, mut usage) = reap::try_wait(&*process.pidfd).unwrap_or(Some(unknown))?;
        self.told_of_its_end();
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
            // Nobody is left to be killed, should that have been the plan.
            self.life.kill_at = None;
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
        self.told_history = self.history.iter().copied().collect();
        self.touch();
    }

    /// Makes lines of what was read; returns of how many bytes.
    pub(super) fn make_lines(&mut self) -> usize {
        let bytes = self.output.make_lines();
        if bytes > 0 {
            self.touch();
        }
        bytes
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
        // Putting it into words can wait until the child runs.
        let trail = self.process.as_ref().map(|process| process.trail.clone());
        let calls = self.calls.get_or_insert_with(|| trail.map_or_else(Arc::default, |t| calls::lines(&t).into()));
        let calls = calls.clone();
        let view = Arc::new(ChildView {
            id: self.id,
            pid: self.process.as_ref().filter(|_| self.lives()).map(|process| process.pid),
            command: self.command.clone(),
            started: self.life.started,
            state: self.state.clone(),
            code: self.code,
            live: self.live,
            history: self.told_history.clone(),
            course: Course { family: self.relatives.clone(), calls, ..self.life.course() },
            spec: self.spec.clone(),
            stdin,
            keyboard: self.asked.as_ref().map_or_else(Keyboard::default, |asked| asked.keyboard),
            stdout_bytes: self.output.bytes(Stream::Stdout),
            stderr_bytes: self.output.bytes(Stream::Stderr),
            dropped_lines: self.output.dropped(),
            log_limit: Bytes(self.output.limit() as u64),
            log,
        });
        self.view.insert(view).clone()
    }

    pub(super) fn fault(&self, what: &str) -> Fault {
        // The whole command would leave no room for what is wrong.
        Fault::new("children", format!("{}: {what}", self.short_name()))
    }
}

fn resident(pid: crate::model::Pid) -> Bytes {
    let pages = || std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse::<u64>().ok();
    Bytes(pages().unwrap_or(0) * rustix::param::page_size() as u64)
}
