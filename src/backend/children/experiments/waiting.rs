//! Talking to a child and waiting for it, as one writes it with std.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use super::Stage;
use super::stage::Expect;

fn grep() -> io::Result<Child> {
    Command::new("grep").arg("foobar").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

/// A handle that std gives where it was asked for a pipe.
fn missing() -> io::Error {
    ErrorKind::NotConnected.into()
}

/// The listing, line by line.
pub(super) fn grep_deadlock(stage: &mut Stage) -> io::Result<()> {
    let mut child = grep()?;
    let stdin = child.stdin.as_mut().ok_or_else(missing)?;
    stdin.write_all(b"hello foobar world")?;
    stage.seen(format!("grep is {}; it was sent 18 bytes, through a borrowed handle", child.id()), true)?;
    let mut out = String::new();
    let stdout = child.stdout.as_mut().ok_or_else(missing)?;
    stage.look_at_me("read_to_string waits for the end of grep's output", Expect::Deadlock)?;
    stdout.read_to_string(&mut out)?;
    stage.seen(format!("it came back with {out:?}"), false)
}

pub(super) fn grep_mended(stage: &mut Stage) -> io::Result<()> {
    let mut child = grep()?;
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    stdin.write_all(b"hello foobar world")?;
    drop(stdin);
    let mut out = String::new();
    child.stdout.take().ok_or_else(missing)?.read_to_string(&mut out)?;
    let status = child.wait()?;
    stage.seen(format!("grep wrote {out:?}"), out == "hello foobar world\n")?;
    stage.seen(format!("and ended: {status}"), status.success())
}

pub(super) fn wait_try_wait_kill(stage: &mut Stage) -> io::Result<()> {
    let mut child = Command::new("sleep").arg("1000").spawn()?;
    let asked = child.try_wait()?;
    stage.seen(format!("try_wait while it runs: {asked:?}"), asked.is_none())?;
    stage.seen(format!("kill: {:?}", child.kill()), true)?;
    let status = child.wait()?;
    let (code, signal) = (status.code(), status.signal());
    stage.seen(format!("wait: {status}"), signal == Some(libc::SIGKILL))?;
    stage.seen(format!("code() is {code:?}, signal() is {signal:?}"), code.is_none())?;
    let again = child.wait()?;
    stage.seen(format!("wait once more gives the same from memory: {again}"), again == status)?;
    let late = child.kill();
    stage.seen(format!("kill after it was reaped reaches nobody: {late:?}"), late.is_ok())?;
    let mut stopped = Command::new("sh").args(["-c", "kill -STOP $$; exit 3"]).spawn()?;
    stage.look(
        stopped.id() as i32,
        "a child that was stopped, which wait does not tell of",
        Expect::Waits(crate::model::wait::WaitKind::Signal),
    )?;
    let asked = stopped.try_wait()?;
    stage.seen(format!("try_wait of the stopped one: {asked:?}"), asked.is_none())?;
    rustix::process::kill_process(pid_of(&stopped)?, rustix::process::Signal::CONT)?;
    let status = stopped.wait()?;
    stage.seen(format!("after SIGCONT, wait: {status}"), status.code() == Some(3))
}

pub(super) fn pid_of(child: &Child) -> io::Result<rustix::process::Pid> {
    rustix::process::Pid::from_raw(child.id() as i32).ok_or_else(missing)
}
