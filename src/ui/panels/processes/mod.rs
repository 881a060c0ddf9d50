//! Processes: what runs, what does each wait for, who holds it?
//!
//! ```text
//! ╭ Processes ──────────────────────────────── 73 shown · cpu ▾ ╮
//! │    PID USER     S  CPU%   MEM  WAITS FOR      HELD BY  COMMAND │
//! │   4121 root     S   0.0  4.0M  mutex [heap]   4133 w…  payments│
//! ╰──────────────────────────────────────────────────────────────╯
//! ```

pub mod columns;
pub mod detail;
pub mod filter;
pub mod rows;
mod table;

#[cfg(test)]
pub mod fixture;

use std::collections::HashSet;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use self::columns::COLUMNS;
use self::detail::Detail;
use self::filter::{Filter, contains};
use self::rows::{Arrangement, Key, Row, arrange};
use self::table::Geometry;
use super::{Info, Look, Panel, Reaction};
use crate::backend::{Command, Topics, Update};
use crate::model::process::ProcessTable;
use crate::model::{Nanos, Pid};
use crate::ui::keymap::{Binding, Hint, bind, code, ctrl, hints, key, lookup};
use crate::ui::store::Store;
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::signals::{Choice, SignalMenu};

/// What it is.
pub const INFO: Info = Info {
    name: "processes",
    title: "Processes",
    question: "What runs, what does each process wait for, and who holds it?",
    open: || Box::new(Processes::default()),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Move(isize),
    Page(isize),
    First,
    Last,
    Detail,
    Search,
    NextMatch,
    PreviousMatch,
    Filter,
    ClearFilter,
    Tree,
    Threads,
    Waits,
    Fold,
    FoldAll,
    Follow,
    Signal,
    SortBy(usize),
    SortNext,
    SortPrevious,
    Reverse,
}

const KEYS: &[Binding<Act>] = &[
    bind(&[code(KeyCode::Enter)], Act::Detail, "detail", "the selected process in depth"),
    bind(&[key('/')], Act::Search, "find", "go to a process by name, command or pid"),
    bind(
        &[key('f'), code(KeyCode::F(4))],
        Act::Filter,
        "filter",
        "show only some: words, user:root, state:D, wait:mutex, cpu>5, !not",
    ),
    bind(&[key('t'), code(KeyCode::F(5))], Act::Tree, "tree", "as a tree of parents and children"),
    bind(&[key('H')], Act::Threads, "threads", "show threads"),
    bind(&[key('w')], Act::Waits, "", "show or leave out what they wait for, which leaves room and costs less"),
    bind(&[key('k'), code(KeyCode::F(9))], Act::Signal, "signal", "send a signal to the selected process; asks first"),
    bind(&[key('>')], Act::SortNext, "sort", "sort by the next column"),
    bind(&[key('<')], Act::SortPrevious, "", "sort by the column before"),
    bind(&[key('r')], Act::Reverse, "", "the other way round"),
    bind(&[key('P')], Act::SortBy(columns::CPU), "", "sort by CPU"),
    bind(&[key('M')], Act::SortBy(columns::MEMORY), "", "sort by memory"),
    bind(&[key('N')], Act::SortBy(columns::PID), "", "sort by pid"),
    bind(&[key('W')], Act::SortBy(columns::WAIT), "waits", "sort by wait: held ones first, oldest first"),
    bind(&[key('F')], Act::Follow, "", "keep the selected process in sight"),
    bind(&[key(' ')], Act::Fold, "", "fold or unfold children and threads"),
    bind(&[key('*')], Act::FoldAll, "", "fold or unfold all"),
    bind(&[key('n')], Act::NextMatch, "", "next match of the search"),
    bind(&[key('p')], Act::PreviousMatch, "", "match before"),
    bind(&[code(KeyCode::Esc)], Act::ClearFilter, "", "clear the filter"),
    bind(&[code(KeyCode::Up)], Act::Move(-1), "", "up"),
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "", "down"),
    bind(&[code(KeyCode::PageUp), ctrl('b')], Act::Page(-1), "", "a page up"),
    bind(&[code(KeyCode::PageDown), ctrl('f')], Act::Page(1), "", "a page down"),
    bind(&[code(KeyCode::Home), key('g')], Act::First, "", "first row"),
    bind(&[code(KeyCode::End), key('G')], Act::Last, "", "last row"),
];

/// Which process a signal is meant for: the start time tells it from a later
/// one with the same pid.
type Target = (Pid, Nanos);

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Table,
    Filter(Prompt),
    Search(Prompt),
    Signal(SignalMenu<Target>),
    Detail(Box<Detail>),
}

/// The view.
#[derive(Debug)]
pub(crate) struct Processes {
    mode: Mode,
    how: Arrangement,
    filter_text: String,
    search: String,
    sort: usize,
    rows: Vec<Row>,
    selected: Option<Key>,
    cursor: usize,
    top: usize,
    follow: bool,
    /// Whether the columns about waits are shown.
    waits: bool,
    geometry: Geometry,
}

impl Default for Processes {
    fn default() -> Self {
        let column = &COLUMNS[columns::CPU];
        let how = Arrangement {
            compare: column.compare.unwrap_or(|a, b| a.pid.cmp(&b.pid)),
            descending: true,
            tree: false,
            threads: false,
            filter: Filter::default(),
            folded: HashSet::new(),
        };
        Processes {
            mode: Mode::Table,
            how,
            filter_text: String::new(),
            search: String::new(),
            sort: columns::CPU,
            rows: Vec::new(),
            selected: None,
            cursor: 0,
            top: 0,
            follow: false,
            waits: true,
            geometry: Geometry::default(),
        }
    }
}

impl Panel for Processes {
    fn topics(&self) -> Topics {
        let shows = |title| self.geometry.shows(title);
        let detail = match &self.mode {
            Mode::Detail(detail) => Some(detail.pid()),
            _ => None,
        };
        Topics {
            system: true,
            processes: true,
            threads: self.how.threads,
            waits: shows("WAITS FOR") || shows("CALL") || shows("WCHAN") || detail.is_some(),
            graph: false,
            switches: shows("SWITCHES"),
            io: shows("READ/s"),
            detail,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match &self.mode {
            Mode::Detail(detail) => detail.hints(),
            Mode::Table => hints(KEYS),
            Mode::Filter(_) | Mode::Search(_) => vec![
                Hint { keys: "Enter".to_owned(), short: "keep", long: "keep it and go back to the table" },
                Hint { keys: "Esc".to_owned(), short: "clear", long: "drop it" },
            ],
            Mode::Signal(_) => Vec::new(),
        }
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        if let Mode::Detail(detail) = &mut self.mode {
            return detail.draw(screen, area, look);
        }
        self.draw_table(screen, area, look);
        if let Mode::Signal(menu) = &mut self.mode {
            menu.draw(screen, area, look.theme);
        }
    }

    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        let Some(stamped) = &look.store.processes else { return Reaction::Ignored };
        let table = &stamped.value;
        match &mut self.mode {
            Mode::Table => lookup(KEYS, key).map_or(Reaction::Ignored, |act| self.act(act, table)),
            Mode::Filter(prompt) => {
                let typed = prompt.on_key(key);
                self.type_filter(typed, table)
            }
            Mode::Search(prompt) => {
                let typed = prompt.on_key(key);
                self.type_search(typed, table)
            }
            Mode::Signal(menu) => match menu.on_key(key) {
                Choice::Open => Reaction::taken(),
                Choice::Cancelled => {
                    self.mode = Mode::Table;
                    Reaction::taken()
                }
                Choice::Send(signal) => {
                    let (pid, started) = menu.target;
                    self.mode = Mode::Table;
                    Reaction::send(Command::Signal { pid, started, signal })
                }
            },
            Mode::Detail(detail) => {
                if detail.on_key(key) {
                    return Reaction::taken();
                }
                if key.code == KeyCode::Esc {
                    self.mode = Mode::Table;
                    return Reaction::taken();
                }
                if key.code == KeyCode::Backspace {
                    // Where another panel led here, the way back is that panel's.
                    self.mode = Mode::Table;
                }
                Reaction::Ignored
            }
        }
    }

    fn on_mouse(&mut self, mouse: &MouseEvent, look: &Look<'_>) -> Reaction {
        let Some(stamped) = &look.store.processes else { return Reaction::Ignored };
        let step = match mouse.kind {
            MouseEventKind::ScrollDown => 3,
            MouseEventKind::ScrollUp => -3,
            _ => 0,
        };
        match &mut self.mode {
            Mode::Detail(detail) if step != 0 => detail.scroll(step),
            Mode::Table if step != 0 => self.move_by(step, &stamped.value),
            Mode::Table if mouse.kind == MouseEventKind::Down(MouseButton::Left) => self.click(mouse, &stamped.value),
            _ => return Reaction::Ignored,
        }
        Reaction::taken()
    }

    fn on_paste(&mut self, text: &str, look: &Look<'_>) -> Reaction {
        let (Mode::Filter(prompt) | Mode::Search(prompt)) = &mut self.mode else { return Reaction::Ignored };
        prompt.paste(text);
        let Some(stamped) = &look.store.processes else { return Reaction::taken() };
        if matches!(self.mode, Mode::Filter(_)) {
            self.type_filter(Typed::Changed, &stamped.value)
        } else {
            self.type_search(Typed::Changed, &stamped.value)
        }
    }

    fn on_update(&mut self, update: &Update, _store: &Store) {
        if let Update::Processes(stamped) = update {
            self.rebuild(&stamped.value);
        }
    }

    fn is_typing(&self) -> bool {
        matches!(self.mode, Mode::Filter(_) | Mode::Search(_) | Mode::Signal(_))
    }

    fn on_open(&mut self, pid: Option<Pid>, look: &Look<'_>) -> Vec<super::Effect> {
        if let Some(pid) = pid {
            self.mode = Mode::Detail(Box::new(Detail::new(pid)));
            self.selected = Some(Key { pid, tid: None });
            if let Some(stamped) = &look.store.processes {
                self.rebuild(&stamped.value);
            }
        }
        Vec::new()
    }
}

impl Processes {
    fn act(&mut self, act: Act, table: &ProcessTable) -> Reaction {
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
            Act::SortBy(column) => self.sort_by(column, table),
            Act::SortNext => self.sort_step(1, table),
            Act::SortPrevious => self.sort_step(COLUMNS.len() - 1, table),
            Act::Reverse => self.rearrange(table, |how| how.descending = !how.descending),
        }
        Reaction::taken()
    }

    fn rearrange(&mut self, table: &ProcessTable, change: impl FnOnce(&mut Arrangement)) {
        change(&mut self.how);
        self.rebuild(table);
    }

    /// Makes the rows anew and finds the selected one again; where it is gone,
    /// the row that took its place is selected.
    fn rebuild(&mut self, table: &ProcessTable) {
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

    fn select(&mut self, index: usize, table: &ProcessTable) {
        self.cursor = index.min(self.rows.len().saturating_sub(1));
        self.selected = self.rows.get(self.cursor).and_then(|r| r.key(table));
        self.geometry.bring_into_view(&mut self.top, self.cursor);
    }

    fn move_by(&mut self, by: isize, table: &ProcessTable) {
        self.select(self.cursor.saturating_add_signed(by), table);
    }

    fn set_filter(&mut self, text: &str, table: &ProcessTable) {
        text.clone_into(&mut self.filter_text);
        self.how.filter = Filter::parse(text);
        self.top = 0;
        self.rebuild(table);
        self.geometry.bring_into_view(&mut self.top, self.cursor);
    }

    fn type_filter(&mut self, typed: Typed, table: &ProcessTable) -> Reaction {
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

    fn type_search(&mut self, typed: Typed, table: &ProcessTable) -> Reaction {
        let Mode::Search(prompt) = &self.mode else { return Reaction::Ignored };
        prompt.text().clone_into(&mut self.search);
        match typed {
            Typed::Changed => self.find(0, table),
            Typed::Accepted | Typed::Cancelled => self.mode = Mode::Table,
        }
        Reaction::taken()
    }

    /// Goes to the next row (or the one before, or the first from here on) that
    /// holds the searched text, round the end of the table.
    fn find(&mut self, direction: isize, table: &ProcessTable) {
        let text = self.search.to_lowercase();
        let count = self.rows.len();
        if text.is_empty() || count == 0 {
            return;
        }
        let matches = |row: &Row| {
            let thread =
                row.thread(table).is_some_and(|t| contains(&t.name, &text) || t.tid.to_string().starts_with(&text));
            let process = || {
                row.process(table).is_some_and(|p| {
                    contains(&p.name, &text)
                        || p.pid.to_string().starts_with(&text)
                        || p.cmdline.iter().any(|a| contains(a, &text))
                })
            };
            thread || (!columns::is_thread(row) && process())
        };
        let start = usize::from(direction != 0);
        let found = (start..=count)
            .map(|n| {
                let n = n.cast_signed() * if direction < 0 { -1 } else { 1 };
                (self.cursor.cast_signed() + n).rem_euclid(count.cast_signed()).cast_unsigned()
            })
            .find(|i| matches(&self.rows[*i]));
        if let Some(index) = found {
            self.select(index, table);
        }
    }

    fn fold(&mut self, table: &ProcessTable) {
        let Some(key) = self.rows.get(self.cursor).and_then(|r| r.key(table)) else { return };
        self.selected = Some(Key { tid: None, ..key });
        self.rearrange(table, |how| {
            if !how.folded.remove(&key.pid) {
                how.folded.insert(key.pid);
            }
        });
    }

    fn fold_all(&mut self, table: &ProcessTable) {
        self.rearrange(table, |how| {
            if how.folded.is_empty() {
                how.folded = table.processes.iter().filter(|p| p.ppid > 1 || p.threads > 1).map(|p| p.pid).collect();
            } else {
                how.folded.clear();
            }
        });
    }

    fn open_detail(&mut self, table: &ProcessTable) {
        if let Some(key) = self.rows.get(self.cursor).and_then(|r| r.key(table)) {
            self.selected = Some(key);
            self.mode = Mode::Detail(Box::new(Detail::new(key.pid)));
        }
    }

    fn ask_signal(&mut self, table: &ProcessTable) {
        if let Some(process) = self.rows.get(self.cursor).and_then(|r| r.process(table)) {
            let label = format!("{} {}", process.pid, process.name);
            self.mode = Mode::Signal(SignalMenu::new((process.pid, process.started), label));
        }
    }

    fn sort_by(&mut self, column: usize, table: &ProcessTable) {
        let Some(compare) = COLUMNS[column].compare else { return };
        let again = self.sort == column;
        self.sort = column;
        self.top = 0;
        self.rearrange(table, |how| {
            how.descending = if again { !how.descending } else { COLUMNS[column].descending };
            how.compare = compare;
        });
    }

    fn sort_step(&mut self, step: usize, table: &ProcessTable) {
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

    fn click(&mut self, mouse: &MouseEvent, table: &ProcessTable) {
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
