//! The program itself, as its workers and its janitor are started from it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, stat, statat};

use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Names the program to start workers and the janitor from, for a test or a
/// bench that links the library and so is not that program. The first call
/// decides.
pub fn set(program: impl Into<PathBuf>) {
    let _ = PROGRAM.set(program.into());
}

/// The file to execute, as bytes. `/proc/self/exe` stays the program that runs
/// even after its file was replaced.
pub fn file() -> &'static [u8] {
    PROGRAM.get().map_or(b"/proc/self/exe", |path| path.as_os_str().as_bytes())
}

/// The arguments that make a janitor of it.
pub fn janitor_args() -> Vec<OsString> {
    args(&["worker", "--janitor"])
}

/// The arguments that make a worker of it.
pub fn worker_args() -> Vec<OsString> {
    args(&["worker"])
}

/// Whether a process is a janitor, of this run of the program or another: the descriptors in
/// messages that it has not heard yet are those of processes.
pub fn is_janitor(root: &ProcRoot, pid: Pid) -> bool {
    let same = || {
        let theirs = statat(root.directory(), format!("{pid}/exe").as_str(), AtFlags::empty());
        let ours = stat(file());
        theirs.is_ok_and(|theirs| ours.is_ok_and(|ours| (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)))
    };
    let mut words = Vec::new();
    let args = janitor_args();
    root.read_into(&format!("{pid}/cmdline"), &mut words).is_ok()
        && words.split(|&byte| byte == 0).skip(1).take(args.len()).eq(args.iter().map(|arg| arg.as_bytes()))
        && same()
}

#[cfg(not(test))]
fn args(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

/// What tells a unit test's own program, started again, what it is to be.
#[cfg(test)]
fn args(words: &[&str]) -> Vec<OsString> {
    let test = ["backend::program::tests::started_again", "--exact", "--nocapture", "--quiet", "--test-threads=1"];
    // Skipping nothing, and telling the test by the number of words.
    test.iter().copied().chain(words.iter().flat_map(|_| ["--skip", "started-again-as"])).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    /// Not a test of its own: unit tests run in a program that knows no
    /// subcommands, so the workers and janitors they start are this function
    /// of theirs. Started without that, it does nothing.
    #[test]
    fn started_again() {
        match std::env::args().filter(|arg| arg == "started-again-as").count() {
            1 => super::super::lab::jobs::serve().unwrap(),
            2 => super::super::janitor::serve().unwrap(),
            _ => {}
        }
    }
}
