//! What a person changes: one row a setting, changed with the arrow keys.

use crate::backend::lab::locks::{Family, MAX_THREADS, MAX_WORK, PRIMITIVES, find};
use crate::model::Nanos;
use crate::model::lock::{LockSpec, PerMille, Spread, Trace};

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Lock,
    Threads,
    Hold,
    Think,
    Reads,
    Recording,
    Window,
}

/// Those of a workload, in the order of the rows.
pub(super) fn settings(spec: &LockSpec) -> Vec<Setting> {
    let mut all = vec![Setting::Lock, Setting::Threads, Setting::Hold, Setting::Think];
    if find(&spec.lock).is_some_and(|primitive| primitive.info().family.reads()) {
        all.push(Setting::Reads);
    }
    all.extend([Setting::Recording, Setting::Window]);
    all
}

/// Shares of acquisitions that read.
const SHARES: [u64; 13] = [0, 10, 50, 100, 250, 500, 750, 900, 950, 990, 995, 999, 1_000];

const TRACES: [Trace; 3] = [Trace::Off, Trace::Plain, Trace::Ordered];

impl Setting {
    /// What it is called.
    pub(super) fn label(self) -> &'static str {
        match self {
            Setting::Lock => "lock",
            Setting::Threads => "threads",
            Setting::Hold => "hold",
            Setting::Think => "think",
            Setting::Reads => "reads",
            Setting::Recording => "recording",
            Setting::Window => "window",
        }
    }

    /// Its value in words.
    pub(super) fn value(self, spec: &LockSpec) -> String {
        match self {
            Setting::Lock => lock_name(spec).to_owned(),
            Setting::Threads if spec.setting.tries => format!("{}, trying", spec.threads),
            Setting::Threads => spec.threads.to_string(),
            Setting::Hold => varied(spec.setting.hold, spec.setting.hold_spread),
            Setting::Think => varied(spec.setting.think, spec.setting.think_spread),
            Setting::Reads => format!("{} %", f64::from(spec.setting.reads.0) / 10.0),
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
            Setting::Reads => {
                setting.reads = PerMille(next(SHARES.into_iter(), setting.reads.0.into(), up) as u32);
            }
            Setting::Window => setting.window = Nanos(next(windows(), setting.window.0, up)),
        }
    }

    /// How its work varies, where it is work: fixed, uniform, exponential, and
    /// round again.
    pub(super) fn vary(self, spec: &mut LockSpec) {
        let spread = match self {
            Setting::Hold => &mut spec.setting.hold_spread,
            Setting::Think => &mut spec.setting.think_spread,
            _ => return,
        };
        let index = Spread::ALL.iter().position(|of| of == spread).unwrap_or(0);
        *spread = Spread::ALL[round(index, Spread::ALL.len(), true)];
    }
}

/// A duration and how it varies: `200 ns, uniform`.
fn varied(time: Nanos, spread: Spread) -> String {
    match spread {
        Spread::Fixed => time.precise(),
        Spread::Uniform | Spread::Exponential => format!("{}, {}", time.precise(), spread.name()),
    }
}

/// The first primitive of the next family, or of the one before.
pub(super) fn step_family(spec: &mut LockSpec, up: bool) {
    let family = find(&spec.lock).map_or(Family::Exclusion, |primitive| primitive.info().family);
    let index = Family::ALL.iter().position(|of| *of == family).unwrap_or(0);
    let family = Family::ALL[round(index, Family::ALL.len(), up)];
    if let Some(first) = PRIMITIVES.iter().map(|primitive| primitive.info()).find(|info| info.family == family) {
        first.key.clone_into(&mut spec.lock);
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
        let spec = LockSpec { lock: "std_rwlock".to_owned(), ..LockSpec::default() };
        assert!(settings(&spec).contains(&Setting::Reads) && !settings(&LockSpec::default()).contains(&Setting::Reads));
        for setting in settings(&spec) {
            for up in [true, false] {
                let mut spec = spec.clone();
                for _ in 0..100 {
                    setting.step(&mut spec, up);
                    setting.vary(&mut spec);
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
    fn families_go_round_and_begin_with_their_first() {
        let mut spec = LockSpec::default();
        let mut seen = Vec::new();
        for _ in Family::ALL {
            seen.push(find(&spec.lock).unwrap().info().family);
            step_family(&mut spec, true);
        }
        assert_eq!((seen, &*spec.lock), (Family::ALL.to_vec(), "std_mutex"));
        step_family(&mut spec, false);
        assert_eq!(find(&spec.lock).unwrap().info().family, Family::LockFree);
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
