//! Lines below one another; what is cut on the right shows as `…`.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::text;

/// Draws lines from the top of an area, as many as fit, and returns the area
/// below them.
pub fn draw(screen: &mut Frame<'_>, area: Rect, lines: impl IntoIterator<Item = Line<'static>>) -> Rect {
    let mut used = 0;
    for line in lines.into_iter().take(usize::from(area.height)) {
        let row = Rect { y: area.y + used, height: 1, ..area };
        fit(line, usize::from(area.width)).render(row, screen.buffer_mut());
        used += 1;
    }
    Rect { y: area.y + used, height: area.height - used, ..area }
}

/// Cuts a line to `width` columns.
pub fn fit(mut line: Line<'static>, width: usize) -> Line<'static> {
    if line.width() <= width {
        return line;
    }
    let mut room = width;
    let cut = line.spans.iter().position(|span| {
        let fits = span.width() < room;
        room = room.saturating_sub(if fits { span.width() } else { 0 });
        !fits
    });
    if let Some(cut) = cut {
        line.spans.truncate(cut + 1);
        if let Some(last) = line.spans.last_mut() {
            *last = Span::styled(text::fit(&format!("{}…", last.content), room), last.style);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(parts: &[&'static str], width: usize) -> String {
        let line = fit(Line::from(parts.iter().map(|part| Span::raw(*part)).collect::<Vec<_>>()), width);
        assert!(line.width() <= width, "{line:?}");
        line.spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn a_cut_shows_wherever_it_falls() {
        assert_eq!(cut(&["abc", " 12345"], 9), "abc 12345");
        assert_eq!(cut(&["abc", " 12345"], 8), "abc 123…");
        assert_eq!(cut(&["abc", " 12345", " x"], 9), "abc 1234…");
        assert_eq!(cut(&["abc", "12345"], 3), "ab…");
        assert_eq!(cut(&["abc", "12345"], 1), "…");
        assert_eq!(cut(&["进程", "进程"], 7), "进程进…");
        assert_eq!(cut(&["abc"], 0), "");
    }
}
