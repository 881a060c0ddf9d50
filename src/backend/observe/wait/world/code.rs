//! Where in their code threads are, and how they came there.

use std::sync::Arc;

use super::World;
use crate::backend::observe::rehearsal::{Memory, Stage, first_argument, last_call};
use crate::backend::observe::target::demangle::readable;
use crate::backend::observe::target::maps::Maps;
use crate::backend::observe::target::stack::{
    CallSite, Callee, Code, DEPTH, LONGEST_CALL, callee, ends_in_call, stub_slot,
};
use crate::backend::observe::target::unwind::{Frame, Registers};
use crate::backend::observe::wait::{Call, Facts};
use crate::model::Pid;

/// So many instructions of a function are followed to its last call.
const STEPS: usize = 500;
/// So many frames are looked through for a line of the program's own.
const LINES: usize = 48;

/// What debug information calls a lambda of C++.
const LAMBDA: &str = "operator()";
/// So many callers are looked at.
const CALLERS: usize = 8;

impl World {
    /// The runtime of the process, where it schedules threads or objects of its
    /// own on those of the kernel: what one of these waits for tells little.
    pub(in crate::backend::observe::wait) fn managed_runtime(&mut self, pid: Pid) -> Option<&'static str> {
        let maps = self.maps(pid)?;
        if maps.all().iter().any(|mapping| mapping.name.ends_with("/libjvm.so")) {
            return Some("a Java virtual machine (libjvm.so): its threads and monitors are its own, jstack tells them");
        }
        let program = maps.all().iter().find(|mapping| mapping.file.is_some())?;
        let is_go = self.source.is_go(&self.root, self.through(pid), program);
        is_go.then_some("a Go program (.go.buildinfo): its goroutines are not its threads, SIGQUIT makes it tell them")
    }

    /// Where in its code the thread is blocked, and who called; `None` where its
    /// map or its stack cannot be read.
    pub fn call_site(&mut self, facts: &Facts<'_>) -> Option<Arc<CallSite>> {
        let &Call::Blocked { sp, pc, .. } = facts.call else { return None };
        let key = (facts.pid, facts.tid, sp, pc);
        if let Some((_, site)) = self.site.as_ref().filter(|(known, _)| *known == key) {
            return site.clone();
        }
        let site = self.read_call_site(facts.pid, sp, pc).map(Arc::new);
        self.site = Some((key, site.clone()));
        site
    }

    /// Forgets what is kept of one thread for all its decoders.
    pub(in crate::backend::observe::wait) fn begin_thread(&mut self) {
        self.site = None;
    }

    fn read_call_site(&mut self, pid: Pid, sp: u64, pc: u64) -> Option<CallSite> {
        let mut maps = self.maps(pid)?;
        if maps.find(sp).is_none() {
            // A thread that is younger than the map.
            self.maps.remove(&pid);
            maps = self.maps(pid)?;
        }
        let stack = maps.find(sp)?;
        let length = (stack.range.end - sp).min(DEPTH as u64) as usize & !7;
        let mut bytes = vec![0; length];
        self.memory(pid, sp, &mut bytes).ok()?;
        let word = |chunk: &[u8]| chunk.try_into().map_or(0, u64::from_ne_bytes);
        let executable = |address: u64| maps.is_code(address.wrapping_sub(1));
        let mut candidates: Vec<u64> = bytes.chunks_exact(8).map(word).filter(|&at| executable(at)).collect();
        candidates.truncate(CALLERS * 3);
        let mut addresses = vec![pc];
        addresses.extend(self.after_calls(pid, &candidates).into_iter().take(CALLERS));
        let mut code = self.named(pid, &maps, &addresses).into_iter();
        Some(CallSite { at: code.next()?, callers: code.collect() })
    }

    /// Names the code that ends before each address. Threads that wait for the same came
    /// there by the same way: where moving on is found out by other means, each place is
    /// looked up once.
    fn named(&mut self, pid: Pid, maps: &Maps, addresses: &[u64]) -> Vec<Code> {
        if !self.vouched {
            return self.source.code(&self.root, self.through(pid), maps, addresses);
        }
        let mut new: Vec<u64> = addresses.to_vec();
        new.retain(|at| !self.places.contains_key(&(pid, *at)));
        if !new.is_empty() {
            let found = self.source.code(&self.root, self.through(pid), maps, &new);
            self.places.extend(found.into_iter().map(|code| ((pid, code.address), code)));
        }
        addresses.iter().filter_map(|at| self.places.get(&(pid, *at)).cloned()).collect()
    }

    /// The function that the call before a return address enters, through the
    /// linkage table if need be; `None` where that cannot be followed.
    pub(in crate::backend::observe::wait) fn called_from(&mut self, pid: Pid, behind: u64) -> Option<Code> {
        let target = self.target_of(pid, behind)?;
        let maps = self.maps(pid)?;
        // The code that ends directly before the function's second byte.
        self.source.code(&self.root, self.through(pid), &maps, &[target.checked_add(1)?]).pop()
    }

    /// Where the call before a return address goes, through the linkage table if need be.
    fn target_of(&self, pid: Pid, behind: u64) -> Option<u64> {
        let mut code = [0; LONGEST_CALL];
        self.memory(pid, behind.checked_sub(LONGEST_CALL as u64)?, &mut code).ok()?;
        Some(match callee(code, behind)? {
            Callee::Behind(slot) => self.longs::<1>(pid, slot).ok()?[0],
            Callee::At(to) => {
                let mut stub = [0; 11];
                self.memory(pid, to, &mut stub).ok()?;
                match stub_slot(&stub, to) {
                    Some(slot) => self.longs::<1>(pid, slot).ok()?[0],
                    None => to,
                }
            }
        })
    }

    /// The function that made a call which goes on as `restart_syscall(2)` after
    /// a stop; `None` where it has no name.
    pub(in crate::backend::observe::wait) fn resumed_call(&mut self, facts: &Facts<'_>) -> Option<Arc<str>> {
        self.call_site(facts)?.at.function.clone()
    }

    /// Those of `candidates` that stand behind a call instruction.
    fn after_calls(&mut self, pid: Pid, candidates: &[u64]) -> Vec<u64> {
        if !self.vouched {
            return self.read_after_calls(pid, candidates);
        }
        let mut new: Vec<u64> = candidates.to_vec();
        new.retain(|at| !self.returns.contains_key(&(pid, *at)));
        if !new.is_empty() {
            let found = self.read_after_calls(pid, &new);
            self.returns.extend(new.iter().map(|at| ((pid, *at), found.contains(at))));
        }
        candidates.iter().copied().filter(|at| self.returns.get(&(pid, *at)) == Some(&true)).collect()
    }

    fn read_after_calls(&self, pid: Pid, candidates: &[u64]) -> Vec<u64> {
        let ranges: Vec<_> = candidates.iter().map(|at| (at - LONGEST_CALL as u64, LONGEST_CALL)).collect();
        let mut code = vec![0; candidates.len() * LONGEST_CALL];
        if self.source.memory(self.through(pid), &ranges, &mut code).is_err() {
            // One of them at the very beginning of a mapping: one by one.
            return candidates.iter().copied().filter(|&at| self.is_after_call(pid, at)).collect();
        }
        let calls = code.chunks_exact(LONGEST_CALL).map(|bytes| bytes.try_into().is_ok_and(ends_in_call));
        candidates.iter().zip(calls).filter(|(_, is_call)| *is_call).map(|(&at, _)| at).collect()
    }

    fn is_after_call(&self, pid: Pid, at: u64) -> bool {
        let mut code = [0; LONGEST_CALL];
        self.memory(pid, at - LONGEST_CALL as u64, &mut code).is_ok() && ends_in_call(code)
    }

    /// The live frames of a blocked thread, innermost first.
    pub(in crate::backend::observe::wait) fn frames(&mut self, facts: &Facts<'_>) -> Vec<Frame> {
        let &Call::Blocked { sp, pc, .. } = facts.call else { return Vec::new() };
        let stage = self.stage(facts.pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        stage.frames(&Memory::new(&read), sp, pc).frames
    }

    /// The first argument of the call that a frame of a process is in, if the code before
    /// the call tells.
    pub(in crate::backend::observe::wait) fn first_argument(&mut self, pid: Pid, frame: &Frame) -> Option<u64> {
        let stage = self.stage(pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        first_argument(frame, &Memory::new(&read))
    }

    /// The function of the C library, with its first argument, that the function which a
    /// frame calls jumps to at its end; `None` where its code does not tell.
    pub(in crate::backend::observe::wait) fn last_call(&mut self, pid: Pid, frame: &Frame) -> Option<(String, u64)> {
        let argument = self.first_argument(pid, frame);
        let called = self.target_of(pid, frame.registers.pc)?;
        let stage = self.stage(pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        let (name, address) = last_call(called, argument, &frame.registers, (&Memory::new(&read), &stage), STEPS)?;
        Some((name.to_string(), address))
    }

    /// Where the live frames of a blocked thread are in its code, innermost first.
    pub(in crate::backend::observe::wait) fn frame_code(&mut self, facts: &Facts<'_>) -> Vec<Code> {
        let addresses: Vec<u64> = self.frames(facts).iter().map(|frame| frame.registers.pc).collect();
        let Some(maps) = self.maps(facts.pid) else { return Vec::new() };
        self.source.code(&self.root, self.through(facts.pid), &maps, &addresses)
    }

    /// As [`World::call_site`], of live frames only: slower, but nothing that calls
    /// have left on the stack is among them. `None` where they cannot be told.
    pub(in crate::backend::observe::wait) fn live_call_site(&mut self, facts: &Facts<'_>) -> Option<CallSite> {
        let mut code = self.frame_code(facts).into_iter();
        let site = CallSite { at: code.next()?, callers: code.take(CALLERS).collect() };
        (!site.callers.is_empty()).then_some(site)
    }

    /// The functions that a blocked thread is in, mangled, innermost first; those
    /// without a name left out.
    pub(in crate::backend::observe::wait) fn frame_names(&mut self, facts: &Facts<'_>) -> Vec<Arc<str>> {
        let &Call::Blocked { sp, pc, .. } = facts.call else { return Vec::new() };
        let stage = self.stage(facts.pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        let walk = stage.frames(&Memory::new(&read), sp, pc);
        walk.frames.iter().filter_map(|frame| stage.function(frame.registers.pc - 1).name).collect()
    }

    /// The functions that a blocked thread is in, mangled, innermost first, so many at
    /// most; with those that the compiler has put into others, where
    /// debug information tells.
    pub(in crate::backend::observe::wait) fn functions(&mut self, facts: &Facts<'_>, most: usize) -> Vec<String> {
        let code = self.frame_code(facts);
        let Some(maps) = self.maps(facts.pid) else { return Vec::new() };
        let through = self.through(facts.pid);
        let mut names = Vec::new();
        for place in code {
            if names.len() >= most {
                break;
            }
            let lines = self.source.lines(&self.root, through, &maps, place.address);
            let within: Vec<String> = lines.into_iter().filter_map(|line| line.symbol).collect();
            // Line tables alone name no functions.
            if within.is_empty() {
                names.extend(place.function.as_deref().map(str::to_owned));
            }
            names.extend(within);
        }
        names
    }

    /// The function that the call before a return address stands in, as its
    /// author wrote it; else the address in its file.
    pub(in crate::backend::observe) fn function_at(&mut self, pid: Pid, address: u64) -> String {
        let Some(maps) = self.maps(pid) else { return format!("{address:#x}") };
        match self.source.code(&self.root, self.through(pid), &maps, &[address]).pop() {
            Some(Code { function: Some(name), .. }) => readable(&name),
            Some(code) => format!("{address:#x} of {}", code.file),
            None => format!("{address:#x}"),
        }
    }

    /// The lines of source in which blocked threads of a process wait, each given by its
    /// stack pointer and program counter, in words: the nearest of the program's own.
    /// `None` without debug information. They are asked about together: what is read of
    /// one serves the others.
    pub(in crate::backend::observe) fn lines_of(&mut self, pid: Pid, places: &[(u64, u64)]) -> Vec<Option<String>> {
        let stage = self.stage(pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        let memory = Memory::new(&read);
        let outwards = |&(sp, pc): &(u64, u64)| -> Vec<u64> {
            let walk = stage.all_frames(&memory, Registers::new(sp, pc));
            walk.frames.iter().skip(1).take(LINES).map(|frame| frame.registers.behind()).collect()
        };
        let walks: Vec<Vec<u64>> = places.iter().map(outwards).collect();
        let Some(maps) = self.maps(pid) else { return vec![None; places.len()] };
        let through = self.through(pid);
        let mut told = |walk: &Vec<u64>| {
            let mut pc = 0;
            let mut lines = walk.iter().flat_map(|&at| {
                pc = at;
                self.source.lines(&self.root, through, &maps, at)
            });
            let line = lines.find(|line| !line.is_library())?;
            let mut function = line.function;
            // A lambda of C++ has no name of its own there, but one of where it stands as a symbol.
            if function.as_deref() == Some(LAMBDA) {
                let symbol = self.source.code(&self.root, through, &maps, &[pc]).pop()?.function;
                let whole = symbol.map(|name| readable(&name)).filter(|name| name.contains("{lambda"));
                function = whole.or(function);
            }
            let function = function.map(|name| format!(" in {name}")).unwrap_or_default();
            Some(format!("{}:{}{function}", line.file, line.line))
        };
        walks.iter().map(&mut told).collect()
    }
}
