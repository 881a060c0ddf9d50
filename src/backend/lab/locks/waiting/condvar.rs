//! Condition variables as they are meant to be used: one kind of waiting each.

use std::borrow::Cow;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::buffer::Signalling;
use super::watch::{Side, State, Watch};
use crate::backend::lab::locks::exclusion::PARKING_LOT;
use crate::backend::lab::locks::{Family, Info};

/// After so long a wait looks for itself, in case nobody wakes it. Nothing
/// sound ever needs it.
pub(super) const GUARD: Duration = Duration::from_millis(20);

const VERSION: &str = concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later, futex");

/// A std mutex with a condition variable for each side of the buffer.
#[derive(Debug, Default)]
pub(super) struct Std {
    pub(super) mutex: Mutex<State>,
    pub(super) sides: [Condvar; 2],
}

impl Std {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One wait, with the guard's timeout; whether that was what ended it.
    pub(super) fn wait_once<'a>(
        &self,
        side: Side,
        guard: MutexGuard<'a, State>,
        at_most: Duration,
    ) -> (MutexGuard<'a, State>, bool) {
        let (guard, ended) =
            self.sides[side as usize].wait_timeout(guard, at_most).unwrap_or_else(PoisonError::into_inner);
        (guard, ended.timed_out())
    }

    pub(super) fn wake_everybody(&self) {
        self.sides.iter().for_each(Condvar::notify_all);
    }

    pub(super) fn notify(&self, side: Side, all: bool) {
        let side = &self.sides[side as usize];
        if all { side.notify_all() } else { side.notify_one() }
    }
}

macro_rules! std_condvar {
    ($(#[$about:meta])* $name:ident, $all:expr, $info:expr, |$std:ident, $side:ident, $guard:ident, $watch:ident| $wait:expr) => {
        $(#[$about])*
        #[derive(Debug, Default)]
        pub(in crate::backend::lab::locks) struct $name(Std);

        impl Signalling for $name {
            const INFO: Info = $info;
            const ALL: bool = $all;
            type Guard<'a> = MutexGuard<'a, State>;

            fn lock(&self) -> MutexGuard<'_, State> {
                self.0.lock()
            }

            fn wait<'a>(
                &'a self,
                $side: Side,
                $guard: MutexGuard<'a, State>,
                $watch: &mut Watch<'_>,
            ) -> MutexGuard<'a, State> {
                let $std = &self.0;
                $wait
            }

            fn notify(&self, side: Side) {
                self.0.notify(side, $all);
            }

            fn wake_everybody(&self) {
                self.0.wake_everybody();
            }
        }
    };
}
pub(super) use std_condvar;

/// Waits in a loop: `while !ready { guard = wait(guard) }`.
fn in_a_loop<'a>(
    std: &'a Std,
    side: Side,
    mut guard: MutexGuard<'a, State>,
    watch: &mut Watch<'_>,
    at_most: Duration,
) -> MutexGuard<'a, State> {
    while watch.must_wait(&guard) {
        watch.leave(&mut guard);
        let (back, timed_out) = std.wait_once(side, guard, at_most);
        guard = back;
        watch.back(&mut guard, timed_out);
    }
    guard
}

std_condvar!(
    /// `wait` in a loop, `notify_one`.
    One,
    false,
    Info {
        key: "condvar",
        name: "Condvar, notify_one",
        family: Family::Waiting,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "Producers and consumers over a buffer of four. std's Condvar is one futex word that counts \
            notifications: wait reads it, lets the mutex go and sleeps unless it has changed, so nothing sent in \
            between is lost; then it takes the mutex again, and the loop looks at the predicate again. notify_one wakes \
            one. A return without the predicate is counted as spurious: mostly another thread was faster.",
    },
    |std, side, guard, watch| in_a_loop(std, side, guard, watch, GUARD)
);

std_condvar!(
    /// `wait` in a loop, `notify_all`.
    All,
    true,
    Info {
        key: "condvar_all",
        name: "Condvar, notify_all",
        family: Family::Waiting,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "The same buffer, and every change wakes everybody who waits on that side: the thundering herd. One \
            finds the predicate true, all others have been woken in vain, queue for the mutex, look, and sleep again. \
            Compare the spurious returns and the context switches for each item with notify_one's, with many threads.",
    },
    |std, side, guard, watch| in_a_loop(std, side, guard, watch, GUARD)
);

std_condvar!(
    /// `wait_while`.
    While,
    false,
    Info {
        key: "condvar_while",
        name: "Condvar::wait_while",
        family: Family::Waiting,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "wait_timeout_while with the predicate as a closure: the loop around wait that nobody can forget. \
            The closure runs under the mutex, once before the first sleep and after each wake-up. Its guard of 20 ms \
            never ends a wait here, unless nobody produces for so long.",
    },
    |std, side, guard, watch| {
        let mut guard = guard;
        let mut sleeping = false;
        while watch.must_wait(&guard) {
            let ready = |state: &mut State| {
                if std::mem::take(&mut sleeping) {
                    watch.back(state, false);
                }
                let wait = watch.must_wait(state);
                if wait {
                    watch.leave(state);
                    sleeping = true;
                }
                wait
            };
            let waited = std.sides[side as usize].wait_timeout_while(guard, GUARD, ready);
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
            if std::mem::take(&mut sleeping) {
                watch.back(&mut guard, true);
            }
        }
        guard
    }
);

std_condvar!(
    /// `wait_timeout` of a millisecond.
    Timed,
    false,
    Info {
        key: "condvar_timeout",
        name: "Condvar::wait_timeout",
        family: Family::Waiting,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "A wait of one millisecond at most, in a loop. Where nothing comes in time, the thread takes the \
            mutex again, looks, and goes back to sleep: the timeouts are counted. A timeout makes a program survive a \
            lost wake-up, and hides it.",
    },
    |std, side, guard, watch| in_a_loop(std, side, guard, watch, Duration::from_millis(1))
);

/// `parking_lot::Condvar`.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct ParkingLotCondvar {
    mutex: parking_lot::Mutex<State>,
    sides: [parking_lot::Condvar; 2],
}

impl Signalling for ParkingLotCondvar {
    const INFO: Info = Info {
        key: "parking_lot_condvar",
        name: "parking_lot::Condvar",
        family: Family::Waiting,
        breaks: None,
        version: || Cow::Borrowed(PARKING_LOT),
        explanation: "One word, and the queue in the table outside. notify moves a waiter from the Condvar's queue to the \
            mutex's where the mutex is held, instead of waking it only to wait again: no thundering herd even with \
            notify_all, and no spurious wake-ups. It may be used with one mutex at a time only.",
    };
    const ALL: bool = false;
    type Guard<'a> = parking_lot::MutexGuard<'a, State>;

    fn lock(&self) -> Self::Guard<'_> {
        self.mutex.lock()
    }

    fn wait<'a>(&'a self, side: Side, mut guard: Self::Guard<'a>, watch: &mut Watch<'_>) -> Self::Guard<'a> {
        while watch.must_wait(&guard) {
            watch.leave(&mut guard);
            let ended = self.sides[side as usize].wait_for(&mut guard, GUARD);
            watch.back(&mut guard, ended.timed_out());
        }
        guard
    }

    fn notify(&self, side: Side) {
        self.sides[side as usize].notify_one();
    }

    fn wake_everybody(&self) {
        self.sides.iter().for_each(|side| {
            side.notify_all();
        });
    }
}
