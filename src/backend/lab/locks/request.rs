//! Whether a workload can be run, said before anything is started.

use super::{Family, PRIMITIVES, Primitive, find};
use crate::model::lock::{LockSpec, PerMille, Several};
use crate::model::{Fault, Nanos};

/// The most threads: beyond it the lanes and the matrix say nothing any more,
/// and the scheduler is all that is measured.
pub const MAX_THREADS: usize = 256;
/// The longest hold and think time.
pub const MAX_WORK: Nanos = Nanos::from_secs(1);
/// The most locks at a time.
pub const MAX_LOCKS: usize = 16;
/// The most that a thread takes of them.
pub const MAX_TAKE: usize = 8;

/// Whether a workload can be run, and the primitive that it names.
///
/// # Errors
/// A fault that says what can be asked for.
pub fn check(spec: &LockSpec) -> Result<&'static dyn Primitive, Fault> {
    let primitive = find(&spec.lock).ok_or_else(|| unknown(&spec.lock))?;
    let limit = |what: &'static str, said: String, hint: &'static str| Err(Fault::new(what, said).hint(hint));
    if !(1..=MAX_THREADS).contains(&spec.threads) {
        return limit("threads", format!("{} cannot contend", spec.threads), "from 1 to 256 threads can");
    }
    for (what, time) in [("hold", spec.setting.hold), ("think", spec.setting.think)] {
        if time > MAX_WORK {
            return limit(what, format!("{time} is too long"), "at most 1 s (1000000000 ns)");
        }
    }
    if spec.setting.reads > PerMille::WHOLE {
        return limit("read-share", format!("{} is no share", spec.setting.reads.share()), "from 0 to 1");
    }
    if spec.measure.is_some_and(|measure| measure.each == Nanos::ZERO || measure.repeats == 0) {
        return limit("measure", "no time to measure".to_owned(), "at least one repetition of more than 0 s");
    }
    if let Some(several) = &spec.several {
        check_several(several, primitive)?;
    }
    Ok(primitive)
}

fn check_several(several: &Several, primitive: &dyn Primitive) -> Result<(), Fault> {
    let Several { locks, take, .. } = *several;
    let refused = |said: String, hint: &'static str| Err(Fault::new("several", said).hint(hint));
    let info = primitive.info();
    if info.family != Family::Exclusion {
        let said = format!("{} is of the family {}", info.key, info.family.name());
        return refused(said, "several locks can be taken of those of mutual exclusion");
    }
    if !(1..=MAX_LOCKS).contains(&locks) {
        return refused(format!("{locks} locks cannot be had"), "from 1 to 16 locks can");
    }
    if !(1..=locks.min(MAX_TAKE)).contains(&take) {
        return refused(
            format!("a thread cannot take {take} of {locks}"),
            "it takes at least 1, at most 8, and not more than there are",
        );
    }
    Ok(())
}

fn unknown(name: &str) -> Fault {
    let keys = |broken: bool| {
        let all = PRIMITIVES.iter().map(|p| p.info()).filter(|info| info.breaks.is_some() == broken);
        all.map(|info| info.key).collect::<Vec<_>>().join(", ")
    };
    let nearest = PRIMITIVES
        .iter()
        .map(|p| (strsim::jaro_winkler(name, p.info().key), p.info().key))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|&(likeness, _)| likeness > 0.7);
    let meant = nearest.map_or_else(String::new, |(_, key)| format!("did you mean `{key}`? "));
    let shown = crate::model::text::visible(name.as_bytes());
    Fault::new("lock", format!("there is no lock `{shown}`")).hint(format!(
        "{meant}there are {}; and, broken on purpose, {}",
        keys(false),
        keys(true)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::lock::{LockSetting, Measure, Order};

    fn refused(spec: &LockSpec) -> String {
        check(spec).map(|p| p.info().key).unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_the_limit() {
        let spec = LockSpec::default();
        assert_eq!(check(&spec).map(|p| p.info().key), Ok("std_mutex"));
        for threads in [0, 257, 10_000] {
            assert!(refused(&LockSpec { threads, ..spec.clone() }).contains("from 1 to 256"));
        }
        let hold = |hold| LockSpec { setting: LockSetting { hold, ..spec.setting }, ..spec.clone() };
        assert!(check(&hold(MAX_WORK)).is_ok());
        assert!(refused(&hold(MAX_WORK + Nanos(1))).contains("at most 1 s"));
        let never = Measure { each: Nanos::ZERO, repeats: 1 };
        assert!(refused(&LockSpec { measure: Some(never), ..spec }).contains("no time"));
    }

    #[test]
    fn an_unknown_lock_is_answered_with_the_nearest_and_all() {
        let text = refused(&LockSpec { lock: "std_mutx\x1b".to_owned(), ..LockSpec::default() });
        assert!(text.contains("did you mean `std_mutex`?"), "{text}");
        assert!(text.contains("parking_lot") && text.contains("on purpose, broken_flag"), "{text}");
        assert!(!text.contains('\x1b'));
        assert!(!refused(&LockSpec { lock: "zzz".to_owned(), ..LockSpec::default() }).contains("did you mean"));
    }

    #[test]
    fn several_locks_are_of_one_family_and_few() {
        let of = |lock: &str, locks, take| LockSpec {
            lock: lock.to_owned(),
            several: Some(Several { locks, take, order: Order::Random }),
            ..LockSpec::default()
        };
        assert!(check(&of("ticket", 16, 8)).is_ok() && check(&of("std_mutex", 1, 1)).is_ok());
        assert!(refused(&of("barrier", 2, 2)).contains("those of mutual exclusion"));
        for (locks, take, says) in
            [(0, 0, "from 1 to 16"), (17, 1, "from 1 to 16"), (4, 0, "at least 1"), (4, 5, "take 5 of 4")]
        {
            let text = refused(&of("std_mutex", locks, take));
            assert!(text.contains(says), "{text}");
        }
    }
}
