//! All processes: listed, asked whether they ran, read where they did, and
//! published.
//!
//! The first reading is published twice: with what `stat` says of each process,
//! and then with command lines and waits. A tenth of the processes is read
//! again at each reading even if it did not run: memory, parent and the holders
//! of what it waits for may change meanwhile.

use std::sync::Arc;

use super::births::Births;
use super::faults::Refusals;
use super::pool::Pool;
use super::progress::{Abandoned, Progress, Skipped};
use super::reconcile::reconcile;
use super::round::Round;
use super::row::Row;
use super::source::Source;
use super::threads::Threads;
use crate::backend::Topics;
use crate::model::process::{Process, ProcessTable, State, Tally};
use crate::model::{Fault, Nanos, Pid, Stamped};
use crate::sys::{clock, code, heap};

/// After so many readings everything has been read again.
const SWEEP: u32 = 10;

/// So often memory that is free in between is given back; first when the copies
/// from which the first readings were completed are no longer held.
const TIDY: u32 = 60;
const TIDY_FIRST: u32 = 4;

/// Shares are not measured over less: the kernel's own accounting is as coarse
/// as its tick.
const SHORTEST_INTERVAL: Nanos = Nanos::from_millis(100);

/// A table as it is published.
pub type Published = Arc<Stamped<ProcessTable>>;

/// All processes, as the sampler keeps them.
#[derive(Debug)]
pub struct Table {
    source: Source,
    rows: Vec<Row>,
    pids: Vec<Pid>,
    births: Births,
    rounds: u32,
    measured_at: Nanos,
    pool: Pool,
    seq: u64,
    refusals: Refusals,
    faults: (Refusals, Vec<Fault>),
}

impl Table {
    /// An empty one.
    pub fn new(source: Source) -> Self {
        Table {
            source,
            rows: Vec::new(),
            pids: Vec::new(),
            births: Births::default(),
            rounds: 0,
            measured_at: Nanos::ZERO,
            pool: Pool::default(),
            seq: 0,
            refusals: Refusals::default(),
            faults: <(Refusals, Vec<Fault>)>::default(),
        }
    }

    /// Takes over from a sampler that hangs what it published last.
    pub fn resume(source: Source, last: &Stamped<ProcessTable>) -> Self {
        let mut table = Table::new(source);
        table.seq = last.seq;
        for process in &last.value.processes {
            let threads = Threads::resume(last.value.threads_of(process.pid), last.at);
            table.rows.push(Row::resume(process.clone(), threads, last.at, &table.source));
        }
        table
    }

    /// What reading needs, for whoever reads beside the table.
    pub fn source(&mut self) -> &mut Source {
        &mut self.source
    }

    /// Reads what is watched and hands each table to `publish`.
    ///
    /// # Errors
    /// [`Abandoned`] where a reading hung so long that another thread has
    /// taken over.
    pub fn refresh(
        &mut self,
        topics: Topics,
        skipped: &[Skipped],
        progress: &Progress,
        mut publish: impl FnMut(Published),
    ) -> Result<(), Abandoned> {
        let (began, at) = (clock::thread_cpu(), clock::monotonic());
        self.pool.empty();
        self.rounds = self.rounds.wrapping_add(1);
        let ends = self.rounds.is_multiple_of(SWEEP);
        let measure = at.since(self.measured_at) >= SHORTEST_INTERVAL;
        if measure {
            self.measured_at = at;
        }
        let round = Round { at, measure, ends, topics };
        self.source.world.begin_scan();
        self.refusals.clear();
        self.refusals.note_hanging(skipped);
        self.refusals.no_io = topics.io && !self.source.counts_io;
        self.list(progress)?;
        self.look(&round, skipped, progress)?;
        if self.seq == 0 {
            publish(self.publish(began, false));
        }
        self.complete(&round, skipped, progress)?;
        self.drop_the_gone();
        publish(self.publish(began, true));
        if self.rounds % TIDY == TIDY_FIRST {
            self.source.world.rest();
            heap::trim();
            code::give_back();
        }
        Ok(())
    }

    fn list(&mut self, progress: &Progress) -> Result<(), Abandoned> {
        // A test's tree says nothing of births, and has no clock that tells
        // of deaths.
        let news = !self.source.clocks || self.births.may_have_happened(&mut self.source);
        if !(news || self.rounds.is_multiple_of(SWEEP)) {
            return Ok(());
        }
        let listed = self.source.list_processes(&mut self.pids);
        self.refusals.listing = listed.err();
        self.refusals.empty = listed.is_ok() && self.pids.is_empty();
        // The first process is the one nobody ends: if it cannot be seen,
        // others are hidden too.
        self.refusals.hidden = self.source.clocks && listed.is_ok() && self.pids.first() != Some(&1);
        if listed.is_ok() {
            let source = &self.source;
            reconcile(&mut self.rows, &self.pids, Row::pid, |pid| Row::new(pid, source));
        }
        progress.leave()
    }

    fn look(&mut self, round: &Round, skipped: &[Skipped], progress: &Progress) -> Result<(), Abandoned> {
        for row in &mut self.rows {
            let stale = stale_since(skipped, row.pid());
            row.set_stale(stale);
            if stale.is_some() {
                continue;
            }
            if row.look_may_hang() {
                progress.enter(row.pid());
            }
            let ran = row.look(round, &mut self.source);
            let swept = is_swept(row.pid(), self.rounds) && !ran && !row.is_new();
            if !row.is_gone() && (ran || swept || row.is_new()) {
                progress.enter(row.pid());
                row.read_stat(swept, round, &mut self.source);
                if row.is_replaced() {
                    *row = Row::new(row.pid(), &self.source);
                    row.look(round, &mut self.source);
                    row.read_stat(false, round, &mut self.source);
                }
            }
            progress.leave()?;
        }
        self.drop_the_gone();
        Ok(())
    }

    fn complete(&mut self, round: &Round, skipped: &[Skipped], progress: &Progress) -> Result<(), Abandoned> {
        for row in &mut self.rows {
            let swept = is_swept(row.pid(), self.rounds);
            if !row.is_incomplete(swept, round) || stale_since(skipped, row.pid()).is_some() {
                continue;
            }
            progress.enter(row.pid());
            row.complete(swept, round, &mut self.source);
            progress.leave()?;
        }
        Ok(())
    }

    fn drop_the_gone(&mut self) {
        let before = self.rows.len();
        self.rows.retain(|row| !row.is_gone());
        if self.rows.len() != before {
            // The number of one that ended may be another's already.
            self.births.expect();
        }
    }

    fn publish(&mut self, began: Nanos, complete: bool) -> Published {
        let mut published = self.pool.take();
        self.seq += 1;
        self.rows.iter().for_each(|row| self.refusals.count(row));
        if self.faults.0 != self.refusals {
            self.faults.0.copy_from(&self.refusals);
            self.faults.1 = self.refusals.faults();
        }
        // Nobody else holds it: the pool gives away no other.
        let stamped = Arc::make_mut(&mut published);
        let table = &mut stamped.value;
        table.processes.clear();
        table.threads.clear();
        table.processes.reserve(self.rows.len());
        for row in &self.rows {
            table.processes.extend(row.shown().cloned());
            table.threads.extend(row.threads().shown().cloned());
        }
        table.tally = tally(&table.processes);
        table.complete = complete;
        if table.faults != self.faults.1 {
            table.faults.clone_from(&self.faults.1);
        }
        stamped.seq = self.seq;
        stamped.at = clock::monotonic();
        stamped.took = clock::thread_cpu().since(began);
        self.pool.keep(&published);
        published
    }
}

/// Whether this process is read again although it did not run.
fn is_swept(pid: Pid, rounds: u32) -> bool {
    pid.unsigned_abs() % SWEEP == rounds % SWEEP
}

fn stale_since(skipped: &[Skipped], pid: Pid) -> Option<Nanos> {
    skipped.iter().find(|skipped| skipped.pid == pid).map(|skipped| skipped.since)
}

fn tally(processes: &[Arc<Process>]) -> Tally {
    let mut tally = Tally { processes: processes.len() as u32, ..Tally::default() };
    for process in processes {
        tally.threads += process.threads;
        match process.state {
            State::Running => tally.running += 1,
            State::Disk => tally.disk += 1,
            State::Stopped | State::Traced => tally.stopped += 1,
            State::Zombie => tally.zombies += 1,
            _ => {}
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_swept_in_ten_rounds() {
        for pid in 1..50 {
            assert_eq!((90..100).filter(|&round| is_swept(pid, round)).count(), 1);
        }
    }
}
