//! The IPC panel: which way for two processes to talk is fastest, and what
//! does it cost?
//!
//! ```text
//! [ ] size 4 KiB   p placement cross-cpu   w wait own   b buffer own   c payload sampled
//! ╭ Transports ─────────╮╭ Throughput ───────────────────╮╭ Round trip ─────────────────────╮
//! │ ▸ ■ pipe    block   ││ lines over time               ││ distributions on one log axis   │
//! │     ████··· 4.7 GB/s││                               ││                                 │
//! │   ■ Unix stream     │├ pipe: the channel now ────────┤│                                 │
//! │     ██····· 1.9 GB/s││ sender ▶ ████▌··· ▶ receiver  ││                                 │
//! ╰─────────────────────╯╰───────────────────────────────╯╰─────────────────────────────────╯
//! ```
//!
//! On a middling screen the channel stands below the transports; on a small
//! one there are the transports alone, a row each.

mod channel;
mod charts;
mod failures;
mod keys;
mod map;
mod settings;
mod transports;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use self::charts::{draw_right, draw_throughput};
use self::keys::{Act, KEYS, of_explanation, of_failures, of_map};
use super::{Info, Look, Panel, Reaction};
use crate::backend::lab::ipc::failures::FAILURES;
use crate::backend::lab::ipc::{About, TRANSPORTS};
use crate::backend::{Command, Topics, Update};
use crate::model::channel::{FailureProgress, IpcProgress, IpcSpec, Series};
use crate::model::lab::{LabCommand, LabState};
use crate::model::{Fault, Stamped};
use crate::ui::keymap::{Hint, hints, lookup};
use crate::ui::store::Store;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// What it is.
pub const INFO: Info = Info {
    name: "ipc",
    title: "IPC",
    question: "Which way for two processes to talk is fastest, and what does it cost?",
    open: || Box::<View>::default(),
};

/// The view.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is switched by a key of its own")]
pub(super) struct View {
    /// What is wanted, running or not.
    spec: IpcSpec,
    cursor: usize,
    explains: bool,
    /// The heat map has the screen for itself.
    maps: bool,
    /// It shows round trips.
    trips: bool,
    /// The experiments of what goes wrong are on the screen.
    fails: bool,
    /// The one under the cursor.
    failure: usize,
    /// What they have shown.
    failures: Option<Arc<Stamped<FailureProgress>>>,
    /// The latest progress of a run that a person started; it stays on the
    /// screen when the run is stopped.
    seen: Option<Arc<Stamped<IpcProgress>>>,
    /// Where the lab stands now.
    state: LabState,
    /// A command is on its way.
    asked: bool,
}

impl View {
    fn selected(&self) -> &'static About {
        TRANSPORTS[self.cursor.min(TRANSPORTS.len() - 1)].about()
    }

    fn series(&self) -> &[Series] {
        self.seen.as_ref().map_or(&[], |seen| &seen.value.series)
    }

    fn series_of(&self, key: &str) -> Option<&Series> {
        self.series().iter().find(|series| *series.transport == *key)
    }

    fn is_ticked(&self, key: &str) -> bool {
        self.spec.transports.iter().any(|ticked| ticked == key)
    }

    /// Colours follow the registry: a transport keeps its own.
    #[expect(clippy::unused_self, reason = "asked like the other facts about a transport")]
    fn colour_of(&self, key: &str) -> Option<usize> {
        TRANSPORTS.iter().position(|transport| transport.about().key == key)
    }

    fn is_running(&self) -> bool {
        self.asked || !matches!(self.state, LabState::Idle | LabState::Done | LabState::Failed(_))
    }

    fn act(&mut self, act: Act) -> Reaction {
        match act {
            Act::Move(by) if self.fails => {
                self.failure = self.failure.saturating_add_signed(by).min(FAILURES.len() - 1);
                return Reaction::taken();
            }
            Act::Run if self.fails => {
                let key = FAILURES[self.failure].key;
                return Reaction::send(Command::Failures(LabCommand::Run(key.into())));
            }
            // There is nothing to tick.
            Act::Tick if self.fails => return Reaction::taken(),
            Act::Failures => {
                (self.fails, self.explains) = (!self.fails, false);
                return Reaction::taken();
            }
            Act::Trips => {
                self.trips = !self.trips;
                return Reaction::taken();
            }
            Act::Move(by) => {
                self.cursor = self.cursor.saturating_add_signed(by).min(TRANSPORTS.len() - 1);
                return Reaction::taken();
            }
            Act::Explain => {
                (self.explains, self.fails) = (!self.explains, false);
                return Reaction::taken();
            }
            Act::Map => {
                self.maps = !self.maps;
                return Reaction::taken();
            }
            Act::Run => return self.run_or_stop(),
            Act::Walk => {
                self.spec.walk = !self.spec.walk;
                if self.spec.walk && !self.is_running() {
                    return self.run_or_stop();
                }
            }
            Act::Tick => self.tick(),
            Act::Step(setting, forward) => settings::step(&mut self.spec, setting, forward),
        }
        if self.is_running() {
            Reaction::send(Command::Ipc(LabCommand::Run(self.spec.clone())))
        } else {
            Reaction::taken()
        }
    }

    fn run_or_stop(&mut self) -> Reaction {
        let runs = self.is_running();
        if !runs && self.spec.transports.is_empty() {
            self.tick();
        }
        self.asked = !runs;
        let command = if runs { LabCommand::Stop } else { LabCommand::Run(self.spec.clone()) };
        Reaction::send(Command::Ipc(command))
    }

    /// Ticks the selected transport, or no longer; the specification keeps
    /// the registry's order.
    fn tick(&mut self) {
        let wanted = |key: &str| self.is_ticked(key) != (key == self.selected().key);
        let keys = TRANSPORTS.iter().map(|transport| transport.about().key).filter(|key| wanted(key));
        self.spec.transports = keys.map(str::to_owned).collect();
    }
}

impl Panel for View {
    fn topics(&self) -> Topics {
        Topics { system: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        match (self.fails, self.explains, self.maps) {
            (true, ..) => of_failures(),
            (_, true, _) => of_explanation(),
            (.., true) => of_map(),
            _ => hints(KEYS),
        }
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        if area.width < 60 || area.height < 12 {
            return draw_small(screen, area, self, look);
        }
        let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
        draw_settings(screen, top, self, look);
        if self.maps && !self.explains && !self.fails {
            return draw_map(screen, body, self, look);
        }
        if area.width < 110 {
            if self.explains || self.fails {
                return draw_right(screen, body, self, look);
            }
            let left = Constraint::Length(36.min(area.width * 9 / 20));
            let [left, right] = Layout::horizontal([left, Constraint::Min(0)]).areas(body);
            let now = if left.height >= 18 { 7 } else { 0 };
            let [list, now] = Layout::vertical([Constraint::Min(0), Constraint::Length(now)]).areas(left);
            draw_transports(screen, list, self, look);
            draw_now(screen, now, self, look);
            let chart = Constraint::Percentage(45);
            let [chart, trips] = Layout::vertical([chart, Constraint::Min(0)]).areas(right);
            draw_throughput(screen, chart, self, look);
            draw_right(screen, trips, self, look);
            return;
        }
        let list = Constraint::Length((area.width / 5).clamp(36, 52));
        let [list, rest] = Layout::horizontal([list, Constraint::Min(0)]).areas(body);
        if self.fails {
            draw_transports(screen, list, self, look);
            return draw_right(screen, rest, self, look);
        }
        let map = if rest.height >= 28 { (map::rows_needed(self) + 2).clamp(4, rest.height / 3) } else { 0 };
        let [rest, map] = Layout::vertical([Constraint::Min(0), Constraint::Length(map)]).areas(rest);
        draw_map(screen, map, self, look);
        let [middle, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(rest);
        let [chart, now] = Layout::vertical([Constraint::Min(0), Constraint::Length(7)]).areas(middle);
        let needed = transports::rows_needed(self, 4) as u16 + 1;
        let (list, words) = split_below(list, needed);
        draw_transports(screen, list, self, look);
        if let Some(words) = words.filter(|_| !self.explains) {
            let inside = frame::draw(screen, words, self.selected().name, "", look.theme);
            channel::explain(screen, inside, self.selected(), look);
        }
        draw_throughput(screen, chart, self, look);
        draw_now(screen, now, self, look);
        draw_right(screen, right, self, look);
    }

    fn on_key(&mut self, event: &KeyEvent, _look: &Look<'_>) -> Reaction {
        match lookup(KEYS, event) {
            Some(act) => self.act(act),
            None if self.explains && event.code == KeyCode::Esc => self.act(Act::Explain),
            None if self.fails && event.code == KeyCode::Esc => self.act(Act::Failures),
            None if self.maps && event.code == KeyCode::Esc => self.act(Act::Map),
            None => Reaction::Ignored,
        }
    }

    fn on_update(&mut self, update: &Update, _store: &Store) {
        if let Update::Failures(progress) = update {
            self.failures = Some(progress.clone());
        }
        let Update::Ipc(progress) = update else { return };
        let bursts = progress.value.spec.as_ref().is_some_and(|spec| spec.burst.is_some());
        if bursts {
            // The overview's, which says nothing about what was asked here.
            return;
        }
        // A run that was asked for has begun once it is heard of.
        if progress.value.spec.is_some() || matches!(progress.value.state, LabState::Failed(_)) {
            self.asked = false;
        }
        self.state = progress.value.state.clone();
        if let Some(spec) = &progress.value.spec {
            if spec.walk && self.spec.walk {
                self.spec.size = spec.size;
            }
            self.seen = Some(progress.clone());
        }
    }
}

/// The part of an area above, `needed` rows high, and the rest below it where
/// that is high enough to explain something in.
fn split_below(area: Rect, needed: u16) -> (Rect, Option<Rect>) {
    if area.height < needed + 12 {
        return (area, None);
    }
    let [above, below] = Layout::vertical([Constraint::Length(needed), Constraint::Min(0)]).areas(area);
    (above, Some(below))
}

fn draw_settings(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let inside = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let state = state_line(view, look);
    let width = state.width() as u16;
    let room = inside.width.saturating_sub(width + 2);
    settings::line(&view.spec, room, look).render(Rect { width: room, ..inside }, screen.buffer_mut());
    let at = Rect { x: inside.right().saturating_sub(width), width, ..inside };
    state.render(at.intersection(inside), screen.buffer_mut());
}

/// Where the lab stands, in a word or two.
fn state_line(view: &View, look: &Look<'_>) -> Line<'static> {
    let (text, role) = match &view.state {
        _ if view.asked => ("starting…", Role::Accent),
        LabState::Idle | LabState::Done if view.series().is_empty() => ("idle", Role::Dim),
        LabState::Idle | LabState::Done => ("stopped", Role::Warn),
        LabState::Starting => ("starting…", Role::Accent),
        LabState::WarmUp => ("warming up…", Role::Accent),
        LabState::Running | LabState::Resting => ("● measuring", Role::Good),
        LabState::Failed(_) => ("failed", Role::Danger),
    };
    Line::styled(text, look.style(role))
}

fn draw_small(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    draw_settings(screen, top, view, look);
    if view.explains {
        return channel::explain(screen, body, view.selected(), look);
    }
    if view.fails {
        return failures::draw_inside(screen, body, view, look);
    }
    if let Some((text, role)) = message(view) {
        let rows = text::wrap(&text, usize::from(body.width.saturating_sub(2)));
        let list = body.height.saturating_sub(rows.len() as u16);
        transports::draw(screen, Rect { height: list.max(1), ..body }, view, look);
        for (y, row) in rows.into_iter().enumerate() {
            let at = Rect { x: body.x + 1, y: body.y + list + y as u16, height: 1, width: body.width - 1 };
            Line::styled(row, look.style(role)).render(at.intersection(body), screen.buffer_mut());
        }
    } else {
        transports::draw(screen, body, view, look);
    }
}

fn draw_transports(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let note = match &view.seen {
        Some(seen) if view.is_running() => format!("{} workers", seen.value.cost.processes),
        _ => String::new(),
    };
    let inside = frame::draw(screen, area, "Transports", &note, look.theme);
    transports::draw(screen, inside, view, look);
}

fn draw_now(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let title = format!("{}: the channel now", view.selected().name);
    let inside = frame::draw(screen, area, &title, "", look.theme);
    channel::draw(screen, inside, view, look);
}

fn draw_map(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let title = if view.trips { "Round trip by size, p50" } else { "Throughput by size, B/s" };
    let walk = if view.spec.walk { "going through all sizes" } else { "a goes through all sizes" };
    // Cells belong to the settings they were measured with, which are not those
    // above where something was changed since.
    let now =
        view.seen.as_ref().and_then(|seen| seen.value.spec.as_ref()).filter(|spec| !settings::alike(spec, &view.spec));
    let note = now.map_or(walk.to_owned(), |spec| format!("measured {}", settings::of_map(spec)));
    let inside = frame::draw(screen, area, title, &note, look.theme);
    map::draw(screen, inside, view, look);
}

/// What to say where there is nothing to draw.
fn message(view: &View) -> Option<(String, Role)> {
    let advice = |Fault { source, what, hint }: &Fault| match hint {
        Some(hint) => format!("{source}: {what}. {hint}"),
        None => format!("{source}: {what}"),
    };
    match &view.state {
        _ if view.asked => Some(("starting the workers…".to_owned(), Role::Dim)),
        LabState::Failed(fault) => Some((advice(fault), Role::Danger)),
        LabState::Idle | LabState::Done if view.series().is_empty() => {
            let ticked = view.spec.transports.len();
            let text = match ticked {
                0 => "Tick a transport with Space, then press s.".to_owned(),
                _ => format!(
                    "s measures {ticked} transport{}, each between two real processes, with {} messages.",
                    if ticked == 1 { "" } else { "s" },
                    settings::size(view.spec.size)
                ),
            };
            Some((text, Role::Dim))
        }
        LabState::Starting => Some(("starting the workers…".to_owned(), Role::Dim)),
        LabState::WarmUp => Some(("warming up: nothing counts yet".to_owned(), Role::Dim)),
        _ => None,
    }
}

fn centred(screen: &mut Frame<'_>, area: Rect, what: &str, role: Role, look: &Look<'_>) {
    let rows = text::wrap(what, usize::from(area.width).min(60));
    let top = area.y + area.height.saturating_sub(rows.len() as u16) / 2;
    for (y, row) in rows.into_iter().enumerate() {
        let at = Rect { y: top + y as u16, height: 1, ..area };
        Line::styled(row, look.style(role)).centered().render(at.intersection(area), screen.buffer_mut());
    }
}
