//! The orders in which the writes to one location may follow one another, and
//! those of them that are left for what the reads see.

use crate::backend::lab::litmus::candidates::Ended;
use crate::backend::lab::litmus::relation::{Relation, Set};

/// The most orders of one location's writes.
const MOST_ORDERS: usize = 1 << 19;
/// Of so many orders it is looked for what they have in common.
const COMMON: usize = 64;

/// What an order must fulfil for a read to see a write, each said of another
/// write's place beside that of the write that is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Demand {
    /// That write is not later.
    NotAfter(usize),
    /// That write is later.
    Before(usize),
    /// That write is not earlier.
    NotBefore(usize),
    /// That write is the next.
    Next(usize),
}

/// The orders of one location.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    /// The writes, the initial one first.
    pub(super) writes: Vec<usize>,
    /// Order by order the place of each write.
    places: Vec<u8>,
    /// Order by order what is later than each write.
    later: Vec<Set>,
    /// What is later in all of them.
    always: Vec<Set>,
    /// Orders that are left: at the end those for what was decided last.
    stack: Vec<u32>,
    /// Where on the stack they begin.
    begin: usize,
}

impl Orders {
    /// Every order of `writes`, of which the first is the initial one, that keeps
    /// to `sb`, or just any.
    ///
    /// # Errors
    /// Where there are too many.
    pub(super) fn new(writes: Vec<usize>, sb: &Relation, any: bool, name: &str) -> Result<Self, Ended> {
        if count(&writes, sb) > MOST_ORDERS {
            let what = format!("there are more than {MOST_ORDERS} orders of the {} writes to {name}", writes.len() - 1);
            return Err(Ended::TooLarge(what));
        }
        // Where just any order is too much those of the program will do.
        let free = any && count(&writes, &Relation::empty(sb.size())) <= MOST_ORDERS;
        let mut places = Vec::new();
        arrange(&writes, sb, free, &mut vec![0], &mut places);
        let after = |places: &[u8], place: u8| {
            let mut set = Set::default();
            writes.iter().zip(places).filter(|(_, other)| **other > place).for_each(|(write, _)| set.insert(*write));
            set
        };
        let orders = places.chunks_exact(writes.len());
        let later: Vec<Set> = orders.flat_map(|own| own.iter().map(|place| after(own, *place))).collect();
        let mut always = vec![Set(u64::MAX); writes.len()];
        for order in later.chunks_exact(writes.len()) {
            always.iter_mut().zip(order).for_each(|(all, one)| *all = *all & *one);
        }
        let stack = (0..).take(places.len() / writes.len()).collect();
        Ok(Orders { writes, places, later, always, stack, begin: 0 })
    }

    fn places(&self, order: u32) -> &[u8] {
        let from = order as usize * self.writes.len();
        &self.places[from..from + self.writes.len()]
    }

    /// How many are left.
    pub(super) fn left(&self) -> usize {
        self.stack.len() - self.begin
    }

    /// The write's index among those of the location.
    pub(super) fn index(&self, write: usize) -> usize {
        self.writes.iter().position(|known| *known == write).unwrap_or_default()
    }

    /// Leaves those in which a read may see `seen`, an index as in the demands;
    /// gives what [`Orders::restore`] needs.
    pub(super) fn keep(&mut self, seen: usize, demands: &[Demand]) -> usize {
        let before = self.begin;
        let (from, to) = (self.begin, self.stack.len());
        self.begin = to;
        for at in from..to {
            let order = self.stack[at];
            let places = self.places(order);
            let place = places[seen];
            let fits = demands.iter().all(|demand| match *demand {
                Demand::NotAfter(other) => places[other] <= place,
                Demand::Before(other) => place < places[other],
                Demand::NotBefore(other) => place <= places[other],
                Demand::Next(other) => places[other] == place + 1,
            });
            if fits {
                self.stack.push(order);
            }
        }
        before
    }

    /// Leaves only the `nth` of those that are left.
    pub(super) fn choose(&mut self, nth: usize) -> usize {
        let before = self.begin;
        let order = self.stack[self.begin + nth];
        self.begin = self.stack.len();
        self.stack.push(order);
        before
    }

    /// Undoes the last [`Orders::keep`] or [`Orders::choose`].
    pub(super) fn restore(&mut self, before: usize) {
        self.stack.truncate(self.begin);
        self.begin = before;
    }

    /// The last write, where only one order is left.
    pub(super) fn last(&self) -> Option<usize> {
        let [order] = self.stack[self.begin..] else { return None };
        let last = self.writes.len() as u8 - 1;
        self.writes.iter().zip(self.places(order)).find(|(_, place)| **place == last).map(|(write, _)| *write)
    }

    /// What is later than a write, given by index, in all orders that are left.
    pub(super) fn later(&self, write: usize) -> Set {
        let left = &self.stack[self.begin..];
        if left.len() > COMMON {
            return self.always[write];
        }
        left.iter().fold(Set(u64::MAX), |all, order| all & self.later[*order as usize * self.writes.len() + write])
    }
}

/// How many orders of `writes` keep to `sb`, [`MOST_ORDERS`] and one at most:
/// each thread's writes stand in one, so that it counts how threads take turns.
fn count(writes: &[usize], sb: &Relation) -> usize {
    let mut all = 1_usize;
    for (index, write) in writes.iter().enumerate().skip(1) {
        let own = writes[1..index].iter().filter(|earlier| sb.contains(**earlier, *write)).count();
        all = all * index / (own + 1);
        if all > MOST_ORDERS {
            break;
        }
    }
    all
}

/// Adds the places of every order that begins as `order` does.
fn arrange(writes: &[usize], sb: &Relation, any: bool, order: &mut Vec<usize>, places: &mut Vec<u8>) {
    if order.len() == writes.len() {
        let begin = places.len();
        places.resize(begin + writes.len(), 0);
        order.iter().zip(0..).for_each(|(write, at)| places[begin + *write] = at);
        return;
    }
    let left: Vec<usize> = (1..writes.len()).filter(|write| !order.contains(write)).collect();
    for next in &left {
        // Its thread's earlier writes come first.
        if any || !left.iter().any(|other| sb.contains(writes[*other], writes[*next])) {
            order.push(*next);
            arrange(writes, sb, any, order, places);
            order.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(any: bool) -> Orders {
        // 0 is the initial write, 1 and 2 of one thread, 3 of another.
        let mut sb = Relation::empty(4);
        sb.insert(1, 2);
        Orders::new(vec![0, 1, 2, 3], &sb, any, "x").unwrap()
    }

    #[test]
    fn orders_keep_to_the_program_and_are_taken_back() {
        assert_eq!(orders(true).left(), 6);
        let mut orders = orders(false);
        assert_eq!((orders.left(), orders.last()), (3, None));
        assert_eq!(orders.later(0), Set(0b1110));
        assert_eq!(orders.later(1), Set(0b100));
        let before = orders.keep(3, &[Demand::Next(1)]);
        assert_eq!((orders.left(), orders.last()), (1, Some(2)));
        assert_eq!(orders.later(3), Set(0b110));
        let again = orders.keep(2, &[Demand::Before(3)]);
        assert_eq!(orders.left(), 0);
        orders.restore(again);
        orders.restore(before);
        assert_eq!(orders.left(), 3);
        let before = orders.choose(2);
        assert_eq!(orders.left(), 1);
        orders.restore(before);
        assert_eq!(orders.left(), 3);
    }

    #[test]
    fn too_many_orders_are_named() {
        let writes: Vec<usize> = (0..17).collect();
        let error = Orders::new(writes, &Relation::empty(17), false, "x").unwrap_err();
        assert_eq!(error, Ended::TooLarge("there are more than 524288 orders of the 16 writes to x".to_owned()));
    }
}
