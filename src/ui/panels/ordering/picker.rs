//! Chooses a test of the library, by name or by words of its headline, or a file.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use crate::backend::lab::litmus::library::{self, TESTS};
use crate::model::litmus::LitmusSpec;
use crate::ui::keymap::{self, Binding, Hint, bind, code, key};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::{frame, text};

const KEYS: &[Binding<()>] = &[
    bind(&[code(KeyCode::Enter)], (), "choose", "take the selected test"),
    bind(&[code(KeyCode::Up), key('k')], (), "", "the test above"),
    bind(&[code(KeyCode::Down), key('j')], (), "", "the test below"),
    bind(&[key('/')], (), "find or file", "type a part of a test's name, or the path of a file"),
    bind(&[code(KeyCode::Esc), key('t')], (), "back", "keep the test"),
];

/// Its keys.
pub(super) fn hints() -> Vec<Hint> {
    keymap::hints(KEYS)
}

/// The open list.
#[derive(Debug)]
pub(super) struct Picker {
    selected: usize,
    /// Names and headlines, read once.
    tests: Vec<(&'static str, String)>,
    /// What is typed.
    prompt: Option<Prompt>,
}

/// What came of a key.
pub(super) enum Picked {
    /// It was one of the list's.
    Nothing,
    /// The list is to be closed.
    Closed,
    /// This test was chosen.
    Test(&'static str),
    /// A file was named.
    File(String),
    /// It was none of the list's.
    Ignored,
}

impl Picker {
    /// A list with this test selected.
    pub(super) fn new(test: &str) -> Self {
        let selected = TESTS.iter().position(|(name, _)| name.eq_ignore_ascii_case(test)).unwrap_or(0);
        let headline =
            |name: &str| library::load(&LitmusSpec::named(name)).map(|test| test.headline).unwrap_or_default();
        Picker { selected, tests: TESTS.iter().map(|(name, _)| (*name, headline(name))).collect(), prompt: None }
    }

    /// Answers a key.
    pub(super) fn on_key(&mut self, event: &KeyEvent) -> Picked {
        if !matches!(event.code, KeyCode::Up | KeyCode::Down)
            && let Some(prompt) = &mut self.prompt
        {
            match prompt.on_key(event) {
                Typed::Changed => self.selected = 0,
                Typed::Cancelled => (self.prompt, self.selected) = (None, 0),
                Typed::Accepted => return self.typed(),
            }
            return Picked::Nothing;
        }
        let last = self.matching().len().saturating_sub(1);
        match event.code {
            _ if event.modifiers.contains(KeyModifiers::CONTROL) => return Picked::Ignored,
            KeyCode::Up | KeyCode::Char('k') => self.selected = self.selected.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => self.selected = (self.selected + 1).min(last),
            KeyCode::Home | KeyCode::Char('g') => self.selected = 0,
            KeyCode::End | KeyCode::Char('G') => self.selected = last,
            KeyCode::Char('/') => (self.prompt, self.selected) = (Some(Prompt::default()), 0),
            KeyCode::Enter => return self.typed(),
            KeyCode::Esc | KeyCode::Char('t') => return Picked::Closed,
            _ => return Picked::Ignored,
        }
        Picked::Nothing
    }

    /// Whether text is being typed.
    pub(super) fn is_typing(&self) -> bool {
        self.prompt.is_some()
    }

    /// Takes pasted text.
    pub(super) fn paste(&mut self, text: &str) {
        if let Some(prompt) = &mut self.prompt {
            prompt.paste(text.trim());
            self.selected = 0;
        }
    }

    /// The tests that fit what is typed.
    fn matching(&self) -> Vec<&(&'static str, String)> {
        let words = self.prompt.as_ref().map_or(String::new(), |prompt| prompt.text().to_lowercase());
        let fits = |(name, headline): &(&str, String)| {
            let all = format!("{name} {headline}").to_lowercase();
            words.split_whitespace().all(|word| all.contains(word))
        };
        self.tests.iter().filter(|test| fits(test)).collect()
    }

    /// What Enter takes: the selected test, or a file where none fits.
    fn typed(&self) -> Picked {
        let text = self.prompt.as_ref().map_or("", |prompt| prompt.text().trim());
        match self.matching().get(self.selected) {
            Some((name, _)) if !text.contains('/') => Picked::Test(name),
            _ if text.is_empty() => Picked::Closed,
            _ => Picked::File(text.to_owned()),
        }
    }

    /// Draws the list over the panel.
    pub(super) fn draw(&self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let names = self.tests.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let headlines = self.tests.iter().map(|(_, headline)| headline.chars().count()).max().unwrap_or(0);
        let width = ((names + headlines + 7) as u16).min(area.width);
        let height = (self.tests.len() as u16 + 2).min(area.height);
        let place =
            Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
        screen.render_widget(Clear, place);
        screen.buffer_mut().set_style(place, look.theme.ground());
        let matching = self.matching();
        let note = format!("{} of {}", (self.selected + 1).min(matching.len()), matching.len());
        let mut inside = frame::draw_focused(screen, place, "Tests", &note, look.theme);
        if let Some(prompt) = self.prompt.as_ref().filter(|_| inside.height > 1) {
            prompt.draw(screen, Rect { height: 1, ..inside }, "find, or a file's path:", look.theme);
            inside = Rect { y: inside.y + 1, height: inside.height - 1, ..inside };
            if matching.is_empty() {
                let line =
                    Line::styled("no test is called so: Enter reads the file of this name", look.style(Role::Dim));
                screen.render_widget(line, Rect { height: 1, ..inside });
            }
        }
        let rows = usize::from(inside.height).max(1);
        let first = self.selected.saturating_sub(rows / 2).min(matching.len().saturating_sub(rows));
        for (y, (index, (name, headline))) in
            (inside.top()..inside.bottom()).zip(matching.into_iter().enumerate().skip(first))
        {
            let room = usize::from(inside.width).saturating_sub(names + 2);
            let line = Line::from(vec![
                Span::styled(text::left(name, names + 2), look.style(Role::Text)),
                Span::styled(text::left(headline, room), look.style(Role::Dim)),
            ]);
            let row = Rect { y, height: 1, ..inside };
            screen.render_widget(line, row);
            if index == self.selected {
                screen.buffer_mut().set_style(row, look.style(Role::Selection));
            }
        }
    }
}
