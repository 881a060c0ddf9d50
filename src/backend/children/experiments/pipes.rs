//! Pipes that fill, that break, that never end.

use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

use super::Stage;
use super::stage::Expect;
use crate::model::Pid;
use crate::model::wait::WaitKind;
use crate::sys::pidfd::Pidfd;

/// More than any pipe holds by default.
const MUCH: usize = 1 << 20;

fn writer(bytes: usize) -> Command {
    let mut command = Command::new("head");
    command.args(["-c", &bytes.to_string(), "/dev/zero"]).stdout(Stdio::piped());
    command
}

pub(super) fn wait_before_read(stage: &mut Stage) -> io::Result<()> {
    let mut child = writer(1_000).spawn()?;
    let status = child.wait()?;
    stage.seen(format!("1,000 bytes fit into the pipe: wait returns, {status}"), status.success())?;
    let output = writer(MUCH).spawn()?.wait_with_output()?;
    let read = output.stdout.len();
    stage.seen(format!("wait_with_output reads meanwhile: {read} bytes, {}", output.status), read == MUCH)?;
    let mut child = writer(MUCH).spawn()?;
    stage.look_at_me(
        format!("wait for {} head, which is to write {MUCH} bytes that nobody reads", child.id()),
        Expect::Deadlock,
    )?;
    let status = child.wait()?;
    stage.seen(format!("wait came back: {status}"), false)
}

pub(super) fn sigpipe(stage: &mut Stage) -> io::Result<()> {
    let mut child = Command::new("yes").stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    let status = child.wait()?;
    stage.seen(
        format!("yes was read for a line, then the pipe was closed: {status}"),
        status.signal() == Some(libc::SIGPIPE),
    )?;
    let script = "trap '' PIPE; yes 2>&3; echo \"code $?\" >&3";
    let (mut told, tell) = io::pipe()?;
    let mut command = Command::new("sh");
    command.args(["-c", &script.replace("&3", "&2")]).stdout(Stdio::piped()).stderr(tell);
    let mut child = command.spawn()?;
    drop(command);
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    let status = child.wait()?;
    let mut said = String::new();
    told.read_to_string(&mut said)?;
    let said: Vec<&str> = said.lines().collect();
    stage.seen(
        format!("yes with SIGPIPE ignored says {:?}, and ends: {}", said.join("; "), status),
        status.success() && said.join(" ").contains("roken pipe"),
    )?;
    let ours = ignored(&std::fs::read_to_string("/proc/self/status")?);
    let output = Command::new("grep").args(["SigIgn", "/proc/self/status"]).output()?;
    let theirs = ignored(&String::from_utf8_lossy(&output.stdout));
    stage.seen(
        format!("this Rust program ignores SIGPIPE: {ours:?}; a program that std starts does: {theirs:?}"),
        ours == Some(true) && theirs == Some(false),
    )
}

/// Whether SIGPIPE is among the ignored signals of a status file.
fn ignored(status: &str) -> Option<bool> {
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(mask >> (libc::SIGPIPE - 1) & 1 == 1)
}

pub(super) fn descriptor_leak(stage: &mut Stage) -> io::Result<()> {
    for leaks in [false, true] {
        let (reader, writer) = io::pipe()?;
        let writer = OwnedFd::from(writer);
        if leaks {
            // What a library does that opens a pipe without O_CLOEXEC.
            fcntl_setfd(writer.as_fd(), FdFlags::empty())?;
        }
        let mut bystander = Command::new("sleep").arg("1000").spawn()?;
        let mut cat = Command::new("cat").stdin(reader).stdout(Stdio::null()).spawn()?;
        // Both have been started; the parent closes its copy. cat's own goes
        // as well where it leaked, or cat would wait for itself.
        drop(writer);
        let (pid, other) = (cat.id() as Pid, bystander.id() as Pid);
        if leaks {
            stage.look(
                pid,
                format!("{pid} cat waits for the end of the pipe, which {other} sleep holds open and never uses"),
                Expect::HeldBy(WaitKind::PipeRead, other),
            )?;
            bystander.kill()?;
            bystander.wait()?;
            // cat has inherited the writing end, too: it waits for itself.
            stage.look(
                pid,
                format!("without {other} it still waits: it has inherited the writing end itself"),
                Expect::HeldBy(WaitKind::PipeRead, pid),
            )?;
            cat.kill()?;
        } else {
            let ended = Pidfd::open(pid)?.ended(Some(std::time::Duration::from_secs(10)))?;
            stage.seen(format!("with O_CLOEXEC, {pid} cat sees the end of the pipe and ends: {ended}"), ended)?;
            bystander.kill()?;
            bystander.wait()?;
        }
        cat.wait()?;
    }
    Ok(())
}
