//! Threads blocked in primitives of the standard library.
//! usage: std_locks KIND; prints: main tid, waiter tid, address.
use std::sync::mpsc::channel;
use std::sync::{Barrier, Condvar, Mutex, OnceLock, RwLock};
use std::thread;
use std::time::Duration;

static ACCOUNTS: Mutex<u64> = Mutex::new(0);
static PRICES: RwLock<u64> = RwLock::new(0);
static SIGNAL: Condvar = Condvar::new();
static READY: Barrier = Barrier::new(2);
static CONFIG: OnceLock<u64> = OnceLock::new();

unsafe extern "C" {
    fn gettid() -> i32;
}

fn tid() -> i32 {
    unsafe { gettid() }
}

fn initialise() -> u64 {
    loop {
        thread::sleep(Duration::from_secs(1000));
    }
}

fn block(kind: &str) {
    match kind {
        "mutex" => *ACCOUNTS.lock().unwrap() += 1,
        // A condition variable whose counter is 2: the look-alike.
        "condvar" => {
            SIGNAL.notify_one();
            SIGNAL.notify_one();
            let own = Mutex::new(());
            let _guard = SIGNAL.wait_while(own.lock().unwrap(), |()| true).unwrap();
        }
        "condvar_timed" => {
            let own = Mutex::new(());
            let _ = SIGNAL.wait_timeout(own.lock().unwrap(), Duration::from_secs(1000));
        }
        "park" => loop {
            thread::park()
        },
        "recv" => channel::<()>().1.recv().map_or_else(|_| (), |()| ()),
        "barrier" => {
            READY.wait();
        }
        "once" => {
            CONFIG.get_or_init(initialise);
        }
        "read" | "read_queued" => drop(PRICES.read().unwrap()),
        "write" | "write_readers" => *PRICES.write().unwrap() += 1,
        _ => panic!("what?"),
    }
}

fn main() {
    let kind = std::env::args().nth(1).unwrap();
    let (send, receive) = channel();
    let (open, never) = channel::<()>();
    let mutex = (kind == "mutex").then(|| ACCOUNTS.lock().unwrap());
    let writer = matches!(&*kind, "read" | "write").then(|| PRICES.write().unwrap());
    let reader = matches!(&*kind, "write_readers").then(|| PRICES.read().unwrap());
    let address = match &*kind {
        "mutex" => &raw const ACCOUNTS as usize,
        "condvar" | "condvar_timed" => &raw const SIGNAL as usize,
        "read" | "write" | "write_readers" => &raw const PRICES as usize,
        _ => 0,
    };
    if kind == "once" {
        thread::spawn(|| CONFIG.get_or_init(initialise));
        thread::sleep(Duration::from_millis(200));
    }
    let other = kind.clone();
    let waiter = thread::spawn(move || {
        send.send(tid()).unwrap();
        if other == "recv" { never.recv().unwrap() } else { block(&other) }
    });
    println!("{} {} {address:#x}", tid(), receive.recv().unwrap());
    waiter.join().unwrap();
    drop((mutex, writer, reader, open));
}
