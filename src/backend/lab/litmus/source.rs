//! A thread's source in Rust's notation, each ordering a piece of its own.

use super::ast::{Expression, FENCE, LOAD, Location, MODIFY, Op, Register, STORE, Test, Thread};
use crate::model::litmus::{Order, Piece, Slot, SourceLine};

/// The source of one thread of `test`.
pub fn source(test: &Test, thread: usize) -> Vec<SourceLine> {
    let body = &test.threads[thread];
    let mut writer =
        Writer { test, body, thread, next: 0, declared: vec![false; body.registers.len()], lines: Vec::new() };
    writer.ops(&body.body, 0);
    writer.lines
}

struct Writer<'a> {
    test: &'a Test,
    body: &'a Thread,
    thread: usize,
    /// Number of the next ordering.
    next: usize,
    /// Registers that have had their `let`.
    declared: Vec<bool>,
    lines: Vec<SourceLine>,
}

impl Writer<'_> {
    fn ops(&mut self, ops: &[Op], indent: usize) {
        for op in ops {
            self.op(op, indent);
        }
    }

    fn op(&mut self, op: &Op, indent: usize) {
        match op {
            Op::Set { to, value } => {
                let text = format!("{}{};", self.assigned(*to, indent), self.expression(value));
                self.line(indent, vec![Piece::Text(text)]);
            }
            Op::Load { to, from, order } => {
                let (to, name) = (self.assigned(*to, indent), self.location(*from));
                if *order == Order::Plain {
                    let plain = self.order(*order, LOAD);
                    debug_assert!(plain.is_none());
                    return self.line(indent, vec![Piece::Text(format!("{to}*{name};"))]);
                }
                self.access(indent, format!("{to}{name}.load("), *order, LOAD, ");");
            }
            Op::Store { to, value, order } => {
                let (name, value) = (self.location(*to), self.expression(value));
                if *order == Order::Plain {
                    self.order(*order, STORE);
                    return self.line(indent, vec![Piece::Text(format!("*{name} = {value};"))]);
                }
                self.access(indent, format!("{name}.store({value}, "), *order, STORE, ");");
            }
            Op::Modify { old, at, kind, operand, order } => {
                let (to, name, operand) = (self.assigned(*old, indent), self.location(*at), self.expression(operand));
                self.access(indent, format!("{to}{name}.{}({operand}, ", kind.rust()), *order, MODIFY, ");");
            }
            Op::CompareExchange(exchange) => {
                let (success, old) = (self.register(exchange.success), self.register(exchange.old));
                let weak = if exchange.weak { "_weak" } else { "" };
                let before = format!(
                    "let ({success}, {old}) = {}.compare_exchange{weak}({}, {}, ",
                    self.location(exchange.at),
                    self.expression(&exchange.expected),
                    self.expression(&exchange.desired)
                );
                self.declared[exchange.success.0] = true;
                self.declared[exchange.old.0] = true;
                let mut pieces = vec![Piece::Text(before)];
                pieces.extend(self.order(exchange.order, MODIFY));
                pieces.push(Piece::Text(", ".to_owned()));
                pieces.extend(self.order(exchange.failure, LOAD));
                pieces.push(Piece::Text(");".to_owned()));
                self.line(indent, pieces);
            }
            Op::Fence { order } => self.access(indent, "fence(".to_owned(), *order, FENCE, ");"),
            Op::If { condition, then, otherwise } => self.branch(condition, then, otherwise, indent),
        }
    }

    fn branch(&mut self, condition: &Expression, then: &[Op], otherwise: &[Op], indent: usize) {
        let (condition, then, otherwise) = match (then, condition) {
            ([], condition) => (format!("{} == 0", self.operand(condition)), otherwise, then),
            (_, comparison @ Expression::Binary(operator, ..)) if operator.compares() => {
                (self.expression(comparison), then, otherwise)
            }
            (_, value) => (format!("{} != 0", self.operand(value)), then, otherwise),
        };
        self.line(indent, vec![Piece::Text(format!("if {condition} {{"))]);
        self.ops(then, indent + 1);
        if !otherwise.is_empty() {
            self.line(indent, vec![Piece::Text("} else {".to_owned())]);
            self.ops(otherwise, indent + 1);
        }
        self.line(indent, vec![Piece::Text("}".to_owned())]);
    }

    fn access(&mut self, indent: usize, before: String, order: Order, choices: &[Order], after: &str) {
        let mut pieces = vec![Piece::Text(before)];
        pieces.extend(self.order(order, choices));
        pieces.push(Piece::Text(after.to_owned()));
        self.line(indent, pieces);
    }

    /// Counts the next ordering; nothing to show for a plain access.
    fn order(&mut self, order: Order, choices: &[Order]) -> Option<Piece> {
        let slot = Slot { thread: self.thread, index: self.next };
        self.next += 1;
        (order != Order::Plain).then(|| Piece::Order { slot, order, choices: choices.to_vec() })
    }

    fn line(&mut self, indent: usize, pieces: Vec<Piece>) {
        self.lines.push(SourceLine { indent, pieces });
    }

    fn location(&self, location: Location) -> String {
        self.test.locations[location.0].name.clone()
    }

    fn register(&self, register: Register) -> String {
        self.body.registers[register.0].clone()
    }

    /// `let r0 = ` the first time, outside of blocks.
    fn assigned(&mut self, register: Register, indent: usize) -> String {
        let first = indent == 0 && !std::mem::replace(&mut self.declared[register.0], true);
        format!("{}{} = ", if first { "let " } else { "" }, self.register(register))
    }

    fn expression(&self, value: &Expression) -> String {
        match value {
            Expression::Binary(operator, a, b) => {
                format!("{} {} {}", self.operand(a), operator.symbol(), self.operand(b))
            }
            simple => self.operand(simple),
        }
    }

    fn operand(&self, value: &Expression) -> String {
        match value {
            Expression::Constant(value) => value.to_string(),
            Expression::Register(register) => self.register(*register),
            Expression::Iteration => "n".to_owned(),
            Expression::Not(inner) => format!("({} == 0)", self.operand(inner)),
            binary @ Expression::Binary(..) => format!("({})", self.expression(binary)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::lab::litmus::parse::parse;

    fn shown(text: &str) -> Vec<String> {
        let text = format!("C t\n{{}}\nP0 (atomic_int* x, int* d) {{ {text} }}\nexists (x=0)");
        let mut test = parse("t", &text).unwrap();
        let lines = source(&test, 0);
        let slots: Vec<Slot> = lines
            .iter()
            .flat_map(|line| &line.pieces)
            .filter_map(|piece| if let Piece::Order { slot, .. } = piece { Some(*slot) } else { None })
            .collect();
        // The numbers are those under which the orderings are changed.
        let known = test.orders_mut();
        assert!(slots.iter().all(|slot| known.iter().any(|(known, ..)| known == slot)));
        assert_eq!(slots.len(), known.iter().filter(|(_, order, _)| **order != Order::Plain).count());
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Order { order, .. } => format!("‹{order}›"),
        };
        lines.iter().map(|line| "  ".repeat(line.indent) + &line.pieces.iter().map(piece).collect::<String>()).collect()
    }

    #[test]
    fn the_source_reads_as_rust() {
        assert_eq!(
            shown(
                "*d = 1; atomic_store_explicit(x,*d + 1,memory_order_release); int r0 = atomic_load(x); r0 = *d; \
                 int r1 = atomic_fetch_add(x, r0); atomic_thread_fence(memory_order_acq_rel); int r2; \
                 if (r0 == 1) { r2 = 3; } else if (r1) { *d = -1; } \
                 int ok = atomic_compare_exchange_weak_explicit(x,d,4,memory_order_acq_rel,memory_order_acquire);"
            ),
            [
                "*d = 1;",
                "let t0 = *d;",
                "x.store(t0 + 1, ‹Release›);",
                "let r0 = x.load(‹SeqCst›);",
                "r0 = *d;",
                "let r1 = x.fetch_add(r0, ‹SeqCst›);",
                "fence(‹AcqRel›);",
                "if r0 == 1 {",
                "  r2 = 3;",
                "} else {",
                "  if r1 != 0 {",
                "    *d = -1;",
                "  }",
                "}",
                "let t1 = *d;",
                "let (t3, t2) = x.compare_exchange_weak(t1, 4, ‹AcqRel›, ‹Acquire›);",
                "if t3 == 0 {",
                "  *d = t2;",
                "}",
                "let ok = t3;",
            ]
        );
    }
}
