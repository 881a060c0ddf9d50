//! Where a text has what is searched for, without regard to case.

use std::iter::from_fn;

/// What is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// In small letters.
    letters: Vec<char>,
}

impl Wanted {
    /// A search for this text.
    pub(super) fn new(text: &str) -> Self {
        Wanted { letters: text.chars().flat_map(char::to_lowercase).collect() }
    }

    /// Whether nothing is searched for.
    pub(super) fn is_empty(&self) -> bool {
        self.letters.is_empty()
    }

    /// The byte ranges of a text that have it, none of them across another.
    pub(super) fn hits<'a>(&'a self, text: &'a str) -> impl Iterator<Item = (usize, usize)> + 'a {
        let mut at = 0;
        let first = self.letters.first().copied();
        from_fn(move || {
            let first = first?;
            for (offset, c) in text[at..].char_indices() {
                if begins(c, first)
                    && let Some(length) = self.at(&text[at + offset..])
                {
                    let begin = at + offset;
                    at = begin + length;
                    return Some((begin, at));
                }
            }
            at = text.len();
            None
        })
    }

    /// How many bytes of the text's beginning are it.
    fn at(&self, text: &str) -> Option<usize> {
        let mut left = self.letters.iter();
        for (at, c) in text.char_indices() {
            if left.len() == 0 {
                return Some(at);
            }
            if !c.to_lowercase().all(|small| left.next() == Some(&small)) {
                return None;
            }
        }
        (left.len() == 0).then_some(text.len())
    }
}

/// Whether a character is `small` in some case, at its beginning.
fn begins(c: char, small: char) -> bool {
    if c.is_ascii() { c.to_ascii_lowercase() == small } else { c.to_lowercase().next() == Some(small) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hits_are_found_without_regard_to_case() {
        let all = |text: &str, wanted: &str| Wanted::new(wanted).hits(text).collect::<Vec<_>>();
        assert_eq!(all("an Error", "error"), [(3, 8)]);
        assert_eq!(all("größe X", "x"), [(8, 9)]);
        assert_eq!(all("GRÖẞE größe", "größe"), [(0, 8), (9, 16)]);
        assert_eq!(all("Ärger, ärger", "ÄR"), [(0, 3), (8, 11)]);
        assert_eq!(all("aaaaa", "aa"), [(0, 2), (2, 4)]);
        assert_eq!(all("进程 fd 进程", "进程"), [(0, 6), (10, 16)]);
        assert_eq!(all("aab", "ab"), [(1, 3)]);
        // A letter that is two in small is found whole or not at all.
        assert_eq!(all("İ", "i"), []);
        assert_eq!(all("x", ""), []);
        assert_eq!(all("x", "xy"), []);
    }
}
