//! A hint to the processor's cache, which changes neither memory nor registers.

/// The bytes that a processor's cache fetches and gives away at a time.
pub const LINE: usize = 64;

/// Fetches the line at `at` as a store would, taking it from whichever
/// processor has it, and does not wait for it. Any address will do: one that
/// cannot be written is passed over.
#[inline]
pub fn fetch_to_write(at: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: PREFETCHW faults on no address; a processor without it has a
    // no-operation in its place (Intel SDM vol. 2B, AMD APM vol. 3).
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: PRFM faults on no address (Arm ARM, C6.2).
    unsafe {
        std::arch::asm!("prfm pstl1keep, [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    };
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = at;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_will_do_and_nothing_changes() {
        let bytes = [7_u8; 4 * LINE];
        for at in [bytes.as_ptr(), std::ptr::null(), std::ptr::without_provenance(usize::MAX)] {
            fetch_to_write(at);
        }
        assert_eq!(bytes, [7; 4 * LINE]);
    }
}
