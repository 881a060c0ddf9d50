//! The cursor among the orderings of all threads, and what it changes.

use super::{Look, Ordering, Reaction, program};
use crate::model::litmus::{LitmusSpec, Order};
use crate::model::sorting;

impl Ordering {
    /// The orderings, thread by thread.
    pub(super) fn slots(&self) -> Vec<program::Choice> {
        self.preview.as_ref().map(|progress| program::choices(&progress.test)).unwrap_or_default()
    }

    pub(super) fn change(&mut self, look: &Look<'_>, next: impl Fn(usize, usize) -> usize) -> Reaction {
        let slots = self.slots();
        let Some(choice) = slots.get(self.cursor) else { return Reaction::taken() };
        let at = choice.choices.iter().position(|order| *order == choice.order).unwrap_or(0);
        let order: Order = choice.choices[next(at, choice.choices.len())];
        let mut orders = self.spec.orders.clone();
        orders.retain(|(slot, _)| *slot != choice.slot);
        orders.push((choice.slot, order));
        // One order for one set of changes, so that equal ones are known as such.
        sorting::by_key(&mut orders, |(slot, _)| (slot.thread, slot.index));
        self.set(LitmusSpec { orders, ..self.spec.clone() }, look)
    }

    pub(super) fn step(&mut self, by: isize) {
        let last = self.slots().len().saturating_sub(1);
        self.cursor = self.cursor.saturating_add_signed(by).min(last);
    }

    /// To the ordering of the neighbouring thread that stands at the same
    /// height.
    pub(super) fn sideways(&mut self, by: isize) {
        let slots = self.slots();
        let Some(now) = slots.get(self.cursor) else { return };
        let beyond = |choice: &program::Choice| (choice.slot.thread as isize - now.slot.thread as isize) * by;
        let nearest = slots.iter().enumerate().filter(|(_, choice)| beyond(choice) > 0);
        let nearest = nearest.min_by_key(|(_, choice)| (beyond(choice), choice.line.abs_diff(now.line)));
        if let Some((index, _)) = nearest {
            self.cursor = index;
        }
    }
}
