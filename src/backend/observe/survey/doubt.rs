//! Locks that say who holds them, in memory that several processes share altogether
//! ([`shared_space`](crate::backend::observe::wait::shared_space)).

use std::collections::BTreeMap;

use super::Surveyor;
use crate::backend::observe::wait::Sharer;
use crate::backend::observe::wait::shared_space::{forget_holder, says_holder};
use crate::model::Pid;
use crate::model::graph::ThreadId;
use crate::model::wait::Wait;

impl Surveyor {
    /// Names nobody any more for those locks that these threads wait for where the word
    /// may be another's; whether there are any.
    pub(super) fn doubt(&mut self, ids: Vec<ThreadId>) -> bool {
        let mut sharing: BTreeMap<Pid, Option<Sharer>> = BTreeMap::new();
        let mut any = false;
        for id in ids {
            let Some(wait) = self.threads.get(&id).and_then(|seen| seen.wait.as_deref()) else { continue };
            if !says_holder(wait) {
                continue;
            }
            let world = &self.source.world;
            let mut other_of = |pid: Pid| *sharing.entry(pid).or_insert_with(|| world.shares_space_with(pid));
            let mut pids = std::iter::once(id.pid).chain(wait.holders.iter().map(|holder| holder.pid));
            let Some(other) = pids.find_map(&mut other_of) else { continue };
            if let Some(wait) = self.threads.get_mut(&id).and_then(|seen| seen.wait.as_mut()) {
                forget_holder(Wait::of_ones_own(wait), other);
                any = true;
            }
        }
        any
    }
}
