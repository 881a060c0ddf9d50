//! What atomics do not promise by themselves: that what was read is still so,
//! and that two accesses are one. Threads meet at barriers, so that each sees the
//! unlucky order of events every time.

use std::sync::Barrier;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::thread;

use super::{Notes, Told};

pub(super) const LOST_UPDATE: Told = Told {
    tell: lost_update,
    statement: "A load and a store are two steps, atomic each for itself: who comes between them is overwritten. \
                fetch_add is one step, and loses nothing.",
};

pub(super) const TORN: Told = Told {
    tell: torn,
    statement: "What is written in two halves can be read between them: a value that was never written. One access of \
                the whole width cannot be torn; wider data needs a lock, a SeqLock or a pointer to it.",
};

pub(super) const STORM: Told = Told {
    tell: storm,
    statement: "Of those who compare-exchange what they all have read one succeeds, and all others start again: with n \
                threads up to n (n + 1) / 2 attempts for n additions, each with the cache line to itself. fetch_add \
                needs n. A pause that grows after each failure calms such a storm.",
};

pub(super) const ABA: Told = Told {
    tell: aba,
    statement: "A compare-exchange asks whether the value is the same, not whether nothing has happened. Here the top of \
                a stack went and came back, and what stood below it did not: the stack then holds a freed node.",
};

pub(super) const ABA_TAGGED: Told = Told {
    tell: aba_tagged,
    statement: "With a counter that each change moves on in the same word the value never comes back, so the \
                compare-exchange fails and reads again. Hazard pointers and epochs cure it too: they keep what \
                somebody looks at from being used again.",
};

fn lost_update(notes: &mut Notes) {
    let meeting = Barrier::new(2);
    let (apart, whole) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let read = apart.load(Relaxed);
                meeting.wait();
                apart.store(read + 1, Relaxed);
                whole.fetch_add(1, Relaxed);
            });
        }
    });
    let (apart, whole) = (apart.into_inner(), whole.into_inner());
    notes.add("both threads load 0, then both store 1", true);
    notes.add(format!("two additions by load and store: {apart}"), apart == 1);
    notes.add(format!("two additions by fetch_add: {whole}"), whole == 2);
}

fn torn(notes: &mut Notes) {
    let (half_written, read) = (Barrier::new(2), Barrier::new(2));
    let halves = [AtomicU32::new(0), AtomicU32::new(0)];
    let whole = AtomicU64::new(0);
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            halves[0].store(u32::MAX, Relaxed);
            whole.store(u64::MAX, Relaxed);
            half_written.wait();
            read.wait();
            halves[1].store(u32::MAX, Relaxed);
        });
        half_written.wait();
        let seen = (halves[0].load(Relaxed), halves[1].load(Relaxed), whole.load(Relaxed));
        read.wait();
        seen
    });
    let value = u64::from(seen.1) << 32 | u64::from(seen.0);
    notes.add("0 is overwritten by 0xffffffffffffffff, and read halfway", true);
    notes.add(format!("in two halves: {value:#018x}, which nobody ever wrote"), value != 0 && value != u64::MAX);
    notes.add(format!("in one access: {:#018x}", seen.2), seen.2 == u64::MAX);
}

fn storm(notes: &mut Notes) {
    for threads in [1, 2, 4, 8] {
        let (value, attempts) = (AtomicU32::new(0), AtomicU32::new(0));
        let meeting = Barrier::new(threads);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut done = false;
                    // Whoever is through still comes to the meetings.
                    for _ in 0..threads {
                        let read = value.load(Relaxed);
                        meeting.wait();
                        if !done {
                            attempts.fetch_add(1, Relaxed);
                            done = value.compare_exchange(read, read + 1, AcqRel, Relaxed).is_ok();
                        }
                        meeting.wait();
                    }
                });
            }
        });
        let (value, attempts, threads) = (value.into_inner(), attempts.into_inner(), threads as u32);
        let additions = if threads == 1 { "thread, 1 addition" } else { "threads, as many additions" };
        let fine = value == threads && attempts == threads * (threads + 1) / 2;
        notes.add(format!("{threads} {additions}: {attempts} attempts, {} in vain", attempts - threads), fine);
    }
}

/// A stack of numbered nodes: `next[n]` is the node below n, 0 the bottom. The
/// top has a counter in its upper half, which moves on where `tagged`.
struct Stack {
    top: AtomicU64,
    next: [AtomicU32; 4],
    tagged: bool,
}

impl Stack {
    /// 1 on 2 on 3.
    fn new(tagged: bool) -> Self {
        let next = [0, 2, 3, 0].map(AtomicU32::new);
        Stack { top: AtomicU64::new(1), next, tagged }
    }

    fn after(&self, top: u64, node: u32) -> u64 {
        let moves = if self.tagged { (top >> 32) + 1 } else { 0 };
        moves << 32 | u64::from(node)
    }

    /// Takes the top off; `between` is done after it was read.
    fn pop(&self, between: impl FnOnce()) -> Result<u32, u32> {
        let top = self.top.load(Acquire);
        let node = top as u32;
        let below = self.next[node as usize].load(Relaxed);
        between();
        let done = self.top.compare_exchange(top, self.after(top, below), AcqRel, Acquire);
        done.map(|_| node).map_err(|_| node)
    }

    fn push(&self, node: u32) {
        let top = self.top.load(Acquire);
        self.next[node as usize].store(top as u32, Relaxed);
        // Nobody else changes it meanwhile.
        let _ = self.top.compare_exchange(top, self.after(top, node), Release, Relaxed);
    }

    fn nodes(&self) -> String {
        let mut nodes = Vec::new();
        let mut node = self.top.load(Acquire) as u32;
        while node != 0 && nodes.len() < 4 {
            nodes.push(node.to_string());
            node = self.next[node as usize].load(Relaxed);
        }
        if nodes.is_empty() { "nothing".to_owned() } else { nodes.join(" on ") }
    }
}

/// One thread pops; while it is about to, another pops two nodes, frees the
/// second and pushes the first again.
fn interrupted(stack: &Stack, notes: &mut Notes) -> Result<u32, u32> {
    let (read, changed) = (Barrier::new(2), Barrier::new(2));
    notes.add(format!("the stack: {}", stack.nodes()), true);
    let (popped, between) = thread::scope(|scope| {
        let other = scope.spawn(|| {
            read.wait();
            let first = stack.pop(|| ());
            let freed = stack.pop(|| ());
            if let Ok(node) = first {
                stack.push(node);
            }
            let between = (freed, stack.nodes());
            changed.wait();
            between
        });
        let popped = stack.pop(|| {
            read.wait();
            changed.wait();
        });
        (popped, other.join())
    });
    notes.add("one thread wants to pop 1, and has read that 2 comes next", true);
    if let Ok((freed, nodes)) = between {
        notes.add(format!("another pops 1 and 2, frees 2, and pushes 1: {nodes}"), freed == Ok(2));
    }
    popped
}

fn aba(notes: &mut Notes) {
    let stack = Stack::new(false);
    let popped = interrupted(&stack, notes);
    let top = stack.top.load(Acquire);
    notes.add("the first thread's compare-exchange succeeds: the top is 1, as it was", popped == Ok(1));
    notes.add(format!("the stack: {}, and 2 is free", stack.nodes()), top == 2);
}

fn aba_tagged(notes: &mut Notes) {
    let stack = Stack::new(true);
    let popped = interrupted(&stack, notes);
    let moves = stack.top.load(Acquire) >> 32;
    notes.add(
        format!("the first thread's compare-exchange fails: 1 is on top, after {moves} changes"),
        popped == Err(1),
    );
    let again = stack.pop(|| ());
    notes.add(
        format!("it reads again and pops 1; the stack: {}", stack.nodes()),
        again == Ok(1) && stack.nodes() == "3",
    );
}
