//! An execution as a graph: the events of each thread from top to bottom, a
//! letter each, and the relations between them.
//!
//! ```text
//! P0                        P1
//! a x.store(1, Relaxed)     c y.load(Acquire) = 1
//! │                         │
//! b y.store(1, Release)     d x.load(Relaxed) = 1
//!
//! rf   a→d b→c  is read by
//! sw   b→c  synchronises with
//! hb   a→c a→d b→d  happens before, besides sb and sw
//! ```

use ratatui::text::{Line, Span};

use crate::model::litmus::Witness;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// The relations that are drawn below, with what each says. Program order is in
/// the columns.
const RELATIONS: &[(&str, &str, Role)] = &[
    ("rf", "is read by", Role::Accent),
    ("mo", "is overwritten by", Role::Text),
    ("fr", "read an older value than", Role::Warn),
    ("rmw", "is one step with", Role::Text),
    ("sw", "synchronises with", Role::Good),
    ("hb", "happens before, besides sb and sw", Role::Good),
];

/// The graph as lines, `width` wide at most.
pub(super) fn lines(witness: &Witness, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let names = names(witness);
    let threads = columns(witness);
    let mut lines = grid(&threads, &names, width, look);
    lines.push(Line::default());
    for (name, meaning, role) in RELATIONS {
        let pairs: Vec<String> = witness
            .edges
            .iter()
            .filter(|(relation, ..)| relation == name)
            .map(|(_, from, to)| format!("{}→{}", names[*from], names[*to]))
            .collect();
        if pairs.is_empty() {
            continue;
        }
        for (row, part) in text::wrap(&pairs.join(" "), width.saturating_sub(5).max(8)).into_iter().enumerate() {
            let head = if row == 0 { format!("{name:4} ") } else { "     ".to_owned() };
            let room = width.saturating_sub(5 + part.chars().count() + 2);
            let mut spans = vec![Span::styled(head, look.style(*role)), Span::styled(part, look.style(Role::Text))];
            if row == 0 && room >= meaning.len() {
                spans.push(Span::styled(format!("  {meaning}"), look.style(Role::Faint)));
            }
            lines.push(Line::from(spans));
        }
    }
    lines
}

/// `a`, `b`, … for the threads' events, `x₀` for the initial write of x.
fn names(witness: &Witness) -> Vec<String> {
    let mut letters = 0;
    let name = |event: &String| match initial(event) {
        Some(location) => format!("{location}₀"),
        None => {
            letters += 1;
            let letter = char::from(b'a' + ((letters - 1) % 26) as u8);
            if letters > 26 { format!("{letter}{letter}") } else { letter.to_string() }
        }
    };
    witness.events.iter().map(name).collect()
}

/// The location that is written initially.
fn initial(event: &str) -> Option<&str> {
    event.strip_prefix("initially ").and_then(|rest| rest.split(' ').next())
}

/// Each thread's number and its events: index and what it does.
fn columns(witness: &Witness) -> Vec<(String, Vec<(usize, String)>)> {
    let mut threads: Vec<(String, Vec<(usize, String)>)> = Vec::new();
    for (index, event) in witness.events.iter().enumerate() {
        let Some((thread, what)) = event.split_once(": ") else { continue };
        match threads.last_mut().filter(|(known, _)| known == thread) {
            Some((_, events)) => events.push((index, what.to_owned())),
            None => threads.push((thread.to_owned(), vec![(index, what.to_owned())])),
        }
    }
    threads
}

/// The threads side by side where they fit, else one below the other.
fn grid(
    threads: &[(String, Vec<(usize, String)>)],
    names: &[String],
    width: usize,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let widest =
        |events: &[(usize, String)]| events.iter().map(|(_, what)| what.chars().count() + 4).max().unwrap_or(4);
    let needed: usize = threads.iter().map(|(_, events)| widest(events)).sum();
    if needed > width && threads.len() > 1 {
        return threads.iter().flat_map(|thread| grid(std::slice::from_ref(thread), names, width, look)).collect();
    }
    let heads = threads.iter().map(|(thread, events)| text::left(thread, widest(events)));
    let mut lines = vec![Line::styled(heads.collect::<String>(), look.style(Role::Heading))];
    let rows = threads.iter().map(|(_, events)| events.len()).max().unwrap_or(0);
    for row in 0..rows {
        if row > 0 && threads.len() > 1 {
            let bar = |(_, events): &(String, Vec<(usize, String)>)| {
                text::left(if row < events.len() { "│ sb" } else { "" }, widest(events))
            };
            lines.push(Line::styled(threads.iter().map(bar).collect::<String>(), look.style(Role::Faint)));
        }
        let mut spans = Vec::new();
        for (_, events) in threads {
            let room = widest(events);
            match events.get(row) {
                Some((index, what)) => {
                    spans.push(Span::styled(text::left(&names[*index], 2), look.style(Role::Accent)));
                    spans.push(Span::styled(text::left(what, room - 2), look.style(Role::Text)));
                }
                None => spans.push(Span::raw(" ".repeat(room))),
            }
        }
        lines.push(Line::from(spans));
    }
    lines
}
