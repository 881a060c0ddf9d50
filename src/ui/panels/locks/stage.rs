//! The lanes with each thread's rate, or what is said where there are none.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::View;
use super::settings::{lock_name, settings};
use crate::model::lab::LabState;
use crate::model::lock::{Lanes, LockProgress};
use crate::model::units::si;
use crate::ui::theme::Role;
use crate::ui::widgets::{bar, frame, lanes, text};

/// `t255 `.
const LABEL: u16 = 5;
/// ` ████████ 12.1 M/s`.
const RATE: u16 = 11;
const BAR: u16 = 12;

/// How many rows the frame wants for so many threads, at most `most`: a row a
/// lane, or two where there is room for air.
pub(super) fn height(threads: usize, most: u16) -> u16 {
    let rows = |each: usize| (threads * each + 3).min(usize::from(u16::MAX)) as u16;
    if rows(2) <= most { rows(2) } else { rows(1).min(most.max(6)) }
}

/// Draws the frame; returns how many lanes are on the screen.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View<'_>, top: usize) -> usize {
    let look = view.look;
    let inside = frame::draw_lines(screen, area, &title(view), &note(view), false, look.theme);
    let Some((progress, shown)) = shown(view) else {
        draw_words(screen, inside, view);
        return 0;
    };
    let threads = shown.threads.len();
    // The read-out has a row of its own below the time axis.
    let read_out = u16::from(view.reads_out() && inside.height >= 4);
    let rows = inside.height.saturating_sub(1 + read_out);
    let each = if threads * 2 <= usize::from(rows) { 2 } else { 1 };
    let fit = usize::from(rows / each).min(threads);
    let top = top.min(threads - fit);
    for (row, thread) in (top..top + fit).enumerate() {
        let place = Rect { y: inside.y + row as u16 * each, height: 1, ..inside };
        draw_lane(screen, place, thread, progress, shown, view);
    }
    let axis = Rect { y: inside.bottom().saturating_sub(1 + read_out), height: 1, ..inside };
    let axis = draw_axis(screen, axis, shown, (top, fit), view);
    if let Some(cursor) = view.cursor.filter(|_| read_out > 0) {
        let words = lanes::read_out(&shown.threads, shown.span, cursor, axis.width);
        let row = Rect { y: axis.y + 1, height: 1, ..inside };
        Line::styled(words, view.look.style(Role::Strong)).render(row, screen.buffer_mut());
    }
    fit
}

/// What can be drawn as lanes, if anything.
fn shown<'a>(view: &View<'a>) -> Option<(&'a LockProgress, &'a Lanes)> {
    let progress = view.progress.filter(|_| !matches!(view.state, LabState::Failed(_)))?;
    Some((progress, progress.lanes.as_ref()?))
}

fn title(view: &View<'_>) -> Line<'static> {
    let spec = view.progress.and_then(|p| p.subject.as_ref()).map_or(view.spec, |subject| &subject.spec);
    let threads = if spec.threads == 1 { "1 thread".to_owned() } else { format!("{} threads", spec.threads) };
    let several =
        spec.several.map_or_else(String::new, |several| format!(" · {} of {} locks", several.take, several.locks));
    Line::styled(format!("{} · {threads}{several}", lock_name(spec)), view.look.style(Role::Title))
}

fn note(view: &View<'_>) -> Line<'static> {
    let look = view.look;
    let mut spans = Vec::new();
    if let Some(progress) = view.progress {
        if let Some(rate) = progress.figures.per_second() {
            spans.push(Span::styled(format!("{}/s  ", si(rate)), look.style(Role::Strong)));
        }
        if let Some(jain) = progress.figures.jain() {
            spans.push(Span::styled(format!("jain {jain:.2}  "), look.style(Role::Dim)));
        }
    }
    let (word, role) = state_word(view);
    spans.push(Span::styled(word, look.style(role)));
    Line::from(spans)
}

fn state_word(view: &View<'_>) -> (&'static str, Role) {
    match view.state {
        _ if view.paused && view.back > 0 => ("PAUSED, BACK", Role::Marked),
        _ if view.paused => ("PAUSED", Role::Marked),
        LabState::Failed(_) => ("failed", Role::Danger),
        LabState::Starting | LabState::WarmUp => ("starting", Role::Dim),
        LabState::Running if is_deadlocked(view.progress) => ("DEADLOCK", Role::Danger),
        LabState::Running => ("running", Role::Good),
        LabState::Resting => ("in bursts", Role::Good),
        LabState::Idle | LabState::Done => ("stopped", Role::Dim),
    }
}

/// Whether threads wait in a circle.
fn is_deadlocked(progress: Option<&LockProgress>) -> bool {
    progress.and_then(|progress| progress.order.as_ref()).is_some_and(|order| order.deadlock.is_some())
}

fn draw_lane(
    screen: &mut Frame<'_>,
    place: Rect,
    thread: usize,
    progress: &LockProgress,
    shown: &Lanes,
    view: &View<'_>,
) {
    let theme = view.look.theme;
    let rates = rate_width(place.width);
    let label = text::left(&format!("t{thread}"), usize::from(LABEL));
    let buffer = screen.buffer_mut();
    buffer.set_string(place.x, place.y, label, theme.style(Role::Dim));
    let lane = Rect { x: place.x + LABEL, width: place.width.saturating_sub(LABEL + rates), ..place };
    lanes::draw(buffer, lane, &shown.threads[thread], shown.span, theme);
    if let Some(cursor) = view.cursor.filter(|_| view.paused) {
        lanes::mark(buffer, lane, cursor, theme);
    }
    let recent = &progress.figures.recent;
    let (Some(&rate), true) = (recent.get(thread), rates > 0) else { return };
    let most = recent.iter().copied().fold(1.0, f64::max);
    let mut x = lane.right() + 1;
    if rates > RATE {
        let track = Rect { x, width: BAR, ..place };
        bar::draw(buffer, track, rate / most, theme.style(Role::Dim), theme.style(Role::Faint));
        x += BAR + 1;
    }
    let figure = text::right(&format!("{}/s", si(rate)), usize::from(RATE) - 1);
    buffer.set_string(x, place.y, figure, theme.style(Role::Strong));
}

fn rate_width(width: u16) -> u16 {
    match width {
        100.. => RATE + BAR + 1,
        60.. => RATE,
        _ => 0,
    }
}

/// Draws the time axis and the legend beside it; returns where the axis is.
fn draw_axis(screen: &mut Frame<'_>, row: Rect, shown: &Lanes, (top, fit): (usize, usize), view: &View<'_>) -> Rect {
    let theme = view.look.theme;
    let rates = rate_width(row.width);
    let axis = Rect { x: row.x + LABEL, width: row.width.saturating_sub(LABEL + rates), ..row };
    let threads = shown.threads.len();
    lanes::axis(screen.buffer_mut(), axis, shown.span, shown.age, theme);
    let legend: Vec<Span<'_>> = if fit < threads {
        vec![Span::styled(format!(" t{top}–t{} of {threads}", top + fit - 1), theme.style(Role::Warn))]
    } else if rates > RATE {
        let state = |(word, glyph, role): (&'static str, &'static str, Role)| {
            [Span::styled(format!(" {glyph}"), theme.style(role)), Span::styled(word, theme.style(Role::Dim))]
        };
        let shares = shown.threads.iter().flatten().any(|acquisition| acquisition.shared);
        lanes::legend(shares).into_iter().flat_map(state).collect()
    } else {
        Vec::new()
    };
    let place = Rect { x: axis.right(), width: rates, ..row };
    Line::from(legend).render(place, screen.buffer_mut());
    axis
}

fn draw_words(screen: &mut Frame<'_>, inside: Rect, view: &View<'_>) {
    let look = view.look;
    let (words, role) = match (view.state, view.progress) {
        (LabState::Failed(fault), _) => (fault.to_string(), Role::Danger),
        (LabState::Starting | LabState::WarmUp, None) => ("starting the worker …".to_owned(), Role::Dim),
        (_, None) => (
            "Nothing contends yet. `s` lets the threads want the lock, hold it, let it go and think, over and over, \
             in a process of their own at nice 5; each acquisition is recorded and checked."
                .to_owned(),
            Role::Dim,
        ),
        (_, Some(_)) => (
            "Recording is off: acquisitions are only counted, at the lock's own speed. Switch recording on to see who \
             wants, who holds and who hands over to whom."
                .to_owned(),
            Role::Dim,
        ),
    };
    let lines = text::wrap(&words, usize::from(inside.width));
    for (y, line) in lines.into_iter().take(usize::from(inside.height)).enumerate() {
        Line::styled(line, look.style(role))
            .render(Rect { y: inside.y + y as u16, height: 1, ..inside }, screen.buffer_mut());
    }
}

/// All there is room for on a small screen: a line of figures, the setting
/// that the arrow keys change, lanes, and the verdict. Returns how many lanes.
///
/// ```text
/// std_mutex ×4  12.1 M/s  running
/// ‹threads 4›
/// t0   ░░░░████····░░░███·····░░░████····
/// t1   ███····░░░████·····░░░░███·····░░░
/// mutual exclusion 41.2 M, 0 violated
/// ```
pub(super) fn compact(screen: &mut Frame<'_>, area: Rect, view: &View<'_>, selected: usize, top: usize) -> usize {
    let look = view.look;
    let row = |y: u16| Rect { y: area.y + y, height: 1.min(area.height.saturating_sub(y)), ..area };
    let (word, role) = state_word(view);
    let rate = view.progress.and_then(|progress| progress.figures.per_second());
    let head = vec![
        Span::styled(format!("{} ×{}  ", view.spec.lock, view.spec.threads), look.style(Role::Title)),
        Span::styled(rate.map_or_else(String::new, |rate| format!("{}/s  ", si(rate))), look.style(Role::Strong)),
        Span::styled(word, look.style(role)),
    ];
    Line::from(head).render(row(0), screen.buffer_mut());
    let settings = settings(view.spec);
    let setting = settings[selected.min(settings.len() - 1)];
    let change = vec![
        Span::styled("‹", look.style(Role::Key)),
        Span::styled(format!("{} {}", setting.label(), setting.value(view.spec)), look.style(Role::Strong)),
        Span::styled("›", look.style(Role::Key)),
    ];
    Line::from(change).render(row(1), screen.buffer_mut());
    let inside = Rect { y: area.y + 2, height: area.height.saturating_sub(3), ..area };
    let verdict = Rect { y: area.bottom().saturating_sub(1), height: u16::from(area.height >= 3), ..area };
    let invariant = view.progress.and_then(|progress| progress.invariants.first());
    let mut last = invariant.map(|invariant| super::invariants::short(invariant, look));
    if let Some((words, role)) = view.progress.and_then(super::invariants::worst) {
        last = Some(Line::styled(words, look.style(role)));
    }
    let Some((progress, shown)) = shown(view) else {
        last.unwrap_or_default().render(verdict, screen.buffer_mut());
        draw_words(screen, inside, view);
        return 0;
    };
    if let Some(cursor) = view.cursor.filter(|_| view.reads_out()) {
        let words = lanes::read_out(&shown.threads, shown.span, cursor, area.width.saturating_sub(LABEL));
        last = Some(Line::styled(words, look.style(Role::Strong)));
    }
    last.unwrap_or_default().render(verdict, screen.buffer_mut());
    let fit = usize::from(inside.height).min(shown.threads.len());
    let top = top.min(shown.threads.len() - fit);
    for (y, thread) in (top..top + fit).enumerate() {
        let place = Rect { y: inside.y + y as u16, height: 1, ..inside };
        draw_lane(screen, place, thread, progress, shown, view);
    }
    fit
}
