//! The dashboard's state, drivable without a terminal: updates and events in,
//! frames and commands out.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::alarm::Alarm;
use super::director::{Bursts, Director};
use super::help::Help;
use super::keymap::{GLOBAL, Global, Hint, hints, lookup};
use super::panels::{Effect, Look, PANELS, Panel, Reaction};
use super::store::Store;
use super::theme::{Depth, Role, THEMES, Theme};
use super::{ascii, layout};
use crate::backend::{Command, Topics, Update};
use crate::model::{Fault, Nanos};
use crate::sys::clock;

/// How the dashboard opens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Index of the panel in [`PANELS`].
    pub panel: usize,
    /// The theme's name.
    pub theme: String,
    /// What the terminal can show.
    pub depth: Depth,
    /// Plain ASCII only.
    pub ascii: bool,
    /// Whether the overview runs the labs.
    pub bursts: Bursts,
    /// How often to sample.
    pub refresh: Duration,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Settings {
    /// The overview in the first theme at full colour, no labs, every second.
    fn default() -> Self {
        Settings {
            panel: 0,
            theme: THEMES[0].0.to_owned(),
            depth: Depth::True,
            ascii: false,
            bursts: Bursts::Off,
            refresh: Duration::from_secs(1),
            clock: Clock::Machine,
        }
    }
}

/// Where the dashboard takes the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clocks.
    Machine,
    /// Standing still, for a test: `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`.
    Fixed(Nanos, Nanos),
}

impl Clock {
    fn now(self) -> (Nanos, Nanos) {
        match self {
            Clock::Machine => (clock::monotonic(), clock::boottime()),
            Clock::Fixed(now, boot) => (now, boot),
        }
    }
}

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

    /// Hands the backend a command as if a panel had sent it.
    pub fn command(&mut self, command: Command) {
        self.director.note(&command);
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
        self.watch();
        true
    }

    /// Answers an event of the terminal.
    pub fn on_event(&mut self, event: &Event) -> After {
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => self.on_key(key),
            Event::Mouse(mouse) => self.on_mouse(mouse),
            Event::Paste(text) => self.ask(|panel, look| panel.on_paste(text, look)).unwrap_or(After::Nothing),
            Event::Resize(..) => After::Redraw,
            _ => After::Nothing,
        }
    }

    fn on_key(&mut self, key: &KeyEvent) -> After {
        if let Some(help) = &mut self.help {
            if key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL) {
                return After::Quit;
            }
            if !help.on_key(key) {
                self.help = None;
            }
            return After::Draw;
        }
        let global = lookup(GLOBAL, key);
        // What must work even where a prompt takes every key.
        let always = key.modifiers.contains(KeyModifiers::CONTROL)
            && matches!(global, Some(Global::Quit | Global::Suspend | Global::Redraw));
        if !always && let Some(after) = self.ask(|panel, look| panel.on_key(key, look)) {
            return after;
        }
        match global {
            Some(_) if !always && self.panels[self.current].is_typing() => After::Nothing,
            Some(global) => self.on_global(global),
            None => After::Nothing,
        }
    }

    fn on_global(&mut self, global: Global) -> After {
        if matches!(global, Global::Panel(_) | Global::Next | Global::Previous) {
            self.led_here = None;
        }
        match global {
            Global::Back => {
                if let Some(panel) = self.led_here.take() {
                    self.open(panel, None);
                }
            }
            Global::Panel(number) => self.open(number - 1, None),
            Global::Next => self.open((self.current + 1) % PANELS.len(), None),
            Global::Previous => self.open((self.current + PANELS.len() - 1) % PANELS.len(), None),
            Global::Freeze => self.toggle_frozen(),
            Global::Labs => self.toggle_labs(),
            Global::Theme => self.next_theme(),
            Global::Faster => self.change_refresh(0.5),
            Global::Slower => self.change_refresh(2.0),
            Global::Help => self.help = Some(Help::default()),
            Global::Redraw => return After::Redraw,
            Global::Suspend => return After::Suspend,
            Global::Quit => return After::Quit,
        }
        After::Draw
    }

    fn on_mouse(&mut self, mouse: &MouseEvent) -> After {
        if matches!(mouse.kind, MouseEventKind::Moved) {
            return After::Nothing;
        }
        if self.help.is_some() {
            if matches!(mouse.kind, MouseEventKind::Down(_)) {
                self.help = None;
                return After::Draw;
            }
            return After::Nothing;
        }
        if mouse.kind == MouseEventKind::Down(MouseButton::Left) {
            let at = Position::new(mouse.column, mouse.row);
            if let Some(tab) = self.tab_hits.iter().position(|r| r.contains(at)) {
                self.led_here = None;
                self.open(tab, None);
                return After::Draw;
            }
        }
        self.ask(|panel, look| panel.on_mouse(mouse, look)).unwrap_or(After::Nothing)
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

    fn toggle_labs(&mut self) {
        self.director.toggle();
        self.steer_labs();
        let state = if self.director.bursts() == Bursts::Off { "off" } else { "on" };
        self.store.notice(self.now(), format!("the overview's labs are {state}"), false);
    }

    fn toggle_frozen(&mut self) {
        self.frozen = match self.frozen {
            None => Some(self.settings.clock.now()),
            Some(_) => None,
        };
        self.steer_labs();
    }

    fn next_theme(&mut self) {
        let next = THEMES.iter().position(|(n, _)| *n == self.theme.name()).map_or(0, |i| (i + 1) % THEMES.len());
        match Theme::load(THEMES[next].0, self.settings.depth) {
            Ok(theme) => self.theme = theme,
            Err(fault) => self.store.notice(self.now(), fault.to_string(), true),
        }
        self.store.notice(self.now(), format!("theme {}", self.theme.name()), false);
    }

    fn change_refresh(&mut self, factor: f64) {
        let secs = (self.settings.refresh.as_secs_f64() * factor).clamp(0.125, 16.0);
        self.settings.refresh = Duration::from_secs_f64(secs);
        self.outbox.push(Command::Refresh(self.settings.refresh));
        self.store.notice(self.now(), format!("sampling every {secs} s"), false);
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

    /// Draws a frame.
    pub fn draw(&mut self, screen: &mut Frame<'_>) {
        let area = screen.area();
        let parts = layout::parts(area);
        let info = &PANELS[self.current];
        let look = look(
            &self.store,
            &self.theme,
            self.frozen.unwrap_or_else(|| self.settings.clock.now()),
            self.director.bursts(),
        );
        screen.buffer_mut().set_style(area, look.style(Role::Text));
        layout::system_bar(screen, parts.bar, &look);
        let frozen = self.frozen.map(|(since, _)| format!("FROZEN {} – z goes on", self.now().since(since).age()));
        if info.name == "waits" && frozen.is_none() {
            self.alarm.look();
        }
        let alarm = self.alarm.texts();
        // Beside the tabs where it fits; it is worth the status line elsewhere.
        let fits = |text: &&String| frozen.is_none() && layout::fits(parts.tabs, self.current, text);
        let beside = alarm.iter().find(fits).map(String::as_str);
        let banner = frozen.as_deref().map(|text| (text, Role::Marked)).or(beside.map(|text| (text, Role::Danger)));
        self.tab_hits = layout::tabs(screen, parts.tabs, self.current, banner, &self.theme);
        let panel = &mut self.panels[self.current];
        panel.draw(screen, parts.panel, &look);
        let (mut own, global) = (panel.hints(), hints(GLOBAL));
        if let Some(back) = self.led_here {
            let keys = "Bksp".to_owned();
            own.insert(0, Hint { keys, short: PANELS[back].name, long: "back to the panel that led here" });
        }
        let notice_look = Look { now: self.settings.clock.now().0, ..look };
        match alarm.first().filter(|_| beside.is_none()) {
            Some(text) => layout::alarm_line(screen, parts.status, text, &self.theme),
            None => layout::status_line(screen, parts.status, &own, &global, self.store.notices.back(), &notice_look),
        }
        if let Some(help) = &mut self.help {
            help.draw(screen, area, info, &own, &global, &self.theme);
        }
        if self.settings.ascii {
            ascii::flatten(screen.buffer_mut());
        }
        // What a panel needs depends on what it had room for.
        self.watch();
    }
}

fn look<'a>(store: &'a Store, theme: &'a Theme, (now, boot): (Nanos, Nanos), bursts: Bursts) -> Look<'a> {
    Look { store, theme, now, boot, bursts }
}
