use super::kind::{Kind, kind_of};
use super::*;

/// Where the code of a test lies, its stack, and a lock that it may use.
const CODE: u64 = 0x40_0000;
const STACK: u64 = 0x7000_0000;
const LOCK: u64 = 0x5000_0000;
/// Functions that the code may call.
const RESUME: u64 = CODE + 0x800;
const WAKE: u64 = CODE + 0x810;
const ABORT: u64 = CODE + 0x820;
const UNLOCK: u64 = CODE + 0x830;

struct Script {
    code: Vec<u8>,
}

impl Script {
    fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        for (at, byte) in (address..).zip(buffer.iter_mut()) {
            let code = at.checked_sub(CODE).and_then(|at| self.code.get(at as usize).copied());
            *byte = match at {
                LOCK => 2,
                _ => code.unwrap_or(0),
            };
        }
        [CODE, STACK, LOCK].iter().any(|base| (*base..base + 0x1000).contains(&address))
    }

    fn unwound(&self) -> Outcome {
        let read = |address, buffer: &mut [u8]| self.read(address, buffer);
        let mut registers = Registers::new(STACK + 0x800, CODE);
        registers.set(14, Some(LOCK));
        unwound(CODE, &registers, Written::default(), (&Memory::new(&read), self), 1000, (&[], Through::Once))
    }
}

impl Stage for Script {
    fn function(&self, address: u64) -> Function {
        let name = match address {
            RESUME => "_Unwind_Resume",
            WAKE => "syscall",
            ABORT => "_RNvNtCs1_4core9panicking19panic_cannot_unwind",
            UNLOCK => "pthread_rwlock_unlock",
            _ => return Function { name: Some("cleanup".into()), library: false },
        };
        Function { name: Some(name.into()), library: address != ABORT }
    }

    fn import(&self, _: u64) -> Option<Arc<str>> {
        None
    }
}

/// The same, but for a longer function `read` of a program.
struct Named(Script);

impl Stage for Named {
    fn function(&self, address: u64) -> Function {
        let name = if (WAKE..WAKE + 0x10).contains(&address) { "read" } else { "cleanup" };
        Function { name: Some(name.into()), library: false }
    }

    fn import(&self, slot: u64) -> Option<Arc<str>> {
        self.0.import(slot)
    }
}

/// A call to `to` that stands so far from the beginning.
fn call(to: u64, at: usize) -> Vec<u8> {
    let behind = CODE + at as u64 + 5;
    let distance = i32::try_from(to as i64 - behind as i64).unwrap();
    [&[0xe8][..], &distance.to_le_bytes()].concat()
}

fn script(parts: &[&[u8]], calls: &[u64]) -> Outcome {
    let mut code = Vec::new();
    let mut calls = calls.iter();
    for part in parts {
        // An empty part stands for the next call.
        let part = if part.is_empty() { call(*calls.next().unwrap(), code.len()) } else { part.to_vec() };
        code.extend(part);
    }
    Script { code }.unwound()
}

const CLEAR: &[u8] = &[0x31, 0xc0]; // xor eax, eax
const RELEASE: &[u8] = &[0x41, 0x87, 0x06]; // xchg [r14], eax
const ONE: &[u8] = &[0xb9, 1, 0, 0, 0]; // mov ecx, 1
const TAKE: &[u8] = &[0xf0, 0x41, 0x0f, 0xb1, 0x0e]; // lock cmpxchg [r14], ecx
const UNKNOWN: &[u8] = &[0x48, 0x85, 0xd2]; // test rdx, rdx

#[test]
fn a_cleanup_that_lets_go_is_seen_to() {
    let outcome = script(&[CLEAR, RELEASE, &[], &[]], &[WAKE, RESUME]);
    assert_eq!(outcome.ways.len(), 1);
    let (event, times) = outcome.first(LOCK).unwrap();
    assert_eq!((event.act.clone(), event.size, event.pc, times), (Act::Exchange(Some(0)), 4, CODE + 2, 1));
    assert!(outcome.touches(LOCK) && !outcome.touches(LOCK + 4));
}

#[test]
fn what_happens_on_one_way_only_does_not_count() {
    // jne over the release
    let outcome = script(&[CLEAR, UNKNOWN, &[0x75, 3], RELEASE, &[]], &[RESUME]);
    assert_eq!((outcome.ways.len(), outcome.first(LOCK)), (2, None));
    assert!(outcome.touches(LOCK));
    // Unless the other one cannot happen: it ends the program.
    let outcome = script(&[CLEAR, UNKNOWN, &[0x75, 8], RELEASE, &[], &[]], &[RESUME, ABORT]);
    assert_eq!(outcome.first(LOCK).unwrap().0.act, Act::Exchange(Some(0)));
}

#[test]
fn who_takes_a_lock_first_does_not_hold_it() {
    let outcome = script(&[CLEAR, ONE, TAKE, CLEAR, RELEASE, &[]], &[RESUME]);
    assert_eq!(outcome.first(LOCK).unwrap().0.act, Act::CompareExchange { expected: Some(0), new: Some(1) });
    assert_eq!(outcome.first_of_all().unwrap().address, LOCK);
}

#[test]
fn a_function_of_the_library_is_noted_with_what_it_is_called_for() {
    let to_rdi: &[u8] = &[0x4c, 0x89, 0xf7]; // mov rdi, r14
    let outcome = script(&[to_rdi, &[], &[]], &[UNLOCK, RESUME]);
    assert_eq!(outcome.first(LOCK).unwrap().0.act, Act::Call("pthread_rwlock_unlock".into()));
}

#[test]
fn a_jump_within_a_function_that_is_passed_over_is_only_a_jump() {
    // Its name is that of a function that would be passed over, as read is in glibc.
    let at = (WAKE - CODE) as usize;
    let mut code = vec![0x90; at];
    code.extend([&[0xeb, 2, 0x0f, 0x0b][..], CLEAR, RELEASE, &[0x06]].concat()); // jmp over ud2
    let script = Named(Script { code });
    let read = |address, buffer: &mut [u8]| script.0.read(address, buffer);
    let mut registers = Registers::new(STACK + 0x800, WAKE);
    registers.set(14, Some(LOCK));
    let place: (&Memory<'_>, &dyn Stage) = (&Memory::new(&read), &script);
    let outcome = onward(&registers, None, Written::default(), place, 1000, (&[LOCK], Through::Loops));
    assert_eq!(outcome.first(LOCK).unwrap().0.act, Act::Exchange(Some(0)), "{outcome:?}");
}

#[test]
fn a_call_is_followed_and_returned_from() {
    let entered = CODE + 0x100;
    let mut code = [&call(entered, 0)[..], &call(RESUME, 5)].concat();
    code.resize(0x100, 0x90);
    code.extend([CLEAR, RELEASE, &[0xc3]].concat());
    let outcome = Script { code }.unwound();
    assert_eq!(outcome.first(LOCK).unwrap().0.pc, entered + 2);
    assert_eq!(outcome.steps, 5);
}

/// How a thread goes on that has these instructions before it, a call of `syscall` first.
fn going_on(behind: &[&[u8]]) -> Outcome {
    going_on_through(behind, Through::Loops)
}

fn going_on_through(behind: &[&[u8]], through: Through) -> Outcome {
    let code = [&call(WAKE, 0)[..], &behind.concat()].concat();
    let script = Script { code };
    let read = |address, buffer: &mut [u8]| script.read(address, buffer);
    let mut registers = Registers::new(STACK + 0x800, CODE);
    registers.set(14, Some(LOCK));
    onward(&registers, None, Written::default(), (&Memory::new(&read), &script), 1000, (&[LOCK], through))
}

#[test]
fn a_loop_is_left_sometime_or_never() {
    const COUNT: &[u8] = &[0x48, 0xff, 0xc3]; // inc rbx
    const ASK: &[u8] = &[0x85, 0xc0]; // test eax, eax
    const END: &[u8] = &[0x06]; // no instruction
    // until the call returns 0
    let outcome = going_on(&[COUNT, ASK, &[0x75, 0xf4], CLEAR, RELEASE, END]);
    assert_eq!(outcome.first(LOCK).unwrap().0.act, Act::Exchange(Some(0)), "{outcome:?}");
    // It takes the lock itself, if it goes round: not what the way out tells at once.
    let outcome = going_on(&[ASK, &[0x74, 14], CLEAR, ONE, TAKE, &[0xeb, 0xe9], CLEAR, RELEASE, END]);
    assert!(outcome.touches(LOCK) && outcome.first(LOCK).is_none(), "{outcome:?}");
    // It has no way out.
    let outcome = going_on(&[ASK, &[0x75, 0xf7], &[0xeb, 0xf5], CLEAR, RELEASE]);
    assert_eq!((outcome.first(LOCK), outcome.touches(LOCK)), (None, false), "{outcome:?}");
}

#[test]
fn ways_that_meet_go_on_as_one() {
    const ASK: &[u8] = &[0x85, 0xc0]; // test eax, eax
    const END: &[u8] = &[0x06]; // no instruction
    let meetings = Through::Meetings(u64::MAX);
    // So often one of two, as no way has branches: 64 bits of a number.
    let mut often: Vec<&[u8]> = Vec::new();
    for _ in 0..30 {
        often.extend([ASK, &[0x74, 3], &[0x48, 0xff, 0xc3]]); // je behind; inc rbx
    }
    often.extend([CLEAR, RELEASE, END]);
    assert_eq!(going_on_through(&often, Through::Loops).first(LOCK), None);
    let outcome = going_on_through(&often, meetings);
    assert_eq!(outcome.first(LOCK).unwrap().0.act, Act::Exchange(Some(0)), "{outcome:?}");
    // One of the two takes it before: where they meet they are not one.
    let takes: Vec<&[u8]> = vec![ASK, &[0x74, 12], CLEAR, ONE, TAKE, ASK, &[0x74, 0], CLEAR, RELEASE, END];
    let outcome = going_on_through(&takes, meetings);
    assert!(outcome.touches(LOCK) && outcome.first(LOCK).is_none(), "{outcome:?}");
}

#[test]
fn what_is_done_elsewhere_is_passed_over_unless_it_takes_a_lock() {
    const END: &[u8] = &[0x06];
    let meetings = Through::Meetings(u64::MAX);
    let elsewhere: [(&[u8], bool); 5] = [
        (&[0x48, 0x89, 0x18], true),        // mov [rax], rbx
        (&[0xf0, 0xff, 0x08], true),        // lock dec dword [rax]
        (&[0x31, 0xc9, 0x87, 0x08], true),  // xor ecx, ecx; xchg [rax], ecx
        (&[0xf0, 0x0f, 0xb1, 0x0b], false), // lock cmpxchg [rbx], ecx
        (&[0x87, 0x18], false),             // xchg [rax], ebx
    ];
    for (code, passed) in elsewhere {
        let found = |through| going_on_through(&[code, CLEAR, RELEASE, END], through).first(LOCK).is_some();
        assert_eq!((found(meetings), found(Through::Loops)), (passed, false), "{code:x?}");
    }
}

#[test]
fn a_loop_ends_and_so_does_nonsense() {
    let outcome = script(&[&[0xeb, 0xfe]], &[]); // jmp to itself
    assert_eq!((outcome.ways.len(), outcome.first(LOCK)), (1, None));
    assert!(outcome.steps > 1000);
    let outcome = script(&[CLEAR, UNKNOWN, &[0x75, 0xfb, 0x06]], &[]); // until nobody knows when
    assert!(outcome.first(LOCK).is_none() && outcome.steps < 1000);
    let outcome = script(&[&[0x06]], &[]); // no instruction
    assert_eq!(outcome.first(LOCK), None);
}

#[test]
fn names_decide_what_is_passed_over() {
    assert_eq!(kind_of("_RNvCs1_7___rustc14___rust_dealloc", false), Kind::Passed);
    assert_eq!(kind_of("_RNvNtNtCs1_3std2io5stdio6__print", false), Kind::Passed);
    assert_eq!(kind_of("_ZN3std2io5stdio6_print17h0E", false), Kind::Passed);
    assert_eq!(kind_of("_ZN11parking_lot9raw_mutex8RawMutex11unlock_slow17h0E", false), Kind::Passed);
    assert_eq!(kind_of("_ZN11parking_lot10raw_rwlock9RawRwLock22unlock_upgradable_slow17h0E", false), Kind::Lock);
    assert_eq!(kind_of("_ZN4core3ptr13drop_in_placeE", false), Kind::Entered);
    for name in [
        "_ZN3std4sync4mpmc17Receiver$LT$T$GT$4recv17h0E",
        "_ZN3std6thread9lifecycle18JoinInner$LT$T$GT$4join17h0E",
        "_RNvMs0_NtNtCs1_3std4sync7barrierNtB5_7Barrier4wait",
        "_ZN17crossbeam_channel7channel17Receiver$LT$T$GT$12recv_timeout17h0E",
    ] {
        assert_eq!(kind_of(name, false), Kind::Asleep, "{name}");
    }
    for name in [
        "_ZN3std4sync4mpmc4list16Channel$LT$T$GT$20disconnect_receivers17h0E",
        "_ZN3std4sync4mpmc4list16Channel$LT$T$GT$18disconnect_senders17h0E",
        "_ZN6my_std4sync4mpmc4recv17h0E",
        "_RINvNtCs1_3std4callNvNtCs1_3std4sync4mpmcE",
        "_ZN3std6thread5local17LocalKey$LT$T$GT$4with17h0E",
    ] {
        assert_eq!(kind_of(name, false), Kind::Entered, "{name}");
    }
    assert_eq!(kind_of("__pthread_disable_asynccancel", false), Kind::Passed);
    assert_eq!(kind_of("anything", true), Kind::Passed);
    assert_eq!(kind_of("", true), Kind::Unnamed);
    assert_eq!(kind_of("", false), Kind::Entered);
    assert_eq!(kind_of("pthread_mutex_unlock", true), Kind::Lock);
    assert_eq!(kind_of("__cxa_begin_catch", false), Kind::End);
}

#[test]
fn what_threads_and_exceptions_call_is_known_by_name() {
    for name in ["pthread_rwlock_unlock", "__pthread_rwlock_unlock", "___pthread_mutex_unlock", "mtx_unlock"] {
        assert_eq!(kind_of(name, false), Kind::Lock, "{name}");
    }
    for name in ["_ZSt20__throw_system_errori", "__cxa_throw", "_ZSt9terminatev", "abort"] {
        assert_eq!(kind_of(name, false), Kind::Failure, "{name}");
    }
    for name in ["malloc", "_Znwm", "_RNvCs1_7___rustc12___rust_alloc", "_RNvCs1_7___rustc14___rust_realloc"] {
        assert_eq!(kind_of(name, false), Kind::Allocation, "{name}");
    }
    assert_eq!(kind_of("_RNvCs1_7___rustc19___rust_alloc_zeroed", false), Kind::Entered);
    assert_eq!(kind_of("_ZN4bank14unlock_ledgersEv", false), Kind::Entered);
}
