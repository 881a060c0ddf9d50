//! Holders of locks that do not store them, named by what every thread of the
//! process would do next ([`infer`](super::super::infer)).

use std::collections::BTreeSet;

use super::Surveyor;
use super::read::Seen;
use crate::backend::observe::infer::{self, Inference, Sleeper};
use crate::backend::observe::wait::Call;
use crate::model::Pid;
use crate::model::graph::ThreadId;
use crate::model::sorting;
use crate::model::wait::{Certainty, Wait};

impl Surveyor {
    /// Names the holders of locks that do not store them, by what every thread of
    /// the process would let go of. Whoever has run since it was read is not
    /// named.
    pub(super) fn infer(&mut self) {
        let open = |seen: &Seen| seen.wait.as_deref().is_some_and(infer::is_open);
        let pids = sorting::set(self.threads.iter().filter(|(_, seen)| open(seen)).map(|(id, _)| id.pid));
        for pid in pids {
            if self.abandoned.is_some() {
                return;
            }
            self.infer_in(pid, |_| true);
        }
    }

    /// As [`Surveyor::infer`], of those threads of one process that are `asked_for`.
    pub(super) fn infer_in(&mut self, pid: Pid, asked_for: impl Fn(Pid) -> bool) {
        let range = ThreadId { pid, tid: 0 }..=ThreadId { pid, tid: Pid::MAX };
        let mut running = 0;
        let mut sleepers = Vec::new();
        for (id, seen) in self.threads.range(range.clone()) {
            match seen.call {
                Call::Blocked { ref call, sp, pc } => {
                    sleepers.push(Sleeper { tid: id.tid, sp, pc, call, wait: seen.wait.as_deref() });
                }
                _ if seen.ended() => {}
                _ => running += 1,
            }
        }
        self.progress.enter(pid);
        let world = &mut self.source.world;
        let inference = Inference::of(world, pid, &sleepers, running);
        let mut named = BTreeSet::new();
        for (id, seen) in self.threads.range_mut(range.clone()) {
            if asked_for(id.tid)
                && seen.wait.as_deref().is_some_and(infer::is_open)
                && let Some(wait) = &mut seen.wait
            {
                let wait = Wait::of_ones_own(wait);
                inference.name(world, (pid, id.tid), wait);
                named.extend(wait.holders.iter().filter_map(|holder| holder.tid));
            }
        }
        self.leave();
        let moved = self.moved(pid, &named);
        for (_, seen) in self.threads.range_mut(range) {
            let Some(wait) = seen.wait.as_mut().filter(|wait| wait.certainty == Certainty::Inferred) else { continue };
            if wait.holders.iter().any(|holder| holder.tid.is_some_and(|tid| moved.contains(&tid))) {
                let wait = Wait::of_ones_own(wait);
                wait.holders.clear();
                (wait.partial, wait.queued) = (true, false);
                wait.certainty = Certainty::Unknown;
                wait.evidence.push("but it has run while it was read".to_owned());
            }
        }
    }
}
