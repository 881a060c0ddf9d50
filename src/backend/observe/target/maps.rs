//! The memory map of a process, `/proc/PID/maps` (`proc_pid_maps(5)`):
//!
//! ```text
//! 55d0c8a00000-55d0c8a21000 rw-p 00002000 fd:00 131090   /srv/payments
//! from          to           perm offset   device inode  name
//! ```

use std::ops::Range;
use std::sync::Arc;

use crate::model::text::visible_arc;

/// A file as the map names it: the same in every process that maps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId {
    /// Major number of the device.
    pub major: u32,
    /// Minor number of the device.
    pub minor: u32,
    /// Inode number.
    pub inode: u64,
}

/// One mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "the four permissions, each as the kernel has it")]
pub struct Mapping {
    /// Addresses.
    pub range: Range<u64>,
    /// May be read.
    pub read: bool,
    /// May be written.
    pub write: bool,
    /// May be executed.
    pub execute: bool,
    /// Shared with others, not copied on write.
    pub shared: bool,
    /// Where in the file the mapping begins.
    pub offset: u64,
    /// The file behind it, if any.
    pub file: Option<FileId>,
    /// The path, or the kernel's name in brackets, made harmless; empty for
    /// anonymous memory.
    pub name: Arc<str>,
    /// The path as the kernel gave it, to open the file by.
    pub path: Option<Arc<[u8]>>,
}

/// The mappings of one process, by address.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    all: Vec<Mapping>,
    /// Where each ends: close together, since they are searched for every word of
    /// every stack.
    ends: Vec<u64>,
    /// Where code stands, by address.
    code: Vec<Range<u64>>,
    /// From the first code to the last.
    code_within: Range<u64>,
}

impl Maps {
    /// Reads the content of `/proc/PID/maps`; a line that is not understood is
    /// left out.
    pub fn parse(content: &[u8]) -> Self {
        let mut all: Vec<Mapping> = Vec::new();
        for line in content.split(|&byte| byte == b'\n') {
            // Neighbours mostly share a name: share its text as well.
            let before = all.last();
            let mapping = parse_line(line, before);
            all.extend(mapping);
        }
        let code: Vec<_> = all.iter().filter(|m| m.execute && m.read).map(|m| m.range.clone()).collect();
        let code_within = code.first().map_or(0, |first| first.start)..code.last().map_or(0, |last| last.end);
        let ends = all.iter().map(|mapping| mapping.range.end).collect();
        Maps { all, ends, code, code_within }
    }

    /// Whether `address` is in code that may be read.
    pub fn is_code(&self, address: u64) -> bool {
        if !self.code_within.contains(&address) {
            return false;
        }
        let after = self.code.partition_point(|range| range.end <= address);
        self.code.get(after).is_some_and(|range| range.contains(&address))
    }

    /// The mapping that holds `address`.
    pub fn find(&self, address: u64) -> Option<&Mapping> {
        self.index(address).map(|index| &self.all[index])
    }

    /// All, by address.
    pub fn all(&self) -> &[Mapping] {
        &self.all
    }

    /// The first mapping of the file whose zeroed data (`.bss`) the anonymous
    /// memory at `address` may be: the file mapped directly before it.
    pub fn file_before(&self, address: u64) -> Option<&Mapping> {
        let index = self.index(address)?;
        let this = &self.all[index];
        if this.file.is_some() || !this.name.is_empty() || index == 0 {
            return None;
        }
        let before = &self.all[index - 1];
        (before.file.is_some() && before.range.end == this.range.start).then_some(before)
    }

    /// The nearest mapping, at or below this one, of the beginning of its file.
    pub fn beginning_of(&self, mapping: &Mapping) -> Option<&Mapping> {
        let below = self.all.partition_point(|other| other.range.start <= mapping.range.start);
        self.all[..below].iter().rev().find(|other| other.file == mapping.file && other.offset == 0)
    }

    fn index(&self, address: u64) -> Option<usize> {
        let after = self.ends.partition_point(|&end| end <= address);
        (self.all.get(after)?.range.contains(&address)).then_some(after)
    }
}

fn parse_line(line: &[u8], before: Option<&Mapping>) -> Option<Mapping> {
    let mut fields = line.splitn(6, |&byte| byte == b' ');
    let mut next = || str::from_utf8(fields.next()?).ok();
    let (from, to) = next()?.split_once('-')?;
    let permissions = next()?.as_bytes();
    let offset = u64::from_str_radix(next()?, 16).ok()?;
    let (major, minor) = next()?.split_once(':')?;
    let inode = next()?.parse().ok()?;
    let file =
        FileId { major: u32::from_str_radix(major, 16).ok()?, minor: u32::from_str_radix(minor, 16).ok()?, inode };
    let raw = fields.next().unwrap_or(b"").trim_ascii_start();
    let (name, path) = match before {
        Some(other) if other.path.as_deref() == Some(raw) => (other.name.clone(), other.path.clone()),
        _ => (visible_arc(raw), raw.starts_with(b"/").then(|| raw.into())),
    };
    Some(Mapping {
        range: u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?,
        read: permissions.first() == Some(&b'r'),
        write: permissions.get(1) == Some(&b'w'),
        execute: permissions.get(2) == Some(&b'x'),
        shared: permissions.get(3) == Some(&b's'),
        offset,
        file: (inode != 0).then_some(file),
        name,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
55d0c8a00000-55d0c8a21000 r-xp 00002000 fd:00 131090                     /srv/pay ments\n\
55d0c8a21000-55d0c8a22000 rw-p 00022000 fd:00 131090                     /srv/pay ments\n\
55d0c8a22000-55d0c8a23000 rw-p 00000000 00:00 0 \n\
55d0c9000000-55d0c9021000 rw-p 00000000 00:00 0                          [heap]\n\
nonsense\n\
7f0000000000-7f0000001000 rw-s 00000000 00:18 7                          /dev/shm/\x1bx\n";

    #[test]
    fn lines_are_read_and_addresses_found() {
        let maps = Maps::parse(TEXT);
        assert_eq!(maps.all().len(), 5);
        let code = maps.find(0x55d0_c8a0_0010).unwrap();
        assert_eq!((&*code.name, code.offset, code.execute, code.shared), ("/srv/pay ments", 0x2000, true, false));
        assert_eq!(code.file, Some(FileId { major: 0xfd, minor: 0, inode: 131_090 }));
        assert_eq!(maps.find(0x55d0_c8a2_3000), None, "the first address behind a mapping is outside");
        assert_eq!(&*maps.find(0x55d0_c900_0000).unwrap().name, "[heap]");
        let shared = maps.find(0x7f00_0000_0fff).unwrap();
        assert!(shared.shared);
        assert_eq!(&*shared.name, "/dev/shm/\\x1bx");
        assert_eq!(maps.find(0), None);
    }

    #[test]
    fn code_is_what_may_be_run_and_read() {
        let maps = Maps::parse(TEXT);
        assert!(maps.is_code(0x55d0_c8a0_0000) && maps.is_code(0x55d0_c8a2_0fff));
        for outside in [0, 0x55d0_c89f_ffff, 0x55d0_c8a2_1000, 0x55d0_c900_0000, u64::MAX] {
            assert!(!maps.is_code(outside), "{outside:x}");
        }
        assert!(!Maps::default().is_code(0));
    }

    #[test]
    fn zeroed_data_belongs_to_the_file_before_it() {
        let maps = Maps::parse(TEXT);
        assert_eq!(&*maps.file_before(0x55d0_c8a2_2010).unwrap().name, "/srv/pay ments");
        assert_eq!(maps.file_before(0x55d0_c900_0000), None, "the heap is nobody's .bss");
        assert_eq!(maps.file_before(0x55d0_c8a0_0010), None);
    }
}
