//! Which C library a file is, or has in it: by what it says of itself.

use super::elf::Elf;

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

/// What only musl's own objects define (`src/thread/pthread_create.c`,
/// `src/internal/libc.h`): they are all there in a program with threads that is
/// linked to it statically and not stripped.
const MUSL: &[&str] = &["__thread_list_lock", "__tl_lock", "__libc", "__wait"];

pub(super) fn detect(elf: &Elf, path: &str) -> Runtime {
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
    let alone = || {
        let all = text.split(|&byte| byte == 0).filter(|line| (4..6).contains(&line.len()) && line.starts_with(b"2."));
        let mut versions = all.filter_map(|line| str::from_utf8(&line[2..]).ok()?.parse::<u32>().ok());
        versions.next().filter(|_| versions.next().is_none())
    };
    // Elsewhere the linker has put the texts in an order of its own.
    beside.iter().find_map(|marker| near(marker)).or_else(|| find(text, beside[0]).and_then(|_| alone()))
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

pub(super) fn find(text: &[u8], what: &[u8]) -> Option<usize> {
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
        assert_eq!(fixed("2.36\x002.35\0"), None);
        assert_eq!(static_version(b"\0pd->stopped_start\x002.36\0"), None);
        assert_eq!(minor_version(b"3.1\0"), None);
        assert!(Runtime::Glibc(36).known_glibc() && !Runtime::Glibc(31).known_glibc());
        assert!(!Runtime::Musl.known_glibc() && !Runtime::Unknown.known_glibc());
    }
}
