//! The sentences that are checked while the threads run, with their counts.

use super::crew::Crew;
use super::overlap::{self, Overlap};
use crate::model::lock::{Invariant, Trace, Violation};

const NAME: &str = "mutual exclusion";
const FORMULA: &str = "∀ t₁,t₂,τ  holds(t₁,M,τ) ∧ holds(t₂,M,τ) ⇒ t₁ = t₂";
const IN_TIME: &str = "∀ i≠j  [gotᵢ, releasedᵢ) ∩ [gotⱼ, releasedⱼ) = ∅";

/// Counts that must agree when all threads are at rest: what the threads
/// counted outside, and what was counted inside the lock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Conserved {
    checked: u64,
    lost: u64,
    /// Both counts when the threads rested last; nothing where they did not
    /// all come to rest.
    last: Option<(u64, u64)>,
}

impl Conserved {
    /// Takes the counts at rest; what was counted since the last rest is
    /// checked where it is not checked otherwise.
    pub(super) fn settle(&mut self, crew: &Crew, rested: bool, checked_otherwise: bool) {
        let now = rested.then(|| (crew.laps(), crew.subject.counted()));
        if let (Some(last), Some(now), false) = (self.last, now, checked_otherwise) {
            let laps = now.0 - last.0;
            self.checked += laps;
            self.lost += laps.abs_diff(now.1 - last.1);
        }
        self.last = now;
    }
}

/// What was checked since the worker started.
pub(super) fn checked(crew: &Crew, conserved: &Conserved, overlap: &Overlap, trace: Trace) -> Vec<Invariant> {
    let checks = crew.seats.iter().map(|seat| seat.tally.checks());
    let (checked, violations) = checks.fold((conserved.checked, conserved.lost), |a, b| (a.0 + b.0, a.1 + b.1));
    let how = if trace == Trace::Off {
        "recording is off: no count may be lost, compared whenever the threads rest"
    } else {
        "the words inside the lock, on entering and on leaving, every acquisition"
    };
    let mut all = vec![Invariant { name: NAME.into(), formula: FORMULA.into(), how: how.into(), checked, violations }];
    if trace == Trace::Ordered {
        all.push(Invariant {
            name: overlap::NAME.into(),
            formula: IN_TIME.into(),
            how: "ordered stamps, every acquisition that was read from the rings".into(),
            checked: overlap.checked,
            violations: overlap.violations,
        });
    }
    all
}

/// The first violations of either check; those with times first.
pub(super) fn violations(crew: &Crew, overlap: &Overlap) -> Vec<Violation> {
    let in_data = crew.seats.iter().enumerate().filter_map(|(thread, seat)| {
        let intruder = seat.tally.intruder()?;
        Some(Violation { invariant: NAME.into(), holders: [thread, intruder], held: None })
    });
    overlap.first.iter().cloned().chain(in_data.take(overlap::KEPT)).collect()
}
