//! The state of a processor that never was: registers, flags, and memory that
//! is the process's own until it is written.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use iced_x86::{Decoder, DecoderOptions, Instruction, Register};

use super::value::Value;

/// Where the machine's own thread-local storage lies: its true place is not told,
/// and nothing of it is known.
pub const THREAD: u64 = 0xffee_0000_0000_0000;
/// Where memory lies that the machine allocates.
const NEW: u64 = 0xffdd_0000_0000_0000;
/// One piece of it begins so far behind the other.
const PIECE: u64 = 1 << 32;
const PAGE: u64 = 4096;
/// So many pages of the process are read.
const PAGES: usize = 1 << 14;
/// The longest instruction.
const LONGEST: usize = 15;

/// A map whose keys are addresses: they need no protection from each other.
type ByAddress<V> = HashMap<u64, V, BuildHasherDefault<Spread>>;

/// Spreads addresses by a multiplication.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    }
}

/// The memory of a process, page by page, each read once; and its instructions.
pub struct Memory<'r> {
    read: &'r dyn Fn(u64, &mut [u8]) -> bool,
    pages: RefCell<ByAddress<Option<Box<[u8]>>>>,
    code: RefCell<ByAddress<Option<Instruction>>>,
}

impl fmt::Debug for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("pages", &self.pages.borrow().len()).finish_non_exhaustive()
    }
}

impl<'r> Memory<'r> {
    /// Memory that `read` fills a buffer with, if all of it is there.
    pub fn new(read: &'r dyn Fn(u64, &mut [u8]) -> bool) -> Self {
        Memory { read, pages: RefCell::default(), code: RefCell::default() }
    }

    /// As much of the page at `address` as there is from there on.
    fn rest_of_page<T>(&self, address: u64, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        let number = address / PAGE;
        let mut pages = self.pages.borrow_mut();
        if pages.len() >= PAGES && !pages.contains_key(&number) {
            return None;
        }
        let page = pages.entry(number).or_insert_with(|| {
            let mut page = vec![0; PAGE as usize].into_boxed_slice();
            (self.read)(number * PAGE, &mut page).then_some(page)
        });
        page.as_deref().map(|page| look(&page[(address % PAGE) as usize..]))
    }

    /// Fills the front of `buffer`; how much of it.
    pub fn fill(&self, address: u64, buffer: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buffer.len() {
            let copy = |rest: &[u8]| {
                let count = rest.len().min(buffer.len() - filled);
                buffer[filled..filled + count].copy_from_slice(&rest[..count]);
                count
            };
            match address.checked_add(filled as u64).and_then(|at| self.rest_of_page(at, copy)) {
                Some(count) => filled += count,
                None => break,
            }
        }
        filled
    }

    /// The eight bytes at an address that is a multiple of eight.
    fn word(&self, address: u64) -> Value {
        let word = |rest: &[u8]| rest.first_chunk().copied().map(u64::from_le_bytes);
        self.rest_of_page(address, word).flatten().map_or(Value::UNKNOWN, Value::of)
    }

    /// The instruction at an address; `None` where there is none.
    pub fn instruction(&self, address: u64) -> Option<Instruction> {
        if let Some(known) = self.code.borrow().get(&address) {
            return *known;
        }
        let mut code = [0; LONGEST];
        let length = self.fill(address, &mut code);
        let decoded = Decoder::with_ip(64, &code[..length], address, DecoderOptions::NONE).decode();
        let instruction = (!decoded.is_invalid()).then_some(decoded);
        self.code.borrow_mut().insert(address, instruction);
        instruction
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

impl Flags {
    fn agreed(self, other: Flags) -> Flags {
        let same = |one: Option<bool>, other: Option<bool>| one.filter(|_| one == other);
        Flags {
            carry: same(self.carry, other.carry),
            zero: same(self.zero, other.zero),
            sign: same(self.sign, other.sign),
            overflow: same(self.overflow, other.overflow),
            parity: same(self.parity, other.parity),
        }
    }
}

/// What has been written: words at multiples of eight.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written(ByAddress<Value>);

impl Written {
    /// Memory as it is, but for these numbers: an address, and so many bytes there.
    pub fn supposing(memory: &Memory<'_>, numbers: &[(u64, u64, usize)]) -> Self {
        let mut machine = Machine::at(0);
        for &(address, number, size) in numbers {
            machine.store(memory, address, Value::of(number), size);
        }
        machine.written
    }

    /// What two agree on; of the rest nothing is known.
    pub(super) fn agreed(mut self, other: &Written) -> Written {
        for (address, value) in &mut self.0 {
            if other.0.get(address) != Some(value) {
                *value = Value::UNKNOWN;
            }
        }
        for address in other.0.keys() {
            self.0.entry(*address).or_insert(Value::UNKNOWN);
        }
        self
    }
}

/// Registers, flags, and what has been written.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    general: [Value; 16],
    vectors: [[Value; 2]; 16],
    /// The flags.
    pub flags: Flags,
    written: Written,
    /// How often it has allocated memory.
    allocated: u64,
    /// Whether what is written to unknown places is passed over: nobody asks what memory
    /// holds there.
    pub passes_over: bool,
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
            written: Written::default(),
            allocated: 0,
            passes_over: false,
            pc,
        };
        // It begins with its own address (x86-64 psABI, "Thread-Local Storage").
        machine.written.0.insert(THREAD, Value::of(THREAD));
        machine
    }

    /// What two that stand at the same instruction have in common: of what differs nothing
    /// is known.
    pub(super) fn agreed(&self, other: &Machine) -> Machine {
        let mut both = self.clone();
        both.general.iter_mut().zip(other.general).for_each(|(one, other)| *one = one.agreed(other));
        let halves = both.vectors.iter_mut().flatten().zip(other.vectors.iter().flatten());
        halves.for_each(|(one, other)| *one = one.agreed(*other));
        both.flags = self.flags.agreed(other.flags);
        both.written = both.written.agreed(&other.written);
        both.allocated = both.allocated.max(other.allocated);
        both
    }

    /// Whether both are the same, but for how much memory they have allocated.
    pub(super) fn is_as(&self, other: &Machine) -> bool {
        let state = |machine: &Machine| (machine.general, machine.vectors, machine.flags, machine.pc);
        state(self) == state(other) && self.written == other.written
    }

    /// The address of memory that is new.
    pub(super) fn new_memory(&mut self) -> u64 {
        self.allocated += 1;
        NEW + self.allocated * PIECE
    }

    /// Whether this is the address of memory that is new.
    pub(super) fn is_new(address: u64) -> bool {
        (NEW..THREAD).contains(&address)
    }

    /// What has been written.
    pub(super) fn written(&self) -> &Written {
        &self.written
    }

    /// Takes what others have written before.
    pub(super) fn remember(&mut self, before: Written) {
        self.written.0.extend(before.0);
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

    fn word(&self, memory: &Memory<'_>, address: u64) -> Value {
        self.written.0.get(&address).copied().unwrap_or_else(|| memory.word(address))
    }

    /// Up to eight bytes of memory.
    pub(super) fn load(&self, memory: &Memory<'_>, address: u64, size: usize) -> Value {
        let (first, into) = (address & !7, (address & 7) as usize);
        let low = self.word(memory, first).right(8 * into as u32);
        let here = 8 - into;
        if size <= here {
            return low.low(size);
        }
        let high = self.word(memory, first.wrapping_add(8));
        high.left(8 * here as u32).with_low(low, here).low(size)
    }

    /// Writes up to eight bytes of memory, for itself only.
    pub(super) fn store(&mut self, memory: &Memory<'_>, address: u64, value: Value, size: usize) {
        let (first, into) = (address & !7, (address & 7) as usize);
        let here = size.min(8 - into);
        let word = self.word(memory, first);
        self.written.0.insert(first, word.with_bytes(value, into, here));
        if size > here {
            let next = first.wrapping_add(8);
            let word = self.word(memory, next);
            self.written.0.insert(next, word.with_bytes(value.right(8 * here as u32), 0, size - here));
        }
    }

    /// From now on nothing is known of this memory.
    pub(super) fn forget(&mut self, memory: &Memory<'_>, address: u64, length: u64) {
        for at in 0..length {
            self.store(memory, address.wrapping_add(at), Value::UNKNOWN, 1);
        }
    }

    /// Copies bytes within the memory, all at one time.
    pub(super) fn copy(&mut self, memory: &Memory<'_>, from: u64, to: u64, length: u64) {
        let bytes: Vec<_> = (0..length).map(|at| self.load(memory, from.wrapping_add(at), 1)).collect();
        for (at, byte) in (0..length).zip(bytes) {
            self.store(memory, to.wrapping_add(at), byte, 1);
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
