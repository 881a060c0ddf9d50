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

mod blank;
mod channel;
mod charts;
mod failures;
mod keys;
mod layout;
mod map;
mod settings;
mod transports;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;

use self::keys::{Act, KEYS, of_explanation, of_failures, of_map};
use super::{Info, Look, Panel, Reaction};
use crate::backend::lab::ipc::failures::FAILURES;
use crate::backend::lab::ipc::{About, TRANSPORTS};
use crate::backend::{Command, Topics, Update};
use crate::model::Stamped;
use crate::model::channel::{FailureProgress, IpcProgress, IpcSpec, Series};
use crate::model::lab::{LabCommand, LabState};
use crate::ui::keymap::{Hint, hints, lookup};
use crate::ui::store::Store;
use crate::ui::widgets::page::{self, Page};

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
    /// The explanation, or what an experiment has shown.
    page: Page,
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
                self.page.rewind();
                self.failure = self.failure.saturating_add_signed(by).min(FAILURES.len() - 1);
                return Reaction::taken();
            }
            Act::Run if self.fails => {
                self.page.rewind();
                let key = FAILURES[self.failure].key;
                return Reaction::send(Command::Failures(LabCommand::Run(key.into())));
            }
            // There is nothing to tick.
            Act::Tick if self.fails => return Reaction::taken(),
            Act::Failures => {
                self.page.rewind();
                (self.fails, self.explains) = (!self.fails, false);
                return Reaction::taken();
            }
            Act::Trips => {
                self.trips = !self.trips;
                return Reaction::taken();
            }
            Act::Move(by) => {
                self.page.rewind();
                self.cursor = self.cursor.saturating_add_signed(by).min(TRANSPORTS.len() - 1);
                return Reaction::taken();
            }
            Act::Explain => {
                self.page.rewind();
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

    /// Whether there is text that may be longer than its place.
    fn reads(&self) -> bool {
        self.explains || self.fails
    }

    fn scroll(&mut self, by: isize) -> Reaction {
        self.page.scroll(by);
        Reaction::taken()
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
        layout::draw(screen, area, self, look);
    }

    fn on_key(&mut self, event: &KeyEvent, _look: &Look<'_>) -> Reaction {
        if let Some(by) = page::step(event).filter(|_| self.reads()) {
            return self.scroll(by);
        }
        match lookup(KEYS, event) {
            Some(act) => self.act(act),
            None if self.explains && event.code == KeyCode::Esc => self.act(Act::Explain),
            None if self.fails && event.code == KeyCode::Esc => self.act(Act::Failures),
            None if self.maps && event.code == KeyCode::Esc => self.act(Act::Map),
            None => Reaction::Ignored,
        }
    }

    fn on_mouse(&mut self, mouse: &MouseEvent, _look: &Look<'_>) -> Reaction {
        match mouse.kind {
            MouseEventKind::ScrollDown if self.reads() => self.scroll(1),
            MouseEventKind::ScrollUp if self.reads() => self.scroll(-1),
            _ => Reaction::Ignored,
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
