//! The events that are opened: for each CPU three, which write into two rings.
//!
//! ```text
//! blocks   sched:sched_switch, every one: registers, the kernel's call chain
//! wakes    sched:sched_waking, every one: registers of whoever wakes
//! stacks   sched:sched_switch, one in so many: all registers and the stack
//! ```
//!
//! Stacks take much room, and where they do not fit nothing is wrong but that
//! fewer are looked at: they have a ring of their own, so that no block and no
//! wake-up is lost for them.
//!
//! A filter cannot be changed once it is set. It lets through every thread that
//! is made later (see [`filter`]), other processes' among them: should those tell
//! much, or numbers begin anew, the set is opened anew.

use std::collections::HashMap;
use std::ffi::CString;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::filter;
use super::record::{ALL, ALWAYS, ARGUMENTS, CHAIN, Record, parse};
use crate::model::Pid;
use crate::sys::perf::{Event, Request, sample};
use crate::sys::perf_ring::Ring;
use crate::sys::perf_tracefs::Tracepoint;

/// The rings together, and one of them.
const ALL_RINGS: usize = 64 << 20;
const LARGEST_RING: usize = 8 << 20;
const SMALLEST_RING: usize = 256 << 10;
/// A stack's ring is so much smaller.
const STACKS_SHARE: usize = 4;
/// So much of a stack is kept.
const STACK: u32 = 8 << 10;

/// What an event is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Blocks,
    Wakes,
    Stacks,
}

impl Role {
    /// What samples hold, and which registers.
    fn layout(self) -> (u64, u64) {
        match self {
            Role::Blocks => (ALWAYS | sample::CALLCHAIN | sample::RAW, ARGUMENTS),
            Role::Wakes => (ALWAYS | sample::RAW, ARGUMENTS),
            // Never `PERF_SAMPLE_PERIOD`: with it the kernel tells every event, whatever
            // the period (`perf_swevent_event`, kernel/events/core.c).
            Role::Stacks => (ALWAYS | sample::CALLCHAIN | sample::STACK_USER, ALL),
        }
    }

    fn request(self, tracepoint: u64, period: u64, ring: usize) -> Request {
        let (holds, registers) = self.layout();
        let stack = if self == Role::Stacks { STACK } else { 0 };
        let chain = if holds & sample::CALLCHAIN == 0 { 0 } else { CHAIN as u16 - 1 };
        let tasks = self == Role::Blocks;
        Request { tracepoint, holds, registers, stack, chain, tasks, period, wakeup: ring as u32 / 4 }
    }
}

#[derive(Debug)]
struct OnCpu {
    blocks: Event,
    wakes: Event,
    stacks: Event,
    ring: Ring,
    stacks_ring: Ring,
}

/// The open events.
#[derive(Debug)]
pub(super) struct Set {
    cpus: Vec<OnCpu>,
    roles: HashMap<u64, Role>,
}

/// The two tracepoints.
#[derive(Clone, Debug)]
pub(super) struct Points {
    pub(super) switch: Tracepoint,
    pub(super) waking: Tracepoint,
}

impl Set {
    /// Opens the events for these threads and all above a number (`None`: for all
    /// threads), and begins.
    ///
    /// # Errors
    /// As [`Event::open`] and [`Ring::map`].
    pub(super) fn open(points: &Points, threads: Option<(&[Pid], Pid)>, period: u64) -> Result<Self, Errno> {
        let online = online();
        let room = (ALL_RINGS / online.len().max(1)).clamp(SMALLEST_RING, LARGEST_RING).next_power_of_two();
        let room = room.min(LARGEST_RING);
        let (blocks, wakes) = (filter::blocks(threads), filter::wakes(threads));
        let mut set = Set { cpus: Vec::new(), roles: HashMap::new() };
        for cpu in online {
            match set.add(cpu, points, (&blocks, wakes.as_ref()), period, room) {
                // A CPU that has gone meanwhile runs nobody.
                Ok(()) | Err(Errno::NODEV) => {}
                Err(error) => return Err(error),
            }
        }
        if set.cpus.is_empty() {
            return Err(Errno::NODEV);
        }
        for OnCpu { blocks, wakes, stacks, .. } in &set.cpus {
            // Wake-ups first: a block whose wake-up is not told seems to last.
            wakes.enable()?;
            stacks.enable()?;
            blocks.enable()?;
        }
        Ok(set)
    }

    fn add(
        &mut self,
        cpu: usize,
        points: &Points,
        (blocks_filter, wakes_filter): (&CString, Option<&CString>),
        period: u64,
        room: usize,
    ) -> Result<(), Errno> {
        let open = |role: Role, point: &Tracepoint, period| {
            Event::open(None, Some(cpu), &role.request(point.id, period, room))
        };
        let blocks = open(Role::Blocks, &points.switch, 1)?;
        let ring = Ring::map(&blocks, room)?;
        let wakes = open(Role::Wakes, &points.waking, 1)?;
        let stacks = open(Role::Stacks, &points.switch, period)?;
        blocks.filter(blocks_filter)?;
        stacks.filter(blocks_filter)?;
        if let Some(filter) = wakes_filter {
            wakes.filter(filter)?;
        }
        wakes.write_to(&blocks)?;
        let stacks_ring = Ring::map(&stacks, room / STACKS_SHARE)?;
        self.roles.insert(blocks.identifier()?, Role::Blocks);
        self.roles.insert(wakes.identifier()?, Role::Wakes);
        self.roles.insert(stacks.identifier()?, Role::Stacks);
        self.cpus.push(OnCpu { blocks, wakes, stacks, ring, stacks_ring });
        Ok(())
    }

    /// Waits until a ring is a quarter full, or so long.
    pub(super) fn wait(&self, milliseconds: u32) {
        let mut fds: Vec<PollFd<'_>> =
            self.cpus.iter().map(|cpu| PollFd::new(cpu.blocks.fd(), PollFlags::IN)).collect();
        let limit = Timespec { tv_sec: 0, tv_nsec: i64::from(milliseconds) * 1_000_000 };
        // Interrupted or not: the rings are read next.
        let _ = poll(&mut fds, Some(&limit));
    }

    /// Takes all records that are there.
    pub(super) fn drain(&mut self, mut each: impl FnMut(Option<Role>, Record)) {
        let roles = &self.roles;
        let layout = |identifier: u64| roles.get(&identifier).map(|role| role.layout());
        for cpu in &mut self.cpus {
            for (ring, whose) in [(&mut cpu.ring, None), (&mut cpu.stacks_ring, Some(Role::Stacks))] {
                ring.drain(|kind, _, body| {
                    let Some(record) = parse(kind, body, layout) else { return };
                    let role = match &record {
                        Record::Sample(sample) => roles.get(&sample.identifier).copied(),
                        _ => whose,
                    };
                    each(role, record);
                });
            }
        }
    }

    /// One in how many blocks is told with its stack, from now on.
    pub(super) fn stack_period(&self, period: u64) {
        for cpu in &self.cpus {
            // Where it is refused the old one goes on.
            let _ = cpu.stacks.period(period);
        }
    }

    /// Stops: what stands in the rings stays.
    pub(super) fn stop(&self) {
        for OnCpu { blocks, wakes, stacks, .. } in &self.cpus {
            let _ = blocks.disable().and(stacks.disable()).and(wakes.disable());
        }
    }

    /// How many blocks and wake-ups did not fit; `None` where the kernel does not count them
    /// for each event.
    pub(super) fn lost(&self) -> Option<u64> {
        let events = self.cpus.iter().flat_map(|cpu| [&cpu.blocks, &cpu.wakes]);
        events.map(Event::lost).sum()
    }

    /// How many blocks and wake-ups there were; `None` where they are not counted with
    /// those that did not fit.
    pub(super) fn happened(&self) -> Option<u64> {
        let events = self.cpus.iter().flat_map(|cpu| [&cpu.blocks, &cpu.wakes]);
        events.map(|event| event.counts().map(|(all, _)| all)).sum()
    }

    /// The memory of all rings.
    pub(super) fn room(&self) -> usize {
        self.cpus.iter().map(|cpu| cpu.ring.size() + cpu.stacks_ring.size()).sum()
    }
}

/// The CPUs that are on.
fn online() -> Vec<usize> {
    let text = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap_or_else(|_| "0".to_owned());
    stretches(&text)
}

/// `0-3,8`: a list of CPUs.
fn stretches(text: &str) -> Vec<usize> {
    let stretch = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(stretch).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(stretches("0-2,8,10-11\n"), [0, 1, 2, 8, 10, 11]);
        assert_eq!(stretches("0\n"), [0]);
        assert_eq!(stretches(""), [0_usize; 0]);
    }
}
