//! Sets of signals, as a thread's status and its process's timers tell of them
//! (`proc_pid_status(5)`, `proc_pid_timers(5)`).

use super::{Facts, World};
use crate::model::Pid;

/// Faults of its own (ILL, TRAP, BUS, FPE, SEGV), and what the C libraries keep
/// for themselves (32 and 33): nobody sends these to have work done.
pub(super) const INTERNAL: u64 = bit(4) | bit(5) | bit(7) | bit(8) | bit(11) | bit(32) | bit(33);

/// What does not end a process that has said nothing of it: `SIGCHLD`, `SIGCONT`, the four
/// that stop it, `SIGURG`, `SIGWINCH`.
pub(super) const HARMLESS: u64 = bit(17) | bit(18) | bit(19) | bit(20) | bit(21) | bit(22) | bit(23) | bit(28);

/// The set of one signal.
pub(super) const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// The mask of a task that the line of its status with this key tells, as [`line_of`].
pub(super) fn mask_of(world: &World, task: &str, key: &[u8]) -> Option<u64> {
    let mut content = Vec::new();
    world.root.read_into(&format!("{task}/status"), &mut content).ok()?;
    line_of(&content, key)
}

/// The signals that a thread does not hold back, in words. Nobody can hold back `SIGKILL`
/// and `SIGSTOP`.
pub(super) fn open_signals(facts: &Facts<'_>, world: &World) -> String {
    let blocked = mask_of(world, &format!("{}/task/{}", facts.pid, facts.tid), b"SigBlk:").unwrap_or(0);
    if blocked == 0 { "any signal".to_owned() } else { names(!(blocked | INTERNAL | bit(9) | bit(19))) }
}

/// The signals of a set: `SIGINT or SIGTERM`.
pub(super) fn names(set: u64) -> String {
    let name = |number: i32| match nix::sys::signal::Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    };
    let names: Vec<String> = (0..64).filter(|bit| set >> bit & 1 != 0).map(|bit| name(bit + 1)).collect();
    match names.len() {
        0 => "a signal".to_owned(),
        1..=4 => names.join(" or "),
        more => format!("any of {more} signals"),
    }
}

/// The mask of signals on the line that begins so; all, if it makes no sense.
pub(super) fn line_of(status: &[u8], key: &[u8]) -> Option<u64> {
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key))?;
    let parsed = str::from_utf8(line).ok().and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    Some(parsed.unwrap_or(u64::MAX))
}

/// The signals that every thread of a process holds back: their handlers do not run.
pub(super) fn held_back(world: &World, pid: Pid) -> u64 {
    let tids = world.numbers_in(&format!("{pid}/task"));
    let masks = tids.iter().map(|tid| mask_of(world, &format!("{pid}/task/{tid}"), b"SigBlk:").unwrap_or(0));
    masks.reduce(|all, mask| all & mask).unwrap_or(0)
}

/// Whether the process has made itself a timer that sends it one of these signals
/// (`timer_create(2)`): any may be chosen for that.
pub(super) fn has_timer(world: &World, pid: Pid, caught: u64) -> bool {
    let mut content = Vec::new();
    // Not every kernel has the file.
    world.root.read_into(&format!("{pid}/timers"), &mut content).is_ok() && sends_one_of(&content, caught)
}

/// Whether a timer sends a signal of the mask: `signal: 34/0000000000000000`, then
/// `notify: signal/pid.4992`, or `none/…` or `thread/tid.4993`.
pub(super) fn sends_one_of(timers: &[u8], caught: u64) -> bool {
    let Ok(text) = str::from_utf8(timers) else { return false };
    let mut signal = None;
    text.lines().any(|line| {
        if let Some(number) = line.strip_prefix("signal: ") {
            signal = number.split('/').next().and_then(|number| number.parse::<u32>().ok());
        }
        let sends = line.strip_prefix("notify: ").is_some_and(|how| !how.starts_with("none"));
        sends && signal.is_some_and(|signal| (1..=64).contains(&signal) && caught & bit(signal) != 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_may_send_any_signal_that_is_caught() {
        let timer =
            |signal: u32, how: &str| format!("ID: 0\nsignal: {signal}/0000000000000000\nnotify: {how}\nClockID: 1\n");
        assert!(sends_one_of(timer(34, "signal/pid.4992").as_bytes(), bit(34)));
        assert!(sends_one_of(timer(12, "thread/tid.4993").as_bytes(), bit(12)));
        let two = format!("{}{}", timer(35, "signal/pid.1"), timer(36, "signal/pid.1"));
        assert!(sends_one_of(two.as_bytes(), bit(36)));
        assert!(!sends_one_of(timer(34, "signal/pid.4992").as_bytes(), bit(35)), "it is not caught");
        assert!(!sends_one_of(timer(34, "none/pid.4992").as_bytes(), bit(34)));
        assert!(sends_one_of(timer(14, "signal/pid.1").as_bytes(), !HARMLESS));
        assert!(!sends_one_of(timer(17, "signal/pid.1").as_bytes(), !HARMLESS));
        assert!(!sends_one_of(b"", u64::MAX) && !sends_one_of(timer(0, "signal/pid.1").as_bytes(), u64::MAX));
    }
}
