//! Waits: who is stuck, on what, and who must act?
//!
//! ```text
//! ╭ Waiting for somebody ─ oldest first ╮╭ payments 4121 · worker-2 4130 ──────────╮
//! │  3m12 payments 4130  mutex ← 4133   ││ worker-2 4130                           │
//! │   14m postgres 811   flock ← 790    ││ │ waits for mutex [heap] +0x2a0         │
//! │    8s tar 5120       pipe full ← …  ││ ▼ held by                               │
//! ╰─────────────────────────────────────╯╰─────────────────────────────────────────╯
//! ```

use crossterm::event::{KeyCode, KeyEvent, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::processes::columns::{holder_text, wait_text};
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::Topics;
use crate::model::chain::{self, Blocked, Chain, End, Hop, Verdict, follow};
use crate::model::process::ProcessTable;
use crate::model::wait::{Holder, Mode, Wait};
use crate::model::{Nanos, Pid};
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key, lookup};
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// What it is.
pub const INFO: Info = Info {
    name: "waits",
    title: "Waits",
    question: "Who is stuck, on what, who holds it, and what does that one wait for in turn?",
    open: || Box::new(Waits::default()),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Move(isize),
    First,
    Process,
    Evidence,
}

const KEYS: &[Binding<Act>] = &[
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "next", "next waiter"),
    bind(&[code(KeyCode::Up), key('k')], Act::Move(-1), "", "waiter before"),
    bind(&[code(KeyCode::PageDown)], Act::Move(10), "", "ten further"),
    bind(&[code(KeyCode::PageUp)], Act::Move(-10), "", "ten back"),
    bind(&[code(KeyCode::Home), key('g')], Act::First, "", "the oldest wait"),
    bind(&[code(KeyCode::Enter), key('p')], Act::Process, "process", "the waiting process in depth"),
    bind(&[key('e')], Act::Evidence, "evidence", "show or hide the facts behind each link"),
];

/// How long a wait must have stood to have been seen in two readings.
pub(crate) const SETTLED: Nanos = Nanos::from_millis(1_500);

/// All waiters, the worst and oldest first.
fn blocked<'t>(table: &'t ProcessTable, look: &Look<'_>) -> Vec<Blocked<'t>> {
    chain::blocked(table, look.now.since(SETTLED))
}

/// The view.
#[derive(Debug)]
struct Waits {
    selected: Option<(Pid, Pid)>,
    top: usize,
    evidence: bool,
}

impl Default for Waits {
    fn default() -> Self {
        Waits { selected: None, top: 0, evidence: true }
    }
}

impl Panel for Waits {
    fn topics(&self) -> Topics {
        Topics { system: true, processes: true, threads: true, waits: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        hints(KEYS)
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let Some(stamped) = &look.store.processes else {
            let inside = frame::draw(screen, area, "Waits", "", look.theme);
            Line::styled("reading all threads …", look.style(Role::Dim)).render(inside, screen.buffer_mut());
            return;
        };
        let table = &stamped.value;
        let waiters = blocked(table, look);
        if waiters.is_empty() {
            return draw_empty(screen, area, table, look);
        }
        let index = self.index(&waiters);
        let (list, chain) = split(area);
        self.draw_list(screen, list, &waiters, index, table, look);
        if !chain.is_empty() {
            self.draw_chain(screen, chain, waiters[index], table, look);
        }
    }

    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        let Some(act) = lookup(KEYS, key) else { return Reaction::Ignored };
        let Some(stamped) = &look.store.processes else { return Reaction::taken() };
        let waiters = blocked(&stamped.value, look);
        match act {
            Act::Move(by) => self.move_by(by, &waiters),
            Act::First => self.selected = waiters.first().map(|w| (w.pid, w.tid)),
            Act::Evidence => self.evidence = !self.evidence,
            Act::Process => {
                if let Some(waiter) = waiters.get(self.index(&waiters)) {
                    return Reaction::Taken(vec![Effect::Open { panel: "processes", pid: Some(waiter.pid) }]);
                }
            }
        }
        Reaction::taken()
    }

    fn on_mouse(&mut self, mouse: &MouseEvent, look: &Look<'_>) -> Reaction {
        let Some(stamped) = &look.store.processes else { return Reaction::Ignored };
        let by = match mouse.kind {
            MouseEventKind::ScrollDown => 1,
            MouseEventKind::ScrollUp => -1,
            _ => return Reaction::Ignored,
        };
        self.move_by(by, &blocked(&stamped.value, look));
        Reaction::taken()
    }

    fn on_open(&mut self, pid: Option<Pid>, look: &Look<'_>) -> Vec<Effect> {
        if let (Some(pid), Some(stamped)) = (pid, &look.store.processes) {
            self.selected = blocked(&stamped.value, look).iter().find(|w| w.pid == pid).map(|w| (w.pid, w.tid));
        }
        Vec::new()
    }
}

impl Waits {
    fn index(&self, waiters: &[Blocked<'_>]) -> usize {
        self.selected.and_then(|s| waiters.iter().position(|w| (w.pid, w.tid) == s)).unwrap_or(0)
    }

    fn move_by(&mut self, by: isize, waiters: &[Blocked<'_>]) {
        let index = self.index(waiters).saturating_add_signed(by).min(waiters.len().saturating_sub(1));
        self.selected = waiters.get(index).map(|w| (w.pid, w.tid));
    }

    fn draw_list(
        &mut self,
        screen: &mut Frame<'_>,
        area: Rect,
        waiters: &[Blocked<'_>],
        index: usize,
        table: &ProcessTable,
        look: &Look<'_>,
    ) {
        let note = format!("{} · worst and oldest first", waiters.len());
        let inside = frame::draw_focused(screen, area, "Waiting for somebody", &note, look.theme);
        let rows = usize::from(inside.height).max(1);
        self.top = self.top.min(index).max((index + 1).saturating_sub(rows)).min(waiters.len().saturating_sub(rows));
        for (y, waiter) in waiters.iter().enumerate().skip(self.top).take(rows).enumerate() {
            let row = Rect { y: inside.y + y as u16, height: 1, ..inside };
            waiter_line(waiter.1, table, look).render(row, screen.buffer_mut());
            if waiter.0 == index {
                screen.buffer_mut().set_style(row, look.style(Role::Selection));
            }
        }
    }

    fn draw_chain(
        &self,
        screen: &mut Frame<'_>,
        area: Rect,
        start: Blocked<'_>,
        table: &ProcessTable,
        look: &Look<'_>,
    ) {
        let title = format!("{} · {}", process_text(start.pid, table), thread_text(start.pid, start.tid, table));
        let inside = frame::draw(screen, area, &title, "", look.theme);
        let chain = follow(table, start.pid, start.tid, look.now.since(SETTLED));
        let lines = chain_lines(&chain, self.evidence, usize::from(inside.width), table, look);
        for (y, line) in lines.into_iter().take(usize::from(inside.height)).enumerate() {
            line.render(Rect { y: inside.y + y as u16, height: 1, ..inside }, screen.buffer_mut());
        }
    }
}

/// The list on the left and the chain on the right; below one another on a
/// narrow screen, the list alone on a low one.
fn split(area: Rect) -> (Rect, Rect) {
    if area.width >= 100 {
        let list = (area.width * 2 / 5).max(46);
        return (Rect { width: list, ..area }, Rect { x: area.x + list, width: area.width - list, ..area });
    }
    if area.height < 12 {
        return (area, Rect { height: 0, ..area });
    }
    let list = area.height / 2;
    (Rect { height: list, ..area }, Rect { y: area.y + list, height: area.height - list, ..area })
}

fn draw_empty(screen: &mut Frame<'_>, area: Rect, table: &ProcessTable, look: &Look<'_>) {
    let inside = frame::draw(screen, area, "Waiting for somebody", "0", look.theme);
    let waits = table.processes.iter().filter(|p| p.wait.is_some()).count()
        + table.threads.iter().filter(|t| t.tid != t.pid && t.wait.is_some()).count();
    let mut lines = vec![
        Line::styled("Nobody waits for a thread or process that can be named.", look.style(Role::Good)),
        Line::styled(format!("{waits} waits for time, input or events were looked at."), look.style(Role::Dim)),
    ];
    if !table.complete {
        lines = vec![Line::styled("reading all threads …", look.style(Role::Dim))];
    }
    lines.extend(table.faults.iter().map(|f| Line::styled(format!("! {f}"), look.style(Role::Warn))));
    for (y, line) in lines.into_iter().take(usize::from(inside.height)).enumerate() {
        line.render(Rect { y: inside.y + y as u16, height: 1, ..inside }, screen.buffer_mut());
    }
}

/// `  3m12 payments 4130  mutex [heap] ← 4133 worker-5`.
pub(crate) fn waiter_line(waiter: &Blocked<'_>, table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
    let age = waiter.wait.since.map_or_else(|| "–".to_owned(), |s| look.now.since(s).age());
    let name = table.process(waiter.pid).map(|p| p.name.to_string()).unwrap_or_default();
    let mark = if waiter.verdict == Verdict::Waiting { " " } else { "●" };
    let mut spans = vec![
        Span::styled(mark, look.style(Role::Danger)),
        Span::styled(format!("{} ", text::right(&age, 6)), look.style(Role::Dim)),
        Span::styled(format!("{name} "), look.style(Role::Strong)),
        Span::styled(format!("{} ", waiter.tid), look.style(Role::Dim)),
        Span::styled(format!("{} ", waiter.wait.kind.words()), look.style(Role::Accent)),
    ];
    spans.extend(holders(waiter.wait, table, look));
    Line::from(spans)
}

fn holders(wait: &Wait, table: &ProcessTable, look: &Look<'_>) -> Vec<Span<'static>> {
    if wait.orphaned {
        return vec![Span::styled("← nobody: orphaned", look.style(Role::Danger))];
    }
    let Some(first) = wait.holders.first() else { return Vec::new() };
    let others = if wait.holders.len() > 1 { format!(" +{}", wait.holders.len() - 1) } else { String::new() };
    vec![
        Span::styled("← ", look.style(Role::Dim)),
        Span::styled(format!("{}{others}", holder_text(*first, table)), look.style(Role::Text)),
    ]
}

fn process_text(pid: Pid, table: &ProcessTable) -> String {
    holder_text(Holder { pid, tid: None }, table)
}

fn thread_text(pid: Pid, tid: Pid, table: &ProcessTable) -> String {
    holder_text(Holder { pid, tid: Some(tid) }, table)
}

fn chain_lines(
    chain: &Chain<'_>,
    evidence: bool,
    width: usize,
    table: &ProcessTable,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let faint = look.style(Role::Faint);
    let looped = match chain.end {
        End::Loop { from, .. } => from..chain.hops.len(),
        _ => 0..0,
    };
    let mut lines = Vec::new();
    for (index, hop) in chain.hops.iter().enumerate() {
        let role = if looped.contains(&index) { Role::Warn } else { Role::Strong };
        lines.push(hop_line(hop, role, table, look));
        let Some(wait) = hop.wait else { continue };
        let rail = || Span::styled("│  ", faint);
        lines.push(Line::from(vec![
            rail(),
            Span::styled("waits for ", look.style(Role::Dim)),
            Span::styled(wait_text(wait), look.style(Role::Accent)),
        ]));
        lines.push(Line::from(vec![rail(), Span::styled(how_sure(wait, look.now), look.style(Role::Dim))]));
        if evidence {
            let wrapped = wait.evidence.iter().flat_map(|e| text::wrap(e, width.saturating_sub(5).max(20)));
            lines.extend(wrapped.map(|part| Line::from(vec![rail(), Span::styled(format!("  {part}"), faint)])));
        }
        if index + 1 < chain.hops.len() {
            lines.push(Line::styled("▼  held by", look.style(Role::Dim)));
        }
    }
    lines.push(Line::default());
    lines.extend(end_lines(chain, table, look));
    lines
}

fn hop_line(hop: &Hop<'_>, role: Role, table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
    let thread = thread_text(hop.pid, hop.tid, table);
    let mut spans = vec![Span::styled(thread, look.style(role))];
    if hop.pid != hop.tid {
        spans.push(Span::styled(format!("  of {}", process_text(hop.pid, table)), look.style(Role::Dim)));
    }
    if hop.wait.is_none() {
        let state = table.process(hop.pid).map_or("gone", |p| p.state.word());
        spans.push(Span::styled(format!("  {state}"), look.style(Role::Good)));
    }
    Line::from(spans)
}

fn how_sure(wait: &Wait, now: Nanos) -> String {
    let since = wait.since.map_or_else(String::new, |s| format!("since {} · ", now.since(s).age()));
    let timed = if wait.timed { " · ends by itself" } else { "" };
    format!("{since}{}{timed}", format!("{:?}", wait.certainty).to_lowercase())
}

fn end_lines(chain: &Chain<'_>, table: &ProcessTable, look: &Look<'_>) -> Vec<Line<'static>> {
    let line = |text: String, role: Role| Line::styled(text, look.style(role));
    let Some(last) = chain.hops.last() else { return Vec::new() };
    match chain.end {
        End::Loop { from, deadlock } => {
            let back = thread_text(chain.hops[from].pid, chain.hops[from].tid, table);
            let verdict = if deadlock {
                line("DEADLOCK: each waits for the next, none can go on".to_owned(), Role::Danger)
            } else {
                line(
                    "a loop, but one that a time-out, another holder or a change since the last reading may break"
                        .to_owned(),
                    Role::Warn,
                )
            };
            vec![line(format!("▲  held by {back}: the loop closes"), Role::Warn), verdict]
        }
        End::Orphaned => vec![line("its holder no longer exists: nobody will ever let it go".to_owned(), Role::Danger)],
        End::Several => {
            let Some(wait) = last.wait else { return Vec::new() };
            let head = if wait.mode == Mode::Any { "any one of these can end it:" } else { "all of these must act:" };
            let mut lines = vec![line(head.to_owned(), Role::Dim)];
            lines.extend(wait.holders.iter().map(|h| line(format!("  {}", holder_text(*h, table)), Role::Strong)));
            lines
        }
        End::Open if last.wait.is_none() => vec![line("the chain ends here: this one must act".to_owned(), Role::Good)],
        End::Open => vec![line("the chain ends here: nobody can be named behind this wait".to_owned(), Role::Dim)],
    }
}
