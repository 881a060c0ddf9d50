//! The system calls of a start, one line each, as strace(1) would put them.

use std::sync::Arc;

use crate::model::text;
use crate::sys::brand;
use crate::sys::limits::RESOURCES;
use crate::sys::spawn::trace::Call;
use crate::sys::spawn::{Trail, reason};

/// The lines.
pub(super) fn lines(trail: &Trail) -> Vec<Arc<str>> {
    trail.calls.iter().map(|call| line(call, trail).into()).collect()
}

fn line(call: &Call, trail: &Trail) -> String {
    let [a, b, _] = call.args;
    let what = match call.name() {
        "clone3" => "clone3(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND)".to_owned(),
        "clone" => "clone(CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD)".to_owned(),
        "rt_sigaction" => "rt_sigaction: to the default, or ignored as asked".to_owned(),
        "rt_sigprocmask" => "rt_sigprocmask(SIG_SETMASK, ∅)".to_owned(),
        "setpgid" => "setpgid(0, 0)".to_owned(),
        "prlimit64" => {
            let known = RESOURCES.iter().find(|(_, number)| *number as usize == b);
            // Linux has no other use for it.
            let why = if b == brand::RESOURCE as usize { ": a brand, for its descendants to be known" } else { "" };
            format!("prlimit64(RLIMIT_{}){why}", known.map_or("…".to_owned(), |(name, _)| name.to_uppercase()))
        }
        "setpriority" => format!("setpriority(PRIO_PROCESS, 0, {})", call.args[2].cast_signed()),
        "umask" => format!("umask({a:03o})"),
        "pidfd_open" => format!("pidfd_open({a})"),
        "sendmsg" => format!("sendmsg({a}): tells the janitor, with its pidfd"),
        "dup3" => format!("dup3({a}, {b})"),
        "fcntl" => format!("fcntl({a}, F_SETFD, 0)"),
        "ioctl" => "ioctl(0, TIOCSCTTY)".to_owned(),
        "setresuid" | "setresgid" => format!("{}({a}, {a}, {a})", call.name()),
        "setgroups" => format!("setgroups: {a} groups"),
        "execve" => {
            let path = trail.candidates.get(a).map_or_else(String::new, |path| path.display().to_string());
            format!("execve({:?})", text::visible(path.as_bytes()))
        }
        name => format!("{name}()"),
    };
    let times = if call.times > 1 { format!(" ×{}", call.times) } else { String::new() };
    match (call.error(), call.returned) {
        (Some(errno), _) => format!("{what}{times} = {}", reason(errno)),
        (None, false) => format!("{what}{times}: does not return"),
        (None, true) if matches!(call.name(), "clone3" | "clone" | "setsid" | "pidfd_open" | "getpid") => {
            format!("{what}{times} = {}", call.result)
        }
        (None, true) => format!("{what}{times}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::spawn::{Group, Spawn, spawn};

    #[test]
    fn each_call_is_a_line_one_can_read() {
        let env = [("PATH".into(), "/nowhere:/bin".into())];
        let request = Spawn { program: b"true", env: &env, group: Group::Session, ..Spawn::default() };
        let spawned = spawn(&request).unwrap();
        crate::sys::reap::wait(&spawned.pidfd).unwrap();
        let lines = lines(&spawned.trail);
        let pid = spawned.pid;
        let clone = lines[0].strip_prefix("clone3(CLONE_VM").or(lines[0].strip_prefix("clone(CLONE_VM"));
        assert!(clone.unwrap().ends_with(&format!(") = {pid}")), "{}", lines[0]);
        let has = |wanted: &str| assert!(lines.iter().any(|line| line.starts_with(wanted)), "{wanted}: {lines:#?}");
        for wanted in [
            "rt_sigaction: to the default",
            &format!("setsid() = {pid}"),
            "prlimit64(RLIMIT_NOFILE)",
            "execve(\"/nowhere/true\") = No such file or directory (ENOENT)",
            "execve(\"/bin/true\"): does not return",
        ] {
            has(wanted);
        }
    }
}
