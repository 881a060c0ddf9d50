//! The ways of lines between events.
//!
//! Lines are laid one after the other, each on the way that costs least: short,
//! with few bends and crossings, and never along another one.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::Edge;
use super::grid::{EAST, Grid, NORTH, Place, SOUTH, WEST};

/// Ways on, with the way back of each.
const WAYS: [(u8, u8, isize, isize); 4] =
    [(NORTH, SOUTH, 0, -1), (EAST, WEST, 1, 0), (SOUTH, NORTH, 0, 1), (WEST, EAST, -1, 0)];

impl Grid {
    /// Lays a line: the places it passes, in order.
    pub(super) fn lay(&mut self, index: usize, edge: &Edge, edges: &[Edge]) -> Option<Vec<(usize, usize)>> {
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
}
