//! The processor's time stamp counter, for stamps that cost a few nanoseconds.
//!
//! `RDTSC` does not wait for what stands before it: the processor may read the
//! counter before an older load or a lock's own instruction is complete.
//! [`Tsc::ordered`] puts an `LFENCE` before it, which waits for all of them
//! (Intel SDM vol. 2B, RDTSC; AMD APM vol. 3; on AMD Linux makes `LFENCE`
//! dispatch-serialising, `arch/x86/kernel/cpu/amd.c`).
//!
//! The counter measures time only where it is invariant: it ticks at one rate
//! in all power states (CPUID `8000_0007h`, EDX bit 8; `constant_tsc` and
//! `nonstop_tsc` in `/proc/cpuinfo`). Comparing stamps of two processors also
//! needs their counters in step; the kernel checks that, and stops using the
//! counter as a clock source where they are not.

use std::time::Duration;

use super::clock;

/// The time stamp counter of a processor that has an invariant one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tsc(());

#[cfg(target_arch = "x86_64")]
impl Tsc {
    /// The counter, where it is invariant and the kernel trusts it.
    pub fn invariant() -> Option<Tsc> {
        use std::arch::x86_64::__cpuid;
        const ADVANCED_POWER: u32 = 0x8000_0007;
        let invariant = __cpuid(0x8000_0000).eax >= ADVANCED_POWER && __cpuid(ADVANCED_POWER).edx & (1 << 8) != 0;
        (invariant && kernel_trusts_it()).then_some(Tsc(()))
    }

    /// The counter now, give or take what the processor reorders.
    #[inline]
    pub fn plain(self) -> u64 {
        // SAFETY: RDTSC has no precondition but CR4.TSD being clear, which
        // Linux guarantees unless PR_SET_TSC forbids it, and nobody here does.
        unsafe { std::arch::x86_64::_rdtsc() }
    }

    /// The counter, read after everything before it is complete.
    #[inline]
    pub fn ordered(self) -> u64 {
        wait_for_all();
        self.plain()
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Tsc {
    /// There is none here.
    pub fn invariant() -> Option<Tsc> {
        None
    }

    /// Never called, since there is no [`Tsc`] to call it on.
    #[inline]
    pub fn plain(self) -> u64 {
        clock::monotonic().0
    }

    /// As [`Tsc::plain`].
    #[inline]
    pub fn ordered(self) -> u64 {
        clock::monotonic().0
    }
}

/// Lets nothing begin before everything before it is complete. A processor works
/// ahead, past a lock's own instruction too.
#[inline]
pub fn wait_for_all() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: LFENCE belongs to SSE2, which every x86-64 has.
    unsafe {
        std::arch::x86_64::_mm_lfence();
    };
    #[cfg(target_arch = "aarch64")]
    // SAFETY: ISB changes no register and no memory.
    unsafe {
        std::arch::asm!("isb", options(nostack, preserves_flags));
    };
}

/// The kernel lists `tsc` as a clock source for as long as it finds the
/// counters stable and in step. Where it does not say, CPUID's word stands.
fn kernel_trusts_it() -> bool {
    let available = "/sys/devices/system/clocksource/clocksource0/available_clocksource";
    std::fs::read_to_string(available).map_or(true, |names| names.split_ascii_whitespace().any(|name| name == "tsc"))
}

/// How ticks become nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    ns_per_tick: f64,
}

impl Scale {
    /// The scale of a clock that ticks in nanoseconds.
    pub const NANOSECONDS: Scale = Scale { ns_per_tick: 1.0 };

    /// Measures the counter against `CLOCK_MONOTONIC` while `meanwhile` runs,
    /// and for at least 10 ms, which leaves an error near ten in a million.
    pub fn calibrate(tsc: Tsc, meanwhile: impl FnOnce()) -> Scale {
        let begin = pair(tsc);
        meanwhile();
        std::thread::sleep(Duration::from_millis(10));
        let end = pair(tsc);
        let ticks = end.0.saturating_sub(begin.0).max(1);
        Scale { ns_per_tick: (end.1 - begin.1) as f64 / ticks as f64 }
    }

    /// A difference of two stamps in nanoseconds.
    pub fn nanos(self, ticks: u64) -> u64 {
        (ticks as f64 * self.ns_per_tick) as u64
    }

    /// Nanoseconds as a difference of two stamps.
    pub fn ticks(self, nanos: u64) -> u64 {
        (nanos as f64 / self.ns_per_tick) as u64
    }
}

/// The counter and the clock at one time: of several tries the one in which
/// the least time passed between the two readings of the counter.
fn pair(tsc: Tsc) -> (u64, u64) {
    let mut best = (u64::MAX, 0, 0);
    for _ in 0..16 {
        let before = tsc.ordered();
        let now = clock::monotonic().0;
        let width = tsc.ordered().saturating_sub(before);
        if width < best.0 {
            best = (width, before + width / 2, now);
        }
    }
    (best.1, best.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibrated_ticks_agree_with_the_clock() {
        let Some(tsc) = Tsc::invariant() else { return };
        let scale = Scale::calibrate(tsc, || ());
        let (ticks, clock) = pair(tsc);
        std::thread::sleep(Duration::from_millis(30));
        let (later_ticks, later_clock) = pair(tsc);
        let by_ticks = scale.nanos(later_ticks - ticks) as f64;
        let by_clock = (later_clock - clock) as f64;
        assert!((by_ticks / by_clock - 1.0).abs() < 0.001, "{by_ticks} ns by the counter, {by_clock} by the clock");
        assert!(scale.ticks(scale.nanos(1_000_000)).abs_diff(1_000_000) < 5);
    }

    #[test]
    fn ordered_stamps_of_one_thread_never_go_back() {
        let Some(tsc) = Tsc::invariant() else { return };
        let mut last = 0;
        for _ in 0..10_000 {
            let now = tsc.ordered();
            assert!(now >= last);
            last = now;
        }
    }
}
