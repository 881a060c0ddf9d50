//! The machine code that ran: no secret what stood behind the figures.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::litmus::{Instruction, LitmusProgress, ThreadView};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

/// Lines of the longest body; one where nothing has been assembled yet.
pub(super) fn height(progress: &LitmusProgress) -> usize {
    progress.test.threads.iter().map(|thread| body(thread).count()).max().unwrap_or(0).max(1)
}

/// Draws it.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, progress: &LitmusProgress, look: &Look<'_>) {
    let title = format!("What ran, {}", std::env::consts::ARCH);
    let inside = frame::draw(screen, area, &title, "the loop around it left out", look.theme);
    let threads = &progress.test.threads;
    if threads.iter().all(|thread| thread.code.is_empty()) {
        let line = Line::styled("nothing yet: it is assembled when it starts", look.style(Role::Dim));
        rows::draw(screen, inside, [line]);
        return;
    }
    let columns = Layout::horizontal(threads.iter().map(|_| Constraint::Fill(1))).spacing(2).split(inside);
    for (thread, column) in threads.iter().zip(columns.iter()) {
        rows::draw(screen, *column, body(thread).map(|line| instruction(line, usize::from(column.width), look)));
    }
}

fn body(thread: &ThreadView) -> impl Iterator<Item = &Instruction> {
    thread.code.iter().filter(|instruction| instruction.body)
}

fn instruction(instruction: &Instruction, width: usize, look: &Look<'_>) -> Line<'static> {
    const TEXT: usize = 26;
    let offset = format!("{:>3x}  ", instruction.offset);
    let bytes: Vec<String> = instruction.bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let room = width.saturating_sub(offset.len());
    let mut spans = vec![
        Span::styled(offset, look.style(Role::Faint)),
        Span::styled(text::left(&instruction.text, TEXT.min(room)), look.style(Role::Text)),
    ];
    if room > TEXT + 6 {
        spans.push(Span::styled(text::fit(&format!(" {}", bytes.join(" ")), room - TEXT), look.style(Role::Faint)));
    }
    Line::from(spans)
}
