//! The memory in which a message is written and read.

use std::ops::{Deref, DerefMut};

/// As large as a page, and aligned like one.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

/// The bytes of a message, from the beginning of a page on.
///
/// Anywhere else every second copy of a large message would straddle two cache
/// lines, and a copy out of a page-aligned buffer would wait for its own stores:
/// a processor takes a load for one of what was stored just before where the last
/// twelve bits of the addresses are the same. What was measured then would be the
/// allocator's choice of an address.
#[derive(Debug, Default)]
pub(super) struct Message {
    pages: Vec<Page>,
    len: usize,
}

impl Message {
    /// Makes it so long; what is new is zero.
    pub(super) fn resize(&mut self, len: usize) {
        self.pages.resize(len.div_ceil(size_of::<Page>()), Page([0; size_of::<Page>()]));
        self.len = len;
    }
}

impl Deref for Message {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: the pages are bytes, one behind the other, `len` of them at least.
        unsafe { std::slice::from_raw_parts(self.pages.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Message {
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `deref`, and nobody else refers to them.
        unsafe { std::slice::from_raw_parts_mut(self.pages.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_a_page_however_long_it_is() {
        let mut message = Message::default();
        assert!(message.is_empty());
        for len in [1, 64, 4096, 4097, 1 << 20, 3, 0] {
            message.resize(len);
            assert_eq!(message.len(), len);
            assert!(message.as_ptr().addr().is_multiple_of(4096));
            message.fill(7);
            assert!(message.iter().all(|&byte| byte == 7));
        }
    }
}
