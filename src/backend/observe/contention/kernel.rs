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
        let mut begins = Vec::new();
        let mut all = Vec::new();
        for line in kallsyms.split(|&byte| byte == b'\n') {
            let Ok(line) = str::from_utf8(line) else { continue };
            let mut parts = line.split_ascii_whitespace();
            let (Some(address), Some(kind), Some(name)) = (parts.next(), parts.next(), parts.next()) else { continue };
            if parts.next().is_some() || !kind.eq_ignore_ascii_case("t") {
                // Of a module, or no code.
                continue;
            }
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            if address == 0 {
                continue;
            }
            all.push(address);
            if WAITS.contains(&name.split('.').next().unwrap_or(name)) {
                begins.push(address);
            }
        }
        all.sort_unstable();
        let end = |begin: u64| all.get(all.partition_point(|&address| address <= begin)).copied();
        let ranges: Vec<_> = begins.into_iter().filter_map(|begin| Some(begin..end(begin)?)).collect();
        (!ranges.is_empty()).then_some(FutexCode(ranges))
    }

    /// Whether a call chain goes through one of them.
    pub(super) fn is_wait(&self, chain: &[u64]) -> bool {
        // The places are return addresses: a call may be a function's last instruction.
        chain.iter().any(|&place| self.0.iter().any(|code| code.contains(&place.wrapping_sub(1))))
    }
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
