//! What the decoders of glibc's primitives share: which function of glibc's
//! interface a thread is in.

use super::{Facts, World};
use crate::backend::observe::target::stack::CallSite;

/// Beginnings of the names of glibc's waiting functions, and those of its own
/// that the public ones do their work in.
const PUBLIC: &[&str] = &[
    "pthread_mutex_",
    "pthread_rwlock_",
    "pthread_cond_",
    "pthread_barrier_wait",
    "pthread_once",
    "pthread_join",
    "pthread_timedjoin",
    "pthread_clockjoin",
    "pthread_tryjoin",
    "sem_",
    "mtx_",
    "cnd_",
    "thrd_join",
    "call_once",
    "flockfile",
];

/// The public function of glibc in which the thread waits, without leading
/// underscores: the innermost that has a name or, where libc's symbols are
/// stripped, what the program's own code called. `None` outside of a glibc whose
/// layouts are known, and where nothing has a name.
pub(super) fn function(facts: &Facts<'_>, world: &mut World, site: &CallSite) -> Option<String> {
    if !site.at.runtime.known_glibc() || site.at.name() == "syscall" {
        return None;
    }
    let seen = named(facts, world, site);
    if seen.as_deref().is_some_and(is_public) {
        return seen;
    }
    // What calls have left on the stack may stand in between.
    world.live_call_site(facts).and_then(|site| named(facts, world, &site)).or(seen)
}

fn is_public(name: &str) -> bool {
    PUBLIC.iter().any(|prefix| name.starts_with(prefix))
}

/// A name without what glibc puts before those of its own (`__new_sem_wait_slow`), and the
/// compiler behind those of parts (`.constprop.0`).
fn plain(name: &str) -> &str {
    let name = name.trim_start_matches('_');
    let name = name.strip_prefix("new_").unwrap_or(name);
    name.split('.').next().unwrap_or(name)
}

fn named(facts: &Facts<'_>, world: &mut World, site: &CallSite) -> Option<String> {
    let inner = std::iter::once(&site.at).chain(site.callers.iter().take_while(|code| code.file == site.at.file));
    let mut names = inner.take(4).map(|code| plain(code.name()));
    if let Some(name) = names.find(|name| is_public(name)) {
        return Some(name.to_owned());
    }
    let outer = site.callers.iter().take(4).find(|code| code.file != site.at.file)?;
    let entered = world.called_from(facts.pid, outer.address)?;
    if entered.file == site.at.file {
        return Some(plain(entered.name()).to_owned());
    }
    // A function of the program's own whose last call is that, and no call any more.
    let frames = world.frames(facts);
    let frame = frames.iter().find(|frame| frame.registers.pc == outer.address)?;
    world.last_call(facts.pid, frame).map(|(function, _)| function)
}
