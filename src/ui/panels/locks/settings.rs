//! What a person changes: one row a setting, changed with the arrow keys.

use crate::backend::lab::locks::{Family, MAX_LOCKS, MAX_TAKE, MAX_THREADS, MAX_WORK, PRIMITIVES, find};
use crate::model::Nanos;
use crate::model::lock::{LockSpec, Order, PerMille, Pinning, Priority, Several, Spread, Trace};

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    Lock,
    Threads,
    Hold,
    Think,
    Reads,
    Locks,
    Take,
    Order,
    Pinning,
    Priority,
    Recording,
    Window,
}

/// Those of a workload, in the order of the rows.
pub(super) fn settings(spec: &LockSpec) -> Vec<Setting> {
    let mut all = vec![Setting::Lock, Setting::Threads, Setting::Hold, Setting::Think];
    if family(spec).reads() {
        all.push(Setting::Reads);
    }
    if family(spec) == Family::Exclusion {
        all.push(Setting::Locks);
    }
    if spec.several.is_some() {
        all.extend([Setting::Take, Setting::Order]);
    }
    all.extend([Setting::Pinning, Setting::Priority, Setting::Recording, Setting::Window]);
    all
}

/// Shares of acquisitions that read.
const SHARES: [u64; 13] = [0, 10, 50, 100, 250, 500, 750, 900, 950, 990, 995, 999, 1_000];

/// Numbers of locks.
const LOCKS: [u64; 8] = [1, 2, 3, 4, 6, 8, 12, MAX_LOCKS as u64];

const PINNINGS: [Pinning; 3] = [Pinning::None, Pinning::Each, Pinning::One];

/// How urgent threads can be made; more on the command line.
const PRIORITIES: [&[Priority]; 6] = [
    &[],
    &[Priority::Nice(0), Priority::Nice(19)],
    &[Priority::Fifo(1)],
    &[Priority::Fifo(1), Priority::Fifo(2)],
    &[Priority::RoundRobin(1)],
    &[Priority::Nice(0), Priority::Fifo(1)],
];

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
            Setting::Locks => "locks",
            Setting::Take => "takes",
            Setting::Order => "order",
            Setting::Pinning => "pinned",
            Setting::Priority => "priority",
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
            Setting::Locks => spec.several.map_or(1, |several| several.locks).to_string(),
            Setting::Take => spec.several.map_or(1, |several| several.take).to_string(),
            Setting::Order => spec.several.map_or("", |several| several.order.name()).to_owned(),
            Setting::Pinning => match &spec.schedule.pinning {
                Pinning::None => "no".to_owned(),
                Pinning::Each => "each on a CPU in turn".to_owned(),
                Pinning::One => "all on one CPU".to_owned(),
                cpus @ Pinning::Cpus(_) => format!("on CPU {cpus} in turn"),
            },
            Setting::Priority => spec.schedule.priorities_in_words(),
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
    /// for those that have no order, which go round.
    pub(super) fn step(self, spec: &mut LockSpec, up: bool) {
        match self {
            Setting::Locks | Setting::Take | Setting::Order => return self.step_several(spec, up),
            Setting::Pinning => {
                let index = PINNINGS.iter().position(|pinning| *pinning == spec.schedule.pinning).unwrap_or(0);
                spec.schedule.pinning.clone_from(&PINNINGS[round(index, PINNINGS.len(), up)]);
            }
            Setting::Priority => {
                let index = PRIORITIES.iter().position(|all| *all == spec.schedule.priorities).unwrap_or(0);
                spec.schedule.priorities = PRIORITIES[round(index, PRIORITIES.len(), up)].to_vec();
            }
            _ => {}
        }
        let setting = &mut spec.setting;
        match self {
            Setting::Lock => {
                let keys: Vec<&str> = PRIMITIVES.iter().map(|primitive| primitive.info().key).collect();
                let index = keys.iter().position(|key| *key == spec.lock).unwrap_or(0);
                choose(spec, keys[round(index, keys.len(), up)]);
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
            Setting::Locks | Setting::Take | Setting::Order | Setting::Pinning | Setting::Priority => {}
        }
    }

    /// Steps one of the settings of several locks.
    fn step_several(self, spec: &mut LockSpec, up: bool) {
        let now = spec.several.unwrap_or(Several { locks: 1, take: 2, order: Order::Ascending });
        let Several { mut locks, mut take, mut order } = now;
        match self {
            Setting::Locks => locks = next(LOCKS.into_iter(), locks as u64, up) as usize,
            Setting::Take => take = next(1..=MAX_TAKE as u64, take as u64, up) as usize,
            _ => {
                let index = Order::ALL.iter().position(|of| *of == order).unwrap_or(0);
                order = Order::ALL[round(index, Order::ALL.len(), up)];
            }
        }
        spec.several = (locks > 1).then_some(Several { locks, take: take.min(locks), order });
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

/// Chooses a primitive; several of it stay only where it can be taken so.
pub(super) fn choose(spec: &mut LockSpec, key: &str) {
    key.clone_into(&mut spec.lock);
    spec.several = spec.several.filter(|_| family(spec) == Family::Exclusion);
}

fn family(spec: &LockSpec) -> Family {
    find(&spec.lock).map_or(Family::Exclusion, |primitive| primitive.info().family)
}

/// The first primitive of the next family, or of the one before.
pub(super) fn step_family(spec: &mut LockSpec, up: bool) {
    let index = Family::ALL.iter().position(|of| *of == family(spec)).unwrap_or(0);
    let family = Family::ALL[round(index, Family::ALL.len(), up)];
    if let Some(first) = PRIMITIVES.iter().map(|primitive| primitive.info()).find(|info| info.family == family) {
        choose(spec, first.key);
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
        let mut several = LockSpec::default();
        Setting::Locks.step(&mut several, true);
        assert!(settings(&several).contains(&Setting::Order), "{several:?}");
        for setting in settings(&several) {
            for up in [true, false] {
                let mut spec = several.clone();
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
