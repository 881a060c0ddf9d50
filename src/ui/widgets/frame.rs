//! The box around a part of the screen.
//!
//! ```text
//! ╭ title ─────────────── note ╮
//! │                            │
//! ╰────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Widget};

use crate::ui::theme::{Role, Theme};

/// Draws a box with a title on the left and a note on the right of its upper
/// edge, and returns what is inside. Below three rows or ten columns there is
/// no box, only what would be inside.
pub fn draw(screen: &mut Frame<'_>, area: Rect, title: &str, note: &str, theme: &Theme) -> Rect {
    draw_lines(
        screen,
        area,
        &Line::styled(title, theme.style(Role::Title)),
        &Line::styled(note, theme.style(Role::Dim)),
        false,
        theme,
    )
}

/// As [`draw`], with the look of one that has the focus.
pub fn draw_focused(screen: &mut Frame<'_>, area: Rect, title: &str, note: &str, theme: &Theme) -> Rect {
    draw_lines(
        screen,
        area,
        &Line::styled(title, theme.style(Role::Title)),
        &Line::styled(note, theme.style(Role::Dim)),
        true,
        theme,
    )
}

/// As [`draw`], with styled title and note.
pub fn draw_lines(
    screen: &mut Frame<'_>,
    area: Rect,
    title: &Line<'_>,
    note: &Line<'_>,
    focused: bool,
    theme: &Theme,
) -> Rect {
    if area.height < 3 || area.width < 10 {
        return area;
    }
    let border = theme.style(if focused { Role::Focus } else { Role::Border });
    let mut block = Block::bordered().border_type(BorderType::Rounded).border_style(border);
    let room = usize::from(area.width) - 4;
    if title.width() > 0 {
        block = block.title(padded(title));
    }
    if note.width() > 0 && title.width() + note.width() + 3 <= room {
        block = block.title(padded(note).alignment(Alignment::Right));
    }
    let inner = block.inner(area);
    block.render(area, screen.buffer_mut());
    // One column of air on both sides.
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

fn padded<'a>(line: &Line<'a>) -> Line<'a> {
    let mut spans = vec![Span::raw(" ")];
    let style = line.style;
    spans.extend(line.spans.iter().map(|s| s.clone().patch_style(style)));
    spans.push(Span::raw(" "));
    Line::from(spans)
}
