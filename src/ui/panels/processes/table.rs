//! Drawing the table.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use unicode_width::UnicodeWidthStr;

use super::columns::{COLUMNS, Cell, choose};
use super::rows::Row;
use super::{Mode, Processes};
use crate::model::process::{Process, ProcessTable};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

/// From so many rows on what could not be read is said in two lines, if it takes
/// as many.
const FAULT_WHOLE: u16 = 16;

/// A column on the screen.
#[derive(Clone, Copy, Debug)]
struct Place {
    index: usize,
    x: u16,
    width: u16,
}

/// Where things stood in the last frame, for the mouse and for paging.
#[derive(Clone, Debug, Default)]
pub(super) struct Geometry {
    body: Rect,
    heading: u16,
    columns: Vec<Place>,
}

impl Geometry {
    /// Whether the column of this title is on the screen.
    pub(super) fn shows(&self, title: &str) -> bool {
        self.columns.iter().any(|c| COLUMNS[c.index].title == title)
    }

    /// How many rows the table has on the screen.
    pub(super) fn rows(&self) -> usize {
        usize::from(self.body.height)
    }

    /// Moves the view so that row `index` is in it.
    pub(super) fn bring_into_view(&self, top: &mut usize, index: usize) {
        let rows = self.rows().max(1);
        *top = (*top).min(index).max((index + 1).saturating_sub(rows));
    }

    pub(super) fn heading_at(&self, x: u16, y: u16) -> Option<usize> {
        let hit = |c: &&Place| (c.x..c.x + c.width).contains(&x);
        if y == self.heading { self.columns.iter().find(hit).map(|c| c.index) } else { None }
    }

    pub(super) fn row_at(&self, y: u16) -> Option<usize> {
        (self.body.y..self.body.bottom()).contains(&y).then(|| usize::from(y - self.body.y))
    }
}

impl Processes {
    pub(super) fn draw_table(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let inside = frame::draw_lines(screen, area, &self.title(look), &self.note(look), false, look.theme);
        // Before there is a table already: what is sampled depends on the columns.
        self.measure(inside);
        let Some(stamped) = &look.store.processes else {
            Line::styled("reading the process table …", look.style(Role::Dim))
                .render(first_row(inside), screen.buffer_mut());
            return;
        };
        let table = &stamped.value;
        let (inside, prompt) = split_prompt(inside, matches!(self.mode, Mode::Filter(_) | Mode::Search(_)));
        let inside = draw_faults(screen, inside, table, look);
        self.measure(inside);
        self.draw_headings(screen.buffer_mut(), look);
        self.top = self.top.min(self.rows.len().saturating_sub(self.geometry.rows()));
        if self.rows.is_empty() {
            let what = if self.filter_text.is_empty() {
                "no process can be seen here".to_owned()
            } else {
                format!("0 of {} match `{}` – Esc clears the filter", table.processes.len(), self.filter_text)
            };
            Line::styled(what, look.style(Role::Warn)).render(first_row(self.geometry.body), screen.buffer_mut());
        }
        let body = self.geometry.body;
        for (y, index) in (self.top..self.rows.len()).take(usize::from(body.height)).enumerate() {
            let area = Rect { y: body.y + y as u16, height: 1, ..body };
            self.draw_row(screen.buffer_mut(), area, &self.rows[index], table, look);
            if index == self.cursor {
                screen.buffer_mut().set_style(area, look.style(Role::Selection));
            }
        }
        match &self.mode {
            Mode::Filter(typing) => typing.draw(screen, prompt, "filter", look.theme),
            Mode::Search(typing) => {
                typing.draw(screen, prompt, "find", look.theme);
                if self.finds_nothing(typing.text(), table) {
                    let note = Line::styled("no process has it ", look.style(Role::Warn)).right_aligned();
                    note.render(prompt, screen.buffer_mut());
                }
            }
            _ => {}
        }
    }

    fn title(&self, look: &Look<'_>) -> Line<'static> {
        let mut spans = vec![Span::styled("Processes", look.style(Role::Title))];
        if !self.filter_text.is_empty() {
            spans.push(Span::styled("  filter ", look.style(Role::Dim)));
            spans.push(Span::styled(self.filter_text.clone(), look.style(Role::Marked)));
        }
        Line::from(spans)
    }

    fn note(&self, look: &Look<'_>) -> Line<'static> {
        let Some(stamped) = &look.store.processes else { return Line::default() };
        let tally = stamped.value.tally;
        let mut spans = Vec::new();
        let mut part = |text: String, role: Role| {
            if !spans.is_empty() {
                spans.push(Span::styled(" · ", look.style(Role::Faint)));
            }
            spans.push(Span::styled(text, look.style(role)));
        };
        if self.how.filter.is_empty() {
            part(text::count(tally.processes, "process", "processes"), Role::Dim);
        } else {
            let shown = self.rows.iter().filter(|r| !r.context && !super::columns::is_thread(r)).count();
            part(format!("{shown} of {} processes", tally.processes), Role::Accent);
        }
        part(text::count(tally.threads, "thread", "threads"), Role::Dim);
        part(format!("{} running", tally.running), Role::Dim);
        for (count, word) in [(tally.disk, "in D"), (tally.stopped, "stopped"), (tally.zombies, "zombie")] {
            if count > 0 {
                part(format!("{count} {word}"), Role::Warn);
            }
        }
        if self.follow {
            part("following".to_owned(), Role::Accent);
        }
        Line::from(spans)
    }

    fn measure(&mut self, inside: Rect) {
        let heading = u16::from(inside.height > 2);
        let command = if inside.width >= 110 { 30 } else { 16 };
        let mut x = inside.x;
        self.geometry.columns.clear();
        for (index, width) in choose(inside.width, command, self.waits) {
            self.geometry.columns.push(Place { index, x, width });
            x += width + 1;
        }
        self.geometry.heading = if heading == 1 { inside.y } else { u16::MAX };
        self.geometry.body = Rect { y: inside.y + heading, height: inside.height - heading, ..inside };
    }

    fn command_x(&self) -> u16 {
        self.geometry.columns.last().map_or(self.geometry.body.x, |c| c.x + c.width + 1)
    }

    fn draw_headings(&self, buffer: &mut Buffer, look: &Look<'_>) {
        if self.geometry.heading == u16::MAX {
            return;
        }
        let y = self.geometry.heading;
        for Place { index, x, width } in self.geometry.columns.iter().copied() {
            let column = &COLUMNS[index];
            let width = usize::from(width);
            let sorted = index == self.sort;
            let arrow = if self.how.descending { "▾" } else { "▴" };
            let title = match (sorted, column.title.len() < width) {
                (true, true) if column.right => format!("{arrow}{}", column.title),
                (true, true) => format!("{}{arrow}", column.title),
                _ => column.title.to_owned(),
            };
            let title = if column.right { text::right(&title, width) } else { text::left(&title, width) };
            let role = if sorted { Role::Accent } else { Role::Heading };
            buffer.set_string(x, y, title, look.style(role));
        }
        let room = usize::from(self.geometry.body.right().saturating_sub(self.command_x()));
        buffer.set_stringn(self.command_x(), y, "COMMAND", room, look.style(Role::Heading));
    }

    fn draw_row(&self, buffer: &mut Buffer, area: Rect, row: &Row, table: &ProcessTable, look: &Look<'_>) {
        let Some(process) = row.process(table) else { return };
        let cell = Cell { row, table, process, look };
        for Place { index, x, width } in self.geometry.columns.iter().copied() {
            let column = &COLUMNS[index];
            let (content, role) = (column.cell)(&cell);
            let role = if row.context { Role::Faint } else { role };
            let width = usize::from(width);
            let fitted = text::fit(&content, width);
            let indent = if column.right { width - fitted.width() } else { 0 };
            buffer.set_string(x + indent as u16, area.y, fitted, look.style(role));
        }
        let mut pen = Pen { buffer, x: self.command_x(), y: area.y, end: area.right() };
        if row.depth > 0 {
            pen.write(&guides(row, self.how.tree), look.style(Role::Faint));
        }
        if row.folded {
            pen.write("+ ", look.style(Role::Accent));
        }
        // Where no column says it, the row itself does.
        if let Some(since) = process.stale.filter(|_| !self.geometry.shows("WAITS FOR")) {
            pen.write(&format!("stale {} ", look.now.since(since).age()), look.style(Role::Warn));
        }
        match row.thread(table) {
            Some(thread) => pen.write(&thread.name, look.style(if row.context { Role::Faint } else { Role::Dim })),
            None => command(&mut pen, process, row.context, look),
        }
    }
}

/// Writes pieces of text one behind the other, up to an edge.
struct Pen<'a> {
    buffer: &'a mut Buffer,
    x: u16,
    y: u16,
    end: u16,
}

impl Pen<'_> {
    fn write(&mut self, text: &str, style: Style) {
        let room = usize::from(self.end.saturating_sub(self.x));
        if room > 0 {
            self.x = self.buffer.set_stringn(self.x, self.y, text, room, style).0;
        }
    }
}

/// The command line with the program's own name in front of the eye.
fn command(pen: &mut Pen<'_>, process: &Process, context: bool, look: &Look<'_>) {
    let role = |role| look.style(if context { Role::Faint } else { role });
    let Some(program) = process.cmdline.first() else {
        let name = if process.kernel { format!("[{}]", process.name) } else { process.name.to_string() };
        return pen.write(&name, role(Role::Dim));
    };
    // A title that a program has written over its arguments has no path.
    let end = program.find(' ').unwrap_or(program.len());
    let start = program[..end].rfind('/').map_or(0, |slash| slash + 1);
    pen.write(&program[start..end], role(Role::Strong));
    pen.write(&program[end..], role(Role::Dim));
    for argument in process.cmdline.iter().skip(1) {
        pen.write(" ", Style::new());
        pen.write(argument, role(Role::Dim));
    }
}

fn guides(row: &Row, tree: bool) -> String {
    let mut out = String::with_capacity(usize::from(row.depth) * 6);
    let from = u8::from(tree && row.depth > 0);
    for depth in from..row.depth.min(63) {
        out.push_str(if row.guides >> depth & 1 == 1 { "│ " } else { "  " });
    }
    out.push_str(if row.more { "├─" } else { "└─" });
    out.push(' ');
    out
}

/// What could not be read, in a sentence above the table.
fn draw_faults(screen: &mut Frame<'_>, area: Rect, table: &ProcessTable, look: &Look<'_>) -> Rect {
    let Some(first) = table.faults.first().filter(|_| area.height >= 7) else { return area };
    let others = if table.faults.len() > 1 { format!("   +{} more", table.faults.len() - 1) } else { String::new() };
    let sentence = text::wrap(&format!("! {first}{others}"), usize::from(area.width));
    // A low screen has more need of rows.
    let most = if area.height >= FAULT_WHOLE { 2 } else { 1 };
    if sentence.len() <= most {
        let lines = sentence.into_iter().map(|line| Line::styled(line, look.style(Role::Dim)));
        return rows::draw(screen, area, lines);
    }
    let room = usize::from(area.width).saturating_sub(others.width());
    let line = Line::styled(format!("{}{others}", text::fit(&format!("! {first}"), room)), look.style(Role::Dim));
    rows::draw(screen, area, [line])
}

fn split_prompt(area: Rect, wanted: bool) -> (Rect, Rect) {
    if !wanted || area.height < 2 {
        return (area, Rect { height: 0, ..area });
    }
    (Rect { height: area.height - 1, ..area }, Rect { y: area.bottom() - 1, height: 1, ..area })
}

fn first_row(area: Rect) -> Rect {
    Rect { height: area.height.min(1), ..area }
}
