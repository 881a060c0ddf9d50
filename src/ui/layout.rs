//! The frame around every panel.
//!
//! ```text
//! vm · 2 cpu · up 1h24   cpu ▂▃▅ 34%   mem ▎ 1.2/24G   psi …   self 0.6%    system bar
//! 1 Overview  2 Processes  3 Waits  …                              FROZEN   tabs
//! …                                                                         panel
//! ⏎ detail  / find  k signal                              ? keys  q quit    status line
//! ```
//!
//! Below twelve rows the system bar gives its place to the panel.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::director::Bursts;
use super::keymap::Hint;
use super::panels::{Look, PANELS};
use super::store::Notice;
use super::theme::{Role, Theme};
use super::widgets::{bar, spark};
use crate::model::system::{Pressure, SystemSample};
use crate::model::{Bytes, Nanos};

/// How long a notice stays in the status line.
const NOTICE: Nanos = Nanos::from_secs(6);

/// The parts of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The system bar; empty on a low screen.
    pub bar: Rect,
    /// The tabs.
    pub tabs: Rect,
    /// The panel.
    pub panel: Rect,
    /// The status line.
    pub status: Rect,
}

/// Divides the screen.
pub fn parts(area: Rect) -> Parts {
    let row = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let bar = u16::from(area.height >= 12);
    let tabs = u16::from(area.height >= 4);
    let status = u16::from(area.height >= 3);
    let panel = area.height - bar - tabs - status;
    Parts {
        bar: row(0, bar),
        tabs: row(bar, tabs),
        panel: row(bar + tabs, panel),
        status: row(bar + tabs + panel, status),
    }
}

/// Draws the system bar: as many of its groups as fit, most useful first.
pub fn system_bar(screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let Some(sample) = &look.store.system else {
        Line::styled(" reading the machine …", look.style(Role::Dim)).render(area, screen.buffer_mut());
        return;
    };
    let wide = area.width >= 100;
    let groups = [
        cpu_group(&sample.value, look, if wide { 10 } else { 6 }),
        memory_group(&sample.value, look, wide),
        own_group(&sample.value, look),
        pressure_group(&sample.value, look),
        load_group(&sample.value, look),
        host_group(&sample.value, look),
    ];
    // Shown in another order than that of their worth.
    let order = [5, 0, 1, 4, 3, 2];
    let mut room = usize::from(area.width).saturating_sub(1);
    let fits: Vec<bool> = groups
        .iter()
        .map(|group| {
            let width: usize = group.iter().map(Span::width).sum::<usize>() + 3;
            let fits = width > 3 && width <= room + 2;
            room = if fits { room.saturating_sub(width) } else { room };
            fits
        })
        .collect();
    let mut line = vec![Span::raw(" ")];
    for index in order {
        if fits[index] {
            if line.len() > 1 {
                line.push(Span::raw("   "));
            }
            line.extend(groups[index].iter().cloned());
        }
    }
    Line::from(line).render(area, screen.buffer_mut());
}

fn host_group(sample: &SystemSample, look: &Look<'_>) -> Vec<Span<'static>> {
    // The first reading knows of no shares yet.
    let cpus = if sample.cpus.is_empty() { String::new() } else { format!(" {} cpu", sample.cpus.len()) };
    vec![
        Span::styled(sample.host.to_string(), look.style(Role::Strong)),
        Span::styled(format!("{cpus} up {}", sample.uptime.rough_age()), look.style(Role::Dim)),
    ]
}

fn cpu_group(sample: &SystemSample, look: &Look<'_>, width: usize) -> Vec<Span<'static>> {
    let share = sample.cpu;
    let role = match share {
        Some(s) if s >= 0.95 => Role::Warn,
        _ => Role::Strong,
    };
    let figure = share.map_or_else(|| "  –%".to_owned(), |s| format!("{:3.0}%", s * 100.0));
    vec![
        Span::styled("cpu ", look.style(Role::Dim)),
        Span::styled(spark::text(look.store.cpu_history.iter().copied(), width, 1.0), look.style(Role::Accent)),
        Span::styled(format!(" {figure}"), look.style(role)),
    ]
}

fn memory_group(sample: &SystemSample, look: &Look<'_>, wide: bool) -> Vec<Span<'static>> {
    let share = sample.memory_used.0 as f64 / sample.memory_total.0.max(1) as f64;
    let role = if share >= 0.9 { Role::Warn } else { Role::Strong };
    let mut spans = vec![Span::styled("mem ", look.style(Role::Dim))];
    if wide {
        spans.push(Span::styled(bar::text(share, 6), look.style(Role::Accent)));
        spans.push(Span::raw(" "));
    }
    spans.push(Span::styled(sample.memory_used.short(), look.style(role)));
    spans.push(Span::styled(format!("/{}", sample.memory_total.short()), look.style(Role::Dim)));
    if sample.swap_used > Bytes(0) {
        spans.push(Span::styled(format!(" swap {}", sample.swap_used.short()), look.style(Role::Dim)));
    }
    spans
}

fn load_group(sample: &SystemSample, look: &Look<'_>) -> Vec<Span<'static>> {
    vec![
        Span::styled("load ", look.style(Role::Dim)),
        Span::styled(format!("{:.2}", sample.load[0]), look.style(Role::Text)),
        Span::styled(format!(" {:.2}", sample.load[1]), look.style(Role::Dim)),
    ]
}

fn pressure_group(sample: &SystemSample, look: &Look<'_>) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled("psi", look.style(Role::Dim))];
    for (name, pressure) in [("cpu", sample.psi_cpu), ("mem", sample.psi_memory), ("io", sample.psi_io)] {
        spans.push(Span::styled(format!(" {name} "), look.style(Role::Dim)));
        spans.push(pressure_figure(pressure, look));
    }
    spans
}

fn pressure_figure(pressure: Option<Pressure>, look: &Look<'_>) -> Span<'static> {
    match pressure {
        None => Span::styled("–", look.style(Role::Faint)),
        Some(p) if p.some10 >= 10.0 => Span::styled(format!("{:.0}", p.some10), look.style(Role::Warn)),
        Some(p) => Span::styled(format!("{:.1}", p.some10), look.style(Role::Text)),
    }
}

fn own_group(sample: &SystemSample, look: &Look<'_>) -> Vec<Span<'static>> {
    let mut spans = vec![
        Span::styled("self ", look.style(Role::Dim)),
        Span::styled(format!("{:.1}%", sample.own.program * 100.0), look.style(Role::Text)),
    ];
    if look.bursts != Bursts::Off || sample.own.workers > 0.0 {
        spans.push(Span::styled(" labs ", look.style(Role::Dim)));
        spans.push(Span::styled(format!("{:.1}%", sample.own.workers * 100.0), look.style(Role::Text)));
    }
    spans
}

/// Draws the tabs, and returns where each can be clicked. Where there is little
/// room they stand close together; where all names do not fit even so, the others
/// show their number only.
pub fn tabs(
    screen: &mut Frame<'_>,
    area: Rect,
    current: usize,
    banner: Option<(&str, Role)>,
    theme: &Theme,
) -> Vec<Rect> {
    let mut hits = Vec::with_capacity(PANELS.len());
    if area.is_empty() {
        return hits;
    }
    let banner_width = banner.map_or(0, |(text, _)| text.width() as u16 + 3);
    let room = usize::from(area.width.saturating_sub(banner_width));
    let full: usize = PANELS.iter().map(|p| p.title.len() + 4).sum();
    let (names, gap) = (full <= room, u16::from(full + PANELS.len() - 1 <= room));
    let mut x = area.x;
    for (index, panel) in PANELS.iter().enumerate() {
        let active = index == current;
        let label =
            if names || active { format!(" {} {} ", index + 1, panel.title) } else { format!(" {} ", index + 1) };
        let width = (label.len() as u16).min(area.right().saturating_sub(x));
        let digit = theme.style(if active { Role::Selection } else { Role::Key });
        let name =
            if active { theme.style(Role::Strong).patch(theme.style(Role::Selection)) } else { theme.style(Role::Dim) };
        screen.buffer_mut().set_stringn(x, area.y, &label, usize::from(width), name);
        if width >= 2 {
            screen.buffer_mut().set_string(x + 1, area.y, (index + 1).to_string(), digit);
        }
        hits.push(Rect { x, y: area.y, width, height: 1 });
        x += width + gap;
    }
    if let Some((banner, role)) = banner {
        let text = format!(" {banner} ");
        let width = text.width() as u16;
        if x + width <= area.right() {
            screen.buffer_mut().set_string(area.right() - width, area.y, text, loud(role, theme));
        }
    }
    hits
}

/// Whether a banner fits beside the tabs, these being as short as they can be.
pub fn fits(area: Rect, current: usize, banner: &str) -> bool {
    let tabs = PANELS.len() * 3 + PANELS.get(current).map_or(0, |panel| panel.title.len() + 1);
    tabs + banner.width() + 3 <= usize::from(area.width)
}

/// The look of what must be seen.
fn loud(role: Role, theme: &Theme) -> Style {
    let style = theme.style(role);
    if role == Role::Marked { style } else { style.add_modifier(Modifier::BOLD | Modifier::REVERSED) }
}

/// Draws an alarm instead of the status line.
pub fn alarm_line(screen: &mut Frame<'_>, area: Rect, text: &str, theme: &Theme) {
    if !area.is_empty() {
        let text = super::widgets::text::left(&format!(" {text}"), usize::from(area.width));
        screen.buffer_mut().set_string(area.x, area.y, text, loud(Role::Danger, theme));
    }
}

/// Draws the status line: a notice while it is fresh, and what can be done
/// next.
pub fn status_line(
    screen: &mut Frame<'_>,
    area: Rect,
    hints: &[Hint],
    global: &[Hint],
    notice: Option<&Notice>,
    look: &Look<'_>,
) {
    if area.is_empty() {
        return;
    }
    let right = hint_spans(global.iter().filter(|h| !h.short.is_empty()), usize::from(area.width) / 2, look.theme);
    let right_width: usize = right.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(right_width + 1);
    let fresh = notice.filter(|n| look.now.since(n.at) < NOTICE);
    let named = || hints.iter().filter(|h| !h.short.is_empty());
    let mut left = Vec::new();
    let mut used = 0;
    if let Some(notice) = fresh {
        // What can be done next keeps a place, where that leaves the notice one.
        let first = named().next().map_or(0, hint_width);
        let own = if room >= first + 30 { room - first - 2 } else { room };
        let text = super::widgets::text::fit(&format!(" {}", notice.text), own);
        used = text.width() + 2;
        let role = if notice.bad { Role::Danger } else { Role::Good };
        left.extend([Span::styled(text, look.style(role)), Span::raw("  ")]);
    }
    left.extend(hint_spans(named(), room.saturating_sub(used), look.theme));
    Line::from(left).render(area, screen.buffer_mut());
    let at = Rect { x: area.right().saturating_sub(right_width as u16 + 1), width: right_width as u16 + 1, ..area };
    Line::from(right).render(at.intersection(area), screen.buffer_mut());
}

/// The first of several keys is enough for the status line.
fn first_key(hint: &Hint) -> &str {
    hint.keys.split(' ').next().unwrap_or_default()
}

fn hint_width(hint: &Hint) -> usize {
    first_key(hint).chars().count() + hint.short.chars().count() + 4
}

/// Keys and their words, as many as fit.
fn hint_spans<'a>(hints: impl Iterator<Item = &'a Hint>, room: usize, theme: &Theme) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    let mut used = 0;
    for hint in hints {
        let key = first_key(hint);
        used += hint_width(hint);
        if used > room {
            break;
        }
        spans.push(Span::styled(format!(" {key}"), theme.style(Role::Key)));
        spans.push(Span::styled(format!(" {}  ", hint.short), theme.style(Role::Dim)));
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_fill_the_screen_at_any_height() {
        for height in 0..80 {
            let area = Rect::new(0, 0, 80, height);
            let p = parts(area);
            assert_eq!(p.bar.height + p.tabs.height + p.panel.height + p.status.height, height);
            assert_eq!(p.status.bottom(), area.bottom());
        }
        assert_eq!(parts(Rect::new(0, 0, 40, 8)).panel.height, 6, "a low screen gives its rows to the panel");
    }
}
