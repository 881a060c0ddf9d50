//! What all parts of the detail view are built from: sections that may have
//! been refused, and columns.

use ratatui::text::{Line, Span};

use crate::model::Fault;
use crate::model::detail::Section;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

pub(super) fn section<T>(
    section: &Section<T>,
    width: usize,
    look: &Look<'_>,
    lines: impl FnOnce(&T) -> Vec<Line<'static>>,
) -> Vec<Line<'static>> {
    match section {
        Ok(value) => {
            let lines = lines(value);
            if lines.is_empty() { vec![Line::styled("none", look.style(Role::Faint))] } else { lines }
        }
        Err(fault) => fault_lines(fault, width, look),
    }
}

/// What was refused, and the way out, whole.
pub(super) fn fault_lines(fault: &Fault, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let what = format!("! {}: {}", fault.source, fault.what);
    let mut lines: Vec<_> =
        text::wrap(&what, width).into_iter().map(|line| Line::styled(line, look.style(Role::Warn))).collect();
    if let Some(hint) = &fault.hint {
        let wrapped = text::wrap(hint, width.saturating_sub(2).max(16));
        lines.extend(wrapped.into_iter().map(|line| Line::styled(format!("  {line}"), look.style(Role::Dim))));
    }
    lines
}

/// Pieces of fixed widths; a negative width aligns on the right.
pub(super) fn columns_line(pieces: &[(&str, isize, Role)], look: &Look<'_>) -> Line<'static> {
    let piece = |(content, width, role): &(&str, isize, Role)| {
        let size = width.unsigned_abs();
        let fitted = if *width < 0 { text::right(content, size) } else { text::left(content, size) };
        Span::styled(format!("{fitted} "), look.style(*role))
    };
    Line::from(pieces.iter().map(piece).collect::<Vec<_>>())
}
