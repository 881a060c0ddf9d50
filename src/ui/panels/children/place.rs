//! Where the parts of the panel lie, and the panel without a child.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::facts;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::frame;

/// The panel and, below it, the row in which one types.
pub(super) fn with_prompt(area: Rect, prompting: bool) -> (Rect, Rect) {
    let height = u16::from(prompting).min(area.height);
    let body = Rect { height: area.height - height, ..area };
    (body, Rect { y: body.bottom(), height, ..area })
}

pub(super) struct Areas {
    pub(super) list: Rect,
    pub(super) facts: Option<Rect>,
    pub(super) log: Rect,
}

/// Side by side on a wide screen; the list above the log on a narrow one.
pub(super) fn split(area: Rect, count: usize) -> Areas {
    let rows = (count as u16).saturating_add(2);
    if area.width < 100 {
        let most = if area.height < 12 { 2.min(area.height) } else { area.height / 3 };
        let list = if area.height < 12 { (count as u16).min(most) } else { rows.clamp(3, most.max(3)) };
        let log = Rect { y: area.y + list, height: area.height - list, ..area };
        return Areas { list: Rect { height: list, ..area }, facts: None, log };
    }
    let width = (area.width * 2 / 5).clamp(44, 84);
    let column = Rect { width, ..area };
    let log = Rect { x: area.x + width, width: area.width - width, ..area };
    let card = facts::HEIGHT.min(area.height / 2);
    let list = Rect { height: area.height - card, ..column };
    Areas { list, facts: Some(Rect { y: list.bottom(), height: card, ..column }), log }
}

pub(super) fn draw_empty(screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = frame::draw(screen, area, "Children", "none yet", look.theme);
    let (plain, dim) = (look.style(Role::Text), look.style(Role::Dim));
    let lines = [
        vec![("No program has been started here yet.", plain)],
        vec![],
        vec![
            ("r", look.style(Role::Key)),
            ("  then a command: ", dim),
            ("cargo test -- --nocapture", look.style(Role::Strong)),
        ],
        vec![("b", look.style(Role::Key)), ("  builds one: environment, streams, user, limits, restarts", dim)],
        vec![("e", look.style(Role::Key)), ("  what can go wrong with processes, by experiment", dim)],
        vec![("or start with one: ", dim), ("syncscope run -- CMD ARGS", look.style(Role::Strong))],
        vec![],
        vec![("What it writes, how it ends and what it used show here.", dim)],
        vec![("It ends with the dashboard: SIGTERM, half a second later SIGKILL.", dim)],
    ];
    let top = inside.y + inside.height.saturating_sub(lines.len() as u16) / 3;
    for (row, spans) in (top..inside.bottom()).zip(lines) {
        let line = Line::from(spans.into_iter().map(|(t, s): (&str, Style)| Span::styled(t, s)).collect::<Vec<_>>());
        line.render(Rect { y: row, height: 1, ..inside }, screen.buffer_mut());
    }
}
