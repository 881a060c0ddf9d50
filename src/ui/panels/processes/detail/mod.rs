//! One process in depth.
//!
//! ```text
//! ╭ 4121 payments ───────────────────────────────────────── Esc back ╮
//! │ S sleeping · root · 4.0M · 6 threads · up 3h12 · parent 1 init   │
//! │ waits for mutex [heap] +0x2a0 · held by 4133 worker-5            │
//! │ ‹Threads› Descriptors  Memory  Limits  Environment  Identity     │
//! │ …                                                                │
//! ╰──────────────────────────────────────────────────────────────────╯
//! ```

mod head;
mod identity;
mod memory;
mod parts;
mod section;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use self::head::summary;
use self::identity::identity_lines;
use self::memory::memory_lines;
use self::parts::{descriptor_lines, limit_lines, thread_lines, variable_lines};
use self::section::section;
use crate::model::Pid;
use crate::model::detail::ProcessDetail;
use crate::model::process::ProcessTable;
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key, lookup};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Scroll(isize),
    Page(isize),
    Top,
    Bottom,
    Next,
    Previous,
}

const KEYS: &[Binding<Act>] = &[
    bind(
        &[code(KeyCode::Right), key('l')],
        Act::Next,
        "next part",
        "next part: threads, descriptors, memory, limits, environment, identity",
    ),
    bind(&[code(KeyCode::Left), key('h')], Act::Previous, "part before", "part before"),
    bind(&[code(KeyCode::Down), key('j')], Act::Scroll(1), "scroll", "scroll down"),
    bind(&[code(KeyCode::Up), key('k')], Act::Scroll(-1), "", "scroll up"),
    bind(&[code(KeyCode::PageDown), key(' ')], Act::Page(1), "", "a page down"),
    bind(&[code(KeyCode::PageUp)], Act::Page(-1), "", "a page up"),
    bind(&[code(KeyCode::Home), key('g')], Act::Top, "", "to the top"),
    bind(&[code(KeyCode::End), key('G')], Act::Bottom, "", "to the end"),
];

const PARTS: [&str; 6] = ["Threads", "Descriptors", "Memory", "Limits", "Environment", "Identity"];

/// The view.
#[derive(Debug)]
pub struct Detail {
    pid: Pid,
    part: usize,
    top: usize,
    rows: usize,
}

impl Detail {
    /// Of this process.
    pub fn new(pid: Pid) -> Self {
        Detail { pid, part: 0, top: 0, rows: 0 }
    }

    /// Whose detail this is.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its keys.
    pub fn hints(&self) -> Vec<Hint> {
        let mut all = vec![Hint { keys: "Esc".to_owned(), short: "back", long: "back to the table" }];
        all.extend(hints(KEYS));
        all
    }

    /// Answers a key; `false` where it is not one of its own.
    pub fn on_key(&mut self, key: &KeyEvent) -> bool {
        let Some(act) = lookup(KEYS, key) else { return false };
        match act {
            Act::Scroll(by) => self.scroll(by),
            Act::Page(by) => self.scroll(by * self.rows.max(2).cast_signed().saturating_sub(1)),
            Act::Top => self.top = 0,
            // The next frame knows how far that is.
            Act::Bottom => self.top = usize::MAX,
            Act::Next => (self.part, self.top) = ((self.part + 1) % PARTS.len(), 0),
            Act::Previous => (self.part, self.top) = ((self.part + PARTS.len() - 1) % PARTS.len(), 0),
        }
        true
    }

    /// Moves the view.
    pub fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by);
    }

    /// Draws it.
    pub fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        self.draw_noted(screen, area, "Esc back", look);
    }

    /// As [`Detail::draw`], with another note than the way back.
    pub fn draw_noted(&mut self, screen: &mut Frame<'_>, area: Rect, note: &str, look: &Look<'_>) {
        let table = look.store.processes.as_ref().map(|s| &s.value);
        let process = table.and_then(|t| t.process(self.pid));
        let title = process.map_or_else(|| self.pid.to_string(), |p| format!("{} {}", p.pid, p.name));
        let inside = frame::draw_focused(screen, area, &title, note, look.theme);
        let mut head = match (process, table) {
            (Some(process), Some(table)) => summary(process, table, usize::from(inside.width), look),
            // Nothing has been read yet: the part below says so.
            (_, None) => Vec::new(),
            _ => vec![Line::styled(format!("process {} is gone", self.pid), look.style(Role::Warn))],
        };
        if inside.height < 10 {
            head.truncate(1);
        }
        // The part below keeps half of the room.
        head.truncate(usize::from(inside.height / 2).max(1));
        head.push(self.tabs(usize::from(inside.width), look));
        let mut y = inside.y;
        for line in head {
            if y < inside.bottom() {
                let line = rows::fit(line, usize::from(inside.width));
                line.render(Rect { y, height: 1, ..inside }, screen.buffer_mut());
                y += 1;
            }
        }
        let body = Rect { y, height: inside.bottom() - y, ..inside };
        self.draw_part(screen, body, look);
    }

    /// The parts by name; where there is no room for all, the shown one alone.
    fn tabs(&self, width: usize, look: &Look<'_>) -> Line<'static> {
        if PARTS.iter().map(|part| part.len() + 2).sum::<usize>() > width {
            let place = format!(" {} of {} ", self.part + 1, PARTS.len());
            let name = Span::styled(format!(" {} ", PARTS[self.part]), look.style(Role::Selection));
            return Line::from(vec![name, Span::styled(place, look.style(Role::Dim))]);
        }
        let tab = |(index, part): (usize, &&str)| {
            let role = if index == self.part { Role::Selection } else { Role::Dim };
            Span::styled(format!(" {part} "), look.style(role))
        };
        PARTS.iter().enumerate().map(tab).collect()
    }

    fn draw_part(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let detail = look.store.detail.as_ref().filter(|d| d.value.pid == self.pid);
        let lines = match detail {
            None => vec![Line::styled("reading …", look.style(Role::Dim))],
            Some(detail) => part_lines(self.part, &detail.value, usize::from(area.width), look),
        };
        self.rows = usize::from(area.height);
        self.top = self.top.min(lines.len().saturating_sub(self.rows));
        for (y, line) in lines.into_iter().skip(self.top).take(self.rows).enumerate() {
            let line = rows::fit(line, usize::from(area.width));
            line.render(Rect { y: area.y + y as u16, height: 1, ..area }, screen.buffer_mut());
        }
    }
}

fn part_lines(part: usize, detail: &ProcessDetail, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let empty = ProcessTable::default();
    let table = look.store.processes.as_ref().map_or(&empty, |s| &s.value);
    match part {
        0 => section(&detail.threads, width, look, |threads| thread_lines(threads, table, width, look)),
        1 => section(&detail.descriptors, width, look, |all| descriptor_lines(all, width, look)),
        2 => memory_lines(detail, width, look),
        3 => section(&detail.limits, width, look, |limits| limit_lines(limits, look)),
        4 => section(&detail.environment, width, look, |all| {
            all.iter().flat_map(|v| variable_lines(v, width, look)).collect()
        }),
        _ => identity_lines(detail, table, width, look),
    }
}
