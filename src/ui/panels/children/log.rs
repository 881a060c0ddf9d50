//! What a child wrote, with the time of each line since its start.
//!
//! ```text
//!    0.012 │ to its standard output
//!    0.840 ┃ to its error output
//! ```

mod brush;
mod find;
mod search;
mod walk;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use self::brush::Brush;
use self::find::{Hits, Wanted};
use self::walk::{Numbered, Place, Walk, pieces};
use super::words;
use crate::model::Nanos;
use crate::model::child::{ChildState, ChildView, OutputLine, Stream};
use crate::model::life::Happening;
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
    /// The first row shown; the last ones where there is none.
    first: Option<Place>,
    /// Long lines go on in the next row instead of being cut.
    wrap: bool,
    /// Without times.
    pub(super) bare: bool,
    /// Only one of both outputs.
    only: Option<Stream>,
    wanted: Wanted,
    hit: Option<Place>,
    /// Which hit of how many that is, when it was gone to.
    count: Option<(usize, usize)>,
    /// Rows and columns of the last drawing, and the first row in it.
    rows: usize,
    columns: usize,
    shown: Place,
}

impl Log {
    /// Goes to the end and stays there.
    pub(super) fn follow(&mut self) {
        (self.first, self.hit, self.count) = (None, None, None);
    }

    /// Goes to the oldest line that is kept.
    pub(super) fn go_to_oldest(&mut self, child: &ChildView) {
        self.first = Some(Place { line: child.dropped_lines, row: 0 });
    }

    /// Wraps long lines, or cuts them; a hit stays in sight.
    pub(super) fn toggle_wrap(&mut self, child: &ChildView) {
        self.wrap = !self.wrap;
        for place in [&mut self.first, &mut self.hit].into_iter().flatten() {
            place.row = 0;
        }
        let Some(hit) = self.hit else { return };
        let visible = self.visible(child);
        let walk = self.walk(&visible);
        let index = walk.index(hit);
        let Some((_, line)) = visible.get(index).filter(|(number, _)| *number == hit.line) else { return };
        let row = walk.rows_with(line, self.hits(&visible, index).begins()).first().copied();
        self.go_to(Place { row: row.unwrap_or(0), ..hit }, &walk);
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
    fn visible<'a>(&self, child: &'a ChildView) -> Vec<Numbered<'a>> {
        let all = (child.dropped_lines..).zip(lines(child));
        all.filter(|(_, line)| self.only.is_none_or(|only| line.stream == only)).collect()
    }

    /// These lines as they were last drawn.
    fn walk<'a>(&self, all: &'a [Numbered<'a>]) -> Walk<'a> {
        Walk { all, width: self.wrap.then(|| self.text_width(self.columns)), rows: self.rows }
    }

    /// Moves by rows; at the end it follows.
    pub(super) fn scroll(&mut self, by: isize, child: &ChildView) {
        let visible = self.visible(child);
        let walk = self.walk(&visible);
        let to = walk.step(self.first.unwrap_or(self.shown), by);
        self.first = if by < 0 || to < walk.end() { Some(to) } else { None };
    }

    /// Moves by pages.
    pub(super) fn page(&mut self, by: isize, child: &ChildView) {
        self.scroll(by * self.rows.saturating_sub(1).max(1).cast_signed(), child);
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
        self.resize(usize::from(inside.height), usize::from(inside.width));
        let (oldest, end) = bounds(child);
        if oldest == end {
            return draw_silence(screen, inside, child, look);
        }
        let all = self.visible(child);
        let walk = self.walk(&all);
        let first = self.first.map_or_else(|| walk.end(), |first| walk.step(first, 0));
        let mut skip = first.row;
        let mut y = inside.y;
        for index in walk.index(first)..all.len() {
            let rows = self.rows_of(all[index], self.hits(&all, index), child, look);
            for row in rows.into_iter().skip(std::mem::take(&mut skip)) {
                if y >= inside.bottom() {
                    break;
                }
                row.render(Rect { y, height: 1, ..inside }, screen.buffer_mut());
                y += 1;
            }
            if y >= inside.bottom() {
                break;
            }
        }
        self.shown = first;
    }

    /// In other columns the same text stands in other rows, roughly so many.
    fn resize(&mut self, rows: usize, columns: usize) {
        if self.wrap && self.columns != columns {
            let (before, after) = (self.text_width(self.columns), self.text_width(columns));
            for place in [&mut self.first, &mut self.hit].into_iter().flatten() {
                place.row = place.row * before / after;
            }
        }
        (self.rows, self.columns) = (rows, columns);
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
        (number, line): Numbered<'_>,
        hits: Hits,
        child: &ChildView,
        look: &Look<'_>,
    ) -> Vec<Line<'static>> {
        let room = self.text_width(self.columns);
        let hits = hits.ranges;
        let from = if self.wrap { 0 } else { hits.first().map_or(0, |hit| beginning(&line.text, *hit, room)) };
        let before = if from > 0 { "…" } else { "" };
        let texts: Vec<String> = if self.wrap {
            pieces(&line.text, room).map(str::to_owned).collect()
        } else {
            vec![text::fit(&line.text[from..], room - before.width())]
        };
        let mut brush = Brush::new(line, hits, from);
        let (mark, mark_role, role) = match line.stream {
            Stream::Stdout => ("│ ", Role::Faint, Role::Text),
            Stream::Stderr => ("┃ ", Role::Warn, Role::Warn),
        };
        let time = |start: Nanos| format!("{:>9.3} ", line.at.since(start).as_secs_f64());
        let stamp = self.stamps(self.columns).then(|| start_of(line, child).map_or_else(|| " ".repeat(STAMP), time));
        let row = |(row, part): (usize, String)| {
            let is_hit = self.hit == Some(Place { line: number, row });
            let mut spans = Vec::new();
            if let Some(stamp) = &stamp {
                let stamp = if row == 0 { stamp.clone() } else { " ".repeat(STAMP) };
                spans.push(Span::styled(stamp, look.style(if is_hit { Role::Marked } else { Role::Faint })));
            }
            let mark_role = if is_hit && stamp.is_none() { Role::Marked } else { mark_role };
            spans.push(Span::styled(mark, look.style(mark_role)));
            spans.push(Span::styled(before, look.style(Role::Faint)));
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
        let found = match self.count {
            Some((_, 0)) => "not found · ".to_owned(),
            Some((at, of)) => format!("{} of {} found · ", grouped(at as u64), grouped(of as u64)),
            None => String::new(),
        };
        match self.first {
            Some(first) => format!("{dropped}{found}line {} of {}", grouped(first.line + 1), grouped(end)),
            None if end == 0 => String::new(),
            None if end == 1 => format!("{found}1 line"),
            None => format!("{dropped}{found}{} lines", grouped(end)),
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

/// When the child was started that wrote a line; it may have been started again
/// since. Of long ago nobody knows.
fn start_of(line: &OutputLine, child: &ChildView) -> Option<Nanos> {
    let earlier = || {
        let mut starts = child.course.moments.iter().rev().filter(|one| matches!(one.what, Happening::Created { .. }));
        starts.find(|start| start.at <= line.at).map(|start| start.at)
    };
    if line.at >= child.started { Some(child.started) } else { earlier() }
}

/// Where a line that is cut begins, for its first hit to be seen.
fn beginning(text: &str, (begin, end): (usize, usize), room: usize) -> usize {
    if text[..end].width() < room || text.width() <= room {
        return 0;
    }
    // A third of the row tells what stands before it.
    let mut left = room / 3;
    let fits = |(_, c): &(usize, char)| {
        let columns = c.width().unwrap_or(0);
        let fits = columns <= left;
        left = left.saturating_sub(columns);
        fits
    };
    text[..begin].char_indices().rev().take_while(fits).last().map_or(begin, |(at, _)| at)
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
    fn a_line_that_is_cut_begins_where_its_hit_can_be_seen() {
        let text = format!("{}NEEDLE{}", "进".repeat(50), "x".repeat(50));
        let hit = (150, 156);
        assert_eq!(beginning(&text, hit, 200), 0);
        for room in [1, 2, 12, 30, 60] {
            let from = beginning(&text, hit, room);
            let before = text[from..150].width();
            assert!(from > 0 && before <= room / 3, "{room}: {before}");
        }
        assert_eq!(beginning("NEEDLE and more", (0, 6), 8), 0);
    }
}
