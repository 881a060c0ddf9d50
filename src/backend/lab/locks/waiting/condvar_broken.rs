//! Condition variables used wrongly, so that one can see it found out.

use std::borrow::Cow;
use std::sync::MutexGuard;
use std::thread;

use super::buffer::Signalling;
use super::condvar::{GUARD, Std, std_condvar};
use super::watch::{Side, State, Watch};
use crate::backend::lab::locks::{Family, Info};

std_condvar!(
    /// `if` instead of `while`.
    If,
    true,
    Info {
        key: "condvar_if",
        name: "Condvar, waited on with if",
        family: Family::Waiting,
        breaks: Some("predicate after wait"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "if !ready { wait } instead of while !ready { wait }. Between being woken and having the mutex back \
            another thread may have taken what there was, and notify_all wakes more than one for a single item: the \
            thread goes on with its predicate false, and takes from an empty buffer. It takes three threads: of two \
            nobody else could have taken it.",
    },
    |std, side, guard, watch| {
        let mut guard = guard;
        watch.leave(&mut guard);
        let (mut guard, timed_out) = std.wait_once(side, guard, GUARD);
        watch.back(&mut guard, timed_out);
        guard
    }
);

std_condvar!(
    /// The mutex is let go between the look and the wait.
    Gap,
    false,
    Info {
        key: "condvar_gap",
        name: "Condvar, look and wait apart",
        family: Family::Waiting,
        breaks: Some("no lost wake-up"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "The predicate is looked at under the mutex, then the mutex is let go, and only then the thread takes \
            it again to wait, without another look. A notification that comes in between finds nobody waiting and is \
            gone: the thread sleeps although its predicate is true, until a timeout of 20 ms lets it look again.",
    },
    |std, side, guard, watch| {
        let mut guard = guard;
        while watch.must_wait(&guard) {
            watch.step_out();
            drop(guard);
            thread::yield_now();
            guard = std.lock();
            watch.step_in();
            watch.leave(&mut guard);
            let (back, timed_out) = std.wait_once(side, guard, GUARD);
            guard = back;
            watch.back(&mut guard, timed_out);
        }
        guard
    }
);
