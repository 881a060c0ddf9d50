//! Where a text has what is searched for, without regard to case.

use std::iter::from_fn;

/// What of a line is a hit, or a piece of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Hits {
    /// The byte ranges that stand out, in order.
    pub(super) ranges: Vec<(usize, usize)>,
    /// Whether the first of them began in the line before.
    pub(super) begun: bool,
}

impl Hits {
    /// Where those begin that begin here.
    pub(super) fn begins(&self) -> impl Iterator<Item = usize> + '_ {
        self.ranges.iter().skip(usize::from(self.begun)).map(|(begin, _)| *begin)
    }
}

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

    /// The same of a line that was too long for one: of a piece, with the pieces
    /// before and after it.
    pub(super) fn hits_among(&self, before: Option<&str>, text: &str, after: Option<&str>) -> Hits {
        let last_of = |before: &str| self.hits(before).last().map_or(0, |(_, end)| end);
        let begun = before.and_then(|before| self.across(before, last_of(before), text)).map(|(_, end)| (0, end));
        let from = begun.map_or(0, |(_, end)| end);
        let own = self.hits(&text[from..]).map(|(begin, end)| (from + begin, from + end));
        let mut ranges: Vec<(usize, usize)> = begun.into_iter().chain(own).collect();
        let taken = ranges.last().map_or(0, |(_, end)| *end);
        let next = after.and_then(|after| self.across(text, taken, after));
        ranges.extend(next.map(|(begin, _)| (begin, text.len())));
        Hits { ranges, begun: begun.is_some() }
    }

    /// Where in `first` one begins, not before `taken`, that ends in `second`, and
    /// where there.
    fn across(&self, first: &str, taken: usize, second: &str) -> Option<(usize, usize)> {
        let most = self.letters.len().checked_sub(1).filter(|most| *most > 0)?;
        let tail = first.char_indices().rev().take(most).last().map_or(first.len(), |(at, _)| at).max(taken);
        let head = second.char_indices().nth(most).map_or(second.len(), |(at, _)| at);
        let seam = first.len() - tail;
        let joined = format!("{}{}", &first[tail..], &second[..head]);
        let (begin, end) = self.hits(&joined).find(|(begin, end)| *begin < seam && *end > seam)?;
        Some((tail + begin, end - seam))
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

    #[test]
    fn a_hit_that_is_cut_in_two_is_found() {
        let among = |before: Option<&str>, text: &str, after: Option<&str>| {
            let hits = Wanted::new("größe").hits_among(before, text, after);
            (hits.begins().collect::<Vec<_>>(), hits.ranges)
        };
        let (first, second) = ("x größe GR", "ÖẞE größe gr");
        assert_eq!(among(None, first, Some(second)), (vec![2, 10], vec![(2, 9), (10, 12)]));
        assert_eq!(among(Some(first), second, None), (vec![7], vec![(0, 6), (7, 14)]));
        assert_eq!(among(None, second, Some("x")), (vec![7], vec![(7, 14)]));
        // Nothing goes on where nothing is said to.
        assert_eq!(among(None, "größ", None), (vec![], vec![]));
        // None across another.
        let hits = Wanted::new("aa").hits_among(Some("aaa"), "aaaa", Some("a"));
        assert_eq!(hits, Hits { ranges: vec![(0, 1), (1, 3), (3, 4)], begun: true });
        assert_eq!(Wanted::new("a").hits_among(Some("a"), "a", Some("a")).ranges, [(0, 1)]);
    }
}
