//! Who descends from a child: its tree, the orphans of it, its zombies.
//!
//! A process belongs where its parent does, where its session or process group
//! is the child's, or where it bears the child's brand, which a daemon keeps
//! that has left all of these. Of processes that were seen to belong the start time
//! is kept, so that a number used again means nobody. After the child was
//! reaped its number may be another's; who has it for a session or group and
//! was started before that belongs nevertheless: a number is not given away
//! while it is anybody's session or group.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use crate::model::life::Relative;
use crate::model::{Pid, text};
use crate::sys::brand::Brand;
use crate::sys::pidfd::Pidfd;
use crate::sys::proc_tree::{self, Kin};

/// All processes, by what ties them together.
#[derive(Debug, Default)]
pub(super) struct Kinship {
    all: Vec<Kin>,
    by_pid: HashMap<Pid, usize>,
    children: HashMap<Pid, Vec<usize>>,
    groups: HashMap<Pid, Vec<usize>>,
    sessions: HashMap<Pid, Vec<usize>>,
    brands: HashMap<Brand, Vec<usize>>,
}

impl Kinship {
    /// Reads them.
    pub(super) fn read() -> Self {
        Kinship::of(proc_tree::scan())
    }

    fn of(all: Vec<Kin>) -> Self {
        let mut kinship = Kinship::default();
        for (index, kin) in all.iter().enumerate() {
            kinship.by_pid.insert(kin.pid, index);
            kinship.children.entry(kin.parent).or_default().push(index);
            kinship.groups.entry(kin.group).or_default().push(index);
            kinship.sessions.entry(kin.session).or_default().push(index);
            if let Some(brand) = kin.brand {
                kinship.brands.entry(brand).or_default().push(index);
            }
        }
        kinship.all = all;
        kinship
    }

    fn get(&self, pid: Pid) -> Option<&Kin> {
        self.by_pid.get(&pid).map(|index| &self.all[*index])
    }

    fn list<'a, K: Eq + Hash>(&'a self, map: &'a HashMap<K, Vec<usize>>, key: &K) -> impl Iterator<Item = &'a Kin> {
        map.get(key).into_iter().flatten().map(|index| &self.all[*index])
    }
}

/// A child's family, over time.
#[derive(Debug)]
pub(super) struct Family {
    root: Pid,
    /// Whether the child leads a session or a group that bears its number.
    leads: bool,
    /// What all that descends from it bears.
    brand: Option<Brand>,
    /// When the child was reaped, in clock ticks since boot.
    reaped: Option<u64>,
    /// Who belongs, with their start times; without the child itself.
    known: BTreeMap<Pid, u64>,
}

impl Family {
    /// Of a child that runs.
    pub(super) fn new(root: Pid, leads: bool, brand: Option<Brand>) -> Self {
        Family { root, leads, brand, reaped: None, known: BTreeMap::new() }
    }

    /// The child was reaped at this time, in clock ticks since boot.
    pub(super) fn lost_root(&mut self, ticks: u64) {
        self.reaped = Some(ticks);
    }

    /// Takes in who belongs by now, and drops who is gone.
    pub(super) fn look(&mut self, now: &Kinship) {
        self.known.retain(|pid, started| now.get(*pid).is_some_and(|kin| kin.started == *started));
        let mut queue: Vec<Pid> = self.known.keys().copied().collect();
        if self.reaped.is_none() {
            queue.push(self.root);
        }
        if self.leads {
            let tied = now.list(&now.sessions, &self.root).chain(now.list(&now.groups, &self.root));
            let ours = tied.filter(|kin| self.reaped.is_none_or(|reaped| kin.started < reaped));
            for kin in ours.filter(|kin| kin.pid != self.root) {
                if self.known.insert(kin.pid, kin.started).is_none() {
                    queue.push(kin.pid);
                }
            }
        }
        for kin in self.brand.iter().flat_map(|brand| now.list(&now.brands, brand)) {
            let is_child = kin.pid == self.root && self.reaped.is_none();
            if !is_child && self.known.insert(kin.pid, kin.started).is_none() {
                queue.push(kin.pid);
            }
        }
        while let Some(pid) = queue.pop() {
            for kin in now.list(&now.children, &pid) {
                if self.known.insert(kin.pid, kin.started).is_none() {
                    queue.push(kin.pid);
                }
            }
        }
    }

    /// The family as a tree, parents before their children.
    pub(super) fn relatives(&self, now: &Kinship) -> Vec<Relative> {
        let mut relatives = Vec::with_capacity(self.known.len());
        let belongs = |pid: Pid| (pid == self.root && self.reaped.is_none()) || self.known.contains_key(&pid);
        let orphans = self.known.keys().filter_map(|pid| now.get(*pid)).filter(|kin| !belongs(kin.parent));
        let orphans: Vec<Pid> = orphans.map(|kin| kin.pid).collect();
        if self.reaped.is_none() {
            self.descend(self.root, 1, now, &mut relatives);
        }
        for pid in orphans {
            self.add(pid, 1, true, now, &mut relatives);
        }
        relatives
    }

    fn descend(&self, pid: Pid, depth: u16, now: &Kinship, out: &mut Vec<Relative>) {
        let mut children: Vec<Pid> = now.list(&now.children, &pid).map(|kin| kin.pid).collect();
        children.sort_unstable();
        for child in children.into_iter().filter(|child| self.known.contains_key(child)) {
            self.add(child, depth, false, now, out);
        }
    }

    fn add(&self, pid: Pid, depth: u16, orphan: bool, now: &Kinship, out: &mut Vec<Relative>) {
        let Some(kin) = now.get(pid) else { return };
        let name = text::visible_arc(&kin.name);
        out.push(Relative { pid, parent: kin.parent, depth, name, state: char::from(kin.state), orphan });
        // A tree deeper than any screen: the rest would stand in one column.
        self.descend(pid, depth.saturating_add(1), now, out);
    }

    /// The family's processes, held by descriptors: only those that still are
    /// who was seen.
    pub(super) fn open(&self, now: &Kinship) -> Vec<(Kin, Pidfd)> {
        let alive = self.known.keys().filter_map(|pid| now.get(*pid)).filter(|kin| kin.state != b'Z');
        alive.filter_map(|kin| Some((kin.clone(), proc_tree::open(kin)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kin(pid: Pid, parent: Pid, session: Pid, started: u64) -> Kin {
        let name = format!("p{pid}").into_bytes();
        Kin { pid, parent, group: session, session, state: b'S', started, name, brand: None }
    }

    fn tree(family: &Family, now: &Kinship) -> Vec<(Pid, u16, bool)> {
        family.relatives(now).iter().map(|relative| (relative.pid, relative.depth, relative.orphan)).collect()
    }

    #[test]
    fn descendants_orphans_and_daemons_are_told_apart() {
        let mut family = Family::new(10, true, None);
        let before = Kinship::of(vec![
            kin(1, 0, 1, 0),
            kin(10, 5, 10, 100),
            kin(11, 10, 10, 101),
            kin(12, 11, 10, 102),
            kin(13, 11, 13, 103),
            kin(20, 5, 20, 50),
        ]);
        family.look(&before);
        assert_eq!(tree(&family, &before), [(11, 1, false), (12, 2, false), (13, 2, false)]);
        // 11 ends: its children are init's now, one of them in a session of
        // its own, and both still belong.
        let after = Kinship::of(vec![kin(1, 0, 1, 0), kin(10, 5, 10, 100), kin(12, 1, 10, 102), kin(13, 1, 13, 103)]);
        family.look(&after);
        assert_eq!(tree(&family, &after), [(12, 1, true), (13, 1, true)]);
    }

    #[test]
    fn a_number_used_again_is_nobody_s_relative() {
        let mut family = Family::new(10, true, None);
        family.look(&Kinship::of(vec![kin(10, 5, 10, 100), kin(11, 10, 10, 101), kin(12, 10, 10, 101)]));
        family.lost_root(200);
        // Another process has the number 10 and a session of that name; 12 is
        // another's too. 11 and who was started in the old session belong.
        let now = Kinship::of(vec![
            kin(10, 1, 10, 300),
            kin(30, 10, 10, 301),
            kin(11, 1, 10, 101),
            kin(12, 1, 12, 250),
            kin(14, 1, 10, 150),
        ]);
        family.look(&now);
        assert_eq!(tree(&family, &now), [(11, 1, true), (14, 1, true)]);
        family.look(&Kinship::of(vec![kin(10, 1, 10, 300)]));
        assert!(family.known.is_empty());
    }

    #[test]
    fn a_child_in_our_own_group_has_nobody_but_its_descendants() {
        let mut family = Family::new(10, false, None);
        family.look(&Kinship::of(vec![kin(10, 5, 5, 100), kin(11, 10, 5, 101), kin(6, 5, 10, 90)]));
        assert_eq!(family.known.keys().collect::<Vec<_>>(), [&11]);
    }
}
