//! Waiting for a child: `wait4(2)`, `waitid(2)`.
//!
//! ```text
//! wait4(pid, status, options, rusage)    pid > 0 that child; -1 any; 0 own group; < -1 group
//! waitid(kind, id, info, options, …)     0 any, 1 that child, 2 group, 3 the process of a pidfd
//! ```
//!
//! The numbers are those of the target's own pid namespace. A child that was made by
//! clone(2) with another signal for its end than `SIGCHLD`, or with none, counts only
//! with `__WCLONE`, and every child does with `__WALL`.

use super::caught::{calls, living_children};
use super::{Decoder, Facts, World};
use crate::backend::observe::parse::Stat;
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

const WNOTHREAD: u64 = 0x2000_0000;
const WALL: u64 = 0x4000_0000;
const WCLONE: u64 = 0x8000_0000;
/// `WUNTRACED` or `WSTOPPED`, and `WCONTINUED`.
const STOPS: u64 = 0x2 | 0x8;

/// Which children are waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Any,
    One(Pid),
    Group(Pid),
    OwnGroup,
    Pidfd(i32),
}

/// A parent that waits for a child to change state.
#[derive(Debug)]
pub(super) struct Waitpid;

impl Decoder for Waitpid {
    fn key(&self) -> &'static str {
        "waitpid"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Waitpid]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a child process to end or to stop (wait4(2), waitid(2)). It is recognised by the call \
         and the place in the kernel. Which child is in the arguments, or it is any of the children that the kernel \
         lists; a number in the arguments counts in the target's own pid namespace. A debugger waits this way for \
         the processes it traces, which need not be its children."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        if !facts.may_sleep_in(&["do_wait"]) {
            return None;
        }
        let (which, options) = arguments(facts)?;
        let mut wait = Wait::new(WaitKind::Waitpid, resource(which));
        let children = match options & WNOTHREAD {
            0 => world.children(facts.pid),
            _ => world.children_of_thread(facts.pid, facts.tid),
        };
        let Some(children) = children else {
            unknown(&mut wait, "the kernel does not list children (CONFIG_PROC_CHILDREN)");
            return Some(wait);
        };
        let counts =
            |child: Pid, world: &World| options & WALL != 0 || is_clone(world, child) == (options & WCLONE != 0);
        let (matching, others): (Vec<Pid>, Vec<Pid>) =
            children.into_iter().partition(|&child| counts(child, world) && fits(facts, world, which, child));
        wait.holders.extend(matching.into_iter().map(|pid| Holder { pid, tid: None }));
        if !wait.holders.is_empty() {
            wait.evidence.push(format!("the kernel lists as its children: {}", list(&wait.holders)));
        }
        if wait.holders.is_empty() || world.is_thorough() {
            name_tracees(facts, world, which, &mut wait);
        }
        if !matches!(which, Which::One(_) | Which::Pidfd(_)) {
            // Another thread may make a child that fits, and ends.
            if options & WNOTHREAD == 0 {
                wait.add_besides([facts.pid]);
            }
            let children = wait.holders.iter().map(|holder| holder.pid).chain(others.clone()).collect();
            let orphans = future_orphans(facts, world, children);
            // One may come to fit, by joining the group (setpgid(2)) or by execve(2), and end.
            wait.add_besides(others);
            if let Some(pid) = orphans.first() {
                wait.evidence.push(format!(
                    "processes that are no children of it, as {pid}, may leave it orphans or become such (init, \
                     PR_SET_CHILD_SUBREAPER)"
                ));
            }
            wait.add_besides(orphans);
        }
        if options & STOPS != 0 {
            wait.partial = true;
            wait.evidence
                .push("it asks for stops too (WUNTRACED, WCONTINUED): whoever stops the child ends it".to_owned());
        }
        if let Some(signal) = calls(world, facts.pid) {
            wait.partial = true;
            wait.evidence.push(format!("the process catches {signal}: its handler may end the child"));
        }
        Some(wait)
    }
}

fn arguments(facts: &Facts<'_>) -> Option<(Which, u64)> {
    if let Some(args) = facts.call_in(&[libc::SYS_wait4]) {
        let which = match args[0] as i32 {
            -1 => Which::Any,
            0 => Which::OwnGroup,
            pid if pid > 0 => Which::One(pid),
            i32::MIN => return None,
            group => Which::Group(-group),
        };
        return Some((which, args[2]));
    }
    let args = facts.call_in(&[libc::SYS_waitid])?;
    let id = args[1] as i32;
    let which = match args[0] as i32 {
        0 => Which::Any,
        1 => Which::One(id),
        2 if id == 0 => Which::OwnGroup,
        2 => Which::Group(id),
        3 => Which::Pidfd(id),
        _ => return None,
    };
    Some((which, args[3]))
}

fn resource(which: Which) -> String {
    match which {
        Which::Any => "any child".to_owned(),
        Which::One(pid) => format!("child {pid}"),
        Which::Group(group) => format!("any child of process group {group}"),
        Which::OwnGroup => "any child of its own process group".to_owned(),
        Which::Pidfd(fd) => format!("the child of pidfd {fd}"),
    }
}

fn fits(facts: &Facts<'_>, world: &mut World, which: Which, child: Pid) -> bool {
    match which {
        Which::Any => true,
        Which::One(pid) => world.has_inner_number(facts.pid, child, pid),
        Which::Group(group) => group_of(facts, world, child) == Some(group),
        Which::OwnGroup => {
            let own = group_of(facts, world, facts.pid);
            own.is_some() && group_of(facts, world, child) == own
        }
        Which::Pidfd(fd) => process_of_pidfd(facts, world, fd) == Some(child),
    }
}

/// The process group of `pid`, as the waiting process numbers it.
fn group_of(facts: &Facts<'_>, world: &mut World, pid: Pid) -> Option<Pid> {
    let level = world.level(facts.pid);
    world.status(&pid.to_string(), "NSpgid:")?.get(level).copied()
}

/// The process behind a pidfd, which its fdinfo tells in our numbering.
pub(super) fn process_of_pidfd(facts: &Facts<'_>, world: &World, fd: i32) -> Option<Pid> {
    let mut content = Vec::new();
    world.root.read_into(&format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid), &mut content).ok()?;
    str::from_utf8(&content).ok()?.lines().find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
}

/// A tracer waits for what it traces.
fn name_tracees(facts: &Facts<'_>, world: &mut World, which: Which, wait: &mut Wait) {
    let candidates = match which {
        Which::One(pid) if !world.is_in_other_namespace_than_ours(facts.pid) => vec![pid],
        Which::Any if world.is_precise() => world.numbers_in("."),
        _ => Vec::new(),
    };
    for pid in candidates {
        if wait.holders.iter().any(|holder| holder.pid == pid) {
            continue;
        }
        let tracer = world.status(&pid.to_string(), "TracerPid:").and_then(|ids| ids.first().copied());
        if tracer.is_some_and(|tracer| tracer > 0 && world.has_thread(facts.pid, tracer)) {
            wait.evidence.push(format!("{pid} is no child; it is traced by this process"));
            wait.holders.push(Holder { pid, tid: None });
        }
    }
    if wait.holders.is_empty() {
        unknown(wait, "no child fits: it may wait for a process that it traces");
    }
}

/// Whether a child's end is told by another signal than `SIGCHLD`, or by none.
fn is_clone(world: &World, child: Pid) -> bool {
    let mut content = Vec::new();
    let read = world.root.read_into(&format!("{child}/stat"), &mut content);
    read.is_ok() && Stat::parse(&content).is_some_and(|stat| stat.exit_signal != libc::SIGCHLD)
}

/// The processes below these children: when one of them ends, its own
/// children come to the first process of the namespace or to one that has asked for them,
/// and nobody is told who has. To that first process comes whoever is in the namespace by
/// setns(2), too, below a parent outside of it. Asked only before somebody is called stuck.
fn future_orphans(facts: &Facts<'_>, world: &mut World, mut parents: Vec<Pid>) -> Vec<Pid> {
    let mut below: Vec<Pid> = Vec::new();
    if !world.is_thorough() {
        return below;
    }
    if world.inner_number(facts.pid, facts.pid) == Some(1) {
        below = world.numbers_in(".");
        below.retain(|&pid| pid != facts.pid && !parents.contains(&pid));
        below.retain(|&pid| !world.is_in_other_namespace(facts.pid, pid));
    }
    while let Some(parent) = parents.pop() {
        let children = living_children(world, parent);
        let new = children.into_iter().filter(|child| !below.contains(child)).collect::<Vec<_>>();
        below.extend(&new);
        parents.extend(new);
    }
    below
}

fn unknown(wait: &mut Wait, why: &str) {
    wait.certainty = Certainty::Unknown;
    wait.partial = true;
    wait.evidence.push(why.to_owned());
}

fn list(holders: &[Holder]) -> String {
    let mut numbers: Vec<String> = holders.iter().take(8).map(|holder| holder.pid.to_string()).collect();
    if holders.len() > 8 {
        numbers.push(format!("and {} more", holders.len() - 8));
    }
    numbers.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::Call;
    use crate::backend::observe::wait::fixture::Machine;
    use crate::model::process::State;

    /// Thread 101 waits; its main thread made children 200 and 201, it itself 202.
    fn holders(call: &str) -> (Vec<Pid>, Certainty) {
        let machine = Machine::new(call, "do_wait");
        machine.write("100/task/100/children", "200 201 ");
        machine.write("100/task/101/children", "202 ");
        for pid in [200, 201, 202, 300] {
            machine.process(pid, &[pid]);
        }
        machine.write("201/status", "NSpid:\t201\nNSpgid:\t100\n");
        machine.write("300/status", "NSpid:\t300\nNSpgid:\t300\nTracerPid:\t101\n");
        let wait = machine.decode().unwrap();
        assert_eq!(wait.kind, WaitKind::Waitpid);
        (wait.holders.iter().map(|holder| holder.pid).collect(), wait.certainty)
    }

    #[test]
    fn the_arguments_say_which_child() {
        let any = "61 0xffffffffffffffff 0x0 0x0 0x0 0x0 0x0";
        assert_eq!(holders(any), (vec![200, 201, 202], Certainty::Certain));
        assert_eq!(holders("61 0xc8 0x0 0x0 0x0 0x0 0x0").0, [200]);
        assert_eq!(holders("61 0x0 0x0 0x0 0x0 0x0 0x0").0, [201], "of its own group");
        assert_eq!(holders("61 0xffffff9c 0x0 0x0 0x0 0x0 0x0").0, [201], "of group 100");
        assert_eq!(holders("61 0xffffffffffffffff 0x0 0x20000000 0x0 0x0 0x0").0, [202], "its own alone");
        assert_eq!(holders("247 0x0 0x0 0x0 0x4 0x0 0x0").0, [200, 201, 202]);
        assert_eq!(holders("247 0x1 0xca 0x0 0x4 0x0 0x0").0, [202]);
    }

    #[test]
    fn who_asks_for_stops_too_waits_for_more_than_an_end() {
        let partial = |call: &str| {
            let machine = Machine::new(call, "do_wait");
            machine.write("100/task/100/children", "200 ");
            machine.process(200, &[200]);
            let wait = machine.decode().unwrap();
            assert_eq!(wait.holders, [Holder { pid: 200, tid: None }]);
            wait.partial
        };
        assert!(partial("61 0xc8 0x0 0x2 0x0 0x0 0x0") && partial("61 0xc8 0x0 0x8 0x0 0x0 0x0"));
        assert!(partial("247 0x1 0xc8 0x0 0x6 0x0 0x0"));
        assert!(!partial("61 0xc8 0x0 0x0 0x0 0x0 0x0") && !partial("247 0x1 0xc8 0x0 0x4 0x0 0x0"));
    }

    #[test]
    fn a_tracee_is_no_child_and_a_stranger_is_nobody() {
        assert_eq!(holders("61 0x12c 0x0 0x0 0x0 0x0 0x0").0, [300]);
        assert_eq!(holders("61 0x12d 0x0 0x0 0x0 0x0 0x0"), (vec![], Certainty::Unknown));
    }

    #[test]
    fn a_tracer_of_strangers_waits_for_them_too_before_it_is_called_stuck() {
        let machine = Machine::new("61 0xffffffffffffffff 0x0 0x0 0x0 0x0 0x0", "do_wait");
        machine.write("100/task/100/children", "200 ");
        machine.process(200, &[200]);
        machine.process(300, &[300]);
        machine.write("300/status", "NSpid:\t300\nTracerPid:\t101\n");
        let call = Call::parse(b"61 0xffffffffffffffff 0x0 0x0 0x0 0x0 0x0 0x7f00 0x7f00").unwrap();
        let facts = Facts { pid: 100, tid: 101, state: State::Sleeping, call: &call, wchan: "do_wait", since: None };
        let mut world = machine.world();
        world.precise(true);
        let holders = |world: &mut World| {
            let wait = Waitpid.decode(&facts, world).unwrap();
            wait.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>()
        };
        assert_eq!(holders(&mut world), [200]);
        world.thorough(true);
        assert_eq!(holders(&mut world), [200, 300]);
    }

    #[test]
    fn numbers_count_in_the_waiters_namespace() {
        let machine = Machine::new("61 0x2 0x0 0x0 0x0 0x0 0x0", "do_wait");
        machine.write("100/status", "NSpid:\t100\t1\n");
        machine.write("100/task/100/children", "200 201 ");
        machine.process(2, &[2]);
        machine.write("200/status", "NSpid:\t200\t2\n");
        machine.write("201/status", "NSpid:\t201\t3\n");
        assert_eq!(machine.decode().unwrap().holders, [Holder { pid: 200, tid: None }]);
    }

    #[test]
    fn another_place_in_the_kernel_is_no_wait_for_a_child() {
        let machine = Machine::new("61 0xc8 0x0 0x0 0x0 0x0 0x0", "folio_wait_bit");
        assert_eq!(machine.decode().unwrap().kind, WaitKind::Other);
    }
}
