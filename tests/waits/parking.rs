//! Locks of `parking_lot`, in threads of the test itself.

use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use parking_lot::{Condvar, Mutex, Once, RwLock, RwLockUpgradableReadGuard};
use syncscope::model::wait::{Make, WaitKind};

use crate::target::{Target, wait_until};

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

/// Who was notified while another had the mutex waits for that, whatever it was woken for.
#[test]
fn a_notified_condition_variable_takes_its_mutex_again() {
    static AGAIN: Mutex<()> = Mutex::new(());
    static NOTIFIED: Condvar = Condvar::new();
    let (send, receive) = channel();
    let waiter = thread::spawn(move || {
        let mut guard = AGAIN.lock();
        send.send(nix::unistd::gettid().as_raw()).unwrap();
        NOTIFIED.wait(&mut guard);
    });
    let (tid, pid) = (receive.recv().unwrap(), std::process::id() as i32);
    let guard = AGAIN.lock();
    let waits = wait_until(pid, tid, |wait| wait.kind == WaitKind::ParkingLot);
    assert_eq!((waits.make, waits.address), (Make::ParkingLotCondvar, Some(&raw const NOTIFIED as u64)), "{waits:#?}");
    assert!(NOTIFIED.notify_one());
    let again = wait_until(pid, tid, |wait| wait.make != Make::ParkingLotCondvar);
    assert_eq!((again.make, again.address), (Make::ParkingLotRelock, Some(&raw const AGAIN as u64)), "{again:#?}");
    assert!(again.resource.starts_with("parking_lot Mutex in "), "{again:#?}");
    drop(guard);
    waiter.join().unwrap();
}

const PLAYS: &str = "SYNCSCOPE_TEST_PLAYS";

/// What a copy of this program without symbols does: it waits in every way, and says
/// which thread waits for what, where.
#[test]
#[ignore = "another test runs it in a process of its own"]
fn plays() {
    static HELD: Mutex<u64> = Mutex::new(0);
    static WRITTEN: RwLock<u64> = RwLock::new(0);
    static READ: RwLock<u64> = RwLock::new(0);
    static UPGRADED: RwLock<u64> = RwLock::new(0);
    static RUNS: Once = Once::new();
    if std::env::var_os(PLAYS).is_none() {
        return;
    }
    let (send, begun) = channel();
    thread::spawn(move || RUNS.call_once(|| send.send(()).map_or((), |()| thread::park())));
    begun.recv().unwrap();
    let _held = (HELD.lock(), WRITTEN.write(), READ.read(), UPGRADED.read());
    let waits = |what: &'static str, lock: u64, wait: fn()| {
        let (send, receive) = channel();
        thread::spawn(move || {
            send.send(nix::unistd::gettid().as_raw()).unwrap();
            wait();
        });
        println!("\n> {} {lock} {what}", receive.recv().unwrap());
    };
    waits("Mutex", &raw const HELD as u64, || *HELD.lock() += 1);
    waits("RwLock", &raw const WRITTEN as u64, || assert!(*WRITTEN.read() > 0));
    waits("RwLock", &raw const READ as u64, || *READ.write() += 1);
    waits("RwLock", &raw const UPGRADED as u64, || {
        *RwLockUpgradableReadGuard::upgrade(UPGRADED.upgradable_read()) += 1;
    });
    waits("Once", &raw const RUNS as u64, || RUNS.call_once(|| {}));
    waits("Condvar", &raw const CONDVAR as u64, || CONDVAR.wait(&mut Mutex::new(()).lock()));
    println!("\n>");
    loop {
        thread::park();
    }
}

#[test]
fn a_program_without_symbols_is_told_by_the_locks_bits() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("stripped");
    let strip = Command::new("strip").arg("-o").arg(&copy).arg(std::env::current_exe().unwrap()).status();
    if !strip.is_ok_and(|status| status.success()) {
        eprintln!("not tested: there is no strip here");
        return;
    }
    let mut command = Command::new(&copy);
    let mut target =
        Target::start(command.args(["--exact", "parking::plays", "--ignored", "--nocapture"]).env(PLAYS, "1"));
    loop {
        let line = target.line();
        let Some(told) = line.strip_prefix('>') else { continue };
        let fields: Vec<&str> = told.split_ascii_whitespace().collect();
        let [tid, lock, what] = fields[..] else { break };
        let wait = wait_until(target.pid(), tid.parse().unwrap(), |wait| wait.kind == WaitKind::ParkingLot);
        assert_eq!(wait.address, Some(lock.parse().unwrap()), "{what}: {wait:#?}");
        assert!(wait.resource.starts_with(&format!("parking_lot {what} in ")), "{what}: {wait:#?}");
        assert!(wait.evidence.iter().any(|sentence| sentence.contains("for want of symbols")), "{wait:#?}");
        assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
    }
}
