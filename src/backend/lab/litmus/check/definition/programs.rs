//! Small random programs: as steps, and as text in the C dialect.

use std::fmt::Write as _;

use proptest::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ord {
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
    pub(super) fn acq(self) -> bool {
        matches!(self, Ord::Acq | Ord::AcqRel | Ord::Sc)
    }
    pub(super) fn rel(self) -> bool {
        matches!(self, Ord::Rel | Ord::AcqRel | Ord::Sc)
    }
}

/// What a stored value is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stored {
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
pub(super) enum Step {
    Load(usize, Ord),
    Store(usize, Stored, Ord),
    Add(usize, Ord),
    Swap(usize, Stored, Ord),
    Cas(usize, i32, i32, Ord, Ord, bool),
    Fence(Ord),
    /// The rest of the thread only where the latest read saw this.
    Guard(i32),
}

pub(super) const NAMES: [&str; 2] = ["x", "y"];

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

pub(super) fn program() -> impl Strategy<Value = Vec<Vec<Step>>> {
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
pub(super) fn text(program: &[Vec<Step>]) -> String {
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
