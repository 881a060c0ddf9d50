//! Sampling what did not change allocates nothing, however many processes there
//! are.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "only sleepers are needed here")]
mod proc_tree;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proc_tree::{BY_HAND, Fake, PROCESSES, ProcTree, Watcher};
use syncscope::backend::{Command, Topics, Update};

/// The system's allocator, counted.
struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: every call is passed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promises are those that the system asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Allocations in so many readings of a tree with so many sleepers.
fn allocations(processes: i32, readings: u32) -> u64 {
    let tree = ProcTree::new();
    for pid in 1..=processes {
        tree.put(&Fake::new(pid, "sleeper"));
        tree.write(pid, "syscall", b"34 0x0 0x0 0x0 0x0 0x0 0x0 0x7ffca38017a8 0x7f5b992f42ad\n");
        tree.write(pid, "wchan", b"do_sys_pause");
        tree.write(pid, "status", b"voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t8\n");
        tree.write(pid, "io", b"read_bytes: 1\nwrite_bytes: 0\n");
    }
    let topics = Topics { waits: true, switches: true, io: true, ..PROCESSES };
    let mut watcher = Watcher::start(tree.path(), BY_HAND, topics);
    watcher.until("the first table", |table| table.value.complete);
    // Shares become known, and as many tables are in use at once as a slow face
    // could hold: the pool has grown to its full size.
    let mut held = Vec::new();
    for _ in 0..15 {
        std::thread::sleep(Duration::from_millis(if watcher.latest.as_ref().unwrap().seq < 5 { 110 } else { 0 }));
        held.push(watcher.sample());
        held.drain(..held.len().saturating_sub(3));
    }
    drop(held);
    let mut seq = watcher.latest.take().unwrap().seq;
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    for _ in 0..readings {
        watcher.backend.send(Command::SampleNow);
        let mut new = seq;
        while new == seq {
            let _ = watcher.backend.bell().recv_timeout(proc_tree::DEADLINE);
            watcher.backend.poll(|update| {
                if let Update::Processes(table) = update {
                    assert_eq!(table.value.processes.len(), processes as usize);
                    new = table.seq;
                }
            });
        }
        seq = new;
    }
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

#[test]
fn a_reading_of_sleepers_allocates_nothing() {
    let readings = 40;
    let few = allocations(20, readings);
    let many = allocations(200, readings);
    // The command channel gets a new block of 31 messages now and then.
    let channel = u64::from(readings / 31) + 1;
    assert!(few <= channel && many <= channel, "{few} with 20 processes, {many} with 200, in {readings} readings");
}
