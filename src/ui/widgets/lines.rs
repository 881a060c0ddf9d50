//! Lines over time on a logarithmic scale, so that what differs by a factor of
//! a hundred still shares one chart.
//!
//! ```text
//! 10 GB/s ┈┈┈┈┈┈┈┈⣀⠤⠒⠉⠒⠤⣀┈┈┈┈┈
//!  1 GB/s ┈⡠⠔⠊⠉⠒⠤⣀⡠⠔⠊⠉⠒⠤⣀┈┈┈┈
//!         −10 s                now
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Color;
use ratatui::symbols::Marker;
use ratatui::widgets::canvas::{Canvas, Line};

use crate::model::sorting;
use crate::model::units::si;
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::text;

/// One line.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Seconds (0 is now, the past negative) and values, oldest first; values
    /// that are not positive have no logarithm and are left out.
    pub points: Vec<(f64, f64)>,
    /// Which colour it has.
    pub series: usize,
}

/// Columns of the value axis.
const GUTTER: u16 = 9;

/// Draws the last `seconds` of all of them; `unit` follows the figures of the
/// value axis.
pub fn draw(screen: &mut Frame<'_>, area: Rect, curves: &[Curve], seconds: f64, unit: &str, theme: &Theme) {
    let points: Vec<Vec<(f64, f64)>> = curves.iter().map(|curve| logarithms(curve, seconds)).collect();
    let values = || points.iter().flatten().map(|point| point.1);
    let (low, high) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    if low > high || area.height < 3 || area.width < GUTTER + 10 {
        return;
    }
    let (low, high) = (step_below(low - 0.02), step_above(high + 0.02));
    let plot = Rect { x: area.x + GUTTER, width: area.width - GUTTER, height: area.height - 1, ..area };
    grid(screen, plot, low, high, unit, theme);
    // A canvas brings a ground of its own, which is the terminal's unless it is told.
    let ground = theme.ground().bg.unwrap_or(Color::Reset);
    let canvas = Canvas::default().background_color(ground).marker(Marker::Braille);
    let canvas = canvas.x_bounds([-seconds, 0.0]).y_bounds([low, high]);
    let paint = canvas.paint(|context| {
        for (curve, points) in curves.iter().zip(&points) {
            let color = theme.series(curve.series).fg.unwrap_or(Color::Reset);
            for pair in points.windows(2) {
                let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                context.draw(&Line { x1, y1, x2, y2, color });
            }
        }
    });
    screen.render_widget(paint, plot);
    let dim = theme.style(Role::Dim);
    let bottom = area.bottom() - 1;
    screen.buffer_mut().set_string(plot.x, bottom, format!("−{seconds:.0} s"), dim);
    screen.buffer_mut().set_string(plot.right() - 3, bottom, "now", dim);
}

fn logarithms(curve: &Curve, seconds: f64) -> Vec<(f64, f64)> {
    let shown = curve.points.iter().filter(|(x, y)| *x >= -seconds && *y > 0.0);
    shown.map(|(x, y)| (*x, y.log10())).collect()
}

/// A faint line and a figure at each round value, the decades first where
/// there is not room for all.
fn grid(screen: &mut Frame<'_>, plot: Rect, low: f64, high: f64, unit: &str, theme: &Theme) {
    let mut taken: Vec<u16> = Vec::new();
    let mut ticks = ticks(low, high);
    // The ends are always named, then whole decades.
    sorting::by_key(&mut ticks, |tick| (*tick > low + 1e-6 && *tick < high - 1e-6, tick.fract().abs() > 1e-6));
    for tick in ticks {
        let share = (high - tick) / (high - low);
        let y = plot.y + (share * f64::from(plot.height - 1)).round() as u16;
        if taken.iter().any(|row| row.abs_diff(y) < 2) {
            continue;
        }
        taken.push(y);
        let label = text::right(&figure(tick, unit), usize::from(GUTTER) - 1);
        let buffer = screen.buffer_mut();
        buffer.set_string(plot.x - GUTTER, y, label, theme.style(Role::Dim));
        buffer.set_string(plot.x, y, "┈".repeat(usize::from(plot.width)), theme.style(Role::Border));
    }
}

fn figure(tick: f64, unit: &str) -> String {
    let text = si(10_f64.powf(tick).round());
    // `1.00 G` at a round value is `1 G`.
    let text = text.replace(".00", "").replace(".0 ", " ");
    if text.contains(' ') { format!("{text}{unit}") } else { format!("{text} {unit}") }
}

/// Round values: 1, 2 or 5 times a power of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];

fn step_below(log: f64) -> f64 {
    let decade = log.floor();
    let step = STEPS.iter().rev().find(|step| decade + step.log10() <= log + 1e-9);
    decade + step.map_or(0.0, |step| step.log10())
}

fn step_above(log: f64) -> f64 {
    let decade = log.floor();
    let step = STEPS.iter().find(|step| decade + step.log10() >= log - 1e-9);
    decade + step.map_or(1.0, |step| step.log10())
}

fn ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = low.floor() as i32..=high.ceil() as i32;
    let all = decades.flat_map(|decade| STEPS.map(|step| f64::from(decade) + step.log10()));
    all.filter(|tick| (low - 1e-6..=high + 1e-6).contains(tick)).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::ui::theme::Depth;

    #[test]
    fn the_ground_is_the_themes() {
        let theme = Theme::load("day", Depth::True).unwrap();
        let ground = theme.ground().bg.unwrap();
        let mut terminal = Terminal::new(TestBackend::new(40, 12)).unwrap();
        let curve = Curve { points: vec![(-5.0, 1e6), (-2.0, 4e8), (0.0, 2e9)], series: 0 };
        let drawn = terminal.draw(|frame| {
            let area = frame.area();
            frame.buffer_mut().set_style(area, theme.ground());
            draw(frame, area, std::slice::from_ref(&curve), 5.0, "B/s", &theme);
        });
        assert!(drawn.unwrap().buffer.content.iter().all(|cell| cell.bg == ground));
    }

    #[test]
    fn the_scale_ends_at_round_values() {
        let value = |log: f64| 10_f64.powf(log).round() as u64;
        assert_eq!(value(step_below(342.0_f64.log10())), 200);
        assert_eq!(value(step_above(342.0_f64.log10())), 500);
        assert_eq!(value(step_above(600.0_f64.log10())), 1000);
        assert_eq!(value(step_below(1000.0_f64.log10())), 1000);
        assert_eq!(ticks(2.0, 3.0).into_iter().map(value).collect::<Vec<_>>(), [100, 200, 500, 1000]);
        assert_eq!((figure(9.0, "B/s"), figure(8.0 + 2.0_f64.log10(), "B/s")), ("1 GB/s".into(), "200 MB/s".into()));
    }
}
