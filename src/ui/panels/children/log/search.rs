//! Searching a log.

use super::Log;
use super::find::{Hits, Wanted};
use super::walk::{Numbered, Place, Walk};
use crate::model::child::ChildView;

impl Log {
    /// What to look for from now on; nothing where it is empty.
    pub(in crate::ui::panels::children) fn search(&mut self, text: &str) {
        self.wanted = Wanted::new(text);
        if text.is_empty() {
            (self.hit, self.count) = (None, None);
        }
    }

    /// Goes to the next row that has the searched text, or with −1 to the one
    /// before, round the ends; with 0 to the latest. Of a line that is cut all
    /// hits are one.
    pub(in crate::ui::panels::children) fn find(&mut self, by: isize, child: &ChildView) {
        if self.wanted.is_empty() {
            return;
        }
        let visible = self.visible(child);
        let walk = self.walk(&visible);
        let places = |index: usize| {
            let (number, line) = visible[index];
            let hits = self.hits(&visible, index);
            walk.rows_with(line, hits.begins()).into_iter().map(move |row| Place { line: number, row })
        };
        let hits: Vec<Place> = (0..visible.len()).flat_map(places).collect();
        let at = match (by, self.hit) {
            (1, Some(hit)) => hits.iter().position(|place| *place > hit).unwrap_or(0),
            (1, None) => 0,
            (-1, Some(hit)) => hits.iter().rposition(|place| *place < hit).unwrap_or(hits.len().saturating_sub(1)),
            _ => hits.len().saturating_sub(1),
        };
        self.hit = hits.get(at).copied();
        self.count = Some((at + 1, hits.len()));
        if let Some(hit) = self.hit {
            self.go_to(hit, &walk);
        }
    }

    /// What of a line is searched for, be it cut in two.
    pub(super) fn hits(&self, all: &[Numbered<'_>], index: usize) -> Hits {
        if self.wanted.is_empty() {
            return Hits::default();
        }
        let (_, line) = all[index];
        let same = |other: &&Numbered<'_>| other.1.stream == line.stream;
        let before = all[..index].iter().rev().find(same).filter(|_| line.continues);
        let after = all[index + 1..].iter().find(same).filter(|(_, after)| after.continues);
        self.wanted.hits_among(before.map(|(_, line)| &*line.text), &line.text, after.map(|(_, line)| &*line.text))
    }

    /// Shows a hit in the middle.
    pub(super) fn go_to(&mut self, hit: Place, walk: &Walk<'_>) {
        self.hit = Some(hit);
        self.first = Some(walk.step(hit, -(self.rows / 2).cast_signed()).min(walk.end()));
    }
}
