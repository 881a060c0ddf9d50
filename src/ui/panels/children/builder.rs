//! The builder: a form, the Rust code that does the same, and the system calls
//! that it took when it was started so.
//!
//! ```text
//! ╭ Start a program ───────────────╮╭ The same in Rust ─────────────╮
//! │ command      cargo test        ││ let mut command = …           │
//! │ environment ‹ours›             ││ …                             │
//! │                                │╰───────────────────────────────╯
//! │                                │╭ System calls of 5185 cargo … ─╮
//! │                                ││ parent clone3(…) = 5185       │
//! ╰────────────────────────────────╯╰───────────────────────────────╯
//! ```

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::form::{FIELDS, Form};
use super::{side, words};
use crate::backend::children::code;
use crate::model::child::ChildView;
use crate::model::launch::ChildSpec;
use crate::ui::keymap::Hint;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

/// Columns of a field's name.
const NAME: usize = 12;
/// Rows that the system calls have at least, once there are any.
const CALLS: u16 = 10;

/// The builder.
#[derive(Debug, Default)]
pub(super) struct Builder {
    form: Form,
    complaint: Option<(usize, String)>,
    top: usize,
    /// The code for what stands in the form: names in it are looked up, which a
    /// frame must not wait for.
    told: Option<(ChildSpec, String)>,
}

/// What a key led to.
#[derive(Debug)]
pub(super) enum Built {
    /// It is still open.
    Open,
    /// Nothing is to be started.
    Cancelled,
    /// This is to be started.
    Start(Box<ChildSpec>),
    /// This code is to be copied.
    Copy(String),
}

impl Builder {
    /// Answers a key.
    pub(super) fn on_key(&mut self, key: &KeyEvent) -> Built {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Esc => return Built::Cancelled,
            KeyCode::Enter => match self.form.spec() {
                Ok(spec) => return Built::Start(Box::new(spec)),
                Err(complaint) => {
                    self.form.at = complaint.0;
                    self.complaint = Some(complaint);
                }
            },
            KeyCode::Char('y') if control => match self.form.spec() {
                Ok(spec) => return Built::Copy(code::rust(&spec)),
                Err(complaint) => self.complaint = Some(complaint),
            },
            KeyCode::Down | KeyCode::Tab => self.form.move_by(1),
            KeyCode::Up | KeyCode::BackTab => self.form.move_by(-1),
            KeyCode::Left | KeyCode::Right if !control => {
                let by = if key.code == KeyCode::Left { -1 } else { 1 };
                if !self.form.choose(by) {
                    self.type_key(key);
                }
            }
            KeyCode::Char(' ') if !FIELDS[self.form.at].free => drop(self.form.choose(1)),
            _ => self.type_key(key),
        }
        Built::Open
    }

    fn type_key(&mut self, key: &KeyEvent) {
        let field = FIELDS[self.form.at];
        if !field.free {
            return;
        }
        let value = &mut self.form.values[self.form.at];
        // Typing over a choice replaces it whole.
        if field.choices.contains(&value.text()) && matches!(key.code, KeyCode::Char(_) | KeyCode::Backspace) {
            *value = crate::ui::widgets::prompt::Prompt::default();
        }
        value.on_key(key);
        self.complaint = None;
    }

    /// Takes pasted text.
    pub(super) fn paste(&mut self, pasted: &str) {
        if FIELDS[self.form.at].free {
            self.form.values[self.form.at].paste(pasted);
        }
    }

    /// What can be done.
    pub(super) fn hints() -> Vec<Hint> {
        vec![
            Hint::new("Enter", "start it", "start it as the form says"),
            Hint::new("↓ ↑", "field", "next field, field before"),
            Hint::new("→ ←", "choose", "next choice, choice before"),
            Hint::new("^Y", "copy code", "copy the Rust code to the terminal's clipboard"),
            Hint::new("Esc", "back", "back without starting anything"),
        ]
    }

    /// Draws it.
    pub(super) fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, children: &[Arc<ChildView>], look: &Look<'_>) {
        let beside = area.width >= 100;
        let below = !beside && area.height > FIELDS.len() as u16 + 8;
        let form = if beside {
            Rect { width: area.width / 2, ..area }
        } else if below {
            Rect { height: FIELDS.len() as u16 + 3, ..area }
        } else {
            area
        };
        self.draw_form(screen, form, look);
        let beside_it = Rect { x: form.right(), width: area.width - form.width, ..area };
        let below_it = Rect { y: form.bottom(), height: area.height - form.height, ..area };
        if beside {
            let lines = self.code_lines(usize::from(beside_it.width.saturating_sub(4)), look);
            let started = started_so(&self.form, children);
            // The code is whole before there is room for calls that nobody made yet.
            let left = area.height.saturating_sub(lines.len() as u16 + 2);
            let calls = match started {
                Some(_) => left.clamp(CALLS.min(area.height / 3), 24),
                None if left < 6 => 0,
                None => left.min(24),
            };
            let code = Rect { height: area.height - calls, ..beside_it };
            draw_code(screen, code, lines, look);
            draw_calls(screen, Rect { y: code.bottom(), height: calls, ..code }, started, look);
        } else if below {
            let lines = self.code_lines(usize::from(below_it.width.saturating_sub(4)), look);
            draw_code(screen, below_it, lines, look);
        }
    }

    fn code_lines(&mut self, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
        let spec = match self.form.spec() {
            Ok(spec) => spec,
            Err((at, why)) => {
                return vec![Line::styled(format!("{}: {why}", FIELDS[at].name), look.style(Role::Dim))];
            }
        };
        if self.told.as_ref().is_none_or(|(known, _)| *known != spec) {
            let code = code::rust(&spec);
            self.told = Some((spec, code));
        }
        let code = self.told.as_ref().map_or("", |(_, code)| code.as_str());
        let styled = |line: String| {
            let role = if line.trim_start().starts_with("//") { Role::Dim } else { Role::Text };
            Line::styled(line, look.style(role))
        };
        code.lines().flat_map(|line| text::hard_wrap(line, width)).map(styled).collect()
    }

    fn draw_form(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let inside = frame::draw_focused(screen, area, "Start a program", "Enter starts · Esc back", look.theme);
        let (words, role) = match &self.complaint {
            Some((at, why)) => (format!("{}: {why}", FIELDS[*at].name), Role::Danger),
            None => (FIELDS[self.form.at].help.to_owned(), Role::Faint),
        };
        let mut words = text::wrap(&words, usize::from(inside.width).max(1));
        // The fields come first; the words are whole where there is room for them.
        let room = usize::from(inside.height).saturating_sub(FIELDS.len()).max(1);
        if words.len() > room {
            let rest = words.split_off(room - 1).join(" ");
            words.push(text::fit(&rest, usize::from(inside.width)));
        }
        let rows = usize::from(inside.height).saturating_sub(words.len()).max(1);
        self.top = self.top.min(self.form.at).max((self.form.at + 1).saturating_sub(rows));
        for (y, (index, field)) in FIELDS.iter().enumerate().skip(self.top).take(rows).enumerate() {
            let row = Rect { y: inside.y + y as u16, height: 1, ..inside };
            let here = index == self.form.at;
            if here && field.free && !field.choices.contains(&self.form.values[index].text()) {
                self.form.values[index].draw(screen, row, &text::left(field.name, NAME), look.theme);
            } else {
                let role = if here { Role::Key } else { Role::Dim };
                let value = self.form.values[index].text();
                let (before, after) = if field.choices.contains(&value) { ("‹", "›") } else { ("", "") };
                Line::from(vec![
                    Span::styled(format!("{} ", text::left(field.name, NAME)), look.style(role)),
                    Span::styled(before, look.style(Role::Faint)),
                    Span::styled(value.to_owned(), look.style(if here { Role::Strong } else { Role::Text })),
                    Span::styled(after, look.style(Role::Faint)),
                ])
                .render(row, screen.buffer_mut());
            }
        }
        let height = words.len() as u16;
        let last = Rect { y: inside.bottom().saturating_sub(height), height, ..inside };
        rows::draw(screen, last, words.into_iter().map(|part| Line::styled(part, look.style(role))));
    }
}

/// The last child that was started as the form says.
fn started_so<'a>(form: &Form, children: &'a [Arc<ChildView>]) -> Option<&'a Arc<ChildView>> {
    let spec = form.spec().ok()?;
    children.iter().rev().find(|child| *child.spec == spec && !child.course.calls.is_empty())
}

/// The system calls that its start took.
fn draw_calls(screen: &mut Frame<'_>, area: Rect, started: Option<&Arc<ChildView>>, look: &Look<'_>) {
    if area.height < 3 {
        return;
    }
    match started {
        Some(child) => {
            let title = text::fit(&format!("System calls of {}", words::name(child)), usize::from(area.width) - 4);
            let inside = frame::draw(screen, area, &title, "", look.theme);
            rows::draw(screen, inside, side::calls(child, usize::from(inside.width), look));
        }
        None => {
            let inside = frame::draw(screen, area, "System calls", "", look.theme);
            let what = "Once it was started so, those that it really took stand here.";
            let parts = text::wrap(what, usize::from(inside.width));
            rows::draw(screen, inside, parts.into_iter().map(|part| Line::styled(part, look.style(Role::Dim))));
        }
    }
}

fn draw_code(screen: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>, look: &Look<'_>) {
    let whole = lines.len() + 2 <= usize::from(area.height);
    let note = if whole { "^Y copies" } else { "goes on · ^Y copies all of it" };
    let inside = frame::draw(screen, area, "The same in Rust", note, look.theme);
    rows::draw(screen, inside, lines);
}
