//! Which row is selected: found again in every new table, moved, searched,
//! clicked.

use crossterm::event::MouseEvent;

use super::Processes;
use super::filter::contains;
use super::rows::{Row, arrange};
use crate::model::Pid;
use crate::model::process::ProcessTable;
use crate::ui::panels::Look;

impl Processes {
    /// Makes the rows of the newest table where that has not been done: it is left
    /// until somebody looks.
    pub(super) fn freshen(&mut self, look: &Look<'_>) {
        if let Some(stamped) = look.store.processes.as_ref().filter(|_| self.outdated) {
            self.rebuild(&stamped.value);
        }
    }

    /// Makes the rows anew and finds the selected one again; where it is gone,
    /// the row that took its place is selected.
    pub(super) fn rebuild(&mut self, table: &ProcessTable) {
        self.outdated = false;
        self.rows = arrange(table, &self.how);
        let found = self.selected.and_then(|s| self.rows.iter().position(|r| r.key(table) == Some(s)));
        match found {
            Some(index) => {
                self.cursor = index;
                if self.follow {
                    self.geometry.bring_into_view(&mut self.top, index);
                }
            }
            None => {
                self.cursor = self.cursor.min(self.rows.len().saturating_sub(1));
                if self.selected.is_some() {
                    self.selected = self.rows.get(self.cursor).and_then(|r| r.key(table));
                }
            }
        }
    }

    pub(super) fn select(&mut self, index: usize, table: &ProcessTable) {
        self.cursor = index.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.cursor).and_then(|r| r.key(table));
        self.geometry.bring_into_view(&mut self.top, self.cursor);
    }

    pub(super) fn move_by(&mut self, by: isize, table: &ProcessTable) {
        self.select(self.cursor.saturating_add_signed(by), table);
    }

    /// Goes to the next row (or the one before, or the first from here on) that
    /// holds the searched text, round the end of the table. A number is the
    /// process or thread of this id first of all: others may name it too, in
    /// their command lines.
    pub(super) fn find(&mut self, direction: isize, table: &ProcessTable) {
        let text = self.search.to_lowercase();
        let count = self.rows.len();
        if text.is_empty() || count == 0 {
            return;
        }
        let start = usize::from(direction != 0);
        let onward = |n: usize| {
            let n = n.cast_signed() * if direction < 0 { -1 } else { 1 };
            (self.cursor.cast_signed() + n).rem_euclid(count.cast_signed()).cast_unsigned()
        };
        let id = text.parse().ok().filter(|_| direction == 0);
        let exact = || id.and_then(|id| self.rows.iter().position(|row| row_id(row, table) == Some(id)));
        let near = || (start..=count).map(onward).find(|i| holds(&self.rows[*i], &text, table));
        if let Some(index) = exact().or_else(near) {
            self.select(index, table);
        }
    }

    /// Whether no row has this.
    pub(super) fn finds_nothing(&self, text: &str, table: &ProcessTable) -> bool {
        let text = text.to_lowercase();
        let id: Option<Pid> = text.parse().ok();
        let has = |row: &Row| (id.is_some() && row_id(row, table) == id) || holds(row, &text, table);
        !text.is_empty() && !self.rows.iter().any(has)
    }

    pub(super) fn click(&mut self, mouse: &MouseEvent, table: &ProcessTable) {
        if let Some(column) = self.geometry.heading_at(mouse.column, mouse.row) {
            self.sort_by(column, table);
        } else if let Some(row) = self.geometry.row_at(mouse.row) {
            let index = self.top + row;
            if index < self.rows.len() {
                let again = self.selected.is_some() && index == self.cursor;
                self.select(index, table);
                if again {
                    self.open_detail(table);
                }
            }
        }
    }
}

/// The id in the first column of a row.
fn row_id(row: &Row, table: &ProcessTable) -> Option<Pid> {
    row.thread(table).map(|thread| thread.tid).or_else(|| row.process(table).map(|process| process.pid))
}

/// Whether a row holds this text, in small letters, in what names it.
fn holds(row: &Row, text: &str, table: &ProcessTable) -> bool {
    let named = |name: &str, id: Pid| contains(name, text) || id.to_string().starts_with(text);
    if let Some(thread) = row.thread(table) {
        return named(&thread.name, thread.tid);
    }
    row.process(table).is_some_and(|p| named(&p.name, p.pid) || p.cmdline.iter().any(|a| contains(a, text)))
}
