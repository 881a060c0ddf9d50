//! Throughput against the number of threads, for the marked primitives or the
//! chosen one; it fills as it is measured.
//!
//! ```text
//! ╭ Throughput against threads ─────────────── 5 of 8, linear ╮
//! │ 40 M/s ┈┈┈┈●┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ │
//! │ 20 M/s ┈┈┈┈┈┈┈┈┈┈┈┈┈┈●┈┈┈┈┈┈┈┈┈┈┈┈●┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈┈ │
//! │      0      1         2            4            8 threads │
//! │ ● std_mutex     40.1 M    21.2 M      20.9 M         …    │
//! ╰───────────────────────────────────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line as Stroke};

use crate::model::lock::{Curve, CurvePoint, LockSpec, Sweep};
use crate::model::units::si;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// The numbers of threads of a curve.
const THREADS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Columns left of the chart.
const GUTTER: u16 = 10;
/// The longest key.
const NAME: usize = 23;

/// Rows that the chart has at least beside an explanation.
const LEAST: u16 = 8;
/// What the curve means.
const MEANING: &str = "Each point is a run of its own with so many threads: acquisitions a second, of all together. More \
    threads cannot hold one lock more often: a level line means that it is handed on at no cost, a falling one that \
    handing it on, or waiting for it, takes time from all. It rises as long as threads have work outside.";

/// The view.
#[derive(Debug, Default)]
pub(super) struct Curves {
    /// Whether it is on the screen.
    pub(super) open: bool,
    /// Keys of the primitives that are marked, in the order of marking.
    pub(super) marked: Vec<String>,
    /// What it was asked with, but for the numbers that change while it runs.
    asked: Option<LockSpec>,
    curve: Option<Curve>,
}

impl Curves {
    /// Marks a primitive, or takes the mark away.
    pub(super) fn mark(&mut self, key: &str) {
        match self.marked.iter().position(|marked| marked == key) {
            Some(index) => drop(self.marked.remove(index)),
            None => self.marked.push(key.to_owned()),
        }
    }

    /// What is to be run for a curve of the marked primitives, or of the chosen
    /// one; and the chart is opened.
    pub(super) fn start(&mut self, spec: &LockSpec) -> LockSpec {
        let asked = self.asking(spec);
        (self.open, self.curve, self.asked) = (true, None, Some(asked.clone()));
        asked
    }

    fn asking(&self, spec: &LockSpec) -> LockSpec {
        let locks = if self.marked.is_empty() { vec![spec.lock.clone()] } else { self.marked.clone() };
        let lock = locks.first().unwrap_or(&spec.lock).clone();
        let sweep = Some(Box::new(Sweep { locks, threads: THREADS.to_vec() }));
        LockSpec { sweep, threads: THREADS[0], lock, ..spec.clone() }
    }

    /// Whether what is known answers this.
    pub(super) fn is_of(&self, spec: &LockSpec) -> bool {
        self.curve.is_some() && self.asked.as_ref() == Some(&self.asking(spec))
    }

    /// Takes what was found so far.
    pub(super) fn take(&mut self, curve: &Curve) {
        self.curve = Some(curve.clone());
    }

    /// Draws the chart and the figures below it.
    pub(super) fn draw(&self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        const TITLE: &str = "Throughput against threads";
        let Some(curve) = &self.curve else {
            let inside = frame::draw(screen, area, TITLE, "", look.theme);
            let line = Line::styled("measuring …", look.style(Role::Dim));
            return line.render(Rect { height: inside.height.min(1), ..inside }, screen.buffer_mut());
        };
        let scale = Scale::of(curve);
        let all = curve.sweep.locks.len() * curve.sweep.threads.len();
        let note = format!("{} of {all}, {}", curve.points.len(), scale.name());
        let inside = frame::draw(screen, area, TITLE, &note, look.theme);
        let table = (curve.sweep.locks.len() as u16 + 2).min(inside.height);
        // What it means, where the chart keeps room enough.
        let words = text::wrap(MEANING, usize::from(inside.width));
        let below = table + words.len() as u16;
        let told = if inside.height >= below + LEAST { words } else { Vec::new() };
        let plot = Rect { height: inside.height - table - told.len() as u16, ..inside };
        let columns = columns(curve, inside);
        if plot.height >= 4 && plot.width >= GUTTER + 10 {
            draw_plot(screen, plot, curve, scale, &columns, look);
        }
        draw_table(screen, Rect { y: plot.bottom(), height: table, ..inside }, curve, &columns, look);
        for (y, words) in (plot.bottom() + table..).zip(told) {
            Line::styled(words, look.style(Role::Dim)).render(Rect { y, height: 1, ..inside }, screen.buffer_mut());
        }
    }
}

/// From rates to heights.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear { most: f64 },
    Logarithmic { least: f64, most: f64 },
}

impl Scale {
    /// Linear from nothing, unless rates lie so far apart that the low ones
    /// would lie on the axis.
    fn of(curve: &Curve) -> Self {
        let most = curve.highest().max(1.0);
        let medians = curve.points.iter().filter_map(CurvePoint::median).filter(|rate| *rate > 0.0);
        let least = medians.fold(most, f64::min);
        if most > least * 40.0 { Scale::Logarithmic { least: least / 1.5, most } } else { Scale::Linear { most } }
    }

    fn name(self) -> &'static str {
        match self {
            Scale::Linear { .. } => "linear",
            Scale::Logarithmic { .. } => "log scale",
        }
    }

    /// As a share of the height.
    fn share(self, rate: f64) -> f64 {
        match self {
            Scale::Linear { most } => rate / most,
            Scale::Logarithmic { least, most } => (rate.max(least) / least).ln() / (most / least).ln(),
        }
    }

    /// The rate at a share of the height.
    fn rate(self, share: f64) -> f64 {
        match self {
            Scale::Linear { most } => most * share,
            Scale::Logarithmic { least, most } => least * (most / least).powf(share),
        }
    }
}

/// The column on which each number of threads has its middle.
fn columns(curve: &Curve, inside: Rect) -> Vec<u16> {
    let left = (NAME as u16 + 2).min(inside.width / 2).max(GUTTER);
    let count = curve.sweep.threads.len().max(1) as u16;
    let each = inside.width.saturating_sub(left) / count;
    (0..count).map(|index| inside.x + left + index * each + each / 2).collect()
}

fn draw_plot(screen: &mut Frame<'_>, plot: Rect, curve: &Curve, scale: Scale, columns: &[u16], look: &Look<'_>) {
    let marks = if plot.height >= 8 { 4 } else { 2 };
    for mark in 0..=marks {
        let share = f64::from(mark) / f64::from(marks);
        let y = plot.bottom() - 1 - (share * f64::from(plot.height - 1)).round() as u16;
        let rate = scale.rate(share);
        let label = if rate < 0.5 { "0".to_owned() } else { format!("{}/s", si(rate)) };
        let label = text::right(&label, usize::from(GUTTER) - 1);
        screen.buffer_mut().set_string(plot.x, y, label, look.style(Role::Dim));
        let line = "┈".repeat(usize::from(plot.width - GUTTER));
        screen.buffer_mut().set_string(plot.x + GUTTER, y, line, look.style(Role::Border));
    }
    let chart = Rect { x: plot.x + GUTTER, width: plot.width - GUTTER, ..plot };
    let bounds = [f64::from(chart.x), f64::from(chart.right())];
    let place = |point: &CurvePoint| {
        let index = curve.sweep.threads.iter().position(|threads| *threads == point.threads)?;
        Some((f64::from(*columns.get(index)?) + 0.5, scale.share(point.median()?)))
    };
    // A canvas brings a ground of its own, which is the terminal's unless it is told.
    let ground = look.theme.ground().bg.unwrap_or(Color::Reset);
    let canvas = Canvas::default().background_color(ground).marker(Marker::Braille);
    let canvas = canvas.x_bounds(bounds).y_bounds([0.0, 1.0]);
    let paint = canvas.paint(|context| {
        for (series, lock) in curve.sweep.locks.iter().enumerate() {
            let color = look.theme.series(series).fg.unwrap_or(Color::Reset);
            let points: Vec<_> = curve.of(lock).filter_map(place).collect();
            for pair in points.windows(2) {
                let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                context.draw(&Stroke { x1, y1, x2, y2, color });
            }
        }
    });
    screen.render_widget(paint, chart);
    for (series, lock) in curve.sweep.locks.iter().enumerate() {
        for (x, share) in curve.of(lock).filter_map(place) {
            let y = plot.bottom() - 1 - (share * f64::from(plot.height - 1)).round() as u16;
            if let Some(cell) = screen.buffer_mut().cell_mut((x as u16, y)) {
                cell.set_symbol("●").set_style(look.theme.series(series));
            }
        }
    }
}

/// The number of threads of each column; a row a primitive; and why points are
/// missing.
fn draw_table(screen: &mut Frame<'_>, area: Rect, curve: &Curve, columns: &[u16], look: &Look<'_>) {
    let each = columns.get(1).map_or(area.width, |second| second - columns[0]).max(1);
    let mut cell = |index: usize, y: u16, words: &str, role| {
        let Some(middle) = columns.get(index) else { return };
        let words = text::fit(words, usize::from(each.saturating_sub(1)));
        let x = (middle + 1).saturating_sub(words.chars().count().div_ceil(2) as u16).max(area.x);
        if y < area.bottom() {
            let room = usize::from(area.right().saturating_sub(x));
            screen.buffer_mut().set_stringn(x, y, words, room, look.style(role));
        }
    };
    for (index, threads) in curve.sweep.threads.iter().enumerate() {
        cell(index, area.y, &threads.to_string(), Role::Dim);
    }
    for (y, lock) in (area.y + 1..).zip(&curve.sweep.locks) {
        for (index, threads) in curve.sweep.threads.iter().enumerate() {
            match curve.of(lock).find(|point| point.threads == *threads) {
                None => cell(index, y, "…", Role::Faint),
                Some(point) => match point.median() {
                    Some(rate) => cell(index, y, &figure(rate, each), Role::Strong),
                    None => cell(index, y, if each > 6 { "failed" } else { "✗" }, Role::Danger),
                },
            }
        }
    }
    let buffer = screen.buffer_mut();
    buffer.set_stringn(area.x, area.y, "threads", usize::from(area.width), look.style(Role::Dim));
    for (series, (y, lock)) in (area.y + 1..area.bottom()).zip(&curve.sweep.locks).enumerate() {
        buffer.set_string(area.x, y, "● ", look.theme.series(series));
        buffer.set_stringn(area.x + 2, y, lock, NAME.min(usize::from(area.width / 2)), look.style(Role::Text));
    }
    let below = area.y + 1 + curve.sweep.locks.len() as u16;
    let failed = curve.points.iter().find_map(|point| Some((point, point.fault.as_ref()?)));
    if let (Some((point, fault)), true) = (failed, below < area.bottom()) {
        let words = format!("{} with {}: {fault}", point.lock, point.threads);
        let line = Line::from(vec![Span::styled(text::fit(&words, usize::from(area.width)), look.style(Role::Danger))]);
        line.render(Rect { y: below, height: 1, ..area }, buffer);
    }
}

/// A rate in so many columns: `40.0 M`, or `40M` where they are few.
fn figure(rate: f64, columns: u16) -> String {
    let text = si(rate);
    if text.chars().count() < usize::from(columns) {
        return text;
    }
    let (number, unit) = text.split_once(' ').unwrap_or((&text, ""));
    format!("{}{unit}", number.split('.').next().unwrap_or(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marked_are_measured_or_else_the_chosen() {
        let (mut curves, spec) = (Curves::default(), LockSpec::default());
        let locks = |asked: LockSpec| asked.sweep.unwrap().locks;
        assert_eq!(locks(curves.start(&spec)), ["std_mutex"]);
        curves.mark("ticket");
        curves.mark("mcs");
        curves.mark("ticket");
        assert_eq!(locks(curves.start(&spec)), ["mcs"]);
        assert!(!curves.is_of(&spec), "nothing is known yet");
        curves.take(&Curve { sweep: *curves.asked.clone().unwrap().sweep.unwrap(), points: Vec::new() });
        assert!(curves.is_of(&spec));
        let mut other = spec.clone();
        other.setting.hold = crate::model::Nanos(999);
        assert!(!curves.is_of(&other) && curves.is_of(&LockSpec { threads: 9, ..spec }));
    }

    #[test]
    fn rates_that_lie_far_apart_are_drawn_on_a_logarithmic_scale() {
        let linear = Scale::Linear { most: 200.0 };
        assert!((linear.share(50.0) - 0.25).abs() < 1e-9 && (linear.rate(0.25) - 50.0).abs() < 1e-9);
        let log = Scale::Logarithmic { least: 1.0, most: 10_000.0 };
        assert!((log.share(100.0) - 0.5).abs() < 1e-9 && (log.rate(0.5) - 100.0).abs() < 1e-6);
    }
}
