//! What the end of a child usually means, in words.

use rustix::io::Errno;

use crate::model::child::Usage;
use crate::model::life::Exit;
use crate::model::signal;
use crate::sys::spawn::{SpawnError, Step};

/// How it ended, in a few words: `exit 0`, `exit 127`, `SIGSEGV, core dumped`.
pub fn short(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit {code}"),
        (None, Some(number)) if exit.core => format!("{}, core dumped", signal::name(number)),
        (None, Some(number)) => signal::name(number),
        (None, None) => "ended".to_owned(),
    }
}

/// What that usually means; `None` where a code means what its program says it
/// means.
pub fn meaning(exit: Exit) -> Option<&'static str> {
    match (exit.code, exit.signal) {
        (Some(code), _) => of_code(code),
        (None, Some(number)) => of_signal(number),
        (None, None) => None,
    }
}

/// What std's `ExitStatus` says of it, and the wait status (waitid(2), sys/wait.h)
/// that it is made of.
pub fn as_std(exit: Exit) -> String {
    let status = match (exit.code, exit.signal) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, Some(signal)) => signal | if exit.core { 0x80 } else { 0 },
        (None, None) => return "nobody knows its status: somebody else has waited for it".to_owned(),
    };
    let (code, signal) = (exit.code, exit.signal);
    format!("code() = {code:?}, signal() = {signal:?}, core_dumped() = {}; into_raw() = {status:#06x}", exit.core)
}

/// What of that is so on Unix only.
pub const ELSEWHERE: &str = "signal(), core_dumped() and into_raw() are Unix's (ExitStatusExt), and the layout of \
    into_raw() is the system's own. On Windows code() is always there, with 32 bits: a crash is a code such as \
    0xC0000005, kill() leaves 1, and there is no signal.";

/// What std makes of an error of the kernel's.
pub fn error_as_std(errno: Errno) -> String {
    let raw = errno.raw_os_error();
    let kind = std::io::Error::from_raw_os_error(raw).kind();
    format!("std: ErrorKind::{kind:?}, raw_os_error() {raw}, a number of Linux's: others have other numbers")
}

/// The code a shell would give: its own, or 128 and the signal's number.
pub fn shell_code(exit: Exit) -> u8 {
    match (exit.code, exit.signal) {
        (Some(code), _) => code as u8,
        (None, Some(signal)) => 128 + signal as u8,
        (None, None) => 255,
    }
}

/// The code a shell would give for a command that did not start: 127 where it
/// was not found, 126 where it could not be executed, 125 for a failure of
/// ours.
pub fn not_started_code(error: &SpawnError) -> u8 {
    match (error.step, error.errno) {
        (Step::Execute, Errno::NOENT) => 127,
        (Step::Execute, _) => 126,
        _ => 125,
    }
}

/// CPU time of both kinds as a share of the wall time.
pub fn cpu_share(usage: &Usage) -> f64 {
    let wall = usage.wall.as_secs_f64();
    if wall > 0.0 { (usage.user + usage.system).as_secs_f64() / wall } else { 0.0 }
}

fn of_code(code: i32) -> Option<&'static str> {
    Some(match code {
        0 => "success",
        1 => "failure, or \"no\" of a test such as grep",
        2 => "wrong usage, by the custom of many tools",
        101 => "a Rust program panicked",
        124 => "timeout(1) ended its command",
        125 => "a program that starts others (timeout, env, docker) failed itself",
        126 => "a shell found the command and could not execute it",
        127 => "a shell did not find the command",
        128 => "a shell was given a wrong exit argument, or git failed",
        129..=192 => of_shell_signal(code - 128),
        255 => "exit(-1), or ssh could not connect",
        _ => return None,
    })
}

/// What a shell makes of a command's death.
fn of_shell_signal(signal: i32) -> &'static str {
    match signal {
        libc::SIGINT => "a shell's command was ended by SIGINT (128 + 2)",
        libc::SIGABRT => "a shell's command was ended by SIGABRT (128 + 6)",
        libc::SIGKILL => "a shell's command was ended by SIGKILL (128 + 9)",
        libc::SIGSEGV => "a shell's command was ended by SIGSEGV (128 + 11)",
        libc::SIGPIPE => "a shell's command was ended by SIGPIPE (128 + 13)",
        libc::SIGTERM => "a shell's command was ended by SIGTERM (128 + 15)",
        _ => "a shell's command was ended by a signal (128 + its number)",
    }
}

fn of_signal(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGHUP => "its terminal or session went away",
        libc::SIGINT => "interrupted, as by Ctrl-C",
        libc::SIGQUIT => "asked to quit with a core dump, as by Ctrl-\\",
        libc::SIGILL => "it ran an instruction that this CPU does not have",
        libc::SIGTRAP => "a breakpoint with no debugger, or a trap of the compiler",
        libc::SIGABRT => "it gave up by abort(): an assertion, a double panic, a damaged heap",
        libc::SIGBUS => "it touched a mapping beyond its file's end",
        libc::SIGFPE => "an integer division by zero",
        libc::SIGKILL => "killed outright: by somebody, or by the kernel for want of memory",
        libc::SIGSEGV => "it touched memory that is not its own, or ran out of stack",
        libc::SIGPIPE => "it wrote to a pipe that nobody reads any more",
        libc::SIGALRM => "its own timer ran out",
        libc::SIGTERM => "asked to end, and it did",
        libc::SIGXCPU => "it used more CPU time than its limit allows",
        libc::SIGXFSZ => "it wrote a file larger than its limit allows",
        libc::SIGSYS => "it made a system call that its sandbox forbids",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_as_people_say_them() {
        let by = |code, signal, core| Exit { code, signal, core };
        let cases = [
            (by(Some(0), None, false), "exit 0", Some("success"), 0),
            (by(Some(101), None, false), "exit 101", Some("a Rust program panicked"), 101),
            (by(Some(77), None, false), "exit 77", None, 77),
            (by(None, Some(15), false), "SIGTERM", Some("asked to end, and it did"), 143),
            (by(None, Some(11), true), "SIGSEGV, core dumped", of_signal(11), 139),
        ];
        for (exit, words, meant, code) in cases {
            assert_eq!((short(exit).as_str(), meaning(exit), shell_code(exit)), (words, meant, code));
        }
        let std = "code() = None, signal() = Some(11), core_dumped() = true; into_raw() = 0x008b";
        assert_eq!(as_std(by(None, Some(11), true)), std);
        assert!(as_std(by(Some(3), None, false)).ends_with("into_raw() = 0x0300"));
        assert!(error_as_std(Errno::NOENT).starts_with("std: ErrorKind::NotFound, raw_os_error() 2,"));
        assert!(meaning(by(Some(139), None, false)).unwrap().contains("SIGSEGV"));
    }
}
