//! What a thread waits for any of: descriptors, and what is awaited of each.

use super::descriptor::Target;
use super::{Facts, World};

/// Events that say "readable": POLLIN, POLLPRI, POLLRDNORM, POLLRDBAND,
/// POLLRDHUP (`poll(2)`); epoll's have the same bits.
pub(super) const READABLE: u32 = 0x1 | 0x2 | 0x40 | 0x80 | 0x2000;
/// Events that say "writable": POLLOUT, POLLWRNORM, POLLWRBAND.
pub(super) const WRITABLE: u32 = 0x4 | 0x100 | 0x200;

/// A descriptor and what is awaited of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    /// Its number.
    pub(super) fd: i32,
    /// As `poll(2)` has them.
    pub(super) events: u32,
    /// Where it was registered, if it was: the number may stand for something else by now.
    pub(super) registered: Option<Registered>,
}

/// Where a descriptor is registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registered {
    /// The descriptor of the epoll instance.
    pub(super) epoll: i32,
    /// How many were registered by the same number before it.
    pub(super) nth: u32,
    /// The inode of what was registered.
    pub(super) inode: Option<u64>,
}

impl Watched {
    /// Whether the number still stands for what was registered by it; `None` where the
    /// kernel does not tell.
    pub(super) fn is_still(&self, facts: &Facts<'_>, world: &World, now: &Target) -> Option<bool> {
        let Some(Registered { epoll, nth, inode }) = self.registered else { return Some(true) };
        world.is_registered((facts.tid, self.fd), epoll, nth).or_else(|| match now {
            Target::Pipe(now) | Target::Socket(now) => Some(inode? == *now),
            _ => None,
        })
    }
}
