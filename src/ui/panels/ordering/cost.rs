//! What each ordering costs on this machine.

use std::sync::{Arc, OnceLock};

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::backend::lab::litmus::harness::cost::{Cost, measure};
use crate::model::Fault;
use crate::sys::thread::start_thread;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

/// The costs, which a thread of their own measures.
#[derive(Clone, Debug)]
pub(super) struct Costs(Arc<OnceLock<Result<Vec<Cost>, Fault>>>);

impl Costs {
    /// Begins to measure.
    pub(super) fn measure() -> Self {
        let costs = Costs(Arc::default());
        let result = costs.0.clone();
        let spawned = start_thread("costs", Box::new(move || drop(result.set(measure()))));
        if let Err(error) = spawned {
            // Nobody else sets it.
            let _ = costs.0.set(Err(Fault::new("litmus", format!("cannot start a thread: {error}"))));
        }
        costs
    }

    /// Lines that it wants.
    pub(super) fn height(&self) -> usize {
        self.0.get().and_then(|costs| costs.as_ref().ok()).map_or(2, |costs| costs.len() + 1)
    }

    /// Draws it.
    pub(super) fn draw(&self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let title = format!("What it costs, {}, ns each of many in a row", std::env::consts::ARCH);
        let inside = frame::draw(screen, area, &title, "c machine code", look.theme);
        let lines = match self.0.get() {
            None => vec![Line::styled("measuring, for half a second …", look.style(Role::Dim))],
            Some(Err(fault)) => vec![Line::styled(fault.to_string(), look.style(Role::Danger))],
            Some(Ok(costs)) => table(costs, usize::from(inside.width), look),
        };
        rows::draw(screen, inside, lines);
    }
}

fn table(costs: &[Cost], width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    const NAME: usize = 30;
    let code = width.saturating_sub(NAME + 22);
    let heading = format!("{}{:>9} {:>11}  {}", text::left("operation", NAME), "alone", "contended", "machine code");
    let mut lines = vec![Line::styled(text::fit(&heading, width), look.style(Role::Heading))];
    for cost in costs {
        let contended = cost.contended_ns.map_or("—".to_owned(), |ns| format!("{ns:.1}"));
        lines.push(Line::from(vec![
            Span::styled(text::left(&cost.operation, NAME), look.style(Role::Text)),
            Span::styled(format!("{:>9.1} {contended:>11}  ", cost.alone_ns), look.style(Role::Strong)),
            Span::styled(text::fit(&cost.code, code), look.style(Role::Faint)),
        ]));
    }
    lines
}
