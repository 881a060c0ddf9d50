//! Overview: is anything wrong, and what is alive?
//!
//! ```text
//! ╭ CPU ────────────────╮╭ Machine ──────────╮╭ Busiest ───────────────────╮
//! │     ▂▅█▃            ││ cpu0 ███▏     34% ││  97% cargo   5200    412M   │
//! ╰─────────────────────╯╰───────────────────╯╰─────────────────────────────╯
//! ╭ Waiting for somebody ─────────╮╭ Children ─────────────────────────────╮
//! │ 3m12 payments 4130 mutex ← …  ││ ▶ 5200 cargo build   0:12  97%   41M  │
//! ╰───────────────────────────────╯╰───────────────────────────────────────╯
//! ╭ IPC, 4 KiB ─────────╮╭ Mutex, 4 threads ─╮╭ Store buffering ────────────╮
//! │ pipe   ███▌   10.8  ││ t0 ▇▁▁▇▇▁▁▁       ││ 0,0 ▏ 3.1%                  │
//! ╰─────────────────────╯╰───────────────────╯╰─────────────────────────────╯
//! ```

mod digest;
mod labs;
mod machine;
mod outcomes;
mod tasks;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Effect, Info, Look, Panel, Reaction};
use crate::backend::Topics;
use crate::ui::keymap::{Binding, Hint, bind, code, hints, lookup};
use crate::ui::widgets::rows;

/// What it is.
pub const INFO: Info = Info {
    name: "overview",
    title: "Overview",
    question: "Is anything wrong, and what is alive?",
    open: || Box::new(Overview),
};

const KEYS: &[Binding<&'static str>] = &[
    bind(&[code(KeyCode::Enter)], "waits", "waits", "the chains behind what waits"),
    bind(&[crate::ui::keymap::key('/')], "processes", "find", "find a process in the table"),
];

/// The panel has no state of its own.
#[derive(Debug)]
struct Overview;

impl Panel for Overview {
    fn topics(&self) -> Topics {
        Topics { system: true, processes: true, threads: true, waits: true, graph: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        let mut all = hints(KEYS);
        all.push(Hint { keys: "L".to_owned(), short: "labs", long: "switch the labs off and on" });
        all
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let Some(grid) = grid(area) else { return brief(screen, area, look) };
        machine::history(screen, grid.history, look);
        if let Some(machine) = grid.machine {
            machine::meters(screen, machine, look);
        }
        tasks::busiest(screen, grid.busiest, look);
        tasks::waiting(screen, grid.waiting, look);
        tasks::children(screen, grid.children, look);
        labs::ipc(screen, grid.labs[0], look);
        labs::locks(screen, grid.labs[1], look);
        outcomes::draw(screen, grid.labs[2], look);
    }

    fn on_key(&mut self, key: &KeyEvent, _look: &Look<'_>) -> Reaction {
        match lookup(KEYS, key) {
            // The process table asks what is to be found.
            Some("processes") => {
                Reaction::Taken(vec![Effect::Open { panel: "processes", pid: None }, Effect::Key(*key)])
            }
            Some(panel) => Reaction::Taken(vec![Effect::Open { panel, pid: None }]),
            None => Reaction::Ignored,
        }
    }
}

/// Where the boxes stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Grid {
    history: Rect,
    machine: Option<Rect>,
    busiest: Rect,
    waiting: Rect,
    children: Rect,
    labs: [Rect; 3],
}

/// Three rows of boxes; `None` where there is no room for boxes.
fn grid(area: Rect) -> Option<Grid> {
    if area.height < 15 || area.width < 66 {
        return None;
    }
    let upper = (area.height * 3 / 10).clamp(5, 12);
    let middle = (area.height * 3 / 10).clamp(5, 16);
    let row = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let (a, b, c) = (row(0, upper), row(upper, middle), row(upper + middle, area.height - upper - middle));
    let labs = columns(c, &[1, 1, 1]);
    let [waiting, children] = columns(b, if area.width >= 100 { &[3, 2] } else { &[1, 1] });
    let (history, machine, busiest) = if area.width >= 100 {
        let [history, machine, busiest] = columns(a, &[1, 1, 1]);
        (history, Some(machine), busiest)
    } else {
        let [history, busiest] = columns(a, &[1, 1]);
        (history, None, busiest)
    };
    Some(Grid { history, machine, busiest, waiting, children, labs })
}

fn columns<const N: usize>(area: Rect, shares: &[u16; N]) -> [Rect; N] {
    let sum: u16 = shares.iter().sum();
    let mut x = 0;
    let mut left = sum;
    shares.map(|share| {
        let width = (area.width - x) * share / left;
        let part = Rect { x: area.x + x, width, ..area };
        x += width;
        left -= share;
        part
    })
}

/// A line for each subject, where there is no room for boxes.
fn brief(screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let lines: Vec<Line<'static>> = [machine::line(look), tasks::busiest_line(look), tasks::waiting_line(look)]
        .into_iter()
        .chain(digest::lines(look))
        .collect();
    rows::draw(screen, area, lines);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_cover_the_panel_without_overlap() {
        for (width, height) in [(80, 21), (120, 37), (240, 67), (66, 15), (101, 50)] {
            let area = Rect::new(3, 2, width, height);
            let g = grid(area).unwrap();
            let mut all = vec![g.history, g.busiest, g.waiting, g.children];
            all.extend(g.machine);
            all.extend(g.labs);
            let covered: u32 = all.iter().map(|r| r.area()).sum();
            assert_eq!(covered, area.area(), "{width}×{height}");
            for (i, a) in all.iter().enumerate() {
                assert!(all[..i].iter().all(|b| !a.intersects(*b)), "{width}×{height}");
            }
        }
        assert!(grid(Rect::new(0, 0, 40, 6)).is_none());
    }
}
