//! The ordering panel: a litmus test on this machine, beside what the memory
//! models allow, while its orderings are edited.
//!
//! ```text
//! ╭ SB-relaxed  store buffering: may both … ─── perpetual on CPU 0,1 · running ╮
//! │ P0                              P1                                         │
//! │ x.store(1, ‹Relaxed›);          y.store(1, Relaxed);                       │
//! │ let r0 = y.load(Relaxed);       let r0 = x.load(Relaxed);                  │
//! ╰────────────────────────────────────────────────────────────────────────────╯
//! ╭ exists (0:r0=0 /\ 1:r0=0) ───────────────────────╮╭ Why, by TSO ───────────╮
//! │ 0:r0 1:r0            seen      rate  SC TSO RC11 ││ allowed: …             │
//! ╰──────────────────────────────────────────────────╯╰────────────────────────╯
//! ╭ What ran ──────────────────────────────────────────────────────────────────╮
//! ╰────────────────────────────────────────────────────────────────────────────╯
//! ```

mod acts;
mod code;
mod cost;
mod diagram;
mod draw;
mod edit;
mod file;
mod graph;
mod outcomes;
mod picker;
mod program;
pub(super) mod why;

use std::collections::VecDeque;
use std::sync::Arc;

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use self::acts::{Act, KEYS};
use self::draw::draw_fault;
use self::file::{draw_broken, with};
use self::picker::{Picked, Picker};
use self::why::Why;
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::lab::litmus::run::preview;
use crate::backend::{Command, Topics, Update};
use crate::model::lab::{LabCommand, LabState};
use crate::model::litmus::{LitmusProgress, LitmusSpec, SavedTest, Strategy};
use crate::model::{Fault, Pid};
use crate::ui::keymap::{Hint, hints, lookup};
use crate::ui::store::Store;

/// What it is.
pub const INFO: Info = Info {
    name: "ordering",
    title: "Ordering",
    question: "What may these atomics do, and what do they do here?",
    open: || Box::new(Ordering::new(LitmusSpec::store_buffering())),
};

/// What stands below the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lower {
    /// Outcomes, the reason, machine code.
    Figures,
    /// The reason alone, with its graph.
    Graph,
    /// The test's text.
    Written,
}

impl Lower {
    /// The other, and back.
    fn toggled(self, other: Lower) -> Lower {
        if self == other { Lower::Figures } else { other }
    }
}

/// How many reports the chart reaches back.
const HISTORY: usize = 240;

/// The panel's view.
#[derive(Debug)]
struct Ordering {
    /// What is shown, and runs once it is started.
    spec: LitmusSpec,
    /// How it stands before it has run; or why it cannot be shown.
    preview: Result<LitmusProgress, Fault>,
    /// What is wrong with the file as it was saved last; what is shown was good.
    broken: Option<Fault>,
    /// The file's text that was saved and not looked at yet.
    saved: Option<Arc<SavedTest>>,
    /// The figures of the last run, kept after it was stopped.
    kept: Option<LitmusProgress>,
    /// Distinct witnesses in a second, report by report, oldest first.
    history: VecDeque<f32>,
    /// Which ordering the cursor is on, counted through all threads.
    cursor: usize,
    /// Which model explains what.
    why: Why,
    /// What orderings cost, once somebody has asked.
    costs: Option<cost::Costs>,
    lower: Lower,
    picker: Option<Picker>,
}

impl Ordering {
    fn new(spec: LitmusSpec) -> Self {
        let preview = preview(&spec);
        Ordering {
            spec,
            preview,
            broken: None,
            saved: None,
            kept: None,
            history: VecDeque::new(),
            cursor: 0,
            why: Why::default(),
            costs: None,
            lower: Lower::Figures,
            picker: None,
        }
    }

    /// What is shown.
    fn shown(&self) -> Result<&LitmusProgress, &Fault> {
        shown(self.kept.as_ref(), &self.preview, &self.spec)
    }

    /// Keeps the rate for the chart; what has other figures begins anew.
    fn remember(&mut self, progress: &LitmusProgress) {
        if progress.counts.frames == 0 {
            self.history.clear();
        } else if progress.state == LabState::Running {
            if self.history.len() == HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(progress.rate as f32);
        }
    }

    fn act(&mut self, act: Act, look: &Look<'_>) -> Reaction {
        match act {
            Act::StartStop => return self.start_or_stop(look),
            Act::Cycle => return self.change(look, |at, count| (at + 1) % count),
            Act::Stronger => return self.change(look, |at, count| (at + 1).min(count - 1)),
            Act::Weaker => return self.change(look, |at, _| at.saturating_sub(1)),
            Act::Up => self.step(-1),
            Act::Down => self.step(1),
            Act::Left => self.sideways(-1),
            Act::Right => self.sideways(1),
            Act::Pick => self.picker = Some(Picker::new(&self.spec.test)),
            Act::Model => {
                if let Ok(shown) = shown(self.kept.as_ref(), &self.preview, &self.spec) {
                    self.why.next_model(shown);
                }
            }
            Act::Outcome(by) => self.ask(by),
            Act::Large => self.lower = self.lower.toggled(Lower::Graph),
            Act::Written => self.lower = self.lower.toggled(Lower::Written),
            Act::Cost => self.costs = if self.costs.is_some() { None } else { Some(cost::Costs::measure()) },
            Act::Reload if self.spec.text.is_some() => return self.read_again(look),
            Act::Reload => {}
            Act::Strategy => {
                let strategy = match self.spec.strategy {
                    Strategy::Auto => Strategy::Batched,
                    Strategy::Batched => Strategy::Perpetual,
                    Strategy::Perpetual => Strategy::Timebase,
                    Strategy::Timebase => Strategy::Auto,
                };
                return self.set(LitmusSpec { strategy, ..self.spec.clone() }, look);
            }
            Act::AsWritten => return self.set(LitmusSpec { orders: Vec::new(), ..self.spec.clone() }, look),
        }
        Reaction::taken()
    }

    fn ask(&mut self, by: isize) {
        let Ok(shown) = self.shown() else { return };
        let states: Vec<String> = outcomes::ranked(shown).iter().map(|outcome| outcome.state.clone()).collect();
        self.why.ask(by, &states, &self.spec);
    }

    fn start_or_stop(&self, look: &Look<'_>) -> Reaction {
        let command = if runs(look) { LabCommand::Stop } else { LabCommand::Run(self.spec.clone()) };
        Reaction::send(Command::Litmus(command))
    }

    /// Shows another specification, and lets it run where one ran.
    fn set(&mut self, spec: LitmusSpec, look: &Look<'_>) -> Reaction {
        self.preview = preview(&spec);
        self.spec = spec;
        self.broken = None;
        self.why.asked = None;
        let last = self.slots().len().saturating_sub(1);
        self.cursor = self.cursor.min(last);
        if runs(look) && self.preview.is_ok() {
            Reaction::send(Command::Litmus(LabCommand::Run(self.spec.clone())))
        } else {
            Reaction::taken()
        }
    }
}

/// Whether a person's run goes on; the overview's bursts do not count.
fn runs(look: &Look<'_>) -> bool {
    look.store.litmus.as_ref().is_some_and(|latest| {
        let progress = &latest.value;
        let at_work = matches!(progress.state, LabState::Starting | LabState::WarmUp | LabState::Running);
        at_work && progress.spec.as_ref().is_some_and(|spec| spec.burst.is_none())
    })
}

/// What is shown: the run where there is one of just this, the preview elsewhere.
fn shown<'a>(
    kept: Option<&'a LitmusProgress>,
    preview: &'a Result<LitmusProgress, Fault>,
    spec: &LitmusSpec,
) -> Result<&'a LitmusProgress, &'a Fault> {
    match kept.filter(|kept| kept.spec.as_ref().is_some_and(|ran| same(ran, spec))) {
        Some(kept) => Ok(kept),
        None => preview.as_ref(),
    }
}

/// Whether the figures of one are those of the other.
fn same(a: &LitmusSpec, b: &LitmusSpec) -> bool {
    a.test.eq_ignore_ascii_case(&b.test) && a.text == b.text && a.orders == b.orders && a.strategy == b.strategy
}

impl Panel for Ordering {
    fn topics(&self) -> Topics {
        Topics { system: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        if self.picker.is_some() { picker::hints() } else { hints(KEYS) }
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let area = match &self.broken {
            Some(fault) => draw_broken(screen, area, fault, look),
            None => area,
        };
        match self.shown() {
            Ok(progress) if area.height < 13 => outcomes::draw_small(screen, area, progress, runs(look), look),
            Ok(progress) => self.draw_whole(screen, area, progress, look),
            Err(fault) => draw_fault(screen, area, fault, look),
        }
        if let Some(picker) = &mut self.picker {
            picker.draw(screen, area, look);
        }
    }

    fn on_key(&mut self, event: &KeyEvent, look: &Look<'_>) -> Reaction {
        if let Some(picker) = &mut self.picker {
            match picker.on_key(event) {
                Picked::Nothing => {}
                Picked::Closed => self.picker = None,
                Picked::Test(name) => {
                    self.picker = None;
                    (self.cursor, self.why.model) = (0, None);
                    let spec = LitmusSpec { strategy: Strategy::Auto, ..LitmusSpec::named(name) };
                    return with(self.set(spec, look), Effect::Send(Command::WatchTest(None)));
                }
                Picked::File(path) => {
                    self.picker = None;
                    (self.cursor, self.why.model) = (0, None);
                    return self.open(&path, look);
                }
                Picked::Ignored => return Reaction::Ignored,
            }
            return Reaction::taken();
        }
        lookup(KEYS, event).map_or(Reaction::Ignored, |act| self.act(act, look))
    }

    fn is_typing(&self) -> bool {
        self.picker.as_ref().is_some_and(Picker::is_typing)
    }

    fn on_paste(&mut self, text: &str, _look: &Look<'_>) -> Reaction {
        match &mut self.picker {
            Some(picker) if picker.is_typing() => picker.paste(text),
            _ => return Reaction::Ignored,
        }
        Reaction::taken()
    }

    fn on_update(&mut self, update: &Update, _store: &Store) {
        if let Update::SavedTest(saved) = update
            && self.spec.text.is_some()
            && saved.path == self.spec.test
        {
            self.saved = Some(saved.clone());
        }
        if let Update::Litmus(progress) = update {
            let progress = &progress.value;
            match &progress.state {
                // The figures stay on the screen when the run is over.
                LabState::Idle => {
                    if let Some(kept) = &mut self.kept {
                        kept.state = LabState::Idle;
                    }
                }
                LabState::Failed(fault) => {
                    self.kept = None;
                    self.preview = Err(fault.clone());
                }
                _ if progress.spec.as_ref().is_some_and(|spec| spec.burst.is_none()) => {
                    self.remember(progress);
                    self.kept = Some(progress.clone());
                }
                _ => {}
            }
        }
    }

    fn after_update(&mut self, look: &Look<'_>) -> Vec<Effect> {
        match self.saved.take().map(|saved| self.take_saved(&saved, look)) {
            Some(Reaction::Taken(effects)) => effects,
            Some(Reaction::Ignored) | None => Vec::new(),
        }
    }

    fn on_open(&mut self, _pid: Option<Pid>, _look: &Look<'_>) -> Vec<Effect> {
        self.picker = None;
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
