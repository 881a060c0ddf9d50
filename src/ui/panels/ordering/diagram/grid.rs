//! What stands where in a diagram.

use ratatui::text::{Line, Span};

use super::{Edge, Node};
use crate::ui::panels::Look;
use crate::ui::theme::Role;

/// Where a line leads, a bit each.
pub(super) const NORTH: u8 = 1;
pub(super) const EAST: u8 = 2;
pub(super) const SOUTH: u8 = 4;
pub(super) const WEST: u8 = 8;

/// A place on the screen.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cell {
    /// Where the line here leads.
    pub(super) ways: u8,
    /// Whether text stands here, or must not be written over.
    pub(super) taken: bool,
    pub(super) shown: Option<char>,
    pub(super) role: Option<Role>,
    /// The line that came last.
    pub(super) edge: Option<usize>,
}

/// Where an event stands: its row, its first column and the one behind it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) id: usize,
    pub(super) row: usize,
    pub(super) begin: usize,
    pub(super) end: usize,
}

/// The whole.
#[derive(Debug)]
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) cells: Vec<Cell>,
    pub(super) places: Vec<Place>,
}

impl Grid {
    pub(super) fn at(&mut self, x: usize, y: usize) -> &mut Cell {
        &mut self.cells[y * self.width + x]
    }

    pub(super) fn get(&self, x: usize, y: usize) -> Cell {
        self.cells[y * self.width + x]
    }

    pub(super) fn is_free(&self, x: usize, y: usize) -> bool {
        x < self.width && !self.get(x, y).taken && self.get(x, y).ways == 0
    }

    pub(super) fn find(&self, id: usize) -> Option<Place> {
        self.places.iter().find(|place| place.id == id).copied()
    }

    pub(super) fn write(&mut self, x: usize, y: usize, text: &str, role: Role) {
        for (x, c) in (x..self.width).zip(text.chars()) {
            let cell = self.at(x, y);
            (cell.shown, cell.role, cell.taken) = (Some(c), Some(role), true);
        }
    }

    pub(super) fn place(&mut self, node: &Node, begin: usize, row: usize, role: Role) {
        let end = begin + node.label.chars().count();
        self.write(begin, row, &node.label, role);
        // A blank on either side belongs to it.
        for x in [begin - 1, end] {
            self.at(x, row).taken = true;
        }
        self.places.push(Place { id: node.id, row, begin, end });
    }

    /// Writes a line's name on it where it is level, else beside it.
    pub(super) fn name(&mut self, edge: &Edge, path: &[(usize, usize)]) {
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

    pub(super) fn lines(&self, look: &Look<'_>) -> Vec<Line<'static>> {
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
