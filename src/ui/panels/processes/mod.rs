//! Processes: what runs, what does each wait for, who holds it?
//!
//! ```text
//! ╭ Processes ──────────────────────────────── 73 shown · cpu ▾ ╮
//! │    PID USER     S  CPU%   MEM  WAITS FOR      HELD BY  COMMAND │
//! │   4121 root     S   0.0  4.0M  mutex [heap]   4133 w…  payments│
//! ╰──────────────────────────────────────────────────────────────╯
//! ```

mod acts;
pub mod columns;
pub mod detail;
pub mod filter;
mod keys;
pub mod rows;
mod selection;
mod table;

#[cfg(test)]
pub mod fixture;

use std::collections::HashSet;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use self::columns::COLUMNS;
use self::detail::Detail;
use self::filter::Filter;
use self::keys::KEYS;
use self::rows::{Arrangement, Key, Row};
use self::table::Geometry;
use super::{Info, Look, Panel, Reaction};
use crate::backend::{Command, Topics, Update};
use crate::model::{Nanos, Pid};
use crate::ui::keymap::{Hint, hints, lookup};
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
    /// Whether a table has come that the rows are not of.
    outdated: bool,
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
            outdated: false,
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
            contention: None,
            child: None,
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
            Mode::Signal(menu) => menu.hints(),
        }
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        if let Mode::Detail(detail) = &mut self.mode {
            return detail.draw(screen, area, look);
        }
        self.freshen(look);
        self.draw_table(screen, area, look);
        if let Mode::Signal(menu) = &mut self.mode {
            menu.draw(screen, area, look.theme);
        }
    }

    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        self.freshen(look);
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
        self.freshen(look);
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
        self.freshen(look);
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
        self.outdated |= matches!(update, Update::Processes(_));
    }

    fn is_typing(&self) -> bool {
        matches!(self.mode, Mode::Filter(_) | Mode::Search(_) | Mode::Signal(_))
    }

    fn on_open(&mut self, pid: Option<Pid>, look: &Look<'_>) -> Vec<super::Effect> {
        if let Some(pid) = pid {
            self.mode = Mode::Detail(Box::new(Detail::new(pid)));
            self.selected = Some(Key { pid, tid: None });
            self.outdated = true;
            self.freshen(look);
        }
        Vec::new()
    }
}
