//! Threads whose control group is frozen (`cgroups(7)`): a container that was paused, a
//! unit that systemd froze. Whatever they wait for, they go on only when somebody thaws
//! it.
//!
//! ```text
//! version 2   state S, sleeps in do_freezer_trap, get_signal     cgroup.events: frozen 1
//! version 1   state D, wherever it slept, or in __refrigerator   freezer.state: FROZEN
//! /proc/PID/cgroup   0::/user.slice      7:freezer:/docker/3f…
//! ```

use std::path::{Path, PathBuf};

use super::{Facts, World};
use crate::model::process::State;
use crate::model::text::visible;
use crate::model::wait::{Certainty, Wait, WaitKind};

/// Of what a thread waits for that is frozen too: whoever holds what it waits for is told
/// of still, but a wait that nobody or time would end waits for the thaw first.
pub(super) fn and_frozen(facts: &Facts<'_>, world: &World, mut wait: Wait) -> Wait {
    let Some(group) = frozen_group(facts, world) else { return wait };
    let why = format!("its control group {} is frozen", visible(&group));
    // Who holds a lock may yet be found.
    if wait.kind.is_lock() || wait.orphaned || (!wait.holders.is_empty() && !wait.timed) {
        wait.evidence.push(why);
        return wait;
    }
    let mut thaw = Wait::new(WaitKind::Other, format!("the thaw of its control group {}", visible(&group)));
    thaw.partial = true;
    thaw.certainty = Certainty::Derived;
    thaw.evidence.push(format!("{why}: whoever may write to it can thaw it"));
    thaw.evidence.push(format!("then it waits for {}: {}", wait.kind.words(), wait.resource));
    thaw
}

/// The control group that is frozen, if the thread sleeps as such threads do.
fn frozen_group(facts: &Facts<'_>, world: &World) -> Option<Vec<u8>> {
    let trapped = facts.has_wchan() && facts.may_sleep_in(&["get_signal", "do_freezer_trap", "__refrigerator"]);
    let may_be = facts.state == State::Disk || (facts.state == State::Sleeping && trapped);
    if !may_be || !world.is_precise() {
        return None;
    }
    let mut groups = Vec::new();
    world.root.read_into(&format!("{}/task/{}/cgroup", facts.pid, facts.tid), &mut groups).ok()?;
    let mut mounts = Vec::new();
    world.root.read_into("self/mountinfo", &mut mounts).ok()?;
    let mounts = String::from_utf8_lossy(&mounts);
    groups.split(|&byte| byte == b'\n').find_map(|line| is_frozen(&mounts, line))
}

/// The group of a line of `/proc/PID/cgroup`, if that is frozen.
fn is_frozen(mounts: &str, line: &[u8]) -> Option<Vec<u8>> {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    let (_, controllers, group) = (fields.next()?, fields.next()?, fields.next()?);
    let freezer = controllers.split(|&byte| byte == b',').any(|one| one == b"freezer");
    let (file, says) = match controllers {
        b"" => ("cgroup.events", "frozen 1"),
        _ if freezer => ("freezer.state", "FROZEN"),
        _ => return None,
    };
    let directory = mount_of(mounts, freezer)?.join(Path::new(&*String::from_utf8_lossy(group.strip_prefix(b"/")?)));
    let content = std::fs::read_to_string(directory.join(file)).ok()?;
    content.lines().any(|line| line == says).then(|| group.to_vec())
}

/// Where the hierarchy of the first version's freezer, or of the second version, is
/// mounted: `36 25 0:31 / /sys/fs/cgroup rw … - cgroup2 cgroup2 rw`.
fn mount_of(mounts: &str, freezer: bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let (kind, options) = (system.next()?, system.nth(1)?);
        let wanted = if freezer {
            kind == "cgroup" && options.split(',').any(|option| option == "freezer")
        } else {
            kind == "cgroup2"
        };
        wanted.then(|| PathBuf::from(mount.split(' ').nth(4).unwrap_or_default()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;

    /// Thread 101 sleeps; its group of `version` is said to be as `content` says.
    fn machine(version: u8, content: &str, state: State, wchan: &'static str) -> Machine {
        let machine = Machine { state, ..Machine::new("230 0x0 0x0 0x7ffc 0x7ffc 0x0 0x0", wchan) };
        let group = machine.directory.path().join("hierarchy/shop/till");
        std::fs::create_dir_all(&group).unwrap();
        let mount = machine.directory.path().join("hierarchy");
        let (file, line, system) = match version {
            1 => ("freezer.state", "7:cpu,freezer:/shop/till\n", "cgroup cgroup rw,cpu,freezer"),
            _ => ("cgroup.events", "0::/shop/till\n", "cgroup2 cgroup2 rw"),
        };
        std::fs::write(group.join(file), content).unwrap();
        machine.write("100/task/101/cgroup", &format!("3:memory:/\n{line}"));
        machine.write("self/mountinfo", &format!("36 25 0:31 / {} rw,nosuid - {system}\n", mount.display()));
        machine
    }

    #[test]
    fn who_is_frozen_waits_for_the_thaw_whatever_it_did() {
        for (version, content, state, wchan) in [
            (2, "populated 1\nfrozen 1\n", State::Sleeping, "get_signal"),
            (2, "populated 1\nfrozen 1\n", State::Sleeping, "do_freezer_trap"),
            (1, "FROZEN\n", State::Disk, "hrtimer_nanosleep"),
            (1, "FROZEN\n", State::Disk, "__refrigerator"),
        ] {
            let wait = machine(version, content, state, wchan).decode_precisely().unwrap();
            assert_eq!(&*wait.resource, "the thaw of its control group /shop/till", "{wait:#?}");
            assert!(!wait.timed && wait.partial && wait.holders.is_empty());
        }
    }

    #[test]
    fn a_group_that_is_not_frozen_and_a_sleep_elsewhere_change_nothing() {
        for (version, content, state, wchan) in [
            (2, "populated 1\nfrozen 0\n", State::Sleeping, "get_signal"),
            (2, "populated 1\nfrozen 1\n", State::Sleeping, "hrtimer_nanosleep"),
            (1, "THAWED\n", State::Disk, "hrtimer_nanosleep"),
            (1, "FREEZING\n", State::Disk, "folio_wait_bit"),
        ] {
            let wait = machine(version, content, state, wchan).decode_precisely().unwrap();
            assert!(!wait.resource.contains("thaw"), "{wait:#?}");
        }
    }
}
