//! Signals to a child, its group or its tree, and its graceful end.
//!
//! Nothing here can reach a stranger. The child itself is meant by its pidfd.
//! Its group's number is its own as long as it was not reaped, and this thread
//! is the only one that reaps it; afterwards the members of the group are
//! meant one by one, as those of a tree always are: by a pidfd that was opened
//! first and compared with the start time that was seen.

use std::time::Duration;

use rustix::io::Errno;

use super::child::Child;
use super::family::Kinship;
use super::hearing;
use crate::model::launch::Grouping;
use crate::model::life::{Happening, Target, Unheard};
use crate::model::{Fault, Nanos, Pid, signal};
use crate::sys::clock;
use crate::sys::pidfd::{self, Pidfd};
use crate::sys::spawn::reason;

/// A tree that grows while it is being killed is looked at so often.
pub(super) const ROUNDS: usize = 8;

/// What became of a signal.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reached {
    /// To how many processes it was sent, where that is known.
    pub(super) count: Option<usize>,
    /// Why it does nothing to the child, where that is known.
    pub(super) unheard: Option<Unheard>,
}

impl Child {
    /// Sends a signal; returns how many processes it was sent to, where that is
    /// known, and why it does nothing, where it does.
    pub(super) fn signal(&mut self, number: i32, target: Target) -> Result<Reached, Fault> {
        let name = signal::name(number);
        let unheard = self.unheard(number, target);
        let reached = match target {
            Target::Child => self.signal_alone(number).map(|()| Some(1)),
            Target::Group if self.spec.attributes.grouping == Grouping::Inherit => {
                return Err(self.fault(&format!("{name} was not sent: its process group is the dashboard's own")));
            }
            Target::Group if self.lives() => self.signal_group(number).map(|()| None),
            Target::Group => self.signal_left_in_group(number),
            Target::Tree => self.signal_tree(number),
        };
        match reached {
            Ok(count) => {
                self.life.note(Happening::Signalled { signal: number, target, unheard });
                self.touch();
                Ok(Reached { count, unheard })
            }
            Err(Errno::SRCH) if target == Target::Group && self.lives() => {
                Err(self.fault(&format!("{name} was not sent: it has left its process group, and nobody is in that")))
            }
            Err(Errno::SRCH) => Err(self.fault(&format!("{name} was not sent: it has ended"))),
            Err(errno) => Err(self.fault(&format!("{name} was not sent: {}", reason(errno)))),
        }
    }

    /// Asks it to end, and sees to it after `grace`.
    pub(super) fn end(&mut self, target: Target, grace: Nanos) -> Result<(), Fault> {
        let waited = self.life.next_start.is_some();
        self.life.told_to_end();
        if waited && !self.lives() {
            self.touch();
            return Ok(());
        }
        self.signal(libc::SIGTERM, target)?;
        // One that is stopped does not hear of it before it goes on. It may
        // have ended already.
        let _ = match target {
            Target::Child => self.signal_alone(libc::SIGCONT).map(|()| None),
            Target::Group => self.signal_group(libc::SIGCONT).map(|()| None),
            Target::Tree => self.signal_tree(libc::SIGCONT),
        };
        self.life.kill_at = Some(clock::monotonic() + grace);
        self.ending = target;
        self.touch();
        Ok(())
    }

    /// The grace time is over: kills who is left of those that were asked.
    pub(super) fn grace_is_over(&mut self) {
        self.life.kill_at = None;
        let left = match self.ending {
            Target::Child => self.lives(),
            Target::Group | Target::Tree => true,
        };
        // Nobody left is what was wanted.
        if left {
            let _ = self.signal(libc::SIGKILL, self.ending);
        }
    }

    /// Sends signals to it and to all of its tree that `now` tells of; returns
    /// how many of them were reached.
    pub(super) fn strike(&mut self, numbers: &[i32], now: &Kinship) -> usize {
        self.look_at_family(now);
        let tree = self.family.as_ref().map(|family| family.open(now)).unwrap_or_default();
        let ended = |pidfd: &Pidfd| matches!(pidfd.ended(Some(Duration::ZERO)), Ok(true));
        let mut reached = 0;
        for &number in numbers {
            // One that is gone needs no signal.
            let _ = self.signal_alone(number);
            if self.spec.attributes.grouping != Grouping::Inherit {
                let _ = self.signal_group(number);
            }
            reached = tree.iter().filter(|(_, pidfd)| !ended(pidfd) && pidfd.send(number).is_ok()).count();
        }
        reached
    }

    /// Asked before it is sent: it may have ended afterwards.
    fn unheard(&self, number: i32, target: Target) -> Option<Unheard> {
        let process = self.process.as_ref().filter(|_| self.lives())?;
        let unheard = hearing::unheard(process.pid, number)?;
        match target {
            Target::Child => Some(unheard),
            // What the child ignores another may hear.
            Target::Group => Some(unheard).filter(|why| *why == Unheard::Orphaned),
            Target::Tree => None,
        }
    }

    fn signal_alone(&self, number: i32) -> Result<(), Errno> {
        match self.process.as_ref().filter(|_| self.lives()) {
            Some(process) => process.pidfd.send(number),
            None => Err(Errno::SRCH),
        }
    }

    fn signal_group(&self, number: i32) -> Result<(), Errno> {
        let process = self.process.as_ref().filter(|_| self.lives()).ok_or(Errno::SRCH)?;
        pidfd::send_to_group(process.pid, number)
    }

    /// To everybody, also to those who come into being meanwhile.
    fn signal_tree(&mut self, number: i32) -> Result<Option<usize>, Errno> {
        let alone = self.signal_alone(number);
        let mut reached = usize::from(alone.is_ok());
        let mut told: Vec<(Pid, u64)> = Vec::new();
        for _ in 0..ROUNDS {
            let now = Kinship::read();
            self.look_at_family(&now);
            let Some(family) = &self.family else { break };
            let before = told.len();
            for (kin, pidfd) in family.open(&now) {
                let who = (kin.pid, kin.started);
                if !told.contains(&who) {
                    told.push(who);
                    reached += usize::from(pidfd.send(number).is_ok());
                }
            }
            if told.len() == before {
                break;
            }
        }
        match alone {
            // Where it lives, the reason is its own.
            Err(error) if reached == 0 => Err(error),
            _ => Ok(Some(reached)),
        }
    }

    /// To those of its group that outlived it.
    fn signal_left_in_group(&mut self, number: i32) -> Result<Option<usize>, Errno> {
        let now = Kinship::read();
        self.look_at_family(&now);
        let group = self.process.as_ref().map(|process| process.pid);
        let family = self.family.as_ref().ok_or(Errno::SRCH)?;
        let meant = family.open(&now).into_iter().filter(|(kin, _)| Some(kin.group) == group);
        let reached = meant.filter(|(_, pidfd)| pidfd.send(number).is_ok()).count();
        if reached == 0 { Err(Errno::SRCH) } else { Ok(Some(reached)) }
    }
}
