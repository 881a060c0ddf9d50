//! A frame of the dashboard.

use ratatui::Frame;

use super::{App, look};
use crate::ui::keymap::{GLOBAL, Hint, hints, hints_while_typing};
use crate::ui::panels::{Look, PANELS};
use crate::ui::theme::Role;
use crate::ui::{ascii, layout};

impl App {
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
        screen.buffer_mut().set_style(area, look.theme.ground().patch(look.style(Role::Text)));
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
        let mut own = panel.hints();
        let global = match (panel.takes_every_key(), panel.is_typing()) {
            (true, _) => Vec::new(),
            (false, true) => hints_while_typing(),
            (false, false) => hints(GLOBAL),
        };
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
