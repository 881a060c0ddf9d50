//! The interest list of an epoll instance: what it watches.
//!
//! ```text
//! fdinfo of epfd:  tfd:        5 events:       19 data: …
//! ```
//!
//! An instance may watch another one, as deep as the kernel permits (`EP_MAX_NESTS`): it is
//! ready when something that it watches is.

use std::collections::HashMap;

use super::descriptor::Target;
use super::watched::{READABLE, Registered, WRITABLE, Watched};
use super::{Facts, World};
use crate::model::Pid;
use crate::model::wait::Wait;

/// How deep instances may watch one another.
const NESTED: usize = 5;
/// All that can be awaited. The rest says how (EPOLLET, EPOLLONESHOT, …): what has nothing
/// else has been told once, and is told again only when somebody asks for it again.
const EVENTS: u32 = 0x0fff_ffff;

/// What is watched in the end: in place of an instance what it watches itself.
pub(super) fn followed(facts: &Facts<'_>, world: &mut World, watched: &[Watched], wait: &mut Wait) -> Vec<Watched> {
    let mut all = Vec::new();
    let mut rest: Vec<(Watched, usize)> = watched.iter().rev().map(|one| (*one, 0)).collect();
    while let Some((one, depth)) = rest.pop() {
        match inner(facts, world, one).filter(|_| depth < NESTED) {
            Some(inner) => {
                wait.evidence.push(format!("fd {} is an epoll that watches {} descriptors", one.fd, inner.len()));
                may_change(facts, world, one.fd, wait);
                rest.extend(inner.into_iter().rev().map(|one| (one, depth + 1)));
            }
            None => all.push(one),
        }
    }
    all
}

/// What an instance watches that is watched itself, if it is one, and still the one that was
/// registered.
fn inner(facts: &Facts<'_>, world: &World, one: Watched) -> Option<Vec<Watched>> {
    let target = Target::of(facts, world, one.fd).ok()?;
    let is_epoll = target == Target::Anonymous("eventpoll".to_owned());
    let still = is_epoll && one.is_still(facts, world, &target) == Some(true);
    still.then(|| descriptors(facts, world, one.fd)).flatten()
}

/// Unlike a poll, what an instance watches can be changed meanwhile, by any other thread that
/// has it.
pub(super) fn may_change(facts: &Facts<'_>, world: &mut World, fd: i32, wait: &mut Wait) {
    let own = "another thread of the process may change what it watches";
    if has_other_threads(facts, world) && !wait.evidence.iter().any(|known| known == own) {
        wait.evidence.push(own.to_owned());
        wait.add_besides([facts.pid]);
    }
    for other in shared_with(facts, world, fd) {
        wait.evidence.push(format!("process {other} has epoll fd {fd} open too, and may change what it watches"));
        wait.add_besides([other]);
    }
}

/// Other processes that have the same instance open, from a fork. Looked for only before
/// somebody is called stuck.
fn shared_with(facts: &Facts<'_>, world: &mut World, fd: i32) -> Vec<Pid> {
    if !world.is_thorough() {
        return Vec::new();
    }
    world.sharers(facts, fd, b"anon_inode:[eventpoll]").0
}

fn has_other_threads(facts: &Facts<'_>, world: &World) -> bool {
    let threads = world.numbers_in(&format!("{}/task", facts.pid));
    threads.iter().any(|&tid| tid != facts.tid && world.has_thread(facts.pid, tid))
}

/// The descriptors registered of which anything is awaited, as their numbers were then;
/// `None` where the kernel does not tell.
pub(super) fn descriptors(facts: &Facts<'_>, world: &World, fd: i32) -> Option<Vec<Watched>> {
    let mut content = Vec::new();
    world.root.read_into(&format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid), &mut content).ok()?;
    let mut counts: HashMap<i32, usize> = HashMap::new();
    let mut all = Vec::new();
    for (watched, inode) in str::from_utf8(&content).ok()?.lines().filter_map(registered) {
        let count = counts.entry(watched.fd).or_default();
        let registered = Some(Registered { epoll: fd, nth: *count as u32, inode });
        *count += 1;
        if watched.events & EVENTS != 0 {
            all.push(Watched { registered, ..watched });
        }
    }
    Some(all)
}

/// `tfd:        5 events:       19 data: 5  pos:0 ino:1f4 sdev:9`, numbers in
/// hexadecimal but for the first.
fn registered(line: &str) -> Option<(Watched, Option<u64>)> {
    let mut fields = line.strip_prefix("tfd:")?.split_ascii_whitespace();
    let fd = fields.next()?.parse().ok()?;
    let mut after = |key: &str| fields.find(|field| *field == key).and_then(|_| fields.next());
    let events = after("events:").and_then(|hex| u32::from_str_radix(hex, 16).ok()).unwrap_or(READABLE | WRITABLE);
    let inode = fields.find_map(|field| u64::from_str_radix(field.strip_prefix("ino:")?, 16).ok());
    Some((Watched { fd, events, registered: None }, inode))
}
