//! A wait-for graph, drawn: boxes for threads, arrows with what is waited for,
//! and loops that close.
//!
//! ```text
//! ╭───────────────────────────────╮
//! │ worker-2 4130      deadlocked │◀──╮
//! ╰─┬─────────────────────────────╯   │
//!   │ mutex [heap] +0x2a0 · 3m12      │
//!   ▼ held by                         │
//! ╭───────────────────────────────╮   │
//! │ worker-5 4133      deadlocked │   │
//! ╰─┬─────────────────────────────╯   │
//!   │ mutex [heap] +0x2c8 · 3m12      │
//!   ╰─ held by 4130 ──────────────────╯
//! ```
//!
//! Several holders stand below one another, each with an arrow of its own.
//! Where the boxes would not fit, each thread is one row.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::{rows, text};
use crate::model::sorting;
use crate::ui::theme::{Role, Theme};

/// A thread and what it waits for.
#[derive(Clone, Debug, Default)]
pub struct Branch {
    /// By which it is known when an arrow leads back to it.
    pub id: usize,
    /// Who it is.
    pub title: String,
    /// What becomes of it, with a role of its own.
    pub verdict: Option<(String, Role)>,
    /// Whether it is part of a loop that can never end.
    pub doomed: bool,
    /// What is waited for, in few words.
    pub label: Vec<Span<'static>>,
    /// What else is to be said about the wait.
    pub facts: Vec<Line<'static>>,
    /// What the holders are: `held by`, `any one of these 3`.
    pub relation: String,
    /// The holders.
    pub links: Vec<Link>,
}

/// Where an arrow leads.
#[derive(Clone, Debug)]
pub enum Link {
    /// To a thread that is drawn here.
    To(Branch),
    /// Back to one that is drawn above, and what it is called.
    Back(usize, String),
    /// On to what is not drawn.
    Onward(String, Role),
}

/// How much room a drawing takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Threads in boxes.
    Boxes,
    /// A row for each.
    Rows,
}

/// A drawing before it is on the screen: rows, and the arrows that lead back.
#[derive(Debug)]
pub struct Drawing {
    rows: Vec<Line<'static>>,
    /// In which row each thread is.
    nodes: Vec<(usize, usize)>,
    /// From which row to which thread, and whether for ever.
    backs: Vec<(usize, usize, bool)>,
}

/// So much of the name of what is waited for is always there.
const LEAST_NAME: usize = 12;
/// Columns that an arrow back takes on the right.
const RAIL: u16 = 2;
/// More arrows back than this have no rail of their own; their words are enough.
const RAILS: usize = 6;

/// Lays a graph out for so many columns.
pub fn lay_out(root: &Branch, shape: Shape, width: u16, theme: &Theme) -> Drawing {
    let rails = count_backs(root).min(RAILS) as u16;
    let margin = if rails == 0 { 0 } else { rails * RAIL + 2 };
    let room = usize::from(width.saturating_sub(margin)).max(12);
    let box_width = widest(root, 0).clamp(20, room.max(20)).min(room);
    let drawing = Drawing { rows: Vec::new(), nodes: Vec::new(), backs: Vec::new() };
    let mut pen = Pen { drawing, shape, room, box_width, theme };
    pen.branch(root, ["", "", ""]);
    pen.drawing
}

fn count_backs(branch: &Branch) -> usize {
    branch
        .links
        .iter()
        .map(|link| match link {
            Link::To(next) => count_backs(next),
            Link::Back(..) => 1,
            Link::Onward(..) => 0,
        })
        .sum()
}

/// How wide a box must be for all of them to be alike.
fn widest(branch: &Branch, indent: usize) -> usize {
    let verdict = branch.verdict.as_ref().map_or(0, |(words, _)| words.width() + 3);
    let own = indent + branch.title.width() + verdict + 4;
    let further = indent + if branch.links.len() > 1 { 6 } else { 0 };
    let below = branch.links.iter().filter_map(|link| match link {
        Link::To(next) => Some(widest(next, further)),
        _ => None,
    });
    below.fold(own, usize::max)
}

impl Drawing {
    /// How many rows it has.
    pub fn height(&self) -> usize {
        self.rows.len()
    }

    /// Draws it from row `top` on.
    pub fn draw(&self, buffer: &mut Buffer, area: Rect, top: usize, theme: &Theme) {
        for (y, line) in self.rows.iter().skip(top).take(usize::from(area.height)).enumerate() {
            buffer.set_line(area.x, area.y + y as u16, line, area.width);
        }
        let widest = self.rows.iter().map(Line::width).max().unwrap_or(0) as u16;
        // The shortest loop is innermost.
        let span = |back: &(usize, usize, bool)| self.row_of(back.1).map(|to| (back.0.saturating_sub(to), to, *back));
        let mut backs: Vec<_> = self.backs.iter().filter_map(span).collect();
        sorting::by_key(&mut backs, |(length, to, _)| (*length, *to));
        for (rail, (_, to, (from, _, doomed))) in backs.into_iter().take(RAILS).enumerate() {
            let x = area.x + widest + 1 + rail as u16 * RAIL;
            if x < area.right() {
                let style = theme.style(if doomed { Role::Danger } else { Role::Warn });
                Rail { x, from, to, top, style }.draw(buffer, area, &self.rows);
            }
        }
    }

    fn row_of(&self, id: usize) -> Option<usize> {
        self.nodes.iter().find(|(node, _)| *node == id).map(|(_, row)| *row)
    }
}

/// An arrow back, on the right of everything else.
struct Rail {
    x: u16,
    from: usize,
    to: usize,
    top: usize,
    style: Style,
}

impl Rail {
    fn draw(&self, buffer: &mut Buffer, area: Rect, rows: &[Line<'_>]) {
        let mut set = |x: u16, row: usize, glyph: &str| {
            let Some(y) = row.checked_sub(self.top).filter(|y| *y < usize::from(area.height)) else { return };
            if let Some(cell) = buffer.cell_mut((x, area.y + y as u16)) {
                let crossed = matches!(cell.symbol(), "│" | "┼") && glyph == "─";
                cell.set_symbol(if crossed { "┼" } else { glyph }).set_style(self.style);
            }
        };
        for row in self.to + 1..self.from {
            set(self.x, row, "│");
        }
        for (row, corner) in [(self.from, "╯"), (self.to, "╮")] {
            let end = area.x + rows[row].width() as u16;
            for x in end..self.x {
                set(x, row, "─");
            }
            set(self.x, row, corner);
            if row == self.to {
                set(end, row, "◀");
            }
        }
        if self.from == self.to {
            set(self.x, self.to, "◀");
        }
    }
}

struct Pen<'t> {
    drawing: Drawing,
    shape: Shape,
    room: usize,
    box_width: usize,
    theme: &'t Theme,
}

impl Pen<'_> {
    fn row(&mut self, lead: &str, spans: Vec<Span<'static>>) {
        let mut all = vec![Span::styled(lead.to_owned(), self.theme.style(Role::Faint))];
        all.extend(spans);
        self.drawing.rows.push(rows::fit(Line::from(all), self.room));
    }

    /// `lead` is what stands on the left: above the thread's row, in it, below.
    fn branch(&mut self, branch: &Branch, lead: [&str; 3]) {
        let role = match (branch.doomed, &branch.verdict) {
            (true, _) => Role::Danger,
            (_, Some((_, role))) => *role,
            _ => Role::Border,
        };
        match self.shape {
            Shape::Boxes => self.boxed(branch, lead, role),
            Shape::Rows => self.plain(branch, lead, role),
        }
        let wire = self.theme.style(if branch.doomed { Role::Danger } else { Role::Dim });
        let below = match self.shape {
            Shape::Boxes => format!("{}  ", lead[2]),
            Shape::Rows => lead[2].to_owned(),
        };
        if !branch.label.is_empty() {
            let mut spans = vec![Span::styled("│ ", wire)];
            spans.extend(branch.label.iter().cloned());
            // Rather than since when it lasts, the end of its name is left out.
            let wide = below.width() + spans.iter().map(Span::width).sum::<usize>();
            let name = spans[1].content.width().saturating_sub(wide.saturating_sub(self.room));
            spans[1].content = text::fit(&spans[1].content, name.max(LEAST_NAME)).into();
            self.row(&below, spans);
        }
        for fact in &branch.facts {
            for line in self.wrapped(fact, below.width() + 4) {
                let mut spans = vec![Span::styled("│   ", wire)];
                spans.extend(line.spans.into_iter().map(|span| span.patch_style(fact.style)));
                self.row(&below, spans);
            }
        }
        self.links(branch, lead, &below, wire);
    }

    fn links(&mut self, branch: &Branch, lead: [&str; 3], below: &str, wire: Style) {
        let dim = self.theme.style(Role::Dim);
        match branch.links.as_slice() {
            [] => {}
            [Link::To(next)] => {
                self.row(below, vec![Span::styled("▼ ", wire), Span::styled(branch.relation.clone(), dim)]);
                self.branch(next, [lead[2]; 3]);
            }
            [only] => self.end(only, &branch.relation, below, "╰─ ", branch.doomed, wire),
            several => {
                self.row(below, vec![Span::styled("│ ", wire), Span::styled(branch.relation.clone(), dim)]);
                for (index, link) in several.iter().enumerate() {
                    let last = index + 1 == several.len();
                    let Link::To(next) = link else {
                        self.end(link, "", below, if last { "╰─ " } else { "├─ " }, branch.doomed, wire);
                        continue;
                    };
                    let before = format!("{below}│   ");
                    let at = format!("{below}{}", if last { "╰─▶ " } else { "├─▶ " });
                    let after = format!("{below}{}", if last { "    " } else { "│   " });
                    self.branch(next, [&before, &at, &after]);
                }
            }
        }
    }

    fn end(&mut self, link: &Link, relation: &str, below: &str, corner: &'static str, doomed: bool, wire: Style) {
        let space = if relation.is_empty() { "" } else { " " };
        let (words, role) = match link {
            Link::Back(id, name) => {
                self.drawing.backs.push((self.drawing.rows.len(), *id, doomed));
                (format!("{relation}{space}{name} "), if doomed { Role::Danger } else { Role::Warn })
            }
            Link::Onward(words, role) => (format!("⋯ {words}"), *role),
            Link::To(_) => return,
        };
        self.row(below, vec![Span::styled(corner, wire), Span::styled(words, self.theme.style(role))]);
    }

    fn boxed(&mut self, branch: &Branch, [above, at, below]: [&str; 3], role: Role) {
        let style = self.theme.style(if role == Role::Danger || role == Role::Warn { role } else { Role::Border });
        let inner = self.box_width.saturating_sub(at.width() + 2).max(8);
        let edge = |left: &str, right: &str, mark: &str| {
            let rest = "─".repeat(inner - mark.width());
            vec![Span::styled(format!("{left}{mark}{rest}{right}"), style)]
        };
        self.row(above, edge("╭", "╮", ""));
        let (words, verdict) = branch.verdict.clone().unwrap_or((String::new(), Role::Dim));
        let words = text::fit(&words, inner / 2);
        let title = text::left(&branch.title, inner.saturating_sub(words.width() + 3));
        self.drawing.nodes.push((branch.id, self.drawing.rows.len()));
        self.row(
            at,
            vec![
                Span::styled("│ ", style),
                Span::styled(title, self.theme.style(Role::Strong)),
                Span::styled(format!(" {words} "), self.theme.style(verdict)),
                Span::styled("│", style),
            ],
        );
        let open = !branch.label.is_empty() || !branch.links.is_empty();
        self.row(below, edge("╰", "╯", if open { "─┬" } else { "" }));
    }

    fn plain(&mut self, branch: &Branch, [_, at, _]: [&str; 3], role: Role) {
        self.drawing.nodes.push((branch.id, self.drawing.rows.len()));
        let (words, verdict) = branch.verdict.clone().unwrap_or((String::new(), Role::Dim));
        let mark = if role == Role::Border { Role::Dim } else { role };
        self.row(
            at,
            vec![
                Span::styled("● ", self.theme.style(mark)),
                Span::styled(branch.title.clone(), self.theme.style(Role::Strong)),
                Span::styled(format!("  {words} "), self.theme.style(verdict)),
            ],
        );
    }

    fn wrapped(&self, fact: &Line<'static>, indent: usize) -> Vec<Line<'static>> {
        let whole: String = fact.spans.iter().map(|span| span.content.as_ref()).collect();
        text::wrap(&whole, self.room.saturating_sub(indent).max(16)).into_iter().map(Line::from).collect()
    }
}

#[cfg(test)]
mod tests;
