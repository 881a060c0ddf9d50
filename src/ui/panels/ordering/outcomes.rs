//! The table of final states: how often each was seen, and what each model says.

use std::collections::VecDeque;
use std::fmt::Write;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::program;
use crate::backend::lab::litmus::models;
use crate::model::litmus::{LitmusProgress, Outcome};
use crate::model::sorting;
use crate::model::units::si;
use crate::report::litmus::per_second;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{area, bar, frame, rows, text};

/// Lines that the table wants.
pub(super) fn height(progress: &LitmusProgress) -> usize {
    progress.outcomes.len() + 4 + progress.test.notes.len() + usize::from(progress.test.undecided.is_some())
}

/// Draws it in a box; the state that was asked about stands out.
pub(super) fn draw(
    screen: &mut Frame<'_>,
    area: Rect,
    progress: &LitmusProgress,
    history: &VecDeque<f32>,
    asked: Option<&str>,
    look: &Look<'_>,
) {
    let note = if progress.counts.frames == 0 {
        "not run yet: s starts it".to_owned()
    } else {
        format!("{} outcomes in {:.1} s", si(progress.counts.frames as f64), progress.counts.elapsed.as_secs_f64())
    };
    let inside = frame::draw(screen, area, &progress.test.condition, &note, look.theme);
    let mut below = summary(progress, usize::from(inside.width), look);
    below.truncate(usize::from(inside.height).saturating_sub(2));
    let rows = usize::from(inside.height).saturating_sub(below.len() + 1);
    let columns = Columns::new(progress, usize::from(inside.width));
    let mut lines = vec![columns.heading(look)];
    let mut listed = ranked(progress);
    let hidden = listed.len().saturating_sub(rows);
    if hidden > 0 {
        listed.truncate(rows.saturating_sub(1));
    }
    lines.extend(listed.into_iter().map(|outcome| {
        let row = columns.row(progress, outcome, look);
        let chosen = asked.is_some_and(|asked| asked == outcome.state);
        if chosen { row.style(look.style(Role::Selection)) } else { row }
    }));
    if hidden > 0 {
        lines.push(Line::styled(format!("… and {} more states", hidden + 1), look.style(Role::Dim)));
    }
    lines.extend(below);
    let used = lines.len() as u16 + 1;
    rows::draw(screen, inside, lines);
    let free = inside.height.saturating_sub(used);
    if free >= CHART && history.len() > 1 && history.iter().any(|rate| *rate > 0.0) {
        draw_history(
            screen,
            Rect { y: inside.y + used, height: free.min(CHART.max(inside.height / 3)), ..inside },
            history,
            look,
        );
    }
}

/// Distinct witnesses in a second, over the last reports.
fn draw_history(screen: &mut Frame<'_>, place: Rect, history: &VecDeque<f32>, look: &Look<'_>) {
    let shown = usize::from(place.width);
    let most = history.iter().rev().take(shown).copied().fold(0.0, f32::max);
    let label = format!("distinct witnesses/s, up to {}", si(f64::from(most)));
    rows::draw(screen, place, [Line::styled(label, look.style(Role::Faint))]);
    let below = Rect { y: place.y + 1, height: place.height - 1, ..place };
    area::draw(screen.buffer_mut(), below, history.iter().copied(), most, look.theme);
}

/// As much as a few rows can say, without a box.
pub(super) fn draw_small(screen: &mut Frame<'_>, area: Rect, progress: &LitmusProgress, runs: bool, look: &Look<'_>) {
    let width = usize::from(area.width);
    let pace =
        if runs { per_second(progress).map_or(String::new(), |rate| format!("{}/s", si(rate))) } else { String::new() };
    let mut lines = vec![Line::from(vec![
        Span::styled(program::name(&progress.test, width.saturating_sub(20)), look.style(Role::Title)),
        Span::raw(" "),
        program::state(&progress.state, look),
        Span::styled(format!(" {pace}"), look.style(Role::Dim)),
    ])];
    let columns = Columns::new(progress, width);
    lines.push(columns.heading(look));
    lines.extend(ranked(progress).into_iter().map(|outcome| columns.row(progress, outcome, look)));
    rows::draw(screen, area, lines);
}

/// What satisfies the condition first.
pub(super) fn ranked(progress: &LitmusProgress) -> Vec<&Outcome> {
    let mut outcomes: Vec<&Outcome> = progress.outcomes.iter().collect();
    sorting::by_key(&mut outcomes, |outcome| !outcome.target);
    outcomes
}

/// How often the condition was satisfied, alarms and notes.
fn summary(progress: &LitmusProgress, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let counts = &progress.counts;
    let number = |value: String| Span::styled(value, look.style(Role::Strong));
    let word = |word: &'static str| Span::styled(word, look.style(Role::Dim));
    let mut lines = vec![Line::default()];
    if counts.frames > 0 {
        lines.push(match progress.bound() {
            Some(bound) => Line::from(vec![
                number("0".to_owned()),
                word(" in "),
                number(si(counts.frames as f64)),
                word(": rate below "),
                number(format!("{bound:.1e}")),
                word(" at 95 %"),
            ]),
            None => Line::from(vec![
                number(format!("{}/s", si(progress.rate))),
                word(" distinct witnesses   "),
                number(si(counts.distinct as f64)),
                word(" of "),
                number(si(counts.witnesses as f64)),
                word(" in "),
                number(si(counts.iterations as f64)),
                word(" iterations"),
            ]),
        });
    }
    for alarm in progress.alarms.iter().flatten() {
        let hardware = progress.test.hardware.as_deref().unwrap_or_default();
        let sentence = format!("ALARM  {alarm}: the model of this hardware ({hardware}) forbids it");
        lines.extend(text::wrap(&sentence, width).into_iter().map(|line| Line::styled(line, look.style(Role::Danger))));
    }
    for note in progress.test.undecided.iter().chain(&progress.test.notes) {
        lines.extend(text::wrap(note, width).into_iter().map(|line| Line::styled(line, look.style(Role::Dim))));
    }
    lines
}

/// Where the columns stand.
struct Columns {
    /// Names of what is observed, with the width of each.
    names: Vec<(String, usize)>,
    bar: usize,
    remark: bool,
    /// Headings of the models.
    models: Vec<&'static str>,
}

/// Rows from which on a chart says something.
const CHART: u16 = 4;
const SEEN: usize = 9;
const RATE: usize = 10;
const REMARK: usize = 16;
/// The least that is a bar.
const BAR: usize = 3;

impl Columns {
    fn new(progress: &LitmusProgress, width: usize) -> Self {
        let first = progress.outcomes.first();
        let names: Vec<String> =
            first.map(|outcome| parts(&outcome.state).map(|(name, _)| name).collect()).unwrap_or_default();
        let name_width = |index: usize, name: &String| {
            let values = progress.outcomes.iter().filter_map(|outcome| parts(&outcome.state).nth(index));
            values.map(|(_, value)| value.len()).max().unwrap_or(1).max(name.len())
        };
        let names: Vec<(String, usize)> =
            names.iter().enumerate().map(|(index, name)| (name.clone(), name_width(index, name))).collect();
        let titles = progress.test.judgements.iter();
        let titles: Vec<&'static str> =
            titles.map(|judgement| models::named(&judgement.model).map_or("?", |model| model.title)).collect();
        let fixed = 2
            + names.iter().map(|(_, width)| width + 1).sum::<usize>()
            + SEEN
            + RATE
            + 2
            + titles.iter().map(|title| title.len() + 1).sum::<usize>();
        let left = width.saturating_sub(fixed + 1);
        let remark = left >= REMARK + BAR;
        let bar = left.saturating_sub(if remark { REMARK } else { 0 }).min(24);
        Columns { names, bar, remark, models: titles }
    }

    fn heading(&self, look: &Look<'_>) -> Line<'static> {
        let mut line = String::from("  ");
        for (name, width) in &self.names {
            line.push_str(&text::right(name, *width));
            line.push(' ');
        }
        line.push_str(&" ".repeat(self.bar));
        let _ = write!(line, "{:>SEEN$}{:>RATE$}  ", "seen", "rate");
        for model in &self.models {
            line.push_str(model);
            line.push(' ');
        }
        Line::styled(line, look.style(Role::Heading))
    }

    fn row(&self, progress: &LitmusProgress, outcome: &Outcome, look: &Look<'_>) -> Line<'static> {
        let (mark, role) = if outcome.target { ("▸ ", Role::Strong) } else { ("  ", Role::Text) };
        let mut spans = vec![Span::styled(mark, look.style(Role::Accent))];
        for ((_, width), (_, value)) in self.names.iter().zip(parts(&outcome.state)) {
            spans.push(Span::styled(format!("{} ", text::right(&value, *width)), look.style(role)));
        }
        let seen: u64 = progress.outcomes.iter().map(|outcome| outcome.count).sum();
        let share = outcome.count as f64 / seen.max(1) as f64;
        let fill = if outcome.target { Role::Accent } else { Role::Dim };
        spans.push(Span::styled(bar::text(share, self.bar), look.style(fill)));
        let dim = if outcome.count == 0 { Role::Faint } else { role };
        spans.push(Span::styled(format!("{:>SEEN$}", si(outcome.count as f64)), look.style(dim)));
        let rate = if outcome.count == 0 { "·".to_owned() } else { format!("{}/s", si(outcome.rate)) };
        spans.push(Span::styled(format!("{rate:>RATE$}  "), look.style(Role::Dim)));
        for (model, (judgement, allowed)) in
            self.models.iter().zip(progress.test.judgements.iter().zip(&outcome.allowed))
        {
            let (glyph, role) = match (judgement.race.is_some(), allowed) {
                (true, _) => ("?", Role::Warn),
                (false, true) => ("✓", Role::Good),
                (false, false) => ("✗", Role::Faint),
            };
            spans.push(Span::styled(text::right(glyph, model.len()), look.style(role)));
            spans.push(Span::raw(" "));
        }
        if self.remark {
            let (words, role) = remark(progress, outcome);
            spans.push(Span::styled(format!(" {words}"), look.style(role)));
        }
        Line::from(spans)
    }
}

/// What is worth saying about a state.
fn remark(progress: &LitmusProgress, outcome: &Outcome) -> (&'static str, Role) {
    let says = |name: &str| {
        let index = progress.test.judgements.iter().position(|judgement| judgement.model == name);
        index.and_then(|index| outcome.allowed.get(index)).copied()
    };
    let hardware = progress.test.hardware.as_deref().and_then(says);
    match (outcome.count > 0, hardware, says("sc")) {
        (true, Some(false), _) => ("FORBIDDEN", Role::Danger),
        (true, _, Some(false)) => ("seen, not SC", Role::Accent),
        (false, Some(true), _) if progress.counts.frames > 0 => ("not seen yet", Role::Dim),
        (false, Some(false), _) if outcome.allowed.contains(&true) => ("elsewhere only", Role::Dim),
        (false, Some(false), _) => ("forbidden", Role::Faint),
        _ => ("", Role::Dim),
    }
}

/// `0:r0=0; [x]=1;` as names and values.
pub(super) fn parts(state: &str) -> impl Iterator<Item = (String, String)> + '_ {
    state.split(';').filter_map(|part| {
        let (name, value) = part.trim().split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    })
}
