//! The five steps of a wait on a condition variable, lit as threads come to
//! them.
//!
//! ```text
//! ╭ Five steps of a wait ──────────────── 41.2 k waits/s ╮
//! │ ● 1 holds the mutex, predicate false       41.2 k/s  │
//! │ ● 2 lets the mutex go and sleeps, in one   41.2 k/s  │  t1 t3 sleep
//! │ ● 3 is woken                               41.2 k/s  │  1 on its way
//! │ ● 4 has the mutex again                    41.2 k/s  │
//! │ ● 5 looks at the predicate again           41.2 k/s  │
//! │ spurious 812 · timeouts 0 · lost wake-ups 0          │
//! ╰──────────────────────────────────────────────────────╯
//! ```

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::model::lock::{STEPS, WaitSteps};
use crate::model::units::{grouped, si};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// Columns of the longest step with its light, number and rate.
const WIDTH: u16 = 58;
/// Rows of the steps, those who sleep, the counts, and the frame.
const HEIGHT: u16 = 11;

/// What the steps mean, where there is room for it.
const MEANING: &str = "Step 2 is one step for all others: a notification between letting go and falling asleep would be \
    lost. Between 3 and 4 another thread can have the mutex first, so 5 has to look again. Woken with the predicate \
    false: spurious. Asleep though it is true and nobody notifies: a lost wake-up.";

/// The card's place and what is left for the distributions: below it, or
/// beside it where there is no room below.
pub(super) fn split(area: Rect) -> [Rect; 2] {
    if area.width >= WIDTH + 40 {
        return Layout::horizontal([Constraint::Length(WIDTH), Constraint::Fill(1)]).areas(area);
    }
    let card = if area.height >= HEIGHT + 6 { HEIGHT } else { area.height };
    Layout::vertical([Constraint::Length(card), Constraint::Fill(1)]).areas(area)
}

/// Draws the card.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, steps: &WaitSteps, look: &Look<'_>) {
    let inside = frame::draw(screen, area, "Five steps of a wait", "", look.theme);
    let width = usize::from(inside.width);
    let mut lines: Vec<Line<'static>> = (0..STEPS.len()).map(|step| line(step, steps, width, look)).collect();
    let asleep: Vec<String> = steps.asleep.iter().map(|thread| format!("t{thread}")).collect();
    let words = match (asleep.len(), steps.on_their_way) {
        (0, _) => "nobody sleeps at this moment".to_owned(),
        (1, 0) => format!("{} sleeps", asleep[0]),
        (_, 0) => format!("{} sleep", asleep.join(" ")),
        (_, way) => format!("{} in a wait, {way} of them notified", asleep.join(" ")),
    };
    lines.push(Line::default());
    lines.push(Line::styled(text::fit(&words, width), look.style(Role::Text)));
    lines.push(counts(steps, look));
    lines.push(Line::default());
    let told = text::wrap(MEANING, width);
    lines.extend(told.into_iter().map(|words| Line::styled(words, look.style(Role::Dim))));
    for (y, line) in lines.into_iter().take(usize::from(inside.height)).enumerate() {
        line.render(Rect { y: inside.y + y as u16, height: 1, ..inside }, screen.buffer_mut());
    }
}

/// A step, lit where a thread has come to it since the last report or is there.
fn line(step: usize, steps: &WaitSteps, width: usize, look: &Look<'_>) -> Line<'static> {
    let rate = steps.recent[step];
    let is_there = match step {
        1 => steps.asleep.len() as u64 > steps.on_their_way,
        2 => steps.on_their_way > 0,
        _ => false,
    };
    let lit = rate > 0.0 || is_there;
    let (light, words) = if lit { (Role::Accent, Role::Strong) } else { (Role::Faint, Role::Dim) };
    let figure = if rate > 0.0 { format!("{}/s", si(rate)) } else { "–".to_owned() };
    let room = width.saturating_sub(4 + 10);
    Line::from(vec![
        Span::styled(if lit { "● " } else { "○ " }, look.style(light)),
        Span::styled(format!("{} ", step + 1), look.style(Role::Dim)),
        Span::styled(text::left(STEPS[step], room), look.style(words)),
        Span::styled(text::right(&figure, 10), look.style(Role::Strong)),
    ])
}

fn counts(steps: &WaitSteps, look: &Look<'_>) -> Line<'static> {
    let lost = if steps.lost > 0 { Role::Danger } else { Role::Good };
    let count = |word: &str, n: u64, role: Role| {
        [Span::styled(format!("{word} "), look.style(Role::Dim)), Span::styled(grouped(n), look.style(role))]
    };
    let gap = || Span::raw("   ");
    let [spurious, timeouts, lost] = [
        count("spurious", steps.spurious, Role::Strong),
        count("timeouts", steps.timeouts, Role::Strong),
        count("lost wake-ups", steps.lost, lost),
    ];
    spurious.into_iter().chain([gap()]).chain(timeouts).chain([gap()]).chain(lost).collect()
}
