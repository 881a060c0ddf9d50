//! Locks of `parking_lot`, in threads of the test itself.

use std::sync::mpsc::channel;
use std::thread;

use parking_lot::{Condvar, Mutex, RwLock};
use syncscope::model::wait::WaitKind;

use crate::target::wait_until;

static MUTEX: Mutex<()> = Mutex::new(());
static RWLOCK: RwLock<()> = RwLock::new(());
static CONDVAR: Condvar = Condvar::new();

fn blocked(what: &str, block: impl FnOnce() + Send + 'static, lock: u64, release: impl FnOnce()) {
    let (send, receive) = channel();
    let waiter = thread::spawn(move || {
        send.send(nix::unistd::gettid().as_raw()).unwrap();
        block();
    });
    let tid = receive.recv().unwrap();
    let pid = std::process::id() as i32;
    let wait = wait_until(pid, tid, |wait| wait.kind == WaitKind::ParkingLot);
    assert_eq!(wait.address, Some(lock), "{wait:#?}");
    assert!(wait.resource.starts_with(&format!("parking_lot {what} in ")), "{wait:#?}");
    assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
    release();
    waiter.join().unwrap();
}

#[test]
fn the_lock_is_found_by_its_key() {
    let guard = MUTEX.lock();
    blocked("Mutex", || drop(MUTEX.lock()), &raw const MUTEX as u64, || drop(guard));
    let guard = RWLOCK.write();
    blocked("RwLock", || drop(RWLOCK.read()), &raw const RWLOCK as u64, || drop(guard));
    let guard = RWLOCK.read();
    blocked("RwLock", || drop(RWLOCK.write()), &raw const RWLOCK as u64, || drop(guard));
    let wait = || CONDVAR.wait(&mut Mutex::new(()).lock());
    blocked("Condvar", wait, &raw const CONDVAR as u64, || assert!(CONDVAR.notify_one()));
}
