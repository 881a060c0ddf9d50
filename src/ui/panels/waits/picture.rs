//! The drawn graph of a chain: from its head to whoever must act, or round a
//! loop.

use std::collections::HashMap;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::list::holder_name;
use crate::model::graph::{GraphThread, ThreadId, Verdict, WaitGraph};
use crate::model::process::State;
use crate::model::wait::{Holder, Mode, Wait};
use crate::model::{Nanos, Pid};
use crate::ui::chains::{Chain, holding};
use crate::ui::panels::Look;
use crate::ui::panels::processes::columns::wait_text;
use crate::ui::theme::Role;
use crate::ui::widgets::page::say_more;
use crate::ui::widgets::rows;
use crate::ui::widgets::wait_graph::{Branch, Drawing, Link, Shape, lay_out};

/// So many threads are drawn.
const DRAWN: usize = 60;
/// So many holders of one wait are drawn.
const HOLDERS: usize = 5;

/// Draws the chain, from row `scroll` on where it is too long; returns that row,
/// no further than there is something to see.
pub(super) fn draw(
    screen: &mut Frame<'_>,
    area: Rect,
    chain: &Chain,
    graph: &WaitGraph,
    (evidence, scroll): (bool, usize),
    look: &Look<'_>,
) -> usize {
    let mut tree = Tree { graph, look, evidence, known: HashMap::new() };
    let Some(head) = graph.thread(chain.head) else { return 0 };
    let root = tree.thread(head);
    let notes = notes(chain, graph, look);
    let height = usize::from(area.height);
    let fits = |shape| {
        let drawing = lay_out(&root, shape, area.width, look.theme);
        (drawing.height() + notes.len() <= height).then_some(drawing)
    };
    // Boxes where they fit; where nothing fits, boxes are worth scrolling only
    // on a screen of some height.
    let shape = if height >= 16 { Shape::Boxes } else { Shape::Rows };
    let drawing: Drawing = fits(Shape::Boxes)
        .or_else(|| fits(Shape::Rows))
        .unwrap_or_else(|| lay_out(&root, shape, area.width, look.theme));
    let most = (drawing.height() + notes.len()).saturating_sub(height);
    let scroll = scroll.min(most);
    drawing.draw(screen.buffer_mut(), area, scroll, look.theme);
    let used = (drawing.height() - scroll.min(drawing.height())).min(height) as u16;
    let below = Rect { y: area.y + used, height: area.height - used, ..area };
    rows::draw(screen, below, notes.into_iter().skip(scroll.saturating_sub(drawing.height())));
    say_more(screen, Rect { y: area.bottom(), height: 1, ..area }, most - scroll, look.theme);
    scroll
}

/// What the chain comes to, in a word or two.
pub(super) fn summary(chain: &Chain, graph: &WaitGraph) -> String {
    match (chain.verdict, chain.deadlock.and_then(|index| graph.deadlocks.get(index))) {
        (_, Some(deadlock)) => format!("deadlock, {:?}", deadlock.certainty).to_lowercase(),
        (Verdict::Stuck, _) => "stuck".to_owned(),
        (Verdict::Unknown, _) => "who must act is not seen".to_owned(),
        _ => String::new(),
    }
}

/// `payments 4121`.
pub(super) fn process_name(thread: &GraphThread) -> String {
    format!("{} {}", thread.process, thread.id.pid)
}

/// Who else is in it without being drawn.
fn notes(chain: &Chain, graph: &WaitGraph, look: &Look<'_>) -> Vec<Line<'static>> {
    const NAMED: usize = 12;
    let mut lines = Vec::new();
    if let Some(deadlock) = chain.deadlock.and_then(|index| graph.deadlocks.get(index)) {
        let words = match deadlock.cycle.len() {
            1 => "DEADLOCK: it waits for itself and cannot go on",
            _ => "DEADLOCK: none of them can go on by itself",
        };
        lines.extend([Line::default(), Line::styled(words, look.style(Role::Danger))]);
        let behind: Vec<&ThreadId> = deadlock.stuck.iter().filter(|id| !deadlock.cycle.contains(id)).collect();
        if !behind.is_empty() {
            lines.push(Line::styled(format!("stuck behind it: {}", behind.len()), look.style(Role::Dim)));
        }
        lines.extend(behind.iter().take(NAMED).filter_map(|id| graph.thread(**id)).map(|thread| {
            let mut spans = vec![Span::styled(format!("  {} ", thread_name(thread)), look.style(Role::Text))];
            if let Some(wait) = &thread.wait {
                spans.push(Span::styled(wait_text(wait), look.style(Role::Accent)));
                let to = wait.holders.first().map_or_else(String::new, |h| format!(" → {}", holder_name(*h, graph)));
                spans.push(Span::styled(to, look.style(Role::Dim)));
            }
            Line::from(spans)
        }));
        if behind.len() > NAMED {
            lines.push(Line::styled(format!("  and {} more", behind.len() - NAMED), look.style(Role::Dim)));
        }
    }
    if !chain.alike.is_empty() {
        let tids: Vec<String> = chain.alike.iter().take(NAMED).map(|id| id.tid.to_string()).collect();
        let dots = if chain.alike.len() > NAMED { ", …" } else { "" };
        let words = format!("{} more wait alike: {}{dots}", chain.alike.len(), tids.join(", "));
        lines.extend([Line::default(), Line::styled(words, look.style(Role::Dim))]);
    }
    lines
}

/// What is drawn: a thread, or a process of which any thread may act.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    Thread(ThreadId),
    Process(Pid),
}

struct Tree<'a> {
    graph: &'a WaitGraph,
    look: &'a Look<'a>,
    evidence: bool,
    /// What is drawn already.
    known: HashMap<Node, usize>,
}

impl Tree<'_> {
    fn number(&mut self, node: Node) -> usize {
        let next = self.known.len();
        *self.known.entry(node).or_insert(next)
    }

    fn thread(&mut self, thread: &GraphThread) -> Branch {
        let id = self.number(Node::Thread(thread.id));
        let doomed = thread.verdict == Verdict::Deadlocked;
        let mut branch =
            Branch { id, title: thread_name(thread), verdict: Some(becomes(thread)), doomed, ..Branch::default() };
        let Some(wait) = thread.wait.as_deref() else { return branch };
        branch.label = self.label(wait);
        branch.facts = self.facts(wait);
        branch.relation = relation(wait);
        branch.links = self.links(thread, wait);
        branch
    }

    /// `mutex [heap] +0x2a0 · 3m12 · certain`.
    fn label(&self, wait: &Wait) -> Vec<Span<'static>> {
        let mut words = String::new();
        if let Some(age) = wait.age(self.look.now, Nanos::age) {
            words = format!(" · {age}");
        }
        words += &format!(" · {:?}", wait.certainty).to_lowercase();
        if wait.timed {
            words += " · ends by itself";
        }
        vec![
            Span::styled(wait_text(wait), self.look.style(Role::Accent)),
            Span::styled(words, self.look.style(Role::Dim)),
        ]
    }

    fn facts(&self, wait: &Wait) -> Vec<Line<'static>> {
        let mut facts = Vec::new();
        if wait.partial {
            facts.push(Line::styled(UNSEEN, self.look.style(Role::Warn)));
        }
        if self.evidence {
            let at = wait.at.iter().map(|at| Line::styled(format!("at {at}"), self.look.style(Role::Dim)));
            facts.extend(at);
            facts.extend(wait.evidence.iter().map(|fact| Line::styled(fact.clone(), self.look.style(Role::Dim))));
        }
        facts
    }

    fn links(&mut self, thread: &GraphThread, wait: &Wait) -> Vec<Link> {
        if wait.orphaned {
            return vec![Link::Onward("nobody any more: its holder is gone for ever".to_owned(), Role::Danger)];
        }
        if wait.holders.is_empty() {
            let (words, role) = match thread.verdict {
                Verdict::Unknown => ("who must act cannot be seen", Role::Warn),
                _ => ("nobody in particular", Role::Dim),
            };
            return vec![Link::Onward(words.to_owned(), role)];
        }
        let mut links: Vec<Link> = wait.holders.iter().take(HOLDERS).map(|holder| self.link(*holder)).collect();
        let more = wait.holders.len().saturating_sub(HOLDERS);
        if more > 0 {
            links.push(Link::Onward(format!("{more} more"), Role::Dim));
        }
        links
    }

    fn link(&mut self, holder: Holder) -> Link {
        let graph = self.graph;
        let own = holding(graph, holder);
        let name = holder_name(holder, graph);
        let Some(first) = own.first() else {
            return Link::Onward(format!("{name}, which is not seen"), Role::Warn);
        };
        let node = if own.len() == 1 { Node::Thread(first.id) } else { Node::Process(holder.pid) };
        if let Some(&known) = self.known.get(&node) {
            return Link::Back(known, name);
        }
        if self.known.len() >= DRAWN {
            return Link::Onward(format!("{name} and further"), Role::Dim);
        }
        Link::To(if own.len() == 1 { self.thread(first) } else { self.process(own) })
    }

    /// A process any thread of which may act: the one nearest to it.
    fn process(&mut self, own: &[GraphThread]) -> Branch {
        let pid = own[0].id.pid;
        let id = self.number(Node::Process(pid));
        let title = format!("{} {pid} · any of {} threads", own[0].process, own.len());
        let Some(ablest) = own.iter().max_by_key(|thread| (thread.verdict, thread.id.tid == pid)) else {
            return Branch { id, title, ..Branch::default() };
        };
        let verdict = Some(becomes(ablest));
        let doomed = ablest.verdict == Verdict::Deadlocked;
        let mut branch = Branch { id, title, verdict, doomed, ..Branch::default() };
        if ablest.verdict == Verdict::Running {
            return branch;
        }
        "its threads".clone_into(&mut branch.relation);
        for thread in own.iter().take(HOLDERS) {
            let node = Node::Thread(thread.id);
            branch.links.push(match self.known.get(&node) {
                Some(&known) => Link::Back(known, thread_name(thread)),
                None if self.known.len() >= DRAWN => Link::Onward(thread_name(thread), Role::Dim),
                None => Link::To(self.thread(thread)),
            });
        }
        if own.len() > HOLDERS {
            branch.links.push(Link::Onward(format!("{} more threads", own.len() - HOLDERS), Role::Dim));
        }
        branch
    }
}

/// What is said where not everybody who could act is seen.
pub(in crate::ui::panels) const UNSEEN: &str = "somebody who cannot be seen may act too";

fn relation(wait: &Wait) -> String {
    match (wait.holders.len(), wait.mode) {
        (0 | 1, _) => wait.relation().to_owned(),
        (2, Mode::Any) => "either of these can end it".to_owned(),
        (2, Mode::All) => "both of these must act".to_owned(),
        (n, Mode::Any) => format!("any one of these {n} can end it"),
        (n, Mode::All) => format!("all {n} of these must act"),
    }
}

fn thread_name(thread: &GraphThread) -> String {
    if thread.id.tid == thread.id.pid {
        return process_name(thread);
    }
    format!("{} {} · {}", thread.thread, thread.id.tid, process_name(thread))
}

fn becomes(thread: &GraphThread) -> (String, Role) {
    let (words, role) = match (thread.verdict, thread.state) {
        (Verdict::Deadlocked, _) => ("deadlocked", Role::Danger),
        (Verdict::Stuck, _) => ("stuck", Role::Danger),
        (Verdict::Unknown, _) => ("unknown", Role::Warn),
        (_, State::Stopped | State::Traced) => (thread.state.word(), Role::Warn),
        (Verdict::Waiting, _) => ("waiting", Role::Accent),
        (Verdict::Running, State::Zombie) => ("has ended", Role::Dim),
        (Verdict::Running, State::Running) => ("running", Role::Good),
        (Verdict::Running, _) => ("can act", Role::Good),
    };
    (words.to_owned(), role)
}
