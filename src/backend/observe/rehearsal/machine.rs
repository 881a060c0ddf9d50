//! The state of a processor that never was: registers, flags, and memory that
//! is the process's own until it is written.

use std::cell::RefCell;
use std::collections::HashMap;

use iced_x86::Register;

use super::value::Value;

/// Where the machine's own thread-local storage lies: its true place is not told,
/// and nothing of it is known.
pub(super) const THREAD: u64 = 0xffee_0000_0000_0000;
const PAGE: u64 = 4096;
/// So many pages of the process are read.
const PAGES: usize = 1024;

/// Reads memory of the process, page by page, each once.
pub(super) struct Memory<'r> {
    read: &'r dyn Fn(u64, &mut [u8]) -> bool,
    pages: RefCell<HashMap<u64, Option<Box<[u8]>>>>,
}

impl<'r> Memory<'r> {
    /// Memory that `read` fills a buffer with, if all of it is there.
    pub(super) fn new(read: &'r dyn Fn(u64, &mut [u8]) -> bool) -> Self {
        Memory { read, pages: RefCell::default() }
    }

    /// One byte; `None` where there is none.
    pub(super) fn byte(&self, address: u64) -> Option<u8> {
        let number = address / PAGE;
        let mut pages = self.pages.borrow_mut();
        if pages.len() >= PAGES && !pages.contains_key(&number) {
            return None;
        }
        let page = pages.entry(number).or_insert_with(|| {
            let mut page = vec![0; PAGE as usize].into_boxed_slice();
            (self.read)(number * PAGE, &mut page).then_some(page)
        });
        page.as_deref().map(|page| page[(address % PAGE) as usize])
    }

    /// Fills the front of `buffer`; how much of it.
    pub(super) fn fill(&self, address: u64, buffer: &mut [u8]) -> usize {
        for (index, slot) in buffer.iter_mut().enumerate() {
            match address.checked_add(index as u64).and_then(|at| self.byte(at)) {
                Some(byte) => *slot = byte,
                None => return index,
            }
        }
        buffer.len()
    }
}

/// The flags that conditions ask for; `None` where not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    /// Carry.
    pub carry: Option<bool>,
    /// Zero.
    pub zero: Option<bool>,
    /// Sign.
    pub sign: Option<bool>,
    /// Overflow.
    pub overflow: Option<bool>,
    /// Parity.
    pub parity: Option<bool>,
}

/// Registers, flags, and what has been written.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    general: [Value; 16],
    vectors: [[Value; 2]; 16],
    /// The flags.
    pub flags: Flags,
    written: HashMap<u64, Option<u8>>,
    /// The next instruction.
    pub pc: u64,
}

impl Machine {
    /// A machine that knows its program counter only.
    pub(super) fn at(pc: u64) -> Self {
        let mut machine = Machine {
            general: [Value::UNKNOWN; 16],
            vectors: [[Value::UNKNOWN; 2]; 16],
            flags: Flags::default(),
            written: HashMap::new(),
            pc,
        };
        // It begins with its own address (x86-64 psABI, "Thread-Local Storage").
        machine.store(THREAD, Value::of(THREAD), 8);
        machine
    }

    /// The content of a general register, as wide as it is.
    pub(super) fn register(&self, register: Register) -> Value {
        if !register.is_gpr() {
            return Value::UNKNOWN;
        }
        let full = self.general[register.full_register().number()];
        if is_high(register) { full.right(8).low(1) } else { full.low(register.size()) }
    }

    /// Sets a general register; one of four bytes makes the upper half zero.
    pub(super) fn set_register(&mut self, register: Register, value: Value) {
        if !register.is_gpr() {
            return;
        }
        let full = &mut self.general[register.full_register().number()];
        *full = match register.size() {
            _ if is_high(register) => {
                let low = *full;
                full.with_low(value.left(8), 2).with_low(low, 1)
            }
            8 => value,
            4 => value.low(4),
            size => full.with_low(value, size),
        };
    }

    /// The two halves of a vector register of 16 bytes, the lower first.
    pub(super) fn vector(&self, register: Register) -> [Value; 2] {
        self.vectors.get(register.number()).copied().filter(|_| register.is_xmm()).unwrap_or_default()
    }

    /// Sets a vector register; of a wider one nothing is known then.
    pub(super) fn set_vector(&mut self, register: Register, halves: [Value; 2]) {
        if let Some(slot) = self.vectors.get_mut(register.number()).filter(|_| register.is_vector_register()) {
            *slot = if register.is_xmm() { halves } else { [Value::UNKNOWN; 2] };
        }
    }

    /// Up to eight bytes of memory.
    pub(super) fn load(&self, memory: &Memory<'_>, address: u64, size: usize) -> Value {
        let mut value = Value::ZERO;
        for index in 0..size.min(8) {
            let at = address.wrapping_add(index as u64);
            value.set_byte(index, self.written.get(&at).copied().unwrap_or_else(|| memory.byte(at)));
        }
        value
    }

    /// Writes up to eight bytes of memory, for itself only.
    pub(super) fn store(&mut self, address: u64, value: Value, size: usize) {
        for index in 0..size.min(8) {
            self.written.insert(address.wrapping_add(index as u64), value.byte(index));
        }
    }

    /// From now on nothing is known of this memory.
    pub(super) fn forget(&mut self, address: u64, length: u64) {
        for at in 0..length {
            self.written.insert(address.wrapping_add(at), None);
        }
    }

    /// Copies bytes within the memory, all at one time.
    pub(super) fn copy(&mut self, memory: &Memory<'_>, from: u64, to: u64, length: u64) {
        let bytes: Vec<_> = (0..length).map(|at| self.load(memory, from.wrapping_add(at), 1)).collect();
        for (at, byte) in (0..length).zip(bytes) {
            self.store(to.wrapping_add(at), byte, 1);
        }
    }

    /// What a function may change that nobody looks into.
    pub(super) fn forget_after_call(&mut self) {
        use Register::{R8, R9, R10, R11, RAX, RCX, RDI, RDX, RSI};
        for register in [RAX, RCX, RDX, RSI, RDI, R8, R9, R10, R11] {
            self.set_register(register, Value::UNKNOWN);
        }
        self.vectors = [[Value::UNKNOWN; 2]; 16];
        self.flags = Flags::default();
    }
}

fn is_high(register: Register) -> bool {
    matches!(register, Register::AH | Register::BH | Register::CH | Register::DH)
}
