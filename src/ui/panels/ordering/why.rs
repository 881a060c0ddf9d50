//! Why a model allows or forbids what the condition asks for, in words.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::outcomes;
use crate::backend::lab::litmus::check::judge_state;
use crate::backend::lab::litmus::library;
use crate::backend::lab::litmus::models::{self, MODELS};
use crate::model::litmus::{Judgement, LitmusProgress, LitmusSpec, LitmusTest};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

/// How long the models may take over one outcome.
const ASKING: Duration = Duration::from_millis(100);

/// What an arrow between two events means.
const RELATIONS: &[(&str, &str)] = &[
    ("sb", "comes before, in the program"),
    ("rf", "is read by"),
    ("mo", "is overwritten by"),
    ("fr", "read an older value than"),
    ("sw", "synchronises with"),
    ("psc", "must precede, in the order of seq_cst"),
    ("rmw", "is one step with"),
    ("data", "gives the value for"),
    ("ctrl", "decides about"),
];

/// A final state that was asked about, and what each model says of it.
#[derive(Debug)]
pub(super) struct Asked {
    /// The state: `0:r0=0; 1:r0=0;`.
    pub state: String,
    /// What the models say; empty where there are too many executions.
    pub judgements: Vec<Judgement>,
}

/// Which model explains what.
#[derive(Debug, Default)]
pub(super) struct Why {
    /// The model that explains; the most telling one where unset.
    pub model: Option<usize>,
    /// The outcome that is explained; what the condition asks for where unset.
    pub asked: Option<Rc<Asked>>,
    laid: RefCell<Option<Laid>>,
}

/// An explanation as it was laid out last: that costs more than all the rest of a
/// frame, and its diagrams stay the same while the counts go on.
#[derive(Debug)]
struct Laid {
    test: Arc<LitmusTest>,
    asked: Option<Rc<Asked>>,
    model: Option<usize>,
    size: (u16, u16),
    theme: &'static str,
    lines: Vec<Line<'static>>,
}

impl Why {
    /// The state that was asked about.
    pub(super) fn state(&self) -> Option<&str> {
        self.asked.as_ref().map(|asked| &*asked.state)
    }

    /// The next model explains.
    pub(super) fn next_model(&mut self, progress: &LitmusProgress) {
        let models = progress.test.judgements.len();
        let now = telling(progress, self.model).unwrap_or(0);
        self.model = (models > 0).then(|| (now + 1) % models);
    }

    /// Asks the models about the outcome that stands `by` rows from the last one
    /// asked about; beyond the ends about the condition again.
    pub(super) fn ask(&mut self, by: isize, states: &[String], spec: &LitmusSpec) {
        let now = self.asked.as_ref().and_then(|asked| states.iter().position(|state| *state == asked.state));
        let next = match now {
            Some(now) => now.checked_add_signed(by),
            None if by > 0 => Some(0),
            None => states.len().checked_sub(1),
        };
        self.asked = next.and_then(|next| states.get(next)).map(|state| {
            let values: Vec<i32> = outcomes::parts(state).filter_map(|(_, value)| value.parse().ok()).collect();
            let judgements = library::load(spec).map(|test| judge_state(&test, &values, MODELS, ASKING));
            Rc::new(Asked { state: state.clone(), judgements: judgements.unwrap_or_default() })
        });
    }

    /// Draws it.
    pub(super) fn draw(&self, screen: &mut Frame<'_>, area: Rect, progress: &LitmusProgress, look: &Look<'_>) {
        let index = telling(progress, self.model);
        let judgements = self.asked.as_ref().map_or(&progress.test.judgements, |asked| &asked.judgements);
        let judgement = index.and_then(|index| judgements.get(index));
        let title = judgement.and_then(|judgement| models::named(&judgement.model));
        let title = title.map_or_else(|| "Why".to_owned(), |model| format!("Why, by {}", model.title));
        let title = self.asked.as_ref().map_or(title.clone(), |asked| format!("{title}: {}", asked.state));
        let inside = frame::draw(screen, area, &title, "m model  [ ] outcome", look.theme);
        let size = (inside.width, inside.height);
        let mut laid = self.laid.borrow_mut();
        let same = |laid: &Laid| {
            Arc::ptr_eq(&laid.test, &progress.test)
                && laid.asked.as_ref().map(Rc::as_ptr) == self.asked.as_ref().map(Rc::as_ptr)
                && (laid.model, laid.size, laid.theme) == (index, size, look.theme.name())
        };
        if !laid.as_ref().is_some_and(same) {
            *laid = Some(Laid {
                test: progress.test.clone(),
                asked: self.asked.clone(),
                model: index,
                size,
                theme: look.theme.name(),
                lines: reasons(progress, judgement, judgements, size.0.into(), size.1.into(), look),
            });
        }
        rows::draw(screen, inside, laid.iter().flat_map(|laid| laid.lines.iter().cloned()));
    }
}

/// The model that explains: the chosen one, or the one of this hardware, or the
/// first.
pub(super) fn telling(progress: &LitmusProgress, chosen: Option<usize>) -> Option<usize> {
    let judgements = &progress.test.judgements;
    let hardware = progress.test.hardware.as_ref();
    let hardware = hardware.and_then(|name| judgements.iter().position(|judgement| judgement.model == *name));
    chosen.or(hardware).or(Some(0)).filter(|index| *index < judgements.len())
}

/// What the most telling model says and why, and what the test is about; the
/// other models too, where there is room.
pub(in crate::ui::panels) fn lines(
    progress: &LitmusProgress,
    width: usize,
    height: usize,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let Some(judgement) = telling(progress, None).map(|index| &progress.test.judgements[index]) else {
        return Vec::new();
    };
    let title = models::named(&judgement.model).map_or("", |model| model.title);
    let mut lines = vec![Line::styled(format!("by {title}"), look.style(Role::Heading))];
    let judgements = &progress.test.judgements;
    lines.extend(reasons(progress, Some(judgement), judgements, width, height.saturating_sub(1), look));
    lines
}

fn reasons(
    progress: &LitmusProgress,
    judgement: Option<&Judgement>,
    all: &[Judgement],
    width: usize,
    height: usize,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let mut lines = match judgement {
        Some(judgement) => explanation(judgement, width, height, look),
        None => Vec::new(),
    };
    if let Some(why) = &progress.test.undecided {
        lines.extend(wrapped(why, width, Role::Dim, look));
    }
    if lines.len() + 2 < height && !progress.test.comment.is_empty() {
        lines.push(Line::default());
        lines.extend(wrapped(&progress.test.comment, width, Role::Dim, look));
    }
    // Where there is room the other models have their say too.
    for other in all.iter().filter(|other| Some(*other) != judgement) {
        let more = explanation(other, width, height.saturating_sub(lines.len() + 2), look);
        if lines.len() + more.len() + 2 <= height {
            let title = models::named(&other.model).map_or("", |model| model.title);
            lines.push(Line::default());
            lines.push(Line::styled(format!("by {title}"), look.style(Role::Heading)));
            lines.extend(more);
        }
    }
    lines
}

fn explanation(judgement: &Judgement, width: usize, height: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    if let Some((one, other)) = &judgement.race {
        let mut lines = wrapped("undefined: two accesses race, and then nothing is promised", width, Role::Warn, look);
        lines.push(event(one, look));
        lines.push(event(other, look));
        return lines;
    }
    if let Some(broken) = &judgement.broken {
        let mut lines = wrapped(&format!("forbidden: {}", broken.meaning), width, Role::Strong, look);
        let room = height.saturating_sub(lines.len());
        let drawn = |brief| super::graph::cycle(&broken.cycle, brief).lines(width, room, look);
        if let Some(drawn) = drawn(false).or_else(|| drawn(true)) {
            lines.extend(drawn);
            return lines;
        }
        for (at, relation) in &broken.cycle {
            lines.push(event(at, look));
            let meaning = RELATIONS.iter().find(|(name, _)| name == relation).map_or("", |(_, meaning)| meaning);
            lines.push(Line::from(vec![
                Span::styled(format!("  ↓ {relation:4} "), look.style(Role::Accent)),
                Span::styled(meaning, look.style(Role::Dim)),
            ]));
        }
        if let Some((first, _)) = broken.cycle.first() {
            let mut line = event(first, look);
            line.push_span(Span::styled("  again: a cycle", look.style(Role::Dim)));
            lines.push(line);
        }
        return lines;
    }
    let Some(witness) = &judgement.witness else {
        return wrapped("forbidden: no execution satisfies the condition", width, Role::Strong, look);
    };
    let mut lines = wrapped("allowed: for instance by this execution", width, Role::Good, look);
    lines.extend(super::graph::lines(witness, width, height.saturating_sub(lines.len()), look));
    lines
}

fn event(text: &str, look: &Look<'_>) -> Line<'static> {
    Line::styled(text.to_owned(), look.style(Role::Text))
}

fn wrapped(sentence: &str, width: usize, role: Role, look: &Look<'_>) -> Vec<Line<'static>> {
    text::wrap(sentence, width).into_iter().map(|line| Line::styled(line, look.style(role))).collect()
}
