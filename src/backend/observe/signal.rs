//! Signals to processes that somebody has chosen on a screen.
//!
//! Between the reading that the screen shows and the key that confirms, the
//! process may have ended and its number may belong to another. So: open a
//! pidfd, *then* compare the start time in `/proc/PID/stat` with the one that
//! was chosen, then signal through the pidfd. If the times agree the pidfd is
//! of that very process, and it stays so.

use std::sync::Arc;

use nix::sys::signal::Signal;
use rustix::io::Errno;

use super::parse::{Stat, Units, unescape};
use crate::model::process::State;
use crate::model::text::visible;
use crate::model::{Fault, Nanos, Pid};
use crate::sys::pidfd::Pidfd;
use crate::sys::procroot::ProcRoot;

/// Sends `signal` to the process `pid` that started at `started` (after boot,
/// as in [`crate::model::process::Process::started`]). Returns what was done,
/// as a sentence.
///
/// # Errors
/// A fault that says why nothing was sent: the process is gone, another has
/// its number, it may not be signalled, it is a zombie.
pub fn send(root: &ProcRoot, pid: Pid, started: Nanos, signal: i32) -> Result<Arc<str>, Fault> {
    let source = format!("{} to {pid}", signal_name(signal));
    let fault = |what: &str| Fault::new(source.clone(), what.to_owned());
    if !root.is_real() {
        let what = format!("{} is not the running system", root.path().display());
        return Err(fault(&what).hint("processes can be signalled only where /proc is observed"));
    }
    let pidfd = Pidfd::open(pid).map_err(|errno| refused(fault, errno))?;
    let mut content = Vec::new();
    root.read_into(&format!("{pid}/stat"), &mut content).map_err(|errno| refused(fault, errno))?;
    let unknown = || fault("/proc gives no start time, so it cannot be told apart from another");
    let stat = Stat::parse(&content).ok_or_else(unknown)?;
    if Units::of_kernel().ticks(stat.start_ticks) != started {
        return Err(fault("the process has ended and another has its number; nothing was sent"));
    }
    let name = visible(&unescape(stat.comm));
    if stat.state == State::Zombie {
        let hint = format!("only its parent, {}, can remove it: signal that one instead", stat.ppid);
        return Err(fault(&format!("{name} has ended already and is a zombie")).hint(hint));
    }
    pidfd.send(signal).map_err(|errno| refused(fault, errno))?;
    Ok(Arc::from(format!("{} sent to {pid} {name}", signal_name(signal))))
}

/// `SIGTERM`, `SIGRTMIN+3`, or `signal 99`.
fn signal_name(signal: i32) -> String {
    match Signal::try_from(signal) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) if signal == libc::SIGRTMIN() => "SIGRTMIN".to_owned(),
        Err(_) if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal) => {
            format!("SIGRTMIN+{}", signal - libc::SIGRTMIN())
        }
        Err(_) => format!("signal {signal}"),
    }
}

fn refused(fault: impl Fn(&str) -> Fault, errno: Errno) -> Fault {
    match errno {
        Errno::SRCH | Errno::NOENT => fault("the process has ended (ESRCH)"),
        Errno::PERM => fault("not permitted (EPERM)").hint("run as root, or as the user the process belongs to"),
        Errno::INVAL => fault("the kernel knows no such process or signal (EINVAL)")
            .hint("a thread is signalled through its process"),
        Errno::MFILE | Errno::NFILE => {
            fault("no descriptor is left for it (EMFILE)").hint("raise the limit: ulimit -n")
        }
        other => fault(&format!("{}", std::io::Error::from(other))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::path::Path;
    use std::process::{Child, Command};
    use std::time::Duration;

    use super::*;

    fn sleeper() -> (Child, Nanos) {
        let child = Command::new("sleep").arg("60").spawn().unwrap();
        let root = ProcRoot::open(Path::new("/proc")).unwrap();
        let mut content = Vec::new();
        root.read_into(&format!("{}/stat", child.id()), &mut content).unwrap();
        let stat = Stat::parse(&content).unwrap();
        (child, Units::of_kernel().ticks(stat.start_ticks))
    }

    #[test]
    fn the_chosen_process_gets_the_signal() {
        let root = ProcRoot::open(Path::new("/proc")).unwrap();
        let (mut child, started) = sleeper();
        let pid = child.id() as Pid;
        // The child may still be on its way from fork to exec, so its name is not asserted.
        let done = send(&root, pid, started, libc::SIGTERM).unwrap();
        assert!(done.starts_with(&format!("SIGTERM sent to {pid} ")), "{done}");
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGTERM));
        let fault = send(&root, pid, started, libc::SIGTERM).unwrap_err();
        assert!(fault.what.contains("has ended"), "{fault}");
    }

    #[test]
    fn a_recycled_pid_is_never_hit() {
        let root = ProcRoot::open(Path::new("/proc")).unwrap();
        let (mut child, started) = sleeper();
        let pid = child.id() as Pid;
        let fault = send(&root, pid, Nanos(started.0 + 10_000_000), libc::SIGKILL).unwrap_err();
        assert!(fault.what.contains("another has its number"), "{fault}");
        let pidfd = Pidfd::open(pid).unwrap();
        assert!(!pidfd.ended(Some(Duration::from_millis(50))).unwrap(), "it must live on");
        send(&root, pid, started, libc::SIGKILL).unwrap();
        assert!(pidfd.ended(Some(Duration::from_secs(10))).unwrap());
        // Not reaped yet: a zombie, and said to be one.
        let fault = send(&root, pid, started, libc::SIGKILL).unwrap_err();
        assert!(fault.what.contains("zombie"), "{fault}");
        assert!(fault.hint.unwrap().contains(&std::process::id().to_string()));
        child.wait().unwrap();
    }

    #[test]
    fn a_tree_made_by_a_test_is_never_signalled() {
        let tree = tempfile::tempdir().unwrap();
        let root = ProcRoot::open(tree.path()).unwrap();
        let fault = send(&root, std::process::id() as Pid, Nanos::ZERO, libc::SIGKILL).unwrap_err();
        assert!(fault.what.contains("not the running system"), "{fault}");
    }

    #[test]
    fn signals_have_their_names() {
        for (signal, name) in [(libc::SIGKILL, "SIGKILL"), (34, "SIGRTMIN"), (37, "SIGRTMIN+3"), (99, "signal 99")] {
            assert_eq!(signal_name(signal), name);
        }
    }
}
