//! What a child wrote, with the time of each line since its start.
//!
//! ```text
//!    0.012 │ to its standard output
//!    0.840 ┃ to its error output
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::brush::{Brush, found};
use super::words;
use crate::model::child::{ChildState, ChildView, OutputLine, Stream};
use crate::model::units::grouped;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// Columns of a time, `12345.678 `, and of the stream's mark.
const STAMP: usize = 10;
const MARK: usize = 2;

/// The view of a log. Lines are numbered from the first that was ever
/// written, so that one keeps its number while older ones are dropped.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// The first line shown; the last ones where there is none.
    first: Option<u64>,
    /// Long lines go on in the next row instead of being cut.
    pub(super) wrap: bool,
    /// Without times.
    pub(super) bare: bool,
    /// Only one of both outputs.
    only: Option<Stream>,
    search: String,
    hit: Option<u64>,
    /// Rows of the last drawing, and the first line in it.
    rows: usize,
    shown: u64,
}

impl Log {
    /// Goes to the end and stays there.
    pub(super) fn follow(&mut self) {
        (self.first, self.hit) = (None, None);
    }

    /// Goes to the oldest line that is kept.
    pub(super) fn go_to_oldest(&mut self, child: &ChildView) {
        self.first = Some(child.dropped_lines);
    }

    /// Shows both outputs, then the standard one, then the errors.
    pub(super) fn next_stream(&mut self) {
        self.only = match self.only {
            None => Some(Stream::Stdout),
            Some(Stream::Stdout) => Some(Stream::Stderr),
            Some(Stream::Stderr) => None,
        };
        self.follow();
    }

    /// The lines that are shown, with their numbers.
    fn visible<'a>(&self, child: &'a ChildView) -> Vec<(u64, &'a OutputLine)> {
        let all = (child.dropped_lines..).zip(lines(child));
        all.filter(|(_, line)| self.only.is_none_or(|only| line.stream == only)).collect()
    }

    /// Moves by lines; at the end it follows.
    pub(super) fn scroll(&mut self, by: isize, child: &ChildView) {
        let visible = self.visible(child);
        let now = self.first.unwrap_or(self.shown);
        let index = visible.partition_point(|(number, _)| *number < now);
        let last = visible.len().saturating_sub(self.rows);
        let index = index.saturating_add_signed(by);
        let first = visible.get(index.min(last)).map(|(number, _)| *number);
        self.first = if by < 0 || index < last { first } else { None };
    }

    /// Moves by pages.
    pub(super) fn page(&mut self, by: isize, child: &ChildView) {
        self.scroll(by * self.rows.saturating_sub(1).max(1).cast_signed(), child);
    }

    /// What to look for from now on; nothing where it is empty.
    pub(super) fn search(&mut self, text: &str) {
        text.clone_into(&mut self.search);
        if text.is_empty() {
            self.hit = None;
        }
    }

    /// Goes to the next line that has the searched text, or with −1 to the one
    /// before, round the ends; with 0 to the latest.
    pub(super) fn find(&mut self, by: isize, child: &ChildView) {
        if self.search.is_empty() {
            return;
        }
        let visible = self.visible(child);
        let has = |line: &OutputLine| found(&line.text, &self.search).is_some();
        let hits: Vec<u64> = visible.iter().filter(|(_, line)| has(line)).map(|(number, _)| *number).collect();
        let from = self.hit.unwrap_or(u64::MAX);
        let next = match by {
            1 => hits.iter().find(|n| **n > from).or(hits.first()),
            -1 => hits.iter().rev().find(|n| **n < from).or(hits.last()),
            _ => hits.last(),
        };
        self.hit = next.copied();
        if let Some(hit) = self.hit {
            let index = visible.partition_point(|(number, _)| *number < hit).saturating_sub(self.rows / 2);
            let index = index.min(visible.len().saturating_sub(self.rows));
            self.first = visible.get(index).map(|(number, _)| *number);
        }
    }

    /// Draws the log of `child`.
    ///
    /// `facts` says whether the card beside it tells how the child ended.
    pub(super) fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, child: &ChildView, facts: bool, look: &Look<'_>) {
        let end = if facts { None } else { words::meaning(&child.state) };
        let note = end.map_or_else(|| self.note(child), str::to_owned);
        let room = usize::from(area.width).saturating_sub(note.width() + 8);
        let title = text::fit(&words::name(child), room.max(10));
        let inside = enclose(screen, area, &title, &note, look);
        self.rows = usize::from(inside.height);
        let (oldest, end) = bounds(child);
        if oldest == end {
            return draw_silence(screen, inside, child, look);
        }
        let width = usize::from(inside.width);
        let all = self.visible(child);
        let first = match self.first {
            Some(first) => all.partition_point(|(number, _)| *number < first).min(all.len().saturating_sub(1)),
            None => all.len() - self.fitting(&all, width),
        };
        self.shown = all.get(first).map_or(oldest, |(number, _)| *number);
        let mut y = inside.y;
        for (number, line) in &all[first..] {
            for row in self.rows_of(line, *number, width, child, look) {
                if y >= inside.bottom() {
                    return;
                }
                row.render(Rect { y, height: 1, ..inside }, screen.buffer_mut());
                y += 1;
            }
        }
    }

    /// How many of the last lines fit.
    fn fitting(&self, all: &[(u64, &OutputLine)], width: usize) -> usize {
        let room = self.text_width(width);
        let mut rows = 0;
        let fits = |(_, line): &&(u64, &OutputLine)| {
            rows += if self.wrap { pieces(&line.text, room).len() } else { 1 };
            rows <= self.rows.max(1)
        };
        all.iter().rev().take_while(fits).count().max(1).min(all.len())
    }

    fn text_width(&self, width: usize) -> usize {
        width.saturating_sub(MARK + if self.stamps(width) { STAMP } else { 0 }).max(1)
    }

    /// Times need room: a narrow log has none.
    fn stamps(&self, width: usize) -> bool {
        !self.bare && width >= 46
    }

    fn rows_of(
        &self,
        line: &OutputLine,
        number: u64,
        width: usize,
        child: &ChildView,
        look: &Look<'_>,
    ) -> Vec<Line<'static>> {
        let room = self.text_width(width);
        let texts = if self.wrap { pieces(&line.text, room) } else { vec![text::fit(&line.text, room)] };
        let mut brush = Brush::new(line, &self.search);
        let (mark, mark_role, role) = match line.stream {
            Stream::Stdout => ("│ ", Role::Faint, Role::Text),
            Stream::Stderr => ("┃ ", Role::Warn, Role::Warn),
        };
        let stamp = if self.stamps(width) {
            let since = line.at.since(child.started).as_secs_f64();
            Some(format!("{since:>9.3} "))
        } else {
            None
        };
        let row = |(index, part): (usize, String)| {
            let mut spans = Vec::new();
            if let Some(stamp) = &stamp {
                let stamp = if index == 0 { stamp.clone() } else { " ".repeat(STAMP) };
                let role = if self.hit == Some(number) { Role::Marked } else { Role::Faint };
                spans.push(Span::styled(stamp, look.style(role)));
            }
            spans.push(Span::styled(mark, look.style(mark_role)));
            brush.row(&part, look.style(role), look.theme, &mut spans);
            Line::from(spans)
        };
        texts.into_iter().enumerate().map(row).collect()
    }

    fn note(&self, child: &ChildView) -> String {
        let (oldest, end) = bounds(child);
        let only = match self.only {
            Some(Stream::Stdout) => "output only · ",
            Some(Stream::Stderr) => "errors only · ",
            None => "",
        };
        let dropped = if oldest > 0 { format!("{} older lines dropped · ", grouped(oldest)) } else { String::new() };
        let dropped = format!("{only}{dropped}");
        match self.first {
            Some(first) => format!("{dropped}line {} of {}", grouped(first + 1), grouped(end)),
            None if end == 0 => String::new(),
            None if end == 1 => "1 line".to_owned(),
            None => format!("{dropped}{} lines", grouped(end)),
        }
    }
}

/// Below seven rows a heading takes the place of the frame.
fn enclose(screen: &mut Frame<'_>, area: Rect, title: &str, note: &str, look: &Look<'_>) -> Rect {
    if area.height >= 7 {
        return frame::draw(screen, area, title, note, look.theme);
    }
    let heading = Rect { height: 1.min(area.height), ..area };
    Line::styled(title.to_owned(), look.style(Role::Title)).render(heading, screen.buffer_mut());
    Line::styled(note.to_owned(), look.style(Role::Dim)).right_aligned().render(heading, screen.buffer_mut());
    Rect { y: heading.bottom(), height: area.height - heading.height, ..area }
}

/// The numbers of the oldest line that is kept, and of the one after the last.
fn bounds(child: &ChildView) -> (u64, u64) {
    let kept: usize = child.log.iter().map(|block| block.len()).sum();
    (child.dropped_lines, child.dropped_lines + kept as u64)
}

fn lines(child: &ChildView) -> impl Iterator<Item = &OutputLine> {
    child.log.iter().flat_map(|block| block.iter())
}

/// Cuts a text into rows of at most `width` columns.
fn pieces(text: &str, width: usize) -> Vec<String> {
    let mut rows = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns > width && used > 0 {
            rows.push(String::new());
            used = 0;
        }
        used += columns;
        if let Some(row) = rows.last_mut() {
            row.push(c);
        }
    }
    rows
}

fn draw_silence(screen: &mut Frame<'_>, area: Rect, child: &ChildView, look: &Look<'_>) {
    let (what, role) = match &child.state {
        ChildState::NotStarted(fault) => (fault.to_string(), Role::Danger),
        ChildState::Ended { .. } => ("It wrote nothing.".to_owned(), Role::Dim),
        ChildState::Running | ChildState::Stopped { .. } => ("It has not written anything yet.".to_owned(), Role::Dim),
    };
    for (y, part) in (area.y..area.bottom()).zip(text::wrap(&what, usize::from(area.width))) {
        Line::styled(part, look.style(role)).render(Rect { y, height: 1, ..area }, screen.buffer_mut());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_at_columns_not_bytes() {
        assert_eq!(pieces("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(pieces("进程进", 4), ["进程", "进"]);
        assert_eq!(pieces("", 4), [""]);
    }
}
