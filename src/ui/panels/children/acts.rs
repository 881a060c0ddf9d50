//! What the keys do, and what becomes of what is typed.

use crossterm::event::KeyEvent;

use super::keys::Act;
use super::side::{Pane, Side};
use super::{Children, Mode, children, notice, raw, tell, words};
use crate::backend::ChildCommand;
use crate::model::Nanos;
use crate::model::child::{ChildId, ChildView, StdinState};
use crate::model::launch::Redirect;
use crate::model::life::{Relative, Target};
use crate::ui::panels::processes::detail::Detail;
use crate::ui::panels::{Effect, Look, Reaction};
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::signals::SignalMenu;

/// How long a child that is asked to end may take.
const GRACE: Nanos = Nanos::from_secs(5);
/// Rows of a page of the process in depth.
const PAGE: isize = 10;
/// The commands that were run from here, for the arrow keys.
const HISTORY: usize = 50;

impl Children {
    pub(super) fn act(&mut self, act: Act, look: &Look<'_>) -> Reaction {
        if act == Act::Run {
            self.mode = Mode::Run(Prompt::default(), self.history.len());
            return Reaction::taken();
        }
        match act {
            Act::Build => {
                self.mode = Mode::Build(self.built.take().unwrap_or_default());
                return Reaction::taken();
            }
            Act::Experiments => {
                self.mode = Mode::Experiments;
                return Reaction::taken();
            }
            _ => {}
        }
        let Some(child) = self.child(look) else { return Reaction::Ignored };
        match act {
            Act::Move(by) => self.move_by(by, look),
            Act::Again => return tell(ChildCommand::Again(child.id)),
            Act::Write if child.stdin == StdinState::Closed => return notice("its standard input is closed"),
            Act::Write => self.mode = Mode::Write(child.id, Prompt::default()),
            Act::CloseStdin => return tell(ChildCommand::CloseStdin(child.id)),
            Act::Signal if nobody_is_left(child) => return notice("it has ended: no signal can reach it"),
            Act::Signal => {
                // Who outlived it can be reached though it cannot.
                let target = if child.pid.is_some() { Target::Child } else { Target::Tree };
                self.mode = Mode::Signal(SignalMenu::new((child.id, target), words::target(child, target)));
            }
            Act::End if nobody_is_left(child) && child.course.next_start.is_none() => {
                return notice("it has ended already");
            }
            Act::End => return tell(ChildCommand::End { id: child.id, target: Target::Tree, grace: GRACE }),
            Act::Raw if child.stdin == StdinState::Closed => return notice("its standard input is closed"),
            Act::Raw => self.mode = Mode::Raw(child.id),
            Act::Side(by) => self.show_side(self.side.next(by), child),
            Act::Stream => self.log.next_stream(),
            Act::Forget if child.pid.is_some() => return notice("it still runs: end it first, with k"),
            Act::Forget => return tell(ChildCommand::Forget(child.id)),
            Act::Process if child.pid.is_none() => return notice("it has ended: there is no process to look at"),
            Act::Process => return Reaction::Taken(vec![Effect::Open { panel: "processes", pid: child.pid }]),
            Act::Search => self.mode = Mode::Search(Prompt::default()),
            Act::Match(by) => self.log.find(by, child),
            Act::Scroll(by) if self.side == Side::Process => self.detail_scroll(by),
            Act::Page(by) if self.side == Side::Process => self.detail_scroll(by * PAGE),
            Act::Scroll(by) if self.side != Side::Log => self.pane.scroll(by),
            Act::Page(by) if self.side != Side::Log => self.pane.page(by),
            Act::Oldest if self.side != Side::Log => self.pane.first = Some(0),
            Act::Follow if self.side != Side::Log => self.pane.first = Some(usize::MAX),
            Act::Scroll(by) => self.log.scroll(by, child),
            Act::Page(by) => self.log.page(by, child),
            Act::Oldest => self.log.go_to_oldest(child),
            Act::Follow => self.log.follow(),
            Act::Wrap => self.log.toggle_wrap(child),
            Act::Stamps => self.log.bare = !self.log.bare,
            Act::Run | Act::Build | Act::Experiments => {}
        }
        Reaction::taken()
    }

    /// Shows something else beside the list.
    fn show_side(&mut self, side: Side, child: &ChildView) {
        (self.side, self.pane) = (side, Pane::default());
        self.detail = match (side, child.pid) {
            (Side::Process, Some(pid)) => Some(Detail::new(pid)),
            _ => None,
        };
    }

    fn detail_scroll(&mut self, by: isize) {
        if let Some(detail) = &mut self.detail {
            detail.scroll(by);
        }
    }

    /// Sends a key to the child as a terminal would.
    pub(super) fn type_raw(&mut self, id: ChildId, key: &KeyEvent, look: &Look<'_>) -> Reaction {
        if raw::ends(key) {
            return self.browse();
        }
        match raw::bytes(key, wanted_keys(id, look)) {
            Some(bytes) => tell(ChildCommand::Write { id, bytes }),
            None => Reaction::taken(),
        }
    }

    /// The keys are ours again once nobody reads them.
    pub(super) fn leave_raw(&mut self, look: &Look<'_>) -> Vec<Effect> {
        let Mode::Raw(id) = self.mode else { return Vec::new() };
        let child = children(look).iter().find(|child| child.id == id);
        if child.is_some_and(|child| child.stdin != StdinState::Closed) {
            return Vec::new();
        }
        self.mode = Mode::Browse;
        vec![Effect::Notice("its standard input is closed: the keys are the dashboard's again".to_owned())]
    }

    pub(super) fn browse(&mut self) -> Reaction {
        self.mode = Mode::Browse;
        self.complaint = None;
        Reaction::taken()
    }

    pub(super) fn type_command(&mut self, typed: Typed) -> Reaction {
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
                    return tell(ChildCommand::Spawn(Box::new(spec)));
                }
                Err(complaint) => self.complaint = Some(complaint),
            },
        }
        Reaction::taken()
    }

    pub(super) fn type_input(&mut self, id: ChildId, typed: Typed) -> Reaction {
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

    pub(super) fn type_search(&mut self, typed: Typed, look: &Look<'_>) -> Reaction {
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
}

/// How a child wants keys.
pub(super) fn wanted_keys(id: ChildId, look: &Look<'_>) -> raw::Wanted {
    let child = children(look).iter().find(|child| child.id == id);
    child.map_or_else(raw::Wanted::default, |child| raw::Wanted {
        terminal: child.spec.streams[0] == Redirect::Pty,
        keyboard: child.keyboard,
    })
}

/// Whether it has ended, and all that it left behind.
fn nobody_is_left(child: &ChildView) -> bool {
    child.pid.is_none() && child.course.family.iter().all(Relative::is_zombie)
}
