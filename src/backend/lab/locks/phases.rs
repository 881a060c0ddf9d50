//! Threads that go through phases together, and stop together: after the same
//! phase, or one would wait for another that has gone.
//!
//! The first thread decides, before it arrives: whoever leaves the phase's
//! barrier has seen it.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

/// The decision.
#[derive(Debug)]
pub(super) struct Phases {
    /// The last phase before the threads rest.
    last: AtomicU64,
}

impl Default for Phases {
    fn default() -> Self {
        Phases { last: AtomicU64::new(u64::MAX) }
    }
}

impl Phases {
    /// Thread `me` is about to arrive at a phase, and needs no other after it
    /// if it is `enough`.
    #[inline]
    pub(super) fn arrive(&self, me: u32, phase: u64, enough: bool, go_on: &AtomicBool) {
        if me == 0 && (enough || !go_on.load(Relaxed)) {
            self.last.store(phase, Relaxed);
        }
    }

    /// Whether the phase that was just left was the last.
    #[inline]
    pub(super) fn is_over(&self, phase: u64) -> bool {
        self.last.load(Relaxed) == phase
    }
}

/// A number on cache lines of its own.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Padded(pub(super) AtomicU64);
