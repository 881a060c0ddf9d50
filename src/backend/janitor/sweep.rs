//! Ends children with their trees.
//!
//! A child's tree is itself, its descendants, where it leads a process group or
//! a session, whoever is in that, and whoever bears its [brand](Brand): so a
//! daemon that made itself a session and was orphaned belongs, too. It is
//! followed while it falls: a process that is told to end may start another
//! first.

use std::collections::HashMap;
use std::time::Duration;

use super::Role;
use crate::model::{Nanos, Pid};
use crate::sys::brand::Brand;
use crate::sys::clock;
use crate::sys::pidfd::Pidfd;
use crate::sys::priority::{self, RealTime};
use crate::sys::proc_tree::{self, Kin};

/// How long a user's child may take after SIGTERM.
pub(crate) const GRACE: Nanos = Nanos::from_millis(300);
/// How often the tree is looked at while it falls.
const LOOK: Nanos = Nanos::from_millis(120);
/// How long to wait after SIGKILL: a process in an uninterruptible sleep dies
/// when that ends, with nobody waiting.
const PATIENCE: Nanos = Nanos::from_secs(5);

/// A child to end.
pub(super) struct Root {
    pub(super) role: Role,
    pub(super) pidfd: Pidfd,
    pub(super) brand: Option<Brand>,
}

/// Kills the workers whose descendants their brand tells, and does not wait.
///
/// Others may keep the CPUs busy, and dying takes a turn on one, too. Whoever may
/// goes before all that is not real-time, and has the dying do so.
pub(super) fn kill_workers(roots: &[Root]) {
    let urgent = |pid: Pid| priority::set_real_time_of(pid, RealTime::RoundRobin, 1);
    let may = urgent(0).is_ok();
    for worker in roots.iter().filter(|root| root.role == Role::Worker && root.brand.is_some()) {
        // It may have ended by itself. One that is dying keeps its number until
        // it is reaped, and a number that was freed a moment ago is the last to
        // be given away again.
        let killed = worker.pidfd.send(libc::SIGKILL);
        if let Some(pid) = proc_tree::pid_of(&worker.pidfd).filter(|_| may && killed.is_ok()) {
            let _ = urgent(pid);
        }
    }
}

/// Ends them all and returns when they are gone.
pub(super) fn end_all(roots: Vec<Root>) {
    let mut tree = Tree::default();
    for root in roots {
        // Its descendants may be there where it is not.
        tree.brands.extend(root.brand.map(|brand| (brand, root.role)));
        // A child that is gone already has no pid any more.
        if let Some(kin) = proc_tree::pid_of(&root.pidfd).and_then(proc_tree::of) {
            let member = Member { role: root.role, pidfd: root.pidfd, started: kin.started, leads: true };
            tree.members.insert(kin.pid, member);
        }
    }
    tree.grow();
    if tree.members.is_empty() {
        return;
    }
    tree.signal(Role::Worker, &[libc::SIGKILL]);
    // A stopped process cannot end before it goes on.
    tree.signal(Role::User, &[libc::SIGTERM, libc::SIGCONT]);
    tree.wait_while_growing(GRACE, &[libc::SIGTERM, libc::SIGCONT]);
    // Nobody may start another while we look.
    tree.signal_all(libc::SIGSTOP);
    while tree.grow() {
        tree.signal_all(libc::SIGSTOP);
    }
    tree.signal_all(libc::SIGKILL);
    tree.wait_while_growing(PATIENCE, &[libc::SIGKILL]);
}

#[derive(Default)]
struct Tree {
    members: HashMap<Pid, Member>,
    brands: HashMap<Brand, Role>,
}

struct Member {
    role: Role,
    pidfd: Pidfd,
    /// Tells it from a later process with the same number.
    started: u64,
    /// Whether it was registered, so that its group and session count.
    leads: bool,
}

impl Tree {
    /// Takes in who belongs to the tree and was not known; whether there was
    /// anybody.
    fn grow(&mut self) -> bool {
        let all = proc_tree::scan();
        let started: HashMap<Pid, u64> = all.iter().map(|kin| (kin.pid, kin.started)).collect();
        let before = self.members.len();
        loop {
            let found = all.iter().filter_map(|kin| Some((kin, self.role_of(kin, &started)?)));
            let found: Vec<(&Kin, Role)> = found.collect();
            let known = self.members.len();
            for (kin, role) in found {
                if let Some(pidfd) = proc_tree::open(kin) {
                    self.members.insert(kin.pid, Member { role, pidfd, started: kin.started, leads: false });
                }
            }
            if self.members.len() == known {
                return known > before;
            }
        }
    }

    /// The role of a stranger who belongs to the tree. The number of a group
    /// or a session is not given to another process while anybody is in it,
    /// that of a parent could have been: `started` tells.
    fn role_of(&self, kin: &Kin, started: &HashMap<Pid, u64>) -> Option<Role> {
        if self.members.contains_key(&kin.pid) || kin.pid == std::process::id() as Pid {
            return None;
        }
        let member = |id: Pid| Some((self.members.get(&id)?, started.get(&id)));
        let parent = member(kin.parent).filter(|(member, now)| *now == Some(&member.started));
        let leader = |id: Pid| {
            member(id).filter(|(member, now)| member.leads && now.is_none_or(|started| *started == member.started))
        };
        let by = parent.or_else(|| leader(kin.group)).or_else(|| leader(kin.session));
        by.map(|(member, _)| member.role).or_else(|| self.brands.get(&kin.brand?).copied())
    }

    fn signal(&self, role: Role, signals: &[i32]) {
        for member in self.members.values().filter(|member| member.role == role) {
            for &signal in signals {
                // One that is gone, or that has become somebody else's, cannot
                // be helped.
                let _ = member.pidfd.send(signal);
            }
        }
    }

    fn signal_all(&self, signal: i32) {
        self.signal(Role::User, &[signal]);
        self.signal(Role::Worker, &[signal]);
    }

    /// Waits until all are gone or the time is over. New ones get `signals`.
    fn wait_while_growing(&mut self, time: Nanos, signals: &[i32]) {
        let deadline = clock::monotonic() + time;
        let mut look = clock::monotonic() + LOOK;
        while clock::monotonic() < deadline {
            let ended = |member: &&Member| matches!(member.pidfd.ended(Some(Duration::ZERO)), Ok(true));
            let Some(alive) = self.members.values().find(|member| !ended(member)) else {
                if !self.tell_newcomers(signals) {
                    return;
                }
                continue;
            };
            let pause = look.min(deadline).since(clock::monotonic());
            // Whether it ended is seen above.
            let _ = alive.pidfd.ended(Some(pause.into()));
            if clock::monotonic() >= look {
                self.tell_newcomers(signals);
                look = clock::monotonic() + LOOK;
            }
        }
    }

    fn tell_newcomers(&mut self, signals: &[i32]) -> bool {
        let known: Vec<Pid> = self.members.keys().copied().collect();
        let grew = self.grow();
        for (_, member) in self.members.iter().filter(|(pid, _)| !known.contains(pid)) {
            for &signal in signals {
                let _ = member.pidfd.send(signal);
            }
        }
        grew
    }
}
