//! Memory and names of real processes.

use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, socket_timeout, tcp_user_timeout};
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

use super::beyond_proc::Source;
use crate::backend::observe::target::demangle::readable;
use crate::backend::observe::target::lines::Line;
use crate::backend::observe::target::maps::{Mapping, Maps};
use crate::backend::observe::target::module::{Module, Modules, Runtime};
use crate::backend::observe::target::stack::Code;
use crate::backend::observe::target::unwind::FrameTable;
use crate::model::{Nanos, Pid};
use crate::sys::pidfd::Pidfd;
use crate::sys::procroot::ProcRoot;
use crate::sys::{in_flight, kcmp, memory};

/// Reads what is really there.
#[derive(Debug)]
pub(super) struct Live {
    real: bool,
    modules: Modules,
}

impl Live {
    /// A source for the processes of a proc file system; a made-up one has no
    /// memory, whatever processes of the same numbers exist.
    pub(super) fn new(real: bool) -> Self {
        Live { real, modules: Modules::default() }
    }
}

impl Source for Live {
    fn memory(&self, pid: Pid, ranges: &[(u64, usize)], buffer: &mut [u8]) -> Result<(), Errno> {
        if self.real { memory::read_many(pid, ranges, buffer) } else { Err(Errno::NOSYS) }
    }

    fn shares_memory(&self, one: Pid, other: Pid) -> Option<bool> {
        self.real.then(|| kcmp::share_memory(one, other).ok()).flatten()
    }

    fn shares_table(&self, one: Pid, other: Pid) -> Option<bool> {
        self.real.then(|| kcmp::share_descriptors(one, other).ok()).flatten()
    }

    fn shares_open_file(&self, one: (Pid, i32), other: (Pid, i32)) -> Option<bool> {
        self.real.then(|| kcmp::share_open_file(one, other).ok()).flatten()
    }

    fn is_registered(&self, (tid, fd): (Pid, i32), epoll: i32, nth: u32) -> Option<bool> {
        self.real.then(|| kcmp::is_registered(tid, fd, epoll, nth).ok()).flatten()
    }

    fn socket_limit(&self, pid: Pid, fd: i32, receives: Option<bool>) -> Option<Nanos> {
        if !self.real {
            return None;
        }
        // A copy for the moment of asking: the target is not stopped, and its
        // own descriptor stays what it is.
        let socket = Pidfd::open(pid).and_then(|process| process.copy_of(fd)).ok()?;
        let which = receives.map(|receives| if receives { Timeout::Recv } else { Timeout::Send });
        let own = which.and_then(|which| socket_timeout(&socket, which).ok()?);
        // What TCP has sent, and the other end has no room for, ends the connection.
        let unsent = || Some(Duration::from_millis(tcp_user_timeout(&socket).ok()?.into()));
        let limit = own.or_else(unsent).filter(|limit| !limit.is_zero())?;
        Some(Nanos(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX)))
    }

    fn terminal_limit(&self, pid: Pid, fd: i32) -> Option<Nanos> {
        if !self.real {
            return None;
        }
        let terminal = Pidfd::open(pid).and_then(|process| process.copy_of(fd)).ok()?;
        let settings = tcgetattr(&terminal).ok()?;
        let tenths = settings.special_codes[SpecialCodeIndex::VTIME];
        let by_lines = settings.local_modes.contains(LocalModes::ICANON);
        (!by_lines && tenths > 0).then(|| Nanos(u64::from(tenths) * 100_000_000))
    }

    fn in_flight(&self, pid: Pid, fd: i32) -> Option<Vec<u64>> {
        let socket = Pidfd::open(pid).and_then(|process| process.copy_of(fd)).ok()?;
        in_flight::look(&socket).ok()
    }

    fn is_go(&mut self, root: &ProcRoot, pid: Pid, mapping: &Mapping) -> bool {
        self.modules.of(root, pid, mapping).is_some_and(|module| module.is_go())
    }

    fn is_rust(&mut self, root: &ProcRoot, pid: Pid, mapping: &Mapping) -> bool {
        self.modules.of(root, pid, mapping).is_some_and(Module::is_rust)
    }

    fn is_linked_to(&mut self, root: &ProcRoot, pid: Pid, mapping: &Mapping, functions: &[&str]) -> bool {
        self.modules.of(root, pid, mapping).is_some_and(|module| module.is_linked_to(functions))
    }

    fn has_parking_lot(&mut self, root: &ProcRoot, pid: Pid, mapping: &Mapping) -> bool {
        self.modules.of(root, pid, mapping).is_some_and(Module::has_parking_lot)
    }

    fn memory_each(&self, pid: Pid, ranges: &[(u64, usize)], buffer: &mut [u8]) -> Vec<bool> {
        if self.real { memory::read_each(pid, ranges, buffer) } else { vec![false; ranges.len()] }
    }

    fn code(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, addresses: &[u64]) -> Vec<Code> {
        let mut code: Vec<Code> = addresses.iter().map(|&address| unnamed(maps, address)).collect();
        for index in 0..code.len() {
            // Each file is asked once for all addresses in it.
            let file = file_at(maps, code[index].address);
            let first = (0..index).all(|before| file_at(maps, code[before].address) != file);
            if file.is_some() && first {
                self.name_all(root, pid, maps, &mut code, index);
            }
        }
        code
    }

    fn frames(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, address: u64) -> Option<(Arc<FrameTable>, u64)> {
        let mapping = maps.find(address)?;
        let module = self.modules.of(root, pid, mapping)?;
        let moved = address.wrapping_sub(module.own_address(maps, mapping, address)?);
        Some((module.frames()?, moved))
    }

    fn lines(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, address: u64) -> Vec<Line> {
        let own = |modules: &mut Modules| {
            let mapping = maps.find(address.checked_sub(1)?)?;
            let module = modules.of(root, pid, mapping)?;
            let own = module.own_address(maps, mapping, address - 1)?;
            Some(module.lines(own))
        };
        own(&mut self.modules).unwrap_or_default()
    }

    fn import(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, slot: u64) -> Option<Arc<str>> {
        let mapping = maps.find(slot)?;
        let module = self.modules.of(root, pid, mapping)?;
        let own = module.own_address(maps, mapping, slot)?;
        module.import(own)
    }

    fn place(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, address: u64) -> String {
        let Some(mapping) = maps.find(address) else { return "unmapped memory".to_owned() };
        let before = maps.file_before(address);
        if let Some(module) = self.modules.of(root, pid, before.unwrap_or(mapping)) {
            let file = before.unwrap_or(mapping);
            let own = module.own_address(maps, file, address);
            let named = own.and_then(|own| in_section(module, own, &file.name));
            if let Some(text) = named {
                return text;
            }
        }
        in_mapping(mapping, address)
    }

    fn rest(&mut self) {
        self.modules.rest();
    }
}

impl Live {
    /// Names all `code` in the file that `code[first]` is in.
    fn name_all(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, code: &mut [Code], first: usize) {
        let file = file_at(maps, code[first].address);
        let Some(mapping) = maps.find(code[first].address.wrapping_sub(1)) else { return };
        let Some(module) = self.modules.of(root, pid, mapping) else { return };
        let runtime = module.runtime();
        let mut wanted = Vec::new();
        for (index, place) in code.iter().enumerate() {
            let Some(mapping) = maps.find(place.address.wrapping_sub(1)).filter(|m| m.file == file) else { continue };
            wanted.extend(module.own_address(maps, mapping, place.address - 1).map(|own| (index, own)));
        }
        let addresses: Vec<u64> = wanted.iter().map(|(_, own)| *own).collect();
        for ((index, _), symbol) in wanted.iter().zip(module.symbols(&addresses)) {
            code[*index].runtime = runtime;
            code[*index].function = symbol.map(|symbol| symbol.name);
        }
    }
}

fn file_at(maps: &Maps, address: u64) -> Option<crate::backend::observe::target::maps::FileId> {
    maps.find(address.wrapping_sub(1)).and_then(|mapping| mapping.file)
}

fn unnamed(maps: &Maps, address: u64) -> Code {
    let file = maps.find(address.wrapping_sub(1)).map_or_else(|| "".into(), |mapping| mapping.name.clone());
    Code { address, file, runtime: Runtime::Unknown, function: None }
}

/// `COUNT (.data of /srv/payments +0x40)`.
fn in_section(module: &mut Module, own: u64, file: &str) -> Option<String> {
    let (section, range) = module.section(own)?;
    let offset = own - range.start;
    let text = format!("{section} of {file} +{offset:#x}");
    Some(match module.symbols(&[own]).pop().flatten() {
        Some(symbol) => {
            let name = readable(&symbol.name);
            let into = own - symbol.address;
            if into == 0 { format!("{name} ({text})") } else { format!("{name}+{into:#x} ({text})") }
        }
        None => text,
    })
}

fn in_mapping(mapping: &Mapping, address: u64) -> String {
    let into = address - mapping.range.start + mapping.offset;
    let name = &mapping.name;
    if mapping.shared {
        return match &**name {
            "" | "/dev/zero (deleted)" => format!("shared anonymous memory +{into:#x}"),
            name => format!("shared memory {name} +{into:#x}"),
        };
    }
    match &**name {
        "" => format!("anonymous memory +{:#x}", address - mapping.range.start),
        name if name.starts_with('[') => format!("{name} +{:#x}", address - mapping.range.start),
        name => format!("{name} +{into:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_told_in_words() {
        let maps = Maps::parse(
            b"1000-2000 rw-p 00000000 00:00 0 [heap]\n\
              3000-4000 rw-p 00000000 00:00 0 \n\
              5000-6000 rw-s 00002000 00:18 7 /dev/shm/x\n\
              7000-8000 rw-s 00000000 00:01 9 /dev/zero (deleted)\n",
        );
        let root = ProcRoot::open(std::path::Path::new("/proc")).unwrap();
        let mut live = Live::new(false);
        let mut text = |address| live.place(&root, 1, &maps, address);
        assert_eq!(text(0x1010), "[heap] +0x10");
        assert_eq!(text(0x3008), "anonymous memory +0x8");
        assert_eq!(text(0x5080), "shared memory /dev/shm/x +0x2080");
        assert_eq!(text(0x7000), "shared anonymous memory +0x0");
        assert_eq!(text(0x9000), "unmapped memory");
    }

    #[test]
    fn a_made_up_tree_has_no_memory() {
        let live = Live::new(false);
        assert!(live.memory(std::process::id() as Pid, &[(0x1000, 1)], &mut [0]).is_err());
    }
}
