//! What each ordering costs: an operation in machine code, many times in a row,
//! alone and while another CPU changes the same location.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use super::{available_cpus, pin};
use crate::backend::lab::litmus::ast::{Expression, Location, Modification, Op, Register};
use crate::backend::lab::litmus::jit::{Body, Line, Runnable};
use crate::model::Fault;
use crate::model::litmus::Order;
use crate::model::sorting;

/// The same operation so many times in a row, so that the loop weighs little.
const UNROLLED: usize = 32;
/// Turns of the loop that are timed together.
const TURNS: usize = 256;
/// How long each operation is measured.
const TIME: Duration = Duration::from_millis(12);
/// How long it is tried at most to measure it beside another CPU: on a busy
/// machine that one is somebody else's for most of the time.
const PATIENCE: Duration = Duration::from_millis(60);
/// Turns that are timed together beside another CPU: short rounds, of which few are
/// cut by whoever else wants a CPU.
const TURNS_BESIDE: usize = 32;
/// So many rounds beside another CPU are enough for a median, and so many needed.
const ENOUGH: usize = 256;
const NEEDED: usize = 32;
/// The other CPU has been at it throughout a round if it added so often at least.
const ADDS_PER_SECOND: f64 = 1e6;

/// What an operation costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The operation, in Rust's notation.
    pub operation: String,
    /// Its machine code; empty where compiled code does it.
    pub code: String,
    /// Nanoseconds, nobody else using the location: the fastest of many rounds.
    pub alone_ns: f64,
    /// The median of rounds throughout which another CPU added to the location;
    /// `None` where there is no other CPU or it had other things to do, and for
    /// fences, which have no location.
    pub contended_ns: Option<f64>,
}

/// Measures all of them, in about half a second.
///
/// # Errors
/// A fault where the kernel gives no executable memory.
pub fn measure() -> Result<Vec<Cost>, Fault> {
    operations().into_iter().map(|(name, op)| cost(name, op)).collect()
}

fn operations() -> Vec<(String, Op)> {
    let (to, x) = (Register(0), Location(0));
    let mut all = Vec::new();
    for order in [Order::Relaxed, Order::Acquire, Order::SeqCst] {
        all.push((format!("x.load({order})"), Op::Load { to, from: x, order }));
    }
    for order in [Order::Relaxed, Order::Release, Order::SeqCst] {
        all.push((format!("x.store(1, {order})"), Op::Store { to: x, value: Expression::Constant(1), order }));
    }
    for order in [Order::Relaxed, Order::AcqRel, Order::SeqCst] {
        let operand = Expression::Constant(1);
        let op = Op::Modify { old: to, at: x, kind: Modification::Add, operand, order };
        all.push((format!("x.fetch_add(1, {order})"), op));
    }
    for order in [Order::Acquire, Order::Release, Order::SeqCst] {
        all.push((format!("fence({order})"), Op::Fence { order }));
    }
    all
}

fn cost(operation: String, op: Op) -> Result<Cost, Fault> {
    let is_fence = matches!(op, Op::Fence { .. });
    let ops = vec![op; UNROLLED];
    let body = Body { ops: &ops, registers: 1, outputs: &[], spacing: 1, stride: 0 };
    let runnable = Runnable::new(&body, 1)?;
    let listing = runnable.code().listing.iter().filter(|instruction| instruction.body);
    let each = listing.clone().count() / UNROLLED;
    let code: Vec<&str> = listing.take(each).map(|instruction| instruction.text.as_str()).collect();
    let code = if code.is_empty() { "none".to_owned() } else { code.join("; ") };
    let memory = [Line::default()];
    let cpus = available_cpus();
    let (alone, contended) = std::thread::scope(|scope| {
        let measured = scope.spawn(|| {
            pin(cpus.first().copied());
            let alone = rounds(&runnable, &memory).first().copied();
            let Some(other) = cpus.get(1).copied().filter(|_| !is_fence) else { return (alone, None) };
            let (stop, added) = (AtomicBool::new(false), Line::default());
            let contended = std::thread::scope(|scope| {
                let (stop, added, memory) = (&stop, &added.value, &memory);
                scope.spawn(move || {
                    pin(Some(other));
                    disturb(&memory[0].value, added, stop);
                });
                let contended = contended(&runnable, memory, added);
                stop.store(true, Ordering::Relaxed);
                contended
            });
            (alone, contended)
        });
        measured.join().unwrap_or((None, None))
    });
    let alone_ns = alone.ok_or_else(|| Fault::new("litmus", "the thread that measures has panicked"))?;
    Ok(Cost { operation, code, alone_ns, contended_ns: contended })
}

/// Nanoseconds for each operation, round by round, sorted.
fn rounds(runnable: &Runnable, memory: &[Line]) -> Vec<f64> {
    let mut rounds = Vec::new();
    let end = Instant::now() + TIME;
    while rounds.len() < 3 || Instant::now() < end {
        rounds.push(round(runnable, memory, TURNS).0);
    }
    sorting::by(&mut rounds, f64::total_cmp);
    rounds
}

/// The median of the rounds throughout which somebody `added`; nothing where there
/// were too few.
fn contended(runnable: &Runnable, memory: &[Line], added: &AtomicI32) -> Option<f64> {
    let mut rounds = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < TIME || (rounds.len() < ENOUGH && begin.elapsed() < PATIENCE) {
        let before = added.load(Ordering::Relaxed);
        let (each, took) = round(runnable, memory, TURNS_BESIDE);
        let adds = added.load(Ordering::Relaxed).wrapping_sub(before);
        if f64::from(adds) >= took * ADDS_PER_SECOND {
            rounds.push(each);
        }
    }
    sorting::by(&mut rounds, f64::total_cmp);
    rounds.get(rounds.len() / 2).copied().filter(|_| rounds.len() >= NEEDED)
}

/// Nanoseconds for each operation, and seconds for all.
fn round(runnable: &Runnable, memory: &[Line], turns: usize) -> (f64, f64) {
    let nothing: [AtomicI32; 0] = [];
    let begin = Instant::now();
    runnable.run(memory, &nothing, turns, 1);
    let took = begin.elapsed().as_secs_f64();
    (took * 1e9 / (turns * UNROLLED) as f64, took)
}

/// Adds without pause, and tells how often.
fn disturb(value: &AtomicI32, added: &AtomicI32, stop: &AtomicBool) {
    let mut count = 0_i32;
    while !stop.load(Ordering::Relaxed) {
        value.fetch_add(1, Ordering::Relaxed);
        count = count.wrapping_add(1);
        added.store(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::lab::litmus::jit::Architecture;

    /// What stands for an operation beside another CPU is none where that one does
    /// nothing.
    #[test]
    fn a_cpu_that_does_nothing_contends_with_nobody() {
        let ops = vec![operations()[6].1.clone(); UNROLLED];
        let body = Body { ops: &ops, registers: 1, outputs: &[], spacing: 1, stride: 0 };
        let runnable = Runnable::new(&body, 1).unwrap();
        assert_eq!(contended(&runnable, &[Line::default()], &AtomicI32::new(0)), None);
    }

    #[test]
    fn every_operation_has_a_cost_and_the_code_that_was_timed() {
        let mut costs = measure().unwrap();
        assert_eq!(costs.len(), 12);
        assert!(costs.iter().all(|cost| cost.alone_ns >= 0.0 && cost.alone_ns.is_finite()), "{costs:?}");
        let two = available_cpus().len() > 1;
        // A busy machine has no other CPU for us now and then.
        let deadline = Instant::now() + Duration::from_mins(1);
        let is_contended = |costs: &[Cost]| costs.iter().any(|cost| cost.contended_ns.is_some());
        while is_contended(&costs) != two && Instant::now() < deadline {
            costs = measure().unwrap();
        }
        assert_eq!(is_contended(&costs), two);
        let of = |name: &str| costs.iter().find(|cost| cost.operation == name).unwrap();
        if Architecture::host() == Ok(Architecture::X86_64) {
            assert!(of("x.store(1, SeqCst)").code.contains("xchg"), "{costs:?}");
            assert_eq!(of("fence(SeqCst)").code, "mfence");
            assert_eq!(of("fence(Release)").code, "none");
            assert!(of("x.fetch_add(1, Relaxed)").code.contains("lock xadd"));
        }
        assert_eq!(of("fence(SeqCst)").contended_ns, None);
    }
}
