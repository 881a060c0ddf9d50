//! What std reports of a program that does not start.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::fs::{MemfdFlags, Mode, fchmod, memfd_create};
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::{set_thread_res_gid, set_thread_res_uid};

use super::Stage;

/// More than one argument may have: `MAX_ARG_STRLEN`, 32 pages.
const TOO_LONG: usize = 32 * 4096 + 1;
/// Somebody who is not root: `nobody` nearly everywhere.
const NOBODY: u32 = 65_534;

pub(super) fn spawn_errors(stage: &mut Stage) -> io::Result<()> {
    let mut told = |what: &str, command: &mut Command, raw: i32| -> io::Result<()> {
        let text = match command.spawn() {
            Ok(mut child) => {
                child.kill()?;
                child.wait()?;
                return stage.seen(format!("{what}: it started"), false);
            }
            Err(error) => {
                let right = error.raw_os_error() == Some(raw);
                (format!("{what}: kind {:?}, raw {:?}, {error}", error.kind(), error.raw_os_error()), right)
            }
        };
        stage.seen(text.0, text.1)
    };
    told(
        "a program that is nowhere in PATH",
        Command::new("no-such-program").env("PATH", "/usr/bin:/bin"),
        libc::ENOENT,
    )?;
    told("a working directory that is not there", Command::new("true").current_dir("/no/such"), libc::ENOENT)?;
    let script = file(b"#!/no/such/interpreter\n", 0o755)?;
    told("a script whose interpreter is not there", &mut Command::new(script.path()), libc::ENOENT)?;
    let plain = file(b"plain text\n", 0o644)?;
    told("a file without permission to execute", &mut Command::new(plain.path()), libc::EACCES)?;
    told("a directory", &mut Command::new("/"), libc::EACCES)?;
    let binary = file(b"\x00\x01\x02 no program at all", 0o755)?;
    told("a file in no format that the kernel knows", &mut Command::new(binary.path()), libc::ENOEXEC)?;
    told("an argument of more than 128 KiB", Command::new("true").arg("x".repeat(TOO_LONG)), libc::E2BIG)?;
    become_nobody()?;
    told("a user that we may not become", Command::new("true").uid(0), libc::EPERM)?;
    setrlimit(Resource::Nproc, Rlimit { current: Some(0), maximum: Some(0) })?;
    told("one process more than RLIMIT_NPROC allows", &mut Command::new("/bin/true"), libc::EAGAIN)?;
    let kind = Command::new("true").arg("a\0b").spawn().err().map(|error| error.kind());
    stage.seen(
        format!("an argument with a NUL byte never gets to the kernel: kind {kind:?}, no raw error"),
        kind == Some(io::ErrorKind::InvalidInput),
    )
}

/// A file without a name, to be executed by its descriptor.
struct Anonymous(std::fs::File);

impl Anonymous {
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", std::process::id(), self.0.as_fd().as_raw_fd())
    }
}

fn file(content: &[u8], mode: u32) -> io::Result<Anonymous> {
    let file = memfd_create("experiment", MemfdFlags::empty())?;
    fchmod(&file, Mode::from_raw_mode(mode))?;
    let mut file = std::fs::File::from(file);
    file.write_all(content)?;
    // Nobody may have it open for writing: ETXTBSY.
    let read_only = std::fs::File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    Ok(Anonymous(read_only))
}

/// Root has no limit of processes: it becomes somebody else for this.
fn become_nobody() -> io::Result<()> {
    if rustix::process::geteuid().is_root() {
        let (uid, gid) = (rustix::process::Uid::from_raw(NOBODY), rustix::process::Gid::from_raw(NOBODY));
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
    }
    Ok(())
}
