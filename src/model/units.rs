//! Durations, sizes and rates, and how people read them.
//!
//! The short forms are made for columns: at most seven characters, three
//! significant digits, the unit always there.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A duration, or a point on `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nanos(pub u64);

/// A size in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl Nanos {
    /// No time at all.
    pub const ZERO: Nanos = Nanos(0);

    /// Whole seconds as nanoseconds.
    pub const fn from_secs(secs: u64) -> Self {
        Nanos(secs * 1_000_000_000)
    }

    /// Whole milliseconds as nanoseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Nanos(millis * 1_000_000)
    }

    /// The duration in seconds.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// `self - earlier`, or zero where `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Nanos) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }

    /// A precise figure for a measurement: `812 ns`, `4.61 µs`, `1.20 s`.
    pub fn precise(self) -> String {
        let ns = self.0 as f64;
        let (value, unit) = match self.0 {
            0..1_000 => return format!("{} ns", self.0),
            1_000..1_000_000 => (ns / 1e3, "µs"),
            1_000_000..1_000_000_000 => (ns / 1e6, "ms"),
            _ => (ns / 1e9, "s"),
        };
        format!("{} {unit}", three_digits(value))
    }

    /// An age in at most six characters: `8s`, `3m12`, `14h02`, `12d03h`.
    pub fn age(self) -> String {
        let secs = self.0 / 1_000_000_000;
        match secs {
            0..60 => format!("{secs}s"),
            60..3_600 => format!("{}m{:02}", secs / 60, secs % 60),
            3_600..86_400 => format!("{}h{:02}", secs / 3_600, secs / 60 % 60),
            _ => format!("{}d{:02}h", secs / 86_400, secs / 3_600 % 24),
        }
    }

    /// An age that stands still for a while, for columns of many: from 10 s on
    /// in steps of 10 s, from a minute on of half a minute, from ten on of one:
    /// `4s`, `30s`, `3m30`, `25m`, `14h02`.
    pub fn rough_age(self) -> String {
        let secs = self.0 / 1_000_000_000;
        let (step, whole_minutes) = match secs {
            0..5 => (1, false),
            5..10 => (5, false),
            10..60 => (10, false),
            60..600 => (30, false),
            _ => (60, secs < 3_600),
        };
        if whole_minutes { format!("{}m", secs / 60) } else { Nanos::from_secs(secs - secs % step).age() }
    }

    /// CPU time as `mm:ss.cc`, or `hhh:mm:ss` from an hour on.
    pub fn cpu_time(self) -> String {
        let centis = self.0 / 10_000_000;
        let (secs, centis) = (centis / 100, centis % 100);
        if secs < 3_600 {
            format!("{}:{:02}.{centis:02}", secs / 60, secs % 60)
        } else {
            format!("{}:{:02}:{:02}", secs / 3_600, secs / 60 % 60, secs % 60)
        }
    }
}

impl From<Duration> for Nanos {
    fn from(duration: Duration) -> Self {
        Nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

impl From<Nanos> for Duration {
    fn from(nanos: Nanos) -> Self {
        Duration::from_nanos(nanos.0)
    }
}

impl Add for Nanos {
    type Output = Nanos;
    fn add(self, other: Nanos) -> Nanos {
        Nanos(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Nanos {
    fn add_assign(&mut self, other: Nanos) {
        *self = *self + other;
    }
}

impl Sub for Nanos {
    type Output = Nanos;
    fn sub(self, other: Nanos) -> Nanos {
        self.since(other)
    }
}

impl fmt::Display for Nanos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.precise())
    }
}

impl Bytes {
    /// A size in binary units in at most five characters: `812`, `4.0K`, `1.2G`.
    pub fn short(self) -> String {
        const UNITS: [char; 6] = ['K', 'M', 'G', 'T', 'P', 'E'];
        if self.0 < 1_000 {
            return self.0.to_string();
        }
        let mut value = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while value >= 999.5 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        if value < 9.95 { format!("{value:.1}{}", UNITS[unit]) } else { format!("{value:.0}{}", UNITS[unit]) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.short())
    }
}

/// A rate or count in decimal units with three significant digits: `37.1 M`,
/// `812`, `1.20 G`. The caller adds what is counted (`/s`, `B/s`).
pub fn si(value: f64) -> String {
    let magnitude = value.abs();
    let (scaled, unit) = match magnitude {
        m if m < 999.5 => (value, ""),
        m if m < 999.5e3 => (value / 1e3, " k"),
        m if m < 999.5e6 => (value / 1e6, " M"),
        m if m < 999.5e9 => (value / 1e9, " G"),
        _ => (value / 1e12, " T"),
    };
    if unit.is_empty() && value.fract() == 0.0 {
        format!("{value:.0}")
    } else {
        format!("{}{unit}", three_digits(scaled))
    }
}

/// `1234567` as `1,234,567`, for counts whose every digit is meant.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn three_digits(value: f64) -> String {
    match value.abs() {
        m if m < 9.995 => format!("{value:.2}"),
        m if m < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well_at_every_magnitude() {
        let cases = [
            (812, "812 ns"),
            (4_610, "4.61 µs"),
            (46_100_000, "46.1 ms"),
            (1_200_000_000, "1.20 s"),
            (999_999, "1000 µs"),
        ];
        for (ns, text) in cases {
            assert_eq!(Nanos(ns).precise(), text);
        }
        let ages = [(8, "8s"), (192, "3m12"), (50_520, "14h02"), (1_047_600, "12d03h")];
        for (secs, text) in ages {
            assert_eq!(Nanos::from_secs(secs).age(), text);
        }
        let rough = [(4, "4s"), (9, "5s"), (59, "50s"), (219, "3m30"), (1_559, "25m"), (50_520, "14h02")];
        for (secs, text) in rough {
            assert_eq!(Nanos::from_secs(secs).rough_age(), text);
        }
        assert_eq!(Nanos(61_230_000_000).cpu_time(), "1:01.23");
        assert_eq!(Nanos::from_secs(7_265).cpu_time(), "2:01:05");
    }

    #[test]
    fn sizes_fit_five_characters() {
        for (bytes, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1.0K"),
            (4_096, "4.0K"),
            (1 << 20, "1.0M"),
            (25_165_824, "24M"),
            (u64::MAX, "16E"),
        ] {
            assert_eq!(Bytes(bytes).short(), text);
            assert!(Bytes(bytes).short().len() <= 5);
        }
    }

    #[test]
    fn rates_and_counts() {
        assert_eq!(si(37_100_000.0), "37.1 M");
        assert_eq!(si(812.0), "812");
        assert_eq!(si(0.5), "0.50");
        assert_eq!(grouped(41_220_113), "41,220,113");
        assert_eq!(grouped(7), "7");
    }
}
