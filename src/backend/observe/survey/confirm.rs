//! The second reading: who seems unable to go on is read once more, and who has
//! moved on meanwhile anew.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::fstat;
use rustix::io::Errno;

use super::read::{Seen, is_before_futex, sleeps, turns};
use super::{Surveyor, all_of, alongside};
use crate::backend::observe::dating::{LastRun, last_run_in};
use crate::backend::observe::graph::{Analysis, Node, analyse};
use crate::backend::observe::wait::left::Ways;
use crate::model::graph::ThreadId;
use crate::model::wait::{Certainty, Wait};
use crate::model::{Pid, sorting};

/// A thread that runs again and again is not followed for ever.
const ATTEMPTS: usize = 3;

impl Surveyor {
    /// Those of these threads of a process that have run since they were read.
    pub(super) fn moved(&mut self, pid: Pid, tids: &BTreeSet<Pid>) -> BTreeSet<Pid> {
        let Ok(tasks) = self.tasks(pid) else { return tids.clone() };
        let mut moved = tids.clone();
        moved.retain(|&tid| {
            let before = self.threads.get(&ThreadId { pid, tid }).and_then(|seen| seen.turns);
            before.is_none() || turns(&tasks, tid) != before
        });
        moved
    }

    /// Who can go on; whoever seems unable to is read once more. Where `all` are
    /// shown, it is also made sure that the others were not read on the move.
    pub(super) fn analyse(&mut self, all: bool) -> Analysis {
        let first = self.judge();
        let mut candidates = self.stuck(&first);
        let caught_up = all && self.catch_up(&candidates);
        if caught_up {
            candidates = self.stuck(&self.judge());
        }
        let mut changed = caught_up || !candidates.is_empty();
        if changed {
            self.source.world.thorough(true);
            self.confirm_all(&candidates);
            // Looked at more closely, they may name processes that nobody has read yet.
            let new = self.of_waits(&candidates, |_, wait| wait.besides.clone());
            let new: Vec<Pid> = new.into_iter().filter(|pid| !self.processes.contains(pid)).collect();
            if !new.is_empty() {
                self.follow(new);
                candidates = self.stuck(&self.judge());
                self.confirm_all(&candidates);
            }
        }
        changed |= self.doubt(if all { self.threads.keys().copied().collect() } else { candidates.clone() });
        if !changed {
            return first;
        }
        let last = self.judge();
        let is_new = |id: &ThreadId| candidates.binary_search(id).is_err();
        let unread: Vec<ThreadId> = self.stuck(&last).into_iter().filter(is_new).collect();
        if unread.is_empty() {
            return last;
        }
        // Nobody is called stuck of whom there is but one reading.
        for id in unread {
            self.threads.entry(id).and_modify(|seen| seen.settled = false);
        }
        self.judge()
    }

    /// Those that can never go on, by id.
    fn stuck(&self, analysis: &Analysis) -> Vec<ThreadId> {
        let all = self.threads.keys().zip(&analysis.verdicts);
        all.filter(|(_, verdict)| verdict.is_for_ever()).map(|(id, _)| *id).collect()
    }

    /// The processes that the waits of these threads have to do with.
    fn of_waits(&self, ids: &[ThreadId], pids: impl Fn(Pid, &Wait) -> Vec<Pid>) -> BTreeSet<Pid> {
        let waits = ids.iter().filter_map(|id| Some((id.pid, self.threads.get(id)?.wait.as_deref()?)));
        sorting::set(waits.flat_map(|(pid, wait)| pids(pid, wait)))
    }

    /// Reads all of these once more, sorted by id, and who else may have run meanwhile.
    fn confirm_all(&mut self, candidates: &[ThreadId]) {
        self.source.world.begin_scan();
        for own in candidates.chunk_by(|one, other| one.pid == other.pid) {
            if self.abandoned.is_some() {
                break;
            }
            self.confirm(own);
        }
        self.confirm_sleepers(candidates);
    }

    /// Finds out who has run meanwhile, or may yet, of those that are no candidates, in the
    /// processes that can end a candidate's wait: one does that has been woken.
    fn confirm_sleepers(&mut self, candidates: &[ThreadId]) {
        let pids = self.of_waits(candidates, |pid, wait| {
            let own = is_within(wait).then_some(pid);
            let processes = wait.holders.iter().filter(|holder| holder.tid.is_none()).map(|holder| holder.pid);
            processes.chain(wait.besides.iter().copied()).chain(own).collect()
        });
        for pid in pids {
            let tasks = self.tasks(pid).ok().filter(|tasks| !self.has_grown(pid, tasks));
            let woken = self.source.world.is_woken_from_outside(pid);
            let own = self.threads.range_mut(all_of(pid)).filter(|(id, _)| candidates.binary_search(id).is_err());
            for (id, seen) in own {
                let now = tasks.as_ref().and_then(|tasks| turns(tasks, id.tid));
                seen.settled &= now.is_some() && now == seen.turns;
                let is_sleeper = seen.wait.as_ref().is_some_and(|wait| wait.within);
                let futex = seen.futex().is_some();
                seen.settled &= !is_sleeper || tasks.as_ref().is_some_and(|tasks| rests(tasks, id.tid, futex));
                let (Some(why), Some(wait)) = (&woken, seen.wait.as_mut().filter(|wait| wait.within)) else { continue };
                // Who is held up by somebody is taken for one that may have moved on.
                seen.settled &= wait.holders.is_empty();
                let wait = Wait::of_ones_own(wait);
                wait.within = false;
                wait.evidence.push(why.clone());
            }
        }
    }

    /// Whether a process has a thread that has not been read: one was made meanwhile.
    fn has_grown(&self, pid: Pid, tasks: &OwnedFd) -> bool {
        // The directory has a link for each thread in it, and two of its own.
        let now = fstat(tasks).map_or(0, |status| status.st_nlink.saturating_sub(2));
        // One that has ended is no longer in it, but for the first, which stands for all.
        let stays = |(id, seen): &(&ThreadId, &Seen)| id.tid == pid || !seen.ended();
        now > self.threads.range(all_of(pid)).filter(stays).count() as u64
    }

    /// Reads the waits of threads of one process once more. A lock whose memory
    /// is the same byte for byte says the same as before, where neither who
    /// waits nor who holds it has run meanwhile.
    fn confirm(&mut self, ids: &[ThreadId]) {
        let pid = ids[0].pid;
        let threads = &self.threads;
        let futexes = ids.iter().filter_map(|id| threads.get(id)?.futex());
        self.progress.enter(pid);
        self.source.world.read_ahead(pid, futexes.map(|address| (None, Some(address))));
        self.leave();
        let changed: Vec<ThreadId> = ids.iter().copied().filter(|id| !self.is_same_lock(*id)).collect();
        let before: Vec<Option<Arc<Wait>>> =
            changed.iter().map(|id| self.threads.get_mut(id).and_then(|seen| seen.wait.take())).collect();
        self.decode(pid, &changed);
        // Who was found by what the threads would do next is found so again.
        let inferred = changed.iter().zip(&before).filter(|(_, before)| is_inferred(before.as_deref()));
        let inferred: BTreeSet<Pid> = inferred.map(|(id, _)| id.tid).collect();
        if !inferred.is_empty() {
            self.infer_in(pid, |tid| inferred.contains(&tid));
        }
        for (id, before) in changed.iter().zip(before) {
            if let Some(seen) = self.threads.get_mut(id) {
                seen.settled = is_same(before.as_deref(), seen.wait.as_deref());
            }
        }
        let tasks =
            self.tasks(pid).and_then(|tasks| if self.has_grown(pid, &tasks) { Err(Errno::AGAIN) } else { Ok(tasks) });
        let timer = self.source.world.is_ended_by_timer(pid);
        let still = self.are_still(tasks.ok().as_ref(), ids);
        let (mut outside, ways) = (None, Ways::default());
        for (id, (still, ran)) in ids.iter().zip(still) {
            if let Some(seen) = self.threads.get_mut(id) {
                seen.settled &= still;
                seen.ran = ran.or(seen.ran);
                let Some(wait) = seen.wait.as_mut() else { continue };
                let world = &mut self.source.world;
                ways.and_left(world, pid, wait);
                let why = match timer {
                    true => Some("the process has a timer whose signal would end it (timer_create(2))"),
                    false if is_within(wait) => {
                        outside.get_or_insert_with(|| world.is_woken_from_outside(pid)).as_deref()
                    }
                    false => None,
                };
                if let Some(why) = why {
                    let wait = Wait::of_ones_own(wait);
                    (wait.partial, wait.certainty) = (true, Certainty::Unknown);
                    wait.evidence.push(why.to_owned());
                }
            }
        }
    }

    /// Whether each of these threads of a process rests and has not run since it was read, and
    /// what was told of when it ran last.
    fn are_still(&mut self, tasks: Option<&OwnedFd>, ids: &[ThreadId]) -> Vec<(bool, Option<LastRun>)> {
        let Some(tasks) = tasks else { return vec![(false, None); ids.len()] };
        let began = self.began;
        let known: Vec<(Pid, Option<&Seen>)> = ids.iter().map(|id| (id.tid, self.threads.get(id))).collect();
        let (root, clock) = (Arc::clone(self.source.root()), &mut self.source.scheduler_clock);
        alongside::for_each(&known, clock, |clock, &(tid, seen)| {
            let Some((seen, before)) = seen.and_then(|seen| Some((seen, seen.turns?))) else { return (false, None) };
            // Who holds a lock is in its word, and that has been read again.
            let is_read = seen.lock.is_some() && seen.wait.as_deref().is_some_and(|wait| !is_within(wait));
            if !is_read && !rests(tasks, tid, seen.futex().is_some()) {
                return (false, None);
            }
            // Where it also has to be told since when it sleeps, one file mostly tells both.
            let undated = !seen.kernel && seen.wait.as_ref().is_some_and(|wait| wait.since.is_none());
            let ran = undated.then(|| last_run_in(tasks, tid, seen.started, &root, clock)).flatten();
            // It had given a CPU up as often as it had got one before, and has none now.
            let slept = ran.is_some_and(|run| run.switches == Some(before) && run.is_before(began));
            (slept || turns(tasks, tid) == Some(before), ran)
        })
    }

    fn is_same_lock(&self, id: ThreadId) -> bool {
        let Some(seen) = self.threads.get(&id) else { return false };
        let now = seen.futex().and_then(|address| self.source.world.around(id.pid, address));
        now.is_some() && now == seen.lock
    }

    /// Reads those threads anew that have moved on while they were read, but for
    /// the `candidates`, sorted by id; whether there were any.
    fn catch_up(&mut self, candidates: &[ThreadId]) -> bool {
        for attempt in 0..ATTEMPTS {
            let is_other = |id: &ThreadId| candidates.binary_search(id).is_err();
            let waiting = self.threads.iter().filter(|(id, seen)| seen.wait.is_some() && is_other(id));
            let waiting: Vec<(ThreadId, Option<u64>)> = waiting.map(|(id, seen)| (*id, seen.turns)).collect();
            let mut moved = false;
            for own in waiting.chunk_by(|(one, _), (other, _)| one.pid == other.pid) {
                let Ok(tasks) = self.tasks(own[0].0.pid) else { continue };
                for (id, before) in own {
                    if turns(&tasks, id.tid) != *before {
                        moved = true;
                        self.look_again(&tasks, *id);
                    }
                }
            }
            if !moved {
                return attempt > 0;
            }
        }
        true
    }

    fn look_again(&mut self, tasks: &OwnedFd, id: ThreadId) {
        let process = self.threads.get(&id).map(|seen| seen.process.clone()).unwrap_or_default();
        match self.look(tasks, id.tid) {
            Ok(seen) => {
                self.threads.insert(id, Seen { process, ..seen });
                self.decode(id.pid, &[id]);
            }
            Err(_) => drop(self.threads.remove(&id)),
        }
    }

    /// Who can go on, as they have been read so far.
    #[inline(never)]
    fn judge(&self) -> Analysis {
        let nodes: Vec<Node<'_>> = self
            .threads
            .iter()
            .map(|(id, seen)| Node { id: *id, wait: seen.wait.as_deref(), ended: seen.ended(), settled: seen.settled })
            .collect();
        analyse(&nodes)
    }
}

/// Whether a thread sleeps, and where its call says.
fn rests(tasks: &OwnedFd, tid: Pid, futex: bool) -> bool {
    sleeps(tasks, tid) && !(futex && is_before_futex(tasks, tid))
}

/// Whether any thread of its process may end the wait, and nobody else.
fn is_within(wait: &Wait) -> bool {
    wait.within && wait.holders.is_empty() && !wait.orphaned
}

fn is_inferred(wait: Option<&Wait>) -> bool {
    wait.is_some_and(|wait| wait.certainty == Certainty::Inferred)
}

/// Whether two readings tell of the same wait; they may word it differently, and the
/// second, which looks closer, may know of somebody unseen.
fn is_same(one: Option<&Wait>, other: Option<&Wait>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    if one.partial && !other.partial {
        return false;
    }
    let what = |wait: &Wait| (wait.kind, wait.address, wait.mode, wait.timed, wait.orphaned);
    let who = |wait: &Wait| sorting::set(wait.holders.iter().copied());
    what(one) == what(other) && one.certainty == other.certainty && who(one) == who(other)
}
