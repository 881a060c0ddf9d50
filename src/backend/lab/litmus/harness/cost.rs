//! What each ordering costs: an operation in machine code, many times in a row,
//! alone and while another CPU changes the same location.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::{Duration, Instant};

use super::{available_cpus, pin};
use crate::backend::lab::litmus::ast::{Expression, Location, Modification, Op, Register};
use crate::backend::lab::litmus::jit::{Body, Line, Runnable};
use crate::model::Fault;
use crate::model::litmus::Order;

/// The same operation so many times in a row, so that the loop weighs little.
const UNROLLED: usize = 32;
/// Turns of the loop that are timed together.
const TURNS: usize = 256;
/// How long each operation is measured.
const TIME: Duration = Duration::from_millis(12);

/// What an operation costs.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The operation, in Rust's notation.
    pub operation: String,
    /// Its machine code; empty where compiled code does it.
    pub code: String,
    /// Nanoseconds, nobody else using the location: the fastest of many rounds.
    pub alone_ns: f64,
    /// The median while another CPU adds to the location without pause; `None`
    /// where there is no other CPU, and for fences, which have no location.
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
            let stop = AtomicBool::new(false);
            let rounds = std::thread::scope(|scope| {
                let (stop, memory) = (&stop, &memory);
                scope.spawn(move || {
                    pin(Some(other));
                    disturb(&memory[0].value, stop);
                });
                let rounds = rounds(&runnable, memory);
                stop.store(true, Ordering::Relaxed);
                rounds
            });
            (alone, rounds.get(rounds.len() / 2).copied())
        });
        measured.join().unwrap_or((None, None))
    });
    let alone_ns = alone.ok_or_else(|| Fault::new("litmus", "the thread that measures has panicked"))?;
    Ok(Cost { operation, code, alone_ns, contended_ns: contended })
}

/// Nanoseconds for each operation, round by round, sorted.
fn rounds(runnable: &Runnable, memory: &[Line]) -> Vec<f64> {
    let nothing: [AtomicI32; 0] = [];
    let mut rounds = Vec::new();
    let end = Instant::now() + TIME;
    while rounds.len() < 3 || Instant::now() < end {
        let begin = Instant::now();
        runnable.run(memory, &nothing, TURNS, 1);
        rounds.push(begin.elapsed().as_secs_f64() * 1e9 / (TURNS * UNROLLED) as f64);
    }
    rounds.sort_unstable_by(f64::total_cmp);
    rounds
}

fn disturb(value: &AtomicI32, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..64 {
            value.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::lab::litmus::jit::Architecture;

    #[test]
    fn every_operation_has_a_cost_and_the_code_that_was_timed() {
        let costs = measure().unwrap();
        assert_eq!(costs.len(), 12);
        assert!(costs.iter().all(|cost| cost.alone_ns >= 0.0 && cost.alone_ns.is_finite()), "{costs:?}");
        let of = |name: &str| costs.iter().find(|cost| cost.operation == name).unwrap();
        if Architecture::host() == Ok(Architecture::X86_64) {
            assert!(of("x.store(1, SeqCst)").code.contains("xchg"), "{costs:?}");
            assert_eq!(of("fence(SeqCst)").code, "mfence");
            assert_eq!(of("fence(Release)").code, "none");
            assert!(of("x.fetch_add(1, Relaxed)").code.contains("lock xadd"));
        }
        let two = available_cpus().len() > 1;
        assert_eq!(of("x.load(Relaxed)").contended_ns.is_some(), two);
        assert_eq!(of("fence(SeqCst)").contended_ns, None);
    }
}
