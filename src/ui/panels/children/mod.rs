//! Children: run a command, watch what it writes, talk to it, end it.
//!
//! ```text
//! ╭ Children ─────────── 1 of 2 alive ╮╭ 5200 cargo build ────────── following ╮
//! │ ▶ 5200 cargo build   12s  97%  41M ││    0.012 │ Compiling syncscope        │
//! │ ✔ 5188 make          1.3s  exit 0  ││    0.840 ┃ warning: unused import     │
//! ╰────────────────────────────────────╯│                                       │
//! ╭ running ───────────────────────────╮│                                       │
//! │ pid 5200 · started 12s ago …       ││                                       │
//! ╰────────────────────────────────────╯╰───────────────────────────────────────╯
//!  run › cargo test▏
//! ```

mod facts;
mod list;
mod log;
mod words;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use self::log::Log;
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::{ChildCommand, Command, Topics};
use crate::model::Pid;
use crate::model::child::{ChildId, ChildState, ChildView, StdinState};
use crate::ui::keymap::{Binding, Hint, bind, code, ctrl, hints, key, lookup};
use crate::ui::theme::Role;
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::signals::{Choice, SignalMenu};
use crate::ui::widgets::{frame, text};

/// What it is.
pub const INFO: Info = Info {
    name: "children",
    title: "Children",
    question: "What does the program I started do, what does it write, and how did it end?",
    open: || Box::new(Children::default()),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Move(isize),
    Run,
    Again,
    Write,
    CloseStdin,
    Signal,
    Forget,
    Process,
    Search,
    Match(isize),
    Scroll(isize),
    Page(isize),
    Oldest,
    Follow,
    Wrap,
    Stamps,
}

const KEYS: &[Binding<Act>] = &[
    bind(&[key('r')], Act::Run, "run", "run a command; quotes as in a shell, NAME=VALUE before it"),
    bind(&[key('i')], Act::Write, "input", "write a line to the child's standard input"),
    bind(&[ctrl('d')], Act::CloseStdin, "", "close its standard input: the end of the file"),
    bind(&[key('k'), code(KeyCode::F(9))], Act::Signal, "signal", "send it a signal; asks first"),
    bind(&[key('R')], Act::Again, "", "run the same command again"),
    bind(&[key('x'), code(KeyCode::Delete)], Act::Forget, "forget", "forget a child that has ended"),
    bind(&[code(KeyCode::Enter)], Act::Process, "process", "the child's process in depth"),
    bind(&[key('/')], Act::Search, "find", "find text in the log"),
    bind(&[key('n')], Act::Match(1), "", "next line that has it"),
    bind(&[key('p')], Act::Match(-1), "", "line before that has it"),
    bind(&[key('f'), code(KeyCode::End), key('G')], Act::Follow, "follow", "go to the log's end and follow it"),
    bind(&[code(KeyCode::Home), key('g')], Act::Oldest, "", "the oldest line that is kept"),
    bind(&[code(KeyCode::PageUp), ctrl('b')], Act::Page(-1), "", "a page of the log up"),
    bind(&[code(KeyCode::PageDown), ctrl('f')], Act::Page(1), "", "a page of the log down"),
    bind(&[key('K')], Act::Scroll(-1), "", "a line of the log up"),
    bind(&[key('J')], Act::Scroll(1), "", "a line of the log down"),
    bind(&[key('w')], Act::Wrap, "", "wrap long lines, or cut them"),
    bind(&[key('s')], Act::Stamps, "", "show or hide the times"),
    bind(&[code(KeyCode::Down), key('j')], Act::Move(1), "", "next child"),
    bind(&[code(KeyCode::Up)], Act::Move(-1), "", "child before"),
];

/// The commands that were run from here, for the arrow keys.
const HISTORY: usize = 50;

#[derive(Debug, Default)]
enum Mode {
    #[default]
    Browse,
    /// A command is typed; the place in the history.
    Run(Prompt, usize),
    /// A line for a child is typed.
    Write(ChildId, Prompt),
    Search(Prompt),
    Signal(SignalMenu<ChildId>),
}

/// The view.
#[derive(Debug, Default)]
struct Children {
    mode: Mode,
    selected: Option<ChildId>,
    /// Highest number seen: a new child is selected as it appears.
    newest: ChildId,
    top: usize,
    log: Log,
    history: Vec<String>,
    /// Why the typed command cannot be run.
    complaint: Option<String>,
    list_area: Rect,
    log_area: Rect,
}

impl Panel for Children {
    fn topics(&self) -> Topics {
        Topics { system: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        let two = |enter: &'static str, escape: &'static str| {
            vec![
                Hint { keys: "Enter".to_owned(), short: enter, long: enter },
                Hint { keys: "Esc".to_owned(), short: escape, long: escape },
            ]
        };
        match &self.mode {
            Mode::Browse if self.newest == 0 => hints(&KEYS[..1]),
            Mode::Browse => hints(KEYS),
            Mode::Run(..) => {
                let mut all = two("run it", "back");
                all.push(Hint { keys: "↑".to_owned(), short: "earlier", long: "commands run before" });
                all
            }
            Mode::Write(..) => two("write it", "back"),
            Mode::Search(_) => two("keep", "drop"),
            Mode::Signal(_) => Vec::new(),
        }
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let children = children(look);
        self.select_newest(children);
        let (body, prompt) = with_prompt(area, self.is_prompting());
        if children.is_empty() {
            draw_empty(screen, body, look);
        } else {
            self.draw_body(screen, body, children, look);
        }
        self.draw_prompt(screen, prompt, look);
        if let Mode::Signal(menu) = &mut self.mode {
            menu.draw(screen, area, look.theme);
        }
    }

    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        match &mut self.mode {
            Mode::Browse => lookup(KEYS, key).map_or(Reaction::Ignored, |act| self.act(act, look)),
            Mode::Run(prompt, place) => {
                let step = match key.code {
                    KeyCode::Up => place.saturating_sub(1),
                    KeyCode::Down => (*place + 1).min(self.history.len()),
                    _ => {
                        let typed = prompt.on_key(key);
                        return self.type_command(typed);
                    }
                };
                *place = step;
                *prompt = Prompt::with(self.history.get(step).map_or("", String::as_str));
                Reaction::taken()
            }
            Mode::Write(id, prompt) => {
                let (id, typed) = (*id, prompt.on_key(key));
                self.type_input(id, typed)
            }
            Mode::Search(prompt) => {
                let typed = prompt.on_key(key);
                self.type_search(typed, look)
            }
            Mode::Signal(menu) => match menu.on_key(key) {
                Choice::Open => Reaction::taken(),
                Choice::Cancelled => self.browse(),
                Choice::Send(signal) => {
                    let id = menu.target;
                    self.mode = Mode::Browse;
                    tell(ChildCommand::Signal { id, signal })
                }
            },
        }
    }

    fn on_mouse(&mut self, mouse: &MouseEvent, look: &Look<'_>) -> Reaction {
        let at = Position { x: mouse.column, y: mouse.row };
        let step: isize = match mouse.kind {
            MouseEventKind::ScrollDown => 3,
            MouseEventKind::ScrollUp => -3,
            MouseEventKind::Down(MouseButton::Left) if self.list_area.contains(at) => {
                let index = self.top + usize::from(mouse.row - self.list_area.y);
                // The list shows the latest first.
                if let Some(child) = children(look).iter().rev().nth(index) {
                    self.choose(child.id);
                }
                return Reaction::taken();
            }
            _ => return Reaction::Ignored,
        };
        if self.list_area.contains(at) {
            self.move_by(step.signum(), look);
        } else if let Some(child) = self.child(look) {
            self.log.scroll(step, child);
        }
        Reaction::taken()
    }

    fn on_paste(&mut self, text: &str, look: &Look<'_>) -> Reaction {
        match &mut self.mode {
            Mode::Run(prompt, _) | Mode::Write(_, prompt) => prompt.paste(text),
            Mode::Search(prompt) => {
                prompt.paste(text);
                return self.type_search(Typed::Changed, look);
            }
            Mode::Browse | Mode::Signal(_) => return Reaction::Ignored,
        }
        Reaction::taken()
    }

    fn is_typing(&self) -> bool {
        !matches!(self.mode, Mode::Browse)
    }

    fn on_open(&mut self, pid: Option<Pid>, look: &Look<'_>) -> Vec<Effect> {
        if let Some(child) = children(look).iter().find(|child| pid.is_some() && child.pid == pid) {
            self.choose(child.id);
        }
        Vec::new()
    }
}

impl Children {
    fn act(&mut self, act: Act, look: &Look<'_>) -> Reaction {
        if act == Act::Run {
            self.mode = Mode::Run(Prompt::default(), self.history.len());
            return Reaction::taken();
        }
        let Some(child) = self.child(look) else { return Reaction::Ignored };
        match act {
            Act::Move(by) => self.move_by(by, look),
            Act::Again => return tell(ChildCommand::Again(child.id)),
            Act::Write if child.stdin == StdinState::Closed => return notice("its standard input is closed"),
            Act::Write => self.mode = Mode::Write(child.id, Prompt::default()),
            Act::CloseStdin => return tell(ChildCommand::CloseStdin(child.id)),
            Act::Signal if child.pid.is_none() => return notice("it has ended: no signal can reach it"),
            Act::Signal => self.mode = Mode::Signal(SignalMenu::new(child.id, words::name(child))),
            Act::Forget if child.pid.is_some() => return notice("it still runs: end it first, with k"),
            Act::Forget => return tell(ChildCommand::Forget(child.id)),
            Act::Process if child.pid.is_none() => return notice("it has ended: there is no process to look at"),
            Act::Process => return Reaction::Taken(vec![Effect::Open { panel: "processes", pid: child.pid }]),
            Act::Search => self.mode = Mode::Search(Prompt::default()),
            Act::Match(by) => self.log.find(by, child),
            Act::Scroll(by) => self.log.scroll(by, child),
            Act::Page(by) => self.log.page(by, child),
            Act::Oldest => self.log.go_to_oldest(child),
            Act::Follow => self.log.follow(),
            Act::Wrap => self.log.wrap = !self.log.wrap,
            Act::Stamps => self.log.bare = !self.log.bare,
            Act::Run => {}
        }
        Reaction::taken()
    }

    fn browse(&mut self) -> Reaction {
        self.mode = Mode::Browse;
        self.complaint = None;
        Reaction::taken()
    }

    fn type_command(&mut self, typed: Typed) -> Reaction {
        let Mode::Run(prompt, _) = &self.mode else { return Reaction::Ignored };
        match typed {
            Typed::Changed => self.complaint = None,
            Typed::Cancelled => return self.browse(),
            Typed::Accepted if prompt.text().trim().is_empty() => return self.browse(),
            Typed::Accepted => match words::command(prompt.text()) {
                Ok(spec) => {
                    let text = prompt.text().to_owned();
                    self.history.retain(|known| *known != text);
                    self.history.push(text);
                    let surplus = self.history.len().saturating_sub(HISTORY);
                    self.history.drain(..surplus);
                    self.browse();
                    return tell(ChildCommand::Spawn(spec));
                }
                Err(complaint) => self.complaint = Some(complaint),
            },
        }
        Reaction::taken()
    }

    fn type_input(&mut self, id: ChildId, typed: Typed) -> Reaction {
        let Mode::Write(_, prompt) = &mut self.mode else { return Reaction::Ignored };
        match typed {
            Typed::Changed => Reaction::taken(),
            Typed::Cancelled => self.browse(),
            // The prompt stays: one talks in more than one line.
            Typed::Accepted => {
                let bytes = format!("{}\n", prompt.text()).into_bytes();
                *prompt = Prompt::default();
                tell(ChildCommand::Write { id, bytes })
            }
        }
    }

    fn type_search(&mut self, typed: Typed, look: &Look<'_>) -> Reaction {
        let Mode::Search(prompt) = &self.mode else { return Reaction::Ignored };
        let text = if typed == Typed::Cancelled { "" } else { prompt.text() };
        self.log.search(text);
        if let Some(child) = self.child(look) {
            match typed {
                Typed::Changed => self.log.find(0, child),
                Typed::Accepted | Typed::Cancelled => return self.browse(),
            }
        }
        Reaction::taken()
    }

    /// The selected child, the latest where none was selected.
    fn child<'a>(&self, look: &Look<'a>) -> Option<&'a Arc<ChildView>> {
        let all = children(look);
        self.selected.and_then(|id| all.iter().find(|child| child.id == id)).or(all.last())
    }

    fn choose(&mut self, id: ChildId) {
        if self.selected != Some(id) {
            self.selected = Some(id);
            self.log.follow();
        }
    }

    fn select_newest(&mut self, children: &[Arc<ChildView>]) {
        if let Some(last) = children.last().filter(|last| last.id > self.newest) {
            self.newest = last.id;
            self.choose(last.id);
        }
    }

    fn move_by(&mut self, by: isize, look: &Look<'_>) {
        let all = children(look);
        let Some(child) = self.child(look) else { return };
        let index = all.iter().position(|other| other.id == child.id).unwrap_or(0);
        // Down the list is back in time.
        let index = index.saturating_add_signed(-by).min(all.len() - 1);
        self.choose(all[index].id);
    }

    fn is_prompting(&self) -> bool {
        matches!(self.mode, Mode::Run(..) | Mode::Write(..) | Mode::Search(_))
    }

    fn draw_body(&mut self, screen: &mut Frame<'_>, area: Rect, all: &[Arc<ChildView>], look: &Look<'_>) {
        let Some(child) = self.child(look) else { return };
        let areas = split(area, all.len());
        self.list_area = list::draw(screen, areas.list, all, child.id, &mut self.top, look);
        if let Some(area) = areas.facts {
            facts::draw(screen, area, child, look);
        }
        self.log_area = areas.log;
        self.log.draw(screen, areas.log, child, areas.facts.is_some(), look);
    }

    fn draw_prompt(&self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let (label, prompt) = match &self.mode {
            Mode::Run(prompt, _) => ("run ›", prompt),
            Mode::Write(_, prompt) => ("input ›", prompt),
            Mode::Search(prompt) => ("find ›", prompt),
            Mode::Browse | Mode::Signal(_) => return,
        };
        let row = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        prompt.draw(screen, row, label, look.theme);
        if let Some(complaint) = &self.complaint {
            let note = text::fit(complaint, usize::from(area.width / 2));
            let width = note.chars().count() as u16 + 1;
            let place = Rect { x: area.right().saturating_sub(width), width, ..area };
            Line::styled(note, look.style(Role::Danger)).render(place, screen.buffer_mut());
        }
    }
}

/// All children, oldest first.
fn children<'a>(look: &Look<'a>) -> &'a [Arc<ChildView>] {
    look.store.children.as_ref().map(|stamped| stamped.value.children.as_slice()).unwrap_or_default()
}

fn tell(command: ChildCommand) -> Reaction {
    Reaction::send(Command::Child(command))
}

fn notice(text: &str) -> Reaction {
    Reaction::Taken(vec![Effect::Notice(text.to_owned())])
}

fn lives(child: &ChildView) -> bool {
    matches!(child.state, ChildState::Running | ChildState::Stopped { .. })
}

/// The panel and, below it, the row in which one types.
fn with_prompt(area: Rect, prompting: bool) -> (Rect, Rect) {
    let height = u16::from(prompting).min(area.height);
    let body = Rect { height: area.height - height, ..area };
    (body, Rect { y: body.bottom(), height, ..area })
}

struct Areas {
    list: Rect,
    facts: Option<Rect>,
    log: Rect,
}

/// Side by side on a wide screen; the list above the log on a narrow one.
fn split(area: Rect, count: usize) -> Areas {
    let rows = (count as u16).saturating_add(2);
    if area.width < 100 {
        let most = if area.height < 12 { 2.min(area.height) } else { area.height / 3 };
        let list = if area.height < 12 { (count as u16).min(most) } else { rows.clamp(3, most.max(3)) };
        let log = Rect { y: area.y + list, height: area.height - list, ..area };
        return Areas { list: Rect { height: list, ..area }, facts: None, log };
    }
    let width = (area.width * 2 / 5).clamp(44, 84);
    let column = Rect { width, ..area };
    let log = Rect { x: area.x + width, width: area.width - width, ..area };
    let card = facts::HEIGHT.min(area.height / 2);
    let list = Rect { height: area.height - card, ..column };
    Areas { list, facts: Some(Rect { y: list.bottom(), height: card, ..column }), log }
}

fn draw_empty(screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = frame::draw(screen, area, "Children", "none yet", look.theme);
    let (plain, dim) = (look.style(Role::Text), look.style(Role::Dim));
    let lines = [
        vec![("No program has been started here yet.", plain)],
        vec![],
        vec![
            ("r", look.style(Role::Key)),
            ("  then a command: ", dim),
            ("cargo test -- --nocapture", look.style(Role::Strong)),
        ],
        vec![("or start with one: ", dim), ("syncscope run -- CMD ARGS", look.style(Role::Strong))],
        vec![],
        vec![("What it writes, how it ends and what it used show here.", dim)],
        vec![("It ends with the dashboard: SIGTERM, half a second later SIGKILL.", dim)],
    ];
    let top = inside.y + inside.height.saturating_sub(lines.len() as u16) / 3;
    for (row, spans) in (top..inside.bottom()).zip(lines) {
        let line = Line::from(spans.into_iter().map(|(t, s): (&str, Style)| Span::styled(t, s)).collect::<Vec<_>>());
        line.render(Rect { y: row, height: 1, ..inside }, screen.buffer_mut());
    }
}
