//! The machine: its CPU's past, and meters.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::system::{Pressure, SystemSample};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{area, bar, frame, text};

/// The busy share of all CPUs over the last minutes.
pub(super) fn history(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let sample = look.store.system.as_ref().map(|s| &s.value);
    let now = sample.and_then(|s| s.cpu).map_or_else(String::new, |c| format!("{:.0}%", c * 100.0));
    let load = sample.map_or_else(String::new, |s| format!("load {:.2} {:.2} {:.2}", s.load[0], s.load[1], s.load[2]));
    let title =
        Line::from(vec![Span::styled("CPU ", look.style(Role::Title)), Span::styled(now, look.style(Role::Strong))]);
    let note = Line::styled(load, look.style(Role::Dim));
    let inside = frame::draw_lines(screen, place, &title, &note, false, look.theme);
    area::draw(screen.buffer_mut(), inside, look.store.cpu_history.iter().copied(), 1.0, look.theme);
}

/// CPUs, memory and pressure as bars.
pub(super) fn meters(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let Some(stamped) = &look.store.system else {
        frame::draw(screen, place, "Machine", "", look.theme);
        return;
    };
    let sample = &stamped.value;
    let inside = frame::draw(screen, place, "Machine", &sample.kernel, look.theme);
    let rows = usize::from(inside.height);
    let mut meters = Vec::new();
    // Memory and pressure come first where room is short; CPUs fill the rest.
    let fixed = 4.min(rows);
    let cpus = rows - fixed;
    if sample.cpus.len() <= cpus {
        meters.extend(
            sample
                .cpus
                .iter()
                .enumerate()
                .map(|(i, share)| meter(&format!("cpu{i}"), f64::from(*share), percent(f64::from(*share)))),
        );
    } else if cpus > 0 {
        let share = f64::from(sample.cpu.unwrap_or(0.0));
        meters.push(meter(&format!("{} cpus", sample.cpus.len()), share, percent(share)));
    }
    meters.push(memory(sample));
    for (name, pressure) in [("psi cpu", sample.psi_cpu), ("psi mem", sample.psi_memory), ("psi io", sample.psi_io)] {
        meters.push(stall(name, pressure));
    }
    for (y, meter) in meters.into_iter().take(rows).enumerate() {
        meter.draw(screen, Rect { y: inside.y + y as u16, height: 1, ..inside }, look);
    }
}

struct Meter {
    name: String,
    share: Option<f64>,
    figure: String,
}

fn meter(name: &str, share: f64, figure: String) -> Meter {
    Meter { name: name.to_owned(), share: Some(share), figure }
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn memory(sample: &SystemSample) -> Meter {
    let share = sample.memory_used.0 as f64 / sample.memory_total.0.max(1) as f64;
    meter("memory", share, format!("{}/{}", sample.memory_used.short(), sample.memory_total.short()))
}

fn stall(name: &str, pressure: Option<Pressure>) -> Meter {
    match pressure {
        Some(p) => meter(name, f64::from(p.some10) / 100.0, format!("{:.1}%", p.some10)),
        None => Meter { name: name.to_owned(), share: None, figure: "not in this kernel".to_owned() },
    }
}

impl Meter {
    fn draw(&self, screen: &mut Frame<'_>, row: Rect, look: &Look<'_>) {
        const NAME: u16 = 8;
        const FIGURE: u16 = 10;
        screen.buffer_mut().set_stringn(row.x, row.y, &self.name, usize::from(NAME), look.style(Role::Dim));
        let Some(share) = self.share else {
            screen.buffer_mut().set_stringn(
                row.x + NAME,
                row.y,
                &self.figure,
                usize::from(row.width.saturating_sub(NAME)),
                look.style(Role::Faint),
            );
            return;
        };
        let width = row.width.saturating_sub(NAME + FIGURE);
        let fill = if share >= 0.9 { look.style(Role::Warn) } else { look.theme.scale(0.35 + 0.5 * share) };
        bar::draw(screen.buffer_mut(), Rect { x: row.x + NAME, width, ..row }, share, fill, look.style(Role::Faint));
        let figure = text::right(&self.figure, usize::from(FIGURE));
        screen.buffer_mut().set_string(row.x + NAME + width, row.y, figure, look.style(Role::Text));
    }
}

/// The machine in a line.
pub(super) fn line(look: &Look<'_>) -> Line<'static> {
    let Some(stamped) = &look.store.system else {
        return Line::styled("reading the machine …", look.style(Role::Dim));
    };
    let sample = &stamped.value;
    let figure = |name: &'static str, value: String| {
        [Span::styled(name, look.style(Role::Dim)), Span::styled(value, look.style(Role::Strong))]
    };
    let mut spans = Vec::new();
    spans.extend(figure("cpu ", sample.cpu.map_or_else(|| "–".to_owned(), |c| format!("{:.0}%", c * 100.0))));
    spans.extend(figure("  mem ", format!("{}/{}", sample.memory_used.short(), sample.memory_total.short())));
    spans.extend(figure("  load ", format!("{:.2}", sample.load[0])));
    Line::from(spans)
}
