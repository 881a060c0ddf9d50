//! What is answered: the threads asked for and those on chains from them, dated and
//! with their lines of source.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use super::Surveyor;
use super::read::{Seen, turns};
use crate::backend::observe::dating::{last_ran_on, last_run_in};
use crate::backend::observe::graph::Analysis;
use crate::backend::observe::source::Source;
use crate::backend::observe::unclaimed;
use crate::backend::observe::wait::Call;
use crate::model::graph::{GraphThread, Scanned, ThreadId, WaitGraph};
use crate::model::sorting;
use crate::model::wait::Wait;
use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::proc_read::Path;

/// Of so many threads it is said in which line they wait.
const LOCATED: usize = 64;

/// And of so many exactly since when.
const DATED: usize = 16;
/// As long as that takes no more time than this.
const DATING: Nanos = Nanos::from_millis(25);

/// What is said of a wait that any thread of its process may end.
const ALL_SLEEP: &str = "who must act is not stored: any thread of this process could, but all of them wait";
const PERHAPS: &str =
    "others wait for what this thread holds; who may wake it is not stored: if only they could, it waits for ever";

/// The directory of the threads of the process at hand: those of one process
/// follow each other.
#[derive(Default)]
struct Tasks(Option<(Pid, Option<OwnedFd>)>);

impl Tasks {
    fn of(&mut self, source: &Source, pid: Pid) -> Option<&OwnedFd> {
        if self.0.as_ref().is_none_or(|(known, _)| *known != pid) {
            self.0 = Some((pid, source.directory(&Path::process(pid).file("task")).ok()));
        }
        self.0.as_ref()?.1.as_ref()
    }
}

impl Surveyor {
    /// The threads that are asked for and all on chains from them.
    pub(super) fn on_chains(&self, asked: impl Fn(&ThreadId) -> bool) -> BTreeSet<ThreadId> {
        let mut wanted = sorting::set(self.threads.keys().filter(|id| asked(id)).copied());
        let mut queue: Vec<ThreadId> = wanted.iter().copied().collect();
        while let Some(id) = queue.pop() {
            let Some(wait) = self.threads.get(&id).and_then(|seen| seen.wait.as_ref()) else { continue };
            for holder in &wait.holders {
                let tids = holder.tid.map_or(0..=Pid::MAX, |tid| tid..=tid);
                let range =
                    ThreadId { pid: holder.pid, tid: *tids.start() }..=ThreadId { pid: holder.pid, tid: *tids.end() };
                for (&next, _) in self.threads.range(range) {
                    if wanted.insert(next) {
                        queue.push(next);
                    }
                }
            }
        }
        wanted
    }

    /// Says in which lines of source these threads wait, as far as that is known
    /// and they have not run since they were read.
    fn locate(&mut self, wanted: &BTreeSet<ThreadId>) {
        let mut tasks = Tasks::default();
        let place = |id: &ThreadId| match self.threads.get(id) {
            Some(Seen { call: Call::Blocked { sp, pc, .. }, wait: Some(_), .. }) => Some((*id, (*sp, *pc))),
            _ => None,
        };
        let places: Vec<(ThreadId, (u64, u64))> = wanted.iter().take(LOCATED).filter_map(place).collect();
        for own in places.chunk_by(|(one, _), (other, _)| one.pid == other.pid) {
            let at: Vec<(u64, u64)> = own.iter().map(|(_, place)| *place).collect();
            self.progress.enter(own[0].0.pid);
            let lines = self.source.world.lines_of(own[0].0.pid, &at);
            self.abandoned = self.progress.leave().err();
            for ((id, _), line) in own.iter().zip(lines) {
                let (Some(line), Some(directory)) = (line, tasks.of(&self.source, id.pid)) else { continue };
                let Some(seen) = self.threads.get_mut(id) else { continue };
                if seen.turns.is_some()
                    && turns(directory, id.tid) == seen.turns
                    && let Some(wait) = &mut seen.wait
                {
                    Wait::of_ones_own(wait).at = Some(line.into());
                }
            }
        }
    }

    /// The answer: of the whole machine, or of the `wanted` threads alone; whoever else may act,
    /// or does nothing, is named in words.
    pub(super) fn graph(
        &mut self,
        analysis: &Analysis,
        wanted: &BTreeSet<ThreadId>,
        (whole, began): (bool, Nanos),
    ) -> WaitGraph {
        let mut others = Vec::new();
        for doubt in &analysis.doubts {
            if whole || doubt.threads.iter().any(|id| wanted.contains(id)) {
                others.extend_from_slice(&doubt.threads);
                others.push(doubt.by);
            }
        }
        let mut pids: Vec<Pid> = Vec::new();
        for id in analysis.deadlocks.iter().flat_map(|dead| &dead.cycle) {
            if wanted.contains(id) && pids.last() != Some(&id.pid) {
                pids.push(id.pid);
            }
        }
        self.locate(wanted);
        let scanned = Scanned { processes: self.processes.len(), threads: self.threads.len() };
        let mut threads = Vec::with_capacity(wanted.len());
        let mut tasks = Tasks::default();
        let deadline = clock::monotonic() + DATING;
        let exact = if self.watched { 0 } else { DATED };
        let mut dating = (0..exact).take_while(|_| clock::monotonic() < deadline);
        let told = analysis.verdicts.iter().zip(&analysis.matters);
        for ((id, seen), (&verdict, &matters)) in self.threads.iter_mut().zip(told) {
            if !wanted.contains(id) && !others.contains(id) && !pids.contains(&id.pid) {
                continue;
            }
            if let Some(wait) = seen.wait.as_mut().filter(|_| matters) {
                let why = if verdict.is_for_ever() { ALL_SLEEP } else { PERHAPS };
                Wait::of_ones_own(wait).evidence.push(why.to_owned());
            }
            if let Some(wait) = seen.wait.as_mut().filter(|wait| wait.since.is_none() && !seen.kernel)
                && let Some(directory) = tasks.of(&self.source, id.pid)
            {
                let source = &mut self.source;
                let mut exactly = || last_ran_on(seen.cpu, directory, id.tid, seen.started, source);
                let since = dating.next().and_then(|_| exactly()).or_else(|| {
                    let (root, clock) = (Arc::clone(self.source.root()), &mut self.source.scheduler_clock);
                    seen.ran.or_else(|| last_run_in(directory, id.tid, seen.started, &root, clock))?.at
                });
                Wait::of_ones_own(wait).since = since;
            }
            let Seen { process, thread, state, wait, .. } = seen;
            let (process, thread, wait) = (process.clone(), thread.clone(), wait.clone());
            threads.push(GraphThread { id: *id, process, thread, state: *state, wait, verdict });
        }
        self.source.world.rest();
        sorting::by_key(&mut self.unreadable, |process| process.pid);
        let shown = |dead: &&crate::model::graph::Deadlock| dead.stuck.iter().any(|id| wanted.contains(id));
        let mut graph = WaitGraph {
            threads,
            deadlocks: analysis.deadlocks.iter().filter(shown).cloned().collect(),
            unclaimed: Vec::new(),
            unreadable: std::mem::take(&mut self.unreadable),
            scanned,
            took: Nanos::ZERO,
        };
        unclaimed::tell(&mut graph, &analysis.doubts);
        graph.threads.retain(|thread| wanted.contains(&thread.id));
        graph.took = clock::monotonic().since(began);
        graph
    }
}
