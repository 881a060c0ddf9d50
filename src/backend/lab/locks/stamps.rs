//! The stamps of an acquisition: which clock, and how strictly in order.

use crate::model::lock::Trace;
use crate::sys::clock;
use crate::sys::tsc::{Scale, Tsc};

/// The three readings of a clock around an acquisition.
pub(super) trait Stamps: Copy {
    /// Before the lock is asked for.
    fn wanted(self) -> u64;
    /// After it was got.
    fn got(self) -> u64;
    /// Before it is let go.
    fn released(self) -> u64;
}

/// Three plain readings of the counter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plain(pub(super) Tsc);

/// Readings from which exclusion can be checked.
///
/// Only `got` needs to be ordered: unordered it could be read before the
/// lock's own instruction is complete, while the last holder is still inside.
/// `released` stands before the unlocking store in program order, and a store
/// becomes visible only after everything before it has retired, the reading
/// included. Without order a reading can only be too early: that moves the end
/// of a hold forward and never makes two holds overlap that did not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ordered(pub(super) Tsc);

/// `CLOCK_MONOTONIC`, which orders its reading itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kernel;

impl Stamps for Plain {
    #[inline]
    fn wanted(self) -> u64 {
        self.0.plain()
    }

    #[inline]
    fn got(self) -> u64 {
        self.0.plain()
    }

    #[inline]
    fn released(self) -> u64 {
        self.0.plain()
    }
}

impl Stamps for Ordered {
    #[inline]
    fn wanted(self) -> u64 {
        self.0.plain()
    }

    #[inline]
    fn got(self) -> u64 {
        self.0.ordered()
    }

    #[inline]
    fn released(self) -> u64 {
        self.0.plain()
    }
}

impl Stamps for Kernel {
    #[inline]
    fn wanted(self) -> u64 {
        clock::monotonic().0
    }

    #[inline]
    fn got(self) -> u64 {
        clock::monotonic().0
    }

    #[inline]
    fn released(self) -> u64 {
        clock::monotonic().0
    }
}

/// What is recorded, with the clock that does it.
#[derive(Clone, Copy, Debug, Default)]
pub enum Recorder {
    /// Nothing.
    #[default]
    Off,
    /// Plain stamps of the counter.
    Plain(Tsc),
    /// Ordered stamps of the counter.
    Ordered(Tsc),
    /// `CLOCK_MONOTONIC`, for either.
    Kernel,
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
