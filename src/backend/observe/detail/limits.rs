//! Resource limits: `/proc/PID/limits`, getrlimit(2).
//!
//! ```text
//! Limit                     Soft Limit           Hard Limit           Units
//! Max cpu time              unlimited            unlimited            seconds
//! Max nice priority         0                    0
//! └ 25 columns, a blank ──┘ └ 20, a blank ─────┘ └ 20, a blank ─────┘ └ may be empty
//! ```

use std::num::ParseIntError;
use std::sync::Arc;

use super::source::Source;
use crate::model::detail::{Limit, Section};
use crate::model::text::visible_arc;

/// The limits, in the kernel's order.
pub(super) fn read(source: &Source) -> Section<Vec<Limit>> {
    parse(&source.bytes("limits")?).ok_or_else(|| source.foreign("limits"))
}

fn parse(text: &[u8]) -> Option<Vec<Limit>> {
    let mut lines = str::from_utf8(text).ok()?.lines();
    lines.next()?.starts_with("Limit").then_some(())?;
    lines.map(line).collect()
}

fn line(line: &str) -> Option<Limit> {
    // The name holds blanks, so it ends where its column does.
    let (name, values) = line.split_at_checked(25)?;
    let mut values = values.split_ascii_whitespace();
    let (soft, hard) = (value(values.next()?).ok()?, value(values.next()?).ok()?);
    let unit: Arc<str> = values.next().unwrap_or_default().into();
    Some(Limit { name: visible_arc(name.trim_end().as_bytes()), soft, hard, unit })
}

/// `None` is `unlimited`.
fn value(text: &str) -> Result<Option<u64>, ParseIntError> {
    if text == "unlimited" { Ok(None) } else { text.parse().map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units     
Max cpu time              unlimited            unlimited            seconds   
Max open files            1024                 1048576              files     
Max nice priority         0                    0                    
Max realtime timeout      unlimited            18446744073709551615 us        
";

    #[test]
    fn names_values_and_units() {
        let limits = parse(LIMITS.as_bytes()).unwrap();
        let rows: Vec<_> = limits.iter().map(|l| (&*l.name, l.soft, l.hard, &*l.unit)).collect();
        assert_eq!(
            rows,
            [
                ("Max cpu time", None, None, "seconds"),
                ("Max open files", Some(1024), Some(1_048_576), "files"),
                ("Max nice priority", Some(0), Some(0), ""),
                ("Max realtime timeout", None, Some(u64::MAX), "us"),
            ]
        );
    }

    #[test]
    fn a_torn_file_is_refused() {
        assert_eq!(parse(b""), None);
        assert_eq!(parse(&LIMITS.as_bytes()[..120]), None);
    }
}
