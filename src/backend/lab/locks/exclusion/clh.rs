//! The CLH queue lock.
//!
//! T. S. Craig: Building FIFO and Priority-Queuing Spin Locks from Atomic Swap,
//! University of Washington, TR 93-02-02, 1993; A. Landin, E. Hagersten:
//! Queue Locks on Cache Coherent Multiprocessors, IPPS 1994.

use std::borrow::Cow;
use std::ptr;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::Exclusion;
use super::queue_node::Node;
use crate::backend::lab::locks::{Family, Info};

/// Bits of an address below it, which are 0 in a node's.
const ALIGN: u32 = align_of::<Node>().ilog2();
/// Bits of a node's address that are not always 0: user space ends below 2⁴⁸.
const ADDRESS: u32 = 48 - ALIGN;

/// The CLH lock: each thread spins on the node of the one before it, and takes
/// that node over.
///
/// ```text
/// tail  63 ─────────────── 41 40 ─────────────────────── 0
///       the node's generation  the node's address / 128
/// ```
///
/// The generation is for `try_lock` alone: between its look at the last node and
/// its compare-and-swap the node may have gone round the queue and be locked
/// again. It would have to do that 2²³ times, to a whole number, not to be
/// noticed.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Clh {
    tail: AtomicU64,
}

/// What a holder has: its node, to set free, and the one before it, to keep.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Place {
    ours: &'static Node,
    before: &'static Node,
}

impl Default for Clh {
    fn default() -> Self {
        let free = Node::take();
        free.locked.store(false, Relaxed);
        Clh { tail: AtomicU64::new(word(free)) }
    }
}

impl Drop for Clh {
    fn drop(&mut self) {
        node(*self.tail.get_mut()).give_back();
    }
}

/// A node as the tail has it.
#[inline]
fn word(node: &'static Node) -> u64 {
    let address = ptr::from_ref(node).expose_provenance() as u64 >> ALIGN;
    address | u64::from(node.generation()) << ADDRESS
}

/// The node of a word.
#[inline]
fn node(word: u64) -> &'static Node {
    let address = (word & ((1 << ADDRESS) - 1)) << ALIGN;
    // SAFETY: only `word` makes these, from nodes, which are never freed; it
    // exposes their provenance.
    unsafe { &*ptr::with_exposed_provenance::<Node>(address as usize) }
}

/// A node of this thread that will be locked.
#[inline]
fn locked() -> &'static Node {
    let node = Node::take();
    node.locked.store(true, Relaxed);
    node.generation.store(node.generation().wrapping_add(1), Relaxed);
    node
}

impl Exclusion for Clh {
    const INFO: Info = Info {
        key: "clh",
        name: "CLH queue lock",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed("Craig 1993; Landin and Hagersten 1994"),
        explanation: "A queue that nobody writes down: a thread swaps its node in as the tail and spins on the node \
            that it got in exchange, which belongs to the thread before it. To unlock is to store false in one's own \
            node, without ever knowing who waits, and to keep the other's node for the next time. One store where MCS \
            may need a compare-and-swap; but a thread spins on memory that another allocated.",
    };

    type Held<'a> = Place;

    #[inline]
    fn lock(&self) -> Place {
        let ours = locked();
        let before = node(self.tail.swap(word(ours), AcqRel));
        before.wait();
        Place { ours, before }
    }

    #[inline]
    fn try_lock(&self) -> Option<Place> {
        let last = self.tail.load(Acquire);
        let before = node(last);
        if before.locked.load(Acquire) {
            return None;
        }
        let ours = locked();
        if self.tail.compare_exchange(last, word(ours), AcqRel, Relaxed).is_ok() {
            return Some(Place { ours, before });
        }
        ours.give_back();
        None
    }

    #[inline]
    fn unlock(&self, place: Place) {
        place.ours.locked.store(false, Release);
        place.before.give_back();
    }
}
