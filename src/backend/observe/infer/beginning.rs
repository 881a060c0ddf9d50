//! From where a blocked thread goes on if its system call returns.

use super::PARKING;
use super::held::RUST_COUNT;
use crate::backend::observe::rehearsal::{Function, Memory, Stage, Written};
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
