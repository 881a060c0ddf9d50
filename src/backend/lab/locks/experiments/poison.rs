//! A panic while holding a lock: who learns of it, and what has become of the
//! data.

use std::panic;
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock};
use std::thread;

use super::{Notes, Told};

pub(super) const MUTEX: Told = Told {
    tell: mutex,
    statement: "A guard that is dropped by a panic poisons its Mutex: every lock() returns Err from then on, with the \
                guard inside. into_inner takes it all the same; clear_poison says that the data is in order again.",
};

pub(super) const WRITE: Told = Told {
    tell: write,
    statement: "A writer's panic poisons an RwLock as it does a Mutex: readers and writers get Err.",
};

pub(super) const READ: Told = Told {
    tell: read,
    statement: "A reader's panic poisons nothing: a reader cannot have left the data half changed.",
};

pub(super) const ONCE: Told = Told {
    tell: once,
    statement: "A Once whose initialiser panicked is poisoned: call_once panics in every thread that comes; \
                call_once_force tries again.",
};

pub(super) const PARKING_LOT: Told = Told {
    tell: parking_lot,
    statement: "parking_lot does not poison: the next holder gets the lock as if nothing had happened, and the data as \
                the panic left it. Whoever relies on an invariant has to restore it in a Drop.",
};

/// Two accounts; together they always have 100, whenever nobody is at it.
struct Accounts([i32; 2]);

impl Accounts {
    /// Moves 10 from one to the other, and panics in between.
    fn move_halfway(&mut self) {
        self.0[0] -= 10;
        panic!("between the two steps");
    }

    fn sum(&self) -> i32 {
        self.0.iter().sum()
    }
}

fn accounts() -> Accounts {
    Accounts([60, 40])
}

/// Runs it in a thread; whether it panicked.
fn panics(life: impl FnOnce() + Send + 'static) -> bool {
    thread::spawn(life).join().is_err()
}

fn mutex(notes: &mut Notes) {
    let lock = Arc::new(Mutex::new(accounts()));
    let theirs = lock.clone();
    let panicked = panics(move || theirs.lock().unwrap_or_else(PoisonError::into_inner).move_halfway());
    notes.add("a thread took 10 from one of two accounts, and panicked before adding it to the other", panicked);
    notes.add(format!("is_poisoned: {}", lock.is_poisoned()), lock.is_poisoned());
    for _ in 0..2 {
        let locked = lock.lock();
        notes.add(format!("lock: {}", if locked.is_err() { "Err(PoisonError)" } else { "Ok" }), locked.is_err());
    }
    let tried = matches!(lock.try_lock(), Err(std::sync::TryLockError::Poisoned(_)));
    notes.add(format!("try_lock: {}", if tried { "Err(Poisoned)" } else { "something else" }), tried);
    let mut data = lock.lock().unwrap_or_else(PoisonError::into_inner);
    notes.add(format!("into_inner: the accounts have {} together, and should have 100", data.sum()), data.sum() == 90);
    data.0[1] += 10;
    drop(data);
    lock.clear_poison();
    let sound = lock.lock().is_ok_and(|data| data.sum() == 100);
    notes.add(format!("mended, clear_poison, lock: {}", if sound { "Ok, 100 together" } else { "Err" }), sound);
}

fn write(notes: &mut Notes) {
    let lock = Arc::new(RwLock::new(accounts()));
    let theirs = lock.clone();
    let panicked = panics(move || theirs.write().unwrap_or_else(PoisonError::into_inner).move_halfway());
    notes.add("a thread panicked halfway, holding the lock for writing", panicked);
    notes.add(format!("is_poisoned: {}", lock.is_poisoned()), lock.is_poisoned());
    // Two statements: the guards of one would be held together.
    let read = lock.read().is_err();
    let written = lock.write().is_err();
    notes.add(format!("read: {}", result(!read)), read);
    notes.add(format!("write: {}", result(!written)), written);
    let sum = lock.read().unwrap_or_else(PoisonError::into_inner).sum();
    notes.add(format!("into_inner: {sum} together, and should be 100"), sum == 90);
}

fn read(notes: &mut Notes) {
    let lock = Arc::new(RwLock::new(accounts()));
    let theirs = lock.clone();
    let panicked = panics(move || {
        let data = theirs.read().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(data.sum(), 0, "a reader that expects something else");
    });
    notes.add("a thread panicked, holding the lock for reading", panicked);
    notes.add(format!("is_poisoned: {}", lock.is_poisoned()), !lock.is_poisoned());
    // Two statements: the guards of one would be held together.
    let read = lock.read().is_ok();
    let written = lock.write().is_ok();
    notes.add(format!("read: {}", result(read)), read);
    notes.add(format!("write: {}", result(written)), written);
    let sum = lock.read().map_or(0, |data| data.sum());
    notes.add(format!("{sum} together, as it should be"), sum == 100);
}

fn once(notes: &mut Notes) {
    static ONCE: Once = Once::new();
    let panicked = panics(|| ONCE.call_once(|| panic!("while initialising")));
    notes.add("the first to come panicked while initialising", panicked);
    let again = panics(|| ONCE.call_once(|| ()));
    notes.add(format!("call_once in another thread: {}", if again { "panics" } else { "returns" }), again);
    let mut poisoned = false;
    ONCE.call_once_force(|state| poisoned = state.is_poisoned());
    notes.add(format!("call_once_force: told that it is poisoned: {poisoned}"), poisoned && ONCE.is_completed());
    let well = panic::catch_unwind(|| ONCE.call_once(|| ())).is_ok();
    notes.add(format!("call_once afterwards: {}", if well { "returns" } else { "panics" }), well);
}

fn parking_lot(notes: &mut Notes) {
    let lock = Arc::new(::parking_lot::Mutex::new(accounts()));
    let theirs = lock.clone();
    let panicked = panics(move || theirs.lock().move_halfway());
    notes.add("a thread panicked halfway, holding the lock", panicked);
    let free = lock.try_lock().is_some();
    notes.add(format!("try_lock: {}", if free { "the lock, without a word" } else { "None" }), free);
    let sum = lock.lock().sum();
    notes.add(format!("the accounts have {sum} together, and should have 100"), sum == 90);
}

fn result(ok: bool) -> &'static str {
    if ok { "Ok" } else { "Err(PoisonError)" }
}
