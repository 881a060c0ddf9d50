//! What the keys of the table do: arrange, filter, fold, sort, ask.

use super::columns::COLUMNS;
use super::detail::Detail;
use super::filter::Filter;
use super::keys::Act;
use super::rows::{Arrangement, Key};
use super::{Mode, Processes};
use crate::model::process::ProcessTable;
use crate::ui::panels::{Effect, Reaction};
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::signals::SignalMenu;

impl Processes {
    pub(super) fn act(&mut self, act: Act, table: &ProcessTable) -> Reaction {
        match act {
            Act::Move(by) => self.move_by(by, table),
            Act::Page(by) => self.move_by(by * self.geometry.rows().max(2).cast_signed().saturating_sub(1), table),
            Act::First => self.select(0, table),
            Act::Last => self.select(self.rows.len().saturating_sub(1), table),
            Act::Detail => self.open_detail(table),
            Act::Search => self.mode = Mode::Search(Prompt::default()),
            Act::NextMatch => self.find(1, table),
            Act::PreviousMatch => self.find(-1, table),
            Act::Filter => self.mode = Mode::Filter(Prompt::with(&self.filter_text)),
            Act::ClearFilter if self.filter_text.is_empty() => return Reaction::Ignored,
            Act::ClearFilter => self.set_filter("", table),
            Act::Tree => self.rearrange(table, |how| how.tree = !how.tree),
            Act::Threads => self.rearrange(table, |how| how.threads = !how.threads),
            Act::Waits => self.waits = !self.waits,
            Act::Fold => self.fold(table),
            Act::FoldAll => self.fold_all(table),
            Act::Follow => self.follow = !self.follow,
            Act::Signal => self.ask_signal(table),
            Act::Observe => {
                let key = self.rows.get(self.cursor).and_then(|row| row.key(table));
                let open = key.map(|key| Effect::Open { panel: "locks", pid: Some(key.pid) });
                return Reaction::Taken(open.into_iter().collect());
            }
            Act::SortBy(column) => self.sort_by(column, table),
            Act::SortNext => self.sort_step(1, table),
            Act::SortPrevious => self.sort_step(COLUMNS.len() - 1, table),
            Act::Reverse => self.rearrange(table, |how| how.descending = !how.descending),
        }
        Reaction::taken()
    }

    pub(super) fn rearrange(&mut self, table: &ProcessTable, change: impl FnOnce(&mut Arrangement)) {
        change(&mut self.how);
        self.rebuild(table);
    }

    pub(super) fn set_filter(&mut self, text: &str, table: &ProcessTable) {
        text.clone_into(&mut self.filter_text);
        self.how.filter = Filter::parse(text);
        self.top = 0;
        self.rebuild(table);
        self.geometry.bring_into_view(&mut self.top, self.cursor);
    }

    pub(super) fn type_filter(&mut self, typed: Typed, table: &ProcessTable) -> Reaction {
        let Mode::Filter(prompt) = &self.mode else { return Reaction::Ignored };
        let text = prompt.text().to_owned();
        match typed {
            Typed::Changed => self.set_filter(&text, table),
            Typed::Accepted => self.mode = Mode::Table,
            Typed::Cancelled => {
                self.mode = Mode::Table;
                self.set_filter("", table);
            }
        }
        Reaction::taken()
    }

    pub(super) fn type_search(&mut self, typed: Typed, table: &ProcessTable) -> Reaction {
        let Mode::Search(prompt) = &self.mode else { return Reaction::Ignored };
        prompt.text().clone_into(&mut self.search);
        match typed {
            Typed::Changed => self.find(0, table),
            Typed::Accepted | Typed::Cancelled => self.mode = Mode::Table,
        }
        Reaction::taken()
    }

    pub(super) fn fold(&mut self, table: &ProcessTable) {
        let Some(key) = self.rows.get(self.cursor).and_then(|r| r.key(table)) else { return };
        self.selected = Some(Key { tid: None, ..key });
        self.rearrange(table, |how| {
            if !how.folded.remove(&key.pid) {
                how.folded.insert(key.pid);
            }
        });
    }

    pub(super) fn fold_all(&mut self, table: &ProcessTable) {
        self.rearrange(table, |how| {
            if how.folded.is_empty() {
                how.folded = table.processes.iter().filter(|p| p.ppid > 1 || p.threads > 1).map(|p| p.pid).collect();
            } else {
                how.folded.clear();
            }
        });
    }

    pub(super) fn open_detail(&mut self, table: &ProcessTable) {
        if let Some(key) = self.rows.get(self.cursor).and_then(|r| r.key(table)) {
            self.selected = Some(key);
            self.mode = Mode::Detail(Box::new(Detail::new(key.pid)));
        }
    }

    pub(super) fn ask_signal(&mut self, table: &ProcessTable) {
        if let Some(process) = self.rows.get(self.cursor).and_then(|r| r.process(table)) {
            let label = format!("{} {}", process.pid, process.name);
            self.mode = Mode::Signal(SignalMenu::new((process.pid, process.started), label));
        }
    }

    pub(super) fn sort_by(&mut self, column: usize, table: &ProcessTable) {
        let Some(compare) = COLUMNS[column].compare else { return };
        let again = self.sort == column;
        self.sort = column;
        self.top = 0;
        self.rearrange(table, |how| {
            how.descending = if again { !how.descending } else { COLUMNS[column].descending };
            how.compare = compare;
        });
    }

    pub(super) fn sort_step(&mut self, step: usize, table: &ProcessTable) {
        let mut column = self.sort;
        loop {
            column = (column + step) % COLUMNS.len();
            if COLUMNS[column].compare.is_some() && self.geometry.shows(COLUMNS[column].title) {
                break;
            }
            if column == self.sort {
                return;
            }
        }
        self.sort_by(column, table);
    }
}
