//! A readers-writer lock whose writer does not wait for the readers.

use std::borrow::Cow;
use std::hint;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::ReadersWriter;
use crate::backend::lab::locks::exclusion::spin_while;
use crate::backend::lab::locks::{Family, Info};

/// Pauses between a reader's check and its count: a door that stands open for about a
/// microsecond, longer than it takes a writer to come in.
const DOOR: u32 = 32;

/// Readers and writers that look at each other before they come in, not while.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct BrokenReaders {
    /// How many read; added to by readers, and only looked at by writers.
    readers: AtomicU32,
    /// 1 while somebody writes: set by a swap, so that writers at least exclude
    /// each other.
    writer: AtomicU32,
}

impl ReadersWriter for BrokenReaders {
    const INFO: Info = Info {
        key: "broken_readers",
        name: "readers and writer, unasked",
        family: Family::ReadersWriter,
        breaks: Some("writer exclusion"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "A count of readers and a flag of the writer, each checked before the other is set: a reader waits \
            until nobody writes, then counts itself in; a writer takes the flag, then looks for readers once. A reader \
            that checked the flag before it was set and counts itself in after the writer has looked, reads while \
            the writer writes.",
    };

    type Read<'a> = ();
    type Write<'a> = ();

    fn read(&self) {
        spin_while(|| self.writer.load(Acquire) != 0);
        self.walk_in();
    }

    fn write(&self) {
        spin_while(|| self.writer.swap(1, Acquire) != 0);
        spin_while(|| self.readers.load(Acquire) != 0);
    }

    fn try_read(&self) -> Option<()> {
        if self.writer.load(Acquire) != 0 {
            return None;
        }
        self.walk_in();
        Some(())
    }

    fn try_write(&self) -> Option<()> {
        if self.readers.load(Acquire) != 0 || self.writer.swap(1, Acquire) != 0 {
            return None;
        }
        if self.readers.load(Acquire) != 0 {
            self.writer.store(0, Relaxed);
            return None;
        }
        Some(())
    }

    fn end_read(&self, (): ()) {
        self.readers.fetch_sub(1, Release);
    }

    fn end_write(&self, (): ()) {
        self.writer.store(0, Release);
    }
}

impl BrokenReaders {
    fn walk_in(&self) {
        (0..DOOR).for_each(|_| hint::spin_loop());
        self.readers.fetch_add(1, Acquire);
    }
}
