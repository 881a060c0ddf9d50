//! A thread that waits for a lock of `parking_lot`, and one that holds it, or only looks as
//! if it did.
//! usage: parking_guards KIND; prints: waiter tid, then the tids of those who hold it.
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard, Once, ReentrantMutex, RwLock, RwLockUpgradableReadGuard, RwLockWriteGuard};

static LOCK: Mutex<u64> = Mutex::new(0);
static OTHER: Mutex<u64> = Mutex::new(0);
static TABLE: RwLock<Vec<u64>> = RwLock::new(Vec::new());
static CHANGED: Condvar = Condvar::new();
static ONCE: Once = Once::new();
static AGAIN: ReentrantMutex<u64> = ReentrantMutex::new(0);

unsafe extern "C" {
    fn gettid() -> i32;
}

fn tid() -> i32 {
    unsafe { gettid() }
}

static READY: OnceLock<std::sync::Mutex<Sender<(i32, bool)>>> = OnceLock::new();

/// This thread holds the lock from here on.
fn announce() {
    say(true);
}

/// This thread is as it shall be; it does not hold the lock.
fn innocent() {
    say(false);
}

fn say(holds: bool) {
    let ready = READY.get().unwrap().lock().unwrap().clone();
    ready.send((tid(), holds)).unwrap();
}

/// Once, in effect for good: nothing tells of a guard that nobody ever drops.
fn sleep() {
    thread::sleep(Duration::from_secs(100_000));
}

struct Account {
    balance: Mutex<u64>,
    name: String,
}

#[inline(never)]
fn locked() -> MutexGuard<'static, u64> {
    let guard = LOCK.lock();
    announce();
    guard
}

#[inline(never)]
fn consume(guard: MutexGuard<'_, u64>) -> u64 {
    announce();
    sleep();
    *guard
}

#[inline(never)]
fn deep(depth: u32) -> u64 {
    if depth == 0 {
        sleep();
        0
    } else {
        black_box(deep(depth - 1)) + 1
    }
}

#[inline(never)]
fn length() -> u64 {
    *LOCK.lock()
}

type Job = Box<dyn FnOnce() + Send>;

fn one(job: impl FnOnce() + Send + 'static) -> Vec<Job> {
    vec![Box::new(job)]
}

/// Takes the lock for ever, in such a way that nobody can be found out to hold it.
fn forget() {
    std::mem::forget(LOCK.lock());
    innocent();
    sleep();
}

/// What the threads do that hold the lock, or once did.
fn hold(kind: &str) -> Vec<Job> {
    match kind {
        "static" => one(|| {
            let mut guard = LOCK.lock();
            announce();
            sleep();
            *guard += 1;
        }),
        "returned" => one(|| {
            let guard = locked();
            deep(5);
            drop(guard);
        }),
        "by_value" => one(|| {
            black_box(consume(LOCK.lock()));
        }),
        "boxed" => one(|| {
            let guard = Box::new(LOCK.lock());
            announce();
            sleep();
            drop(guard);
        }),
        "optional" => one(|| {
            let mut guard = Some(LOCK.lock());
            announce();
            deep(3);
            *guard.take().unwrap() += 1;
        }),
        "several" => one(|| {
            let guards = vec![OTHER.lock(), LOCK.lock()];
            announce();
            sleep();
            drop(guards);
        }),
        "try_lock" => one(|| {
            if let Some(mut value) = LOCK.try_lock() {
                announce();
                sleep();
                *value += 1;
            }
        }),
        "parked" => one(|| {
            let guard = LOCK.lock();
            announce();
            loop {
                thread::park();
                if *guard > 1 {
                    break;
                }
            }
        }),
        "receiving" => one(|| {
            let (send, receive) = channel::<u64>();
            let mut guard = LOCK.lock();
            announce();
            *guard += receive.recv().unwrap();
            drop(send);
        }),
        "second_lock" => one(|| {
            let leaked = Box::leak(Box::new(OTHER.lock()));
            let mut guard = LOCK.lock();
            announce();
            *guard += *OTHER.lock() + **leaked;
        }),
        "reentrant" => one(|| {
            let guard = AGAIN.lock();
            announce();
            sleep();
            black_box(*guard);
        }),
        "in_condvar_with_another" => one(|| {
            // It holds the lock, and the condition variable has let go of another, which
            // nobody has taken since.
            let own = Mutex::new(());
            let mut guard = LOCK.lock();
            announce();
            let mut rest = own.lock();
            CHANGED.wait(&mut rest);
            *guard += 1;
            drop(rest);
        }),
        "writer" => one(|| {
            let mut table = TABLE.write();
            announce();
            sleep();
            table.push(1);
        }),
        "downgraded" => one(|| {
            let table = RwLockWriteGuard::downgrade(TABLE.write());
            announce();
            sleep();
            black_box(table.len());
        }),
        "reader" => one(|| {
            let table = TABLE.read();
            announce();
            sleep();
            black_box(table.len());
        }),
        "readers" => (0..3)
            .map(|_| {
                Box::new(|| {
                    let table = TABLE.read();
                    announce();
                    sleep();
                    black_box(table.len());
                }) as Job
            })
            .collect(),
        "upgradable" => one(|| {
            let table = TABLE.upgradable_read();
            announce();
            sleep();
            black_box(table.len());
        }),
        "once" => one(|| {
            ONCE.call_once(|| {
                announce();
                sleep();
            });
        }),
        // From here on nobody must be named: nobody holds it any more, or whoever does
        // cannot be known.
        "forgotten" => one(forget),
        "manually" => one(|| {
            let guard = ManuallyDrop::new(LOCK.lock());
            innocent();
            sleep();
            black_box(**guard);
        }),
        "leaked" => one(|| {
            let guard = Box::leak(Box::new(LOCK.lock()));
            innocent();
            sleep();
            **guard += 1;
        }),
        "dropped" => vec![
            Box::new(|| {
                let mut guard = LOCK.lock();
                *guard += black_box(1);
                drop(guard);
                innocent();
                sleep();
            }),
            Box::new(forget),
        ],
        "maybe_dropped" => vec![
            Box::new(|| {
                let guard = LOCK.lock();
                if black_box(tid() != 0) {
                    drop(guard);
                }
                innocent();
                sleep();
            }),
            Box::new(forget),
        ],
        "taken" => vec![
            Box::new(|| {
                let mut guard = Some(LOCK.lock());
                drop(guard.take());
                innocent();
                sleep();
                black_box(guard.is_some());
            }),
            Box::new(forget),
        ],
        // It has tried in vain, and would try again.
        "tried" => vec![
            Box::new(forget),
            Box::new(|| {
                let reference = black_box(&LOCK);
                let mut tried = reference.try_lock();
                innocent();
                sleep();
                tried = reference.try_lock().or(tried);
                drop(tried);
            }),
        ],
        "other" => vec![
            Box::new(|| {
                let mut guard = OTHER.lock();
                innocent();
                sleep();
                *guard += *LOCK.lock();
            }),
            Box::new(forget),
        ],
        "condvar" => vec![
            Box::new(|| {
                // Its guard lives on, but the condition variable has let go of the lock.
                let mut guard = LOCK.lock();
                innocent();
                CHANGED.wait(&mut guard);
                *guard += 1;
            }),
            Box::new(forget),
        ],
        // It holds another as well, which tells nothing of this one.
        "condvar_with_another_held" => vec![
            Box::new(|| {
                let other = OTHER.lock();
                let mut guard = LOCK.lock();
                innocent();
                CHANGED.wait(&mut guard);
                black_box(*other + *guard);
            }),
            Box::new(forget),
        ],
        // The wait is over and the guard alive, but another has the lock.
        "relocking" => vec![
            Box::new(|| {
                let mut guard = LOCK.lock();
                innocent();
                CHANGED.wait_for(&mut guard, Duration::from_millis(200));
                black_box(*guard);
            }),
            Box::new(forget),
        ],
        "unlocked" => vec![
            Box::new(|| {
                let mut guard = LOCK.lock();
                MutexGuard::unlocked(&mut guard, || {
                    innocent();
                    sleep();
                });
                *guard += 1;
            }),
            Box::new(forget),
        ],
        "running" => one(|| {
            let guard = LOCK.lock();
            innocent();
            while *black_box(&*guard) == 0 {}
        }),
        "forgotten_readers" => vec![
            Box::new(|| {
                std::mem::forget(TABLE.read());
                innocent();
                sleep();
            }),
            Box::new(|| {
                drop(TABLE.read());
                innocent();
                sleep();
            }),
        ],
        _ => panic!("what?"),
    }
}

fn wait_for(kind: &str) {
    match kind {
        "writer" => drop(TABLE.read()),
        "reader" | "readers" | "downgraded" | "upgradable" | "forgotten_readers" => drop(TABLE.write()),
        "once" => ONCE.call_once(|| ()),
        "reentrant" => drop(AGAIN.lock()),
        _ => *LOCK.lock() += 1,
    }
}

fn report(number: usize, receive: &Receiver<(i32, bool)>) {
    let all: Vec<(i32, bool)> = (0..number).map(|_| receive.recv().unwrap()).collect();
    let holders = all.iter().filter(|(_, holds)| *holds);
    let holders: String = holders.map(|(tid, _)| format!(" {tid}")).collect();
    // One that waits for itself is on its way; the other steps of a look-alike take time.
    thread::sleep(Duration::from_millis(300));
    println!("{}{holders}", tid());
}

/// The main thread waits in a way in which it holds the lock itself; whether it is one.
fn by_itself(kind: &str) -> bool {
    let say = || println!("{0} {0}", tid());
    match kind {
        "itself" => {
            let mut guard = LOCK.lock();
            say();
            *guard += *LOCK.lock();
        }
        "itself_asking" => {
            let mut guard = LOCK.lock();
            say();
            *guard += length();
        }
        "itself_dropping" => {
            let guard = LOCK.lock();
            say();
            let again = LOCK.lock();
            drop(guard);
            black_box(*again);
        }
        // A writer waits in between, and keeps the second reading out: for ever, or until its
        // time is over.
        "reading_twice" | "reading_twice_for_a_time" => {
            let table = TABLE.read();
            let for_ever = kind == "reading_twice";
            let (send, receive) = channel();
            thread::spawn(move || {
                send.send(tid()).unwrap();
                match for_ever {
                    true => TABLE.write().push(1),
                    false => TABLE.try_write_for(Duration::from_secs(1_000)).unwrap().push(1),
                }
            });
            let writer = receive.recv().unwrap();
            while TABLE.try_read().is_some() {}
            println!("{} {writer}", tid());
            black_box(TABLE.read().len() + table.len());
        }
        "itself_reading" => {
            let table = TABLE.read();
            say();
            TABLE.write().push(table.len() as u64);
        }
        "itself_writing" => {
            let mut table = TABLE.write();
            say();
            table.push(TABLE.read().len() as u64);
        }
        _ => return false,
    }
    true
}

fn main() {
    let kind = std::env::args().nth(1).unwrap();
    let (send, receive) = channel();
    READY.set(std::sync::Mutex::new(send)).unwrap();
    match &*kind {
        // Each of two threads wants what the other holds.
        "abba" => {
            let mut guard = LOCK.lock();
            thread::spawn(|| {
                let mut other = OTHER.lock();
                announce();
                *other += *LOCK.lock();
            });
            report(1, &receive);
            *guard += *OTHER.lock();
        }
        // A reader of two wants to write, and waits for the other.
        "upgrade" => {
            thread::spawn(|| {
                let table = TABLE.read();
                announce();
                sleep();
                black_box(table.len());
            });
            report(1, &receive);
            let mut table = RwLockUpgradableReadGuard::upgrade(TABLE.upgradable_read());
            table.push(1);
        }
        // The lock lies on the heap.
        "arc" => {
            let lock = std::sync::Arc::new(Account { balance: Mutex::new(0), name: tid().to_string() });
            let own = lock.clone();
            thread::spawn(move || {
                let mut balance = own.balance.lock();
                announce();
                deep(4);
                *balance += own.name.len() as u64;
            });
            report(1, &receive);
            *lock.balance.lock() += 1;
        }
        kind if by_itself(kind) => {}
        kind => {
            let jobs = hold(kind);
            let number = jobs.len();
            for job in jobs {
                thread::spawn(job);
                // One after the other.
                thread::sleep(Duration::from_millis(50));
            }
            report(number, &receive);
            wait_for(kind);
        }
    }
}
