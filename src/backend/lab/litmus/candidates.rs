//! Every candidate execution of a test: one way through each thread, a write for
//! each read to see, and an order of the writes to each location.
//!
//! What the final state shows is decided first, so that what is known about a
//! state already spares all executions that end in it. Candidates that
//! contradict themselves per location (a read that sees a write which its own
//! thread has overwritten or overtaken, a read-modify-write that is not next to
//! what it read) are cut off as soon as no order of the writes is left for them,
//! since every model forbids them; [`Search::incoherent`] keeps them, for
//! explanations.

mod orders;
mod shape;
mod values;

use std::time::Instant;

use self::shape::Shape;
use super::ast::Test;
use super::execution::Execution;
use super::path::{Path, paths};
use super::relation::MOST_EVENTS;

/// What to look at and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// When to give up.
    pub deadline: Instant,
    /// Whether to look at incoherent candidates too.
    pub incoherent: bool,
    /// Whether only candidates that satisfy the condition are of interest: some
    /// others are left out then.
    pub satisfying: bool,
}

/// Why a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All candidates were looked at.
    Complete,
    /// Whoever looked at them has seen enough.
    Enough,
    /// There are too many; how far it came.
    TooLarge(String),
}

/// Who looks at candidates. Models are numbered; a set of them is a word with
/// a bit for each.
pub trait Visitor {
    /// Whether to look at candidates of these events at all.
    fn begin(&mut self, _x: &Execution) -> bool {
        true
    }

    /// Which of the models `alive` may find an extension of `x` consistent, of
    /// which not everything is decided yet: adding to `rf`, `mo` and `rb` never
    /// mends an axiom.
    fn narrow(&mut self, _x: &Execution, alive: u32) -> u32 {
        alive
    }

    /// Whether one more candidate with this final state is worth a look.
    fn wants(&mut self, _state: &[i32], _alive: u32) -> bool {
        true
    }

    /// Looks at a candidate that the models `alive` may find consistent;
    /// `false` ends the search.
    fn visit(&mut self, x: &mut Execution, state: &[i32], alive: u32) -> bool;
}

/// Hands every candidate to `visitor` with its final state.
pub fn enumerate(test: &Test, search: Search, alive: u32, visitor: &mut dyn Visitor) -> Ended {
    let mut all = Vec::new();
    for (thread, body) in test.threads.iter().enumerate() {
        match paths(body) {
            Ok(paths) => all.push(paths),
            Err(why) => return Ended::TooLarge(format!("thread {thread}: {why}")),
        }
    }
    let mut progress = Progress { search, visited: 0, alive, visitor };
    let mut chosen = Vec::new();
    choose(test, &all, &mut chosen, &mut progress).err().unwrap_or(Ended::Complete)
}

struct Progress<'a> {
    search: Search,
    visited: u64,
    /// The models that look.
    alive: u32,
    visitor: &'a mut dyn Visitor,
}

impl Progress<'_> {
    /// Looks at the clock now and then.
    fn visit(&mut self) -> Result<(), Ended> {
        self.visited += 1;
        if self.visited.is_multiple_of(1024) && Instant::now() >= self.search.deadline {
            let what =
                format!("{} partial executions were looked at in the time there was, and more are left", self.visited);
            return Err(Ended::TooLarge(what));
        }
        Ok(())
    }
}

/// Chooses a way through each thread, then looks at what can come of it.
fn choose<'a>(
    test: &'a Test,
    all: &'a [Vec<Path>],
    chosen: &mut Vec<&'a Path>,
    progress: &mut Progress<'_>,
) -> Result<(), Ended> {
    let Some(paths) = all.get(chosen.len()) else {
        progress.visit()?;
        let size = test.locations.len() + chosen.iter().map(|path| path.events.len()).sum::<usize>();
        if size > MOST_EVENTS {
            let what = format!("an execution has {size} events, and at most {MOST_EVENTS} are checked");
            return Err(Ended::TooLarge(what));
        }
        let Some(mut shape) = Shape::new(test, chosen, progress.search)? else { return Ok(()) };
        return if progress.visitor.begin(shape.frame()) { shape.all(progress) } else { Ok(()) };
    };
    for path in paths {
        chosen.push(path);
        choose(test, all, chosen, progress)?;
        chosen.pop();
    }
    Ok(())
}
