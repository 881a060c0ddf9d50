//! Zombies and orphans.

use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Signal, WaitIdOptions, kill_process, set_child_subreaper};

use super::Stage;
use super::waiting::pid_of;
use crate::model::Pid;
use crate::model::text;
use crate::sys::pidfd::Pidfd;
use crate::sys::proc_tree;

pub(super) fn zombie(stage: &mut Stage) -> io::Result<()> {
    let mut child = Command::new("true").spawn()?;
    let pid = child.id() as Pid;
    let pidfd = Pidfd::open(pid)?;
    pidfd.ended(None)?;
    let state = |pid: Pid| proc_tree::of(pid).map(|kin| char::from(kin.state));
    stage.seen(format!("{pid} has ended; its state is {}", letter(state(pid))), state(pid) == Some('Z'))?;
    let command = std::fs::read(format!("/proc/{pid}/cmdline"))?;
    let memory = std::fs::read_to_string(format!("/proc/{pid}/statm"))?;
    let nothing = command.is_empty() && memory.starts_with("0 0 ");
    stage.seen(format!("its command line has {} bytes, its memory is {:?}", command.len(), memory.trim()), nothing)?;
    let killed = kill_process(pid_of(&child)?, Signal::KILL);
    stage.seen(
        format!("SIGKILL is accepted ({killed:?}) and changes nothing: {}", letter(state(pid))),
        killed.is_ok() && state(pid) == Some('Z'),
    )?;
    let looked = pidfd.wait(WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let code = looked.and_then(|status| status.exit_status());
    stage.seen(format!("waitid with WNOWAIT reads its code {code:?} and leaves it"), code == Some(0))?;
    let status = child.wait()?;
    stage.seen(format!("wait reaps it: {status}; now there is no process {pid}"), state(pid).is_none())?;
    let dropped = Command::new("true").spawn()?;
    let pid = dropped.id() as Pid;
    Pidfd::open(pid)?.ended(None)?;
    drop(dropped);
    stage.seen(
        format!("{pid} was dropped, not waited for: {}, until its parent ends", letter(state(pid))),
        state(pid) == Some('Z'),
    )
}

pub(super) fn orphan(stage: &mut Stage) -> io::Result<()> {
    let (shell, orphan) = leave_one()?;
    let parent = parent_of(orphan)?;
    stage.seen(
        format!("{shell} sh started {orphan} sleep and ended; the parent of {orphan} is now {}", named(parent)),
        parent != shell,
    )?;
    Pidfd::open(orphan)?.send(libc::SIGKILL)?;
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let (shell, orphan) = leave_one()?;
    let (parent, me) = (parent_of(orphan)?, std::process::id() as Pid);
    stage.seen(
        format!("with PR_SET_CHILD_SUBREAPER here, {shell}'s orphan {orphan} is a child of {}", named(parent)),
        parent == me,
    )?;
    let pidfd = Pidfd::open(orphan)?;
    pidfd.send(libc::SIGKILL)?;
    pidfd.ended(Some(Duration::from_secs(10)))?;
    let state = proc_tree::of(orphan).map(|kin| char::from(kin.state));
    stage.seen(format!("killed, it is a zombie of ours: {}", letter(state)), state == Some('Z'))?;
    let status = pidfd.wait(WaitIdOptions::EXITED)?;
    let signal = status.and_then(|status| status.terminating_signal());
    stage.seen(format!("and we, its new parent, reap it: signal {signal:?}"), signal == Some(libc::SIGKILL))
}

/// A shell that has ended, and what it left running.
fn leave_one() -> io::Result<(Pid, Pid)> {
    let script = "sleep 1000 </dev/null >/dev/null 2>&1 & echo $!";
    let mut shell = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(mut out) = shell.stdout.take() {
        out.read_to_string(&mut line)?;
    }
    shell.wait()?;
    Ok((shell.id() as Pid, line.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?))
}

fn parent_of(pid: Pid) -> io::Result<Pid> {
    Ok(proc_tree::of(pid).ok_or(io::ErrorKind::NotFound)?.parent)
}

fn named(pid: Pid) -> String {
    let name = proc_tree::of(pid).map(|kin| text::visible(&kin.name)).unwrap_or_default();
    format!("{pid} {name}")
}

/// `Z`, or that there is no such process.
fn letter(state: Option<char>) -> String {
    state.map_or_else(|| "gone".to_owned(), |letter| letter.to_string())
}
