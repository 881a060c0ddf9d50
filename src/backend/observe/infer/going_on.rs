//! What a thread does once its system call has returned, as far as it can be followed, and
//! whether that says what it would do with a lock.

use super::beginning::{Beginning, beginning, once_got};
use super::{NAMELESS_STEPS, PARKING, STEPS, Sleeper, held};
use crate::backend::observe::rehearsal::{Memory, Outcome, Stage, Through, Written, onward, supposed};
use crate::backend::observe::target::unwind::Walk;
use crate::backend::observe::wait::{CodeOf, parking_lot};

/// What a thread does behind its system call, if that returns.
pub(super) fn going_on(code: &CodeOf<'_>, sleeper: &Sleeper<'_>, walk: &Walk, locks: &[u64]) -> Option<Outcome> {
    let place: (&Memory<'_>, &dyn Stage) = (code.memory, code.stage);
    if let Some(end) = sleeper.wait.and_then(|wait| parking_lot::end(wait, sleeper.call, code.memory)) {
        let is_named = |pc| code.stage.function(pc).name.is_some_and(|name| parking_lot::is_ours(&name));
        let named = walk.frames.iter().take(PARKING).any(|frame| is_named(frame.registers.pc - 1));
        if end.always || !named {
            return going_on_from(code, sleeper, walk, &end, (locks, Through::Loops));
        }
    }
    let free = sleeper.wait.map(held::free).unwrap_or_default();
    if !free.is_empty() {
        return taking(code, sleeper, walk, &free, (&[u64::MAX], Through::Once));
    }
    let timed = sleeper.wait.is_some_and(|wait| wait.timed);
    let Beginning { frame, result, has_lock } = beginning(walk, timed, code.stage)?;
    let got = sleeper.wait.filter(|_| has_lock).map(|wait| once_got(code.memory, wait));
    Some(onward(&frame.registers, result, got.unwrap_or_default(), place, STEPS, (locks, Through::Loops)))
}

/// What a thread does that waits for a lock where the function that takes it has no name, so
/// that nobody knows where that ends: it is gone through as if the lock were free, and what
/// it takes is left out.
pub(super) fn taking(
    code: &CodeOf<'_>,
    sleeper: &Sleeper<'_>,
    walk: &Walk,
    free: &[(u64, u64, usize)],
    (until, through): (&[u64], Through),
) -> Option<Outcome> {
    let (first, &(word, ..)) = (walk.frames.first()?, free.first()?);
    let before = Written::supposing(code.memory, free);
    let place: (&Memory<'_>, &dyn Stage) = (code.memory, code.stage);
    let steps = if through == Through::Once { NAMELESS_STEPS } else { STEPS };
    let mut outcome = supposed(&first.registers, &sleeper.call.args, before, place, steps, (until, through));
    for way in &mut outcome.ways {
        let taken = way.iter().position(|event| event.address == word)?;
        way.remove(taken);
    }
    Some(outcome)
}

/// With how many of these locks it is clear what is done first.
pub(super) fn clear(outcome: &Outcome, locks: &[u64]) -> usize {
    locks.iter().filter(|&&lock| outcome.first(lock).is_some()).count()
}

/// Whether something is done with one of these locks, which are sorted, and it is not clear
/// what.
pub(super) fn is_unclear(outcome: &Outcome, locks: &[u64]) -> bool {
    let mut touched = outcome.ways.iter().flatten().map(|event| event.address);
    touched.any(|lock| locks.binary_search(&lock).is_ok() && outcome.first(lock).is_none())
}

/// These addresses, and one that nobody ever comes to.
pub(super) fn for_ever(locks: &[u64]) -> Vec<u64> {
    locks.iter().copied().chain([u64::MAX]).collect()
}

/// What a thread does that `parking_lot` has put to sleep, if it is woken and gets what
/// it waits for.
pub(super) fn going_on_from(
    code: &CodeOf<'_>,
    sleeper: &Sleeper<'_>,
    walk: &Walk,
    end: &parking_lot::End,
    (locks, through): (&[u64], Through),
) -> Option<Outcome> {
    let before = Written::supposing(code.memory, &end.numbers);
    let (first, arguments) = (walk.frames.first()?, &sleeper.call.args);
    let place: (&Memory<'_>, &dyn Stage) = (code.memory, code.stage);
    let mut outcome = supposed(&first.registers, arguments, before, place, STEPS, (&for_ever(locks), through));
    let Some(lock) = end.takes else { return Some(outcome) };
    let taken: Option<Vec<usize>> =
        outcome.ways.iter().map(|way| way.iter().position(|event| event.address == lock)).collect();
    match taken {
        Some(taken) => outcome.ways.iter_mut().zip(taken).for_each(|(way, taken)| drop(way.remove(taken))),
        // Where it is taken cannot be seen: neither what is done with it then.
        None => outcome.ways.iter_mut().for_each(|way| way.retain(|event| event.address != lock)),
    }
    Some(outcome)
}
