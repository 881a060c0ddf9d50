//! How a child is started, the first time and again.

use std::collections::VecDeque;
use std::sync::Arc;

use rustix::pipe::{PipeFlags, pipe_with};

use super::super::family::Family;
use super::super::keyboard::Asked;
use super::super::life::Life;
use super::super::output::Output;
use super::super::request::{Resolved, grouping};
use super::super::streams::Streams;
use super::super::{calls, exit};
use super::Child;
use crate::backend::janitor::{self, Role};
use crate::model::child::{ChildId, ChildSpec, ChildState, Stream};
use crate::model::launch::{Fate, Grouping, Redirect};
use crate::model::life::{Happening, Target};
use crate::model::{Fault, Nanos, text};
use crate::sys::brand::Brand;
use crate::sys::clock;
use crate::sys::spawn::{Spawn, SpawnError, spawn};

impl Child {
    /// Starts it.
    pub(in crate::backend::children) fn start(id: ChildId, spec: &ChildSpec, limit: usize) -> Self {
        let mut child = Child {
            id,
            spec: Arc::new(spec.clone()),
            process: None,
            brand: None,
            command: command_line(spec),
            life: Life::default(),
            ending: Target::Child,
            family: None,
            relatives: Arc::default(),
            calls: None,
            state: ChildState::Running,
            code: None,
            live: None,
            live_at: Nanos::ZERO,
            history: VecDeque::new(),
            told_history: Arc::default(),
            stdin: None,
            queue: VecDeque::new(),
            closing: false,
            streams: [None, None],
            asked: None,
            executes: None,
            output: Output::new(limit),
            view: None,
        };
        child.start_again();
        child
    }

    /// Starts it once more, under the same number, with the same log.
    pub(in crate::backend::children) fn start_again(&mut self) {
        self.life.begin();
        self.live_at = self.life.started;
        (self.live, self.process, self.executes, self.closing) = (None, None, None, false);
        self.history.clear();
        self.told_history = Arc::default();
        // Its first line is none of the one that ended.
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.output.end(stream);
        }
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
        // Not where the user wants that limit for something else.
        let brand = if spec.attributes.limits.iter().any(|limit| limit.name == "locks") { None } else { Brand::new() };
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
            brand,
            ..Spawn::default()
        };
        let janitor = janitor::ensure()?;
        let created = clock::monotonic();
        self.calls = None;
        let started = match spec.fate {
            Fate::End => janitor.spawn(&request, Role::User),
            // The janitor ends whom it knows: it does not hear of this one.
            Fate::Keep => spawn(&request).map(janitor::Child::from),
        };
        let process = started.map_err(|error| self.not_started(&error))?;
        drop(held);
        self.life.note_at(created, Happening::Created { pid: process.pid });
        self.code = None;
        self.family = Some(Family::new(process.pid, spec.attributes.grouping != Grouping::Inherit, brand));
        self.process = Some(process);
        self.brand = brand;
        (self.stdin, self.streams) = (streams.input, streams.outputs);
        let in_terminal = spec.streams[1..].contains(&Redirect::Pty);
        self.asked = in_terminal.then(Asked::default);
        self.executes = Some(executes);
        self.look_for_exec();
        Ok(())
    }

    /// It was reaped while we look on: what it leaves behind stays.
    pub(super) fn told_of_its_end(&mut self) {
        if self.spec.fate == Fate::End
            && let Ok(janitor) = janitor::ensure()
        {
            janitor.ended(self.brand.take());
        }
    }

    fn not_started(&mut self, error: &SpawnError) -> Fault {
        self.code = Some(exit::not_started_code(error));
        self.calls = Some(calls::lines(&error.trail).into());
        let std = exit::error_as_std(error.errno);
        Fault::new("spawn", error.to_string()).hint(match error.hint() {
            Some(hint) => format!("{hint}. {std}"),
            None => std,
        })
    }
}

/// A command is shown so far: a longer one would be measured for each frame.
const SHOWN: usize = 2_000;

/// The command as one would type it, made visible.
fn command_line(spec: &ChildSpec) -> Arc<str> {
    let mut line = String::new();
    for word in std::iter::once(&spec.program).chain(&spec.args) {
        if line.len() > SHOWN {
            line.push('…');
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        let word = word.as_encoded_bytes();
        // A letter that is cut is seen to be.
        let word = text::visible(&word[..word.len().min(SHOWN)]);
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
