//! The charts of the panel: throughput over time, and the distributions of the
//! round trips.

use ratatui::Frame;
use ratatui::layout::Rect;

use super::blank::{centred, message};
use super::{View, channel, failures, settings};
use crate::backend::lab::ipc::TRANSPORTS;
use crate::model::Nanos;
use crate::model::channel::{RatePoint, Series};
use crate::model::units::si;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::lines::Curve;
use crate::ui::widgets::ridges::Ridge;
use crate::ui::widgets::{frame, lines, ridges};

/// Throughput over time, one line a transport.
pub(super) fn draw_throughput(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let size = view.seen.as_ref().and_then(|seen| seen.value.spec.as_ref()).map_or(view.spec.size, |spec| spec.size);
    let note = format!("{} messages, one way", settings::size(size));
    let inside = frame::draw(screen, area, "Throughput", &note, look.theme);
    let now = if view.is_running() { look.now } else { newest(view) };
    let curves: Vec<Curve> = view.series().iter().filter_map(|series| curve(view, series, now)).collect();
    if let Some((text, role)) = message(view).filter(|_| curves.is_empty()) {
        return centred(screen, inside, &text, role, look);
    }
    let oldest = curves.iter().filter_map(|curve| curve.points.first()).map(|point| -point.0).fold(0.0, f64::max);
    lines::draw(screen, inside, &curves, oldest.ceil().clamp(5.0, 60.0), "B/s", look.theme);
}

/// When the last slice ended: a stopped chart stands still.
fn newest(view: &View) -> Nanos {
    let ends = view.series().iter().filter_map(|series| series.throughput.last());
    ends.map(|point| point.at).max().unwrap_or_default()
}

fn curve(view: &View, series: &Series, now: Nanos) -> Option<Curve> {
    let point = |point: &RatePoint| (-now.since(point.at).as_secs_f64(), point.bytes_per_s);
    let points: Vec<_> = series.throughput.iter().map(point).collect();
    let shown = view.is_ticked(&series.transport) && !points.is_empty();
    shown.then(|| Curve { points, series: view.colour_of(&series.transport).unwrap_or(0) })
}

/// The round trips, or what the selected transport is.
pub(super) fn draw_right(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    if view.explains {
        let inside = frame::draw_focused(screen, area, view.selected().name, "e closes", look.theme);
        return channel::explain(screen, inside, true, view, look);
    }
    if view.fails {
        return failures::draw(screen, area, view, look);
    }
    let note = match view.series().iter().find_map(|series| series.open_loop_rate) {
        Some(rate) => format!("closed loop; open loop behind, {} msg/s", si(rate.intended)),
        None => "closed loop, log scale".to_owned(),
    };
    let inside = frame::draw(screen, area, "Round trip", &note, look.theme);
    let name = |key: &str| TRANSPORTS.iter().find(|t| t.about().key == key).map_or("?", |t| t.about().name);
    let shown = view.series().iter().filter(|series| view.is_ticked(&series.transport));
    let found: Vec<Ridge<'_>> = shown
        .filter_map(|series| {
            let of = series.round_trip.as_deref()?;
            let series_index = view.colour_of(&series.transport)?;
            let behind = series.open_loop.as_deref();
            Some(Ridge { name: name(&series.transport), of, behind, series: series_index })
        })
        .collect();
    if found.is_empty() {
        let text = if view.is_running() { "warming up…" } else { "no round trips yet" };
        return centred(screen, inside, text, Role::Dim, look);
    }
    ridges::draw(screen.buffer_mut(), inside, &found, look.theme);
}
