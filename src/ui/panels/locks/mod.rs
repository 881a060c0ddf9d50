//! Locks: what does a lock really do when threads contend for it?
//!
//! ```text
//! ╭ std::sync::Mutex · 4 threads ────────────────── 12.1 M/s  jain 0.98  running ╮
//! │ t0 ░░░░████····░░░███·····░░░████····░░░████····░░░░░░ ████████▌     3.1 M/s │
//! │ t1 ███····░░░████·····░░░░███·····░░░░████····░░░░████ ███████▉      2.9 M/s │
//! │    −20.0 µs ──────── −10.0 µs ───────────────────── now wanting ░ holding █ …│
//! ╰──────────────────────────────────────────────────────────────────────────────╯
//! ╭ Settings ─────────╮╭ Hand-offs from ↓ to → ╮╭ Wait ───────────────────────────╮
//! │ ‹lock    std…   › ││     0   1   2   3     ││        ▂█▅                      │
//! │  threads 4        ││ 0   ·  98  71  80     ││      ▁▅███▆▃▁      ▁            │
//! │  hold    200 ns   ││ 1  95   ·  88  74     ││ 10 ns ─p50─────p99──── 4.00 ms  │
//! ╰───────────────────╯╰───────────────────────╯╰─────────────────────────────────╯
//! ╭ Invariants ───────────────────────────────────────────────────────────────────╮
//! │ ∀ t₁,t₂,τ  holds(t₁,M,τ) ∧ holds(t₂,M,τ) ⇒ t₁ = t₂   41,220,113 ✓   0 violated │
//! ╰───────────────────────────────────────────────────────────────────────────────╯
//! ```

mod charts;
mod curve;
mod figures;
mod invariants;
mod keys;
mod middle;
mod observed;
mod picker;
mod pictures;
mod settings;
mod stage;
mod steps;

#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use crossterm::event::{KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use self::curve::Curves;
use self::keys::{Act, KEYS, of_explanation};
use self::observed::Observed;
use self::picker::{Picked, Picker};
use self::pictures::Pictures;
use self::settings::{Setting, settings};
use super::experiments::{Chosen, Experiments};
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::lab::locks::experiments::Experiment;
use crate::backend::{Command, Topics, Update};
use crate::model::Pid;
use crate::model::lab::{LabCommand, LabState};
use crate::model::lock::{LockProgress, LockSpec};
use crate::ui::keymap::{Hint, hints, lookup};
use crate::ui::store::Store;
use crate::ui::widgets::page::{self, Page};

/// What it is.
pub const INFO: Info = Info {
    name: "locks",
    title: "Locks",
    question: "What does a lock really do when threads contend for it, and is it one at all?",
    open: || Box::new(Locks::default()),
};

/// How many rates the chart of the past reaches back.
const HISTORY: usize = 240;

/// What stands in the place of the charts, but for the curve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Instead {
    #[default]
    Nothing,
    /// How the chosen primitive works.
    Explanation,
    /// All figures, with what they mean.
    Figures,
}

/// The view.
#[derive(Debug, Default)]
struct Locks {
    /// What is asked for, or would be.
    spec: LockSpec,
    /// Which setting the arrow keys change.
    selected: usize,
    /// What the run looked like, now and before.
    pictures: Pictures,
    /// What stands in the place of the charts.
    instead: Instead,
    /// How far the explanation is scrolled.
    page: Page,
    /// The first thread that has its lane on the screen, and how many have.
    top: usize,
    lanes: usize,
    /// Acquisitions per second of all threads, oldest first.
    history: VecDeque<f32>,
    /// The list of primitives, where it is open.
    picker: Option<Picker>,
    /// Throughput against the number of threads.
    curves: Curves,
    /// Of each primitive how often it was checked lately, and how often in vain.
    checked: BTreeMap<String, (u64, u64)>,
    /// The view of a running program.
    observed: Observed,
    /// The experiments, and whether they have the screen.
    experiments: Experiments<Experiment>,
    plays: bool,
}

/// What the parts of the panel are drawn from.
struct View<'a> {
    look: &'a Look<'a>,
    spec: &'a LockSpec,
    state: &'a LabState,
    /// Nothing before the first figures.
    progress: Option<&'a LockProgress>,
    paused: bool,
    back: usize,
    cursor: Option<u16>,
    history: &'a VecDeque<f32>,
}

impl View<'_> {
    /// Whether an acquisition is read out.
    fn reads_out(&self) -> bool {
        self.paused && self.cursor.is_some()
    }
}

impl Panel for Locks {
    fn topics(&self) -> Topics {
        Topics { system: true, contention: self.observed.target(), ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        match &self.picker {
            Some(_) => picker::hints(),
            None if self.observed.is_open() => Observed::hints(),
            None if self.plays => Experiments::<Experiment>::hints(),
            None if self.reads() => of_explanation(),
            None => hints(KEYS),
        }
    }

    fn on_open(&mut self, pid: Option<Pid>, _look: &Look<'_>) -> Vec<Effect> {
        if pid.is_some() {
            self.observed.open(pid);
        }
        Vec::new()
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        if self.observed.is_open() {
            return self.observed.draw(screen, area, look);
        }
        if self.plays {
            return self.experiments.draw(screen, area, look);
        }
        // Beyond the screen it would have to come a long way back.
        self.pictures.cursor = self.pictures.cursor.map(|cursor| cursor.min(area.width));
        let idle = LabState::Idle;
        let state = look.store.locks.as_ref().map_or(&idle, |stamped| &stamped.value.state);
        let progress = self.pictures.shown();
        let threads = progress.and_then(|p| p.subject.as_ref()).map_or(self.spec.threads, |s| s.spec.threads);
        let view = View {
            look,
            spec: &self.spec,
            state,
            progress,
            paused: self.pictures.is_held(),
            back: self.pictures.back,
            cursor: self.pictures.cursor,
            history: &self.history,
        };
        if area.height < 14 || area.width < 60 {
            self.lanes = if self.curves.open {
                self.curves.draw(screen, area, look);
                0
            } else if self.instead == Instead::Explanation {
                figures::explain(screen, area, &view, &self.page);
                0
            } else {
                stage::compact(screen, area, &view, self.selected, self.top)
            };
        } else {
            let proof = invariants::height(progress).min(area.height / 2);
            let room = area.height - proof;
            let lanes = stage::height(threads, room * 9 / 20) + u16::from(view.reads_out());
            let [top, between, bottom] =
                Layout::vertical([Constraint::Length(lanes), Constraint::Fill(1), Constraint::Length(proof)])
                    .areas(area);
            self.lanes = stage::draw(screen, top, &view, self.top);
            let figures = self.instead == Instead::Figures && !self.curves.open;
            // Where they would not fit beside the settings, they stand in their place.
            let right = if figures && figures::height(&view) > usize::from(between.height) {
                between
            } else {
                middle::draw_left(screen, between, &view, self.selected)
            };
            if self.curves.open {
                self.curves.draw(screen, right, look);
            } else {
                match self.instead {
                    Instead::Nothing => middle::draw_charts(screen, right, &view),
                    Instead::Explanation => figures::explain(screen, right, &view, &self.page),
                    Instead::Figures => figures::explained(screen, right, &view),
                }
            }
            invariants::draw(screen, bottom, &view);
        }
        if let Some(picker) = &self.picker {
            picker.draw(screen, area, &self.curves.marked, &self.checked, look);
        }
    }

    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        if self.observed.is_open() {
            return if self.observed.on_key(key, look) { Reaction::taken() } else { Reaction::Ignored };
        }
        if self.plays {
            return match self.experiments.on_key(key) {
                Chosen::Open => Reaction::taken(),
                Chosen::Other => Reaction::Ignored,
                Chosen::Closed => {
                    self.plays = false;
                    Reaction::taken()
                }
                Chosen::Play(key) => Reaction::send(Command::Experiment(key)),
            };
        }
        let before = self.spec.clone();
        if let Some(picker) = &mut self.picker {
            match picker.on_key(key) {
                Picked::Nothing => {}
                Picked::Closed => self.picker = None,
                Picked::Marked(key) => self.curves.mark(key),
                Picked::Chosen(key) => {
                    self.picker = None;
                    settings::choose(&mut self.spec, key);
                }
            }
            return self.changed(&before, look);
        }
        if let Some(by) = page::step(key).filter(|_| self.reads()) {
            self.page.scroll(by);
            return Reaction::taken();
        }
        let Some(act) = lookup(KEYS, key) else { return Reaction::Ignored };
        match act {
            Act::StartStop if is_running(look.store) => return Reaction::send(Command::Locks(LabCommand::Stop)),
            Act::StartStop => return self.run(),
            Act::Select(by) => {
                self.selected = self.selected.saturating_add_signed(by).min(settings(&self.spec).len() - 1);
            }
            Act::Change(up) => self.setting().step(&mut self.spec, up),
            Act::Vary => self.setting().vary(&mut self.spec),
            Act::Try => self.spec.setting.tries ^= true,
            Act::Family(up) => settings::step_family(&mut self.spec, up),
            Act::Pick => self.picker = Some(Picker::new(&self.spec.lock)),
            Act::Curve if self.curves.open => self.curves.open = false,
            Act::Curve if self.curves.is_of(&self.spec) => self.curves.open = true,
            Act::Curve | Act::Measure => {
                return Reaction::send(Command::Locks(LabCommand::Run(self.curves.start(&self.spec))));
            }
            Act::Zoom(out) => Setting::Window.step(&mut self.spec, out),
            Act::Pause => self.pictures.hold_or_go_on(),
            Act::Past(by) => self.pictures.look_back(by),
            Act::Cursor(by) => self.pictures.move_cursor(by),
            Act::Explain => {
                self.page.rewind();
                self.show(Instead::Explanation);
            }
            Act::Figures => self.show(Instead::Figures),
            Act::Wrongly => self.plays = true,
            Act::Observe => self.observed.open(None),
            Act::Scroll(by) => self.scroll(by * self.lanes.max(1).cast_signed()),
        }
        self.changed(&before, look)
    }

    fn on_mouse(&mut self, mouse: &MouseEvent, _look: &Look<'_>) -> Reaction {
        match mouse.kind {
            _ if self.plays => return Reaction::Ignored,
            MouseEventKind::ScrollDown => self.scroll(1),
            MouseEventKind::ScrollUp => self.scroll(-1),
            _ => return Reaction::Ignored,
        }
        Reaction::taken()
    }

    fn on_paste(&mut self, text: &str, _look: &Look<'_>) -> Reaction {
        let Some(picker) = &mut self.picker else { return Reaction::Ignored };
        picker.paste(text);
        Reaction::taken()
    }

    fn is_typing(&self) -> bool {
        self.picker.is_some()
    }

    fn on_update(&mut self, update: &Update, _store: &Store) {
        let Update::Locks(stamped) = update else { return };
        if let Some(curve) = &stamped.value.curve {
            self.curves.take(curve);
        }
        let Some(subject) = &stamped.value.subject else { return };
        let invariants = &stamped.value.invariants;
        if invariants.iter().any(|invariant| invariant.checked > 0) {
            let sums = invariants.iter().fold((0, 0), |sum, i| (sum.0 + i.checked, sum.1 + i.violations));
            self.checked.insert(subject.spec.lock.clone(), sums);
        }
        let before = self.pictures.newest().and_then(|newest| newest.subject.as_ref());
        if before.is_some_and(|before| before.spec != subject.spec) {
            self.history.clear();
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(stamped.value.figures.recent.iter().sum::<f64>() as f32);
        self.pictures.take(stamped);
    }
}

impl Locks {
    fn run(&self) -> Reaction {
        Reaction::send(Command::Locks(LabCommand::Run(self.spec.clone())))
    }

    /// Whether the explanation is on the screen.
    fn reads(&self) -> bool {
        self.instead == Instead::Explanation && !self.curves.open
    }

    /// A change reaches what runs.
    fn changed(&mut self, before: &LockSpec, look: &Look<'_>) -> Reaction {
        if self.spec.lock != before.lock {
            self.page.rewind();
        }
        let mut zoomed = before.clone();
        zoomed.setting.window = self.spec.setting.window;
        // A curve is not begun anew because its lanes are zoomed.
        let sweeps = look.store.locks.as_ref().is_some_and(|stamped| stamped.value.curve.is_some());
        let unchanged = self.spec == if sweeps { zoomed } else { before.clone() };
        if unchanged || !is_running(look.store) {
            return Reaction::taken();
        }
        self.run()
    }

    /// The setting that the arrow keys change; another lock may have fewer.
    fn setting(&mut self) -> Setting {
        let settings = settings(&self.spec);
        self.selected = self.selected.min(settings.len() - 1);
        settings[self.selected]
    }

    /// Shows this in the place of the charts, or the charts again.
    fn show(&mut self, instead: Instead) {
        let is_shown = self.instead == instead && !self.curves.open;
        self.instead = if is_shown { Instead::Nothing } else { instead };
        self.curves.open = false;
    }

    fn scroll(&mut self, by: isize) {
        let threads = self.pictures.shown().map_or(self.spec.threads, |shown| shown.figures.per_thread.len());
        self.top = self.top.saturating_add_signed(by).min(threads.saturating_sub(self.lanes));
    }
}

/// Whether a person's run is under way.
fn is_running(store: &Store) -> bool {
    let Some(stamped) = &store.locks else { return false };
    matches!(stamped.value.state, LabState::Starting | LabState::WarmUp | LabState::Running | LabState::Resting)
}
