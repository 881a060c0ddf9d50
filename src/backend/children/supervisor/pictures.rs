//! Pictures: what the faces are shown of all children, and how often.
//!
//! A picture of all is made at most thirty times a second, and less often where
//! making it takes long: floods must leave time for reading them. Who writes to
//! a child and waits for its answer does not wait for that: as soon as the child
//! has written something the last picture is shown again, with this child as it
//! is now.

use std::sync::Arc;

use super::Loop;
use crate::backend::Update;
use crate::backend::children::child::Child;
use crate::model::child::{ChildId, ChildView, Children};
use crate::model::{Nanos, Stamped};
use crate::sys::clock;

/// So many bytes of logs that nobody reads become lines for one picture.
const UNREAD: usize = 512 << 10;
/// At most about thirty pictures a second.
const PICTURE: Nanos = Nanos::from_millis(33);
/// Pictures take one part of the time in so many, where they take long to make;
/// the others are for reading.
const PARTS: u64 = 8;
/// But nobody waits longer than this for one.
const LONGEST_PAUSE: Nanos = Nanos::from_millis(400);
/// What a child writes so long after it was written to is its answer.
const ANSWERS: Nanos = Nanos::from_millis(500);
/// Answers that come at once are shown together.
const ANSWER: Nanos = Nanos::from_millis(4);

/// The pictures so far, and when there is to be the next one.
#[derive(Debug)]
pub(super) struct Pictures {
    /// Whose log is read.
    pub(super) read: Option<ChildId>,
    /// Whose turn it is among the others.
    turn: ChildId,
    seq: u64,
    last: Arc<Stamped<Children>>,
    published: Nanos,
    /// Until the next picture.
    pause: Nanos,
    /// Who was written to last, and when.
    asked: Option<(ChildId, Nanos)>,
    /// It has answered.
    answered: bool,
    /// No answer is shown before.
    answer_from: Nanos,
}

impl Default for Pictures {
    fn default() -> Self {
        Pictures {
            read: None,
            turn: 0,
            seq: 0,
            last: Arc::default(),
            published: Nanos::ZERO,
            pause: PICTURE,
            asked: None,
            answered: false,
            answer_from: Nanos::ZERO,
        }
    }
}

impl Pictures {
    /// When the next picture of all may be shown.
    pub(super) fn due(&self) -> Nanos {
        self.published + self.pause
    }

    /// When an answer is to be shown, if one came.
    pub(super) fn answer_due(&self) -> Option<Nanos> {
        self.answered.then_some(self.answer_from)
    }

    /// A child was written to.
    pub(super) fn ask(&mut self, id: ChildId) {
        self.asked = Some((id, clock::monotonic()));
    }

    /// A child has written.
    pub(super) fn hear(&mut self, id: ChildId) {
        if let Some((asked, at)) = self.asked
            && asked == id
        {
            self.answered |= clock::monotonic().since(at) < ANSWERS;
        }
    }
}

impl Loop {
    /// Makes lines of what was read: of the log that somebody reads all, of the
    /// others in turn, for somebody who talks to one of a thousand children must
    /// not wait for the lines of all.
    fn make_lines(&mut self) {
        if let Some(child) = self.pictures.read.and_then(|id| self.children.get_mut(&id)) {
            child.make_lines();
        }
        let mut made = 0;
        let turn = self.pictures.turn;
        let later: Vec<ChildId> = self.children.range(turn..).map(|(id, _)| *id).collect();
        let earlier: Vec<ChildId> = self.children.range(..turn).map(|(id, _)| *id).collect();
        for id in later.into_iter().chain(earlier) {
            self.pictures.turn = id;
            if made >= UNREAD {
                return;
            }
            made += self.children.get_mut(&id).map_or(0, Child::make_lines);
        }
    }

    /// Shows all children.
    pub(super) fn publish(&mut self, now: Nanos) {
        let cpu = clock::thread_cpu();
        self.make_lines();
        let children = self.children.values_mut().map(Child::view).collect();
        let took = clock::thread_cpu().since(cpu);
        self.show(now, took, children);
        let pictures = &mut self.pictures;
        (pictures.published, pictures.answered) = (now, false);
        pictures.pause = Nanos((PARTS - 1) * took.0).min(LONGEST_PAUSE).max(PICTURE);
        // Those that had no turn come with the next one.
        self.dirty = self.children.values().any(|child| child.output.waits());
    }

    /// Shows the last picture again, with the child that has answered as it is
    /// now.
    pub(super) fn publish_answer(&mut self, now: Nanos) {
        self.pictures.answered = false;
        let Some((id, _)) = self.pictures.asked else { return };
        let Some(child) = self.children.get_mut(&id) else { return };
        let mut children = self.pictures.last.value.children.clone();
        // One that is not there yet comes with the next picture of all.
        let Some(shown) = children.iter_mut().find(|shown| shown.id == id) else { return };
        let cpu = clock::thread_cpu();
        child.make_lines();
        *shown = child.view();
        let took = clock::thread_cpu().since(cpu);
        self.show(now, took, children);
        self.pictures.answer_from = now + Nanos(3 * took.0).max(ANSWER);
    }

    fn show(&mut self, at: Nanos, took: Nanos, children: Vec<Arc<ChildView>>) {
        self.pictures.seq += 1;
        let picture = Arc::new(Stamped { at, took, seq: self.pictures.seq, value: Children { children } });
        self.pictures.last = picture.clone();
        self.outlet.publish(Update::Children(picture));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_written_to_answers() {
        let mut pictures = Pictures::default();
        pictures.hear(1);
        assert_eq!(pictures.answer_due(), None);
        pictures.ask(1);
        pictures.hear(2);
        assert_eq!(pictures.answer_due(), None);
        pictures.hear(1);
        assert_eq!(pictures.answer_due(), Some(Nanos::ZERO), "at once");
        // Long ago: what it writes now is no answer.
        (pictures.answered, pictures.asked) = (false, Some((1, Nanos::ZERO)));
        pictures.hear(1);
        assert_eq!(pictures.answer_due(), None);
    }
}
