//! Chooses a primitive from a list of all, by family, name, definition or what
//! it breaks; marks some for a curve.
//!
//! ```text
//! ╭ Primitives ───────────────────────────────────────────────────── 3 of 65 ╮
//! │ find: tick                                                               │
//! │ mutual exclusion                                                         │
//! │   ticket          ticket lock     Mellor-Crummey & Scott 1991   1.2 M ✓  │
//! │ ◆ ticket_relaxed  ticket, relaxed broken on purpose: mutual …   3 ✗      │
//! ╰──────────────────────────────────────────────────────────────────────────╯
//! ```

use std::collections::BTreeMap;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use crate::backend::lab::locks::{Info, PRIMITIVES};
use crate::model::units::si;
use crate::ui::keymap::{self, Binding, Hint, bind, code};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::prompt::Prompt;
use crate::ui::widgets::{frame, text};

const KEYS: &[Binding<()>] = &[
    bind(&[code(KeyCode::Enter)], (), "choose", "take the selected primitive"),
    bind(&[code(KeyCode::Up)], (), "", "the one above"),
    bind(&[code(KeyCode::Down)], (), "", "the one below"),
    bind(&[code(KeyCode::Tab)], (), "mark", "mark it for the curve, and unmark it"),
    bind(&[code(KeyCode::Esc)], (), "back", "keep the one that was chosen"),
];

/// Its keys; every other one is typed.
pub(super) fn hints() -> Vec<Hint> {
    keymap::hints(KEYS)
}

/// The open list.
#[derive(Debug)]
pub(super) struct Picker {
    /// Key of the selected primitive.
    selected: &'static str,
    /// Every row's version, asked once.
    rows: Vec<(&'static Info, String)>,
    prompt: Prompt,
}

/// What came of a key.
pub(super) enum Picked {
    /// It changed the list.
    Nothing,
    /// The list is to be closed.
    Closed,
    /// This one is to be marked, or unmarked.
    Marked(&'static str),
    /// This one was chosen.
    Chosen(&'static str),
}

/// A line of the list.
enum Row<'a> {
    Family(&'static str),
    One(&'a Info, &'a str),
}

impl Picker {
    /// A list with this primitive selected.
    pub(super) fn new(key: &str) -> Self {
        let rows: Vec<_> = PRIMITIVES.iter().map(|p| p.info()).map(|info| (info, definition(info))).collect();
        let keys = || rows.iter().map(|(info, _)| info.key);
        let selected = keys().find(|known| *known == key).or(keys().next()).unwrap_or_default();
        Picker { selected, rows, prompt: Prompt::default() }
    }

    /// Answers a key.
    pub(super) fn on_key(&mut self, event: &KeyEvent) -> Picked {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        match event.code {
            KeyCode::Up => self.step(-1),
            KeyCode::Down => self.step(1),
            KeyCode::PageUp => self.step(-10),
            KeyCode::PageDown => self.step(10),
            KeyCode::Tab if self.is_selected() => return Picked::Marked(self.selected),
            KeyCode::Enter if self.is_selected() => return Picked::Chosen(self.selected),
            KeyCode::Enter | KeyCode::Tab => {}
            KeyCode::Esc => return Picked::Closed,
            _ if control && matches!(event.code, KeyCode::Char('n' | 'p')) => {
                self.step(if event.code == KeyCode::Char('n') { 1 } else { -1 });
            }
            _ => {
                self.prompt.on_key(event);
                self.keep_selected();
            }
        }
        Picked::Nothing
    }

    /// Takes pasted text.
    pub(super) fn paste(&mut self, text: &str) {
        self.prompt.paste(text.trim());
        self.keep_selected();
    }

    /// Those that fit every word that is typed.
    fn matching(&self) -> Vec<&(&'static Info, String)> {
        let words = self.prompt.text().to_lowercase();
        let fits = |(info, definition): &(&'static Info, String)| {
            let all = format!("{} {} {} {definition}", info.key, info.name, info.family.name()).to_lowercase();
            words.split_whitespace().all(|word| all.contains(word))
        };
        self.rows.iter().filter(|row| fits(row)).collect()
    }

    fn is_selected(&self) -> bool {
        self.matching().iter().any(|(info, _)| info.key == self.selected)
    }

    /// Where the selected one fits no more, the first that does is selected.
    fn keep_selected(&mut self) {
        if !self.is_selected() {
            self.selected = self.matching().first().map_or(self.selected, |(info, _)| info.key);
        }
    }

    fn step(&mut self, by: isize) {
        let keys: Vec<&'static str> = self.matching().iter().map(|(info, _)| info.key).collect();
        let Some(last) = keys.len().checked_sub(1) else { return };
        let at = keys.iter().position(|key| *key == self.selected).unwrap_or(0);
        self.selected = keys[at.saturating_add_signed(by).min(last)];
    }

    /// Draws the list over the panel; beside each primitive how often it was
    /// checked lately.
    pub(super) fn draw(
        &self,
        screen: &mut Frame<'_>,
        area: Rect,
        marked: &[String],
        checked: &BTreeMap<String, (u64, u64)>,
        look: &Look<'_>,
    ) {
        let place = Rect { width: area.width.min(112), ..area };
        let place = Rect { x: area.x + (area.width - place.width) / 2, ..place };
        screen.render_widget(Clear, place);
        screen.buffer_mut().set_style(place, look.theme.ground());
        let matching = self.matching();
        let at = matching.iter().position(|(info, _)| info.key == self.selected);
        let note = format!("{} of {}", at.map_or(0, |at| at + 1), matching.len());
        let mut inside = frame::draw_focused(screen, place, "Primitives", &note, look.theme);
        if inside.height > 1 {
            self.prompt.draw(screen, Rect { height: 1, ..inside }, "find:", look.theme);
            inside = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
        }
        if matching.is_empty() {
            let line = Line::styled("none is called so", look.style(Role::Dim));
            return screen.render_widget(line, Rect { height: inside.height.min(1), ..inside });
        }
        let rows = by_family(&matching);
        let selected = |row: &Row<'_>| matches!(row, Row::One(info, _) if info.key == self.selected);
        let at = rows.iter().position(selected).unwrap_or(0);
        let room = usize::from(inside.height).max(1);
        let first = at.saturating_sub(room / 2).min(rows.len().saturating_sub(room));
        for (y, row) in (inside.top()..inside.bottom()).zip(rows.iter().skip(first)) {
            let place = Rect { y, height: 1, ..inside };
            let line = match row {
                Row::Family(name) => Line::styled(*name, look.style(Role::Heading)),
                Row::One(info, definition) => {
                    let is_marked = marked.iter().any(|key| key == info.key);
                    one(info, definition, is_marked, checked.get(info.key).copied(), usize::from(inside.width), look)
                }
            };
            screen.render_widget(line, place);
            if selected(row) {
                screen.buffer_mut().set_style(place, look.style(Role::Selection));
            }
        }
    }
}

/// Where it comes from, or what it breaks.
fn definition(info: &Info) -> String {
    info.breaks.map_or_else(|| (info.version)().into_owned(), |breaks| format!("broken on purpose: {breaks}"))
}

/// The rows with a heading before each family.
fn by_family<'a>(matching: &[&'a (&'static Info, String)]) -> Vec<Row<'a>> {
    let mut rows = Vec::new();
    let mut last = None;
    for (info, definition) in matching {
        if last.replace(info.family) != Some(info.family) {
            rows.push(Row::Family(info.family.name()));
        }
        rows.push(Row::One(info, definition));
    }
    rows
}

fn one(
    info: &Info,
    definition: &str,
    is_marked: bool,
    checked: Option<(u64, u64)>,
    width: usize,
    look: &Look<'_>,
) -> Line<'static> {
    const MARK: usize = 2;
    const KEY: usize = 23;
    let checks_width = if width >= 70 { 20 } else { 2 };
    let name = if width >= 90 { 32 } else { 0 };
    let room = width.saturating_sub(MARK + KEY + name + checks_width);
    let (checks, role) = match checked {
        None if width < 70 => ("–".to_owned(), Role::Faint),
        Some((_, 0)) if width < 70 => ("✓".to_owned(), Role::Good),
        Some(_) if width < 70 => ("✗".to_owned(), Role::Danger),
        None => ("not checked yet".to_owned(), Role::Faint),
        Some((n, 0)) => (format!("{} checks ✓", si(n as f64)), Role::Good),
        Some((n, violated)) => (format!("{} of {} ✗", si(violated as f64), si(n as f64)), Role::Danger),
    };
    let kind = if info.breaks.is_some() { Role::Warn } else { Role::Dim };
    Line::from(vec![
        Span::styled(if is_marked { "◆ " } else { "  " }, look.style(Role::Accent)),
        Span::styled(text::left(info.key, KEY), look.style(Role::Strong)),
        Span::styled(text::left(info.name, name), look.style(Role::Text)),
        Span::styled(text::left(definition, room), look.style(kind)),
        Span::styled(text::right(&checks, checks_width), look.style(role)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(picker: &mut Picker, code: KeyCode) -> Picked {
        picker.on_key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn typed(picker: &mut Picker, text: &str) {
        for c in text.chars() {
            press(picker, KeyCode::Char(c));
        }
    }

    #[test]
    fn words_narrow_the_list_and_enter_takes_the_selected() {
        let mut picker = Picker::new("std_mutex");
        assert_eq!(picker.matching().len(), PRIMITIVES.len());
        typed(&mut picker, "spin ttas");
        assert_eq!(picker.matching().len(), 1);
        let Picked::Chosen(key) = press(&mut picker, KeyCode::Enter) else { panic!("not chosen") };
        assert_eq!(key, "ttas_spin");
        typed(&mut picker, "nothing");
        assert!(matches!(press(&mut picker, KeyCode::Enter), Picked::Nothing), "there is none to choose");
        assert!(matches!(press(&mut picker, KeyCode::Esc), Picked::Closed));
    }

    #[test]
    fn arrows_go_through_all_and_stop_at_the_ends() {
        let mut picker = Picker::new("no such");
        for info in PRIMITIVES.iter().map(|p| p.info()) {
            assert_eq!(picker.selected, info.key);
            press(&mut picker, KeyCode::Down);
        }
        assert_eq!(picker.selected, PRIMITIVES[PRIMITIVES.len() - 1].info().key);
        for _ in 0..PRIMITIVES.len() {
            press(&mut picker, KeyCode::PageUp);
        }
        assert!(matches!(press(&mut picker, KeyCode::Tab), Picked::Marked("std_mutex")));
    }
}
