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

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::model::Pid;
use crate::model::contention::{ContendedLock, Contention, Source};
use crate::model::units::{grouped, si};
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key, lookup};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{bar, distribution, frame, text};

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

/// Which columns fit.
#[derive(Clone, Copy, Debug)]
struct Columns {
    name: usize,
    bar: usize,
    /// Rate, quantiles, threads.
    wide: bool,
}

impl Columns {
    fn of(width: u16) -> Self {
        let width = usize::from(width);
        let wide = width >= 96;
        let bar = if width >= 130 {
            16
        } else if width >= 70 {
            8
        } else {
            0
        };
        // kind, waits, waited; and rate, p50, p99, max, threads, now.
        let others = 14 + 11 + 10 + bar + usize::from(bar > 0) + if wide { 8 + 10 + 10 + 10 + 8 + 5 } else { 0 };
        Columns { name: width.saturating_sub(others).max(8), bar, wide }
    }

    fn heading(self, look: &Look<'_>) -> Line<'static> {
        let Columns { name, bar, wide } = self;
        let mut line = format!("{} {}{:>11}", text::left("LOCK", name - 1), text::left("KIND", 14), "WAITS");
        if wide {
            line += &format!("{:>8}", "/s");
        }
        line += &format!("{:>10}", "WAITED");
        if bar > 0 {
            line += &" ".repeat(bar + 1);
        }
        if wide {
            line += &format!("{:>10}{:>10}{:>10}{:>8}{:>5}", "P50", "P99", "MAX", "THREADS", "NOW");
        }
        Line::styled(line, look.style(Role::Heading))
    }

    fn row(self, lock: &ContendedLock, share: f64, contention: &Contention, look: &Look<'_>) -> Line<'static> {
        let Columns { name, bar, wide } = self;
        let strong = if lock.kind.is_lock() { Role::Strong } else { Role::Text };
        let mut spans = vec![
            Span::styled(text::left(short(&lock.resource), name - 1), look.style(strong)),
            Span::styled(format!(" {}", text::left(lock.kind.words(), 14)), look.style(Role::Dim)),
            Span::styled(format!("{:>11}", grouped(lock.waits)), look.style(Role::Text)),
        ];
        if wide {
            let rate = lock.waits as f64 / contention.observed.as_secs_f64().max(0.001);
            spans.push(Span::styled(format!("{:>8}", si(rate)), look.style(Role::Text)));
        }
        spans.push(Span::styled(format!("{:>10}", lock.waited.precise()), look.style(strong)));
        if bar > 0 {
            spans.push(Span::styled(format!(" {}", bar::text(share, bar)), look.style(Role::Wanting)));
        }
        if wide {
            let quantiles = lock.wait.as_ref().map(|wait| wait.quantiles).filter(|quantiles| quantiles.count > 0);
            let figures = quantiles.map_or_else(
                || format!("{:>10}{:>10}{:>10}", "–", "–", "–"),
                |q| format!("{:>10}{:>10}{:>10}", q.p50.precise(), q.p99.precise(), q.max.precise()),
            );
            spans.push(Span::styled(figures, look.style(Role::Text)));
            spans.push(Span::styled(format!("{:>8}", lock.waiters.len()), look.style(Role::Dim)));
            let now = if lock.waiting == 0 { String::new() } else { lock.waiting.to_string() };
            spans.push(Span::styled(format!("{now:>5}"), look.style(Role::Warn)));
        }
        Line::from(spans)
    }
}

/// The place in memory, without what it is, which stands beside it.
fn short(resource: &str) -> &str {
    resource.split_once(" in ").map_or(resource, |(_, place)| place)
}

/// So many of each list.
const ROWS: usize = 8;

/// All that is known of a lock, line by line.
fn account(lock: &ContendedLock, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let label = |text: &str| Span::styled(text::left(text, 10), look.style(Role::Dim));
    let plain = |text: String| Span::styled(text, look.style(Role::Text));
    let dim = |text: String| Span::styled(text, look.style(Role::Dim));
    for (index, waiter) in lock.waiters.iter().take(ROWS).enumerate() {
        lines.push(Line::from(vec![
            label(if index == 0 { "waited" } else { "" }),
            plain(text::left(&format!("{} {}", waiter.name, waiter.tid), 26)),
            plain(format!("{:>10}", waiter.waited.precise())),
            dim(format!("{:>12} times", grouped(waiter.waits))),
        ]));
    }
    for (index, pair) in lock.pairs.iter().take(ROWS).enumerate() {
        let name = |tid: Pid| {
            let waker = lock.wakers.iter().find(|waker| waker.tid == tid).map(|waker| &waker.name);
            let waiter = lock.waiters.iter().find(|waiter| waiter.tid == tid).map(|waiter| &waiter.name);
            waker.or(waiter).map_or_else(|| tid.to_string(), |name| format!("{name} {tid}"))
        };
        lines.push(Line::from(vec![
            label(if index == 0 { "woke" } else { "" }),
            plain(text::left(&format!("{} → {}", name(pair.waker), name(pair.woken)), 36)),
            dim(format!("{:>12} times", grouped(pair.wakes))),
        ]));
    }
    if lock.unproven > 0 {
        let words = "ended by time-out, signal, a thread's end, or unseen";
        lines.push(Line::from(vec![label(""), dim(format!("{} {words}", grouped(lock.unproven)))]));
    }
    for stack in lock.stacks.iter().take(ROWS) {
        for (index, text) in stack.frames.iter().enumerate() {
            let count = format!("{} ×", grouped(stack.waits));
            lines.push(Line::from(vec![label(if index == 0 { &count } else { "" }), plain(text.to_string())]));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crossterm::event::KeyModifiers;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::model::contention::{Observation, Pair, Stack, Waiter, Waker};
    use crate::model::histogram::{Distribution, Quantiles};
    use crate::model::wait::{Certainty, WaitKind};
    use crate::model::{Fault, Nanos, Stamped};
    use crate::ui::director::Bursts;
    use crate::ui::store::Store;
    use crate::ui::theme::{Depth, Theme};

    fn lock(address: u64, kind: WaitKind, name: &str, waits: u64) -> ContendedLock {
        let quantiles = Quantiles {
            count: waits,
            p50: Nanos(41_200),
            p99: Nanos(1_200_000),
            max: Nanos(8_100_000),
            ..Quantiles::default()
        };
        ContendedLock {
            address,
            kind,
            resource: format!("mutex in {name}").into(),
            certainty: Certainty::Derived,
            shared: false,
            waits,
            waiting: 1,
            waited: Nanos(waits * 50_000),
            wait: Some(Distribution { quantiles, first: 60, counts: vec![waits / 2, waits / 2] }),
            unproven: 3,
            waiters: vec![Waiter { tid: 4_130, name: "worker-2".into(), waits, waited: Nanos(waits * 50_000) }],
            wakers: vec![Waker { pid: 4_121, tid: 4_133, name: "worker-5".into(), wakes: waits - 3 }],
            pairs: vec![Pair { waker: 4_133, woken: 4_130, wakes: waits - 3 }],
            stacks: vec![Stack { frames: vec!["pthread_mutex_lock".into(), "transfer (main.c:42)".into()], waits }],
        }
    }

    fn store(notes: Vec<Fault>, locks: Vec<ContendedLock>) -> Store {
        let total = Contention {
            pid: 4_121,
            process: "payments".into(),
            observed: Nanos::from_secs(10),
            total: true,
            source: Source::SchedEvents,
            waits: 45_230,
            notes,
            locks,
            ..Contention::default()
        };
        let value = Observation { second: Contention { total: false, ..total.clone() }, total };
        let contention = Some(Arc::new(Stamped { value, ..Stamped::default() }));
        Store { contention, ..Store::default() }
    }

    fn screen(observed: &mut Observed, store: &Store, (width, height): (u16, u16)) -> String {
        let theme = Theme::load("night", Depth::True).unwrap();
        let look = Look { store, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| observed.draw(frame, frame.area(), &look)).unwrap();
        let buffer = terminal.backend().buffer();
        let rows = buffer.content.chunks(usize::from(width));
        rows.map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>() + "\n").collect()
    }

    fn two() -> Vec<ContendedLock> {
        let hot = lock(0x1000, WaitKind::PthreadMutex, "HOT (.bss of /srv/payments +0x40)", 41_002);
        vec![hot, lock(0x2000, WaitKind::PthreadCond, "BELL (.bss of /srv/payments +0x80)", 4_228)]
    }

    #[test]
    fn the_hot_lock_is_told_with_its_threads_and_its_calls() {
        let mut observed = Observed::default();
        observed.open(Some(4_121));
        let text = screen(&mut observed, &store(Vec::new(), two()), (140, 30));
        for part in [
            "Contention of payments 4121",
            "45,230 waits · 0 lost",
            "HOT (.bss of /srv/payments +0x40)",
            "41,002",
            "4.10 k",
            "1.20 ms",
            "worker-2 4130",
            "worker-5 4133 → worker-2 4130",
            "transfer (main.c:42)",
            "p50",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
    }

    #[test]
    fn it_fits_every_size_and_says_what_is_missing() {
        let note = Fault::new("perf_event_open", "not permitted (EPERM)").hint("run as root");
        let store = store(vec![note], two());
        for size in [(240, 70), (120, 40), (80, 24), (60, 14), (40, 8), (10, 3)] {
            let mut observed = Observed::default();
            observed.open(Some(4_121));
            let text = screen(&mut observed, &store, size);
            if size.0 >= 60 {
                assert!(text.contains("HOT") && text.contains("perf_event_open: not permitted"), "{text}");
            }
        }
        let mut observed = Observed::default();
        observed.open(None);
        assert!(screen(&mut observed, &store, (80, 24)).contains("No process is chosen"));
        observed.open(Some(7));
        assert!(screen(&mut observed, &store, (80, 24)).contains("the first second is not over"), "another's figures");
    }

    #[test]
    fn the_marked_lock_stays_marked_when_another_overtakes_it() {
        let theme = Theme::load("night", Depth::True).unwrap();
        let before = store(Vec::new(), two());
        let look = Look { store: &before, theme: &theme, now: Nanos::ZERO, boot: Nanos::ZERO, bursts: Bursts::Off };
        let mut observed = Observed::default();
        observed.open(Some(4_121));
        let press = |observed: &mut Observed, code| observed.on_key(&KeyEvent::new(code, KeyModifiers::NONE), &look);
        assert!(press(&mut observed, KeyCode::Down));
        let turned = store(Vec::new(), two().into_iter().rev().collect());
        assert!(screen(&mut observed, &turned, (120, 40)).contains("╭ mutex in BELL"));
        assert!(press(&mut observed, KeyCode::Esc) && !observed.is_open());
        assert_eq!(observed.target(), None, "nobody observes what nobody sees");
    }
}
