//! The files a process maps, and the names in them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, fstat, openat};

use super::elf::{Elf, Symbol};
use super::lines::{Line, Lines};
use super::maps::{FileId, Mapping, Maps};
pub use super::runtime::Runtime;
use super::runtime::{detect, find};
use super::unwind::FrameTable;
use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

/// So many files are kept open between scans.
const KEPT: usize = 48;
/// So many names are kept of one file, and so many lines.
const NAMES: usize = 2048;
/// A call frame table above this is read anew for each survey.
const LARGE: usize = 2 << 20;

/// Of what has not been asked for yet.
#[derive(Clone, Copy, Debug)]
struct Unread;

/// A mapped file.
#[derive(Debug)]
pub struct Module {
    elf: Option<Elf>,
    runtime: Option<Runtime>,
    rust: Option<bool>,
    parking_lot: Option<bool>,
    /// `Err` until it is asked for.
    frames: Result<Option<Arc<FrameTable>>, Unread>,
    imports: Option<HashMap<u64, Arc<str>>>,
    /// `Err` until they are asked for.
    lines: Result<Option<Lines>, Unread>,
    places: HashMap<u64, Vec<Line>>,
    path: Arc<str>,
    names: HashMap<u64, Option<Symbol>>,
    by_start: BTreeMap<u64, Symbol>,
}

impl Module {
    /// Which C library it is; found out at the first question.
    pub fn runtime(&mut self) -> Runtime {
        let Module { elf, runtime, path, .. } = self;
        *runtime.get_or_insert_with(|| elf.as_ref().map_or(Runtime::Unknown, |elf| detect(elf, path)))
    }

    /// Whether its table of all symbols is there (it is not stripped).
    pub fn has_symbols(&self) -> bool {
        self.elf.as_ref().is_some_and(Elf::has_symbols)
    }

    /// Whether the program was made by the Go compiler, which leaves a section.
    pub fn is_go(&self) -> bool {
        self.elf.as_ref().is_some_and(|elf| elf.section(".go.buildinfo").is_some())
    }

    /// Whether Rust's standard library is a part of it: whatever else is stripped, the
    /// places of its panics are named by the paths of its own source.
    pub fn is_rust(&mut self) -> bool {
        let Module { elf, rust, .. } = self;
        *rust.get_or_insert_with(|| has_text(elf.as_ref(), b"library/std/src/"))
    }

    /// Whether it has the crate `parking_lot` in it, whose paths a release leaves there.
    pub fn has_parking_lot(&mut self) -> bool {
        let Module { elf, parking_lot, .. } = self;
        *parking_lot.get_or_insert_with(|| has_text(elf.as_ref(), b"parking_lot_core"))
    }

    /// Whether its code is linked to one of these functions of another file.
    pub fn is_linked_to(&mut self, functions: &[&str]) -> bool {
        self.imports().values().any(|name| functions.contains(&&**name))
    }

    fn imports(&mut self) -> &HashMap<u64, Arc<str>> {
        let Module { elf, imports, .. } = self;
        imports.get_or_insert_with(|| elf.as_ref().map(Elf::imports).unwrap_or_default())
    }

    /// Its call frame table, if it has one; read at the first question.
    pub fn frames(&mut self) -> Option<Arc<FrameTable>> {
        if self.frames.is_err() {
            self.frames = Ok(self.elf.as_ref().and_then(call_frames).map(Arc::new));
        }
        self.frames.clone().ok().flatten()
    }

    /// The lines of source at an address of the file's own numbering, innermost
    /// first.
    pub fn lines(&mut self, own: u64) -> Vec<Line> {
        if let Some(known) = self.places.get(&own) {
            return known.clone();
        }
        if self.lines.is_err() {
            self.lines = Ok(self.elf.as_ref().and_then(Lines::of));
        }
        let Ok(Some(lines)) = &self.lines else { return Vec::new() };
        let found = lines.at(own);
        if self.places.len() >= NAMES {
            self.places.clear();
        }
        self.places.insert(own, found.clone());
        found
    }

    /// Lets go of what is large and can be read again.
    fn rest(&mut self) {
        if matches!(self.lines, Ok(Some(_))) {
            self.lines = Err(Unread);
        }
        if self.frames.as_ref().is_ok_and(|table| table.as_ref().is_some_and(|table| table.size() > LARGE)) {
            self.frames = Err(Unread);
        }
    }

    /// The symbol whose address the linker puts into this place, by the file's own
    /// numbering.
    pub fn import(&mut self, slot: u64) -> Option<Arc<str>> {
        self.imports().get(&slot).cloned()
    }

    /// The symbols at these addresses of the file's own numbering.
    pub fn symbols(&mut self, addresses: &[u64]) -> Vec<Option<Symbol>> {
        if self.names.len() + addresses.len() > NAMES {
            self.names.clear();
            self.by_start.clear();
        }
        // Locks of one array, calls in one function: what covers the one mostly
        // covers the next, and reading the table again is dear.
        for &at in addresses {
            let below = self.by_start.range(..=at).next_back().map(|(_, symbol)| symbol);
            if let Some(symbol) = below.filter(|symbol| at - symbol.address < symbol.size)
                && !self.names.contains_key(&at)
            {
                self.names.insert(at, Some(symbol.clone()));
            }
        }
        let new: Vec<u64> = addresses.iter().copied().filter(|at| !self.names.contains_key(at)).collect();
        if !new.is_empty() {
            let answers = self.elf.as_ref().map_or_else(|| vec![None; new.len()], |elf| elf.symbols(&new));
            self.by_start.extend(answers.iter().flatten().map(|symbol| (symbol.address, symbol.clone())));
            self.names.extend(new.into_iter().zip(answers));
        }
        addresses.iter().map(|at| self.names.get(at).cloned().flatten()).collect()
    }

    /// The address in the file's own numbering of what `mapping`, a mapping of
    /// this file, or the zeroed memory behind it has at `address`.
    ///
    /// The distance between the two numberings is the same for the whole file;
    /// it is taken from the mapping of the file's beginning, since neighbouring
    /// segments may share a page of the file.
    pub fn own_address(&self, maps: &Maps, mapping: &Mapping, address: u64) -> Option<u64> {
        let elf = self.elf.as_ref()?;
        let first = maps.beginning_of(mapping)?;
        address.checked_sub(first.range.start)?.checked_add(elf.first_page()?).filter(|&own| elf.covers(own))
    }

    /// The section that holds an address of the file's own numbering: its name
    /// and addresses.
    pub fn section(&self, own: u64) -> Option<(Arc<str>, Range<u64>)> {
        let section = self.elf.as_ref()?.section_at(own)?;
        Some((section.name.clone(), section.address..section.address + section.size))
    }
}

/// The files looked at so far, kept between scans.
#[derive(Debug, Default)]
pub struct Modules {
    by_file: HashMap<FileId, Module>,
}

impl Modules {
    /// The file behind `mapping` of process `pid`; `None` for anonymous memory.
    /// A file that cannot be opened is a module without names.
    pub fn of(&mut self, root: &ProcRoot, pid: Pid, mapping: &Mapping) -> Option<&mut Module> {
        let id = mapping.file?;
        if self.by_file.len() >= KEPT && !self.by_file.contains_key(&id) {
            self.by_file.clear();
        }
        Some(self.by_file.entry(id).or_insert_with(|| Module {
            elf: open(root, pid, mapping).and_then(Elf::open),
            runtime: None,
            rust: None,
            parking_lot: None,
            frames: Err(Unread),
            imports: None,
            lines: Err(Unread),
            places: HashMap::new(),
            path: mapping.name.clone(),
            names: HashMap::new(),
            by_start: BTreeMap::new(),
        }))
    }

    /// Lets go of what is large and can be read again: a program's debug
    /// information may be larger than all else that a monitor keeps.
    pub fn rest(&mut self) {
        self.by_file.values_mut().for_each(Module::rest);
    }
}

/// Opens the file behind a mapping: by the mapping itself where that is
/// permitted, which also reaches deleted files; else by its path in the
/// process's own root, if that is still the same file.
fn open(root: &ProcRoot, pid: Pid, mapping: &Mapping) -> Option<File> {
    // A path may have been replaced by a FIFO or a device: never wait for one.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let Range { start, end } = mapping.range;
    let direct = format!("{pid}/map_files/{start:x}-{end:x}");
    if let Ok(file) = openat(root.directory(), direct, flags, Mode::empty()) {
        return Some(File::from(file));
    }
    let mut path = format!("{pid}/root").into_bytes();
    path.extend_from_slice(mapping.path.as_deref()?);
    let file = openat(root.directory(), path, flags, Mode::empty()).ok()?;
    // The device differs between maps and stat on some file systems (btrfs).
    (fstat(&file).ok()?.st_ino == mapping.file?.inode).then(|| File::from(file))
}

fn call_frames(elf: &Elf) -> Option<FrameTable> {
    let section = elf.section(".eh_frame")?;
    let table = FrameTable::new(elf.content(section)?, section.address);
    let sorted = elf.section(".eh_frame_hdr").and_then(|section| Some((elf.content(section)?, section.address)));
    Some(match sorted {
        Some((bytes, address)) => table.sorted(bytes, address),
        None => table,
    })
}

/// Whether this stands among the texts of a program.
fn has_text(elf: Option<&Elf>, wanted: &[u8]) -> bool {
    let texts = elf.and_then(|elf| elf.content(elf.section(".rodata")?));
    texts.is_some_and(|texts| find(&texts, wanted).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_maps_a_c_library_that_is_recognised() {
        let root = ProcRoot::open(std::path::Path::new("/proc")).unwrap();
        let maps = Maps::parse(&std::fs::read("/proc/self/maps").unwrap());
        let pid = std::process::id() as Pid;
        let mapping = maps.find(libc::getpid as *const () as u64).unwrap();
        let mut modules = Modules::default();
        let module = modules.of(&root, pid, mapping).unwrap();
        let own = module.own_address(&maps, mapping, libc::getpid as *const () as u64).unwrap();
        assert_eq!(&*module.symbols(&[own])[0].as_ref().unwrap().name, "getpid");
        assert_eq!(&*module.symbols(&[own])[0].as_ref().unwrap().name, "getpid", "again, from memory");
        if cfg!(target_env = "gnu") {
            assert!(matches!(module.runtime(), Runtime::Glibc(_)));
        }
    }

    static ZEROED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

    #[test]
    fn zeroed_data_is_found_in_its_section() {
        let root = ProcRoot::open(std::path::Path::new("/proc")).unwrap();
        let maps = Maps::parse(&std::fs::read("/proc/self/maps").unwrap());
        let address = &raw const ZEROED as u64;
        let mut modules = Modules::default();
        let mapping = maps.find(address).unwrap();
        let file = if mapping.file.is_some() { mapping } else { maps.file_before(address).unwrap() };
        let module = modules.of(&root, std::process::id() as Pid, file).unwrap();
        let own = module.own_address(&maps, file, address).unwrap();
        assert_eq!(&*module.section(own).unwrap().0, ".bss");
        assert!(module.symbols(&[own])[0].as_ref().unwrap().name.contains("ZEROED"));
    }
}
