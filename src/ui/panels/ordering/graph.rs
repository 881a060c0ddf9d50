//! An execution as a graph: the events of each thread from top to bottom, and the
//! relations between them, drawn as lines (see [`super::diagram`]) or, where
//! there is no room for that, in words:
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

use super::diagram::{Column, Diagram, Edge, Node};
use crate::model::litmus::Witness;
use crate::model::sorting;
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

/// The graph as lines, `width` wide and about `height` high at most: drawn where
/// that is room enough, else in words.
pub(super) fn lines(witness: &Witness, width: usize, height: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    for brief in [false, true] {
        let diagram = diagram(witness, brief);
        let below = legend(witness, &["hb"], width, look);
        if let Some(mut lines) = diagram.lines(width, height, look) {
            if lines.len() + below.len() <= height {
                lines.extend(below);
            }
            return lines;
        }
    }
    let names = names(witness);
    let threads = columns(witness);
    let mut lines = grid(&threads, &names, width, look);
    lines.push(Line::default());
    lines.extend(legend(witness, &["rf", "mo", "fr", "rmw", "sw", "hb"], width, look));
    lines
}

/// The relations in words.
fn legend(witness: &Witness, which: &[&str], width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let names = names(witness);
    let mut lines = Vec::new();
    for (name, meaning, role) in RELATIONS.iter().filter(|(name, ..)| which.contains(name)) {
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

/// The execution to be drawn, events in full or in brief.
fn diagram(witness: &Witness, brief: bool) -> Diagram {
    let names = names(witness);
    let mut edges: Vec<Edge> = Vec::new();
    for (name, _, role) in RELATIONS.iter().filter(|(name, ..)| !matches!(*name, "hb" | "rmw")) {
        for (_, from, to) in witness.edges.iter().filter(|(relation, ..)| relation == name) {
            let is_initial = initial(&witness.events[*from]).is_some();
            // What is initial is overwritten anyway, and what is read late is
            // followed by all that is later still.
            if (*name == "mo" && is_initial) || (*name == "fr" && !is_next(witness, *from, *to)) {
                continue;
            }
            match edges.iter_mut().find(|edge| (edge.from, edge.to) == (*from, *to)) {
                Some(edge) => {
                    edge.name = format!("{} {name}", edge.name);
                    edge.role = *role;
                }
                None => edges.push(Edge { from: *from, to: *to, name: (*name).to_owned(), role: *role }),
            }
        }
    }
    let mut columns: Vec<Column> = columns(witness)
        .into_iter()
        .map(|(title, events)| {
            let label = |what: &str| if brief { in_brief(what) } else { what.to_owned() };
            let nodes: Vec<Node> = events
                .iter()
                .map(|(id, what)| Node { id: *id, label: format!("{} {}", names[*id], label(what)) })
                .collect();
            let is_one = |pair: &[Node]| {
                witness.edges.iter().any(|(n, a, b)| n == "rmw" && (*a, *b) == (pair[0].id, pair[1].id))
            };
            let joints = nodes.windows(2).map(|pair| Some(if is_one(pair) { "rmw" } else { "sb" })).collect();
            Column { title, initial: None, nodes, joints }
        })
        .collect();
    for (id, event) in witness.events.iter().enumerate() {
        let Some(edge) = edges.iter().find(|edge| edge.from == id && initial(event).is_some()) else { continue };
        // Above who reads it, or wherever there is room.
        let own = columns.iter().position(|column| column.nodes.iter().any(|node| node.id == edge.to));
        let free = |column: &usize| columns[*column].initial.is_none();
        if let Some(column) = own.filter(free).or_else(|| (0..columns.len()).find(free)) {
            let label = event.strip_prefix("initially ").unwrap_or(event).to_owned();
            columns[column].initial = Some(Node { id, label });
        }
    }
    edges.retain(|edge| {
        columns.iter().any(|column| column.initial.iter().chain(&column.nodes).any(|node| node.id == edge.from))
    });
    Diagram { columns, edges }
}

/// Whether `to` is the first of the writes that are later than what `from` read.
fn is_next(witness: &Witness, from: usize, to: usize) -> bool {
    let read = witness.edges.iter().find(|(name, _, at)| name == "rf" && *at == from);
    read.is_none_or(|(_, seen, _)| witness.edges.iter().any(|(name, a, b)| name == "mo" && (*a, *b) == (*seen, to)))
}

/// An event as papers write it: `W x=1 rlx`.
pub(super) fn in_brief(event: &str) -> String {
    const ORDERS: &[(&str, &str)] =
        &[("Relaxed", "rlx"), ("Acquire", "acq"), ("Release", "rel"), ("AcqRel", "a-r"), ("SeqCst", "sc")];
    let short = |order: &str| ORDERS.iter().find(|(long, _)| *long == order).map_or("", |(_, short)| *short);
    if let Some((place, rest)) = event.split_once(".store(") {
        let (value, order) = rest.trim_end_matches(')').split_once(", ").unwrap_or((rest, ""));
        return format!("W {place}={value} {}", short(order));
    }
    if let Some((place, rest)) = event.split_once(".load(") {
        let (order, value) = rest.split_once(") = ").unwrap_or((rest, ""));
        return format!("R {place}={value} {}", short(order));
    }
    if let Some(order) = event.strip_prefix("fence(") {
        return format!("F {}", short(order.trim_end_matches(')')));
    }
    match event.strip_prefix('*').map(|plain| (plain, plain.split_once(" read as "))) {
        Some((_, Some((place, value)))) => format!("R {place}={value}"),
        Some((plain, None)) => format!("W {}", plain.replace(" = ", "=")),
        None => event.to_owned(),
    }
}

/// The cycle that forbids an outcome, to be drawn; events in full or in brief.
pub(super) fn cycle(steps: &[(String, String)], brief: bool) -> Diagram {
    let mut diagram = Diagram::default();
    let next = |at: usize| (at + 1) % steps.len();
    // In each thread what comes before by the program stands above.
    let mut order: Vec<usize> = (0..steps.len()).collect();
    let before = |a: usize, b: usize| {
        let mut at = a;
        while steps[at].1 == "sb" && next(at) != a {
            at = next(at);
            if at == b {
                return true;
            }
        }
        false
    };
    for _ in 0..steps.len() {
        for at in 1..order.len() {
            if before(order[at], order[at - 1]) {
                order.swap(at - 1, at);
            }
        }
    }
    for id in order {
        let (thread, what) = steps[id].0.split_once(": ").unwrap_or(("at first", &steps[id].0));
        let what = what.strip_prefix("initially ").unwrap_or(what);
        let node = Node { id, label: if brief { in_brief(what) } else { what.to_owned() } };
        match diagram.columns.iter_mut().find(|column| column.title == thread) {
            Some(column) => column.nodes.push(node),
            None => {
                diagram.columns.push(Column { title: thread.to_owned(), nodes: vec![node], ..Column::default() });
            }
        }
    }
    sorting::by(&mut diagram.columns, |a, b| a.title.cmp(&b.title));
    for column in &mut diagram.columns {
        let follows = |pair: &[Node]| steps[pair[0].id].1 == "sb" && next(pair[0].id) == pair[1].id;
        column.joints = column.nodes.windows(2).map(|pair| follows(pair).then_some("sb")).collect();
    }
    for (from, (_, name)) in steps.iter().enumerate() {
        let to = next(from);
        let is_joint = diagram.columns.iter().any(|column| {
            column
                .nodes
                .windows(2)
                .zip(&column.joints)
                .any(|(pair, joint)| joint.is_some() && (pair[0].id, pair[1].id) == (from, to))
        });
        if !is_joint {
            let role = RELATIONS.iter().find(|(known, ..)| known == name).map_or(Role::Danger, |(_, _, role)| *role);
            diagram.edges.push(Edge { from, to, name: name.clone(), role });
        }
    }
    diagram
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
