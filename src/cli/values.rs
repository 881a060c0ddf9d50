//! What the command line and the configuration file write alike.

use std::time::Duration;

use clap::ValueEnum;

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

/// Reads a duration as people write it: a number and `ms`, `s` or `m`; seconds
/// where no unit is given.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if digits.is_empty() {
        return Err("is no time; write 500ms, 2.5s or 1m".to_owned());
    }
    let unit = match &text[digits.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        other => return Err(format!("`{other}` is no unit; use ms, s or m")),
    };
    let value: f64 = digits.parse().map_err(|_| format!("`{digits}` is no number"))?;
    let secs = value * unit;
    if !(0.05..=3600.0).contains(&secs) {
        return Err("must lie between 50ms and 60m".to_owned());
    }
    Ok(Duration::from_secs_f64(secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2.5s"), Ok(Duration::from_millis(2500)));
        assert_eq!(duration("1m"), Ok(Duration::from_mins(1)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        for wrong in ["", "0s", "1h", "fast", "-1s", "1e99s", "NaN"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
