//! The children at the program's end.

use super::Loop;
use crate::backend::children::child::Child;
use crate::backend::children::family::Kinship;
use crate::backend::children::signals::ROUNDS;
use crate::model::Nanos;
use crate::sys::clock;
use crate::sys::pidfd::Pidfd;

/// How long children may take after SIGTERM when the program ends.
const GRACE: Nanos = Nanos::from_millis(500);
/// How long they are waited for after SIGKILL.
const PATIENCE: Nanos = Nanos::from_secs(2);

impl Loop {
    /// SIGTERM to each living child's tree, SIGKILL after the grace; those that
    /// are to go on are left alone.
    pub(super) fn end_all(&mut self) {
        let mut living: Vec<&mut Child> =
            self.children.values_mut().filter(|child| child.lives() && child.ends_with_us()).collect();
        if !living.is_empty() {
            let now = Kinship::read();
            for child in &mut living {
                child.strike(&[libc::SIGTERM, libc::SIGCONT], &now);
            }
            let deadline = clock::monotonic() + GRACE;
            let within_grace = |pidfd: &Pidfd| pidfd.ended(Some(deadline.since(clock::monotonic()).into()));
            for process in living.iter().filter_map(|child| child.process.as_ref()) {
                let _ = within_grace(&process.pidfd);
            }
            // Whoever descends from them has the same time to clean up.
            let families = living.iter().filter_map(|child| child.family.as_ref());
            for (_, pidfd) in families.flat_map(|family| family.open(&now)) {
                let _ = within_grace(&pidfd);
            }
            // Whoever is left of the trees, and whoever they started meanwhile.
            for _ in 0..ROUNDS {
                let now = Kinship::read();
                let reached: usize = living.iter_mut().map(|child| child.strike(&[libc::SIGKILL], &now)).sum();
                if reached == 0 {
                    break;
                }
            }
        }
        // Who has become somebody else, or sleeps where no signal wakes, cannot be
        // waited for.
        let deadline = clock::monotonic() + PATIENCE;
        for child in living {
            if let Some(process) = &child.process {
                let _ = process.pidfd.ended(Some(deadline.since(clock::monotonic()).into()));
            }
            child.reap();
        }
        self.look_at_families();
        self.publish(clock::monotonic());
    }
}
