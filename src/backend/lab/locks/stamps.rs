//! The stamps of an acquisition: which clock, and how strictly in order.

use crate::model::lock::Trace;
use crate::sys::clock;
use crate::sys::tsc::{self, Scale, Tsc};

/// What is recorded, with the clock that does it.
///
/// It is looked at anew for each stamp: a branch that always goes the same way
/// costs less than the loops of every primitive once more for each clock would
/// take in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Recorder {
    /// Nothing.
    #[default]
    Off,
    /// Plain stamps of the counter.
    Plain(Tsc),
    /// Stamps of the counter from which exclusion can be checked.
    ///
    /// Only `got` needs to be ordered: unordered it could be read before the
    /// lock's own instruction is complete, while the last holder is still
    /// inside. The end of a hold is read before the unlocking store in program
    /// order, and a store becomes visible only after everything before it has
    /// retired, the reading included. Without order a reading can only be too
    /// early: that moves the end of a hold forward and never makes two holds
    /// overlap that did not.
    Ordered(Tsc),
    /// `CLOCK_MONOTONIC`, which orders its reading itself, for either.
    Kernel,
}

impl Recorder {
    /// A reading before a lock is asked for, or before it is let go; 0 where
    /// nothing is recorded.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn now(self) -> u64 {
        match self {
            Recorder::Plain(tsc) | Recorder::Ordered(tsc) => tsc.plain(),
            Recorder::Off | Recorder::Kernel => self.without_counter(),
        }
    }

    /// A reading after a lock was got.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn got(self) -> u64 {
        if matches!(self, Recorder::Ordered(_)) {
            tsc::wait_for_all();
        }
        self.now()
    }

    /// The counter, where it is read for the stamps.
    #[inline]
    pub(super) fn counter(self) -> Option<Tsc> {
        match self {
            Recorder::Plain(tsc) | Recorder::Ordered(tsc) => Some(tsc),
            Recorder::Off | Recorder::Kernel => None,
        }
    }

    /// Whether a reading after a lock was got waits for all before it.
    #[inline]
    pub(super) fn is_ordered(self) -> bool {
        matches!(self, Recorder::Ordered(_))
    }

    #[cold]
    #[inline(never)]
    fn without_counter(self) -> u64 {
        if self == Recorder::Kernel { clock::monotonic().0 } else { 0 }
    }
}

/// The clock of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunClock {
    tsc: Option<Tsc>,
    /// How its ticks become nanoseconds.
    pub(super) scale: Scale,
}

impl RunClock {
    /// The invariant counter, calibrated while `meanwhile` runs; else the
    /// kernel's clock.
    pub(super) fn choose(meanwhile: impl FnOnce()) -> Self {
        if let Some(tsc) = Tsc::invariant() {
            return RunClock { tsc: Some(tsc), scale: Scale::calibrate(tsc, meanwhile) };
        }
        meanwhile();
        RunClock { tsc: None, scale: Scale::NANOSECONDS }
    }

    /// Its name for people.
    pub(super) fn name(&self) -> &'static str {
        if self.tsc.is_some() { "invariant TSC" } else { "CLOCK_MONOTONIC" }
    }

    /// Now, in ticks.
    pub(super) fn now(&self) -> u64 {
        self.tsc.map_or_else(|| clock::monotonic().0, Tsc::ordered)
    }

    /// The recorder that does what is asked.
    pub(super) fn recorder(&self, trace: Trace) -> Recorder {
        match (trace, self.tsc) {
            (Trace::Off, _) => Recorder::Off,
            (_, None) => Recorder::Kernel,
            (Trace::Plain, Some(tsc)) => Recorder::Plain(tsc),
            (Trace::Ordered, Some(tsc)) => Recorder::Ordered(tsc),
        }
    }
}
