//! Keys, the mouse, and what the global keys do.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{After, App};
use crate::backend::Command;
use crate::ui::director::Bursts;
use crate::ui::help::Help;
use crate::ui::keymap::{GLOBAL, Global, lookup, works_always};
use crate::ui::panels::PANELS;
use crate::ui::theme::{THEMES, Theme};

impl App {
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
        let spared = !self.panels[self.current].takes_every_key();
        let always = spared && key.modifiers.contains(KeyModifiers::CONTROL) && global.is_some_and(works_always);
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
}
