//! Runs one command without a screen, for `syncscope run --no-ui`.
//!
//! Its input is ours. Its output and error output pass through pipes, where
//! their bytes are counted, unless they go to a terminal, which it should see
//! as one, or both go to the same file, where their order matters; then it has
//! ours, and the bytes are unknown.
//!
//! Where we have a controlling terminal the command is in our process group:
//! it is in the foreground when we are, and keys like Ctrl-C and Ctrl-Z reach
//! both, so signals that the kernel sent are not passed on a second time.
//! Otherwise it has a group of its own.
//!
//! While it runs we are the reaper of its orphans (`PR_SET_CHILD_SUBREAPER`,
//! prctl(2)). A process that makes itself a daemon so has us for its parent,
//! not init, until we end: the price for naming, at the end, everything that
//! the command left running, without guessing from groups and sessions. What
//! is left is not ended. Where somebody kills us, the janitor ends the command
//! and all that descends from it.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::sys::signal::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::pipe::{PipeFlags, pipe_with};

use super::pump::{Passed, Pump};
use crate::backend::janitor::{self, Role};
use crate::model::child::{ChildSpec, Usage};
use crate::model::life::Exit;
use crate::model::sorting;
use crate::model::{Fault, Nanos, Pid, text};
use crate::sys::brand::Brand;
use crate::sys::proc_tree::{self, Kin};
use crate::sys::signals::Signals;
use crate::sys::spawn::{Group, Spawn, SpawnError, Stdio, reason};
use crate::sys::{clock, reap};

/// Signals that are the command's matter, and the one that tells of orphans.
const HEARD: [Signal; 7] = [
    Signal::SIGHUP,
    Signal::SIGINT,
    Signal::SIGQUIT,
    Signal::SIGTERM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGCHLD,
];
/// Between two looks for orphans that ended.
const ORPHANS: Nanos = Nanos::from_secs(1);

/// How long a reader has for the rest, once somebody wants us to end.
const PATIENCE: Nanos = Nanos::from_millis(200);

/// How a command ran.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its process id.
    pub pid: Pid,
    /// How it ended.
    pub exit: Exit,
    /// What it and the children it waited for used.
    pub usage: Usage,
    /// Bytes it wrote, where they passed through our hands.
    pub stdout_bytes: Option<u64>,
    /// The same of its error output.
    pub stderr_bytes: Option<u64>,
    /// Whether what stands on our standard error may end in the middle of a line.
    pub stderr_open_line: bool,
    /// What of its output could not be passed on, and why.
    pub lost: Option<Fault>,
    /// Its descendants that still run.
    pub descendants: Vec<Descendant>,
}

/// A process that the command left running.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Descendant {
    /// The process.
    pub pid: Pid,
    /// Its name, made visible.
    pub name: String,
}

/// Why a command was not run.
#[derive(Debug)]
pub enum Failure {
    /// It could not be started.
    Start(SpawnError),
    /// We could not do our part.
    Own(Fault),
}

/// Runs a command to its end.
///
/// # Errors
/// Why it was not run.
pub fn run(spec: &ChildSpec) -> Result<Run, Failure> {
    // Before the first thread and the first child of ours.
    let signals = Signals::take(&HEARD).map_err(|error| own("cannot take over signals", &error))?;
    let me = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(me)).map_err(|error| own("cannot reap orphans", &error))?;
    let janitor = janitor::ensure().map_err(Failure::Own)?;
    let routes = routes().map_err(|error| own("cannot connect its output", &error))?;
    let brand = Brand::new();
    let shares_terminal = File::open("/dev/tty").is_ok();
    let request = Spawn {
        program: spec.program.as_encoded_bytes(),
        args: &spec.args,
        env: &spec.env.set,
        cwd: spec.cwd.as_deref(),
        stdio: [Stdio::Inherit, stdio(routes[0].as_ref()), stdio(routes[1].as_ref())],
        group: if shares_terminal { Group::Inherit } else { Group::Own },
        brand,
        ..Spawn::default()
    };
    let started = clock::monotonic();
    let child = janitor.spawn(&request, Role::User).map_err(Failure::Start)?;
    let [out, err] = routes;
    let pumps = [start(out, false), start(err, true)];
    let (exit, mut usage) = wait(&child, &signals, shares_terminal);
    janitor.ended(brand);
    usage.wall = clock::monotonic().since(started);
    let descendants = descendants();
    let ends = finish(pumps, &signals);
    // One that came with the command's end was the command's matter: timeout(1)
    // sends two.
    while signals.next().is_some() {}
    signals.give_back();
    let failed = ["output", "error output"].into_iter().zip(&ends).find_map(|(name, end)| {
        let reason = match end {
            End::None => return None,
            End::Passed(passed) => reason(passed.failed?),
            End::GivenUp => "nobody takes it, and a signal asked us to end".to_owned(),
        };
        Some(Fault::new("run", format!("its {name} could not be passed on: {reason}")))
    });
    let [out, err] = ends.map(|end| match end {
        End::Passed(passed) => Some(passed),
        End::None | End::GivenUp => None,
    });
    Ok(Run {
        pid: child.pid,
        lost: failed,
        exit,
        usage,
        stdout_bytes: out.map(|passed| passed.bytes),
        stderr_bytes: err.map(|passed| passed.bytes),
        stderr_open_line: match err {
            Some(passed) => passed.last.is_some_and(|last| last != b'\n'),
            // What a person sees needs no line of its own.
            None => !io::stderr().is_terminal(),
        },
        descendants,
    })
}

fn own(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Own(Fault::new("run", format!("{what}: {error}")))
}

/// A stream of the command's that passes through our hands.
struct Route {
    reader: OwnedFd,
    writer: OwnedFd,
    to: OwnedFd,
}

fn stdio(route: Option<&Route>) -> Stdio<'_> {
    route.map_or(Stdio::Inherit, |route| Stdio::Fd(route.writer.as_fd()))
}

/// For standard output and error output.
fn routes() -> io::Result<[Option<Route>; 2]> {
    let (stdout, stderr) = (io::stdout(), io::stderr());
    if same_file(stdout.as_fd(), stderr.as_fd()) {
        return Ok([None, None]);
    }
    let route = |fd: BorrowedFd<'_>| {
        if fd.is_terminal() {
            return Ok(None);
        }
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        io::Result::Ok(Some(Route { reader, writer, to: fd.try_clone_to_owned()? }))
    };
    Ok([route(stdout.as_fd())?, route(stderr.as_fd())?])
}

/// Whether both go to one place that keeps an order. `/dev/null` does not.
fn same_file(a: BorrowedFd<'_>, b: BorrowedFd<'_>) -> bool {
    let (Ok(a), Ok(b)) = (fstat(a), fstat(b)) else { return false };
    (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino) && FileType::from_raw_mode(a.st_mode) != FileType::CharacterDevice
}

/// Closes our copy of the writing end and passes on what comes. Where no
/// thread can be had the pipe closes, and the command is told by SIGPIPE.
fn start(route: Option<Route>, seen: bool) -> Option<Pump> {
    let Route { reader, writer, to } = route?;
    drop(writer);
    Pump::start(reader, to, seen).ok()
}

/// What became of a stream.
#[derive(Clone, Copy, Debug)]
enum End {
    /// It did not pass through our hands.
    None,
    Passed(Passed),
    /// It was not waited for.
    GivenUp,
}

/// Passes on what is left; not for ever where a signal comes meanwhile, for
/// whoever reads it may have stopped.
fn finish(pumps: [Option<Pump>; 2], signals: &Signals) -> [End; 2] {
    pumps.iter().flatten().for_each(Pump::finish);
    let mut until: Option<Nanos> = None;
    loop {
        while let Some(arrived) = signals.next() {
            if arrived.number != Signal::SIGCHLD as i32 {
                until.get_or_insert_with(|| clock::monotonic() + PATIENCE);
            }
        }
        let working = pumps.iter().flatten().filter(|pump| !pump.has_ended());
        // The end of a pump is told by HUP, whatever is asked for.
        let ends = working.map(|pump| PollFd::from_borrowed_fd(pump.end(), PollFlags::empty()));
        let mut all: Vec<PollFd<'_>> = ends.collect();
        let left = until.map(|until| until.since(clock::monotonic()));
        if all.is_empty() || left == Some(Nanos::ZERO) {
            break;
        }
        all.push(PollFd::new(signals, PollFlags::IN));
        let timeout = left.map(|left| Timespec { tv_sec: 0, tv_nsec: left.0 as i64 });
        // EINTR or not, we look at all.
        let _ = poll(&mut all, timeout.as_ref());
    }
    pumps.map(|pump| match pump.map(Pump::passed) {
        None => End::None,
        Some(None) => End::GivenUp,
        Some(Some(passed)) => End::Passed(passed),
    })
}

/// Waits for the command's end; passes signals on meanwhile.
fn wait(child: &janitor::Child, signals: &Signals, shares_terminal: bool) -> (Exit, Usage) {
    let mut orphans_seen = Nanos::ZERO;
    loop {
        match reap::try_wait(&*child.pidfd) {
            Ok(Some(end)) => return end,
            Ok(None) => {}
            // Cannot be: nobody else waits for it.
            Err(_) => return (Exit { code: None, signal: None, core: false }, Usage::default()),
        }
        let pidfd = child.pidfd.as_fd();
        let mut both = [PollFd::from_borrowed_fd(pidfd, PollFlags::IN), PollFd::new(signals, PollFlags::IN)];
        // EINTR or not, we look at both.
        let _ = poll(&mut both, None);
        while let Some(arrived) = signals.next() {
            if arrived.number == Signal::SIGCHLD as i32 {
                let now = clock::monotonic();
                if orphans_seen + ORPHANS <= now {
                    orphans_seen = now;
                    reap_orphans(child.pid);
                }
            } else if !(arrived.by_kernel && shares_terminal) {
                // It may just have ended.
                let _ = child.pidfd.send(arrived.number);
            }
        }
    }
}

/// Reaps what we adopted and what has ended since.
fn reap_orphans(child: Pid) {
    let me = std::process::id() as Pid;
    let ours = |kin: &Kin| kin.parent == me && kin.state == b'Z' && kin.pid != child && Some(kin.pid) != janitor::pid();
    for orphan in proc_tree::scan().iter().filter(|kin| ours(kin)) {
        if let Some(pidfd) = proc_tree::open(orphan) {
            let _ = reap::try_wait(&pidfd);
        }
    }
}

/// Everything below us save the janitor: the orphans are ours by now.
fn descendants() -> Vec<Descendant> {
    let all = proc_tree::scan();
    let mut known = HashSet::from([std::process::id() as Pid]);
    let mut found: Vec<&Kin> = Vec::new();
    loop {
        let before = found.len();
        for kin in &all {
            if known.contains(&kin.parent) && Some(kin.pid) != janitor::pid() && known.insert(kin.pid) {
                found.push(kin);
            }
        }
        if found.len() == before {
            break;
        }
    }
    sorting::by_key(&mut found, |kin| kin.pid);
    let alive = found.into_iter().filter(|kin| kin.state != b'Z');
    alive.map(|kin| Descendant { pid: kin.pid, name: text::visible(&kin.name) }).collect()
}
