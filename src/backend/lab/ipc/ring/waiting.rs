//! The ways a side of a ring waits for the other.

use std::io;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::{AtomicU32, fence};
use std::time::Duration;

use crate::backend::lab::ipc::peer::Peer;
use crate::model::Nanos;
use crate::sys::shared_semaphore::SharedSemaphore;
use crate::sys::{clock, futex};

/// Where a side sleeps.
#[repr(C)]
#[derive(Debug)]
pub(super) struct Bed {
    sleeps: AtomicU32,
    pub(super) semaphore: SharedSemaphore,
}

/// How a side waits.
pub(in super::super) trait Strategy {
    /// How long it tries before it sleeps.
    const SPIN: Nanos;
    /// What it sleeps on.
    const SLEEP: Sleep;
}

/// What a side sleeps on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Sleep {
    Never,
    Futex,
    Semaphore,
}

/// Tries for ever.
#[derive(Debug)]
pub(in super::super) struct Spin;
/// Tries for as long as falling asleep and being woken would take, then
/// sleeps: at most twice the cost of the better choice (Karlin et al. 1991).
#[derive(Debug)]
pub(in super::super) struct SpinPark;
/// Sleeps at once.
#[derive(Debug)]
pub(in super::super) struct Futex;
/// Sleeps at once, on a semaphore.
#[derive(Debug)]
pub(in super::super) struct Semaphore;

impl Strategy for Spin {
    const SPIN: Nanos = Nanos(u64::MAX);
    const SLEEP: Sleep = Sleep::Never;
}

impl Strategy for SpinPark {
    const SPIN: Nanos = Nanos(50_000);
    const SLEEP: Sleep = Sleep::Futex;
}

impl Strategy for Futex {
    const SPIN: Nanos = Nanos::ZERO;
    const SLEEP: Sleep = Sleep::Futex;
}

impl Strategy for Semaphore {
    const SPIN: Nanos = Nanos::ZERO;
    const SLEEP: Sleep = Sleep::Semaphore;
}

/// How long a sleeper sleeps before it looks whether its peer still lives.
const LOOK: Duration = Duration::from_millis(50);
/// Tries between two looks at the clock.
const TRIES: u32 = 64;
/// Looks at the clock between two looks at the peer, while spinning.
const ROUNDS: u32 = 1024;

/// Waits until `ready`; an error where the peer is gone and it is not.
#[cold]
pub(super) fn wait<W: Strategy>(ready: impl Fn() -> bool, bed: &Bed, peer: &impl Peer) -> io::Result<()> {
    let gone = || if ready() { Ok(()) } else { Err(io::Error::from(io::ErrorKind::BrokenPipe)) };
    if W::SPIN > Nanos::ZERO {
        // Most waits end within the first tries: the clock is not looked at before.
        let (mut until, mut rounds) = (None, 0);
        loop {
            for _ in 0..TRIES {
                if ready() {
                    return Ok(());
                }
                std::hint::spin_loop();
            }
            rounds += 1;
            if W::SLEEP != Sleep::Never {
                let now = clock::monotonic();
                if now >= *until.get_or_insert(now + W::SPIN) {
                    break;
                }
            }
            if rounds % ROUNDS == 0 && peer.is_gone() {
                return gone();
            }
        }
    }
    loop {
        bed.sleeps.store(1, Relaxed);
        fence(SeqCst);
        if !ready() {
            match W::SLEEP {
                // One that was posted for a sleep before only means to look
                // again.
                Sleep::Semaphore => drop(bed.semaphore.wait(LOOK)),
                Sleep::Futex | Sleep::Never => drop(futex::wait(&bed.sleeps, 1, LOOK)),
            }
        }
        bed.sleeps.store(0, Relaxed);
        if ready() {
            return Ok(());
        }
        if peer.is_gone() {
            return gone();
        }
    }
}

/// Wakes the other side if it sleeps, after an index was stored.
#[inline]
pub(super) fn wake<W: Strategy>(bed: &Bed) {
    if W::SLEEP == Sleep::Never {
        return;
    }
    fence(SeqCst);
    if bed.sleeps.load(Relaxed) != 0 {
        bed.sleeps.store(0, Relaxed);
        if W::SLEEP == Sleep::Semaphore {
            bed.semaphore.post();
        } else {
            futex::wake_one(&bed.sleeps);
        }
    }
}
