//! From where a blocked thread goes on if its system call returns.

use super::PARKING;
use super::held::RUST_COUNT;
use crate::backend::observe::rehearsal::{Function, Memory, Stage, Written, only_sleeps};
use crate::backend::observe::target::unwind::{Frame, Walk};
use crate::model::wait::{Wait, WaitKind};

/// So many frames a function of the C library has in it.
const LIBRARY: usize = 4;

/// Where a thread goes on.
pub(super) struct Beginning<'w> {
    /// The frame that its call returns to.
    pub frame: &'w Frame,
    /// What the call returns, if that is known.
    pub result: Option<u64>,
    /// Whether the call is one of Rust that returns with the lock.
    pub has_lock: bool,
}

/// From where a thread goes on, and with which result: behind the function of the
/// C library that it is in, and behind that of its runtime which takes the lock it
/// waits for. These return nothing that they could have found; what they keep in
/// registers is not told.
pub(super) fn beginning<'w>(walk: &'w Walk, timed: bool, stage: &dyn Stage) -> Option<Beginning<'w>> {
    const RUST: [&str; 8] = [
        "14lock_contended",
        "14read_contended",
        "15write_contended",
        "9lock_slow",
        "16lock_shared_slow",
        "19lock_exclusive_slow",
        "20lock_upgradable_slow",
        "12upgrade_slow",
    ];
    // In musl those without a limit jump to those with one.
    const PTHREAD: [&str; 6] = [
        "pthread_mutex_lock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_wrlock",
        "pthread_mutex_timedlock",
        "pthread_rwlock_timedrdlock",
        "pthread_rwlock_timedwrlock",
    ];
    let asleep = asleep_in(walk, stage);
    if asleep > 0 {
        return walk.frames.get(asleep).map(|frame| Beginning { frame, result: None, has_lock: false });
    }
    let mut result = None;
    let mut frames = walk.frames.iter().map(|frame| (frame, stage.function(frame.registers.pc - 1))).peekable();
    // A function without a table is musl's, linked statically.
    while let Some((_, function)) = frames.next_if(|(frame, function)| function.library || frame.bare) {
        let name = function.name.as_deref().unwrap_or("");
        let locks = PTHREAD.iter().any(|function| name.ends_with(function));
        result = (locks && !timed).then_some(0);
    }
    // Linked statically, the library is a part of the program.
    let takes = |(_, function): (&Frame, Function)| {
        function.name.is_some_and(|name| PTHREAD.contains(&name.trim_start_matches('_')))
    };
    if let Some(depth) = frames.clone().take(LIBRARY).position(takes) {
        frames.nth(depth);
        result = (!timed).then_some(0);
    }
    // One of them may have put another into itself, or not; without optimisation each
    // step of parking is a frame.
    let takes = |depth: usize, (_, function): (&Frame, Function)| {
        let name = function.name.unwrap_or_default();
        (depth < 3 || name.contains("11parking_lot")) && RUST.iter().any(|part| name.contains(part))
    };
    let inside = (0..PARKING).rev().find(|&depth| frames.clone().nth(depth).is_some_and(|frame| takes(depth, frame)));
    match inside {
        None => frames.next().map(|(frame, _)| Beginning { frame, result, has_lock: false }),
        Some(depth) => frames.nth(depth + 1).map(|(frame, _)| Beginning { frame, result: Some(1), has_lock: true }),
    }
}

/// How many of the innermost frames are of functions that let a thread sleep and do nothing
/// else that matters here: of channels, for a thread to end or to wake it, of a barrier.
/// They lock nothing that they return with.
pub(super) fn asleep_in(walk: &Walk, stage: &dyn Stage) -> usize {
    let inner = walk.frames.iter().take(PARKING);
    let is_one = |frame: &Frame| stage.function(frame.registers.pc - 1).name.is_some_and(|name| only_sleeps(&name));
    inner.rev().position(is_one).map_or(0, |behind| walk.frames.len().min(PARKING) - behind)
}

/// Where the stack pointer is when a thread has left what the program made it for: behind
/// that Rust's library only tidies up.
pub(super) fn edge(walk: &Walk, stage: &dyn Stage) -> u64 {
    let calls = |frame: &&Frame| {
        let name = stage.function(frame.registers.pc - 1).name;
        name.is_some_and(|name| name.contains("rust_begin_short_backtrace"))
    };
    walk.frames.iter().find(calls).map_or(u64::MAX, |frame| frame.cfa)
}

/// Memory as it is once a thread has got the lock that it waits for and nobody else
/// wants it. As long as it waits, the word of an `RwLock` tells of whom it waits for,
/// and who lets go of one looks at that word.
pub(super) fn once_got(memory: &Memory<'_>, wait: &Wait) -> Written {
    let word = match wait.kind {
        WaitKind::RustRwlockWrite => Some(RUST_COUNT),
        WaitKind::RustRwlockRead => Some(1),
        _ => None,
    };
    let supposed = wait.address.zip(word).map(|(lock, word)| (lock, u64::from(word), 4));
    Written::supposing(memory, supposed.as_slice())
}
