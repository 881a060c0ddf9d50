//! The three labs at a glance.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::ui::panels::Look;
use crate::ui::widgets::frame;

pub(super) fn ipc(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    frame::draw(screen, place, "IPC", "", look.theme);
}

pub(super) fn locks(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    frame::draw(screen, place, "Locks", "", look.theme);
}

pub(super) fn ordering(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    frame::draw(screen, place, "Ordering", "", look.theme);
}

pub(super) fn lines(_look: &Look<'_>) -> Vec<Line<'static>> {
    Vec::new()
}
