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
mod figures;
mod invariants;
mod observed;
mod settings;
mod stage;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use self::observed::Observed;
use self::settings::{Setting, settings};
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::{Command, Topics, Update};
use crate::model::lab::{LabCommand, LabState};
use crate::model::lock::{LockProgress, LockSpec};
use crate::model::{Pid, Stamped};
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key, lookup};
use crate::ui::store::Store;

/// What it is.
pub const INFO: Info = Info {
    name: "locks",
    title: "Locks",
    question: "What does a lock really do when threads contend for it, and is it one at all?",
    open: || Box::new(Locks::default()),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    StartStop,
    Select(isize),
    Change(bool),
    Vary,
    Try,
    Family(bool),
    Zoom(bool),
    Pause,
    Past(isize),
    Cursor(isize),
    Explain,
    Observe,
    Scroll(isize),
}

const KEYS: &[Binding<Act>] = &[
    bind(
        &[key('s'), key(' '), code(KeyCode::Enter)],
        Act::StartStop,
        "start/stop",
        "let the threads contend, and stop them",
    ),
    bind(&[code(KeyCode::Down), key('j')], Act::Select(1), "setting", "next setting"),
    bind(&[code(KeyCode::Up), key('k')], Act::Select(-1), "", "setting before"),
    bind(&[code(KeyCode::Right), key('l')], Act::Change(true), "change", "the setting's next value"),
    bind(&[code(KeyCode::Left), key('h')], Act::Change(false), "", "the setting's value before"),
    bind(&[key('f')], Act::Family(true), "family", "the first primitive of the next family"),
    bind(&[key('F')], Act::Family(false), "", "the first primitive of the family before"),
    bind(&[key('v')], Act::Vary, "vary", "hold or think: fixed, uniform or exponential"),
    bind(&[key('t')], Act::Try, "try", "try instead of waiting, and back"),
    bind(&[key('e')], Act::Explain, "explain", "how the chosen lock works"),
    bind(&[key('o')], Act::Observe, "observe", "the contention of a running program, chosen in Processes"),
    bind(&[key('p')], Act::Pause, "pause", "hold the picture while the threads go on"),
    bind(&[key('<')], Act::Past(1), "back", "pause, and a picture further back"),
    bind(&[key('>')], Act::Past(-1), "", "a picture further on"),
    bind(&[key(',')], Act::Cursor(-1), "cursor", "pause, and read out one acquisition to the left"),
    bind(&[key('.')], Act::Cursor(1), "", "read out one acquisition to the right"),
    bind(&[key('[')], Act::Zoom(false), "zoom", "lanes: a shorter stretch of time"),
    bind(&[key(']')], Act::Zoom(true), "", "lanes: a longer stretch of time"),
    bind(&[code(KeyCode::PageDown)], Act::Scroll(1), "", "further threads"),
    bind(&[code(KeyCode::PageUp)], Act::Scroll(-1), "", "threads before"),
];

/// How many pictures are kept to scroll back to: each is a stretch of the lanes
/// with all figures, at most some 100 kB.
const PICTURES: usize = 64;

/// How many rates the chart of the past reaches back.
const HISTORY: usize = 240;

/// A progress with its stamp.
type Shown = Arc<Stamped<LockProgress>>;

/// The view.
#[derive(Debug, Default)]
struct Locks {
    /// What is asked for, or would be.
    spec: LockSpec,
    /// Which setting the arrow keys change.
    selected: usize,
    /// The last progress with figures: it stays on the screen after a stop.
    last: Option<Shown>,
    /// The picture that is held.
    paused: Option<Shown>,
    /// The last pictures, oldest first; none are added while one is held.
    pictures: VecDeque<Shown>,
    /// How many pictures back the held one is.
    back: usize,
    /// The column of the lanes that is read out while the picture is held.
    cursor: Option<u16>,
    /// Whether the explanation is open.
    explain: bool,
    /// The first thread that has its lane on the screen, and how many have.
    top: usize,
    lanes: usize,
    /// Acquisitions per second of all threads, oldest first.
    history: VecDeque<f32>,
    /// The view of a running program.
    observed: Observed,
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

impl Panel for Locks {
    fn topics(&self) -> Topics {
        Topics { system: true, contention: self.observed.target(), ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        if self.observed.is_open() { Observed::hints() } else { hints(KEYS) }
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
        // Beyond the screen it would have to come a long way back.
        self.cursor = self.cursor.map(|cursor| cursor.min(area.width));
        let idle = LabState::Idle;
        let state = look.store.locks.as_ref().map_or(&idle, |stamped| &stamped.value.state);
        let shown = self.paused.as_ref().or(self.last.as_ref());
        let progress = shown.map(|stamped| &stamped.value);
        let threads = progress.and_then(|p| p.subject.as_ref()).map_or(self.spec.threads, |s| s.spec.threads);
        let view = View {
            look,
            spec: &self.spec,
            state,
            progress,
            paused: self.paused.is_some(),
            back: self.back,
            cursor: self.cursor,
            history: &self.history,
        };
        if area.height < 14 || area.width < 60 {
            self.lanes = stage::compact(screen, area, &view, self.selected, self.top);
            return;
        }
        let proof = invariants::height(progress);
        let room = area.height - proof;
        let lanes = stage::height(threads, room * 9 / 20);
        let [top, middle, bottom] =
            Layout::vertical([Constraint::Length(lanes), Constraint::Fill(1), Constraint::Length(proof)]).areas(area);
        self.lanes = stage::draw(screen, top, &view, self.top);
        draw_middle(screen, middle, &view, self.selected, self.explain);
        invariants::draw(screen, bottom, &view);
    }

    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        if self.observed.is_open() {
            return if self.observed.on_key(key, look) { Reaction::taken() } else { Reaction::Ignored };
        }
        let Some(act) = lookup(KEYS, key) else { return Reaction::Ignored };
        let before = self.spec.clone();
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
            Act::Zoom(out) => Setting::Window.step(&mut self.spec, out),
            Act::Pause if self.paused.is_some() => (self.paused, self.back, self.cursor) = (None, 0, None),
            Act::Pause => self.paused.clone_from(&self.last),
            Act::Past(by) => self.look_back(by),
            Act::Cursor(by) => self.move_cursor(by),
            Act::Explain => self.explain = !self.explain,
            Act::Observe => self.observed.open(None),
            Act::Scroll(by) => self.scroll(by * self.lanes.max(1).cast_signed()),
        }
        if self.spec != before && is_running(look.store) { self.run() } else { Reaction::taken() }
    }

    fn on_mouse(&mut self, mouse: &MouseEvent, _look: &Look<'_>) -> Reaction {
        match mouse.kind {
            MouseEventKind::ScrollDown => self.scroll(1),
            MouseEventKind::ScrollUp => self.scroll(-1),
            _ => return Reaction::Ignored,
        }
        Reaction::taken()
    }

    fn on_update(&mut self, update: &Update, _store: &Store) {
        let Update::Locks(stamped) = update else { return };
        let Some(subject) = &stamped.value.subject else { return };
        let before = self.last.as_ref().and_then(|last| last.value.subject.as_ref());
        if before.is_some_and(|before| before.spec != subject.spec) {
            self.history.clear();
        }
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(stamped.value.figures.recent.iter().sum::<f64>() as f32);
        self.last = Some(stamped.clone());
        if self.paused.is_none() {
            if self.pictures.len() == PICTURES {
                self.pictures.pop_front();
            }
            self.pictures.push_back(stamped.clone());
        }
    }
}

impl Locks {
    fn run(&self) -> Reaction {
        Reaction::send(Command::Locks(LabCommand::Run(self.spec.clone())))
    }

    /// The setting that the arrow keys change; another lock may have fewer.
    fn setting(&mut self) -> Setting {
        let settings = settings(&self.spec);
        self.selected = self.selected.min(settings.len() - 1);
        settings[self.selected]
    }

    fn look_back(&mut self, by: isize) {
        self.back = self.back.saturating_add_signed(by).min(self.pictures.len().saturating_sub(1));
        let newest = self.pictures.len().saturating_sub(1);
        self.paused = self.pictures.get(newest.saturating_sub(self.back)).or(self.last.as_ref()).cloned();
    }

    fn move_cursor(&mut self, by: isize) {
        if self.paused.is_none() {
            self.paused.clone_from(&self.last);
        }
        // It begins in the middle of a narrow screen; drawing keeps it inside.
        self.cursor = Some(self.cursor.map_or(30, |cursor| cursor.saturating_add_signed(by as i16)));
    }

    fn scroll(&mut self, by: isize) {
        let shown = self.paused.as_ref().or(self.last.as_ref());
        let threads = shown.map_or(self.spec.threads, |stamped| stamped.value.figures.per_thread.len());
        self.top = self.top.saturating_add_signed(by).min(threads.saturating_sub(self.lanes));
    }
}

/// Whether a person's run is under way.
fn is_running(store: &Store) -> bool {
    let Some(stamped) = &store.locks else { return false };
    matches!(stamped.value.state, LabState::Starting | LabState::WarmUp | LabState::Running | LabState::Resting)
}

/// Settings with the figures, hand-offs, and distributions, as many as fit.
fn draw_middle(screen: &mut Frame<'_>, area: Rect, view: &View<'_>, selected: usize, explain: bool) {
    let left = if area.width >= 100 { 38 } else { 30 };
    let [left, rest] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    let settings = settings(view.spec).len() as u16 + 2;
    let [upper, lower] = Layout::vertical([Constraint::Length(settings), Constraint::Fill(1)]).areas(left);
    figures::settings(screen, upper, view, selected);
    if lower.height >= 3 {
        figures::draw(screen, lower, view);
    }
    if explain {
        return figures::explain(screen, rest, view);
    }
    let threads = view.progress.map_or(view.spec.threads, |progress| progress.figures.per_thread.len());
    let matrix = charts::handoffs_width(threads, rest);
    let [matrix, waits] = Layout::horizontal([Constraint::Length(matrix), Constraint::Fill(1)]).areas(rest);
    if !matrix.is_empty() {
        charts::handoffs(screen, matrix, view);
    }
    charts::distributions(screen, waits, view);
}
