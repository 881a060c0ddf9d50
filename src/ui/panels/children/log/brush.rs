//! The looks of a line of a log: the child's own colours, and what was
//! searched for on top of them.

use ratatui::style::Style;
use ratatui::text::Span;

use crate::model::child::OutputLine;
use crate::ui::theme::{Role, Theme};

/// Paints one line, row by row.
#[derive(Debug)]
pub(super) struct Brush<'a> {
    line: &'a OutputLine,
    hits: Vec<(usize, usize)>,
    /// Where the next row begins.
    at: usize,
}

impl<'a> Brush<'a> {
    /// For a line in which these hits are to stand out, from this byte on.
    pub(super) fn new(line: &'a OutputLine, hits: Vec<(usize, usize)>, from: usize) -> Self {
        Brush { line, hits, at: from }
    }

    /// Adds the next row: a piece of the line, or its beginning and a `…`.
    pub(super) fn row(&mut self, row: &str, base: Style, theme: &Theme, spans: &mut Vec<Span<'static>>) {
        let rest = &self.line.text[self.at..];
        let same = rest.bytes().zip(row.bytes()).take_while(|(a, b)| a == b).count();
        let same = (0..=same).rev().find(|end| row.is_char_boundary(*end)).unwrap_or(0);
        let (from, end) = (self.at, self.at + same);
        let mut at = from;
        while at < end {
            let (until, style) = self.stretch(at, base, theme);
            let until = until.min(end);
            spans.push(Span::styled(row[at - from..until - from].to_owned(), style));
            at = until;
        }
        if same < row.len() {
            spans.push(Span::styled(row[same..].to_owned(), base));
        }
        self.at = end;
    }

    /// How far what begins here looks the same, and how.
    fn stretch(&self, at: usize, base: Style, theme: &Theme) -> (usize, Style) {
        let strokes = self.line.strokes.as_deref().unwrap_or_default();
        let stroke = strokes.get(strokes.partition_point(|stroke| stroke.until as usize <= at));
        let (end, style) = match stroke {
            Some(stroke) => (stroke.until as usize, theme.ink(base, stroke.ink)),
            None => (self.line.text.len(), base),
        };
        match self.hits.get(self.hits.partition_point(|(_, end)| *end <= at)) {
            Some((begin, end)) if *begin <= at => (*end, theme.style(Role::Marked)),
            Some((begin, _)) => (end.min(*begin), style),
            None => (end, style),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::child::Stream;
    use crate::model::ink::{Colour, Ink, Stroke};
    use crate::ui::panels::children::log::find::Wanted;
    use crate::ui::theme::Depth;

    #[test]
    fn hits_stand_out_of_colours_across_rows() {
        let red = Ink { letters: Colour::Ansi(1), ..Ink::default() };
        let strokes = [Stroke { until: 3, ink: Ink::default() }, Stroke { until: 10, ink: red }];
        let line = OutputLine {
            at: Nanos::ZERO,
            stream: Stream::Stdout,
            text: "ab größe".into(),
            strokes: Some(strokes.into()),
            continues: false,
        };
        let theme = Theme::load("night", Depth::Ansi16).unwrap();
        let hits = Wanted::new("Röß").hits(&line.text).collect();
        let mut brush = Brush::new(&line, hits, 0);
        let mut spans = Vec::new();
        brush.row("ab gr", Style::new(), &theme, &mut spans);
        brush.row("öß…", Style::new(), &theme, &mut spans);
        let parts: Vec<&str> = spans.iter().map(|span| span.content.as_ref()).collect();
        assert_eq!(parts, ["ab ", "g", "r", "öß", "…"]);
        let marked = theme.style(Role::Marked);
        assert_eq!([spans[2].style, spans[3].style], [marked, marked]);
        assert_eq!(spans[1].style, theme.ink(Style::new(), red));
    }
}
