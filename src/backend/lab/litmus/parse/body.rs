//! Threads and their statements.

use super::error::Complaint;
use super::lexer::Kind;
use super::{Limits, Parsed, Parser};
use crate::backend::lab::litmus::ast::{Location, Op, Thread};
use crate::model::litmus::Order;
use crate::model::text::visible;

/// What may stand before the name of a parameter, a location or a register.
const TYPES: &[&str] = &[
    "int",
    "atomic_int",
    "volatile",
    "const",
    "_Atomic",
    "signed",
    "unsigned",
    "char",
    "short",
    "long",
    "bool",
    "_Bool",
    "int8_t",
    "int16_t",
    "int32_t",
    "int64_t",
    "uint8_t",
    "uint16_t",
    "uint32_t",
    "uint64_t",
    "intptr_t",
    "uintptr_t",
    "size_t",
    "atomic_bool",
    "atomic_char",
    "atomic_short",
    "atomic_uint",
    "atomic_long",
    "atomic_ulong",
    "atomic_size_t",
    "atomic_intptr_t",
    "atomic_uintptr_t",
    "atomic_t",
    "register",
];

impl Parser<'_> {
    /// Reads over a type, without its `*`; says whether there was one.
    pub(super) fn types(&mut self) -> Parsed<bool> {
        let mut any = false;
        while let Kind::Word(word) = self.token.kind {
            if !TYPES.contains(&word) {
                break;
            }
            self.take()?;
            any = true;
            // _Atomic(int)
            if word == "_Atomic" && self.accept("(")? {
                self.types()?;
                self.expect(")")?;
            }
        }
        Ok(any)
    }

    /// Whether a type is next.
    pub(super) fn is_type(&self) -> bool {
        matches!(self.token.kind, Kind::Word(word) if TYPES.contains(&word) || word == "void")
    }

    /// Reads over `static void`; whether a `P0` is next.
    pub(super) fn is_thread_header(&mut self) -> Parsed<bool> {
        while self.is_word("void") || self.is_word("static") {
            self.take()?;
        }
        Ok(matches!(self.token.kind, Kind::Word(word) if thread_number(word).is_some()))
    }

    /// Reads over a thread's name; gives its number.
    pub(super) fn begin_thread(&mut self) -> Parsed<usize> {
        let (offset, name) = self.word("a thread")?;
        let number = self.threads.len();
        if number == Limits::THREADS {
            return Err(Complaint::new(offset, format!("more than {} threads", Limits::THREADS)));
        }
        if thread_number(name) != Some(number) {
            return Err(Complaint::new(offset, format!("expected thread P{number}, found {name}")));
        }
        self.registers.clear();
        self.operations = 0;
        self.terms = 0;
        self.parameters.clear();
        Ok(number)
    }

    /// `P0 (atomic_int* x, int* d) { … }`
    pub(super) fn thread(&mut self) -> Parsed<()> {
        let number = self.begin_thread()?;
        self.expect("(")?;
        while !self.accept(")")? {
            if !self.parameters.is_empty() {
                self.expect(",")?;
            }
            let location = self.parameter()?;
            self.parameters.push(location);
        }
        // The comment rule changes from the token after the brace on.
        self.lexer.in_body = true;
        let mut body = Vec::new();
        self.expect("{")?;
        self.initial_registers(number, &mut body)?;
        while !self.is("}") {
            self.statement(&mut body)?;
        }
        self.lexer.in_body = false;
        self.expect("}")?;
        self.threads.push(Thread { registers: std::mem::take(&mut self.registers), body });
        Ok(())
    }

    fn parameter(&mut self) -> Parsed<Location> {
        if !self.types()? {
            return Err(self.unexpected("a parameter: 'atomic_int* x' or 'int* x'"));
        }
        if !self.accept("*")? {
            return Err(self.unexpected("'*': every parameter is a pointer to a shared location"));
        }
        self.types()?;
        let (offset, name) = self.word("the parameter's name")?;
        self.location(offset, name)
    }

    fn block(&mut self) -> Parsed<Vec<Op>> {
        let mut ops = Vec::new();
        if self.accept("{")? {
            while !self.accept("}")? {
                self.statement(&mut ops)?;
            }
        } else {
            self.statement(&mut ops)?;
        }
        Ok(ops)
    }

    fn statement(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        self.deeper(|parser| parser.statement_inside(ops))
    }

    fn statement_inside(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        if self.accept(";")? {
            return Ok(());
        }
        if self.is("{") {
            let mut block = self.block()?;
            ops.append(&mut block);
            return Ok(());
        }
        if self.is("*") {
            return self.plain_store(ops);
        }
        // `(void)atomic_fetch_add(x,1);`
        if self.is("(") {
            self.expression(ops)?;
            return self.expect(";");
        }
        match self.token.kind {
            Kind::Word("if") => self.if_else(ops),
            Kind::Word("while" | "for" | "do" | "goto") => {
                Err(Complaint::new(self.token.offset, "loops are not read: a litmus test is loop-free"))
            }
            Kind::Word("atomic_store" | "atomic_store_explicit") => self.atomic_store(ops),
            Kind::Word("atomic_thread_fence") => self.fence(ops),
            Kind::Word(word) if word.starts_with("atomic_") && !TYPES.contains(&word) => {
                // Its result is dropped.
                self.access_for_effect(ops)?;
                self.expect(";")
            }
            Kind::Word(_) => self.assignment(ops),
            _ => Err(self.unexpected("a statement or '}'")),
        }
    }

    fn if_else(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let offset = self.take()?.offset;
        self.expect("(")?;
        let condition = self.expression(ops)?;
        self.expect(")")?;
        let then = self.block()?;
        let otherwise = if self.is_word("else") {
            self.take()?;
            self.block()?
        } else {
            Vec::new()
        };
        self.push(offset, ops, Op::If { condition, then, otherwise })
    }

    fn plain_store(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let offset = self.take()?.offset;
        let to = self.pointer()?;
        self.expect("=")?;
        let value = self.expression(ops)?;
        self.push(offset, ops, Op::Store { to, value, order: Order::Plain })?;
        self.expect(";")
    }

    fn atomic_store(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let (offset, name) = self.word("a store")?;
        self.expect("(")?;
        let to = self.accessed()?;
        self.expect(",")?;
        let value = self.expression(ops)?;
        let order = self.order_argument(name, "a store", &[Order::Relaxed, Order::Release, Order::SeqCst])?;
        self.expect(")")?;
        self.push(offset, ops, Op::Store { to, value, order })?;
        self.expect(";")
    }

    fn fence(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let offset = self.take()?.offset;
        self.expect("(")?;
        let order = self.order()?;
        self.expect(")")?;
        self.push(offset, ops, Op::Fence { order })?;
        self.expect(";")
    }

    /// `int r0 = …;`, `int r0, r1;`, `r0 = …;` (which declares it too).
    fn assignment(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let declares = self.types()?;
        loop {
            if declares && self.is("*") {
                let what = "pointers in registers are not read: a register holds an int";
                return Err(Complaint::new(self.token.offset, what));
            }
            self.assign(declares, ops)?;
            if !declares || !self.accept(",")? {
                return self.expect(";");
            }
        }
    }

    /// One register: its name, and its value where one is given.
    fn assign(&mut self, declares: bool, ops: &mut Vec<Op>) -> Parsed<()> {
        let (offset, name) = self.word("a register's name")?;
        if self.parameters.iter().any(|location| self.locations[location.0].name == name) {
            let what = format!("'{name}' is a pointer here: write '*{name} = …;'");
            return Err(Complaint::new(offset, what));
        }
        let known = self.registers.iter().any(|register| register == name);
        if !known && self.is("(") {
            let what = format!("'{}' is not a function that is known here", visible(name.as_bytes()));
            return Err(Complaint::new(offset, what));
        }
        let to = self.register(offset, name)?;
        if declares && (self.is(";") || self.is(",")) {
            return Ok(());
        }
        self.expect("=")?;
        let before = ops.len();
        let value = self.expression(ops)?;
        if ops.len() > before && super::expression::redirect(ops, &value, to) {
            // The register that was made for the access is not needed.
            self.registers.pop();
        } else {
            self.push(offset, ops, Op::Set { to, value })?;
        }
        Ok(())
    }
}

/// `P0` is thread 0.
pub(super) fn thread_number(word: &str) -> Option<usize> {
    word.strip_prefix('P').filter(|digits| digits.len() < 4)?.parse().ok()
}
