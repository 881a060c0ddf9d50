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
//! `grid` holds what stands where, `route` finds the way of each line.

mod grid;
mod route;

use ratatui::text::Line;

use self::grid::{Cell, Grid, NORTH, SOUTH};
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
