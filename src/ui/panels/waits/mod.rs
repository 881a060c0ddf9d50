//! Waits: who is stuck, on what, and who must act?
//!
//! ```text
//! ╭ Chains ───────── 3 · oldest first ╮╭ payments 4121 ──────────────────────────╮
//! │ ● 3m12 payments 4121 4130 ⇄ 4133…││ ╭───────────────────────────────────╮   │
//! │    14m postgres 811 flock ← 790   ││ │ worker-2 4130          deadlocked │◀─╮│
//! │     8s tar 5120 pipe full ← gzip  ││ ╰─┬─────────────────────────────────╯  ││
//! ╰───────────────────────────────────╯╰─────────────────────────────────────────╯
//! ```
//!
//! Below one another on a narrow screen; on a low one there is the list alone.

mod list;
mod picture;

use std::borrow::Cow;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

pub(super) use self::list::{chain_line, deadlocks, unseen};
pub(super) use self::picture::UNSEEN;
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::Topics;
use crate::model::Pid;
use crate::model::graph::{ThreadId, WaitGraph};
use crate::ui::chains::{Chain, Order, sort};
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key, lookup};
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

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
    Order,
    Scroll(isize),
}

const KEYS: &[Binding<Act>] = &[
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "next", "next chain"),
    bind(&[code(KeyCode::Up), key('k')], Act::Move(-1), "", "chain before"),
    bind(&[code(KeyCode::Enter), key('p')], Act::Process, "process", "the waiting process in depth"),
    bind(&[key('e')], Act::Evidence, "evidence", "show or hide the facts behind each wait"),
    bind(&[key('o')], Act::Order, "order", "oldest or longest chains first"),
    bind(&[key('J')], Act::Scroll(3), "scroll", "scroll the drawing down"),
    bind(&[key('K')], Act::Scroll(-3), "", "scroll the drawing up"),
    bind(&[code(KeyCode::PageDown)], Act::Move(10), "", "ten further"),
    bind(&[code(KeyCode::PageUp)], Act::Move(-10), "", "ten back"),
    bind(&[code(KeyCode::Home), key('g')], Act::First, "", "the first chain"),
];

/// The view.
#[derive(Debug)]
struct Waits {
    selected: Option<ThreadId>,
    /// The first chain on the screen.
    top: usize,
    evidence: bool,
    order: Order,
    /// The first row of the drawing on the screen.
    scroll: usize,
    /// Where the rows of the list stood in the last frame.
    list: Rect,
}

impl Default for Waits {
    fn default() -> Self {
        let (selected, order, list) = (None, Order::Oldest, Rect::default());
        Waits { selected, top: 0, evidence: true, order, scroll: 0, list }
    }
}

impl Panel for Waits {
    fn topics(&self) -> Topics {
        Topics { system: true, processes: true, threads: true, waits: true, graph: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        hints(KEYS)
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let Some(stamped) = &look.store.graph else {
            let inside = frame::draw(screen, area, "Chains", "", look.theme);
            rows::draw(screen, inside, [Line::styled("reading all threads …", look.style(Role::Dim))]);
            return;
        };
        let graph = &stamped.value;
        let chains = self.ordered(look);
        if chains.is_empty() {
            return draw_empty(screen, area, graph, look);
        }
        let index = self.index(&chains, graph);
        let (list, drawing) = split(area, chains.len());
        self.draw_list(screen, list, &chains, index, graph, look);
        if drawing.is_empty() {
            return;
        }
        let chain = &chains[index];
        let title = graph.thread(chain.head).map_or_else(String::new, picture::process_name);
        let note = picture::summary(chain, graph);
        let inside = frame::draw(screen, drawing, &title, &note, look.theme);
        let scroll = picture::draw(screen, inside, chain, graph, (self.evidence, self.scroll), look);
        self.scroll = scroll;
    }

    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        let Some(act) = lookup(KEYS, key) else { return Reaction::Ignored };
        let Some(stamped) = &look.store.graph else { return Reaction::taken() };
        let chains = self.ordered(look);
        match act {
            Act::Move(by) => self.move_by(by, &chains, &stamped.value),
            Act::First => self.select(chains.first()),
            Act::Evidence => self.evidence = !self.evidence,
            Act::Scroll(by) => self.scroll = self.scroll.saturating_add_signed(by),
            Act::Order => {
                self.select(chains.get(self.index(&chains, &stamped.value)));
                self.order = if self.order == Order::Oldest { Order::Longest } else { Order::Oldest };
            }
            Act::Process => {
                if let Some(chain) = chains.get(self.index(&chains, &stamped.value)) {
                    // The way back leads to this very chain.
                    self.selected = Some(chain.head);
                    return Reaction::Taken(vec![Effect::Open { panel: "processes", pid: Some(chain.head.pid) }]);
                }
            }
        }
        Reaction::taken()
    }

    fn on_mouse(&mut self, mouse: &MouseEvent, look: &Look<'_>) -> Reaction {
        let Some(stamped) = &look.store.graph else { return Reaction::Ignored };
        let at = Position::new(mouse.column, mouse.row);
        let chains = self.ordered(look);
        let by = match mouse.kind {
            MouseEventKind::ScrollDown => 1,
            MouseEventKind::ScrollUp => -1,
            MouseEventKind::Down(MouseButton::Left) if self.list.contains(at) => {
                self.select(chains.get(self.top + usize::from(mouse.row - self.list.y)));
                return Reaction::taken();
            }
            _ => return Reaction::Ignored,
        };
        if self.list.contains(at) {
            self.move_by(by, &chains, &stamped.value);
        } else {
            self.scroll = self.scroll.saturating_add_signed(by * 3);
        }
        Reaction::taken()
    }

    fn on_open(&mut self, pid: Option<Pid>, look: &Look<'_>) -> Vec<Effect> {
        if let (Some(pid), Some(stamped)) = (pid, &look.store.graph) {
            let chains = self.ordered(look);
            self.select(chains.iter().find(|chain| members(chain, &stamped.value).any(|id| id.pid == pid)));
        }
        Vec::new()
    }
}

/// The threads that a line of the list stands for.
fn members<'a>(chain: &'a Chain, graph: &'a WaitGraph) -> impl Iterator<Item = ThreadId> + 'a {
    let behind = chain.deadlock.and_then(|index| graph.deadlocks.get(index)).map_or(&[][..], |d| &d.stuck);
    std::iter::once(chain.head).chain(chain.alike.iter().copied()).chain(behind.iter().copied())
}

impl Waits {
    fn ordered<'s>(&self, look: &Look<'s>) -> Cow<'s, [Chain]> {
        let mut chains = Cow::Borrowed(&*look.store.chains);
        if self.order != Order::Oldest {
            sort(chains.to_mut(), self.order);
        }
        chains
    }

    /// Where the selected thread is: at the head of a chain, or in one.
    fn index(&self, chains: &[Chain], graph: &WaitGraph) -> usize {
        let Some(selected) = self.selected else { return 0 };
        let head = chains.iter().position(|chain| chain.head == selected);
        head.or_else(|| chains.iter().position(|chain| members(chain, graph).any(|id| id == selected))).unwrap_or(0)
    }

    fn select(&mut self, chain: Option<&Chain>) {
        if let Some(chain) = chain {
            (self.selected, self.scroll) = (Some(chain.head), 0);
        }
    }

    fn move_by(&mut self, by: isize, chains: &[Chain], graph: &WaitGraph) {
        let index = self.index(chains, graph).saturating_add_signed(by).min(chains.len().saturating_sub(1));
        self.select(chains.get(index));
    }

    fn draw_list(
        &mut self,
        screen: &mut Frame<'_>,
        area: Rect,
        chains: &[Chain],
        index: usize,
        graph: &WaitGraph,
        look: &Look<'_>,
    ) {
        let order = if self.order == Order::Oldest { "oldest first" } else { "longest first" };
        let note = format!("{} · {order}", deadlocks(graph, look));
        let title = format!("Chains {}", chains.len());
        let inside = frame::draw_focused(screen, area, &title, &note, look.theme);
        let height = usize::from(inside.height).max(1);
        self.list = inside;
        self.top = self.top.min(index).max((index + 1).saturating_sub(height)).min(chains.len().saturating_sub(height));
        let shown = chains.iter().enumerate().skip(self.top).take(height);
        rows::draw(screen, inside, shown.clone().map(|(_, chain)| chain_line(chain, graph, look)));
        if let Some(y) = shown.map(|(at, _)| at).position(|at| at == index) {
            let row = Rect { y: inside.y + y as u16, height: 1, ..inside };
            screen.buffer_mut().set_style(row, look.style(Role::Selection));
        }
    }
}

/// The list on the left and the drawing on the right; below one another on a
/// narrow screen, the list alone on a low one.
fn split(area: Rect, chains: usize) -> (Rect, Rect) {
    if area.width >= 100 && area.height >= 6 {
        let list = (area.width * 2 / 5).clamp(46, 84);
        return (Rect { width: list, ..area }, Rect { x: area.x + list, width: area.width - list, ..area });
    }
    if area.height < 12 {
        return (area, Rect { height: 0, ..area });
    }
    let list = (chains.min(usize::from(area.height)) as u16 + 2).clamp(4, area.height / 3);
    (Rect { height: list, ..area }, Rect { y: area.y + list, height: area.height - list, ..area })
}

fn draw_empty(screen: &mut Frame<'_>, area: Rect, graph: &WaitGraph, look: &Look<'_>) {
    let inside = frame::draw(screen, area, "Chains", &deadlocks(graph, look), look.theme);
    let processes = text::count(graph.scanned.processes as u32, "process", "processes");
    let threads = text::count(graph.scanned.threads as u32, "thread", "threads");
    let table = look.store.processes.as_ref().map(|s| &s.value);
    let faults = table.map_or(&[][..], |table| &table.faults);
    let mut lines = vec![
        ("Nobody waits for a thread or process that can be named.".to_owned(), Role::Good),
        (format!("{processes} with {threads} were looked at."), Role::Dim),
    ];
    lines.extend(graph.unreadable.iter().map(|one| (format!("! {}: {}", one.pid, one.why), Role::Warn)));
    lines.extend(faults.iter().map(|fault| (format!("! {fault}"), Role::Faint)));
    let wrapped = lines.iter().flat_map(|(words, role)| {
        text::wrap(words, usize::from(inside.width)).into_iter().map(|line| Line::styled(line, look.style(*role)))
    });
    rows::draw(screen, inside, wrapped.collect::<Vec<_>>());
}
