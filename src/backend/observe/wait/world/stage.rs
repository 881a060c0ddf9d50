//! A process as the stage of a rehearsal: its code, its memory, its names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::World;
use crate::backend::observe::rehearsal::{Function, Memory, Stage};
use crate::backend::observe::target::epilogue::leave;
use crate::backend::observe::target::maps::Maps;
use crate::backend::observe::target::module::Runtime;
use crate::backend::observe::target::unwind::{Frame, FrameTable, Registers, Walk, walk};
use crate::model::Pid;

/// A call frame table, and how far its file was moved.
type Moved = (Arc<FrameTable>, u64);

/// Functions of the C library that do not return, whose callers' code ends there.
const FINAL: &[&str] = &["__stack_chk_fail", "pthread_exit", "__pthread_exit", "abort", "exit", "_exit", "_Exit"];

impl World {
    /// The code of a process, to rehearse it.
    pub(in crate::backend::observe) fn stage(&mut self, pid: Pid) -> OnStage<'_> {
        let through = self.through(pid);
        OnStage {
            world: RefCell::new(self),
            pid,
            through,
            tables: RefCell::default(),
            functions: RefCell::default(),
            extents: RefCell::default(),
        }
    }
}

/// A process whose code is rehearsed.
#[derive(Debug)]
pub(in crate::backend::observe) struct OnStage<'w> {
    world: RefCell<&'w mut World>,
    pid: Pid,
    /// The number to reach its files by.
    through: Pid,
    /// By the beginning of the mapping.
    tables: RefCell<HashMap<u64, Option<Moved>>>,
    functions: RefCell<HashMap<u64, Function>>,
    extents: RefCell<HashMap<u64, Option<(u64, u64)>>>,
}

impl OnStage<'_> {
    /// Fills the buffer with the process's memory, all or nothing.
    pub(in crate::backend::observe) fn read(&self, address: u64, buffer: &mut [u8]) -> bool {
        self.world.borrow().memory(self.pid, address, buffer).is_ok()
    }

    /// The function that the call before a return address enters.
    pub(in crate::backend::observe) fn called_from(&self, behind: u64) -> Option<Arc<str>> {
        self.world.borrow_mut().called_from(self.pid, behind)?.function
    }

    /// Whether code lies at an address.
    pub(in crate::backend::observe) fn is_code(&self, address: u64) -> bool {
        self.world.borrow_mut().maps(self.pid).is_some_and(|maps| maps.is_code(address))
    }

    /// Whether two addresses lie in the same mapping.
    pub(in crate::backend::observe) fn is_same_mapping(&self, one: u64, other: u64) -> bool {
        let maps = self.world.borrow_mut().maps(self.pid);
        maps.is_some_and(|maps| maps.find(one).is_some_and(|mapping| mapping.range.contains(&other)))
    }

    /// Whether what lies at an address is there for good.
    pub(in crate::backend::observe) fn is_constant(&self, address: u64) -> bool {
        let maps = self.world.borrow_mut().maps(self.pid);
        maps.is_some_and(|maps| maps.find(address).is_some_and(|mapping| !mapping.write))
    }

    /// Whether the code at an address belongs to a file that has Rust's standard
    /// library in it.
    pub(in crate::backend::observe) fn is_rust(&self, address: u64) -> bool {
        let Some(maps) = self.world.borrow_mut().maps(self.pid) else { return false };
        let World { source, root, .. } = &mut **self.world.borrow_mut();
        maps.find(address).is_some_and(|mapping| source.is_rust(root, self.through, mapping))
    }

    /// The live frames of a blocked thread, innermost first, up to a signal handler.
    pub(in crate::backend::observe) fn frames(&self, memory: &Memory<'_>, sp: u64, pc: u64) -> Walk {
        self.frames_from(memory, Registers::new(sp, pc))
    }

    /// As [`OnStage::frames`]; where nothing tells of the function that the thread is in,
    /// where it stands in that.
    pub(in crate::backend::observe) fn frames_or_place(&self, memory: &Memory<'_>, sp: u64, pc: u64) -> Walk {
        let mut walk = self.frames(memory, sp, pc);
        if walk.frames.is_empty() {
            let registers = Registers::new(sp, pc);
            walk.frames.push(Frame { registers, cfa: 0, function: pc, length: 0, exceptions: None, bare: false });
        }
        walk
    }

    /// The table of frames of the file that an address is in, and how far it was moved.
    fn table(&self, maps: &Maps, address: u64) -> Option<Moved> {
        let look = || {
            let World { source, root, .. } = &mut **self.world.borrow_mut();
            source.frames(root, self.through, maps, address)
        };
        let key = maps.find(address)?.range.start;
        self.tables.borrow_mut().entry(key).or_insert_with(look).clone()
    }

    /// The live frames of a thread with these registers, innermost first, up to a signal
    /// handler.
    pub(in crate::backend::observe) fn frames_from(&self, memory: &Memory<'_>, registers: Registers) -> Walk {
        self.all_frames(memory, registers).until_signal()
    }

    /// The same, with what signal handlers have interrupted.
    pub(in crate::backend::observe) fn all_frames(&self, memory: &Memory<'_>, registers: Registers) -> Walk {
        let Some(maps) = self.world.borrow_mut().maps(self.pid) else { return Walk::default() };
        let table = |address: u64| self.table(&maps, address);
        let read = |address, buffer: &mut [u8]| memory.fill(address, buffer) == buffer.len();
        // musl's functions have no tables, and are compiled plainly enough to be left
        // by their code; of others that is not known.
        let bare = |registers: &Registers| {
            let runtime = {
                let World { source, root, .. } = &mut **self.world.borrow_mut();
                source.code(root, self.through, &maps, &[registers.pc]).pop()?.runtime
            };
            (runtime == Runtime::Musl).then_some(())?;
            leave(registers, read, |target| self.function(target).name.is_some_and(|name| FINAL.contains(&&*name)))
        };
        walk(registers, table, read, bare)
    }
}

impl Stage for OnStage<'_> {
    fn function(&self, address: u64) -> Function {
        let look = || {
            let mut world = self.world.borrow_mut();
            let Some(maps) = world.maps(self.pid) else { return Function { name: None, library: false } };
            let World { source, root, .. } = &mut **world;
            // The code that ends directly before the function's second byte.
            let code = source.code(root, self.through, &maps, &[address.wrapping_add(1)]).pop();
            let library = code.as_ref().is_some_and(|code| is_library(&code.file));
            Function { name: code.and_then(|code| code.function), library }
        };
        self.functions.borrow_mut().entry(address).or_insert_with(look).clone()
    }

    fn extent(&self, address: u64) -> Option<(u64, u64)> {
        let look = || {
            let maps = self.world.borrow_mut().maps(self.pid)?;
            let (table, moved) = self.table(&maps, address)?;
            let (start, length) = table.extent(address.wrapping_sub(moved))?;
            Some((start.wrapping_add(moved), length))
        };
        *self.extents.borrow_mut().entry(address).or_insert_with(look)
    }

    fn import(&self, slot: u64) -> Option<Arc<str>> {
        let mut world = self.world.borrow_mut();
        let maps = world.maps(self.pid)?;
        let World { source, root, .. } = &mut **world;
        source.import(root, self.through, &maps, slot)
    }
}

/// Whether a file is part of the C library, or of the compiler's own.
fn is_library(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let is = |stem: &str| name.strip_prefix(stem).is_some_and(|rest| rest.starts_with(['.', '-']));
    ["libc", "libm", "libpthread", "libdl", "librt", "libgcc_s", "ld-linux", "ld-linux-x86-64", "ld-musl", "ld"]
        .into_iter()
        .any(is)
        || name == "[vdso]"
}
