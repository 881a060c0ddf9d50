//! Names and arguments, each kept once: processes that were forked from one
//! another have them in common.

use std::collections::HashSet;
use std::sync::Arc;

use crate::model::text;

/// Fewer are never looked through for those that nobody has any more.
const LEAST: usize = 1_024;

/// Shared texts. What nobody else holds is dropped whenever their number has
/// doubled.
#[derive(Debug, Default)]
pub struct Names {
    known: HashSet<Arc<str>>,
    limit: usize,
}

impl Names {
    /// The text of these bytes, as [`text::visible`] shows them.
    pub fn get(&mut self, bytes: &[u8]) -> Arc<str> {
        let plain = str::from_utf8(bytes).ok();
        if let Some(known) = plain.and_then(|text| self.known.get(text)) {
            // What was made visible is visible as it is, but for a backslash,
            // which may stand for one in the bytes or for an escape.
            if !known.contains('\\') {
                return known.clone();
            }
        }
        let text = text::visible_arc(bytes);
        if let Some(known) = self.known.get(&text) {
            return known.clone();
        }
        if self.known.len() >= self.limit.max(LEAST) {
            self.known.retain(|text| Arc::strong_count(text) > 1);
            self.limit = self.known.len() * 2;
        }
        self.known.insert(text.clone());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_kept_once_and_only_while_somebody_has_it() {
        let mut names = Names::default();
        let held = names.get(b"postgres");
        assert!(Arc::ptr_eq(&held, &names.get(b"postgres")));
        assert_eq!(&*names.get(b"\x1b[2J"), &*text::visible(b"\x1b[2J"));
        assert_eq!(&*names.get(b"a\\x1bb"), &*text::visible(b"a\\x1bb"));
        for number in 0..LEAST * 4 {
            drop(names.get(number.to_string().as_bytes()));
        }
        assert!(names.known.len() <= LEAST + 1, "{}", names.known.len());
        assert!(Arc::ptr_eq(&held, &names.get(b"postgres")));
    }
}
