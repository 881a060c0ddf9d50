//! Memory: `/proc/PID/smaps_rollup` for the totals, `/proc/PID/smaps` by
//! mapping, `proc_pid_smaps(5)`.
//!
//! ```text
//! 7f1c0a400000-7f1c0a428000 r--p 00000000 fe:01 3021   /usr/lib/libc.so.6
//! │                         │    │        │     │      └ name, empty for anonymous memory
//! │                         │    │        │     └ inode
//! │                         │    │        └ device
//! │                         │    └ offset in the file
//! │                         └ permissions: p private, s shared
//! └ addresses
//! Rss:                 160 kB    and more figures, a line each, kilobytes
//! ```
//!
//! Names hold what their files' owners like, so this is read as bytes: the
//! procfs crate wants UTF-8 there and slices some names at fixed places.

use std::collections::HashMap;
use std::sync::Arc;

use super::source::Source;
use crate::model::Bytes;
use crate::model::detail::{Mapping, MappingKind, MemoryTotals, Section};
use crate::model::sorting;
use crate::model::text::visible_arc;

/// The totals of all mappings, which the kernel sums itself.
pub(super) fn totals(source: &Source) -> Section<MemoryTotals> {
    let text = source.bytes("smaps_rollup")?;
    let mut totals = MemoryTotals::default();
    for (key, size) in text.split(|&b| b == b'\n').filter_map(figure) {
        match key {
            b"Rss" => totals.rss = size,
            b"Pss" => totals.pss = size,
            b"Private_Clean" | b"Private_Dirty" => totals.private.0 += size.0,
            b"Shared_Clean" | b"Shared_Dirty" => totals.shared.0 += size.0,
            b"Swap" => totals.swap = size,
            b"Locked" => totals.locked = size,
            _ => {}
        }
    }
    // A process without memory of its own has an empty file.
    if text.is_empty() { Err(source.without_memory("smaps_rollup")) } else { Ok(totals) }
}

/// Memory by name, largest resident first.
pub(super) fn mappings(source: &Source) -> Section<Vec<Mapping>> {
    let text = source.bytes("smaps")?;
    if text.is_empty() {
        return Err(source.without_memory("smaps"));
    }
    join(&text).ok_or_else(|| source.foreign("smaps"))
}

/// One mapping's line, or the sum of those of one name.
#[derive(Default)]
struct Sum {
    count: u32,
    size: u64,
    rss: u64,
    pss: u64,
    /// Of all of them, where they agree.
    permissions: Permissions,
}

/// The permissions of mappings of one name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Permissions {
    #[default]
    None,
    All([u8; 4]),
    Mixed,
    /// One of them can be written and run, which no sum may hide nor make up.
    WritableCode([u8; 4]),
}

impl Permissions {
    fn and(self, other: [u8; 4]) -> Self {
        match self {
            Permissions::WritableCode(_) => self,
            _ if other.starts_with(b"rwx") || other.starts_with(b"-wx") => Permissions::WritableCode(other),
            Permissions::None => Permissions::All(other),
            Permissions::All(before) if before == other => self,
            _ => Permissions::Mixed,
        }
    }

    fn text(self) -> Arc<str> {
        match self {
            Permissions::None => Arc::default(),
            Permissions::Mixed => Arc::from("mixed"),
            Permissions::All(letters) | Permissions::WritableCode(letters) => letters
                .iter()
                .filter(|letter| b"rwxs".contains(letter))
                .map(|letter| char::from(*letter))
                .collect::<String>()
                .into(),
        }
    }
}

fn join(text: &[u8]) -> Option<Vec<Mapping>> {
    let mut sums: HashMap<(MappingKind, &[u8]), Sum> = HashMap::new();
    let mut current = None;
    for line in text.split(|&b| b == b'\n').filter(|line| !line.is_empty()) {
        // Figures begin with a capital, addresses are in small hexadecimal.
        if line[0].is_ascii_uppercase() {
            let sum = sums.get_mut(current.as_ref()?)?;
            match figure(line) {
                Some((b"Rss", size)) => sum.rss += size.0,
                Some((b"Pss", size)) => sum.pss += size.0,
                _ => {}
            }
        } else {
            let (size, permissions, name) = header(line)?;
            let name = name_and_kind(name, permissions[3] == b's');
            let sum = sums.entry(name).or_default();
            sum.count += 1;
            sum.size += size;
            sum.permissions = sum.permissions.and(permissions);
            current = Some(name);
        }
    }
    let mut mappings: Vec<Mapping> = sums.into_iter().map(|((kind, name), sum)| mapping(kind, name, &sum)).collect();
    sorting::by(&mut mappings, |a, b| (b.rss, b.size, &a.name).cmp(&(a.rss, a.size, &b.name)));
    Some(mappings)
}

fn mapping(kind: MappingKind, name: &[u8], sum: &Sum) -> Mapping {
    Mapping {
        name: visible_arc(name),
        kind,
        count: sum.count,
        size: Bytes(sum.size),
        rss: Bytes(sum.rss),
        pss: Bytes(sum.pss),
        permissions: sum.permissions.text(),
    }
}

/// Size, permissions and name of a mapping's first line.
fn header(line: &[u8]) -> Option<(u64, [u8; 4], &[u8])> {
    let mut fields = line.splitn(6, |&b| b == b' ');
    let addresses = str::from_utf8(fields.next()?).ok()?;
    let (from, to) = addresses.split_once('-')?;
    let size = u64::from_str_radix(to, 16).ok()?.checked_sub(u64::from_str_radix(from, 16).ok()?)?;
    let permissions = fields.next()?.try_into().ok()?;
    // Blanks fill the line up to the name's column.
    let name = fields.nth(3).unwrap_or_default().trim_ascii_start();
    Some((size, permissions, name))
}

/// What a mapping is and under which name it is summed.
fn name_and_kind(name: &[u8], shared: bool) -> (MappingKind, &[u8]) {
    match name {
        b"" => (MappingKind::Anonymous, b"anonymous"),
        b"[heap]" => (MappingKind::Heap, name),
        b"[stack]" => (MappingKind::Stack, name),
        // Shared memory without a name is a file that nobody can open.
        b"/dev/zero (deleted)" if shared => (MappingKind::SharedMemory, b"shared anonymous"),
        _ if name.starts_with(b"[anon:") => (MappingKind::Anonymous, name),
        _ if name.starts_with(b"[anon_shmem:") => (MappingKind::SharedMemory, name),
        _ if name.starts_with(b"[") => (MappingKind::Kernel, name),
        _ if name.starts_with(b"/memfd:") || name.starts_with(b"/dev/shm/") => (MappingKind::SharedMemory, name),
        _ if name.starts_with(b"/SYSV") && shared => (MappingKind::SharedMemory, name),
        _ => (MappingKind::File, name),
    }
}

/// `Rss:      160 kB` as `("Rss", 163840)`.
fn figure(line: &[u8]) -> Option<(&[u8], Bytes)> {
    let colon = line.iter().position(|&b| b == b':')?;
    let value = str::from_utf8(&line[colon + 1..]).ok()?.trim().strip_suffix("kB")?;
    Some((&line[..colon], Bytes(value.trim_end().parse::<u64>().ok()? * 1024)))
}

#[cfg(test)]
mod tests {
    use super::MappingKind::{Anonymous, File, Heap, Kernel, SharedMemory};
    use super::*;

    fn smaps(lines: &[(&str, u64, u64)]) -> Vec<u8> {
        let text = |(header, rss, pss): &(&str, u64, u64)| {
            format!("{header}\nSize: 4 kB\nRss: {rss} kB\nPss: {pss} kB\nPss_Dirty: 9 kB\nVmFlags: rd mr\n")
        };
        lines.iter().map(text).collect::<String>().into_bytes()
    }

    #[test]
    fn mappings_of_one_name_are_joined_and_kinds_told_apart() {
        let text = smaps(&[
            ("1000-3000 r--p 00000000 fe:01 3021                       /usr/lib/libc.so.6", 8, 2),
            ("3000-4000 r-xp 00002000 fe:01 3021                       /usr/lib/libc.so.6", 4, 1),
            ("5000-9000 rw-p 00000000 00:00 0                          [heap]", 16, 16),
            ("a000-b000 rw-p 00000000 00:00 0 ", 1, 1),
            ("b000-d000 ---p 00000000 00:00 0 ", 0, 0),
            ("d000-e000 rw-s 00000000 00:01 55                         /memfd:ring (deleted)", 4, 4),
            ("e000-f000 rw-s 00000000 00:01 56                         /dev/zero (deleted)", 2, 2),
            ("f000-10000 r-xp 00000000 00:00 0                         [vdso]", 3, 0),
            ("10000-11000 r--p 00000000 fe:01 9                        /SYSVx", 0, 0),
        ]);
        let mappings = join(&text).unwrap();
        let rows: Vec<_> = mappings
            .iter()
            .map(|m| (&*m.name, m.kind, m.count, m.size.0, m.rss.0 / 1024, m.pss.0 / 1024, &*m.permissions))
            .collect();
        assert_eq!(
            rows,
            [
                ("[heap]", Heap, 1, 0x4000, 16, 16, "rw"),
                ("/usr/lib/libc.so.6", File, 2, 0x3000, 12, 3, "mixed"),
                ("/memfd:ring (deleted)", SharedMemory, 1, 0x1000, 4, 4, "rws"),
                ("[vdso]", Kernel, 1, 0x1000, 3, 0, "rx"),
                ("shared anonymous", SharedMemory, 1, 0x1000, 2, 2, "rws"),
                ("anonymous", Anonymous, 2, 0x3000, 1, 1, "mixed"),
                ("/SYSVx", File, 1, 0x1000, 0, 0, "r"),
            ]
        );
    }

    #[test]
    fn writable_code_is_neither_hidden_nor_made_up() {
        let of = |all: &[&str]| {
            let letters = |text: &&str| <[u8; 4]>::try_from(text.as_bytes()).unwrap();
            let sum = all.iter().map(letters).fold(Permissions::default(), Permissions::and);
            sum.text().to_string()
        };
        assert_eq!(of(&["r-xp", "rw-p"]), "mixed");
        assert_eq!(of(&["r-xp", "rwxp", "r--p"]), "rwx");
        assert_eq!(of(&["r--p", "r--p"]), "r");
        assert_eq!(of(&["---p"]), "");
    }

    #[test]
    fn a_hostile_name_is_shown_and_a_torn_file_refused() {
        let mut text = b"1000-3000 r--p 00000000 fe:01 3 /tmp/\x1b[2J\xff\n".to_vec();
        assert_eq!(&*join(&text).unwrap()[0].name, "/tmp/\\x1b[2J\\xff");
        text.truncate(12);
        assert!(join(&text).is_none());
        assert!(join(b"Rss: 4 kB\n").is_none(), "figures without a mapping");
    }
}
