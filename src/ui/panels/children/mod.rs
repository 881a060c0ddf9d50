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

mod acts;
mod facts;
mod keys;
mod list;
mod log;
mod place;
mod words;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use self::keys::KEYS;
use self::log::Log;
use self::place::{draw_empty, split, with_prompt};
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::{ChildCommand, Command, Topics};
use crate::model::Pid;
use crate::model::child::{ChildId, ChildState, ChildView};
use crate::ui::keymap::{Hint, hints, lookup};
use crate::ui::theme::Role;
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::signals::{Choice, SignalMenu};
use crate::ui::widgets::text;

/// What it is.
pub const INFO: Info = Info {
    name: "children",
    title: "Children",
    question: "What does the program I started do, what does it write, and how did it end?",
    open: || Box::new(Children::default()),
};

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
            Mode::Signal(menu) => menu.hints(),
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
