//! Memory: what the process has in all, and by mapping.

use ratatui::text::{Line, Span};

use super::section::{columns_line, section};
use crate::model::detail::ProcessDetail;
use crate::ui::panels::Look;
use crate::ui::theme::Role;

pub(super) fn memory_lines(detail: &ProcessDetail, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = section(&detail.memory, width, look, |m| {
        let figures = [
            ("resident", m.rss),
            ("proportional", m.pss),
            ("private", m.private),
            ("shared", m.shared),
            ("swapped", m.swap),
            ("locked", m.locked),
        ];
        let spans = figures.iter().flat_map(|(name, size)| {
            [
                Span::styled(format!("{name} "), look.style(Role::Dim)),
                Span::styled(format!("{}   ", size.short()), look.style(Role::Strong)),
            ]
        });
        vec![Line::from(spans.collect::<Vec<_>>()), Line::default()]
    });
    let name = width.saturating_sub(41).clamp(16, 90) as isize;
    lines.extend(section(&detail.mappings, width, look, |mappings| {
        let heading = [
            ("RSS", -6, Role::Heading),
            ("PSS", -6, Role::Heading),
            ("SIZE", -6, Role::Heading),
            ("N", -4, Role::Heading),
            ("PERM", 5, Role::Heading),
            ("MAPPING", name, Role::Heading),
        ];
        let mut lines = vec![columns_line(&heading, look)];
        lines.extend(mappings.iter().map(|m| {
            columns_line(
                &[
                    (&m.rss.short(), -6, Role::Strong),
                    (&m.pss.short(), -6, Role::Text),
                    (&m.size.short(), -6, Role::Dim),
                    (&m.count.to_string(), -4, Role::Dim),
                    (&m.permissions, 5, Role::Dim),
                    (&m.name, name, Role::Text),
                ],
                look,
            )
        }));
        lines
    }));
    lines
}
