//! Memory of processes, and what their maps say of it.

use std::fmt;
use std::sync::Arc;

use rustix::io::Errno;

use super::{AROUND, Ahead, Around, DEPTH, MAPS, Maps, World};
use crate::backend::observe::wait::vfork;
use crate::model::Pid;

impl World {
    /// These threads of a process, in ascending order, have just been read. One
    /// of them that ends meanwhile is noticed by whoever vouches.
    pub fn saw_threads(&mut self, pid: Pid, tids: Vec<Pid>) {
        self.threads = (pid, tids);
    }

    /// The main thread of a process has ended, and with it the way to its memory
    /// and its files by the process's number: from now on it goes by `other`, a
    /// thread that lives, or by the process's own number again for `None`.
    pub fn go_through(&mut self, pid: Pid, other: Option<Pid>) {
        match other {
            Some(tid) => drop(self.detours.insert(pid, tid)),
            None => drop(self.detours.remove(&pid)),
        }
    }

    /// The number by which memory and files of a process are reached.
    pub(super) fn through(&self, pid: Pid) -> Pid {
        self.detours.get(&pid).copied().unwrap_or(pid)
    }

    /// Reads memory of a process ahead: for threads that sleep with these stack
    /// pointers, on futexes at these addresses.
    pub fn read_ahead(&mut self, pid: Pid, sleepers: impl Iterator<Item = (Option<u64>, Option<u64>)>) {
        let mut ranges = Vec::new();
        for (stack, futex) in sleepers {
            ranges.extend(stack.map(|pointer| (pointer, DEPTH)));
            ranges.extend(futex.map(|address| (address.saturating_sub(AROUND), 2 * AROUND as usize)));
        }
        self.ahead =
            Ahead::read(pid, ranges, |ranges, buffer| self.source.memory_each(self.through(pid), ranges, buffer));
    }

    /// What has been [read ahead](World::read_ahead) around the futex at
    /// `address`: all that a lock says of itself.
    pub fn around(&self, pid: Pid, address: u64) -> Option<Around> {
        let mut bytes = [0; 2 * AROUND as usize];
        self.ahead.fill(pid, address.saturating_sub(AROUND), &mut bytes).then_some(bytes)
    }

    /// Whether this is an address of memory that the process may read and write.
    pub fn is_data(&mut self, pid: Pid, address: u64) -> bool {
        let maps = self.maps(pid);
        maps.is_some_and(|maps| maps.find(address).is_some_and(|mapping| mapping.write && mapping.read))
    }

    /// Whether any code of the process is linked to one of these functions of the C library.
    pub(in crate::backend::observe::wait) fn is_linked_to(&mut self, pid: Pid, functions: &[&str]) -> bool {
        let Some(maps) = self.maps(pid) else { return false };
        let through = self.through(pid);
        let mut code = maps.all().iter().filter(|mapping| mapping.execute);
        code.any(|mapping| self.source.is_linked_to(&self.root, through, mapping, functions))
    }

    /// Whether the file that an address of a process belongs to has `parking_lot` in it.
    pub(in crate::backend::observe::wait) fn has_parking_lot(&mut self, pid: Pid, address: u64) -> bool {
        let Some(maps) = self.maps(pid) else { return false };
        let through = self.through(pid);
        maps.find(address).is_some_and(|mapping| self.source.has_parking_lot(&self.root, through, mapping))
    }

    /// Fills `buffer` with memory of a process, all or nothing.
    ///
    /// # Errors
    /// As [`memory::read`](crate::sys::memory::read).
    pub fn memory(&self, pid: Pid, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        if self.ahead.fill(pid, address, buffer) {
            return Ok(());
        }
        self.source.memory(self.through(pid), &[(address, buffer.len())], buffer)
    }

    /// `N` consecutive 32-bit words of a process's memory.
    ///
    /// # Errors
    /// As [`World::memory`].
    pub fn words<const N: usize>(&self, pid: Pid, address: u64) -> Result<[u32; N], Errno> {
        let mut bytes = vec![0; N * 4];
        self.memory(pid, address, &mut bytes)?;
        let mut words = [0; N];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        Ok(words)
    }

    /// `N` consecutive 64-bit words of a process's memory.
    ///
    /// # Errors
    /// As [`World::memory`].
    pub fn longs<const N: usize>(&self, pid: Pid, address: u64) -> Result<[u64; N], Errno> {
        let mut bytes = vec![0; N * 8];
        self.memory(pid, address, &mut bytes)?;
        let mut longs = [0; N];
        for (long, chunk) in longs.iter_mut().zip(bytes.chunks_exact(8)) {
            *long = chunk.try_into().map_or(0, u64::from_ne_bytes);
        }
        Ok(longs)
    }

    /// The memory map of a process; `None` where it may not be read.
    pub fn maps(&mut self, pid: Pid) -> Option<Arc<Maps>> {
        if let Some(known) = self.maps.get(&pid) {
            return known.clone();
        }
        let mut content = Vec::new();
        let read = self.root.read_into(&format!("{}/maps", self.through(pid)), &mut content);
        let maps = read.is_ok().then(|| Arc::new(Maps::parse(&content)));
        if self.maps.len() == MAPS {
            self.maps.clear();
        }
        self.maps.insert(pid, maps.clone());
        maps
    }

    /// Whether two processes share their memory, as after vfork(2) until
    /// execve(2); `None` where the kernel does not tell.
    pub(in crate::backend::observe::wait) fn shares_memory(&self, one: Pid, other: Pid) -> Option<bool> {
        self.source.shares_memory(one, other)
    }

    /// Whether another process has the same memory, for all that the kernel tells: where it does
    /// not, one may whose memory looks just the same.
    fn may_share_memory(&self, one: Pid, other: Pid) -> bool {
        let looks_shared = || self.looks_shared(self.through(one), other) && self.may_be_made(one, other);
        self.shares_memory(self.through(one), other).unwrap_or_else(looks_shared)
    }

    /// Whether, of two processes, one may have been made by the other, or by another that had
    /// its memory: then the parent of one is among the ancestors of the other, even where who
    /// made it has ended and left it to one of those.
    #[inline(never)]
    fn may_be_made(&self, one: Pid, other: Pid) -> bool {
        let parent = |pid: Pid| self.status(&pid.to_string(), "PPid:")?.first().copied().filter(|&pid| pid > 0);
        let descends = |pid: Pid, from: Pid| {
            parent(from).is_none_or(|from| std::iter::successors(Some(pid), |&pid| parent(pid)).any(|pid| pid == from))
        };
        descends(one, other) || descends(other, one)
    }

    /// Whether two processes may have the same memory by what everybody may read of them.
    /// Whoever starts a program gets memory of its own, so that one of two that share theirs
    /// has not started any; and both show the same sizes, unless those change meanwhile.
    #[inline(never)]
    fn looks_shared(&self, one: Pid, other: Pid) -> bool {
        /// One that runs may take memory and give it back between two readings.
        const ATTEMPTS: usize = 3;
        let read = |pid: Pid, file: &str| {
            let mut content = Vec::new();
            self.root.read_into(&format!("{pid}/{file}"), &mut content).ok().map(|()| content)
        };
        let code = |pid| read(pid, "statm")?.split(|&byte| byte == b' ').nth(3).map(<[u8]>::to_vec);
        let sizes = |pid| read(pid, "status").map(|status| sizes(&status));
        let differs = |_| {
            let [before, theirs, now] = [one, other, one].map(sizes);
            theirs.is_none() || theirs != before && before == now
        };
        code(one) == code(other) && (self.is_copy(one) || self.is_copy(other)) && !(0..ATTEMPTS).all(differs)
    }

    /// Another process that may share the memory of this one, of those for whom `counts`; every
    /// process is asked.
    pub(in crate::backend::observe::wait) fn sharer(&self, pid: Pid, counts: impl Fn(Pid) -> bool) -> Option<Sharer> {
        let shares = |other| self.may_share_memory(pid, other);
        // One that was about to start another program has done so meanwhile.
        let is_it = |other: &Pid| *other != pid && shares(*other) && counts(*other) && shares(*other);
        let other = self.numbers_in(".").into_iter().find(is_it)?;
        Some(Sharer { pid: other, is_told: self.shares_memory(self.through(pid), other).is_some() })
    }

    /// Another process that shares the memory of this one for good, for all that the kernel
    /// tells: made by clone(2) with `CLONE_VM`, and not one that only borrows it until execve(2).
    pub(in crate::backend::observe) fn shares_space_with(&self, pid: Pid) -> Option<Sharer> {
        self.sharer(pid, |other| !vfork::stands_still_for(self, pid, other))
    }

    /// Names the memory at an address: `COUNT (.data of /srv/payments +0x40)`,
    /// `[heap] +0x2a0`.
    pub fn place(&mut self, pid: Pid, address: u64) -> String {
        match self.maps(pid) {
            Some(maps) => self.source.place(&self.root, self.through(pid), &maps, address),
            None => "memory whose mapping may not be read".to_owned(),
        }
    }
}

/// The lines of `/proc/PID/status` that are about memory.
fn sizes(status: &[u8]) -> Vec<u8> {
    let is_size = |line: &&[u8]| [&b"Vm"[..], b"Rss", b"Hugetlb"].iter().any(|key| line.starts_with(key));
    status.split(|&byte| byte == b'\n').filter(is_size).flatten().copied().collect()
}

/// A process that has the same memory as another, or looks so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::observe) struct Sharer {
    pid: Pid,
    /// Whether the kernel says so.
    is_told: bool,
}

impl fmt::Display for Sharer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (may, why) = if self.is_told { ("shares", "") } else { ("may share", " (kcmp(2) is not permitted)") };
        write!(f, "process {} {may} this address space{why}", self.pid)
    }
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::Machine;
    use crate::model::Pid;

    #[test]
    fn who_shares_memory_has_a_parent_among_the_ancestors_of_the_other() {
        let made = |parents: [(Pid, Pid); 5]| {
            let machine = Machine::new("34 0x0 0x0 0x0 0x0 0x0 0x0", "do_pause");
            for (pid, parent) in parents {
                machine.write(&format!("{pid}/status"), &format!("Name:\tx\nPPid:\t{parent}\n"));
            }
            let world = machine.world();
            assert_eq!(world.may_be_made(100, 400), world.may_be_made(400, 100));
            world.may_be_made(100, 400)
        };
        let init = [(1, 0), (20, 1), (30, 1)];
        let with = |mine: Pid, theirs: Pid| made([init[0], init[1], init[2], (100, mine), (400, theirs)]);
        assert!(with(20, 100), "its child");
        assert!(with(20, 20), "who made both has ended, or it was made as a sibling");
        assert!(with(20, 1), "who made it has ended");
        assert!(!with(20, 30), "each has a parent of its own, which lives");
        assert!(with(20, 0), "its parent is not to be seen");
    }
}
