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
mod builder;
mod draw;
mod facts;
mod form;
mod keys;
mod list;
mod log;
mod place;
mod raw;
mod selection;
mod side;
mod tuple;
mod words;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use self::builder::{Builder, Built};
use self::keys::{Act, KEYS};
use self::log::Log;
use self::place::{draw_empty, with_prompt};
use self::side::{Pane, Side};
use super::experiments::{Chosen, Experiments};
use super::processes::detail::Detail;
use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::children::experiments::Experiment;
use crate::backend::{ChildCommand, Command, Topics};
use crate::model::Pid;
use crate::model::child::{ChildId, ChildState, ChildView};
use crate::model::life::Target;
use crate::ui::keymap::{Binding, Hint, hints, lookup};
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::signals::{Choice, SignalMenu};

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
    Signal(SignalMenu<(ChildId, Target)>),
    /// Keys go to a child as they are.
    Raw(ChildId),
    Build(Box<Builder>),
    Experiments,
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
    side: Side,
    pane: Pane,
    /// The process in depth, where that is what stands beside the list.
    detail: Option<Detail>,
    experiments: Experiments<Experiment>,
    history: Vec<String>,
    /// The form as it was started last.
    built: Option<Box<Builder>>,
    /// Why the typed command cannot be run.
    complaint: Option<String>,
    list_area: Rect,
    log_area: Rect,
}

impl Panel for Children {
    fn topics(&self) -> Topics {
        match &self.detail {
            Some(detail) => {
                let detail = Some(detail.pid());
                Topics { system: true, processes: true, waits: true, detail, child: self.selected, ..Topics::default() }
            }
            None => Topics { system: true, child: self.selected, ..Topics::default() },
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let two = |enter: &'static str, escape: &'static str| {
            vec![
                Hint { keys: "Enter".to_owned(), short: enter, long: enter },
                Hint { keys: "Esc".to_owned(), short: escape, long: escape },
            ]
        };
        match &self.mode {
            Mode::Browse if self.newest == 0 => {
                let without_child =
                    |binding: &&Binding<Act>| matches!(binding.act, Act::Run | Act::Build | Act::Experiments);
                hints(&KEYS.iter().filter(without_child).copied().collect::<Vec<_>>())
            }
            Mode::Browse => hints(KEYS),
            Mode::Run(..) => {
                let mut all = two("run it", "back");
                all.push(Hint { keys: "↑".to_owned(), short: "earlier", long: "commands run before" });
                all
            }
            Mode::Write(..) => two("write it", "back"),
            Mode::Search(_) => two("keep", "drop"),
            Mode::Signal(menu) => {
                let mut all = menu.hints();
                all.push(Hint { keys: "Tab".to_owned(), short: "whom", long: "the child, its group, its whole tree" });
                all
            }
            Mode::Raw(_) => vec![Hint { keys: "^]".to_owned(), short: "end raw input", long: "keys are ours again" }],
            Mode::Build(_) => Builder::hints(),
            Mode::Experiments => Experiments::<Experiment>::hints(),
        }
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let children = children(look);
        self.select_newest(children);
        match &mut self.mode {
            Mode::Build(builder) => return builder.draw(screen, area, children, look),
            Mode::Experiments => return self.experiments.draw(screen, area, look),
            _ => {}
        }
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
            Mode::Browse => match lookup(KEYS, key) {
                Some(act) => self.act(act, look),
                // What the process in depth has keys of its own for.
                None if matches!(key.code, KeyCode::Left | KeyCode::Right) => match &mut self.detail {
                    Some(detail) => {
                        detail.on_key(key);
                        Reaction::taken()
                    }
                    None => Reaction::Ignored,
                },
                None => Reaction::Ignored,
            },
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
            Mode::Raw(id) => {
                let id = *id;
                self.type_raw(id, key, look)
            }
            Mode::Build(builder) => match builder.on_key(key) {
                Built::Open => Reaction::taken(),
                Built::Cancelled => self.browse(),
                Built::Copy(code) => Reaction::Taken(vec![Effect::Copy(code)]),
                Built::Start(spec) => {
                    // To be changed and started again.
                    if let Mode::Build(builder) = std::mem::take(&mut self.mode) {
                        self.built = Some(builder);
                    }
                    tell(ChildCommand::Spawn(spec))
                }
            },
            Mode::Experiments => match self.experiments.on_key(key) {
                Chosen::Open => Reaction::taken(),
                Chosen::Other => Reaction::Ignored,
                Chosen::Closed => self.browse(),
                Chosen::Play(key) => Reaction::send(Command::Experiment(key)),
            },
            Mode::Signal(menu) if key.code == KeyCode::Tab => {
                let (id, target) = menu.target;
                let next = match target {
                    Target::Child => Target::Group,
                    Target::Group => Target::Tree,
                    Target::Tree => Target::Child,
                };
                if let Some(child) = children(look).iter().find(|child| child.id == id) {
                    menu.retarget((id, next), words::target(child, next));
                }
                Reaction::taken()
            }
            Mode::Signal(menu) => match menu.on_key(key) {
                Choice::Open => Reaction::taken(),
                Choice::Cancelled => self.browse(),
                Choice::Send(signal) => {
                    let (id, target) = menu.target;
                    self.mode = Mode::Browse;
                    tell(ChildCommand::Signal { id, signal, target })
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
        } else {
            return self.act(Act::Scroll(step), look);
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
            Mode::Raw(id) => {
                let bytes = raw::pasted(text, acts::wanted_keys(*id, look));
                return tell(ChildCommand::Write { id: *id, bytes });
            }
            Mode::Build(builder) => builder.paste(text),
            Mode::Browse | Mode::Signal(_) | Mode::Experiments => return Reaction::Ignored,
        }
        Reaction::taken()
    }

    fn is_typing(&self) -> bool {
        !matches!(self.mode, Mode::Browse | Mode::Experiments)
    }

    fn takes_every_key(&self) -> bool {
        matches!(self.mode, Mode::Raw(_))
    }

    fn after_update(&mut self, look: &Look<'_>) -> Vec<Effect> {
        self.leave_raw(look)
    }

    fn on_open(&mut self, pid: Option<Pid>, look: &Look<'_>) -> Vec<Effect> {
        if let Some(child) = children(look).iter().find(|child| pid.is_some() && child.pid == pid) {
            self.choose(child.id);
        }
        Vec::new()
    }
}

impl Children {
    fn is_prompting(&self) -> bool {
        matches!(self.mode, Mode::Run(..) | Mode::Write(..) | Mode::Search(_) | Mode::Raw(_))
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
