//! A thread that waits on a futex of the program's own, by std's operation and with
//! values that std uses, and does with it afterwards what std does not.
//! usage: own_futex KIND; prints: main tid, waiter tid, address.
use std::ffi::{c_int, c_long};
use std::ptr::null;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

static WORD: AtomicU32 = AtomicU32::new(0);
static OTHER: AtomicU32 = AtomicU32::new(0);

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn gettid() -> c_int;
}

fn wait(value: u32) {
    unsafe { syscall(202, &WORD, 0x89, value, null::<u8>(), null::<u8>(), !0_u32) };
}

fn block(kind: &str) {
    match kind {
        "nothing" => wait(2),
        // A gate: whoever comes through closes it again.
        "gate" => loop {
            wait(2);
            if WORD.load(SeqCst) == 0 {
                WORD.store(2, SeqCst);
                break;
            }
        },
        "ticket" => {
            wait(2);
            WORD.fetch_add(1, SeqCst);
        }
        "token" => {
            wait(u32::MAX);
            WORD.swap(2, SeqCst);
        }
        "state" => {
            wait(0x7fff_ffff);
            let _ = WORD.compare_exchange(5, 7, SeqCst, SeqCst);
        }
        _ => {
            wait(5);
            let _ = OTHER.compare_exchange(0, 2, SeqCst, SeqCst);
        }
    }
}

fn main() {
    let kind = std::env::args().nth(1).unwrap();
    let value = match &*kind {
        "token" => u32::MAX,
        "state" => 0x7fff_ffff,
        "begun" => 5,
        _ => 2,
    };
    WORD.store(value, SeqCst);
    let (send, receive) = channel();
    thread::spawn(move || {
        send.send(unsafe { gettid() }).unwrap();
        block(&kind);
        println!("{}", OTHER.load(SeqCst));
    });
    println!("{} {} {:p}", std::process::id(), receive.recv().unwrap(), &raw const WORD);
    thread::sleep(Duration::from_secs(1000));
}
