//! Small programs whose verdicts were worked out by hand from the definitions.

use std::fmt::Write as _;

use super::*;
use crate::backend::lab::litmus::models::MODELS;
use crate::backend::lab::litmus::parse::parse;

/// A program in shorthand, a condition, what SC, TSO, RC11 and Rust say about it
/// (`+` allowed, `-` forbidden), and whether RC11 and Rust find a race.
struct Case(&'static str, &'static str, &'static str, [bool; 2]);

/// `x.w.rlx 1; r0 = y.r.acq; r1 = x.add.sc 1; f.sc; *d = 1; r2 = *d; ? r0 == 1 { … }`, threads apart by `||`.
fn expanded(shorthand: &str) -> String {
    let mut out = "C t\n{}\n".to_owned();
    for (thread, body) in shorthand.split("||").enumerate() {
        let _ = writeln!(out, "P{thread} (atomic_int* x, atomic_int* y, atomic_int* z, int* d) {{");
        for statement in body.split(';') {
            out += &one(statement.trim());
        }
        out += "}\n";
    }
    out
}

fn order(short: &str) -> &str {
    match short {
        "rlx" => "relaxed",
        "acq" => "acquire",
        "rel" => "release",
        "ar" => "acq_rel",
        "sc" => "seq_cst",
        other => panic!("{other}"),
    }
}

fn one(statement: &str) -> String {
    if let Some(rest) = statement.strip_prefix('?') {
        return match rest.split_once('{') {
            Some((condition, inner)) => format!("if ({condition}) {{ {}", one(inner.trim())),
            None => panic!("{statement}"),
        };
    }
    if let Some(inner) = statement.strip_suffix('}') {
        return format!("{} }}\n", one(inner.trim()));
    }
    if statement.is_empty() || statement.contains('*') {
        return format!("{statement};\n");
    }
    if let Some(short) = statement.strip_prefix("f.") {
        return format!("atomic_thread_fence(memory_order_{});\n", order(short));
    }
    let (target, access) =
        statement.split_once('=').map_or(("", statement), |(target, access)| (target, access.trim()));
    let target = if target.is_empty() { String::new() } else { format!("int {target}= ") };
    let (access, value) = access.split_once(' ').unwrap_or((access, ""));
    let parts: Vec<&str> = access.split('.').collect();
    match parts[..] {
        [x, "r", short] => format!("{target}atomic_load_explicit({x},memory_order_{});\n", order(short)),
        [x, "w", short] => format!("atomic_store_explicit({x},{value},memory_order_{});\n", order(short)),
        [x, "add", short] => format!("{target}atomic_fetch_add_explicit({x},{value},memory_order_{});\n", order(short)),
        [x, "swap", short] => format!("{target}atomic_exchange_explicit({x},{value},memory_order_{});\n", order(short)),
        [x, kind @ ("strong" | "weak"), success, failure] => {
            let (expected, desired) = value.split_once(' ').unwrap();
            format!(
                "int e = {expected}; {target}atomic_compare_exchange_{kind}_explicit({x},&e,{desired},memory_order_{},memory_order_{});\n",
                order(success),
                order(failure)
            )
        }
        _ => format!("int {statement};\n"),
    }
}

const NO: [bool; 2] = [false, false];
const RACE: [bool; 2] = [true, true];

const CASES: &[Case] = &[
    // Coherence, for every model.
    Case("x.w.rlx 1; x.w.rlx 2 ||", "[x]=1", "----", NO),
    Case("r0 = x.r.rlx; x.w.rlx 1 ||", "0:r0=1", "----", NO),
    Case("x.w.rlx 1; r0 = x.r.rlx || x.w.rlx 2", "0:r0=2 /\\ [x]=1", "----", NO),
    Case(
        "x.w.rlx 1 || x.w.rlx 2 || r0 = x.r.rlx; r1 = x.r.rlx || r0 = x.r.rlx; r1 = x.r.rlx",
        "2:r0=1 /\\ 2:r1=2 /\\ 3:r0=2 /\\ 3:r1=1",
        "----",
        NO,
    ),
    // Release sequences: by the same thread in RC11 only, by read-modify-writes in both.
    Case(
        "*d = 1; x.w.rel 1; x.w.rlx 2 || r0 = x.r.acq; ? r0 == 2 { r1 = *d }",
        "1:r0=2 /\\ 1:r1=0",
        "---+",
        [false, true],
    ),
    Case(
        "*d = 1; x.w.rel 1 || r0 = x.add.rlx 1 || r0 = x.r.acq; ? r0 == 2 { r1 = *d }",
        "2:r0=2 /\\ 2:r1=0",
        "----",
        [false, false],
    ),
    Case("*d = 1; x.w.rel 1 || r0 = x.swap.rlx 3 || r0 = x.r.acq; r9 = 0; ? r0 == 3 { r9 = 1 }", "2:r0=3", "++++", NO),
    Case(
        "y.w.rlx 1; x.w.rel 1 || r0 = x.strong.rlx.rlx 1 2 || r0 = x.r.acq; r1 = y.r.rlx",
        "2:r0=2 /\\ 2:r1=0",
        "----",
        NO,
    ),
    Case(
        "y.w.rlx 1; x.w.rel 1 || r0 = x.add.rlx 1 || r0 = x.add.rlx 1 || r0 = x.r.acq; r1 = y.r.rlx",
        "3:r0=3 /\\ 3:r1=0",
        "----",
        NO,
    ),
    Case("y.w.rlx 1; x.w.rel 1 || x.w.rlx 2 || r0 = x.r.acq; r1 = y.r.rlx", "2:r0=2 /\\ 2:r1=0", "++++", NO),
    Case(
        "y.w.rlx 1; x.w.rel 1 || r0 = x.r.rlx; x.w.rlx 2 || r1 = x.r.acq; r2 = y.r.rlx",
        "1:r0=1 /\\ 2:r1=2 /\\ 2:r2=0",
        "--++",
        NO,
    ),
    Case(
        "y.w.rlx 1; f.rel; x.w.rlx 1 || r0 = x.add.rlx 1 || r0 = x.r.rlx; f.acq; r1 = y.r.rlx",
        "2:r0=2 /\\ 2:r1=0",
        "----",
        NO,
    ),
    Case(
        "y.w.rlx 1; f.rel; x.w.rlx 1 || r0 = x.add.rlx 1 || r0 = x.r.rlx; r1 = y.r.rlx",
        "2:r0=2 /\\ 2:r1=0",
        "--++",
        NO,
    ),
    // A later store of the same thread continues what a fence began, in both.
    Case("y.w.rlx 1; f.rel; x.w.rlx 1; x.w.rlx 2 || r0 = x.r.acq; r1 = y.r.rlx", "1:r0=2 /\\ 1:r1=0", "----", NO),
    // Compare-exchange: the order of a failure is its own.
    Case("*d = 1; x.w.rel 1 || c = x.strong.rlx.acq 0 5; ? c == 0 { r1 = *d }", "1:c=0 /\\ 1:r1=0", "----", NO),
    Case("*d = 1; x.w.rel 1 || c = x.strong.sc.rlx 0 5; ? c == 0 { r1 = *d }", "1:c=0 /\\ 1:r1=0", "--++", RACE),
    Case("*d = 1; x.w.rel 1 || c = x.strong.acq.rlx 1 5; ? c == 1 { r1 = *d }", "1:c=1 /\\ 1:r1=0", "----", NO),
    Case("*d = 1; x.w.rel 1 || c = x.strong.rlx.rlx 1 5; ? c == 1 { r1 = *d }", "1:c=1 /\\ 1:r1=0", "--++", RACE),
    Case(
        "*d = 1; x.w.rel 1 || c = x.weak.rlx.acq 1 5; ? c == 0 { r1 = *d }",
        "1:c=0 /\\ 1:e=0 /\\ 1:r1=0",
        "++++",
        RACE,
    ),
    Case("c = x.strong.rlx.rlx 0 1 || c = x.strong.rlx.rlx 0 2", "0:c=1 /\\ 1:c=1", "----", NO),
    Case("c = x.weak.rlx.rlx 0 1 || c = x.weak.rlx.rlx 0 2", "0:c=0 /\\ 1:c=0 /\\ [x]=0", "++++", NO),
    Case("c = x.strong.rlx.rlx 0 1 || c = x.strong.rlx.rlx 0 2", "0:c=0 /\\ 1:c=0", "----", NO),
    // A failing one stores nothing: on x86-TSO it is a plain load here.
    Case(
        "x.w.rlx 1; c = z.strong.sc.sc 7 8; r0 = y.r.rlx || y.w.rlx 1; f.sc; r0 = x.r.rlx",
        "0:r0=0 /\\ 1:r0=0",
        "-+++",
        NO,
    ),
    // Read-modify-writes are atomic, and in RC11 no fences by themselves.
    Case("r0 = x.swap.rlx 1 || r0 = x.swap.rlx 2", "0:r0=0 /\\ 1:r0=0", "----", NO),
    Case("r0 = x.add.rlx 1 || x.w.rlx 5", "0:r0=0 /\\ [x]=1", "----", NO),
    Case("r0 = x.add.rlx 1 || x.w.rlx 5", "0:r0=0 /\\ [x]=5", "++++", NO),
    Case("r0 = x.add.rlx 1 || x.w.rlx 5", "0:r0=5 /\\ [x]=5", "----", NO),
    Case(
        "x.w.rlx 1; r9 = z.add.ar 1; r0 = y.r.rlx || y.w.rlx 1; r9 = z.add.ar 1; r0 = x.r.rlx",
        "0:r0=0 /\\ 1:r0=0",
        "----",
        NO,
    ),
    Case(
        "x.w.rlx 1; r9 = z.add.rlx 1; r0 = y.r.rlx || y.w.rlx 1; r9 = z.add.rlx 1; r0 = x.r.rlx",
        "0:r0=0 /\\ 1:r0=0",
        "--++",
        NO,
    ),
    // Fences.
    Case("x.w.rlx 1; f.ar; r0 = y.r.rlx || y.w.rlx 1; f.ar; r0 = x.r.rlx", "0:r0=0 /\\ 1:r0=0", "-+++", NO),
    Case("x.w.rlx 1; f.sc; r0 = y.r.rlx || y.w.rlx 1; f.sc; r0 = x.r.rlx", "0:r0=0 /\\ 1:r0=0", "----", NO),
    Case("x.w.rlx 1; f.sc; y.w.rlx 1 || r0 = y.r.rlx; r1 = x.r.rlx", "1:r0=1 /\\ 1:r1=0", "--++", NO),
    Case("x.w.rlx 1; f.sc; y.w.rlx 1 || r0 = y.r.rlx; f.acq; r1 = x.r.rlx", "1:r0=1 /\\ 1:r1=0", "----", NO),
    Case(
        "x.w.rlx 1 || r0 = x.r.rlx; f.sc; r1 = y.r.rlx || y.w.rlx 1; f.sc; r0 = x.r.rlx",
        "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=0",
        "----",
        NO,
    ),
    Case(
        "x.w.rlx 1 || r0 = x.r.rlx; f.sc; r1 = y.r.rlx || r0 = y.r.rlx; f.sc; r1 = x.r.rlx || y.w.rlx 1",
        "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=1 /\\ 2:r1=0",
        "----",
        NO,
    ),
    Case(
        "x.w.rlx 1 || r0 = x.r.acq; r1 = y.r.acq || r0 = y.r.acq; r1 = x.r.acq || y.w.rlx 1",
        "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=1 /\\ 2:r1=0",
        "--++",
        NO,
    ),
    // seq_cst beside weaker orderings: what RC11 repaired.
    Case(
        "x.w.sc 1; y.w.rel 1 || r0 = y.add.sc 1; r1 = y.r.rlx || y.w.sc 3; r0 = x.r.sc",
        "1:r0=1 /\\ 1:r1=3 /\\ 2:r0=0",
        "--++",
        NO,
    ),
    Case(
        "x.w.sc 1 || r0 = x.r.acq; r1 = y.r.sc || r0 = y.r.acq; r1 = x.r.sc || y.w.sc 1",
        "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=1 /\\ 2:r1=0",
        "--++",
        NO,
    ),
    Case(
        "x.w.sc 1 || r0 = x.r.sc; r1 = y.r.sc || r0 = y.r.sc; r1 = x.r.sc || y.w.sc 1",
        "1:r0=1 /\\ 1:r1=0 /\\ 2:r0=1 /\\ 2:r1=0",
        "----",
        NO,
    ),
    Case("x.w.sc 1; r0 = y.r.rlx || y.w.sc 1; r0 = x.r.rlx", "0:r0=0 /\\ 1:r0=0", "--++", NO),
    Case("x.w.sc 1; r0 = y.r.sc || y.w.rlx 1; f.sc; r0 = x.r.sc", "0:r0=0 /\\ 1:r0=0", "----", NO),
    Case("x.w.sc 1; y.w.sc 2 || y.w.sc 1; x.w.sc 2", "[x]=1 /\\ [y]=1", "----", NO),
    Case("x.w.sc 1; y.w.sc 2 || y.w.sc 1; x.w.rel 2", "[x]=1 /\\ [y]=1", "--++", NO),
    Case("x.w.rel 1; y.w.rel 1 || y.w.rel 2; r0 = x.r.acq", "[y]=2 /\\ 1:r0=0", "-+++", NO),
    // Chains of synchronisation.
    Case(
        "x.w.rlx 1; y.w.rel 1 || r0 = y.r.acq; z.w.rel 1 || r0 = z.r.acq; r1 = x.r.rlx",
        "1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0",
        "----",
        NO,
    ),
    Case(
        "x.w.rlx 1; y.w.rel 1 || r0 = y.r.rlx; z.w.rel 1 || r0 = z.r.acq; r1 = x.r.rlx",
        "1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0",
        "--++",
        NO,
    ),
    Case(
        "x.w.rlx 1 || r0 = x.r.acq; y.w.rel 1 || r0 = y.r.acq; r1 = x.r.rlx",
        "1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0",
        "----",
        NO,
    ),
    Case(
        "x.w.rel 1 || r0 = x.r.rlx; y.w.rlx 1 || r0 = y.r.rlx; r1 = x.r.rlx",
        "1:r0=1 /\\ 2:r0=1 /\\ 2:r1=0",
        "--++",
        NO,
    ),
    Case("x.w.rlx 2; y.w.rel 1 || r0 = y.r.acq; x.w.rlx 1", "1:r0=1 /\\ [x]=2", "----", NO),
    // Load buffering and dependencies.
    Case("r0 = x.r.rlx; y.w.rlx 1 || r0 = y.r.rlx; x.w.rlx 1", "0:r0=1 /\\ 1:r0=1", "---+", NO),
    Case("r0 = x.r.acq; y.w.rlx 1 || r0 = y.r.rlx; x.w.rel 1", "0:r0=1 /\\ 1:r0=1", "----", NO),
    Case("r0 = x.r.acq; y.w.rlx 1 || r0 = y.r.acq; x.w.rlx 1", "0:r0=1 /\\ 1:r0=1", "---+", NO),
    Case("r0 = x.r.rlx; y.w.rlx r0 || r0 = y.r.rlx; x.w.rlx 1", "0:r0=1 /\\ 1:r0=1", "---+", NO),
    Case("r0 = x.r.rlx; y.w.rlx r0 || r0 = y.r.rlx; x.w.rlx r0", "0:r0=1", "----", NO),
    Case(
        "r0 = x.r.rlx; ? r0 == 1 { y.w.rlx 1 } || r0 = y.r.rlx; ? r0 == 1 { x.w.rlx 1 }",
        "0:r0=1 /\\ 1:r0=1",
        "----",
        NO,
    ),
    Case("r0 = x.add.rlx 1; y.w.rlx 1 || r0 = y.r.rlx; x.w.rlx r0", "0:r0=1 /\\ 1:r0=1", "---+", NO),
    // Races.
    Case("*d = 1 || *d = 2", "[d]=1", "++++", RACE),
    Case("r0 = *d || r0 = *d", "0:r0=0", "++++", NO),
    Case("*d = 1; x.w.rel 1 || r0 = x.r.acq; ? r0 == 1 { r1 = *d }", "1:r0=1 /\\ 1:r1=0", "----", NO),
    Case("*d = 1; x.w.rlx 1 || r0 = x.r.acq; ? r0 == 1 { r1 = *d }", "1:r0=1 /\\ 1:r1=0", "--++", RACE),
    Case("*d = 1; x.w.sc 1 || r0 = x.r.sc; r1 = *d", "1:r0=0", "++++", RACE),
];

#[test]
fn small_programs_are_judged_as_worked_out_by_hand() {
    let mut wrong = Vec::new();
    for Case(program, condition, verdicts, races) in CASES {
        let text = format!("{}exists ({condition})\n", expanded(program));
        let test = parse("t", &text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let judgements = judge(&test, MODELS, Duration::from_secs(20)).unwrap().judgements;
        let found: String = judgements.iter().map(|judgement| if judgement.allowed { '+' } else { '-' }).collect();
        let raced = [judgements[2].race.is_some(), judgements[3].race.is_some()];
        if found != *verdicts || raced != *races {
            wrong.push(format!("{program}  {condition}: {found} {raced:?}, expected {verdicts} {races:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
