//! The checker beside a second one, written as plainly as the definitions read:
//! a read-modify-write is one event, every value is guessed, every order of the
//! writes and every writer of a read is tried, and an axiom is a loop.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::backend::lab::litmus::models::MODELS;
use crate::backend::lab::litmus::parse::parse;

/// Values that are guessed for reads: no program below makes a larger one.
const VALUES: std::ops::Range<i32> = 0..5;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ord {
    Na,
    Rlx,
    Acq,
    Rel,
    AcqRel,
    Sc,
}

impl Ord {
    fn c(self) -> &'static str {
        match self {
            Ord::Na | Ord::Rlx => "relaxed",
            Ord::Acq => "acquire",
            Ord::Rel => "release",
            Ord::AcqRel => "acq_rel",
            Ord::Sc => "seq_cst",
        }
    }
    fn acq(self) -> bool {
        matches!(self, Ord::Acq | Ord::AcqRel | Ord::Sc)
    }
    fn rel(self) -> bool {
        matches!(self, Ord::Rel | Ord::AcqRel | Ord::Sc)
    }
}

/// What a stored value is made of.
#[derive(Clone, Copy, Debug)]
enum Stored {
    Constant(i32),
    /// The register of the thread's latest read, or 0.
    Last,
    /// `(r ^ r) + 1`
    OneOfLast,
}

impl Stored {
    fn text(self, last: &str) -> String {
        match self {
            Stored::Constant(value) => value.to_string(),
            Stored::Last => last.to_owned(),
            Stored::OneOfLast => format!("({last} ^ {last}) + 1"),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Load(usize, Ord),
    Store(usize, Stored, Ord),
    Add(usize, Ord),
    Swap(usize, Stored, Ord),
    Cas(usize, i32, i32, Ord, Ord, bool),
    Fence(Ord),
    /// The rest of the thread only where the latest read saw this.
    Guard(i32),
}

const NAMES: [&str; 2] = ["x", "y"];

fn step() -> impl Strategy<Value = Step> {
    let location = 0..2_usize;
    let load = prop::sample::select(vec![Ord::Na, Ord::Rlx, Ord::Rlx, Ord::Acq, Ord::Sc]);
    let store = prop::sample::select(vec![Ord::Na, Ord::Rlx, Ord::Rlx, Ord::Rel, Ord::Sc]);
    let modify = prop::sample::select(vec![Ord::Rlx, Ord::Acq, Ord::Rel, Ord::AcqRel, Ord::Sc]);
    let fence = prop::sample::select(vec![Ord::Acq, Ord::Rel, Ord::AcqRel, Ord::Sc, Ord::Sc]);
    let failure = prop::sample::select(vec![Ord::Rlx, Ord::Acq, Ord::Sc]);
    let value = prop_oneof![
        4 => (1..3_i32).prop_map(Stored::Constant),
        1 => Just(Stored::Last),
        1 => Just(Stored::OneOfLast),
    ];
    prop_oneof![
        5 => (location.clone(), load).prop_map(|(x, order)| Step::Load(x, order)),
        5 => (location.clone(), value.clone(), store).prop_map(|(x, value, order)| Step::Store(x, value, order)),
        1 => (location.clone(), modify.clone()).prop_map(|(x, order)| Step::Add(x, order)),
        2 => (location.clone(), value, modify.clone()).prop_map(|(x, value, order)| Step::Swap(x, value, order)),
        1 => (location, 0..2_i32, 1..3_i32, modify, failure, any::<bool>())
            .prop_map(|(x, expected, desired, order, failure, weak)| Step::Cas(x, expected, desired, order, failure, weak)),
        2 => fence.prop_map(Step::Fence),
        1 => (0..2_i32).prop_map(Step::Guard),
    ]
}

fn program() -> impl Strategy<Value = Vec<Vec<Step>>> {
    let threads = prop_oneof![
        3 => prop::collection::vec(prop::collection::vec(step(), 1..4), 2..3),
        1 => prop::collection::vec(prop::collection::vec(step(), 1..3), 3..4),
    ];
    threads.prop_filter("small enough to be tried out", |threads| {
        let steps = threads.iter().flatten();
        let adds = steps.clone().filter(|step| matches!(step, Step::Add(..))).count();
        let reads = steps.filter(|step| !matches!(step, Step::Store(..) | Step::Fence(_) | Step::Guard(_))).count();
        adds <= 2 && reads <= 4
    })
}

/// The program in the C dialect. Register n of a thread is its n-th read's.
fn text(program: &[Vec<Step>]) -> String {
    let mut out = "C t\n{}\n".to_owned();
    let mut observed = String::new();
    for (thread, steps) in program.iter().enumerate() {
        let _ = writeln!(out, "P{thread} (atomic_int* x, atomic_int* y) {{");
        let (mut reads, mut open) = (0, 0);
        for step in steps {
            let last = if reads == 0 { "0".to_owned() } else { format!("r{}", reads - 1) };
            let fresh = format!("int r{reads} =");
            let read = !matches!(step, Step::Store(..) | Step::Fence(_) | Step::Guard(_));
            let line = match *step {
                Step::Load(x, Ord::Na) => format!("{fresh} *{};\n", NAMES[x]),
                Step::Load(x, order) => {
                    format!("{fresh} atomic_load_explicit({},memory_order_{});\n", NAMES[x], order.c())
                }
                Step::Store(x, value, Ord::Na) => format!("*{} = {};\n", NAMES[x], value.text(&last)),
                Step::Store(x, value, order) => {
                    let value = value.text(&last);
                    format!("atomic_store_explicit({},{value},memory_order_{});\n", NAMES[x], order.c())
                }
                Step::Add(x, order) => {
                    format!("{fresh} atomic_fetch_add_explicit({},1,memory_order_{});\n", NAMES[x], order.c())
                }
                Step::Swap(x, value, order) => {
                    let value = value.text(&last);
                    format!("{fresh} atomic_exchange_explicit({},{value},memory_order_{});\n", NAMES[x], order.c())
                }
                Step::Cas(x, expected, desired, order, failure, weak) => format!(
                    "int r{reads} = {expected}; int s{reads} = atomic_compare_exchange_{}_explicit({},&r{reads},{desired},memory_order_{},memory_order_{});\n",
                    if weak { "weak" } else { "strong" },
                    NAMES[x],
                    order.c(),
                    failure.c()
                ),
                Step::Fence(order) => format!("atomic_thread_fence(memory_order_{});\n", order.c()),
                Step::Guard(value) => {
                    open += 1;
                    format!("if ({last} == {value}) {{\n")
                }
            };
            out.push_str(&line);
            if read {
                let _ = write!(observed, "{thread}:r{reads}; ");
                reads += 1;
            }
        }
        out += &"}".repeat(open);
        out += "}\n";
    }
    out + &format!("locations [{observed}x; y;]\nexists (true)\n")
}

#[derive(Clone, Debug)]
struct Ev {
    thread: usize,
    location: usize,
    read: Option<i32>,
    write: Option<i32>,
    order: Ord,
    fence: bool,
    /// Whether its register holds what it read: a compare-exchange that stored
    /// leaves the expected value where it was.
    carries: bool,
    /// Position in the thread of the read whose value is stored.
    data: Option<usize>,
    ctrl: Vec<usize>,
}

#[derive(Clone, Debug, Default)]
struct Trace {
    events: Vec<Ev>,
    registers: Vec<i32>,
}

/// Everything a thread may do if reads may see whatever they like.
fn traces(thread: usize, steps: &[Step], done: &Trace, last: Option<usize>, ctrl: &[usize], out: &mut Vec<Trace>) {
    let Some(step) = steps.first() else { return out.push(done.clone()) };
    let rest = &steps[1..];
    let value_of = |at: Option<usize>| at.and_then(|at: usize| done.events[at].read).unwrap_or(0);
    let event = |location, read, write, order| Ev {
        thread,
        location,
        read,
        write,
        order,
        fence: false,
        carries: true,
        data: None,
        ctrl: ctrl.to_vec(),
    };
    let carrier = last.filter(|at| done.events[*at].carries);
    // What is stored, and the read on which it depends.
    let stored = |value| match value {
        Stored::Constant(value) => (value, None),
        Stored::Last => (value_of(last), carrier),
        Stored::OneOfLast => (1, carrier),
    };
    let add = |event: Ev, register: Option<i32>, out: &mut Vec<Trace>| {
        let mut next = done.clone();
        let is_read = event.read.is_some();
        next.events.push(event);
        next.registers.extend(register);
        let last = if is_read { Some(next.events.len() - 1) } else { last };
        traces(thread, rest, &next, last, ctrl, out);
    };
    match *step {
        Step::Guard(value) => {
            if value_of(last) == value {
                let mut inside = ctrl.to_vec();
                inside.extend(carrier);
                traces(thread, rest, done, last, &inside, out);
            } else {
                let mut next = done.clone();
                for step in rest {
                    if !matches!(step, Step::Store(..) | Step::Fence(_) | Step::Guard(_)) {
                        next.registers.push(0);
                    }
                }
                out.push(next);
            }
        }
        Step::Fence(order) => add(Ev { fence: true, ..event(9, None, None, order) }, None, out),
        Step::Store(x, value, order) => {
            let (stored, data) = stored(value);
            add(Ev { data, ..event(x, None, Some(stored), order) }, None, out);
        }
        Step::Load(x, order) => VALUES.for_each(|v| add(event(x, Some(v), None, order), Some(v), out)),
        Step::Add(x, order) => VALUES.for_each(|v| add(event(x, Some(v), Some(v + 1), order), Some(v), out)),
        Step::Swap(x, value, order) => {
            let (stored, data) = stored(value);
            VALUES.for_each(|v| add(Ev { data, ..event(x, Some(v), Some(stored), order) }, Some(v), out));
        }
        Step::Cas(x, expected, desired, order, failure, weak) => {
            let stored = Ev { carries: false, ..event(x, Some(expected), Some(desired), order) };
            add(stored, Some(expected), out);
            VALUES.filter(|v| weak || *v != expected).for_each(|v| add(event(x, Some(v), None, failure), Some(v), out));
        }
    }
}

type Matrix = Vec<Vec<bool>>;

fn matrix(size: usize, related: impl Fn(usize, usize) -> bool) -> Matrix {
    (0..size).map(|a| (0..size).map(|b| related(a, b)).collect()).collect()
}
fn seq(a: &Matrix, b: &Matrix) -> Matrix {
    matrix(a.len(), |x, z| (0..a.len()).any(|y| a[x][y] && b[y][z]))
}
fn or(all: &[&Matrix]) -> Matrix {
    matrix(all[0].len(), |a, b| all.iter().any(|m| m[a][b]))
}
fn opt(a: &Matrix) -> Matrix {
    matrix(a.len(), |x, y| x == y || a[x][y])
}
fn plus(a: &Matrix) -> Matrix {
    let mut all = a.clone();
    loop {
        let more = or(&[&all, &seq(&all, a)]);
        if more == all {
            return all;
        }
        all = more;
    }
}
fn irreflexive(a: &Matrix) -> bool {
    (0..a.len()).all(|x| !a[x][x])
}
fn acyclic(a: &Matrix) -> bool {
    irreflexive(&plus(a))
}

/// Which models find an execution consistent, and whether RC11 and Rust see a
/// race in it.
#[expect(clippy::many_single_char_names, reason = "the names of the relations in the papers")]
fn consistent(events: &[Ev], starts: &[usize], rf: &Matrix, mo: &Matrix) -> ([bool; 4], [bool; 2]) {
    let n = events.len();
    let e = events;
    let init = |a: usize| e[a].thread == usize::MAX;
    let sb = matrix(n, |a, b| !init(a) && e[a].thread == e[b].thread && a < b);
    let loc = matrix(n, |a, b| !e[a].fence && !e[b].fence && e[a].location == e[b].location);
    let (r, w) = (|a: usize| e[a].read.is_some(), |a: usize| e[a].write.is_some());
    let rmw = |a: usize| r(a) && w(a);
    let rb = matrix(n, |a, b| a != b && (0..n).any(|c| rf[c][a] && mo[c][b]));
    let id = |set: &dyn Fn(usize) -> bool| matrix(n, |a, b| a == b && set(a));
    let atomic = !(0..n).any(|a| rmw(a) && (0..n).any(|b| rb[a][b] && mo[b][a]));
    let is_sc_fence = |a: usize| e[a].fence && e[a].order == Ord::Sc;

    let sc = atomic && acyclic(&or(&[&sb, rf, mo, &rb]));

    let po_loc = matrix(n, |a, b| sb[a][b] && loc[a][b]);
    let ppo = matrix(n, |a, b| {
        let overtakes = w(a) && !r(a) && r(b) && !w(b);
        let fenced = (0..n).any(|c| is_sc_fence(c) && sb[a][c] && sb[c][b]);
        sb[a][b] && !e[a].fence && !e[b].fence && (!overtakes || e[a].order == Ord::Sc || fenced)
    });
    let rfe = matrix(n, |a, b| rf[a][b] && e[a].thread != e[b].thread);
    let tso = atomic && acyclic(&or(&[&po_loc, rf, mo, &rb])) && acyclic(&or(&[&ppo, &rfe, mo, &rb]));

    let eco = plus(&or(&[rf, mo, &rb]));
    let is_atomic = |a: usize| !init(a) && e[a].order != Ord::Na;
    let chain = {
        let rfrmw = matrix(n, |a, b| rf[a][b] && rmw(b));
        opt(&plus(&rfrmw))
    };
    let language = |rs: &Matrix| {
        let fence_before = opt(&matrix(n, |a, b| e[a].fence && sb[a][b]));
        let fence_after = opt(&matrix(n, |a, b| sb[a][b] && e[b].fence));
        let mut sw = seq(&id(&|a| !init(a) && e[a].order.rel()), &fence_before);
        sw = seq(&seq(&sw, rs), rf);
        sw = seq(&seq(&sw, &id(&|a| r(a) && is_atomic(a))), &fence_after);
        sw = seq(&sw, &id(&|a| !init(a) && e[a].order.acq()));
        let hb = plus(&or(&[&sb, &sw]));
        let sbl = matrix(n, |a, b| sb[a][b] && !loc[a][b]);
        let hbl = matrix(n, |a, b| hb[a][b] && loc[a][b]);
        let scb = or(&[&sb, &seq(&seq(&sbl, &hb), &sbl), &hbl, mo, &rb]);
        let is_sc = |a: usize| !init(a) && e[a].order == Ord::Sc;
        let f = id(&is_sc_fence);
        let pscb = seq(&seq(&or(&[&id(&is_sc), &seq(&f, &opt(&hb))]), &scb), &or(&[&id(&is_sc), &seq(&opt(&hb), &f)]));
        let pscf = seq(&seq(&f, &or(&[&hb, &seq(&seq(&hb, &eco), &hb)])), &f);
        let race = (0..n).any(|a| {
            (0..n).any(|b| {
                (w(a) || w(b))
                    && loc[a][b]
                    && !init(a)
                    && !init(b)
                    && e[a].thread != e[b].thread
                    && !(is_atomic(a) && is_atomic(b))
                    && !hb[a][b]
                    && !hb[b][a]
            })
        });
        let fine = irreflexive(&seq(&hb, &opt(&eco)))
            && !(0..n).any(|a| rmw(a) && eco[a][a])
            && atomic
            && acyclic(&or(&[&pscb, &pscf]));
        (fine, race)
    };
    let own = opt(&po_loc);
    let rs11 = seq(&seq(&seq(&id(&w), &own), &id(&|a| w(a) && is_atomic(a))), &chain);
    let rs20 = seq(&id(&|a| w(a) && is_atomic(a)), &chain);
    let (rc11, race11) = language(&rs11);
    let (rust, race20) = language(&rs20);
    let rc11 = rc11 && acyclic(&or(&[&sb, rf]));
    let dependent = matrix(n, |a, b| {
        let within = |at: usize| !init(a) && !init(b) && e[a].thread == e[b].thread && starts[e[b].thread] + at == a;
        e[b].data.is_some_and(within) || e[b].ctrl.iter().any(|at| within(*at))
    });
    let rust = rust && acyclic(&or(&[&dependent, rf]));
    ([sc, tso, rc11, rust], [race11 && rc11, race20 && rust])
}

/// The final states of each model, and the races.
fn by_definition(program: &[Vec<Step>]) -> ([BTreeSet<Vec<i32>>; 4], [bool; 2]) {
    let mut found: ([BTreeSet<Vec<i32>>; 4], [bool; 2]) = Default::default();
    let all: Vec<Vec<Trace>> = program
        .iter()
        .enumerate()
        .map(|(thread, steps)| {
            let mut out = Vec::new();
            traces(thread, steps, &Trace::default(), None, &[], &mut out);
            out
        })
        .collect();
    let mut chosen = vec![0; all.len()];
    loop {
        combination(&all.iter().zip(&chosen).map(|(t, c)| &t[*c]).collect::<Vec<_>>(), &mut found);
        let Some(digit) = (0..all.len()).find(|t| chosen[*t] + 1 < all[*t].len()) else { return found };
        chosen[digit] += 1;
        chosen[..digit].fill(0);
    }
}

fn combination(traces: &[&Trace], found: &mut ([BTreeSet<Vec<i32>>; 4], [bool; 2])) {
    let initial = |location| Ev {
        thread: usize::MAX,
        location,
        read: None,
        write: Some(0),
        order: Ord::Na,
        fence: false,
        carries: false,
        data: None,
        ctrl: Vec::new(),
    };
    let mut events: Vec<Ev> = (0..NAMES.len()).map(initial).collect();
    let mut starts = Vec::new();
    for trace in traces {
        starts.push(events.len());
        events.extend(trace.events.iter().cloned());
    }
    let n = events.len();
    let reads: Vec<usize> = (0..n).filter(|a| events[*a].read.is_some()).collect();
    let writers = |read: usize| -> Vec<usize> {
        let fits = |w: &usize| {
            *w != read && events[*w].location == events[read].location && events[*w].write == events[read].read
        };
        (0..n).filter(fits).collect()
    };
    let choices: Vec<Vec<usize>> = reads.iter().map(|read| writers(*read)).collect();
    if choices.iter().any(Vec::is_empty) {
        return;
    }
    let orders: Vec<Vec<Vec<usize>>> = (0..NAMES.len())
        .map(|x| {
            let writes: Vec<_> =
                (NAMES.len()..n).filter(|a| events[*a].write.is_some() && events[*a].location == x).collect();
            permutations(&writes)
                .into_iter()
                .map(|mut order| {
                    order.insert(0, x);
                    order
                })
                .collect()
        })
        .collect();
    for (order_x, order_y) in orders[0].iter().flat_map(|x| orders[1].iter().map(move |y| (x, y))) {
        let before = |order: &[usize], a: usize, b: usize| {
            let at = |e: usize| order.iter().position(|o| *o == e);
            at(a).zip(at(b)).is_some_and(|(a, b)| a < b)
        };
        let mo = matrix(n, |a, b| before(order_x, a, b) || before(order_y, a, b));
        let mut picked = vec![0; reads.len()];
        loop {
            let rf = matrix(n, |a, b| {
                reads.iter().zip(&choices).zip(&picked).any(|((read, choice), pick)| *read == b && choice[*pick] == a)
            });
            let (fine, races) = consistent(&events, &starts, &rf, &mo);
            let mut state: Vec<i32> = traces.iter().flat_map(|trace| trace.registers.iter().copied()).collect();
            for order in [order_x, order_y] {
                state.push(events[order[order.len() - 1]].write.unwrap_or(0));
            }
            for (model, fine) in fine.iter().enumerate() {
                if *fine {
                    found.0[model].insert(state.clone());
                }
            }
            found.1[0] |= races[0];
            found.1[1] |= races[1];
            let Some(digit) = (0..picked.len()).find(|r| picked[*r] + 1 < choices[*r].len()) else { break };
            picked[digit] += 1;
            picked[..digit].fill(0);
        }
    }
}

fn permutations(left: &[usize]) -> Vec<Vec<usize>> {
    if left.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in left.iter().enumerate() {
        let mut rest = left.to_vec();
        rest.remove(index);
        for mut order in permutations(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn states_and_races_are_those_of_the_definitions(program in program()) {
        let text = text(&program);
        let test = parse("t", &text).unwrap();
        let judged = judge(&test, MODELS, Duration::from_mins(1)).unwrap();
        let (states, races) = by_definition(&program);
        for (index, model) in MODELS.iter().enumerate() {
            let own = judged.allowed.iter().filter(|(_, allowed)| **allowed >> index & 1 == 1).map(|(state, _)| state.clone());
            prop_assert_eq!(own.collect::<BTreeSet<_>>(), states[index].clone(), "{} of\n{}", model.name, text);
        }
        let found = [judged.judgements[2].race.is_some(), judged.judgements[3].race.is_some()];
        prop_assert_eq!(found, races, "races of\n{}", text);
    }
}
