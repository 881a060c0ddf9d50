//! The first half of reading a process: its `stat`, `proc_pid_stat(5)`.

use std::sync::Arc;

use rustix::io::Errno;

use super::{Fate, Row};
use crate::backend::observe::names::Names;
use crate::backend::observe::parse::{self, Stat};
use crate::backend::observe::round::{Round, edit};
use crate::backend::observe::source::Source;
use crate::model::process::{Process, State};
use crate::model::{Bytes, Nanos, Pid};
use crate::sys::clock;
use crate::sys::proc_read::Path;

impl Row {
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
        self.last_cpu = stat.last_cpu;
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
