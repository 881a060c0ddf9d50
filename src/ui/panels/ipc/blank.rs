//! What stands where there is nothing to draw yet, or no more.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::{View, settings};
use crate::model::Fault;
use crate::model::lab::LabState;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// What to say where there is nothing to draw.
pub(super) fn message(view: &View) -> Option<(String, Role)> {
    let advice = |Fault { source, what, hint }: &Fault| match hint {
        Some(hint) => format!("{source}: {what}. {hint}"),
        None => format!("{source}: {what}"),
    };
    match &view.state {
        _ if view.asked => Some(("starting the workers…".to_owned(), Role::Dim)),
        LabState::Failed(fault) => Some((advice(fault), Role::Danger)),
        LabState::Idle | LabState::Done if view.series().is_empty() => {
            let ticked = view.spec.transports.len();
            let text = match ticked {
                0 => "Tick a transport with Space, then press s.".to_owned(),
                _ => format!(
                    "s measures {ticked} transport{}, each between two real processes, with {} messages.",
                    if ticked == 1 { "" } else { "s" },
                    settings::size(view.spec.size)
                ),
            };
            Some((text, Role::Dim))
        }
        LabState::Starting => Some(("starting the workers…".to_owned(), Role::Dim)),
        LabState::WarmUp => Some(("warming up: nothing counts yet".to_owned(), Role::Dim)),
        _ => None,
    }
}

/// Draws a sentence in the middle of an area.
pub(super) fn centred(screen: &mut Frame<'_>, area: Rect, what: &str, role: Role, look: &Look<'_>) {
    let rows = text::wrap(what, usize::from(area.width).min(60));
    let top = area.y + area.height.saturating_sub(rows.len() as u16) / 2;
    for (y, row) in rows.into_iter().enumerate() {
        let at = Rect { y: top + y as u16, height: 1, ..area };
        Line::styled(row, look.style(role)).centered().render(at.intersection(area), screen.buffer_mut());
    }
}
