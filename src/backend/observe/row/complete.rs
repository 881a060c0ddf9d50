//! The second half of reading a process: whatever is watched and was not read
//! since the process ran last.

use std::sync::Arc;

use super::Row;
use crate::backend::Topics;
use crate::backend::observe::blocked::{Blocked, Task, is_to_revisit};
use crate::backend::observe::parse;
use crate::backend::observe::pulse::Pulse;
use crate::backend::observe::round::{Round, edit};
use crate::backend::observe::source::Source;
use crate::model::Bytes;
use crate::model::process::{Io, Process, State};
use crate::sys::clock;
use crate::sys::proc_read::Path;

impl Row {
    /// Whether [`Row::complete`] has anything to do.
    pub fn is_incomplete(&self, swept: bool, round: &Round) -> bool {
        let topics = &round.topics;
        let Some(shown) = &self.shown else { return false };
        let have = &self.have;
        !(have.uid && have.cmdline)
            || (topics.waits && !have.blocked)
            || (topics.switches && !have.switches)
            || (topics.io && !have.io)
            || self.threads.are_due(shown, topics)
            || (swept && self.cmdline_aged)
            || (topics.waits && is_to_revisit(shown.wait.as_ref(), swept, round.ends))
            || self.threads.are_to_revisit(swept, round)
            || self.is_outdated(topics)
    }

    /// Whether something is still shown that is no longer watched nor valid.
    fn is_outdated(&self, topics: &Topics) -> bool {
        let Some(shown) = &self.shown else { return false };
        let have = &self.have;
        let blocked = shown.wait.is_some() || shown.call.is_some() || shown.wchan.is_some();
        (blocked && !topics.waits && !have.blocked)
            || (shown.switches.is_some() && !topics.switches && !have.switches)
            || (shown.io.is_some() && !topics.io && !have.io)
    }

    /// Reads what is watched and not valid any more.
    pub fn complete(&mut self, swept: bool, round: &Round, source: &mut Source) {
        let topics = &round.topics;
        let Some(mut shown) = self.shown.take() else { return };
        if !self.have.uid {
            self.complete_user(&mut shown, source);
        }
        if !self.have.cmdline || (swept && self.cmdline_aged) {
            self.complete_cmdline(&mut shown, source);
        }
        self.prime_main_pulse(&shown, topics, source);
        if topics.waits && (!self.have.blocked || is_to_revisit(shown.wait.as_ref(), swept, round.ends)) {
            self.complete_blocked(&mut shown, source);
        }
        if topics.switches && !self.have.switches {
            self.complete_switches(&mut shown, source);
        }
        if topics.io && !self.have.io && (round.measure || shown.io.is_none()) {
            self.complete_io(&mut shown, source);
        }
        self.shown = Some(shown);
        self.forget(topics);
        if let Some(shown) = &self.shown {
            self.threads.refresh(shown, swept, round, source);
        }
    }

    fn complete_user(&mut self, shown: &mut Arc<Process>, source: &mut Source) {
        let Ok(uid) = source.uid(self.pid) else { return };
        self.have.uid = true;
        if shown.uid != uid || shown.user.is_empty() {
            let process = edit(shown);
            (process.uid, process.user) = (uid, source.users.name(uid));
        }
    }

    fn complete_cmdline(&mut self, shown: &mut Arc<Process>, source: &mut Source) {
        let none = shown.kernel || matches!(shown.state, State::Zombie | State::Dead);
        let read = if none { Ok(Arc::default()) } else { source.cmdline(self.pid) };
        self.have.cmdline = true;
        self.cmdline_aged = false;
        if let Ok(cmdline) = read
            && shown.cmdline != cmdline
        {
            edit(shown).cmdline = cmdline;
        }
    }

    /// With other threads in the process, the main thread needs a pulse of its
    /// own to tell whether it was the one that ran.
    fn prime_main_pulse(&mut self, shown: &Process, topics: &Topics, source: &mut Source) {
        if shown.threads <= 1 || !(topics.waits || topics.switches) {
            self.main_pulse = None;
        } else if self.main_pulse.is_none() {
            let mut pulse = Pulse::of_task(Path::thread(self.pid, self.pid), None);
            pulse.look(source);
            self.main_pulse = Some(Box::new(pulse));
        }
    }

    fn complete_blocked(&mut self, shown: &mut Arc<Process>, source: &mut Source) {
        let directory = Path::process(self.pid);
        let task = Task { pid: self.pid, tid: self.pid, directory, state: shown.state, kernel: shown.kernel };
        self.rest.date(&task, (shown.started, self.last_cpu), source);
        let blocked = Blocked::read(&task, self.rest, source);
        self.have.blocked = true;
        self.denied.call = blocked.denied;
        if !(shown.call == blocked.call && shown.wchan == blocked.wchan && shown.wait == blocked.wait) {
            let process = edit(shown);
            (process.call, process.wchan, process.wait) = (blocked.call, blocked.wchan, blocked.wait);
        }
    }

    fn complete_switches(&mut self, shown: &mut Arc<Process>, source: &mut Source) {
        let read = source.once(&Path::process(self.pid).file("status"));
        let switches = read.map(parse::switches);
        self.have.switches = true;
        self.denied.switches = switches.err();
        let switches = switches.ok().flatten();
        if shown.switches != switches {
            edit(shown).switches = switches;
        }
    }

    fn complete_io(&mut self, shown: &mut Arc<Process>, source: &mut Source) {
        let read = source.once(&Path::process(self.pid).file("io")).map(parse::io);
        let at = clock::monotonic();
        self.have.io = true;
        self.denied.io = read.err();
        let io = read.ok().flatten().map(|(read, written)| {
            let before = shown.io.unwrap_or(Io { read, written, read_rate: 0.0, write_rate: 0.0 });
            let interval = at.since(self.io_at).as_secs_f64();
            let rate = |now: Bytes, then: Bytes| {
                if interval > 0.0 { now.0.saturating_sub(then.0) as f64 / interval } else { 0.0 }
            };
            Io { read, written, read_rate: rate(read, before.read), write_rate: rate(written, before.written) }
        });
        self.io_at = at;
        if shown.io != io {
            edit(shown).io = io;
        }
    }

    /// Drops what is neither watched nor valid: an old figure would be a false
    /// one.
    fn forget(&mut self, topics: &Topics) {
        if !self.is_outdated(topics) {
            return;
        }
        let Some(shown) = &mut self.shown else { return };
        let process = edit(shown);
        if !topics.waits && !self.have.blocked {
            (process.call, process.wchan, process.wait) = (None, None, None);
            self.denied.call = None;
        }
        if !topics.switches && !self.have.switches {
            process.switches = None;
        }
        if !topics.io && !self.have.io {
            process.io = None;
        }
    }
}
