use std::fmt::Write as _;
use std::time::Duration;

use crate::backend::lab::litmus::ast::Test;
use crate::backend::lab::litmus::check::judge;
use crate::backend::lab::litmus::library::TESTS;
use crate::backend::lab::litmus::models::MODELS;
use crate::backend::lab::litmus::parse::parse;
use crate::backend::lab::litmus::source::source;
use crate::model::litmus::Piece;

fn lines(test: &Test, thread: usize) -> Vec<String> {
    let text = |piece: &Piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Order { order, .. } => order.to_string(),
    };
    source(test, thread).iter().map(|line| line.pieces.iter().map(text).collect()).collect()
}

#[test]
fn every_test_of_the_library_reads_the_same_in_the_short_notation() {
    for (name, text) in TESTS {
        let test = parse(name, text).unwrap();
        let mut short = format!("Rust {name}\n{{ ");
        for place in &test.locations {
            let _ = write!(short, "{} = {}; ", place.name, place.initial);
        }
        short.push_str("}\n");
        for thread in 0..test.threads.len() {
            let _ = writeln!(short, "P{thread}:\n{}", lines(&test, thread).join("\n"));
        }
        let _ = writeln!(short, "{}", test.condition.text);
        let again = parse(name, &short).unwrap_or_else(|error| panic!("{error}\n{short}"));
        for thread in 0..test.threads.len() {
            assert_eq!(lines(&again, thread), lines(&test, thread), "{short}");
        }
        assert_eq!(again.condition.text, test.condition.text);
        let verdicts = |test| judge(test, MODELS, Duration::from_secs(20)).unwrap().allowed;
        if test.filter.is_none() && test.observed.len() == again.observed.len() {
            assert_eq!(verdicts(&again), verdicts(&test), "{short}");
        }
    }
}

#[test]
fn what_is_wrong_is_said_as_in_c() {
    let error = |body: &str| parse("f", &format!("Rust a\n{{}}\nP0: {body}\nexists (x=0)")).unwrap_err().to_string();
    for (body, what) in [
        ("x.store(1, Acquire);", "f:3:16: a store cannot be ordered so; expected Relaxed, Release, SeqCst"),
        ("let r0 = r1;", "f:3:14: no register 'r1' in this thread; expected a value"),
        ("loop { }", "f:3:5: loops are not read: a litmus test is loop-free"),
        ("x.store(1, Relaxed)", "f:4:1: expected ';', found 'exists'"),
        (
            "let r0 = x.compare_exchange(0, 1, Relaxed, Relaxed);",
            "f:3:16: a compare-exchange gives two values: let (ok, old) = x.compare_exchange(…)",
        ),
        ("let r0 = 1; r0.load(Relaxed);", "f:3:17: 'r0' is a register, and no shared location"),
        ("let r0 = !1;", "f:3:14: write 'e == 0': '!' inverts bits in Rust"),
    ] {
        assert_eq!(error(body), what);
    }
}

#[test]
fn it_binds_as_rust_does() {
    let text = "Rust a\n{ x = 6; }\nP0: let r0 = *x; let r1 = r0 & 2 == 2; x.fetch_add(Ordering_free, Relaxed);\nexists (0:r1=1)";
    assert!(parse("f", text).unwrap_err().what.contains("no register 'Ordering_free'"));
    let text =
        "Rust a\n{ x = 6; }\nP0: let r0 = *x; let r1 = r0 & 2 == 2; x.swap(1, Ordering::AcqRel);\nexists (0:r1=1)";
    let judged = judge(&parse("f", text).unwrap(), MODELS, Duration::from_secs(5)).unwrap();
    assert!(judged.judgements.iter().all(|judgement| judgement.allowed));
}
