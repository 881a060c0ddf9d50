use std::collections::HashSet;

use super::*;
use crate::backend::lab::litmus::models::{MODELS, named};
use crate::backend::lab::litmus::parse::parse;

const TIME: Duration = Duration::from_secs(20);

fn sample(file: &str) -> Test {
    let path = format!("{}/tests/litmus_samples/{file}", env!("CARGO_MANIFEST_DIR"));
    parse(file, &std::fs::read_to_string(path).unwrap()).unwrap()
}

fn judged(test: &Test, models: &[Model]) -> Vec<Judgement> {
    judge(test, models, TIME).unwrap().judgements
}

/// The reference answers: file, model, verdict, observation, undefined, number
/// of states, states, condition.
#[test]
fn the_samples_are_judged_as_the_reference_judges_them() {
    let path = format!("{}/tests/litmus_samples/expected.tsv", env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(path).unwrap();
    let mut compared = 0;
    for row in table.lines().skip(1) {
        let fields: Vec<&str> = row.split('\t').collect();
        let [file, model, verdict, observation, undefined, _, states, condition] = fields[..] else { panic!("{row}") };
        let Some(model) = named(if model == "c2tso" { "tso" } else { model }) else {
            assert_eq!(model, "c11_partialSC", "an unknown model");
            continue;
        };
        let test = sample(file);
        let judgement = judged(&test, &[*model]).remove(0);
        let found = (
            if judgement.allowed { "Allowed" } else { "Forbidden" },
            format!("{:?}", judgement.observation),
            if judgement.race.is_some() { "Race" } else { "-" },
            judgement.states.iter().map(String::as_str).collect::<HashSet<_>>(),
            test.condition.text.as_str(),
        );
        let expected = (verdict, observation.to_owned(), undefined, states.split(" | ").collect(), condition);
        assert_eq!(found, expected, "{file} under {}", model.name);
        assert_eq!(judgement.witness.is_some(), judgement.allowed);
        assert_eq!(judgement.broken.is_some(), !judgement.allowed, "{file} under {}", model.name);
        compared += 1;
    }
    assert_eq!(compared, 13 * 4);
}

fn verdicts(text: &str) -> [bool; 4] {
    let test = parse("t", text).unwrap();
    let judgements = judged(&test, MODELS);
    std::array::from_fn(|model| judgements[model].allowed)
}

fn two(p0: &str, p1: &str, condition: &str) -> [bool; 4] {
    verdicts(&format!(
        "C t\n{{}}\nP0 (atomic_int* x, atomic_int* y, int* d) {{ {p0} }}\n\
         P1 (atomic_int* x, atomic_int* y, int* d) {{ {p1} }}\nexists ({condition})"
    ))
}

fn load(register: &str, location: &str, order: &str) -> String {
    format!("int {register} = atomic_load_explicit({location},memory_order_{order});")
}

fn store(location: &str, value: &str, order: &str) -> String {
    format!("atomic_store_explicit({location},{value},memory_order_{order});")
}

/// In the order of [`MODELS`]: SC, TSO, RC11, Rust.
#[test]
fn what_tells_the_models_apart() {
    let (rlx, rel, acq) = ("relaxed", "release", "acquire");
    // A later relaxed store of the same thread continues a release sequence in
    // RC11, and no longer in C++20.
    let p0 = format!("*d = 1; {}{}", store("y", "1", rel), store("y", "2", rlx));
    let p1 = format!("{} int r1 = 7; if (r0 == 2) {{ r1 = *d; }}", load("r0", "y", acq));
    assert_eq!(two(&p0, &p1, "1:r0=2 /\\ 1:r1=0"), [false, false, false, true]);
    // Load buffering with a dependency that a compiler could remove, and without.
    let lb = |value: &str| {
        let p0 = format!("{}{}", load("r0", "x", rlx), store("y", value, rlx));
        let p1 = format!("{}{}", load("r0", "y", rlx), store("x", value, rlx));
        two(&p0, &p1, "0:r0=1 /\\ 1:r0=1")
    };
    assert_eq!(lb("1"), [false, false, false, true]);
    assert_eq!(lb("(r0 ^ r0) + 1"), [false; 4]);
    assert_eq!(lb("r0"), [false; 4]);
    // A control dependency orders inside the arms only.
    let inside = format!("{} if (r0 == 1) {{ {} }}", load("r0", "x", rlx), store("y", "1", rlx));
    let p1 = format!("{} if (r0 == 1) {{ {} }}", load("r0", "y", rlx), store("x", "1", rlx));
    assert_eq!(two(&inside, &p1, "0:r0=1 /\\ 1:r0=1"), [false; 4]);
    let behind = format!("{} int r1; if (r0 == 1) {{ r1 = 1; }} {}", load("r0", "x", rlx), store("y", "1", rlx));
    assert_eq!(two(&behind, &p1, "0:r0=1 /\\ 1:r0=1"), [false, false, false, true]);
}

#[test]
fn tso_lets_loads_overtake_stores_and_nothing_else() {
    let sb = |middle: &str, order: &str| {
        let body =
            |one: &str, other: &str| format!("{}{middle}{}", store(one, "1", order), load("r0", other, "relaxed"));
        two(&body("x", "y"), &body("y", "x"), "0:r0=0 /\\ 1:r0=0")[1]
    };
    assert!(sb("", "relaxed"));
    assert!(sb("", "release"));
    assert!(!sb("", "seq_cst"));
    assert!(sb("atomic_thread_fence(memory_order_acq_rel);", "relaxed"));
    assert!(sb("atomic_thread_fence(memory_order_acquire);", "relaxed"));
    assert!(!sb("atomic_thread_fence(memory_order_seq_cst);", "relaxed"));
    assert!(!sb("atomic_fetch_add_explicit(d,1,memory_order_relaxed);", "relaxed"));
}

#[test]
fn compare_exchange_is_atomic_and_only_the_weak_one_fails_for_nothing() {
    let take = |kind: &str| {
        format!(
            "int e = 0; int r0 = atomic_compare_exchange_{kind}_explicit(x,&e,1,memory_order_relaxed,memory_order_relaxed);"
        )
    };
    let both = |kind: &str, condition: &str| two(&take(kind), &take(kind), condition);
    assert_eq!(both("strong", "0:r0=1 /\\ 1:r0=1"), [false; 4]);
    assert_eq!(both("strong", "0:r0=0 /\\ 1:r0=0"), [false; 4]);
    assert_eq!(both("strong", "0:e=1 /\\ 0:r0=0"), [true; 4]);
    assert_eq!(both("weak", "0:r0=1 /\\ 1:r0=1"), [false; 4]);
    assert_eq!(both("weak", "0:r0=0 /\\ 1:r0=0"), [true; 4]);
    let plain = "int r0 = atomic_compare_exchange_strong(x,d,5);";
    assert_eq!(two("*d = 3; int r0 = atomic_compare_exchange_strong(x,d,5);", "", "0:r0=0 /\\ d=0 /\\ x=0"), [true; 4]);
    assert_eq!(two(plain, "", "0:r0=1 /\\ d=0 /\\ x=5"), [true; 4]);
}

#[test]
fn an_unordered_plain_access_is_a_race_and_an_ordered_one_is_not() {
    let race = |order_out: &str, order_in: &str| {
        let text = format!(
            "C t\n{{}}\nP0 (atomic_int* x, int* d) {{ *d = 1; {} }}\nP1 (atomic_int* x, int* d) {{ {} if (r0 == 1) {{ int r1 = *d; }} }}\nexists (1:r1=1)",
            store("x", "1", order_out),
            load("r0", "x", order_in),
        );
        let judgements = judged(&parse("t", &text).unwrap(), MODELS);
        judgements.into_iter().map(|judgement| judgement.race).collect::<Vec<_>>()
    };
    assert_eq!(race("release", "acquire"), [None, None, None, None]);
    let pair = Some(("P0: *d = 1".to_owned(), "P1: *d read as 0".to_owned()));
    assert_eq!(race("relaxed", "acquire")[2..], [pair.clone(), pair]);
}

#[test]
fn a_forbidden_outcome_names_its_axiom_and_cycle() {
    let judgements = judged(&sample("SB-fences.litmus"), MODELS);
    let tso = judgements[1].broken.clone().unwrap();
    assert_eq!(tso.axiom, "tso");
    let steps: Vec<_> = tso.cycle.iter().map(|(event, name)| format!("{event} -{name}->")).collect();
    assert_eq!(steps.len(), 4, "{steps:?}");
    assert!(steps.iter().any(|step| step == "P0: y.load(Relaxed) = 0 -fr->"), "{steps:?}");
    assert_eq!(judgements[2].broken.as_ref().unwrap().axiom, "seq_cst");
    let corr = judged(&sample("CoRR-relaxed.litmus"), MODELS);
    assert_eq!(corr[2].broken.as_ref().unwrap().axiom, "coherence");
    let mp = judged(&sample("MP-release-acquire.litmus"), MODELS);
    let cycle = &mp[2].broken.as_ref().unwrap().cycle;
    assert!(cycle.iter().any(|(_, name)| name == "sw"), "{cycle:?}");
}

#[test]
fn what_is_too_large_is_said_and_never_hangs() {
    let thread = |n: usize| {
        let writes: String = (0..4).map(|w| store("x", &(n * 4 + w).to_string(), "relaxed")).collect();
        format!("P{n} (atomic_int* x) {{ {writes} }}\n")
    };
    let threads: String = (0..4).map(thread).collect();
    let test = parse("t", &format!("C t\n{{}}\n{threads}exists (x=3)")).unwrap();
    let begin = Instant::now();
    let error = judge(&test, MODELS, Duration::from_millis(300)).unwrap_err();
    assert!(error.contains("orders of the 16 writes to x"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(5));
    let threads = (0..8)
        .map(|n| format!("P{n} (atomic_int* x) {{ {} }}\n", "atomic_thread_fence(memory_order_seq_cst);".repeat(9)))
        .collect::<Vec<_>>()
        .concat();
    let test = parse("t", &format!("C t\n{{}}\n{threads}exists (x=3)")).unwrap();
    assert!(judge(&test, MODELS, TIME).unwrap_err().contains("at most 64 are checked"));
}

#[test]
fn a_value_that_doubles_again_and_again_is_computed_once() {
    let doubling = "r0 = r0 + r0;".repeat(100);
    let text = format!("int r0 = atomic_load(x); {doubling} if (r0 == 0) {{ *d = 1; }}");
    assert_eq!(two(&text, "", "0:r0=0 /\\ d=1"), [true; 4]);
}

#[test]
fn both_sides_must_take_part_in_synchronisation() {
    let fence = |order: &str| {
        if order.is_empty() { String::new() } else { format!("atomic_thread_fence(memory_order_{order});") }
    };
    for (out, fence_out, fence_in, inward, allowed) in [
        ("release", "", "", "acquire", false),
        ("release", "", "", "relaxed", true),
        ("relaxed", "", "", "acquire", true),
        ("relaxed", "release", "acquire", "relaxed", false),
        ("relaxed", "release", "", "acquire", false),
        ("release", "", "acquire", "relaxed", false),
        ("relaxed", "acquire", "release", "relaxed", true),
        ("relaxed", "release", "", "relaxed", true),
        ("relaxed", "", "acquire", "relaxed", true),
        ("relaxed", "seq_cst", "seq_cst", "relaxed", false),
    ] {
        let p0 = format!("{}{}{}", store("x", "1", "relaxed"), fence(fence_out), store("y", "1", out));
        let p1 = format!("{}{}{}", load("r0", "y", inward), fence(fence_in), load("r1", "x", "relaxed"));
        let found = two(&p0, &p1, "1:r0=1 /\\ 1:r1=0");
        assert_eq!(found, [false, false, allowed, allowed], "{out} {fence_out} | {fence_in} {inward}");
    }
}
