//! Where in the kernel a futex wait sleeps: the addresses of its functions, from
//! `/proc/kallsyms` (`proc(5)`).
//!
//! A sample carries the arguments of a system call but not its number, and any
//! call's first argument may look like a lock's address. The kernel's own call
//! chain tells: a thread that is put to sleep below one of these functions waits
//! for a futex. `futex_waitv(2)` waits for many, and has its arguments elsewhere;
//! it is not among them.

use std::ops::Range;

/// Functions of `kernel/futex/` (`kernel/futex.c` before 5.17) that stand between
/// the system call and sleep.
const WAITS: [&str; 9] = [
    "futex_do_wait",
    "futex_wait_queue",
    "futex_wait_queue_me",
    "__futex_wait",
    "futex_wait",
    "futex_lock_pi",
    "futex_wait_requeue_pi",
    "do_futex",
    "__x64_sys_futex",
];

/// The code of the functions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct FutexCode(Vec<Range<u64>>);

impl FutexCode {
    /// From the content of `/proc/kallsyms`; `None` where the kernel hides the
    /// addresses or has no such functions.
    pub(super) fn parse(kallsyms: &[u8]) -> Option<Self> {
        let mut ranges: Vec<Range<u64>> = Vec::new();
        // Functions whose end, the beginning of the next symbol, has not come yet: the
        // kernel's own symbols are listed in the order of their addresses.
        let mut open: Vec<u64> = Vec::new();
        let mut from = 0;
        for end in memchr::memchr_iter(b'\n', kallsyms) {
            let line = &kallsyms[from..end];
            from = end + 1;
            let name = wait_function(line);
            if open.is_empty() && name.is_none() {
                continue;
            }
            let Some(address) = address(line).filter(|&address| address != 0) else { continue };
            ranges.extend(open.iter().filter(|&&begin| begin < address).map(|&begin| begin..address));
            open.retain(|&begin| begin == address);
            if name.is_some() {
                open.push(address);
            }
        }
        (!ranges.is_empty()).then_some(FutexCode(ranges))
    }

    /// Whether a call chain goes through one of them.
    pub(super) fn is_wait(&self, chain: &[u64]) -> bool {
        // The places are return addresses: a call may be a function's last instruction.
        chain.iter().any(|&place| self.0.iter().any(|code| code.contains(&place.wrapping_sub(1))))
    }
}

/// The name in a line, if it is one of those functions of the kernel proper:
/// `ffffffff8144ea10 t futex_do_wait`.
fn wait_function(line: &[u8]) -> Option<&[u8]> {
    let name = line.get(19..)?;
    // No data, and no module's, whose name stands behind a tab.
    if !matches!(line[17], b't' | b'T') || !matches!(name.first(), Some(b'f' | b'_' | b'd')) {
        return None;
    }
    let plain = name.split(|&byte| byte == b'.').next().unwrap_or(name);
    WAITS.iter().any(|wait| wait.as_bytes() == plain).then_some(name)
}

fn address(line: &[u8]) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(line.get(..16)?).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYMBOLS: &[u8] = b"\
ffffffff8144ea00 t __pfx_futex_do_wait
ffffffff8144ea10 t futex_do_wait
ffffffff8144eb20 T __pfx_futex_wait_multiple_setup
ffffffff8144f1e0 T __futex_wait
ffffffff8144f2d0 T __pfx_futex_wait
ffffffff8144f2e0 T futex_wait.cold
ffffffff8144f400 D futex_queues
ffffffff8144f420 T futex_wake
ffffffffc0001000 t futex_wait\t[module]
";

    #[test]
    fn only_the_code_of_futex_waits_counts() {
        let code = FutexCode::parse(SYMBOLS).unwrap();
        let waits = |place: u64| code.is_wait(&[0xffff_ffff_8226_5ec8, place]);
        assert!(waits(0xffff_ffff_8144_ea56) && waits(0xffff_ffff_8144_f26a) && waits(0xffff_ffff_8144_f38a));
        assert!(waits(0xffff_ffff_8144_eb20), "a return address behind a last call");
        for other in [0, 0xffff_ffff_8144_ea10, 0xffff_ffff_8144_eb21, 0xffff_ffff_8144_f421, 0xffff_ffff_c000_1010] {
            assert!(!waits(other), "{other:x}");
        }
        assert!(!code.is_wait(&[]));
    }

    #[test]
    fn hidden_addresses_are_none() {
        assert_eq!(FutexCode::parse(b"0000000000000000 t futex_do_wait\n0000000000000000 T futex_wait\n"), None);
        assert_eq!(FutexCode::parse(b"\xff\xff\n\nffffffff8144ea10 t something\n"), None);
    }
}
