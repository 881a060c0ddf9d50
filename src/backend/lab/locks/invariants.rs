//! The sentences that are checked while the threads run, with their counts.

use super::Sentence;
use super::crew::Crew;
use super::overlap::{self, Overlap};
use crate::model::lock::{Invariant, LockSetting, Trace, Violation};

const IN_TIME: &str = "∀ i≠j  [gotᵢ, releasedᵢ) ∩ [gotⱼ, releasedⱼ) = ∅";
const UNLESS_SHARED: &str = "∀ i≠j  ¬(readsᵢ ∧ readsⱼ) ⇒ [gotᵢ, releasedᵢ) ∩ [gotⱼ, releasedⱼ) = ∅";

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
        let countable = || crew.seats.iter().map(|seat| crew.subject.countable(seat)).sum::<u64>();
        let now = rested.then(|| Some((countable(), crew.subject.counted()?))).flatten();
        if let (Some(last), Some(now), false) = (self.last, now, checked_otherwise) {
            let laps = now.0 - last.0;
            self.checked += laps;
            self.lost += laps.abs_diff(now.1 - last.1);
        }
        self.last = now;
    }
}

/// What was checked since the worker started.
pub(super) fn checked(crew: &Crew, conserved: &Conserved, overlap: &Overlap, setting: &LockSetting) -> Vec<Invariant> {
    let off = setting.trace == Trace::Off;
    let of = |(index, sentence): (usize, &Sentence)| {
        let (mut checked, mut violations) = if index == 0 { (conserved.checked, conserved.lost) } else { (0, 0) };
        for (more, failed) in crew.seats.iter().map(|seat| seat.tally.checks(index)) {
            checked += more;
            violations += failed;
        }
        let counted = off && index == 0 && crew.subject.counted().is_some();
        let how = match off {
            true if counted => "recording is off: no count may be lost, compared whenever the threads rest",
            true => "recording is off: not checked",
            false => sentence.how,
        };
        Invariant { name: sentence.name.into(), formula: sentence.formula.into(), how: how.into(), checked, violations }
    };
    let mut all: Vec<_> = crew.subject.sentences().iter().enumerate().map(of).collect();
    if setting.trace == Trace::Ordered && crew.subject.excludes_in_time() {
        all.push(Invariant {
            name: overlap::NAME.into(),
            formula: if crew.family.reads() { UNLESS_SHARED } else { IN_TIME }.into(),
            how: "ordered stamps, every acquisition that was read from the rings".into(),
            checked: overlap.checked,
            violations: overlap.violations,
        });
    }
    all
}

/// The first violations of either check; those with times first.
pub(super) fn violations(crew: &Crew, overlap: &Overlap) -> Vec<Violation> {
    let sentences = crew.subject.sentences().iter().enumerate();
    let in_data = sentences.flat_map(|(index, sentence)| {
        crew.seats.iter().enumerate().filter_map(move |(thread, seat)| {
            let other = seat.tally.other(index)?;
            let words = sentence.words.map(|words| words(thread, other));
            Some(Violation { invariant: sentence.name.into(), holders: [thread, other], held: None, words })
        })
    });
    overlap.first.iter().cloned().chain(in_data.take(overlap::KEPT)).collect()
}
