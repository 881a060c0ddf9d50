//! Which function of musl a thread waits in.

use crate::backend::observe::target::module::Runtime;
use crate::backend::observe::target::stack::{CallSite, Code};
use crate::backend::observe::wait::{Facts, World};

/// A primitive, as its waiting function tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Primitive {
    Mutex,
    Read,
    Write,
    Condition,
    Semaphore,
    Barrier,
    Once,
    Join,
}

/// The functions in which musl waits, by the names that a stack may show: most
/// public ones jump to the one that does the work.
const FUNCTIONS: &[(&str, Primitive)] = &[
    ("pthread_mutex_lock", Primitive::Mutex),
    ("pthread_mutex_timedlock", Primitive::Mutex),
    ("mtx_lock", Primitive::Mutex),
    ("mtx_timedlock", Primitive::Mutex),
    ("pthread_rwlock_rdlock", Primitive::Read),
    ("pthread_rwlock_timedrdlock", Primitive::Read),
    ("pthread_rwlock_wrlock", Primitive::Write),
    ("pthread_rwlock_timedwrlock", Primitive::Write),
    ("pthread_cond_wait", Primitive::Condition),
    ("pthread_cond_timedwait", Primitive::Condition),
    ("cnd_wait", Primitive::Condition),
    ("cnd_timedwait", Primitive::Condition),
    ("sem_wait", Primitive::Semaphore),
    ("sem_timedwait", Primitive::Semaphore),
    ("pthread_barrier_wait", Primitive::Barrier),
    ("pthread_once", Primitive::Once),
    ("pthread_once_full", Primitive::Once),
    ("call_once", Primitive::Once),
    ("pthread_join", Primitive::Join),
    ("pthread_tryjoin_np", Primitive::Join),
    ("pthread_timedjoin_np", Primitive::Join),
    ("thrd_join", Primitive::Join),
];

/// What musl does its waiting with, below the functions above.
const INNER: &[&str] =
    &["", "timedwait", "timedwait_cp", "wait", "syscall_cp", "syscall_cp_c", "syscall_cp_asm", "sccp", "futex4_cp"];

/// The primitive whose function the thread is in, and that function's name;
/// `None` outside of musl, where another function of it waits, and where nothing
/// has a name.
pub(super) fn primitive(facts: &Facts<'_>, world: &mut World, site: &CallSite) -> Option<(Primitive, String)> {
    // `syscall` is the program's own business.
    if site.at.runtime != Runtime::Musl || site.at.name() == "syscall" {
        return None;
    }
    // What is left on the stack does not count.
    let frames = world.frame_code(facts);
    let caller = caller(&frames, site)?;
    let name = plain(frames.get(caller.checked_sub(1)?)?);
    if !INNER.contains(&name) {
        return known(name);
    }
    // Nothing but nameless functions: what the program called.
    let entered = world.called_from(facts.pid, frames.get(caller)?.address).filter(|code| code.file == site.at.file)?;
    known(plain(&entered))
}

/// What that function was called with first, as the code before the call tells.
pub(super) fn argument(facts: &Facts<'_>, world: &mut World, site: &CallSite) -> Option<u64> {
    let caller = caller(&world.frame_code(facts), site)?;
    let frames = world.frames(facts);
    world.first_argument(facts.pid, frames.get(caller)?)
}

/// Which live frame called the nearest function of musl that has a name, or, where none
/// has, musl.
fn caller(frames: &[Code], site: &CallSite) -> Option<usize> {
    let own = |code: &Code| code.file == site.at.file;
    let at = frames.iter().position(|code| !own(code) || !INNER.contains(&plain(code)))?;
    Some(if own(&frames[at]) { at + 1 } else { at })
}

/// Whether the thread is where musl takes a mutex.
pub(in crate::backend::observe::wait) fn waits_in_mutex(facts: &Facts<'_>, world: &mut World, site: &CallSite) -> bool {
    matches!(primitive(facts, world, site), Some((Primitive::Mutex, _)))
}

fn plain(code: &Code) -> &str {
    code.name().trim_start_matches('_')
}

fn known(name: &str) -> Option<(Primitive, String)> {
    FUNCTIONS.iter().find(|(function, _)| *function == name).map(|&(name, primitive)| (primitive, name.to_owned()))
}
