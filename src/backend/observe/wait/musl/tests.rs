use crate::backend::observe::target::module::Runtime;
use crate::backend::observe::wait::fixture::{DATA, Machine, PID, STACK, TID};
use crate::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};

/// A thread that waits in `callers` of musl for the futex at `address`.
fn machine_at(address: u64, operation: u32, value: u32, callers: &[&str]) -> Machine {
    let machine = Machine::new(&format!("202 {address:#x} {operation:#x} {value:#x} 0x0 0x0 0x0"), "futex_do_wait");
    machine.runtime(Runtime::Musl);
    machine.set_words(STACK + 0x80, &[0; 64]);
    machine.stack("", callers);
    machine
}

/// A mutex at `DATA`, whose word is four bytes further on.
fn mutex(value: u32, words: [u32; 3]) -> Machine {
    let machine = machine_at(
        DATA + 4,
        if words[0] & 0x80 == 0 { 0x80 } else { 0 },
        value,
        &["", "pthread_mutex_timedlock", "!main"],
    );
    machine.set_words(DATA, &words);
    machine
}

fn wait(machine: &Machine) -> Wait {
    machine.decode().unwrap()
}

fn refuses(machine: &Machine) {
    let wait = wait(machine);
    assert_eq!(wait.kind, WaitKind::Futex, "{wait:#?}");
    assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
}

const WAITED: u32 = 0x8000_0000;
const OWNER: u32 = PID as u32;
/// No thread here.
const GONE: u32 = 4133;

#[test]
fn a_normal_mutex_is_told_without_a_holder() {
    for word in [WAITED | 16, 16] {
        let wait = wait(&mutex(WAITED | 16, [0, word, 1]));
        assert_eq!((wait.kind, wait.address), (WaitKind::PthreadMutex, Some(DATA)), "{wait:#?}");
        assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
        assert_eq!((wait.certainty, &*wait.resource), (Certainty::Derived, "musl mutex in [heap] +0x0"));
    }
}

#[test]
fn a_mutex_that_stores_its_holder_names_it() {
    for (kind, expected) in [
        (1, WaitKind::PthreadMutex),
        (2, WaitKind::PthreadMutex),
        (4, WaitKind::PthreadMutexRobust),
        (6, WaitKind::PthreadMutexRobust),
    ] {
        let wait = wait(&mutex(WAITED | OWNER, [kind, WAITED | OWNER, 2]));
        assert_eq!((wait.kind, wait.certainty), (expected, Certainty::Certain), "{kind}");
        assert_eq!(wait.holders, [Holder { pid: PID, tid: Some(PID) }], "{kind}");
    }
    let own = wait(&mutex(WAITED | TID as u32, [1, WAITED | TID as u32, 1]));
    assert_eq!(own.holders, [Holder { pid: PID, tid: Some(TID) }]);
}

#[test]
fn a_holder_that_has_ended_leaves_the_mutex_orphaned_unless_it_is_robust() {
    let gone = wait(&mutex(WAITED | GONE, [2, WAITED | GONE, 1]));
    assert!(gone.orphaned && gone.holders.is_empty(), "{gone:#?}");
    let ended = wait(&mutex(WAITED | 0x4000_0000, [2, WAITED | 0x4000_0000, 1]));
    assert!(ended.orphaned && ended.holders.is_empty(), "{ended:#?}");
    let robust = wait(&mutex(WAITED | GONE, [6, WAITED | GONE, 1]));
    assert!(!robust.orphaned && robust.holders.is_empty() && robust.partial, "{robust:#?}");
}

#[test]
fn bytes_that_are_no_mutex_of_musl_are_refused() {
    for (value, words) in [
        (WAITED | 16, [0, WAITED | 16, 0]),                 // nobody waits
        (WAITED | 16, [0, 0, 1]),                           // free meanwhile
        (WAITED | 16, [0, OWNER, 1]),                       // a normal one has no owner
        (16, [0, WAITED | 16, 1]),                          // it never waits without its bit
        (WAITED | OWNER, [0, WAITED | OWNER, 1]),           // a thread id, but of type normal
        (WAITED | OWNER, [3, WAITED | OWNER, 1]),           // no such type
        (WAITED | OWNER, [9, WAITED | OWNER, 1]),           // PI: the kernel's
        (WAITED | OWNER, [0x101, WAITED | OWNER, 1]),       // bits without a meaning
        (WAITED | OWNER, [1, WAITED | 1 << 22, 1]),         // no thread id
        (WAITED | OWNER, [1, WAITED | OWNER, 0x7fff_0000]), // the upper half of a pointer
        (2, [2, 0, OWNER]),                                 // a mutex of glibc
    ] {
        refuses(&mutex(value, words));
    }
    let shared = machine_at(DATA + 4, 0, WAITED | OWNER, &["pthread_mutex_timedlock"]);
    shared.set_words(DATA, &[1, WAITED | OWNER, 1]);
    refuses(&shared);
}

#[test]
fn a_refused_mutex_is_a_zero_of_its_own_stack_in_the_function_of_a_mutex() {
    let sleeps = |address, value: u32, word: u32, function| {
        let machine = machine_at(address, 0x80, value, &["", function, "!main"]);
        machine.set_words(address, &[word, 0, 0, 0]);
        machine
    };
    let refused = wait(&sleeps(STACK + 0xec, 0, 0, "pthread_mutex_timedlock"));
    assert_eq!((refused.kind, refused.orphaned), (WaitKind::PthreadMutexPi, true), "{refused:#?}");
    assert!(refused.address.is_none() && refused.holders.is_empty());
    refuses(&sleeps(STACK + 0xec, 0, 1, "pthread_mutex_timedlock"));
    refuses(&sleeps(STACK + 0xec, 1, 1, "pthread_mutex_timedlock"));
    refuses(&sleeps(DATA + 4, 0, 0, "pthread_mutex_timedlock"));
}

#[test]
fn perfect_bytes_count_only_inside_of_musl() {
    let words = [1, WAITED | OWNER, 1];
    for (runtime, at, callers) in [
        (Runtime::Unknown, "", &["pthread_mutex_timedlock"][..]), // static and stripped
        (Runtime::Glibc(36), "", &["pthread_mutex_timedlock"]),
        (Runtime::Musl, "syscall", &["pthread_mutex_timedlock"]),
        (Runtime::Musl, "", &["fputs", "pthread_mutex_timedlock"]), // a lock of stdio
        (Runtime::Musl, "", &["sem_timedwait"]),
        (Runtime::Musl, "", &["!main"]),
        (Runtime::Musl, "", &[]),
    ] {
        let machine = machine_at(DATA + 4, 0x80, WAITED | OWNER, &[]);
        machine.set_words(DATA, &words);
        machine.runtime(runtime);
        machine.stack(at, callers);
        refuses(&machine);
    }
}

#[test]
fn a_thread_that_has_moved_on_is_not_decoded() {
    let machine = mutex(WAITED | OWNER, [1, WAITED | OWNER, 1]);
    machine.write("100/task/101/syscall", "running");
    refuses(&machine);
}

fn rwlock(function: &str, value: u32, words: [u32; 3]) -> Machine {
    let machine = machine_at(DATA, 0x80, value, &["", function, "!main"]);
    machine.set_words(DATA, &words);
    machine
}

#[test]
fn an_rwlock_says_how_it_is_held_not_by_whom() {
    for (function, kind, word, says) in [
        ("pthread_rwlock_timedrdlock", WaitKind::PthreadRwlockRead, u32::MAX, "a writer holds it"),
        ("pthread_rwlock_timedwrlock", WaitKind::PthreadRwlockWrite, u32::MAX, "a writer holds it"),
        ("pthread_rwlock_timedwrlock", WaitKind::PthreadRwlockWrite, WAITED | 3, "3 readers hold it"),
    ] {
        let wait = wait(&rwlock(function, word, [word, 1, 0]));
        assert_eq!((wait.kind, wait.address, wait.mode), (kind, Some(DATA), Mode::All), "{wait:#?}");
        assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
        assert!(wait.evidence.iter().any(|line| line.starts_with(says)), "{wait:#?}");
    }
    let (read, write) = ("pthread_rwlock_timedrdlock", "pthread_rwlock_timedwrlock");
    refuses(&rwlock(read, WAITED | 3, [WAITED | 3, 1, 0])); // readers do not keep readers out
    refuses(&rwlock(write, u32::MAX, [u32::MAX, 0, 0]));
    refuses(&rwlock(write, u32::MAX, [0, 1, 0]));
    refuses(&rwlock(write, 3, [WAITED | 3, 1, 0]));
    refuses(&rwlock(write, u32::MAX, [u32::MAX, 1, 0x80]));
    refuses(&rwlock("sem_timedwait", u32::MAX - 1, [u32::MAX - 1, 1, 0x80]));
}

#[test]
fn a_join_names_the_thread_of_the_descriptor() {
    let join = |words: [u32; 3], itself: u64, value: u32| {
        let machine = machine_at(DATA + 0x38, 0x80, value, &["", "pthread_timedjoin_np", "!main"]);
        machine.set_bytes(PID, DATA, &itself.to_ne_bytes());
        machine.set_words(DATA + 0x30, &words);
        machine
    };
    let told = wait(&join([OWNER, 0, 2], DATA, 2));
    assert_eq!((told.kind, told.certainty), (WaitKind::ThreadJoin, Certainty::Certain));
    assert_eq!(told.holders, [Holder { pid: PID, tid: Some(PID) }]);
    refuses(&join([OWNER, 0, 2], DATA + 8, 2)); // no descriptor
    refuses(&join([GONE, 0, 2], DATA, 2)); // no such thread
    refuses(&join([TID as u32, 0, 2], DATA, 2)); // nobody joins itself
    refuses(&join([OWNER, 0, 1], DATA, 2)); // it is ending
    refuses(&join([OWNER, 0, 3], DATA, 3)); // detached
}

#[test]
fn what_nobody_holds_is_told_by_function_and_fields() {
    let told = |machine: &Machine, kind: WaitKind| {
        let wait = wait(machine);
        assert_eq!(wait.kind, kind, "{wait:#?}");
        assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
    };
    let semaphore = |value, words: [u32; 3]| {
        let machine = machine_at(DATA, 0x80, value, &["", "", "sem_timedwait", "!main"]);
        machine.set_words(DATA, &words);
        machine
    };
    told(&semaphore(u32::MAX, [u32::MAX, 1, 0x80]), WaitKind::Semaphore);
    told(&semaphore(WAITED, [WAITED, 1, 0x80]), WaitKind::Semaphore);
    refuses(&semaphore(u32::MAX, [u32::MAX, 1, 0])); // shared, but waited for as private
    refuses(&semaphore(u32::MAX, [u32::MAX, 0, 0x80]));
    refuses(&semaphore(0, [0, 1, 0x80]));
    let condition = |address: u64, words: [u32; 2]| {
        let machine = machine_at(address, 0x80, 2, &["", "", "pthread_cond_timedwait", "!main"]);
        machine.set_words(address - 4, &words);
        machine
    };
    let nowhere = |machine: &Machine| {
        let wait = wait(machine);
        // A node on a stack is not the thing itself, which only the caller's code tells.
        assert!(wait.address.is_none() && !wait.resource.contains(" in "), "{wait:#?}");
    };
    told(&condition(STACK + 0xec, [0, 2]), WaitKind::PthreadCond);
    nowhere(&condition(STACK + 0xec, [0, 2]));
    refuses(&condition(STACK + 0xec, [1, 2])); // it has been signalled
    refuses(&condition(DATA + 0xec, [0, 2])); // not on its own stack
    let barrier = |address: u64, value: u32, words: [u32; 2]| {
        let machine = machine_at(address, 0x80, value, &["pthread_barrier_wait", "!main"]);
        machine.set_words(address, &words);
        machine
    };
    told(&barrier(STACK + 0x8c, 1, [1, 0]), WaitKind::PthreadBarrier);
    nowhere(&barrier(STACK + 0x8c, 1, [1, 0]));
    told(&barrier(DATA + 4, 0, [0, 1]), WaitKind::PthreadBarrier);
    refuses(&barrier(DATA + 0xc, 1, [1, 0])); // the first waits on its own stack
    refuses(&barrier(DATA + 4, 0, [0, 0]));
    let once = machine_at(DATA, 0x80, 3, &["", "!main"]);
    once.set_words(DATA, &[3]);
    refuses(&once); // nothing has a name
    once.stack("", &["pthread_once", "!main"]);
    told(&once, WaitKind::PthreadOnce);
}
