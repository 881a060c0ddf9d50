//! One process as the sampler keeps it: what is published of it, and what it
//! takes to notice that something changed.
//!
//! ```text
//! look ── did it run? ──no──► still valid; every tenth reading `stat` again
//!              │
//!             yes ──► `stat` ──► complete: what is watched and no longer valid
//! ```

mod complete;

use std::sync::Arc;

use rustix::io::Errno;

use super::names::Names;
use super::parse::{self, Stat};
use super::pulse::{Beat, Pulse, Share};
use super::source::Source;
use super::threads::Threads;
use crate::backend::Topics;
use crate::model::process::{Process, State};
use crate::model::{Bytes, Nanos, Pid};
use crate::sys::clock;
use crate::sys::proc_read::{Kept, Path};

/// One round over all processes.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// When it began.
    pub at: Nanos,
    /// Whether shares and rates are measured: enough time has passed.
    pub measure: bool,
    /// Whether waits at the ends of pipes and sockets are looked at again.
    pub ends: bool,
    /// What is watched.
    pub topics: Topics,
}

/// What of a process has been read since it ran last.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent parts")]
struct Have {
    uid: bool,
    cmdline: bool,
    blocked: bool,
    switches: bool,
    io: bool,
}

/// What could not be read of a process, to be counted into faults.
#[derive(Clone, Copy, Debug, Default)]
pub struct Denied {
    /// `stat`: nothing at all is known.
    pub stat: Option<Errno>,
    /// `syscall`.
    pub call: Option<Errno>,
    /// `status`.
    pub switches: Option<Errno>,
    /// `io`.
    pub io: Option<Errno>,
}

/// What has become of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Alive,
    /// It has ended.
    Gone,
    /// It has ended, and its number belongs to another.
    Replaced,
}

/// One process.
#[derive(Debug)]
pub struct Row {
    pid: Pid,
    /// What is published; `None` until `stat` has been read.
    shown: Option<Arc<Process>>,
    pulse: Pulse,
    /// Of the main thread alone, asked only where there are others.
    main_pulse: Option<Box<Pulse>>,
    share: Share,
    /// Since when the main thread is known not to have run.
    still_since: Nanos,
    /// Whether that is as early as can be known.
    dated: bool,
    stat: Kept,
    /// The name as the kernel writes it, where it is not shown as it is.
    comm: Box<[u8]>,
    image: [u64; 3],
    have: Have,
    /// Whether it ran since its command line was read.
    cmdline_aged: bool,
    io_at: Nanos,
    denied: Denied,
    threads: Threads,
    fate: Fate,
}

impl Row {
    /// A process that has just been listed.
    pub fn new(pid: Pid, source: &Source) -> Self {
        Row {
            pid,
            shown: None,
            pulse: Pulse::of_process(pid, source.clocks, None),
            main_pulse: None,
            share: Share::default(),
            still_since: Nanos::ZERO,
            dated: false,
            stat: Kept::default(),
            comm: Box::default(),
            image: [0; 3],
            have: Have::default(),
            cmdline_aged: false,
            io_at: Nanos::ZERO,
            denied: Denied::default(),
            threads: Threads::default(),
            fate: Fate::Alive,
        }
    }

    /// A process known from the last table of a sampler that hangs.
    pub fn resume(shown: Arc<Process>, threads: Threads, at: Nanos, source: &Source) -> Self {
        let mut row = Row::new(shown.pid, source);
        row.pulse = Pulse::of_process(shown.pid, source.clocks, Some(shown.cpu_time));
        row.still_since = shown.wait.as_ref().and_then(|wait| wait.since).unwrap_or(at);
        row.dated = true;
        row.threads = threads;
        row.shown = Some(shown);
        row
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// What is published of it.
    pub fn shown(&self) -> Option<&Arc<Process>> {
        self.shown.as_ref()
    }

    /// Its threads.
    pub fn threads(&self) -> &Threads {
        &self.threads
    }

    /// What could not be read.
    pub fn denied(&self) -> Denied {
        self.denied
    }

    /// Whether it has ended.
    pub fn is_gone(&self) -> bool {
        self.fate == Fate::Gone
    }

    /// Whether its number has been given to another process.
    pub fn is_replaced(&self) -> bool {
        self.fate == Fate::Replaced
    }

    /// Whether [`Row::look`] reads a file, which may hang.
    pub fn look_may_hang(&self) -> bool {
        self.pulse.reads_a_file()
    }

    /// Asks whether it ran; what depends on time passing is brought up to
    /// date. True where `stat` is to be read.
    pub fn look(&mut self, round: &Round, source: &mut Source) -> bool {
        let beat = self.pulse.look(source);
        if beat == Beat::Gone {
            self.fate = Fate::Gone;
        }
        let Some(shown) = &self.shown else { return beat == Beat::Ran };
        // One task's counters say nothing of the others.
        let blind = shown.threads > 1 && !self.pulse.counts_all_threads();
        if beat == Beat::Ran || blind {
            return true;
        }
        if beat == Beat::Still && round.measure {
            self.rest(round);
        }
        false
    }

    /// It did not run in this interval: its share and rates are zero.
    fn rest(&mut self, round: &Round) {
        let Some(shown) = &mut self.shown else { return };
        let cpu = self.share.measure(self.pulse.on_cpu(), round.at);
        self.io_at = round.at;
        self.threads.rest(round.at);
        if shown.cpu != cpu {
            edit(shown).cpu = cpu;
        }
        if shown.io.is_some_and(|io| io.read_rate != 0.0 || io.write_rate != 0.0)
            && let Some(io) = &mut edit(shown).io
        {
            (io.read_rate, io.write_rate) = (0.0, 0.0);
        }
    }

    /// Marks it as hanging since then, or as no longer hanging.
    pub fn set_stale(&mut self, stale: Option<Nanos>) {
        if let Some(shown) = &mut self.shown
            && shown.stale != stale
        {
            edit(shown).stale = stale;
            self.have = Have::default();
        }
    }

    /// Whether nothing has been read of it yet, nor refused.
    pub fn is_new(&self) -> bool {
        self.shown.is_none() && self.denied.stat.is_none()
    }

    /// Reads `stat`. `swept` is for a process that did not run: what may
    /// change without its doing.
    pub fn read_stat(&mut self, swept: bool, round: &Round, source: &mut Source) {
        let path = Path::process(self.pid).file("stat");
        let units = source.units;
        let at = if swept { round.at } else { clock::monotonic() };
        if !swept {
            self.ran(at, source);
        }
        let (mut kept, mut owner) = (std::mem::take(&mut self.stat), None);
        let mut names = std::mem::take(&mut source.names);
        // Only who runs is worth a descriptor.
        let content = if self.is_new() {
            source.once_with_owner(&path, &mut owner)
        } else if swept {
            source.once(&path)
        } else {
            source.kept(&mut kept, &path)
        };
        match content.map(Stat::parse) {
            Ok(Some(stat)) => {
                self.take_stat(&stat, units, &mut names, (!swept && round.measure).then_some(at));
            }
            // Torn: what was known stands until the next reading.
            Ok(None) => {}
            Err(Errno::SRCH | Errno::NOENT) => self.fate = Fate::Gone,
            Err(error) => self.denied.stat = Some(error),
        }
        (self.stat, source.names) = (kept, names);
        if let (Some(uid), Some(shown)) = (owner, &mut self.shown) {
            let process = edit(shown);
            (process.uid, process.user) = (uid, source.users.name(uid));
        }
    }

    /// Takes over what `stat` says; its share is measured where `at` is given.
    fn take_stat(&mut self, stat: &Stat<'_>, units: parse::Units, names: &mut Names, at: Option<Nanos>) {
        self.denied.stat = None;
        let started = units.ticks(stat.start_ticks);
        if self.shown.as_ref().is_some_and(|shown| shown.started != started) {
            self.fate = Fate::Replaced;
            return;
        }
        let counts_all = self.pulse.counts_all_threads() || stat.threads <= 1;
        let cpu_time = self.pulse.on_cpu().filter(|_| counts_all).unwrap_or(units.ticks(stat.cpu_ticks));
        let shown = self.shown.get_or_insert_with(|| Arc::new(unread(self.pid, started)));
        if shown.threads != stat.threads && !self.pulse.counts_all_threads() {
            self.share.restart();
        }
        if shown.name.as_bytes() != stat.comm && (*self.comm != *stat.comm || shown.name.is_empty()) {
            edit(shown).name = names.get(&parse::unescape(stat.comm));
            let as_it_is = shown.name.as_bytes() == stat.comm;
            self.comm = if as_it_is { Box::default() } else { stat.comm.into() };
            self.have.cmdline = false;
        }
        let (rss, virt) = (units.pages(stat.rss_pages), Bytes(stat.virt));
        // Without permission the image is not told; a new one has another size.
        if self.image != stat.image || (stat.image[0] <= 1 && shown.virt != virt) {
            self.image = stat.image;
            self.have.cmdline = false;
        }
        if shown.state != stat.state {
            self.have.blocked = false;
            self.have.cmdline &= stat.state != State::Zombie;
        }
        let (kernel, ids) = (stat.is_kernel(), (stat.ppid, stat.pgrp, stat.session));
        let same = (shown.ppid, shown.pgrp, shown.session) == ids
            && (shown.state, shown.nice, shown.threads, shown.kernel) == (stat.state, stat.nice, stat.threads, kernel)
            && (shown.rss, shown.virt, shown.cpu_time) == (rss, virt, cpu_time);
        if !same {
            let process = edit(shown);
            (process.ppid, process.pgrp, process.session) = ids;
            (process.state, process.nice, process.threads, process.kernel) =
                (stat.state, stat.nice, stat.threads, kernel);
            (process.rss, process.virt, process.cpu_time) = (rss, virt, cpu_time);
        }
        if let Some(at) = at {
            let cpu = self.share.measure(Some(cpu_time), at);
            if shown.cpu != cpu {
                edit(shown).cpu = cpu;
            }
        }
    }

    /// It ran: nothing that was read before need be true any more, save of a
    /// main thread that slept while the others worked.
    fn ran(&mut self, at: Nanos, source: &mut Source) {
        let main_slept = self.main_pulse.as_mut().is_some_and(|pulse| pulse.look(source) == Beat::Still);
        let Have { cmdline, blocked, switches, .. } = self.have;
        self.have =
            Have { cmdline, blocked: blocked && main_slept, switches: switches && main_slept, ..Have::default() };
        self.cmdline_aged = true;
        self.threads.process_ran();
        if !main_slept {
            self.still_since = at;
            // It was seen to run, so its wait began after the reading before.
            self.dated |= self.shown.is_some();
        }
    }
}

/// The published process, to be changed: a copy of it where others hold it.
pub fn edit<T: Clone>(shown: &mut Arc<T>) -> &mut T {
    Arc::make_mut(shown)
}

/// A process of which only the number is known.
fn unread(pid: Pid, started: Nanos) -> Process {
    Process {
        pid,
        ppid: 0,
        pgrp: 0,
        session: 0,
        uid: 0,
        user: Arc::default(),
        state: State::Other('?'),
        name: Arc::default(),
        cmdline: Arc::default(),
        kernel: false,
        cpu: None,
        cpu_time: Nanos::ZERO,
        nice: 0,
        rss: Bytes(0),
        virt: Bytes(0),
        threads: 0,
        started,
        switches: None,
        io: None,
        wchan: None,
        call: None,
        wait: None,
        stale: None,
    }
}
