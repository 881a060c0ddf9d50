//! What can go wrong with child processes, shown: each experiment runs in a
//! worker process of its own, with real processes below it, and ends in a
//! plain statement. Where something waits, the survey that `syncscope why`
//! uses is asked, and what it says is part of what was observed.
//!
//! An experiment is a function for the worker and one line in [`EXPERIMENTS`].

mod costs;
mod errors;
mod forks;
mod kin;
mod pipes;
mod stage;
mod waiting;

use std::io;

use serde::{Deserialize, Serialize};

pub use self::stage::Stage;
use crate::model::Fault;
use crate::model::finding::Finding;

/// All experiments, in the order they are shown.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        key: "grep-deadlock",
        title: "grep's standard input is kept open while its output is read to the end",
        statement: "A deadlock: grep waits for the end of its input, which comes when all writing ends are closed; the \
                    program holds one and waits for the end of grep's output, which comes when grep ends. \
                    `stdin.as_mut()` only borrows the handle: nothing is dropped, whatever the comment in the listing \
                    says.",
        play: waiting::grep_deadlock,
    },
    Experiment {
        key: "grep-mended",
        title: "the same, with the input taken and dropped before the output is read",
        statement: "`child.stdin.take()` moves the handle out, so that dropping it closes the pipe: grep sees the end \
                    of its input, writes what it found and ends. `wait_with_output` closes it, too.",
        play: waiting::grep_mended,
    },
    Experiment {
        key: "wait-before-read",
        title: "a program waits for its child before it reads what that writes",
        statement: "A pipe is a bounded queue. The child fills it and sleeps until somebody reads; whoever should read \
                    waits for the child's end: a deadlock as soon as the output is larger than the pipe, and none in \
                    a test with little output. `wait_with_output` reads while it waits.",
        play: pipes::wait_before_read,
    },
    Experiment {
        key: "wait-try-wait-kill",
        title: "wait, try_wait and kill",
        statement: "`try_wait` asks, `wait` sleeps, both reap and remember the answer; `kill` sends SIGKILL and does \
                    not reap. A process that was killed has no code: `ExitStatus::code` is None and \
                    `ExitStatusExt::signal` tells, on Unix only; on Windows there is a code of 32 bits and no signal.",
        play: waiting::wait_try_wait_kill,
    },
    Experiment {
        key: "zombie",
        title: "a child has ended and nobody has waited for it",
        statement: "A zombie holds nothing but its entry in the process table, with its exit status; that stays until \
                    its parent waits for it, or ends. Signals do nothing to it. Dropping a `Child` does not wait. So it \
                    is on every Unix; on Windows a process that ended is gone with the last handle to it.",
        play: kin::zombie,
    },
    Experiment {
        key: "orphan",
        title: "a parent ends before its child",
        statement: "An orphan gets a new parent: the nearest ancestor that said PR_SET_CHILD_SUBREAPER, otherwise init \
                    of its pid namespace, which reaps it when it ends. Nothing ends it just because its parent did. macOS knows no subreapers: launchd takes it; on \
                    Windows it keeps the number of a parent that is gone.",
        play: kin::orphan,
    },
    Experiment {
        key: "sigpipe",
        title: "a program writes to a pipe that nobody reads any more",
        statement: "The write raises SIGPIPE, which ends a program that says nothing about it; one that ignores it gets \
                    the error EPIPE. Rust programs ignore it from their first line on, and std gives it back to the \
                    programs they start.",
        play: pipes::sigpipe,
    },
    Experiment {
        key: "descriptor-leak",
        title: "a descriptor without close-on-exec leaks into another child",
        statement: "A pipe ends for its reader when the last writing end is closed, and every process that was started \
                    meanwhile may have a copy. With O_CLOEXEC, which std sets on all it opens, the copy closes as the \
                    other program is executed.",
        play: pipes::descriptor_leak,
    },
    Experiment {
        key: "fork-with-mutex",
        title: "a process with several threads forks while one of them holds a mutex",
        statement: "Only the thread that forks exists in the child; a mutex that another held stays locked there, and \
                    nobody will ever unlock it. That is so for every kind of mutex and both ways to fork.",
        play: forks::fork_with_mutex,
    },
    Experiment {
        key: "fork-with-malloc",
        title: "the same, where the lock is the allocator's own",
        statement: "fork(3) of glibc takes the allocator's locks before and gives them back in the child: allocating \
                    works there. The bare system call does not, and the child hangs in its first malloc. No library can \
                    do so for locks that it does not know.",
        play: forks::fork_with_malloc,
    },
    Experiment {
        key: "pre-exec",
        title: "pre_exec does something that is not async-signal-safe",
        statement: "Between fork and exec the child is alone with locks that other threads held: one is enough to stop \
                    it for ever, and `spawn` with it, which waits for the child to execute its program or to report why \
                    not. Only async-signal-safe functions (signal-safety(7)) are sound there.",
        play: forks::pre_exec,
    },
    Experiment {
        key: "spawn-costs",
        title: "posix_spawn, vfork, clone3 and fork+exec beside each other, at growing sizes of the parent",
        statement: "fork copies the page tables, so its price grows with the parent; posix_spawn, vfork and clone3 with \
                    CLONE_VM | CLONE_VFORK run the child in the parent's memory while that stands still, and cost the \
                    same at any size. std uses posix_spawn where it can, on macOS too; on Windows there is nothing \
                    to copy (CreateProcess).",
        play: costs::spawn_costs,
    },
    Experiment {
        key: "spawn-errors",
        title: "what std says of a program that does not start",
        statement: "`spawn` tells the kernel's error and nothing of what it was about: ENOENT may mean the program, its \
                    interpreter or the working directory. Kinds are coarse, and some errors have none that is stable: \
                    look at `raw_os_error`, which differs between systems.",
        play: errors::spawn_errors,
    },
];

/// Finds an experiment by its key.
pub fn experiment(key: &str) -> Option<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.key == key)
}

/// An experiment.
#[derive(Debug)]
pub struct Experiment {
    /// Its name on the command line and in JSON.
    pub key: &'static str,
    /// What is done.
    pub title: &'static str,
    /// What happens and why.
    pub statement: &'static str,
    /// The worker's part.
    play: fn(&mut Stage) -> io::Result<()>,
}

impl Experiment {
    /// Does it, in a worker; it takes up to a few seconds.
    ///
    /// # Errors
    /// A fault where it could not be done.
    pub fn run(&self) -> Result<Finding, Fault> {
        stage::run(self)
    }
}

/// What a worker is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    key: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_is_found_and_said_in_whole_sentences() {
        for known in EXPERIMENTS {
            assert_eq!(experiment(known.key).unwrap().title, known.title);
            assert!(known.statement.ends_with('.'), "{}", known.key);
        }
        assert!(experiment("no-such").is_none());
    }
}
