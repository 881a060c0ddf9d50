//! One file a panel; [`PANELS`] lists them in the order of their number keys.
//!
//! To add a panel, write `panels/x.rs` with an implementation of [`Panel`] and
//! a line in [`PANELS`]: tabs, help, number keys, command line and the
//! conformance test follow.

pub mod children;
mod experiments;
pub mod ipc;
pub mod locks;
pub mod ordering;
pub mod overview;
pub mod processes;
pub mod waits;

use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::director::Bursts;
use super::keymap::Hint;
use super::store::Store;
use super::theme::{Role, Theme};
use crate::backend::{Command, Topics, Update};
use crate::model::{Nanos, Pid};

/// What a panel is, before it is opened.
#[derive(Clone, Copy, Debug)]
pub struct Info {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name on its tab.
    pub title: &'static str,
    /// The question it answers, for the help.
    pub question: &'static str,
    /// Makes one.
    pub open: fn() -> Box<dyn Panel>,
}

/// All panels, in the order of their number keys.
pub const PANELS: &[Info] =
    &[overview::INFO, processes::INFO, waits::INFO, children::INFO, ipc::INFO, locks::INFO, ordering::INFO];

/// What a panel draws with, besides its own view state.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    /// The data.
    pub store: &'a Store,
    /// The looks of the roles.
    pub theme: &'a Theme,
    /// `CLOCK_MONOTONIC` of this frame; it stands still while frozen.
    pub now: Nanos,
    /// `CLOCK_BOOTTIME` of this frame, to compare with start times.
    pub boot: Nanos,
    /// Whether the overview's bursts are on.
    pub bursts: Bursts,
}

impl Look<'_> {
    /// The look of a role.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }
}

/// What a panel wants done.
#[derive(Clone, Debug)]
pub enum Effect {
    /// A command for the backend.
    Send(Command),
    /// Open another panel, with a process in focus there.
    Open {
        /// The panel's name.
        panel: &'static str,
        /// The process to show.
        pid: Option<Pid>,
    },
    /// A key for the panel that is open by then.
    Key(KeyEvent),
    /// A line in the status line.
    Notice(String),
    /// Text for the terminal's clipboard.
    Copy(String),
}

/// How a panel answers an event.
#[derive(Clone, Debug)]
pub enum Reaction {
    /// Not a key of this panel: the global keys get it.
    Ignored,
    /// Taken; these effects follow (often none, and the frame is drawn anew).
    Taken(Vec<Effect>),
}

impl Reaction {
    /// Taken, without effects.
    pub const fn taken() -> Self {
        Reaction::Taken(Vec::new())
    }

    /// Taken, with a command for the backend.
    pub fn send(command: Command) -> Self {
        Reaction::Taken(vec![Effect::Send(command)])
    }
}

/// A panel: its own view of the store.
pub trait Panel {
    /// What it needs sampled while it is on the screen.
    fn topics(&self) -> Topics;

    /// Its keys, most useful first, as they stand now (a prompt has others than
    /// a table): the status line shows those with a short word, the help all.
    fn hints(&self) -> Vec<Hint>;

    /// Draws itself into `area`. A pure function of the look and the view.
    fn draw(&mut self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>);

    /// Answers a key.
    fn on_key(&mut self, key: &KeyEvent, look: &Look<'_>) -> Reaction;

    /// Answers the mouse, in the coordinates of the screen.
    fn on_mouse(&mut self, _mouse: &MouseEvent, _look: &Look<'_>) -> Reaction {
        Reaction::Ignored
    }

    /// Answers pasted text.
    fn on_paste(&mut self, _text: &str, _look: &Look<'_>) -> Reaction {
        Reaction::Ignored
    }

    /// Told of each update that the store has just taken in, to renew what it
    /// derives from it once instead of at each frame.
    fn on_update(&mut self, _update: &Update, _store: &Store) {}

    /// What it wants done after an update; asked while it is not on the screen
    /// too.
    fn after_update(&mut self, _look: &Look<'_>) -> Vec<Effect> {
        Vec::new()
    }

    /// Whether it is taking text: then no global key but `Ctrl-C` and
    /// `Ctrl-Z` works.
    fn is_typing(&self) -> bool {
        false
    }

    /// Whether every key is its own: then not even those work.
    fn takes_every_key(&self) -> bool {
        false
    }

    /// Told when it comes on the screen, with the process another panel wants
    /// shown.
    fn on_open(&mut self, _pid: Option<Pid>, _look: &Look<'_>) -> Vec<Effect> {
        Vec::new()
    }
}
