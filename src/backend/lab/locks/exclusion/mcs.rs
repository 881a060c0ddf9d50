//! The MCS queue lock.
//!
//! J. M. Mellor-Crummey, M. L. Scott: Algorithms for Scalable Synchronization
//! on Shared-Memory Multiprocessors, ACM TOCS 9(1), 1991, section 2.4.

use std::borrow::Cow;
use std::ptr;
use std::sync::atomic::AtomicPtr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::Exclusion;
use super::queue_node::{Node, spin_while};
use crate::backend::lab::locks::{Family, Info};

/// The MCS lock: a list of waiting threads, each spinning on its own node.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct Mcs {
    /// | value | meaning | who changes it |
    /// |---|---|---|
    /// | null | free | any thread, to its node |
    /// | a node | held; that node stands last | any thread, to its node; its owner to null |
    tail: AtomicPtr<Node>,
}

impl Exclusion for Mcs {
    const INFO: Info = Info {
        key: "mcs",
        name: "MCS queue lock",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed("Mellor-Crummey and Scott 1991"),
        explanation: "A linked queue: a thread swaps its own node in as the tail, tells the node before it who stands \
            behind, and spins on its own node until the one before sets it free. Each thread spins in its own cache \
            line, so a hand-off costs one transfer however many wait. Strictly first come, first served, with the \
            price of all queues: if the next in line is not running, everybody waits for the scheduler.",
    };

    type Held<'a> = &'static Node;

    #[inline]
    fn lock(&self) -> &'static Node {
        let node = Node::take();
        node.next.store(ptr::null_mut(), Relaxed);
        node.locked.store(true, Relaxed);
        let before = self.tail.swap(ptr::from_ref(node).cast_mut(), AcqRel);
        // SAFETY: nodes are never freed, and whoever put this one there waits
        // for its `next` before it gives the node back.
        if let Some(before) = unsafe { before.as_ref() } {
            before.next.store(ptr::from_ref(node).cast_mut(), Release);
            node.wait();
        }
        node
    }

    #[inline]
    fn try_lock(&self) -> Option<&'static Node> {
        let node = Node::take();
        node.next.store(ptr::null_mut(), Relaxed);
        node.locked.store(true, Relaxed);
        let ours = ptr::from_ref(node).cast_mut();
        if self.tail.compare_exchange(ptr::null_mut(), ours, AcqRel, Relaxed).is_ok() {
            return Some(node);
        }
        node.give_back();
        None
    }

    #[inline]
    fn unlock(&self, node: &'static Node) {
        if node.next.load(Acquire).is_null() {
            let ours = ptr::from_ref(node).cast_mut();
            if self.tail.compare_exchange(ours, ptr::null_mut(), Release, Relaxed).is_ok() {
                return node.give_back();
            }
            // Somebody has swapped itself in and is about to say so.
            spin_while(|| node.next.load(Acquire).is_null());
        }
        // SAFETY: it is not null, nodes are never freed, and its owner waits.
        if let Some(next) = unsafe { node.next.load(Acquire).as_ref() } {
            next.locked.store(false, Release);
        }
        node.give_back();
    }
}
