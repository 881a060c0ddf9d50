//! What the keys do, and what becomes of what is typed.

use super::keys::Act;
use super::{Children, Mode, notice, tell, words};
use crate::backend::ChildCommand;
use crate::model::child::{ChildId, StdinState};
use crate::ui::panels::{Effect, Look, Reaction};
use crate::ui::widgets::prompt::{Prompt, Typed};
use crate::ui::widgets::signals::SignalMenu;

/// The commands that were run from here, for the arrow keys.
const HISTORY: usize = 50;

impl Children {
    pub(super) fn act(&mut self, act: Act, look: &Look<'_>) -> Reaction {
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
                    return tell(ChildCommand::Spawn(spec));
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
