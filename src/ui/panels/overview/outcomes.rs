//! The ordering lab at a glance.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::labs::{pace, silence, skip};
use crate::model::lab::LabState;
use crate::model::litmus::{LitmusProgress, Outcome};
use crate::model::units::si;
use crate::ui::panels::Look;
use crate::ui::panels::ordering::why;
use crate::ui::theme::Role;
use crate::ui::widgets::{bar, frame, rows, text};

/// Outcomes of a litmus test, with what the models say.
pub(super) fn draw(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let progress = look.store.litmus.as_ref().map(|s| &s.value);
    let named = progress.filter(|p| !p.test.name.is_empty());
    let title = named.map_or_else(|| "Ordering".to_owned(), |p| p.test.name.clone());
    let note = named.map_or("", |p| pace(&p.state, p.spec.as_ref().is_some_and(|s| s.burst.is_some())));
    let inside = frame::draw(screen, place, &title, note, look.theme);
    let width = usize::from(inside.width);
    match named.filter(|p| !matches!(p.state, LabState::Failed(_))) {
        None => {
            rows::draw(screen, inside, silence(progress.map(|p| &p.state), width, look));
        }
        Some(progress) => {
            let below = skip(rows::draw(screen, inside, ordering_lines(progress, width, look)), 1);
            if below.height >= 8 {
                rows::draw(screen, below, why::lines(progress, width, usize::from(below.height), look));
            }
        }
    }
}

fn ordering_lines(progress: &LitmusProgress, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let seen: u64 = progress.outcomes.iter().map(|o| o.count).sum();
    let judges = judges(progress, width);
    let columns = Columns::fit(progress, &judges, width);
    let mut lines = vec![Line::styled(columns.heading(&judges), look.style(Role::Heading))];
    lines.extend(progress.outcomes.iter().map(|o| outcome_line(o, seen, &columns, &judges, look)));
    lines.push(Line::default());
    lines.push(Line::from(vec![
        Span::styled(si(progress.rate), look.style(Role::Strong)),
        Span::styled(if width < 36 { " witnesses/s" } else { " distinct witnesses a second" }, look.style(Role::Dim)),
    ]));
    if let Some(alarm) = progress.alarms.iter().flatten().next() {
        lines.push(Line::styled(format!("outside the hardware's model: {alarm}"), look.style(Role::Danger)));
    }
    lines
}

/// A gap, the share in percent, and a gap.
const FIGURES: usize = 1 + 7 + 2;

fn state_width(progress: &LitmusProgress) -> usize {
    progress.outcomes.iter().map(|o| short_state(&o.state).len()).max().unwrap_or(0).max(3)
}

/// A model with a column of its own.
#[derive(Clone, Copy)]
struct Judge<'p> {
    /// Its index among the judgements.
    index: usize,
    model: &'p str,
}

impl Judge<'_> {
    fn width(&self) -> usize {
        self.model.len() + 1
    }
}

/// The models whose verdicts fit: that of the hardware and that of the language
/// stay longest.
fn judges(progress: &LitmusProgress, width: usize) -> Vec<Judge<'_>> {
    let test = &progress.test;
    let mut judges: Vec<Judge<'_>> =
        test.judgements.iter().enumerate().map(|(index, j)| Judge { index, model: &j.model }).collect();
    let room = width.saturating_sub(state_width(progress) + FIGURES);
    let lasting = |judge: &Judge<'_>| judge.model == "rust" || test.hardware.as_deref() == Some(judge.model);
    while judges.iter().map(Judge::width).sum::<usize>() > room + 1 && !judges.is_empty() {
        let least = judges.iter().rposition(|judge| !lasting(judge)).unwrap_or(0);
        judges.remove(least);
    }
    judges
}

/// Columns of the screen: the state, the bar of its share, its count where
/// there is room; then the verdicts.
struct Columns {
    state: usize,
    bar: usize,
    count: usize,
}

impl Columns {
    fn fit(progress: &LitmusProgress, judges: &[Judge<'_>], width: usize) -> Self {
        let state = state_width(progress);
        let fixed = state + FIGURES + judges.iter().map(Judge::width).sum::<usize>();
        let room = width.saturating_sub(fixed);
        let count = if room >= 13 { 9 } else { 0 };
        Columns { state, bar: room.saturating_sub(count).min(30), count }
    }

    fn heading(&self, judges: &[Judge<'_>]) -> String {
        let share = text::right("seen", self.bar + 8 + self.count);
        let names: Vec<&str> = judges.iter().map(|judge| judge.model).collect();
        format!("{}{share}  {}", text::left("", self.state), names.join(" "))
    }
}

fn outcome_line(
    outcome: &Outcome,
    seen: u64,
    columns: &Columns,
    judges: &[Judge<'_>],
    look: &Look<'_>,
) -> Line<'static> {
    let share = outcome.count as f64 / seen.max(1) as f64;
    let role = if outcome.target { Role::Strong } else { Role::Text };
    let fill = if outcome.target { Role::Accent } else { Role::Dim };
    let mut spans = vec![
        Span::styled(text::left(&short_state(&outcome.state), columns.state), look.style(role)),
        Span::raw(" "),
        Span::styled(bar::text(share, columns.bar), look.style(fill)),
        Span::styled(format!("{:>6}%", format!("{:.1}", share * 100.0)), look.style(role)),
    ];
    if columns.count > 0 {
        spans.push(Span::styled(text::right(&si(outcome.count as f64), columns.count), look.style(Role::Dim)));
    }
    spans.push(Span::raw("  "));
    for judge in judges {
        let allowed = outcome.allowed.get(judge.index).copied().unwrap_or(false);
        let (glyph, role) = if allowed { ("✓", Role::Good) } else { ("✗", Role::Faint) };
        spans.push(Span::styled(text::left(glyph, judge.width()), look.style(role)));
    }
    Line::from(spans)
}

/// `0:r0=0; 1:r0=1;` as `0,1`.
pub(super) fn short_state(state: &str) -> String {
    let values: Vec<&str> = state.split(';').filter_map(|part| part.split_once('=').map(|(_, v)| v.trim())).collect();
    values.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_shown_by_their_values() {
        assert_eq!(short_state("0:r0=0; 1:r0=1;"), "0,1");
        assert_eq!(short_state("[x]=2; [y]=1;"), "2,1");
        assert_eq!(short_state(""), "");
    }
}
