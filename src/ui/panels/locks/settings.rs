//! What a person changes: one row a setting, changed with the arrow keys.

use crate::backend::lab::locks::{MAX_THREADS, MAX_WORK, PRIMITIVES, find};
use crate::model::Nanos;
use crate::model::lock::{LockSpec, Trace};

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Lock,
    Threads,
    Hold,
    Think,
    Recording,
    Window,
}

/// All of them, in the order of the rows.
pub(super) const SETTINGS: [Setting; 6] =
    [Setting::Lock, Setting::Threads, Setting::Hold, Setting::Think, Setting::Recording, Setting::Window];

const TRACES: [Trace; 3] = [Trace::Off, Trace::Plain, Trace::Ordered];

impl Setting {
    /// What it is called.
    pub(super) fn label(self) -> &'static str {
        match self {
            Setting::Lock => "lock",
            Setting::Threads => "threads",
            Setting::Hold => "hold",
            Setting::Think => "think",
            Setting::Recording => "recording",
            Setting::Window => "window",
        }
    }

    /// Its value in words.
    pub(super) fn value(self, spec: &LockSpec) -> String {
        match self {
            Setting::Lock => lock_name(spec).to_owned(),
            Setting::Threads => spec.threads.to_string(),
            Setting::Hold => spec.setting.hold.precise(),
            Setting::Think => spec.setting.think.precise(),
            Setting::Window => spec.setting.window.precise(),
            Setting::Recording => match spec.setting.trace {
                Trace::Off => "off",
                Trace::Plain => "plain",
                Trace::Ordered => "ordered",
            }
            .to_owned(),
        }
    }

    /// Steps to the next or the previous value; at either end it stays, but
    /// for the lock and the recording, which go round.
    pub(super) fn step(self, spec: &mut LockSpec, up: bool) {
        let setting = &mut spec.setting;
        match self {
            Setting::Lock => {
                let keys: Vec<&str> = PRIMITIVES.iter().map(|primitive| primitive.info().key).collect();
                let index = keys.iter().position(|key| *key == spec.lock).unwrap_or(0);
                keys[round(index, keys.len(), up)].clone_into(&mut spec.lock);
            }
            Setting::Recording => {
                let index = TRACES.iter().position(|trace| *trace == setting.trace).unwrap_or(0);
                setting.trace = TRACES[round(index, TRACES.len(), up)];
            }
            Setting::Threads => spec.threads = next(thread_numbers(), spec.threads as u64, up) as usize,
            Setting::Hold => setting.hold = Nanos(next(works(), setting.hold.0, up)),
            Setting::Think => setting.think = Nanos(next(works(), setting.think.0, up)),
            Setting::Window => setting.window = Nanos(next(windows(), setting.window.0, up)),
        }
    }
}

/// The name of the chosen lock: `std::sync::Mutex`.
pub(super) fn lock_name(spec: &LockSpec) -> &str {
    find(&spec.lock).map_or(&spec.lock, |primitive| primitive.info().name)
}

fn round(index: usize, length: usize, up: bool) -> usize {
    (index + if up { 1 } else { length - 1 }) % length
}

/// The next greater or smaller of ascending values, or what it is where there
/// is none.
fn next(values: impl DoubleEndedIterator<Item = u64>, now: u64, up: bool) -> u64 {
    let mut values = values;
    let found = if up { values.find(|value| *value > now) } else { values.rfind(|value| *value < now) };
    found.unwrap_or(now)
}

/// 1, 2, 3, 4, 6, 8, 12, 16, … 256.
fn thread_numbers() -> impl DoubleEndedIterator<Item = u64> {
    let most = MAX_THREADS as u64;
    [1].into_iter().chain((0..=most.ilog2()).flat_map(|e| [2 << e, 3 << e])).filter(move |n| *n <= most)
}

/// 1, 2, 5, 10, 20, … times `unit`, up to a second.
fn one_two_five(unit: u64) -> impl DoubleEndedIterator<Item = u64> {
    let steps = (0..9).flat_map(move |e| [1, 2, 5].map(|n| n * unit * 10_u64.pow(e)));
    steps.filter(|n| *n <= MAX_WORK.0)
}

fn works() -> impl DoubleEndedIterator<Item = u64> {
    [0].into_iter().chain(one_two_five(10))
}

fn windows() -> impl DoubleEndedIterator<Item = u64> {
    one_two_five(100)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::lab::locks::check;

    #[test]
    fn every_step_of_every_setting_can_be_run_and_both_ends_are_reached() {
        for setting in SETTINGS {
            for up in [true, false] {
                let mut spec = LockSpec::default();
                for _ in 0..100 {
                    setting.step(&mut spec, up);
                    assert!(check(&spec).is_ok(), "{}: {spec:?}", setting.label());
                }
            }
        }
        let numbers: Vec<_> = thread_numbers().collect();
        assert_eq!(numbers[..8], [1, 2, 3, 4, 6, 8, 12, 16]);
        assert_eq!(numbers.last(), Some(&256));
        assert!(works().chain([u64::MAX]).zip(works().skip(1)).all(|(a, b)| a < b));
        assert_eq!((works().next(), works().next_back()), (Some(0), Some(1_000_000_000)));
    }

    #[test]
    fn a_value_between_steps_goes_to_the_nearest_in_the_direction() {
        let mut spec = LockSpec::default();
        spec.setting.hold = Nanos(300);
        Setting::Hold.step(&mut spec, true);
        assert_eq!(spec.setting.hold, Nanos(500));
        spec.setting.hold = Nanos(300);
        Setting::Hold.step(&mut spec, false);
        assert_eq!(spec.setting.hold, Nanos(200));
    }
}
