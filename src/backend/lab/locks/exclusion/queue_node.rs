//! The nodes that queue locks are made of.
//!
//! Nodes are never freed, only used again: a thread that looks at a node which
//! has meanwhile passed on to another finds a node, not freed memory. There are
//! as many as were ever in use at one time.

use std::cell::RefCell;
use std::hint;
use std::ptr;
use std::sync::atomic::Ordering::{Acquire, Relaxed};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};
use std::thread;

use parking_lot::Mutex;

/// Looks before the thread gives its processor away: whoever stands before it
/// may need it.
const LOOKS: u32 = 64;

/// A place in a queue, on cache lines of its own: each thread waits on a
/// different one.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct Node {
    /// Whoever looks at this one has to wait.
    pub(super) locked: AtomicBool,
    /// Who stands behind, in an MCS lock.
    pub(super) next: AtomicPtr<Node>,
    /// How often it was taken, modulo 2³².
    pub(super) generation: AtomicU32,
}

/// Nodes of threads that have ended.
static SPARE: Mutex<Vec<&'static Node>> = Mutex::new(Vec::new());

/// The nodes of a thread that are in no queue.
struct Mine(RefCell<Vec<&'static Node>>);

impl Drop for Mine {
    fn drop(&mut self) {
        SPARE.lock().append(self.0.get_mut());
    }
}

thread_local! {
    static MINE: Mine = const { Mine(RefCell::new(Vec::new())) };
}

impl Node {
    /// A node that nobody else uses.
    #[inline]
    pub(super) fn take() -> &'static Node {
        MINE.with(|mine| mine.0.borrow_mut().pop()).unwrap_or_else(Node::another)
    }

    #[cold]
    fn another() -> &'static Node {
        SPARE.lock().pop().unwrap_or_else(|| {
            Box::leak(Box::new(Node {
                locked: AtomicBool::new(false),
                next: AtomicPtr::new(ptr::null_mut()),
                generation: AtomicU32::new(0),
            }))
        })
    }

    /// It is in no queue any more.
    #[inline]
    pub(super) fn give_back(&'static self) {
        MINE.with(|mine| mine.0.borrow_mut().push(self));
    }

    /// Waits until it is no longer locked.
    #[inline]
    pub(super) fn wait(&self) {
        spin_while(|| self.locked.load(Acquire));
    }

    /// Its generation now.
    pub(super) fn generation(&self) -> u32 {
        self.generation.load(Relaxed)
    }
}

/// Looks until it is over, and gives the processor away now and then.
#[inline]
pub(in crate::backend::lab::locks) fn spin_while(mut waiting: impl FnMut() -> bool) {
    let mut looks = 0_u32;
    while waiting() {
        looks += 1;
        if looks.is_multiple_of(LOOKS) {
            thread::yield_now();
        } else {
            hint::spin_loop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_s_nodes_serve_the_next_one() {
        let address = |node: &'static Node| ptr::from_ref(node).addr();
        let first = thread::spawn(move || {
            let [a, b] = [Node::take(), Node::take()];
            assert_ne!(address(a), address(b));
            a.give_back();
            assert_eq!(address(Node::take()), address(a));
            a.give_back();
            b.give_back();
            [address(a), address(b)]
        });
        let first = first.join().unwrap();
        // Other tests may take them first; then they are in use, not lost.
        let spare: Vec<_> = SPARE.lock().iter().map(|node| address(node)).collect();
        assert!(first.iter().all(|node| node % 128 == 0) && spare.iter().all(|node| node % 128 == 0));
    }
}
