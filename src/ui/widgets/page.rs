//! Text that may have more rows than its place: shown from any of them on.

use std::cell::Cell;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{rows, text};
use crate::ui::keymap::Hint;
use crate::ui::theme::{Role, Theme};

/// Which row is the first. Drawing takes it back to where the last row is seen.
#[derive(Debug, Default)]
pub struct Page {
    top: Cell<usize>,
}

impl Page {
    /// Goes to the first row: it is another text.
    pub fn rewind(&mut self) {
        self.top.set(0);
    }

    /// Goes so many rows down, or up.
    pub fn scroll(&mut self, by: isize) {
        self.top.set(self.top.get().saturating_add_signed(by));
    }

    /// Draws the rows, and says below them that there are more: in the lower edge of
    /// the frame around `area`, or in the last row where there is no frame.
    pub fn draw(&self, screen: &mut Frame<'_>, area: Rect, framed: bool, lines: Vec<Line<'static>>, theme: &Theme) {
        let fits = lines.len() <= usize::from(area.height);
        let edge = if framed || fits { area.bottom() } else { area.bottom().saturating_sub(1).max(area.y) };
        let most = lines.len().saturating_sub(usize::from(edge - area.y));
        let top = self.top.get().min(most);
        self.top.set(top);
        let seen = Rect { height: edge - area.y, ..area };
        rows::draw(screen, seen, lines.into_iter().skip(top));
        say_more(screen, Rect { y: edge, height: 1, ..area }, most - top, theme);
    }
}

/// Says at the right of a row that there are so many more below it.
pub fn say_more(screen: &mut Frame<'_>, row: Rect, more: usize, theme: &Theme) {
    if more > 0 && row.y < screen.area().bottom() {
        let words = format!(" ▼ {}: J scrolls ", text::count(more as u32, "more row", "more rows"));
        let width = (words.chars().count() as u16).min(row.width);
        let style = theme.style(Role::Marked);
        screen.buffer_mut().set_stringn(row.right() - width, row.y, words, usize::from(width), style);
    }
}

/// So many rows a key goes.
const STEP: isize = 5;

/// How far a key goes down, if it is one of those that scroll.
pub fn step(key: &KeyEvent) -> Option<isize> {
    match key.code {
        KeyCode::Char('J') | KeyCode::PageDown => Some(STEP),
        KeyCode::Char('K') | KeyCode::PageUp => Some(-STEP),
        _ => None,
    }
}

/// Those keys, for a status line.
pub fn hint() -> Hint {
    Hint::new("J K", "scroll", "scroll the text down, up; PageDown and PageUp, too")
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::ui::theme::Depth;

    fn drawn(page: &Page, lines: usize, framed: bool) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(30, 4)).unwrap();
        let lines = (0..lines).map(|line| Line::raw(format!("row {line}"))).collect();
        let area = Rect { x: 0, y: 0, width: 30, height: if framed { 3 } else { 4 } };
        terminal
            .draw(|screen| page.draw(screen, area, framed, lines, &Theme::load("night", Depth::True).unwrap()))
            .unwrap();
        let buffer = terminal.backend().buffer();
        let row = |y: u16| (0..30).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..4).map(row).collect()
    }

    #[test]
    fn every_row_can_be_reached_and_what_is_below_is_said() {
        let mut page = Page::default();
        assert_eq!(drawn(&page, 4, false), ["row 0", "row 1", "row 2", "row 3"]);
        let first = drawn(&page, 6, false);
        assert_eq!(first[..3], ["row 0", "row 1", "row 2"]);
        assert_eq!(first[3].trim(), "▼ 3 more rows: J scrolls");
        page.scroll(2);
        assert_eq!(drawn(&page, 6, true)[..3], ["row 2", "row 3", "row 4"]);
        page.scroll(100);
        assert_eq!(drawn(&page, 6, true), ["row 3", "row 4", "row 5", ""]);
        page.scroll(-1);
        assert_eq!(drawn(&page, 6, true)[0], "row 2", "it went no further than the last row");
        page.rewind();
        assert_eq!(drawn(&page, 6, true)[0], "row 0");
    }
}
