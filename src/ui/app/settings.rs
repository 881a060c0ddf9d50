//! How the dashboard opens, and where it takes the time from.

use std::time::Duration;

use crate::model::Nanos;
use crate::sys::clock;
use crate::ui::director::Bursts;
use crate::ui::theme::{Depth, THEMES};

/// How the dashboard opens.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Index of the panel in [`PANELS`](crate::ui::panels::PANELS).
    pub panel: usize,
    /// The theme's name.
    pub theme: String,
    /// What the terminal can show.
    pub depth: Depth,
    /// Plain ASCII only.
    pub ascii: bool,
    /// Whether the overview runs the labs.
    pub bursts: Bursts,
    /// How often to sample.
    pub refresh: Duration,
    /// What time it is.
    pub clock: Clock,
}

impl Default for Settings {
    /// The overview in the first theme at full colour, no labs, every second.
    fn default() -> Self {
        Settings {
            panel: 0,
            theme: THEMES[0].0.to_owned(),
            depth: Depth::True,
            ascii: false,
            bursts: Bursts::Off,
            refresh: Duration::from_secs(1),
            clock: Clock::Machine,
        }
    }
}

/// Where the dashboard takes the time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clocks.
    Machine,
    /// Standing still, for a test: `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`.
    Fixed(Nanos, Nanos),
}

impl Clock {
    /// `CLOCK_MONOTONIC` and `CLOCK_BOOTTIME`.
    pub(super) fn now(self) -> (Nanos, Nanos) {
        match self {
            Clock::Machine => (clock::monotonic(), clock::boottime()),
            Clock::Fixed(now, boot) => (now, boot),
        }
    }
}
