//! What a thread may do if its reads may see whatever they like.

use super::programs::{Ord, Step, Stored};

/// Values that are guessed for reads: no program below makes a larger one.
const VALUES: std::ops::Range<i32> = 0..5;

#[derive(Clone, Debug)]
pub(super) struct Ev {
    pub(super) thread: usize,
    pub(super) location: usize,
    pub(super) read: Option<i32>,
    pub(super) write: Option<i32>,
    pub(super) order: Ord,
    pub(super) fence: bool,
    /// Whether its register holds what it read: a compare-exchange that stored
    /// leaves the expected value where it was.
    pub(super) carries: bool,
    /// Position in the thread of the read whose value is stored.
    pub(super) data: Option<usize>,
    pub(super) ctrl: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Trace {
    pub(super) events: Vec<Ev>,
    pub(super) registers: Vec<i32>,
}

/// Everything a thread may do if reads may see whatever they like.
pub(super) fn traces(
    thread: usize,
    steps: &[Step],
    done: &Trace,
    last: Option<usize>,
    ctrl: &[usize],
    out: &mut Vec<Trace>,
) {
    let Some(step) = steps.first() else { return out.push(done.clone()) };
    let rest = &steps[1..];
    let value_of = |at: Option<usize>| at.and_then(|at: usize| done.events[at].read).unwrap_or(0);
    let event = |location, read, write, order| Ev {
        thread,
        location,
        read,
        write,
        order,
        fence: false,
        carries: true,
        data: None,
        ctrl: ctrl.to_vec(),
    };
    let carrier = last.filter(|at| done.events[*at].carries);
    // What is stored, and the read on which it depends.
    let stored = |value| match value {
        Stored::Constant(value) => (value, None),
        Stored::Last => (value_of(last), carrier),
        Stored::OneOfLast => (1, carrier),
    };
    let add = |event: Ev, register: Option<i32>, out: &mut Vec<Trace>| {
        let mut next = done.clone();
        let is_read = event.read.is_some();
        next.events.push(event);
        next.registers.extend(register);
        let last = if is_read { Some(next.events.len() - 1) } else { last };
        traces(thread, rest, &next, last, ctrl, out);
    };
    match *step {
        Step::Guard(value) => {
            if value_of(last) == value {
                let mut inside = ctrl.to_vec();
                inside.extend(carrier);
                traces(thread, rest, done, last, &inside, out);
            } else {
                let mut next = done.clone();
                for step in rest {
                    if !matches!(step, Step::Store(..) | Step::Fence(_) | Step::Guard(_)) {
                        next.registers.push(0);
                    }
                }
                out.push(next);
            }
        }
        Step::Fence(order) => add(Ev { fence: true, ..event(9, None, None, order) }, None, out),
        Step::Store(x, value, order) => {
            let (stored, data) = stored(value);
            add(Ev { data, ..event(x, None, Some(stored), order) }, None, out);
        }
        Step::Load(x, order) => VALUES.for_each(|v| add(event(x, Some(v), None, order), Some(v), out)),
        Step::Add(x, order) => VALUES.for_each(|v| add(event(x, Some(v), Some(v + 1), order), Some(v), out)),
        Step::Swap(x, value, order) => {
            let (stored, data) = stored(value);
            VALUES.for_each(|v| add(Ev { data, ..event(x, Some(v), Some(stored), order) }, Some(v), out));
        }
        Step::Cas(x, expected, desired, order, failure, weak) => {
            let stored = Ev { carries: false, ..event(x, Some(expected), Some(desired), order) };
            add(stored, Some(expected), out);
            VALUES.filter(|v| weak || *v != expected).for_each(|v| add(event(x, Some(v), None, failure), Some(v), out));
        }
    }
}
