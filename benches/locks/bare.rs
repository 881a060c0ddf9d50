//! A bare loop of a lock, compiled for speed by itself: takes the lock, adds one to what
//! it protects, lets it go.
//!
//! `bare LOCK ROUNDS LAPS` prints the fastest round's ns an acquisition.

use std::cell::UnsafeCell;
use std::hint::{black_box, spin_loop};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Mutex, RwLock};
use std::time::Instant;

#[repr(C, align(64))]
struct Pthread(UnsafeCell<[u8; 64]>);

unsafe extern "C" {
    fn pthread_mutex_lock(mutex: *mut [u8; 64]) -> i32;
    fn pthread_mutex_unlock(mutex: *mut [u8; 64]) -> i32;
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (rounds, laps): (u32, u64) = (words[2].parse().unwrap(), words[3].parse().unwrap());
    // The C library takes locks without locked instructions where there is one thread.
    std::thread::spawn(|| {
        loop {
            std::thread::park();
        }
    });
    let run: fn(u64) = match &*words[1] {
        "std_mutex" => std_mutex,
        "std_rwlock" => std_rwlock,
        "pthread" => pthread,
        "tas_spin" => tas_spin,
        "ticket" => ticket,
        other => panic!("no {other}"),
    };
    let round = |_| {
        let begin = Instant::now();
        run(laps);
        begin.elapsed().as_nanos() as f64 / laps as f64
    };
    println!("{}", (0..rounds).map(round).fold(f64::INFINITY, f64::min));
}

fn std_mutex(laps: u64) {
    let lock = black_box(Mutex::new(0_u64));
    for _ in 0..laps {
        *lock.lock().unwrap() += 1;
    }
    black_box(lock);
}

fn std_rwlock(laps: u64) {
    let lock = black_box(RwLock::new(0_u64));
    for _ in 0..laps {
        *lock.write().unwrap() += 1;
    }
    black_box(lock);
}

fn pthread(laps: u64) {
    let (lock, count) = (black_box(Pthread(UnsafeCell::new([0; 64]))), AtomicU64::new(0));
    let count = black_box(&count);
    for _ in 0..laps {
        // SAFETY: zeroed bytes are a mutex, as `PTHREAD_MUTEX_INITIALIZER` says.
        unsafe { pthread_mutex_lock(lock.0.get()) };
        count.store(count.load(Relaxed) + 1, Relaxed);
        // SAFETY: as above; and it is held.
        unsafe { pthread_mutex_unlock(lock.0.get()) };
    }
    black_box(lock);
}

fn tas_spin(laps: u64) {
    let place = black_box((AtomicBool::new(false), AtomicU64::new(0)));
    let (lock, count) = black_box((&place.0, &place.1));
    for _ in 0..laps {
        while lock.swap(true, Acquire) {
            spin_loop();
        }
        count.store(count.load(Relaxed) + 1, Relaxed);
        lock.store(false, Release);
    }
}

fn ticket(laps: u64) {
    let place = black_box((AtomicU32::new(0), AtomicU32::new(0), AtomicU64::new(0)));
    let (next, serving, count) = black_box((&place.0, &place.1, &place.2));
    for _ in 0..laps {
        let ticket = next.fetch_add(1, Relaxed);
        while serving.load(Acquire) != ticket {
            spin_loop();
        }
        count.store(count.load(Relaxed) + 1, Relaxed);
        serving.store(serving.load(Relaxed).wrapping_add(1), Release);
    }
}
