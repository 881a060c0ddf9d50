//! The files a process maps: which C library one is, and the names in it.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::ops::Range;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, fstat, openat};

use super::elf::{Elf, Symbol};
use super::lines::{Line, Lines};
use super::maps::{FileId, Mapping, Maps};
use super::unwind::FrameTable;
use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

/// So many files are kept open between scans.
const KEPT: usize = 48;
/// So many names are kept of one file, and so many lines.
const NAMES: usize = 2048;
/// A call frame table above this is read anew for each survey.
const LARGE: usize = 2 << 20;

/// A C library whose memory layouts are known, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// The GNU C library, 2 and this minor version, as it says itself.
    Glibc(u32),
    /// musl.
    Musl,
    /// Something else, or a library that does not say what it is.
    Unknown,
}

impl Runtime {
    /// Whether this is a glibc whose lock layouts on this architecture are
    /// known. From 2.34 on the thread library is part of libc.so.6, and
    /// `struct pthread`, `pthread_mutex_t` and their kin have kept their shape
    /// (`sysdeps/nptl/bits/struct_mutex.h`, `nptl/descr.h`).
    pub fn known_glibc(self) -> bool {
        cfg!(target_arch = "x86_64") && matches!(self, Runtime::Glibc(minor) if minor >= 34)
    }
}

/// Of what has not been asked for yet.
#[derive(Clone, Copy, Debug)]
struct Unread;

/// A mapped file.
#[derive(Debug)]
pub struct Module {
    elf: Option<Elf>,
    runtime: Option<Runtime>,
    rust: Option<bool>,
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
        *rust.get_or_insert_with(|| {
            let content = |elf: &Elf| elf.content(elf.section(".rodata")?);
            elf.as_ref().and_then(content).is_some_and(|text| find(&text, b"library/std/src/").is_some())
        })
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
        let Module { elf, imports, .. } = self;
        imports.get_or_insert_with(|| elf.as_ref().map(Elf::imports).unwrap_or_default()).get(&slot).cloned()
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

/// What only musl's own objects define (`src/thread/pthread_create.c`,
/// `src/internal/libc.h`): they are all there in a program with threads that is
/// linked to it statically and not stripped.
const MUSL: &[&str] = &["__thread_list_lock", "__tl_lock", "__libc", "__wait"];

fn detect(elf: &Elf, path: &str) -> Runtime {
    let name = path.rsplit('/').next().unwrap_or(path);
    if name.starts_with("ld-musl-") || name.starts_with("libc.musl-") {
        return Runtime::Musl;
    }
    let text = elf.section(".rodata").and_then(|section| elf.content(section)).unwrap_or_default();
    if let Some(minor) = banner_version(&text) {
        return Runtime::Glibc(minor);
    }
    // What it says if it is started by itself (`ldso/dynlink.c`).
    if name.starts_with("libc.") && find(&text, b"musl libc (").is_some() {
        return Runtime::Musl;
    }
    if elf.defines(MUSL) {
        return Runtime::Musl;
    }
    // Linked statically, the banner is left out, but not the version that the
    // debugger's thread library looks for.
    match elf.data("__nptl_version").or_else(|| elf.data("nptl_version")).as_ref().and_then(|v| minor_version(v)) {
        Some(minor) => Runtime::Glibc(minor),
        None => static_version(&text).map_or(Runtime::Unknown, Runtime::Glibc),
    }
}

/// The version of a glibc that was linked statically, without symbols: what the
/// debugger's thread library looks for has no name any more, but stands beside the
/// texts of the same object (`nptl/pthread_create.c`), in a program that also has those
/// of its futexes.
fn static_version(text: &[u8]) -> Option<u32> {
    const NEAR: usize = 128;
    find(text, b"The futex facility returned an unexpected error code.")?;
    let beside = [&b"pd->stopped_start\0"[..], b"Fatal glibc error: rseq registration failed"];
    let near = |marker: &[u8]| {
        let at = find(text, marker)?;
        let around = &text[at.saturating_sub(NEAR)..text.len().min(at + NEAR)];
        let starts = (0..around.len()).filter(|&at| at == 0 || around[at - 1] == 0);
        let mut versions = starts.filter_map(|at| {
            let end = around[at..].iter().position(|&byte| byte == 0)?;
            minor_version(&around[at..=at + end]).filter(|minor| end == 2 + minor.to_string().len())
        });
        versions.next().filter(|_| versions.next().is_none())
    };
    beside.iter().find_map(|marker| near(marker))
}

/// Finds `GNU C Library (…) stable release version 2.36.`
fn banner_version(text: &[u8]) -> Option<u32> {
    let banner = find(text, b"GNU C Library (")?;
    let line = &text[banner..text.len().min(banner + 200)];
    let at = find(line, b" release version ")?;
    minor_version(&line[at + b" release version ".len()..])
}

fn minor_version(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"2.")?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    let first = *what.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|&byte| byte == first) {
        if text[from + at..].starts_with(what) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_what_the_library_says() {
        let debian = b"\0xGNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\nCopyright";
        let trunk = b"GNU C Library (GNU libc) development release version 2.43.9000.\n";
        assert_eq!(banner_version(debian), Some(36));
        assert_eq!(banner_version(trunk), Some(43));
        assert_eq!(banner_version(b"about the GNU C Library (glibc), release version unknown."), None);
        assert_eq!(minor_version(b"2.36\0\0"), Some(36));
        let fixed = |nearby: &str| {
            let futex = "\0The futex facility returned an unexpected error code.\n\0";
            static_version(format!("2.31\0{futex}{:300}\0mem != NULL\0pd->stopped_start\0{nearby}", "").as_bytes())
        };
        assert_eq!(fixed("2.36\0\0Fatal glibc error: rseq registration failed\n\0"), Some(36));
        assert_eq!((fixed("2.36\x002.35\0"), fixed("2.36beta\0"), fixed("version 2.36\0")), (None, None, None));
        assert_eq!(static_version(b"\0pd->stopped_start\x002.36\0"), None);
        assert_eq!(minor_version(b"3.1\0"), None);
        assert!(Runtime::Glibc(36).known_glibc() && !Runtime::Glibc(31).known_glibc());
        assert!(!Runtime::Musl.known_glibc() && !Runtime::Unknown.known_glibc());
    }

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
