//! The dashboard's state, drivable without a terminal: updates and events in,
//! frames and commands out.

mod draw;
mod events;
mod settings;

use ratatui::layout::Rect;

pub use self::settings::{Clock, Settings};
use super::alarm::Alarm;
use super::director::{Bursts, Director};
use super::help::Help;
use super::panels::{Effect, Look, PANELS, Panel, Reaction};
use super::store::{Played, Store};
use super::theme::Theme;
use crate::backend::{Command, Topics, Update};
use crate::model::{Fault, Nanos};

/// What the loop must do after an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing changed.
    Nothing,
    /// Draw.
    Draw,
    /// Clear the terminal and draw.
    Redraw,
    /// Give the terminal back and stop, as `Ctrl-Z` asks.
    Suspend,
    /// End.
    Quit,
}

/// The dashboard.
pub struct App {
    store: Store,
    settings: Settings,
    theme: Theme,
    panels: Vec<Box<dyn Panel>>,
    current: usize,
    frozen: Option<(Nanos, Nanos)>,
    help: Option<Help>,
    director: Director,
    alarm: Alarm,
    /// The panel that led to this one.
    led_here: Option<usize>,
    watched: Option<Topics>,
    outbox: Vec<Command>,
    /// What is to be copied to the terminal's clipboard.
    clipboard: Option<String>,
    tab_hits: Vec<Rect>,
}

impl App {
    /// A dashboard that has seen nothing yet.
    ///
    /// # Errors
    /// A fault where the theme cannot be loaded.
    pub fn new(settings: Settings) -> Result<Self, Fault> {
        let theme = Theme::load(&settings.theme, settings.depth)?;
        let mut app = App {
            store: Store::default(),
            theme,
            panels: PANELS.iter().map(|p| (p.open)()).collect(),
            current: settings.panel.min(PANELS.len() - 1),
            frozen: None,
            help: None,
            director: Director::new(settings.bursts),
            alarm: Alarm::default(),
            led_here: None,
            watched: None,
            outbox: Vec::new(),
            clipboard: None,
            tab_hits: Vec::new(),
            settings,
        };
        app.open(app.current, None);
        Ok(app)
    }

    /// The data.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The commands that have come up since the last call.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.outbox)
    }

    /// What is to be copied to the terminal's clipboard since the last call.
    pub fn take_copied(&mut self) -> Option<String> {
        self.clipboard.take()
    }

    /// Hands the backend a command as if a panel had sent it.
    pub fn command(&mut self, command: Command) {
        self.director.note(&command);
        if let Command::Experiment(key) = command {
            self.store.experiments.insert(key.to_owned(), Played::Running);
        }
        self.outbox.push(command);
    }

    /// The time, though the screen may be frozen.
    fn now(&self) -> Nanos {
        self.settings.clock.now().0
    }

    /// Takes an update in. While frozen, samples are let go; results are not.
    /// Returns whether the screen may have changed.
    pub fn on_update(&mut self, update: &Update) -> bool {
        let alarmed = matches!(update, Update::Graph(graph) if self.alarm.hear(&graph.value));
        if self.frozen.is_some() && !Store::is_result(update) {
            return alarmed;
        }
        self.store.apply(update.clone(), self.now());
        for panel in &mut self.panels {
            panel.on_update(update, &self.store);
        }
        let look = look(
            &self.store,
            &self.theme,
            self.frozen.unwrap_or_else(|| self.settings.clock.now()),
            self.director.bursts(),
        );
        let effects = self.panels.iter_mut().flat_map(|panel| panel.after_update(&look)).collect();
        self.carry_out(effects);
        true
    }

    /// Lets the current panel answer; `None` where it does not.
    fn ask(&mut self, answer: impl FnOnce(&mut dyn Panel, &Look<'_>) -> Reaction) -> Option<After> {
        let look = look(
            &self.store,
            &self.theme,
            self.frozen.unwrap_or_else(|| self.settings.clock.now()),
            self.director.bursts(),
        );
        match answer(self.panels[self.current].as_mut(), &look) {
            Reaction::Ignored => None,
            Reaction::Taken(effects) => {
                self.carry_out(effects);
                Some(After::Draw)
            }
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(command) => self.command(command),
                Effect::Copy(text) => {
                    self.store.notice(self.now(), "copied, where the terminal allows it".to_owned(), false);
                    self.clipboard = Some(text);
                }
                Effect::Key(key) => {
                    self.ask(|panel, look| panel.on_key(&key, look));
                }
                Effect::Notice(text) => self.store.notice(self.now(), text, false),
                Effect::Open { panel, pid } => {
                    if let Some(index) = PANELS.iter().position(|p| p.name == panel) {
                        self.led_here = Some(self.current);
                        self.open(index, pid);
                    }
                }
            }
        }
        self.watch();
    }

    fn open(&mut self, index: usize, pid: Option<crate::model::Pid>) {
        if index >= PANELS.len() {
            return;
        }
        self.current = index;
        let look = look(
            &self.store,
            &self.theme,
            self.frozen.unwrap_or_else(|| self.settings.clock.now()),
            self.director.bursts(),
        );
        let effects = self.panels[index].on_open(pid, &look);
        self.steer_labs();
        self.carry_out(effects);
    }

    fn steer_labs(&mut self) {
        let visible = PANELS[self.current].name == "overview" && self.frozen.is_none();
        self.outbox.extend(self.director.overview(visible));
    }

    /// Tells the backend what is on the screen, where that has changed.
    fn watch(&mut self) {
        // A deadlock is told wherever the person is.
        let topics = Topics { graph: true, ..self.panels[self.current].topics() };
        if self.watched != Some(topics) {
            self.watched = Some(topics);
            // One that has not gone out yet is out of date.
            self.outbox.retain(|command| !matches!(command, Command::Watch(_)));
            self.outbox.push(Command::Watch(topics));
        }
    }
}

fn look<'a>(store: &'a Store, theme: &'a Theme, (now, boot): (Nanos, Nanos), bursts: Bursts) -> Look<'a> {
    Look { store, theme, now, boot, bursts }
}
