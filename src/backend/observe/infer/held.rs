//! How a lock is held, as its own word says, and for which locks it is asked who
//! does.

use crate::backend::observe::rehearsal::THREAD;
use crate::backend::observe::wait::{World, musl, rust_nameless};
use crate::model::Pid;
use crate::model::wait::{Make, Wait, WaitKind};

/// All bits: a writer; else how many readers.
pub(super) const RUST_COUNT: u32 = (1 << 30) - 1;

/// Whether a wait is for a lock whose holder could be found in this way.
pub(in crate::backend::observe) fn is_open(wait: &Wait) -> bool {
    use WaitKind::{CxaGuard, ParkingLot, PthreadMutex, PthreadOnce, PthreadRwlockRead, PthreadRwlockWrite};
    use WaitKind::{RustMutex, RustOnce, RustRwlockRead, RustRwlockWrite};
    let kind = matches!(wait.kind, RustMutex | RustRwlockRead | RustRwlockWrite | ParkingLot)
        || matches!(wait.kind, PthreadRwlockRead | PthreadRwlockWrite)
        || matches!(wait.kind, RustOnce | PthreadOnce | CxaGuard);
    // One of glibc says who holds it, if only that can be seen.
    let kind = kind || (wait.kind == PthreadMutex && wait.make.is_musls());
    kind && wait.partial && wait.holders.is_empty() && wait.address.is_some()
}

/// Where it shows that a lock is let go of: where it begins, or in a word of it where that
/// has no name by which it is called.
pub(super) fn shown_at(wait: &Wait) -> Option<u64> {
    let nameless = wait.kind == WaitKind::PthreadMutex && wait.make == Make::MuslNameless;
    wait.address.map(|lock| if nameless { lock + 4 } else { lock })
}

/// With which numbers in memory a lock that was recognised by the code of who waits for it
/// would be taken, that of its word first: address, number, bytes. Empty for any other wait.
pub(super) fn free(wait: &Wait) -> Vec<(u64, u64, usize)> {
    let number = match wait.kind {
        WaitKind::PthreadMutex | WaitKind::StdioLock => 0,
        WaitKind::Semaphore => 2,
        _ => return rust_nameless::free(wait).into_iter().collect(),
    };
    let nameless = shown_at(wait).filter(|_| wait.make == Make::MuslNameless);
    // Nobody has the id 1 there that its own descriptor is taken to have.
    nameless.map_or(Vec::new(), |word| vec![(word, number, 4), (THREAD + musl::THREAD_ID, 1, 4)])
}

/// How a lock is held, as its word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// By one.
    Alone,
    /// By so many readers.
    Shared(usize),
}

/// How a lock is held; `None` where it is changing hands.
pub(super) fn held(world: &World, pid: Pid, wait: &Wait, lock: u64) -> Option<Held> {
    let shared = |count: u64| (count > 0).then_some(Held::Shared(usize::try_from(count).unwrap_or(usize::MAX)));
    match wait.kind {
        WaitKind::RustMutex | WaitKind::RustOnce | WaitKind::CxaGuard => Some(Held::Alone),
        WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite => {
            let [state] = world.words(pid, lock).ok()?;
            match state & RUST_COUNT {
                RUST_COUNT => Some(Held::Alone),
                count => shared(count.into()),
            }
        }
        // Of musl: 16 (EBUSY) behind the type 0 of one that does not say who.
        WaitKind::PthreadMutex => {
            let [kind, word] = world.words(pid, lock).ok()?;
            (matches!(kind, 0 | 0x80) && word & !(1 << 31) == 16).then_some(Held::Alone)
        }
        WaitKind::PthreadRwlockRead | WaitKind::PthreadRwlockWrite if wait.make.is_musls() => {
            let [word] = world.words(pid, lock).ok()?;
            musl::rwlock_count(word).map_or(Some(Held::Alone), |count| shared(count.into()))
        }
        WaitKind::PthreadRwlockRead | WaitKind::PthreadRwlockWrite => {
            let [readers] = world.words(pid, lock).ok()?;
            shared((readers >> 3).into()).filter(|_| readers & 1 == 0)
        }
        WaitKind::ParkingLot => match wait.make {
            Make::ParkingLotMutex | Make::ParkingLotRelock | Make::ParkingLotOnce => Some(Held::Alone),
            Make::ParkingLotRwLock => {
                let [state] = world.longs(pid, lock).ok()?;
                // A writer that waits for the last readers has its bit set already.
                if state >> 4 == 0 { (state & 8 != 0).then_some(Held::Alone) } else { shared(state >> 4) }
            }
            _ => None,
        },
        _ => None,
    }
}
