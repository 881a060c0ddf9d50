//! Every kind of job that a worker process can be given.

use std::io;
use std::os::fd::OwnedFd;

use super::worker::{Assignment, Boss, Job, report_for_work};
use super::{ipc, litmus, locks};
use crate::backend::children::experiments;

/// A row of the registry, its type erased.
struct Kind {
    name: &'static str,
    work: fn(Boss, Vec<OwnedFd>) -> io::Result<()>,
}

const fn kind<J: Job>() -> Kind {
    let work = |mut boss: Boss, fds| match boss.hear::<J>(None)? {
        Some(job) => job.work(boss, fds),
        None => Ok(()),
    };
    Kind { name: J::KIND, work }
}

const KINDS: &[Kind] = &[
    kind::<ipc::Job>(),
    kind::<ipc::failures::Job>(),
    kind::<experiments::Job>(),
    kind::<locks::Job>(),
    kind::<locks::experiments::Job>(),
    kind::<litmus::Job>(),
];

/// The whole life of a worker process: takes its job from standard input and
/// does it.
///
/// # Errors
/// Whatever ended it early.
pub fn serve() -> io::Result<()> {
    let Some(Assignment { kind: name, boss, fds }) = report_for_work()? else { return Ok(()) };
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("no job is called {name}")));
    };
    (kind.work)(boss, fds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
