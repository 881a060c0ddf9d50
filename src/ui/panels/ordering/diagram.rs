//! Events in columns, one a thread, with the relations between them drawn as
//! lines that end in an arrow.
//!
//! ```text
//!    P0                      P1
//!                            y₀ = 0
//!    a W x=1 rlx ──fr──╮  ╭──rf──►
//!    │ sb              ╰──┼─► …
//!    b W y=1 rel ◄────────╯
//! ```
//!
//! Lines are laid one after the other, each on the way that costs least: short,
//! with few bends and crossings, and never along another one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use ratatui::text::{Line, Span};

use crate::ui::panels::Look;
use crate::ui::theme::Role;

/// What is drawn.
#[derive(Clone, Debug, Default)]
pub(super) struct Diagram {
    /// The threads.
    pub(super) columns: Vec<Column>,
    /// The lines, the most telling ones first.
    pub(super) edges: Vec<Edge>,
}

/// A thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Column {
    /// Its name.
    pub(super) title: String,
    /// Above its events: something that was there before.
    pub(super) initial: Option<Node>,
    /// Its events, from top to bottom.
    pub(super) nodes: Vec<Node>,
    /// For each event but the first whether the one above precedes it, and what
    /// that is called.
    pub(super) joints: Vec<Option<&'static str>>,
}

/// An event.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    /// By which lines name it.
    pub(super) id: usize,
    /// What is written.
    pub(super) label: String,
}

/// A line from one event to another.
#[derive(Clone, Debug)]
pub(super) struct Edge {
    /// Where it begins.
    pub(super) from: usize,
    /// Where it ends.
    pub(super) to: usize,
    /// Its relation.
    pub(super) name: String,
    /// Its look.
    pub(super) role: Role,
}

/// Least room beside and between the columns.
const MARGIN: usize = 3;
const GAP: usize = 9;

const NORTH: u8 = 1;
const EAST: u8 = 2;
const SOUTH: u8 = 4;
const WEST: u8 = 8;
/// Ways on, with the way back of each.
const WAYS: [(u8, u8, isize, isize); 4] =
    [(NORTH, SOUTH, 0, -1), (EAST, WEST, 1, 0), (SOUTH, NORTH, 0, 1), (WEST, EAST, -1, 0)];

/// A place on the screen.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    /// Where the line here leads.
    ways: u8,
    /// Whether text stands here, or must not be written over.
    taken: bool,
    shown: Option<char>,
    role: Option<Role>,
    /// The line that came last.
    edge: Option<usize>,
}

/// Where an event stands: its row, its first column and the one behind it.
#[derive(Clone, Copy, Debug)]
struct Place {
    id: usize,
    row: usize,
    begin: usize,
    end: usize,
}

struct Grid {
    width: usize,
    height: usize,
    cells: Vec<Cell>,
    places: Vec<Place>,
}

impl Diagram {
    /// The diagram as lines; `None` where it does not fit into so much room.
    pub(super) fn lines(&self, width: usize, height: usize, look: &Look<'_>) -> Option<Vec<Line<'static>>> {
        let mut grid = self.grid(width, height)?;
        let mut paths = Vec::with_capacity(self.edges.len());
        for (index, edge) in self.edges.iter().enumerate() {
            paths.push(grid.lay(index, edge, &self.edges)?);
        }
        for (edge, path) in self.edges.iter().zip(&paths) {
            grid.name(edge, path);
        }
        self.name_joints(&mut grid);
        Some(grid.lines(look))
    }

    fn grid(&self, width: usize, height: usize) -> Option<Grid> {
        let widths: Vec<usize> = self.columns.iter().map(Column::width).collect();
        let labels: usize = widths.iter().sum();
        let gaps = self.columns.len().checked_sub(1)?;
        let spare = width.checked_sub(labels + 2 * MARGIN + gaps * GAP)?;
        let extra = spare / (gaps + 2);
        let rows = self.columns.iter().map(|column| column.nodes.len()).max().unwrap_or(0);
        let above = if self.columns.iter().any(|column| column.initial.is_some()) { 3 } else { 1 };
        let needed = above + (2 * rows).saturating_sub(1);
        if needed > height || rows == 0 {
            return None;
        }
        let mut grid = Grid { width, height: needed, cells: vec![Cell::default(); width * needed], places: Vec::new() };
        let mut begin = MARGIN + extra;
        for (column, own) in self.columns.iter().zip(&widths) {
            grid.write(begin, 0, &column.title, Role::Heading);
            if let Some(initial) = &column.initial {
                grid.place(initial, begin, 1, Role::Dim);
            }
            for (index, node) in column.nodes.iter().enumerate() {
                let row = above + 2 * index;
                grid.place(node, begin, row, Role::Text);
                if index > 0 && column.joints.get(index - 1).copied().flatten().is_some() {
                    let joint = grid.at(begin, row - 1);
                    *joint = Cell { ways: NORTH | SOUTH, role: Some(Role::Faint), ..Cell::default() };
                }
            }
            begin += own + GAP + extra;
        }
        Some(grid)
    }

    /// Names the lines of program order, where nothing else stands there.
    fn name_joints(&self, grid: &mut Grid) {
        for column in &self.columns {
            for (pair, name) in column.nodes.windows(2).zip(&column.joints) {
                let (Some(name), [_, below]) = (name, pair) else { continue };
                if let Some(place) = grid.find(below.id) {
                    let free = (place.begin + 1..place.begin + 3 + name.len()).all(|x| grid.is_free(x, place.row - 1));
                    if free {
                        grid.write(place.begin + 2, place.row - 1, name, Role::Faint);
                    }
                }
            }
        }
    }
}

impl Column {
    fn width(&self) -> usize {
        let labels = self.nodes.iter().chain(&self.initial).map(|node| &node.label);
        labels.chain([&self.title]).map(|label| label.chars().count()).max().unwrap_or(0)
    }
}

impl Grid {
    fn at(&mut self, x: usize, y: usize) -> &mut Cell {
        &mut self.cells[y * self.width + x]
    }

    fn get(&self, x: usize, y: usize) -> Cell {
        self.cells[y * self.width + x]
    }

    fn is_free(&self, x: usize, y: usize) -> bool {
        x < self.width && !self.get(x, y).taken && self.get(x, y).ways == 0
    }

    fn find(&self, id: usize) -> Option<Place> {
        self.places.iter().find(|place| place.id == id).copied()
    }

    fn write(&mut self, x: usize, y: usize, text: &str, role: Role) {
        for (x, c) in (x..self.width).zip(text.chars()) {
            let cell = self.at(x, y);
            (cell.shown, cell.role, cell.taken) = (Some(c), Some(role), true);
        }
    }

    fn place(&mut self, node: &Node, begin: usize, row: usize, role: Role) {
        let end = begin + node.label.chars().count();
        self.write(begin, row, &node.label, role);
        // A blank on either side belongs to it.
        for x in [begin - 1, end] {
            self.at(x, row).taken = true;
        }
        self.places.push(Place { id: node.id, row, begin, end });
    }

    /// Lays a line: the places it passes, in order.
    fn lay(&mut self, index: usize, edge: &Edge, edges: &[Edge]) -> Option<Vec<(usize, usize)>> {
        let (from, to) = (self.find(edge.from)?, self.find(edge.to)?);
        let (path, way) = self.search(from, to, |other| {
            let other = &edges[other];
            other.from == edge.from || other.to == edge.to
        })?;
        let outward = if path[0].0 < from.begin { EAST } else { WEST };
        let mut back = outward;
        for (step, (x, y)) in path.iter().copied().enumerate() {
            let on = match path.get(step + 1) {
                Some((next, below)) => WAYS.iter().find(|(.., dx, dy)| {
                    x.checked_add_signed(*dx) == Some(*next) && y.checked_add_signed(*dy) == Some(*below)
                }),
                None => None,
            };
            let (forth, next) = on.map_or((0, 0), |(forth, back, ..)| (*forth, *back));
            let cell = self.at(x, y);
            cell.ways |= back | forth;
            (cell.role, cell.edge) = (Some(edge.role), Some(index));
            back = next;
        }
        let (x, y) = *path.last()?;
        let head = if way == EAST { '►' } else { '◄' };
        let cell = self.at(x, y);
        (cell.shown, cell.role) = (Some(head), Some(edge.role));
        Some(path)
    }

    /// The cheapest way (Dijkstra 1959) from beside one event to beside another,
    /// and the direction in which it arrives. Lines that `joins` says may be
    /// joined.
    fn search(&self, from: Place, to: Place, joins: impl Fn(usize) -> bool) -> Option<(Vec<(usize, usize)>, u8)> {
        let state = |x: usize, y: usize, way: usize| (y * self.width + x) * 4 + way;
        let mut cost = vec![u32::MAX; self.cells.len() * 4];
        let mut came = vec![usize::MAX; cost.len()];
        let mut queue = BinaryHeap::new();
        for (x, way) in [(from.end + 1, 1), (from.begin.wrapping_sub(2), 3)] {
            if x < self.width {
                cost[state(x, from.row, way)] = 0;
                queue.push(Reverse((0, state(x, from.row, way))));
            }
        }
        let goals = [(to.begin.wrapping_sub(2), 1), (to.end + 1, 3)];
        while let Some(Reverse((so_far, at))) = queue.pop() {
            if so_far > cost[at] {
                continue;
            }
            let (x, y, way) = (at / 4 % self.width, at / 4 / self.width, at % 4);
            if y == to.row && goals.contains(&(x, way)) {
                let mut path = vec![(x, y)];
                let mut state = at;
                while came[state] != usize::MAX {
                    state = came[state];
                    path.push((state / 4 % self.width, state / 4 / self.width));
                }
                path.reverse();
                return Some((path, WAYS[way].0));
            }
            for (next, (_, back, dx, dy)) in WAYS.iter().enumerate() {
                if *back == WAYS[way].0 {
                    continue;
                }
                let (Some(nx), Some(ny)) = (x.checked_add_signed(*dx), y.checked_add_signed(*dy)) else { continue };
                if nx >= self.width || ny >= self.height || (next != way && !self.may_bend(x, y, &joins)) {
                    continue;
                }
                let Some(step) = self.step(nx, ny, WAYS[next].0, &joins) else { continue };
                let total = so_far + step + if next == way { 0 } else { 3 };
                let there = state(nx, ny, next);
                if total < cost[there] {
                    (cost[there], came[there]) = (total, at);
                    queue.push(Reverse((total, there)));
                }
            }
        }
        None
    }

    /// Where lines cross none may bend.
    fn may_bend(&self, x: usize, y: usize, joins: &impl Fn(usize) -> bool) -> bool {
        let cell = self.get(x, y);
        cell.ways == 0 || cell.edge.is_some_and(joins)
    }

    /// What it costs to pass a place in a direction; `None` where that cannot be.
    fn step(&self, x: usize, y: usize, way: u8, joins: &impl Fn(usize) -> bool) -> Option<u32> {
        let cell = self.get(x, y);
        if cell.taken {
            return None;
        }
        let across = if way & (EAST | WEST) != 0 { NORTH | SOUTH } else { EAST | WEST };
        match cell.ways {
            0 => Some(2),
            _ if cell.edge.is_some_and(joins) => Some(3),
            ways if ways == across => Some(8),
            _ => None,
        }
    }

    /// Writes a line's name on it where it is level, else beside it.
    fn name(&mut self, edge: &Edge, path: &[(usize, usize)]) {
        let length = edge.name.chars().count();
        let level = |(x, y): &(usize, usize)| {
            let cell = self.get(*x, *y);
            cell.ways == EAST | WEST && cell.shown.is_none() && cell.role == Some(edge.role)
        };
        let longest = path.chunk_by(|a, b| level(a) && level(b) && a.1 == b.1).max_by_key(|run| run.len());
        if let Some(run) = longest.filter(|run| run.len() > length && run.iter().all(level)) {
            let begin = run.iter().map(|(x, _)| *x).min().unwrap_or_default();
            return self.write(begin + (run.len() - length).div_ceil(2), run[0].1, &edge.name, edge.role);
        }
        let beside = path
            .iter()
            .copied()
            .find(|(x, y)| self.get(*x, *y).ways == NORTH | SOUTH && (x + 1..=x + length).all(|x| self.is_free(x, *y)));
        if let Some((x, y)) = beside {
            self.write(x + 1, y, &edge.name, edge.role);
        }
    }

    fn lines(&self, look: &Look<'_>) -> Vec<Line<'static>> {
        let rows = self.cells.chunks(self.width);
        let row = |cells: &[Cell]| {
            let runs = cells.chunk_by(|a, b| a.role == b.role);
            let span = |run: &[Cell]| {
                let text: String = run.iter().map(|cell| cell.shown.unwrap_or_else(|| corner(cell.ways))).collect();
                run[0].role.map_or_else(|| Span::raw(text.clone()), |role| Span::styled(text.clone(), look.style(role)))
            };
            Line::from(runs.map(span).collect::<Vec<_>>())
        };
        rows.map(row).collect()
    }
}

/// The character of a line that leads these ways.
fn corner(ways: u8) -> char {
    const CORNERS: [char; 16] = [' ', '╵', '─', '╰', '╷', '│', '╭', '├', '─', '╯', '─', '┴', '╮', '┤', '┬', '┼'];
    CORNERS[usize::from(ways)]
}
