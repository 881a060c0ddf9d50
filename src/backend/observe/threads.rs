//! The threads of one process. They are looked at only when the process ran,
//! and read only where their own `schedstat` says that they did.

use std::sync::Arc;

use rustix::io::Errno;

use super::blocked::{Blocked, Task, is_to_revisit};
use super::dating::Rest;
use super::names::Names;
use super::parse::{self, Stat, Units};
use super::pulse::{Beat, Pulse, Share};
use super::reconcile::reconcile;
use super::round::{Round, edit};
use super::source::Source;
use crate::backend::Topics;
use crate::model::process::{Process, State, Switches, Thread};
use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::proc_read::{Kept, Path};

/// The watched threads of one process; none of a process with only one, which
/// most are.
#[derive(Debug, Default)]
pub struct Threads(Option<Box<Watched>>);

#[derive(Debug, Default)]
struct Watched {
    rows: Vec<ThreadRow>,
    tids: Vec<Pid>,
    /// Whether the process ran since they were looked at.
    due: bool,
    /// The round in which their shares were measured last.
    measured_at: Nanos,
    /// What they were read for.
    waits: bool,
    switches: bool,
}

#[derive(Debug)]
struct ThreadRow {
    tid: Pid,
    shown: Option<Arc<Thread>>,
    pulse: Pulse,
    share: Share,
    rest: Rest,
    stat: Kept,
    /// The name as the kernel writes it, where it is not shown as it is.
    comm: Box<[u8]>,
    have_blocked: bool,
    have_switches: bool,
}

impl Threads {
    /// Takes over those of the last table of a sampler that hangs.
    pub fn resume(threads: &[Arc<Thread>], at: Nanos) -> Self {
        let rows = threads.iter().map(|thread| ThreadRow::resume(thread.clone(), at)).collect();
        Threads(Some(Box::new(Watched { rows, due: true, ..Watched::default() })))
    }

    /// All of them, by thread id.
    pub fn shown(&self) -> impl Iterator<Item = &Arc<Thread>> {
        self.0.iter().flat_map(|watched| &watched.rows).filter_map(|row| row.shown.as_ref())
    }

    /// The process ran: any of its threads may have.
    pub fn process_ran(&mut self) {
        if let Some(watched) = &mut self.0 {
            watched.due = true;
        }
    }

    /// The process did not run in this interval, so none of its threads did.
    pub fn rest(&mut self, at: Nanos) {
        let Some(watched) = &mut self.0 else { return };
        watched.measured_at = at;
        for row in &mut watched.rows {
            row.measure(row.pulse.on_cpu(), at);
        }
    }

    /// Whether they have to be looked at.
    pub fn are_due(&self, process: &Process, topics: &Topics) -> bool {
        if topics.threads && process.threads > 1 {
            self.0.as_ref().is_none_or(|watched| watched.are_due(topics))
        } else {
            self.0.is_some()
        }
    }

    /// Whether one of them waits for something that may change without it.
    pub fn are_to_revisit(&self, swept: bool, round: &Round) -> bool {
        let due = round.topics.waits && (swept || round.ends);
        due && self.shown().any(|thread| is_to_revisit(thread.wait.as_ref(), swept, round.ends))
    }

    /// Brings them up to date.
    pub fn refresh(&mut self, process: &Process, swept: bool, round: &Round, source: &mut Source) {
        if !round.topics.threads || process.threads <= 1 {
            self.0 = None;
            return;
        }
        self.0.get_or_insert_default().refresh(process, swept, round, source);
    }
}

impl Watched {
    fn are_due(&self, topics: &Topics) -> bool {
        self.due || self.rows.is_empty() || (self.waits, self.switches) != (topics.waits, topics.switches)
    }

    fn refresh(&mut self, process: &Process, swept: bool, round: &Round, source: &mut Source) {
        if self.are_due(&round.topics) {
            self.look(process, round, source);
        }
        for row in self.rows.iter_mut().filter(|_| round.topics.waits && (swept || round.ends)) {
            let wait = row.shown.as_ref().and_then(|shown| shown.wait.as_ref());
            if row.tid != process.pid && is_to_revisit(wait, swept, round.ends) {
                row.read_blocked(process, source);
            }
        }
        // The main thread waits for what its process waits for.
        if let Some(main) = self.rows.iter_mut().find(|row| row.tid == process.pid) {
            main.mirror(process);
        }
    }

    fn look(&mut self, process: &Process, round: &Round, source: &mut Source) {
        if source.list_threads(process.pid, &mut self.tids).is_err() {
            // It has ended; the next reading of the process says so.
            return;
        }
        reconcile(&mut self.rows, &self.tids, |row| row.tid, |tid| ThreadRow::new(process.pid, tid));
        // Those that rested in this round have been measured in it.
        let round = &Round { measure: round.measure && self.measured_at != round.at, ..*round };
        for row in &mut self.rows {
            row.look(process, round, source);
        }
        if round.measure {
            self.measured_at = round.at;
        }
        self.rows.retain(|row| row.shown.is_some());
        (self.due, self.waits, self.switches) = (false, round.topics.waits, round.topics.switches);
    }
}

impl ThreadRow {
    fn new(pid: Pid, tid: Pid) -> Self {
        ThreadRow {
            tid,
            shown: None,
            pulse: Pulse::of_task(Path::thread(pid, tid), None),
            share: Share::default(),
            rest: Rest::default(),
            stat: Kept::default(),
            comm: Box::default(),
            have_blocked: false,
            have_switches: false,
        }
    }

    fn resume(shown: Arc<Thread>, at: Nanos) -> Self {
        let mut row = ThreadRow::new(shown.pid, shown.tid);
        row.pulse = Pulse::of_task(Path::thread(shown.pid, shown.tid), Some(shown.cpu_time));
        row.rest = Rest::resume(shown.wait.as_deref(), at);
        row.shown = Some(shown);
        row
    }

    fn look(&mut self, process: &Process, round: &Round, source: &mut Source) {
        let beat = self.pulse.look(source);
        if beat == Beat::Gone {
            self.shown = None;
            return;
        }
        if beat == Beat::Ran || self.shown.is_none() {
            (self.have_blocked, self.have_switches) = (false, false);
            self.rest.ran(clock::monotonic(), self.shown.is_some());
            if !self.read_stat(process.pid, source) {
                self.shown = None;
                return;
            }
        }
        if round.measure {
            let at = if beat == Beat::Ran { self.rest.since } else { round.at };
            let cpu_time = self.shown.as_ref().map(|shown| shown.cpu_time);
            self.measure(cpu_time, at);
        }
        if self.tid == process.pid {
            return;
        }
        if !self.have_blocked {
            if round.topics.waits {
                self.read_blocked(process, source);
            } else {
                self.set_blocked(Blocked::default());
            }
        }
        if !self.have_switches {
            self.read_switches(round.topics.switches, process.pid, source);
        }
    }

    fn measure(&mut self, cpu_time: Option<Nanos>, at: Nanos) {
        let cpu = self.share.measure(cpu_time, at);
        if let Some(shown) = &mut self.shown
            && shown.cpu != cpu
        {
            edit(shown).cpu = cpu;
        }
    }

    /// False where the thread is gone or nothing can be known of it.
    fn read_stat(&mut self, pid: Pid, source: &mut Source) -> bool {
        let units = source.units;
        let path = Path::thread(pid, self.tid).file("stat");
        let mut names = std::mem::take(&mut source.names);
        let read = source.kept(&mut self.stat, &path).map(Stat::parse);
        let known =
            read.map(|stat| stat.map_or(self.shown.is_some(), |stat| self.take_stat(pid, &stat, units, &mut names)));
        source.names = names;
        known.unwrap_or(false)
    }

    fn take_stat(&mut self, pid: Pid, stat: &Stat<'_>, units: Units, names: &mut Names) -> bool {
        let (started, cpu_time) = (units.ticks(stat.start_ticks), units.ticks(stat.cpu_ticks));
        let cpu_time = self.pulse.on_cpu().unwrap_or(cpu_time);
        let shown = self.shown.get_or_insert_with(|| Arc::new(unread(pid, self.tid)));
        if shown.name.as_bytes() != stat.comm && (*self.comm != *stat.comm || shown.name.is_empty()) {
            edit(shown).name = names.get(&parse::unescape(stat.comm));
            let as_it_is = shown.name.as_bytes() == stat.comm;
            self.comm = if as_it_is { Box::default() } else { stat.comm.into() };
        }
        let now = (stat.state, cpu_time, started, stat.last_cpu);
        if (shown.state, shown.cpu_time, shown.started, shown.last_cpu) != now {
            let thread = edit(shown);
            (thread.state, thread.cpu_time, thread.started, thread.last_cpu) = now;
        }
        true
    }

    fn read_blocked(&mut self, process: &Process, source: &mut Source) {
        let Some(shown) = &self.shown else { return };
        let directory = Path::thread(process.pid, self.tid);
        let task = Task { pid: process.pid, tid: self.tid, directory, state: shown.state, kernel: process.kernel };
        self.rest.date(&task, (shown.started, shown.last_cpu), source);
        let blocked = Blocked::read(&task, self.rest, source);
        self.have_blocked = true;
        self.set_blocked(blocked);
    }

    fn set_blocked(&mut self, blocked: Blocked) {
        let Some(shown) = &mut self.shown else { return };
        if !(shown.call == blocked.call && shown.wchan == blocked.wchan && shown.wait == blocked.wait) {
            let thread = edit(shown);
            (thread.call, thread.wchan, thread.wait) = (blocked.call, blocked.wchan, blocked.wait);
        }
    }

    fn read_switches(&mut self, watched: bool, pid: Pid, source: &mut Source) {
        let mut read = || source.once(&Path::thread(pid, self.tid).file("status")).map(parse::switches);
        let switches = if watched { read() } else { Err(Errno::NODATA) };
        self.have_switches = watched;
        self.set_switches(switches.ok().flatten());
    }

    fn set_switches(&mut self, switches: Option<Switches>) {
        if let Some(shown) = &mut self.shown
            && shown.switches != switches
        {
            edit(shown).switches = switches;
        }
    }

    /// Shows what has been read of the process already.
    fn mirror(&mut self, process: &Process) {
        let Process { call, wchan, wait, switches, .. } = process;
        let same = self.shown.as_ref().is_some_and(|own| (&own.call, &own.wchan, &own.wait) == (call, wchan, wait));
        if !same {
            let (call, wchan, wait) = (call.clone(), wchan.clone(), wait.clone());
            self.set_blocked(Blocked { call, wchan, wait, denied: None });
        }
        self.set_switches(*switches);
    }
}

/// A thread of which only the number is known.
fn unread(pid: Pid, tid: Pid) -> Thread {
    Thread {
        pid,
        tid,
        name: Arc::default(),
        state: State::Other('?'),
        cpu: None,
        cpu_time: Nanos::ZERO,
        started: Nanos::ZERO,
        last_cpu: 0,
        switches: None,
        wchan: None,
        call: None,
        wait: None,
    }
}
