//! The tests that come with the program, and those in files.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use super::ast::Test;
use super::parse::{Limits, parse};
use crate::model::Fault;
use crate::model::litmus::{LitmusSpec, Order, Slot};
use crate::model::text::visible;

/// How long to wait for somebody to write into a pipe that is read.
const PATIENCE: Duration = Duration::from_secs(5);

macro_rules! library {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../assets/litmus/", $name, ".litmus")))),*]
    };
}

/// Name and text of each test of the library, in the order in which they teach.
pub const TESTS: &[(&str, &str)] = library![
    "SB-relaxed",
    "SB-release-acquire",
    "SB-seq_cst",
    "SB-fences",
    "SB-one-fence",
    "SB-mixed-fence",
    "SB-swap",
    "SB-ring-of-three",
    "MP-relaxed",
    "MP-release-only",
    "MP-acquire-only",
    "MP-release-acquire",
    "MP-seq_cst",
    "MP-fences",
    "MP-fence-to-acquire",
    "MP-plain-data",
    "MP-release-sequence",
    "MP-release-sequence-rmw",
    "MP-release-sequence-broken",
    "LB-relaxed",
    "LB-acquire",
    "LB-release-acquire",
    "LB-one-data",
    "LB-data",
    "LB-false-data",
    "LB-control",
    "S-relaxed",
    "S-release-acquire",
    "R-relaxed",
    "R-fences",
    "R-seq_cst",
    "2+2W-relaxed",
    "2+2W-release",
    "2+2W-seq_cst",
    "WRC-relaxed",
    "WRC-release-acquire",
    "RWC-relaxed",
    "RWC-fences",
    "ISA2-release-acquire",
    "ISA2-relaxed-link",
    "IRIW-acquire",
    "IRIW-fences",
    "IRIW-seq_cst",
    "IRIW-mixed",
    "Z6-mixed",
    "CoRR-relaxed",
    "CoRR-two-readers",
    "CoWW",
    "CoRW",
    "CoWR",
    "counter-fetch-add",
    "counter-load-store",
    "torn-halves",
    "swap-one-winner",
    "cas-one-winner",
    "cas-weak",
    "cas-failure-order",
    "spinlock",
    "spinlock-relaxed-unlock",
    "ticket-lock",
    "seqlock",
    "seqlock-no-fence",
    "dekker",
    "dekker-release-acquire",
    "peterson",
    "peterson-release-acquire",
    "treiber-push",
    "treiber-push-relaxed",
    "spsc-ring",
    "double-checked-init",
    "double-checked-init-relaxed",
    "arc-drop",
    "arc-drop-no-fence",
    "hazard-pointer",
    "lost-wakeup",
    "aba",
    "aba-tagged",
];

/// The text of the library's test of this name, whatever its case.
///
/// # Errors
/// A fault that names the nearest match.
pub fn text(name: &str) -> Result<&'static str, Fault> {
    let known = TESTS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, text)| *text).ok_or_else(|| {
        // A name that goes on as it was typed is nearer than one that differs.
        // Of those the first one teaches first.
        let far = |known: &&str| {
            let goes_on = known.to_lowercase().starts_with(&name.to_lowercase());
            if goes_on { (false, 0) } else { (true, distance(known, name)) }
        };
        let nearest = TESTS.iter().map(|(known, _)| *known).min_by_key(far).unwrap_or_default();
        Fault::new("litmus", format!("no test and no file '{}'", visible(name.as_bytes())))
            .hint(format!("did you mean '{nearest}'? 'syncscope litmus list' names them all"))
    })
}

/// A specification for a test of the library or, where there is none of this
/// name, in a file.
///
/// # Errors
/// A fault where there is neither, or the file cannot be read.
pub fn find(name: &str) -> Result<LitmusSpec, Fault> {
    if TESTS.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
        return Ok(LitmusSpec::named(name));
    }
    // Who writes a path means a file; who writes a bare word may have mistyped.
    let path = Path::new(name);
    if !path.exists() && !name.contains('/') && path.extension().is_none() {
        text(name)?;
    }
    let text = read(path)?;
    Ok(LitmusSpec { text: Some(text), ..LitmusSpec::named(name) })
}

/// Reads a file, as far as a test may be long.
///
/// # Errors
/// A fault where it cannot be read, is too long, or is no text.
pub fn read(path: &Path) -> Result<String, Fault> {
    let name = visible(path.as_os_str().as_encoded_bytes());
    let fault = |what: String| Fault::new(name.clone(), what);
    // A pipe that nobody writes to must not hold the program up.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(|error| fault(format!("cannot open it: {error}")))?;
    let bytes = read_for_a_while(file).map_err(|error| fault(format!("cannot read it: {error}")))?;
    if bytes.len() > Limits::BYTES {
        return Err(fault(format!("it has more than {} bytes, the most that a test may have", Limits::BYTES)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.split(|byte| *byte == b'\n').count();
        fault(format!("line {line} is not UTF-8: this is no litmus test"))
    })
}

/// Reads up to the limit and one byte more, for as long as something comes.
fn read_for_a_while(file: File) -> io::Result<Vec<u8>> {
    let mut file = file.take(Limits::BYTES as u64 + 1);
    let mut bytes = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.read_to_end(&mut bytes) {
            Ok(_) => return Ok(bytes),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let what = format!("nothing came for {} seconds", PATIENCE.as_secs());
                return Err(io::Error::new(io::ErrorKind::TimedOut, what));
            }
            Err(error) => return Err(error),
        }
    }
}

/// The test that a specification asks for, with its orderings as asked.
///
/// # Errors
/// A fault that says what is wrong with the test, or which ordering it has not.
pub fn load(spec: &LitmusSpec) -> Result<Test, Fault> {
    let text = match &spec.text {
        Some(text) => text,
        None => text(&spec.test)?,
    };
    let mut test = parse(&spec.test, text).map_err(|error| {
        Fault::new(error.file.clone(), format!("line {}, column {}: {}", error.at.line, error.at.column, error.what))
    })?;
    let mut orders = test.orders_mut();
    for (slot, order) in &spec.orders {
        apply(&mut orders, *slot, *order)?;
    }
    Ok(test)
}

fn apply(orders: &mut [(Slot, &mut Order, &[Order])], slot: Slot, order: Order) -> Result<(), Fault> {
    let found = orders.iter_mut().find(|(known, ..)| *known == slot);
    match found {
        Some((_, place, choices)) if choices.contains(&order) => {
            **place = order;
            Ok(())
        }
        Some(_) => Err(Fault::new("litmus", format!("P{}'s ordering {} cannot be {order}", slot.thread, slot.index))),
        None => Err(Fault::new("litmus", format!("P{} has no ordering {}", slot.thread, slot.index))),
    }
}

/// How many letters must change (Levenshtein 1966), whatever their case.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.to_lowercase().chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let change = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;
    use crate::backend::lab::litmus::check::judge;
    use crate::backend::lab::litmus::models::MODELS;

    #[test]
    fn every_file_in_the_folder_is_in_the_library_and_named_as_its_test() {
        let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/litmus")).unwrap();
        let files: BTreeSet<String> = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let listed: BTreeSet<String> = TESTS.iter().map(|(name, _)| format!("{name}.litmus")).collect();
        assert_eq!(files, listed);
        for (name, text) in TESTS {
            let test = parse(name, text).unwrap();
            assert_eq!(test.name, *name);
            assert!(!test.headline.is_empty() && !test.comment.is_empty(), "{name} teaches nothing");
        }
    }

    #[test]
    fn every_test_is_judged_as_it_says() {
        for (name, text) in TESTS {
            let test = parse(name, text).unwrap();
            let (_, verdicts) = test.keys.iter().find(|(key, _)| key == "Verdicts").expect("its verdicts");
            let judgements = judge(&test, MODELS, Duration::from_secs(20)).unwrap().judgements;
            let racy: Vec<&str> =
                judgements.iter().filter(|judgement| judgement.race.is_some()).map(|j| j.model.as_str()).collect();
            let races = test.keys.iter().find(|(key, _)| key == "Race").map_or("", |(_, races)| races);
            assert_eq!(races, racy.join(", "), "{name}");
            let found: Vec<String> = judgements
                .iter()
                .map(|judgement| {
                    format!("{} {}", judgement.model, if judgement.allowed { "Allowed" } else { "Forbidden" })
                })
                .collect();
            assert_eq!(*verdicts, found.join(", "), "{name}");
        }
    }

    #[test]
    fn a_mistyped_name_gets_the_nearest() {
        for (typed, nearest) in [("sb-relaxd", "SB-relaxed"), ("IRIW", "IRIW-acquire"), ("corr", "CoRR-relaxed")] {
            let hint = find(typed).unwrap_err().hint.unwrap();
            assert!(hint.contains(nearest), "{typed}: {hint}");
        }
        assert_eq!(find("sb-RELAXED").unwrap().text, None);
        assert!(find("/nowhere/x.litmus").unwrap_err().to_string().contains("/nowhere/x.litmus: cannot open it"));
        assert!(find("/dev/zero").unwrap_err().what.contains("more than 65536 bytes"));
    }

    #[test]
    fn a_pipe_that_nobody_writes_to_does_not_hold_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe.litmus");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let begin = Instant::now();
        let spec = find(path.to_str().unwrap()).unwrap();
        assert_eq!(spec.text.as_deref(), Some(""));
        assert!(load(&spec).unwrap_err().what.contains("expected 'C'"));
        assert!(begin.elapsed() < PATIENCE);
    }

    #[test]
    fn orderings_change_where_they_may() {
        let slot = |thread, index| Slot { thread, index };
        let with = |orders: Vec<(Slot, Order)>| load(&LitmusSpec { orders, ..LitmusSpec::named("SB-relaxed") });
        let mut test = with(vec![(slot(0, 0), Order::SeqCst), (slot(1, 1), Order::Acquire)]).unwrap();
        let found: Vec<Order> = test.orders_mut().into_iter().map(|(_, order, _)| *order).collect();
        assert_eq!(found, [Order::SeqCst, Order::Relaxed, Order::Relaxed, Order::Acquire]);
        assert!(with(vec![(slot(0, 0), Order::Acquire)]).unwrap_err().what.contains("cannot be Acquire"));
        assert!(with(vec![(slot(2, 0), Order::Relaxed)]).unwrap_err().what.contains("P2 has no ordering 0"));
    }
}
