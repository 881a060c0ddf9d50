//! A Rust program whose contention is known beforehand: one thread holds a lock
//! until the other has gone to sleep for it, then lets go.
//!
//! `contended MODE ROUNDS`, as its sister in C; MODE is `mutex` or `condvar`.

use std::io::BufRead;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

static HOT: Mutex<u64> = Mutex::new(0);
static BELL_LOCK: Mutex<u64> = Mutex::new(0);
static BELL: Condvar = Condvar::new();
static TURN: AtomicI32 = AtomicI32::new(0);
static WAITER: AtomicI32 = AtomicI32::new(0);
static WAKER: AtomicI32 = AtomicI32::new(0);
static GO: AtomicI32 = AtomicI32::new(0);
static WAITED: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    fn gettid() -> i32;
}

fn tid() -> i32 {
    // SAFETY: no preconditions.
    unsafe { gettid() }
}

fn sleeps(tid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{tid}/syscall")).is_ok_and(|text| text.starts_with("202 "))
}

fn until(word: &AtomicI32, value: i32) {
    while word.load(SeqCst) != value {
        std::thread::yield_now();
    }
}

#[inline(never)]
fn wait_for_lock() {
    *HOT.lock().unwrap() += 1;
}

#[inline(never)]
fn wait_for_bell() {
    let guard = BELL_LOCK.lock().unwrap();
    *BELL.wait(guard).unwrap() += 1;
}

fn main() {
    let mut words = std::env::args().skip(1);
    let condvar = words.next().unwrap() == "condvar";
    let rounds: i32 = words.next().unwrap().parse().unwrap();
    let waiter = std::thread::Builder::new().name("waiter".into()).spawn(move || {
        WAITER.store(tid(), SeqCst);
        until(&GO, 1);
        for round in 0..rounds {
            until(&TURN, 2 * round + 1);
            let began = Instant::now();
            if condvar { wait_for_bell() } else { wait_for_lock() }
            WAITED.fetch_add(began.elapsed().as_nanos() as u64, SeqCst);
            TURN.store(2 * round + 2, SeqCst);
        }
    });
    let waker = std::thread::Builder::new().name("waker".into()).spawn(move || {
        WAKER.store(tid(), SeqCst);
        until(&GO, 1);
        for round in 0..rounds {
            until(&TURN, 2 * round);
            let guard = (!condvar).then(|| HOT.lock().unwrap());
            TURN.store(2 * round + 1, SeqCst);
            while !sleeps(WAITER.load(SeqCst)) {}
            std::thread::sleep(Duration::from_micros(500));
            drop(guard);
            if condvar {
                BELL.notify_one();
            }
        }
        until(&TURN, 2 * rounds);
    });
    while WAITER.load(SeqCst) == 0 || WAKER.load(SeqCst) == 0 {
        std::thread::yield_now();
    }
    println!("ready {}", std::process::id());
    let mut lines = std::io::stdin().lock().lines();
    lines.next();
    GO.store(1, SeqCst);
    waiter.unwrap().join().unwrap();
    waker.unwrap().join().unwrap();
    let address = if condvar { (&raw const BELL).addr() } else { (&raw const HOT).addr() };
    println!(
        "{} {address:#x} waiter {} waker {} waits {rounds} waited {}",
        if condvar { "cond" } else { "hot" },
        WAITER.load(SeqCst),
        WAKER.load(SeqCst),
        WAITED.load(SeqCst)
    );
    println!("done");
    lines.next();
}
