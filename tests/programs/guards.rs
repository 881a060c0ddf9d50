//! A thread that waits for a lock of the standard library, and one that holds
//! it, or only looks as if it did.
//! usage: guards KIND; prints: waiter tid, then the tids of those who hold it.
use std::hint::black_box;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel, sync_channel};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, Once, OnceLock, RwLock, RwLockWriteGuard};
use std::thread;
use std::time::Duration;

static LOCK: Mutex<u64> = Mutex::new(0);
static OTHER: Mutex<u64> = Mutex::new(0);
static TABLE: RwLock<Vec<u64>> = RwLock::new(Vec::new());
static CHANGED: Condvar = Condvar::new();
static CELL: OnceLock<u64> = OnceLock::new();
static ONCE: Once = Once::new();
static LAZY: LazyLock<u64> = LazyLock::new(|| {
    announce();
    sleep();
    1
});

unsafe extern "C" {
    fn gettid() -> i32;
    fn syscall(number: i64, ...) -> i64;
    fn pause() -> i32;
}

fn tid() -> i32 {
    unsafe { gettid() }
}

type Ready = Sender<(i32, bool)>;

static READY: OnceLock<Mutex<Ready>> = OnceLock::new();

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

/// For good; or, where panics abort, once: nothing tells of a guard that nobody ever drops.
fn sleep() {
    loop {
        thread::sleep(Duration::from_secs(1000));
        if cfg!(once) {
            return;
        }
    }
}

struct Account {
    balance: Mutex<u64>,
    name: String,
}

struct Session<'a> {
    name: String,
    account: MutexGuard<'a, u64>,
    log: Vec<String>,
}

#[inline(never)]
fn consume(guard: MutexGuard<'_, u64>) -> u64 {
    announce();
    sleep();
    *guard
}

/// Lets go of what is in a slot of its caller.
struct Taker<'a, 'b>(&'a mut Option<MutexGuard<'b, u64>>);

impl Drop for Taker<'_, '_> {
    fn drop(&mut self) {
        self.0.take();
    }
}

#[inline(never)]
fn take_later(slot: &mut Option<MutexGuard<'_, u64>>) {
    let taker = Taker(slot);
    announce();
    sleep();
    drop(taker);
}

#[inline(never)]
fn locked() -> MutexGuard<'static, u64> {
    let guard = LOCK.lock().unwrap();
    announce();
    guard
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

/// What the threads do that hold the lock, or once did.
fn hold(kind: &str) -> Vec<Box<dyn FnOnce() + Send>> {
    fn one(job: impl FnOnce() + Send + 'static) -> Vec<Box<dyn FnOnce() + Send>> {
        vec![Box::new(job)]
    }
    match kind {
        "static" => one(|| {
            let mut guard = LOCK.lock().unwrap();
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
            black_box(consume(LOCK.lock().unwrap()));
        }),
        "boxed" => one(|| {
            let guard = Box::new(LOCK.lock().unwrap());
            announce();
            sleep();
            drop(guard);
        }),
        "optional" => one(|| {
            let mut guard = Some(LOCK.lock().unwrap());
            announce();
            deep(3);
            *guard.take().unwrap() += 1;
        }),
        "taken_inside" => one(|| {
            let mut slot = Some(LOCK.lock().unwrap());
            take_later(&mut slot);
            black_box(slot.is_some());
        }),
        "several" => one(|| {
            let guards = vec![OTHER.lock().unwrap(), LOCK.lock().unwrap()];
            announce();
            sleep();
            drop(guards);
        }),
        "session" => one(|| {
            let mut session =
                Session { name: tid().to_string(), account: LOCK.lock().unwrap(), log: vec![tid().to_string()] };
            announce();
            sleep();
            *session.account += session.name.len() as u64 + session.log.len() as u64;
        }),
        "scrutinee" => one(|| match LOCK.lock() {
            Ok(mut value) => {
                announce();
                sleep();
                *value += 1;
            }
            Err(_) => panic!("poisoned"),
        }),
        "try_lock" => one(|| {
            if let Ok(mut value) = LOCK.try_lock() {
                announce();
                sleep();
                *value += 1;
            }
        }),
        "parked" => one(|| {
            let guard = LOCK.lock().unwrap();
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
            let mut guard = LOCK.lock().unwrap();
            announce();
            *guard += receive.recv().unwrap();
            drop(send);
        }),
        "sending" => one(|| {
            let (send, receive) = sync_channel::<u64>(0);
            let guard = LOCK.lock().unwrap();
            announce();
            send.send(*guard).unwrap();
            drop(receive);
        }),
        "caught" => one(|| {
            let mut guard = LOCK.lock().unwrap();
            announce();
            let result = catch_unwind(AssertUnwindSafe(|| deep(2)));
            *guard += result.unwrap();
        }),
        "within_caught" => one(|| {
            let result = catch_unwind(|| {
                let guard = LOCK.lock().unwrap();
                announce();
                deep(2) + *guard
            });
            black_box(result.is_ok());
        }),
        "kept" => one(|| {
            let guard = LOCK.lock().unwrap();
            if black_box(false) {
                drop(guard);
            } else {
                announce();
                sleep();
                drop(guard);
            }
        }),
        "maybe_kept" => one(|| {
            let guard = LOCK.lock().unwrap();
            if black_box(tid() == 0) {
                drop(guard);
            }
            announce();
            sleep();
        }),
        "second_lock" => one(|| {
            let leaked = Box::leak(Box::new(OTHER.lock().unwrap()));
            let mut guard = LOCK.lock().unwrap();
            announce();
            *guard += *OTHER.lock().unwrap() + **leaked;
        }),
        "in_condvar_with_another" => one(|| {
            // It holds the lock, and the condition variable has let go of another,
            // which nobody has taken since.
            let own = Mutex::new(());
            let mut guard = LOCK.lock().unwrap();
            announce();
            let rest = CHANGED.wait_while(own.lock().unwrap(), |()| true).unwrap();
            *guard += 1;
            drop(rest);
        }),
        "writer" => one(|| {
            let mut table = TABLE.write().unwrap();
            announce();
            sleep();
            table.push(1);
        }),
        "downgraded" => one(|| {
            let table = RwLockWriteGuard::downgrade(TABLE.write().unwrap());
            announce();
            sleep();
            black_box(table.len());
        }),
        "reader" => one(|| {
            let table = TABLE.read().unwrap();
            announce();
            sleep();
            black_box(table.len());
        }),
        "readers" => (0..3)
            .map(|_| {
                Box::new(|| {
                    let table = TABLE.read().unwrap();
                    announce();
                    sleep();
                    black_box(table.len());
                }) as Box<dyn FnOnce() + Send>
            })
            .collect(),
        "reads_twice" => one(|| {
            let one = TABLE.read().unwrap();
            let two = TABLE.read().unwrap();
            announce();
            sleep();
            black_box(one.len() + two.len());
        }),
        "once" => one(|| {
            ONCE.call_once(|| {
                announce();
                sleep();
            });
        }),
        "cell" => one(|| {
            CELL.get_or_init(|| {
                announce();
                sleep();
                1
            });
        }),
        "lazy" => one(|| {
            black_box(*LAZY);
        }),
        // From here on nobody must be named: nobody holds it any more, or whoever
        // does cannot be known.
        "forgotten" => one(|| {
            std::mem::forget(LOCK.lock().unwrap());
            innocent();
            sleep();
        }),
        "manually" => one(|| {
            let guard = ManuallyDrop::new(LOCK.lock().unwrap());
            innocent();
            sleep();
            black_box(**guard);
        }),
        "leaked" => one(|| {
            let guard = Box::leak(Box::new(LOCK.lock().unwrap()));
            innocent();
            sleep();
            **guard += 1;
        }),
        "dropped" => vec![
            Box::new(|| {
                let mut guard = LOCK.lock().unwrap();
                *guard += black_box(1);
                drop(guard);
                std::mem::forget(LOCK.lock().unwrap());
                innocent();
                sleep();
            }),
            Box::new(|| {
                let reference = &LOCK;
                if let Ok(mut value) = reference.try_lock() {
                    *value += 1;
                }
                innocent();
                sleep();
                *reference.lock().unwrap() += 1;
            }),
        ],
        "maybe_dropped" => one(|| {
            let guard = LOCK.lock().unwrap();
            if black_box(tid() != 0) {
                drop(guard);
            }
            std::mem::forget(LOCK.lock().unwrap());
            innocent();
            sleep();
        }),
        "taken" => one(|| {
            let mut guard = Some(LOCK.lock().unwrap());
            drop(guard.take());
            std::mem::forget(LOCK.lock().unwrap());
            innocent();
            sleep();
            black_box(guard.is_some());
        }),
        "other" => vec![
            Box::new(|| {
                let mut guard = OTHER.lock().unwrap();
                innocent();
                sleep();
                *guard += *LOCK.lock().unwrap();
            }),
            Box::new(|| {
                std::mem::forget(LOCK.lock().unwrap());
                innocent();
                sleep();
            }),
        ],
        "condvar" => vec![
            Box::new(|| {
                // Its guard lives on, but the condition variable has let go of
                // the lock.
                let guard = LOCK.lock().unwrap();
                innocent();
                let guard = CHANGED.wait_while(guard, |_| true).unwrap();
                drop(guard);
            }),
            Box::new(|| {
                thread::sleep(Duration::from_millis(100));
                std::mem::forget(LOCK.lock().unwrap());
                innocent();
                sleep();
            }),
        ],
        // It holds another as well, which tells nothing of this one.
        "condvar_with_another_held" => vec![
            Box::new(|| {
                let other = OTHER.lock().unwrap();
                let guard = LOCK.lock().unwrap();
                innocent();
                let guard = CHANGED.wait_while(guard, |_| true).unwrap();
                black_box(*other + *guard);
            }),
            Box::new(|| {
                thread::sleep(Duration::from_millis(100));
                std::mem::forget(LOCK.lock().unwrap());
                innocent();
                sleep();
            }),
        ],
        // The wait is over and the guard alive, but another has the lock.
        "relocking" => vec![
            Box::new(|| {
                let guard = LOCK.lock().unwrap();
                innocent();
                let (guard, _) = CHANGED.wait_timeout(guard, Duration::from_millis(200)).unwrap();
                black_box(*guard);
            }),
            Box::new(|| {
                thread::sleep(Duration::from_millis(100));
                std::mem::forget(LOCK.lock().unwrap());
                innocent();
                sleep();
            }),
        ],
        "running" => one(|| {
            let guard = LOCK.lock().unwrap();
            innocent();
            while *black_box(&*guard) == 0 {}
        }),
        "forgotten_readers" => vec![
            Box::new(|| {
                std::mem::forget(TABLE.read().unwrap());
                innocent();
                sleep();
            }),
            Box::new(|| {
                drop(TABLE.read().unwrap());
                innocent();
                sleep();
            }),
        ],
        // A foreign function does not unwind: there is nothing to clean up.
        "foreign" => one(|| {
            let guard = LOCK.lock().unwrap();
            announce();
            unsafe { pause() };
            drop(guard);
        }),
        _ => panic!("what?"),
    }
}

fn wait_for(kind: &str) {
    match kind {
        "writer" => drop(TABLE.read().unwrap()),
        "reader" | "readers" | "reads_twice" | "downgraded" | "forgotten_readers" => drop(TABLE.write().unwrap()),
        "once" => ONCE.call_once(|| ()),
        "cell" => assert!(*CELL.get_or_init(|| 0) > 0),
        "lazy" => assert!(*LAZY > 0),
        _ => *LOCK.lock().unwrap() += 1,
    }
}

#[inline(never)]
fn length(list: &Mutex<Vec<i32>>) -> usize {
    list.lock().unwrap().len()
}

fn shared(kind: &str) -> bool {
    match kind {
        // The lock lies on the heap.
        "arc" => {
            let lock = Arc::new(Account { balance: Mutex::new(0), name: tid().to_string() });
            let (own, (send, receive)) = (lock.clone(), channel());
            thread::spawn(move || {
                let mut balance = own.balance.lock().unwrap();
                announce();
                send.send(()).unwrap();
                deep(4);
                *balance += own.name.len() as u64;
            });
            receive.recv().unwrap();
            report(1);
            *lock.balance.lock().unwrap() += 1;
        }
        // Each of two threads wants what the other holds; both are printed.
        "abba" => {
            let (send, receive) = channel();
            let (own, others) = (send.clone(), send);
            thread::spawn(move || {
                let mut one = LOCK.lock().unwrap();
                own.send(tid()).unwrap();
                thread::sleep(Duration::from_millis(100));
                *one += *OTHER.lock().unwrap();
            });
            thread::spawn(move || {
                let mut other = OTHER.lock().unwrap();
                others.send(tid()).unwrap();
                thread::sleep(Duration::from_millis(100));
                *other += *LOCK.lock().unwrap();
            });
            println!("{} {}", receive.recv().unwrap(), receive.recv().unwrap());
            sleep();
        }
        // It locks what it holds.
        "itself" => {
            let guard = LOCK.lock().unwrap();
            announce();
            report(1);
            *LOCK.lock().unwrap() += *guard;
        }
        // In ways that are not seen as easily.
        "itself_printing" => {
            let lock = Mutex::new(1);
            let guard = lock.lock().unwrap();
            announce();
            report(1);
            let again = lock.lock().unwrap();
            eprintln!("{guard} {again}");
        }
        // It calls the kernel itself, but for no futex.
        "itself_asking" => {
            let lock = Mutex::new(1);
            let guard = lock.lock().unwrap();
            announce();
            report(1);
            let number = unsafe { syscall(186) };
            *lock.lock().unwrap() += *guard + number;
        }
        "itself_called" => {
            let lock = Arc::new(Mutex::new(vec![1]));
            let (guard, own) = (lock.lock().unwrap(), lock.clone());
            announce();
            report(1);
            eprintln!("{} {}", length(&own), guard.len());
        }
        "itself_mapping" => {
            let lock = Mutex::new(vec![1_u64, 2]);
            let guard = lock.lock().unwrap();
            announce();
            report(1);
            let sum: u64 = guard.iter().map(|number| number + lock.lock().unwrap()[0]).sum();
            eprintln!("{sum}");
        }
        "itself_dropping" => {
            struct Counted;
            impl Drop for Counted {
                fn drop(&mut self) {
                    *LOCK.lock().unwrap() += 1;
                }
            }
            let guard = LOCK.lock().unwrap();
            let counted = Counted;
            announce();
            report(1);
            drop(counted);
            eprintln!("{guard}");
        }
        "itself_reading" => {
            let lock = RwLock::new(1);
            let guard = lock.read().unwrap();
            announce();
            report(1);
            *lock.write().unwrap() = *guard + 1;
        }
        "itself_writing" => {
            let mut table = TABLE.write().unwrap();
            announce();
            report(1);
            let length = TABLE.read().unwrap().len();
            table.push(length as u64);
        }
        "itself_initialising" => {
            CELL.get_or_init(|| {
                announce();
                report(1);
                *CELL.get_or_init(|| 1) + 1
            });
        }
        // On the stack of another thread.
        "scope" => {
            let lock = Mutex::new(0);
            thread::scope(|scope| {
                let (send, receive) = channel();
                let lock = &lock;
                scope.spawn(move || {
                    let mut guard = lock.lock().unwrap();
                    announce();
                    send.send(()).unwrap();
                    deep(1);
                    *guard += 1;
                });
                receive.recv().unwrap();
                report(1);
                *lock.lock().unwrap() += 1;
            });
        }
        _ => return false,
    }
    true
}

static ANSWERS: OnceLock<Mutex<std::sync::mpsc::Receiver<(i32, bool)>>> = OnceLock::new();

/// Prints who waits (this thread) and who holds, once so many have spoken.
fn report(count: usize) {
    let answers = ANSWERS.get().unwrap().lock().unwrap();
    let mut holders = Vec::new();
    for _ in 0..count {
        let (tid, holds) = answers.recv().unwrap();
        if holds {
            holders.push(tid.to_string());
        }
    }
    println!("{} {}", tid(), holders.join(" "));
}

fn main() {
    let kind = std::env::args().nth(1).unwrap();
    let (send, receive) = channel();
    READY.set(Mutex::new(send)).unwrap();
    ANSWERS.set(Mutex::new(receive)).unwrap();
    if shared(&kind) {
        return;
    }
    let jobs = hold(&kind);
    let count = jobs.len();
    for job in jobs {
        thread::spawn(job);
    }
    report(count);
    wait_for(&kind);
}
