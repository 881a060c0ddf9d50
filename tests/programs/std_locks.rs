//! Threads blocked in primitives of the standard library.
//! usage: std_locks KIND; prints: main tid, waiter tid, address.
use std::sync::{Barrier, Condvar, Mutex};
use std::sync::mpsc::channel;
use std::thread;

static ACCOUNTS: Mutex<u64> = Mutex::new(0);
static SIGNAL: Condvar = Condvar::new();
static READY: Barrier = Barrier::new(2);

unsafe extern "C" {
    fn gettid() -> i32;
}

fn tid() -> i32 {
    unsafe { gettid() }
}

fn main() {
    let kind = std::env::args().nth(1).unwrap();
    let (send, receive) = channel();
    let guard = ACCOUNTS.lock().unwrap();
    let address = match &*kind {
        "mutex" => &raw const ACCOUNTS as usize,
        _ => &raw const SIGNAL as usize,
    };
    let other = kind.clone();
    let waiter = thread::spawn(move || {
        send.send(tid()).unwrap();
        match &*other {
            "mutex" => *ACCOUNTS.lock().unwrap() += 1,
            // A condition variable whose counter is 2: the look-alike.
            "condvar" => {
                SIGNAL.notify_one();
                SIGNAL.notify_one();
                let own = Mutex::new(());
                let _guard = SIGNAL.wait_while(own.lock().unwrap(), |()| true).unwrap();
            }
            "park" => loop { thread::park() },
            "barrier" => { READY.wait(); }
            _ => panic!("what?"),
        }
    });
    println!("{} {} {address:#x}", tid(), receive.recv().unwrap());
    waiter.join().unwrap();
    drop(guard);
}
