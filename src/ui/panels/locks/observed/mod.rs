//! The contention of a running program, in place of the lab's picture.
//!
//! ```text
//! ╭ Contention of payments 4121 ──────── every block · 12.3 s · 41,230 waits · 0 lost ╮
//! │ LOCK                               KIND     WAITS   /s    WAITED           p99  … │
//! │ HOT (.bss of payments +0x40)       mutex   41,002  3.4k  ███████ 2.31 s  1.20 ms  │
//! ╰───────────────────────────────────────────────────────────────────────────────────╯
//! ╭ mutex in HOT … ──────────────────────────────╮╭ From block to wake-up ────────────╮
//! │ waited    worker-2 4130   1.20 s  20,500     ││     ▂█▅▁                          │
//! │ woke      worker-5 4133   → worker-2 …       ││ 10 µs ─p50────p99──── 4.00 ms     │
//! │ 41,002 ×  pthread_mutex_lock                 │╰───────────────────────────────────╯
//! │           transfer (main.c:42)               │
//! ╰──────────────────────────────────────────────╯
//! ```

mod account;
mod columns;

#[cfg(test)]
mod tests;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use self::account::account;
use self::columns::Columns;
use crate::model::Pid;
use crate::model::contention::{ContendedLock, Contention, Source};
use crate::model::units::grouped;
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key, lookup};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{distribution, frame, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Close,
    Move(isize),
    Scroll(isize),
    Second,
}

const KEYS: &[Binding<Act>] = &[
    bind(&[key('o'), code(KeyCode::Esc)], Act::Close, "back to the lab", "stop observing, and go back to the lab"),
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "lock", "next lock"),
    bind(&[code(KeyCode::Up), key('k')], Act::Move(-1), "", "lock before"),
    bind(&[key('s')], Act::Second, "last second", "the last second, or all since the beginning"),
    bind(&[key('J'), code(KeyCode::PageDown)], Act::Scroll(3), "scroll", "scroll the lock's account down"),
    bind(&[key('K'), code(KeyCode::PageUp)], Act::Scroll(-3), "", "scroll it up"),
];

/// The view.
#[derive(Debug, Default)]
pub(super) struct Observed {
    /// The process, while the view is open.
    pid: Option<Pid>,
    open: bool,
    /// The last second only.
    second: bool,
    /// The lock that is marked: it keeps its mark when others overtake it.
    selected: Option<(u64, crate::model::wait::WaitKind)>,
    cursor: usize,
    scroll: usize,
}

impl Observed {
    /// Whether the view is open.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// The process that shall be observed.
    pub(super) fn target(&self) -> Option<Pid> {
        self.pid.filter(|_| self.open)
    }

    /// Opens the view; with a process, on that one.
    pub(super) fn open(&mut self, pid: Option<Pid>) {
        self.open = true;
        if pid.is_some() && pid != self.pid {
            *self = Observed { pid, open: true, ..Observed::default() };
        }
    }

    pub(super) fn hints() -> Vec<Hint> {
        hints(KEYS)
    }

    /// Answers a key; `false` for one that is not its.
    pub(super) fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> bool {
        let Some(act) = lookup(KEYS, key) else { return false };
        let count = self.shown(look).map_or(0, |contention| contention.locks.len());
        match act {
            Act::Close => self.open = false,
            Act::Second => self.second = !self.second,
            Act::Scroll(by) => self.scroll = self.scroll.saturating_add_signed(by),
            Act::Move(by) => {
                self.cursor = self.cursor.saturating_add_signed(by).min(count.saturating_sub(1));
                let lock = self.shown(look).and_then(|contention| contention.locks.get(self.cursor));
                self.selected = lock.map(|lock| (lock.address, lock.kind));
                self.scroll = 0;
            }
        }
        true
    }

    fn shown<'a>(&self, look: &Look<'a>) -> Option<&'a Contention> {
        let observation = &look.store.contention.as_ref()?.value;
        let contention = if self.second { &observation.second } else { &observation.total };
        self.pid.is_some_and(|pid| pid == contention.pid).then_some(contention)
    }

    /// Draws it.
    pub(super) fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let Some(contention) = self.shown(look) else { return self.draw_nothing(screen, area, look) };
        let place =
            |(address, kind)| contention.locks.iter().position(|lock| (lock.address, lock.kind) == (address, kind));
        self.cursor =
            self.selected.and_then(place).unwrap_or(self.cursor).min(contention.locks.len().saturating_sub(1));
        let notes: Vec<String> = contention
            .notes
            .iter()
            .flat_map(|note| text::wrap(&note.to_string(), usize::from(area.width).saturating_sub(2)))
            .collect();
        let below = notes.len().min(usize::from(area.height) / 4) as u16;
        let [main, foot] = Layout::vertical([Constraint::Fill(1), Constraint::Length(below)]).areas(area);
        for (y, note) in (0..foot.height).zip(&notes) {
            let line = Line::styled(note.clone(), look.style(Role::Warn));
            line.render(
                Rect { x: foot.x + 1, y: foot.y + y, width: foot.width.saturating_sub(1), height: 1 },
                screen.buffer_mut(),
            );
        }
        // The account of one lock takes what the list leaves, and at least half.
        let wanted = (contention.locks.len() as u16 + 3).max(4);
        let list = if main.height < 14 { main.height } else { wanted.min(main.height / 2) };
        let [top, bottom] = Layout::vertical([Constraint::Length(list), Constraint::Fill(1)]).areas(main);
        self.draw_list(screen, top, contention, look);
        let Some(lock) = contention.locks.get(self.cursor).filter(|_| bottom.height >= 4) else { return };
        let chart = lock.wait.as_ref().filter(|wait| wait.quantiles.count > 0 && bottom.width >= 100);
        let right = if chart.is_some() { 44 } else { 0 };
        let [left, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Length(right)]).areas(bottom);
        self.draw_account(screen, left, lock, look);
        if let Some(wait) = chart {
            let inside = frame::draw(screen, right, "From block to wake-up", "log axis, √ height", look.theme);
            distribution::draw(screen.buffer_mut(), inside, wait, 0, look.theme);
        }
    }

    fn draw_nothing(&self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let title = self.pid.map_or_else(|| "Contention".to_owned(), |pid| format!("Contention of {pid}"));
        let inside = frame::draw_focused(screen, area, &title, "", look.theme);
        let says = if self.pid.is_some() {
            "Observing: the first second is not over yet."
        } else {
            "No process is chosen: go to Processes (2), select one, and press o. Its blocks and wake-ups are then told \
             here, lock by lock, without any change to it."
        };
        for (y, line) in (0..inside.height).zip(text::wrap(says, usize::from(inside.width))) {
            let line = Line::styled(line, look.style(Role::Dim));
            line.render(Rect { y: inside.y + y, height: 1, ..inside }, screen.buffer_mut());
        }
    }

    fn draw_list(&self, screen: &mut Frame<'_>, area: Rect, contention: &Contention, look: &Look<'_>) {
        let title = format!("Contention of {} {}", contention.process, contention.pid);
        let how = match contention.source {
            Source::SchedEvents => format!("{} lost", grouped(contention.lost)),
            Source::Sampling => "sampled".to_owned(),
        };
        let span = if self.second { "last ".to_owned() } else { String::new() };
        let ended = if contention.ended { " · ended" } else { "" };
        let note =
            format!("{span}{} · {} waits · {how}{ended}", contention.observed.precise(), grouped(contention.waits));
        let inside = frame::draw_focused(screen, area, &title, &note, look.theme);
        if contention.locks.is_empty() {
            let line = Line::styled("None of its threads has waited for a futex.", look.style(Role::Dim));
            return line.render(Rect { height: inside.height.min(1), ..inside }, screen.buffer_mut());
        }
        let columns = Columns::of(inside.width);
        let rows = usize::from(inside.height.saturating_sub(1));
        let top = (self.cursor + 1).saturating_sub(rows);
        columns.heading(look).render(Rect { height: inside.height.min(1), ..inside }, screen.buffer_mut());
        let longest = contention.locks.iter().map(|lock| lock.waited.0).max().unwrap_or(1).max(1);
        for (y, (index, lock)) in contention.locks.iter().enumerate().skip(top).take(rows).enumerate() {
            let share = lock.waited.0 as f64 / longest as f64;
            let line = columns.row(lock, share, contention, look);
            let place = Rect { y: inside.y + 1 + y as u16, height: 1, ..inside };
            line.render(place, screen.buffer_mut());
            if index == self.cursor {
                screen.buffer_mut().set_style(place, look.style(Role::Selection));
            }
        }
    }

    fn draw_account(&mut self, screen: &mut Frame<'_>, area: Rect, lock: &ContendedLock, look: &Look<'_>) {
        let title = text::fit(&lock.resource, usize::from(area.width).saturating_sub(24));
        let inside = frame::draw(screen, area, &title, &format!("{:#x}", lock.address), look.theme);
        let lines = account(lock, look);
        self.scroll = self.scroll.min(lines.len().saturating_sub(usize::from(inside.height)));
        for (y, line) in (0..inside.height).zip(lines.into_iter().skip(self.scroll)) {
            line.render(Rect { y: inside.y + y, height: 1, ..inside }, screen.buffer_mut());
        }
    }
}
