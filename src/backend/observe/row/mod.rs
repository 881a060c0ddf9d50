//! One process as the sampler keeps it: what is published of it, and what it
//! takes to notice that something changed.
//!
//! ```text
//! look ── did it run? ──no──► still valid; every tenth reading `stat` again
//!              │
//!             yes ──► `stat` ──► complete: what is watched and no longer valid
//! ```

mod complete;
mod stat;

use std::sync::Arc;

use rustix::io::Errno;

use super::dating::Rest;
use super::pulse::{Beat, Pulse, Share};
use super::round::{Round, edit};
use super::source::Source;
use super::threads::Threads;
use crate::model::process::Process;
use crate::model::{Nanos, Pid};
use crate::sys::proc_read::Kept;

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
    rest: Rest,
    /// The CPU that it ran on last.
    last_cpu: u32,
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
            rest: Rest::default(),
            last_cpu: 0,
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
        row.rest = Rest::resume(shown.wait.as_deref(), at);
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
            // Of several threads another may have run.
            let alone = |shown: &Arc<Process>| shown.threads <= 1 || self.main_pulse.is_some();
            self.rest.ran(at, self.shown.as_ref().is_some_and(alone));
        }
    }
}
