//! A guard that is dropped too early, too late, or never.

use std::sync::{Mutex, PoisonError};
use std::thread;

use super::{Notes, Told};

pub(super) const EARLY: Told = Told {
    tell: early,
    statement: "`let _ = lock.lock()` binds nothing: the guard is a temporary and is dropped at the end of that line. \
                `let _guard = …` keeps it to the end of the block.",
};

pub(super) const LATE: Told = Told {
    tell: late,
    statement: "A temporary in the head of a match lives to the end of the match, and with it the guard: the arms run \
                under the lock. Copy what is needed out with a let first.",
};

pub(super) const LEAKED: Told = Told {
    tell: leaked,
    statement: "A guard that is forgotten is never dropped, so the lock is never set free: it stays held by nobody, for \
                ever. mem::forget is safe, as leaking is; only the owner can still get at the data, with into_inner.",
};

/// Whether another thread finds it free.
fn is_free(lock: &Mutex<u32>) -> bool {
    thread::scope(|scope| scope.spawn(|| lock.try_lock().is_ok()).join().unwrap_or_default())
}

fn said(free: bool) -> &'static str {
    if free { "free" } else { "held" }
}

fn early(notes: &mut Notes) {
    let lock = Mutex::new(1);
    #[expect(let_underscore_lock, reason = "that is what it shows")]
    let _ = lock.lock();
    let free = is_free(&lock);
    notes.add(format!("after `let _ = lock.lock();` another thread finds it {}", said(free)), free);
    let guard = lock.lock();
    let free = is_free(&lock);
    notes.add(format!("after `let guard = lock.lock();` another thread finds it {}", said(free)), !free);
    drop(guard);
}

fn late(notes: &mut Notes) {
    let lock = Mutex::new(1);
    let free = match *lock.lock().unwrap_or_else(PoisonError::into_inner) {
        1 => is_free(&lock),
        _ => true,
    };
    notes.add(format!("inside `match *lock.lock() {{ … }}` another thread finds it {}", said(free)), !free);
    let value = *lock.lock().unwrap_or_else(PoisonError::into_inner);
    let free = match value {
        1 => is_free(&lock),
        _ => false,
    };
    notes.add(format!("with the value copied out first, another thread finds it {}", said(free)), free);
}

fn leaked(notes: &mut Notes) {
    let lock = Mutex::new(7);
    let ended = thread::scope(|scope| {
        let forgets = || std::mem::forget(lock.lock());
        scope.spawn(forgets).join().is_ok()
    });
    notes.add("a thread took the lock, forgot the guard, and ended", ended);
    let free = is_free(&lock);
    notes.add(format!("another thread finds it {}", said(free)), !free);
    notes.add(format!("is_poisoned: {}", lock.is_poisoned()), !lock.is_poisoned());
    let value = lock.into_inner().unwrap_or_default();
    notes.add(format!("its owner takes it apart, and finds {value}"), value == 7);
}
