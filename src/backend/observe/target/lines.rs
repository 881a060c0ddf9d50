//! Lines of source, by the debug information of a file (DWARF), if it has some.

use std::sync::Arc;

use addr2line::Context;
use gimli::{Dwarf, EndianArcSlice, LittleEndian, SectionId};

use super::demangle::readable;
use super::elf::Elf;
use crate::model::text;

/// Debug information above this is left unread: a second of a monitor's time is
/// too much for a line.
const LARGEST: u64 = 48 << 20;

type Bytes = EndianArcSlice<LittleEndian>;

/// A place in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The function, as its author wrote it.
    pub function: Option<String>,
    /// Its mangled name.
    pub symbol: Option<String>,
    /// The file, as the compiler was given it.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
}

impl Line {
    /// Whether it belongs to a language's own library, or to one fetched from a
    /// registry, rather than to whoever wrote the program.
    pub fn is_library(&self) -> bool {
        let within = [
            "/library/std/src/",
            "/library/core/src/",
            "/library/alloc/src/",
            "/registry/src/",
            "/include/c++/",
            // What of it differs between processors, where Debian keeps such files.
            "-linux-gnu/c++/",
        ];
        let file = &self.file;
        let installed = file.starts_with("/rustc/") || file.starts_with("/usr/include/");
        installed || within.iter().any(|part| file.contains(part)) || is_glibc(file)
    }
}

/// glibc is built in its own tree, and says so by relative paths.
fn is_glibc(file: &str) -> bool {
    ["./nptl/", "../sysdeps/", "./csu/", "./misc/", "./io/", "./time/"].iter().any(|part| file.contains(part))
}

/// The lines of a file.
pub struct Lines(Context<Bytes>);

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lines")
    }
}

impl Lines {
    /// Those of `elf`; `None` where it has no debug information, or too much.
    pub fn of(elf: &Elf) -> Option<Self> {
        let debug = |id: SectionId| elf.section(id.name());
        let sizes = [SectionId::DebugInfo, SectionId::DebugLine, SectionId::DebugStr, SectionId::DebugAbbrev];
        let size: u64 = sizes.into_iter().filter_map(debug).map(|section| section.size).sum();
        debug(SectionId::DebugLine).filter(|_| size <= LARGEST)?;
        let read = |id: SectionId| {
            let bytes = match debug(id) {
                Some(section) => elf.content(section).ok_or(gimli::Error::Io)?,
                None => Vec::new(),
            };
            Ok::<_, gimli::Error>(Bytes::new(Arc::from(bytes), LittleEndian))
        };
        Some(Lines(Context::from_dwarf(Dwarf::load(read).ok()?).ok()?))
    }

    /// The place of the code at an address of the file's own numbering, and of
    /// those it was put into, innermost first.
    pub fn at(&self, own: u64) -> Vec<Line> {
        let mut found = Vec::new();
        let Ok(mut frames) = self.0.find_frames(own).skip_all_loads() else { return found };
        while let Ok(Some(frame)) = frames.next() {
            let Some(place) = frame.location else { continue };
            let (Some(file), Some(line)) = (place.file, place.line) else { continue };
            let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let symbol = name.map(|name| text::visible(name.as_bytes()));
            let function = symbol.as_deref().map(readable);
            found.push(Line { function, symbol, file: text::visible(file.as_bytes()), line });
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::backend::observe::target::maps::Maps;

    #[inline(never)]
    fn somewhere() -> u32 {
        std::hint::black_box(line!())
    }

    #[test]
    fn this_program_names_its_own_lines() {
        let elf = Elf::open(File::open("/proc/self/exe").unwrap()).unwrap();
        let here = somewhere as fn() -> u32 as usize as u64;
        let maps = Maps::parse(&std::fs::read("/proc/self/maps").unwrap());
        let base = maps.beginning_of(maps.find(here).unwrap()).unwrap().range.start;
        let Some(lines) = Lines::of(&elf) else {
            let large = |section: &str| elf.section(section).is_none_or(|section| section.size > LARGEST / 2);
            assert!(large(".debug_line") || large(".debug_info") || large(".debug_str"), "it has lines");
            return;
        };
        let own = here - base + elf.first_page().unwrap();
        let place = lines.at(own).pop().unwrap();
        assert!(place.file.ends_with("target/lines.rs") && place.line.abs_diff(somewhere()) < 3, "{place:?}");
        // Line tables alone name no functions.
        assert!(place.function.as_ref().is_none_or(|name| name.ends_with("somewhere")) && !place.is_library());
        assert_eq!(lines.at(u64::MAX - 1), []);
    }

    #[test]
    fn libraries_are_known_by_their_files() {
        let line = |file: &str| Line { function: None, symbol: None, file: file.to_owned(), line: 1 };
        for file in [
            "/rustc/59807616e1fa2540724bfbac14d7976d7e4a3860/library/std/src/sync/poison/mutex.rs",
            "/home/me/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f/lock_api-0.4.14/src/mutex.rs",
            "/usr/include/c++/12/bits/std_mutex.h",
            "/usr/include/x86_64-linux-gnu/c++/12/bits/gthr-default.h",
            "./nptl/pthread_mutex_lock.c",
        ] {
            assert!(line(file).is_library(), "{file}");
        }
        assert!(!line("/srv/payments/src/main.rs").is_library() && !line("src/main.rs").is_library());
    }
}
