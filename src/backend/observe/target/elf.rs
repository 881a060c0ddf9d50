//! ELF files, 64 bit and little endian, as far as naming an address needs them
//! (`elf(5)`): sections, loaded segments, symbols.
//!
//! A symbol table may be large and is asked for a few addresses only, so it is
//! read through once for all addresses of a question and nothing of it is kept.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use crate::model::text::visible_arc;

const SHT_SYMTAB: u32 = 2;
const SHT_RELA: u32 = 4;
const SHT_DYNSYM: u32 = 11;
const PT_LOAD: u32 = 1;
const STT_OBJECT: u8 = 1;
const STT_FUNC: u8 = 2;
const STT_GNU_IFUNC: u8 = 10;
const SYMBOL: usize = 24;
const RELOCATION: usize = 24;
/// Symbol tables above this are left unread: half a second of a monitor's time
/// is too much for a name.
const LARGEST_TABLE: u64 = 192 << 20;

/// So are other sections above this.
const LARGEST_SECTION: usize = 32 << 20;

/// A section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `.data`.
    pub name: Arc<str>,
    kind: u32,
    link: u32,
    /// Where it is in memory, before relocation; 0 for one that is not loaded.
    pub address: u64,
    /// Where it is in the file.
    pub offset: u64,
    /// Bytes.
    pub size: u64,
}

/// A part of the file that is loaded: file offset, address, size in the file,
/// size in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Segment {
    offset: u64,
    address: u64,
    file_size: u64,
    memory_size: u64,
}

/// A symbol that covers an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As the file has it, mangled.
    pub name: Arc<str>,
    /// Its first address.
    pub address: u64,
    /// Bytes.
    pub size: u64,
}

/// An ELF file's tables of contents.
#[derive(Debug)]
pub struct Elf {
    file: File,
    sections: Vec<Section>,
    segments: Vec<Segment>,
}

impl Elf {
    /// Reads the headers; `None` for what is no 64-bit little-endian ELF file.
    pub fn open(file: File) -> Option<Self> {
        let mut header = [0; 64];
        file.read_exact_at(&mut header, 0).ok()?;
        if !header.starts_with(b"\x7fELF\x02\x01") {
            return None;
        }
        let segments = read_segments(&file, &header)?;
        let sections = read_sections(&file, &header).unwrap_or_default();
        Some(Elf { file, sections, segments })
    }

    /// The page at which the file's beginning is to be mapped, before relocation.
    pub fn first_page(&self) -> Option<u64> {
        let first = self.segments.iter().find(|segment| segment.offset & !0xfff == 0)?;
        (first.address & !0xfff).checked_sub(first.offset & !0xfff)
    }

    /// Whether `address` is in memory that this file fills or zeroes.
    pub fn covers(&self, address: u64) -> bool {
        self.segments.iter().any(|s| (s.address..s.address + s.memory_size).contains(&address))
    }

    /// The loaded section that holds `address`.
    pub fn section_at(&self, address: u64) -> Option<&Section> {
        self.sections.iter().find(|s| s.address != 0 && (s.address..s.address + s.size).contains(&address))
    }

    /// The section called `name`.
    pub fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| &*section.name == name)
    }

    /// The content of a section that is not unreasonably large.
    pub fn content(&self, section: &Section) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(section.size).ok().filter(|&size| size <= LARGEST_SECTION)?];
        self.file.read_exact_at(&mut bytes, section.offset).ok()?;
        Some(bytes)
    }

    /// Whether there is a table of all symbols, not only of the exported ones.
    pub fn has_symbols(&self) -> bool {
        self.sections.iter().any(|section| section.kind == SHT_SYMTAB)
    }

    /// Names the symbols that cover `addresses`, one answer for each. Where
    /// several names cover one, the plainest is taken.
    pub fn symbols(&self, addresses: &[u64]) -> Vec<Option<Symbol>> {
        let mut found = vec![None; addresses.len()];
        for section in self.sections.iter().filter(|s| s.kind == SHT_SYMTAB || s.kind == SHT_DYNSYM) {
            self.search(section, addresses, &mut found);
        }
        found
    }

    /// The places into which the linker puts addresses of symbols, and of which.
    pub fn imports(&self) -> HashMap<u64, Arc<str>> {
        let mut found = HashMap::new();
        for section in self.sections.iter().filter(|section| section.kind == SHT_RELA && section.address != 0) {
            let dynamic = self.sections.get(section.link as usize).filter(|table| table.kind == SHT_DYNSYM);
            let names = dynamic.and_then(|table| self.sections.get(table.link as usize));
            let (Some(dynamic), Some(names)) = (dynamic, names) else { continue };
            let (Some(entries), Some(symbols)) = (self.content(section), self.content(dynamic)) else { continue };
            for entry in entries.chunks_exact(RELOCATION) {
                let (slot, symbol) = (u64_at(entry, 0), (u64_at(entry, 8) >> 32) as usize);
                let name = symbols.get(symbol * SYMBOL..).filter(|_| symbol != 0).map(|symbol| u32_at(symbol, 0));
                found.extend(name.and_then(|at| Some((slot, self.string(names, at.into())?))));
            }
        }
        found
    }

    /// Whether the file itself defines all these, exported or not.
    pub fn defines(&self, wanted: &[&str]) -> bool {
        let Some(table) = self.sections.iter().find(|section| section.kind == SHT_SYMTAB) else { return false };
        let names = self.sections.get(table.link as usize).and_then(|names| self.content(names));
        let (Some(names), Some(symbols)) = (names, self.content(table)) else { return false };
        let is_called = |entry: &[u8], name: &str| {
            let text = names.get(u32_at(entry, 0) as usize..).unwrap_or(b"");
            text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
        };
        let own = |entry: &&[u8]| entry[6..8] != [0, 0];
        let mut missing = wanted.to_vec();
        for entry in symbols.chunks_exact(SYMBOL).filter(own) {
            missing.retain(|name| !is_called(entry, name));
            if missing.is_empty() {
                return true;
            }
        }
        false
    }

    /// The data symbol called `name`, and the first bytes of what it names.
    pub fn data(&self, name: &str) -> Option<[u8; 16]> {
        let table = self.sections.iter().find(|section| section.kind == SHT_SYMTAB)?;
        let names = self.content(self.sections.get(table.link as usize)?)?;
        let symbols = self.content(table)?;
        let entry = symbols.chunks_exact(SYMBOL).find(|entry| {
            let text = names.get(u32_at(entry, 0) as usize..).unwrap_or(b"");
            text.strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
        })?;
        let section = self.section_at(u64_at(entry, 8))?;
        let mut bytes = [0; 16];
        let offset = u64_at(entry, 8) - section.address + section.offset;
        self.file.read_exact_at(&mut bytes, offset).ok()?;
        Some(bytes)
    }

    fn search(&self, table: &Section, addresses: &[u64], found: &mut [Option<Symbol>]) {
        let Some(names) = self.sections.get(table.link as usize) else { return };
        if table.size > LARGEST_TABLE {
            return;
        }
        let mut buffer = vec![0; SYMBOL * 2048];
        let mut at = 0;
        while at < table.size {
            let length = (buffer.len() as u64).min(table.size - at) as usize / SYMBOL * SYMBOL;
            if length == 0 || self.file.read_exact_at(&mut buffer[..length], table.offset + at).is_err() {
                return;
            }
            for entry in buffer[..length].chunks_exact(SYMBOL) {
                self.consider(entry, names, addresses, found);
            }
            at += length as u64;
        }
    }

    fn consider(&self, entry: &[u8], names: &Section, addresses: &[u64], found: &mut [Option<Symbol>]) {
        let kind = entry[4] & 15;
        let defined = entry[6..8] != [0, 0];
        let (address, size) = (u64_at(entry, 8), u64_at(entry, 16));
        if !defined || !matches!(kind, STT_OBJECT | STT_FUNC | STT_GNU_IFUNC) {
            return;
        }
        for (wanted, slot) in addresses.iter().zip(found) {
            if wanted.wrapping_sub(address) >= size {
                continue;
            }
            let Some(name) = self.string(names, u64::from(u32_at(entry, 0))) else { continue };
            if slot.as_ref().is_none_or(|known| plainness(&name) < plainness(&known.name)) {
                *slot = Some(Symbol { name, address, size });
            }
        }
    }

    fn string(&self, table: &Section, at: u64) -> Option<Arc<str>> {
        if at >= table.size {
            return None;
        }
        let mut bytes = [0; 512];
        let wanted = bytes.len().min((table.size - at) as usize);
        let got = self.file.read_at(&mut bytes[..wanted], table.offset + at).ok()?;
        let end = bytes[..got].iter().position(|&byte| byte == 0)?;
        (end > 0).then(|| visible_arc(&bytes[..end]))
    }
}

/// Orders aliases of one address: fewest leading underscores, then shortest.
fn plainness(name: &str) -> (usize, usize) {
    (name.len() - name.trim_start_matches('_').len(), name.len())
}

fn read_segments(file: &File, header: &[u8; 64]) -> Option<Vec<Segment>> {
    let (offset, size, count) = (u64_at(header, 32), usize::from(u16_at(header, 54)), usize::from(u16_at(header, 56)));
    if size < 56 {
        return None;
    }
    let mut bytes = vec![0; size * count];
    file.read_exact_at(&mut bytes, offset).ok()?;
    let loaded = bytes.chunks_exact(size).filter(|entry| u32_at(entry, 0) == PT_LOAD);
    let segment = |entry: &[u8]| Segment {
        offset: u64_at(entry, 8),
        address: u64_at(entry, 16),
        file_size: u64_at(entry, 32),
        memory_size: u64_at(entry, 40),
    };
    // Sums of a hostile file must not overflow.
    let sane = |s: &Segment| s.offset.checked_add(s.file_size).and(s.address.checked_add(s.memory_size)).is_some();
    Some(loaded.map(segment).filter(sane).collect())
}

fn read_sections(file: &File, header: &[u8; 64]) -> Option<Vec<Section>> {
    let (offset, size, count) = (u64_at(header, 40), usize::from(u16_at(header, 58)), usize::from(u16_at(header, 60)));
    let names = usize::from(u16_at(header, 62));
    if size < 64 || offset == 0 {
        return None;
    }
    let mut bytes = vec![0; size * count];
    file.read_exact_at(&mut bytes, offset).ok()?;
    let mut sections: Vec<_> = bytes.chunks_exact(size).map(section).collect();
    let mut text = vec![0; usize::try_from(sections.get(names)?.size).ok().filter(|&size| size < 1 << 20)?];
    file.read_exact_at(&mut text, sections.get(names)?.offset).ok()?;
    for (section, entry) in sections.iter_mut().zip(bytes.chunks_exact(size)) {
        let name = text.get(u32_at(entry, 0) as usize..).unwrap_or(b"");
        let end = name.iter().position(|&byte| byte == 0).unwrap_or(0);
        section.name = visible_arc(&name[..end]);
    }
    sections.iter().all(|s| s.address.checked_add(s.size).is_some()).then_some(sections)
}

fn section(entry: &[u8]) -> Section {
    Section {
        name: "".into(),
        kind: u32_at(entry, 4),
        address: u64_at(entry, 16),
        offset: u64_at(entry, 24),
        size: u64_at(entry, 32),
        link: u32_at(entry, 40),
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|b| b.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map_or(0, u16::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_running_program_names_its_own_function() {
        let elf = Elf::open(File::open("/proc/self/exe").unwrap()).unwrap();
        let here = the_running_program_names_its_own_function as fn() as usize as u64;
        let maps = crate::backend::observe::target::maps::Maps::parse(&std::fs::read("/proc/self/maps").unwrap());
        let mapping = maps.find(here).unwrap();
        let base = maps.beginning_of(mapping).unwrap().range.start;
        let address = here - base + elf.first_page().unwrap();
        let symbols = elf.symbols(&[address, 1]);
        let name = &symbols[0].as_ref().unwrap().name;
        assert!(name.contains("the_running_program_names_its_own_function"), "{name}");
        assert_eq!(symbols[1], None);
        assert_eq!(&*elf.section_at(address).unwrap().name, ".text");
        assert!(elf.has_symbols() && elf.covers(address));
    }

    #[test]
    fn what_is_no_elf_file_is_refused_and_a_damaged_one_does_no_harm() {
        let whole = std::fs::read("/proc/self/exe").unwrap();
        let damaged = |change: &dyn Fn(&mut Vec<u8>)| {
            let mut bytes = whole[..4096].to_vec();
            change(&mut bytes);
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(&bytes).unwrap();
            Elf::open(file)
        };
        assert!(damaged(&|bytes| bytes.truncate(10)).is_none());
        assert!(damaged(&|bytes| bytes[0] = 0).is_none());
        assert!(damaged(&|bytes| bytes[54] = 1).is_none(), "program headers too small");
        // The section headers are behind the cut: no symbols, no failure.
        assert_eq!(damaged(&|_| {}).unwrap().symbols(&[0x1000]), [None]);
    }

    #[test]
    fn the_plainest_alias_wins() {
        let mut names = ["__pthread_mutex_lock", "pthread_mutex_lock_alias", "pthread_mutex_lock"];
        names.sort_by_key(|name| plainness(name));
        assert_eq!(names[0], "pthread_mutex_lock");
    }
}
