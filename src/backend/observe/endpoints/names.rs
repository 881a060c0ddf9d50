//! The names of Unix sockets, in words.

use super::Ends;
use crate::model::text::{push_visible, visible};
use crate::sys::diag::UnixNames;

impl Ends {
    /// What the Unix socket with this inode is bound to, `/run/x.sock`, or its peer is, or
    /// the socket where it waits to be accepted, `→ /run/x.sock`; `None` where none is.
    pub fn unix_words(&self, inode: u64, names: &mut UnixNames) -> Option<String> {
        let socket = self.unix_socket(inode)?;
        if let Some(own) = names.of(inode) {
            return Some(words(&own));
        }
        let there = socket.peer.or_else(|| self.unix_waits_at(inode))?;
        Some(format!("→ {}", words(&names.of(there)?)))
    }
}

/// A path, or `@` and the name of one that is in no file system, `unix(7)`.
pub(in crate::backend::observe) fn words(name: &[u8]) -> String {
    match name {
        [0, rest @ ..] => {
            let mut words = "@".to_owned();
            push_visible(&mut words, rest);
            words
        }
        // The kernel counts the end of the string in.
        path => visible(path.strip_suffix(&[0]).unwrap_or(path)),
    }
}
