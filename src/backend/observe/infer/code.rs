//! The code of a process as it is asked: where it goes on if a call unwinds, and
//! from where a blocked thread goes on if its system call returns.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::observe::rehearsal::flow::{Calls, KEPT, Origins, REGISTERS, RSP, at_call};
use crate::backend::observe::rehearsal::{Function, Kind, Memory, Stage, kind_of};
use crate::backend::observe::target::lsda::landing_pad;
use crate::backend::observe::target::stack::{Callee, LONGEST_CALL, callee, stub_slot};
use crate::backend::observe::target::unwind::{Frame, Walk};
use crate::backend::observe::wait::OnStage;

/// So many frames a function of the C library has in it.
const LIBRARY: usize = 4;
/// And so many a function of Rust that takes a lock.
const PARKING: usize = 12;
/// A table of call sites is read so far.
const TABLE: usize = 64 << 10;

/// The code and the memory of a process, as far as they have been read.
pub(super) struct CodeOf<'c> {
    pub(super) stage: &'c OnStage<'c>,
    pub(super) memory: &'c Memory<'c>,
    /// Where a call goes on if it unwinds, by the address it returns to.
    pads: HashMap<u64, Option<u64>>,
    /// Tables of what to do about exceptions.
    tables: HashMap<u64, Vec<u8>>,
    /// Where registers come from, by the address that a call returns to.
    origins: HashMap<u64, Option<Origins>>,
}

impl<'c> CodeOf<'c> {
    pub(super) fn new(stage: &'c OnStage<'c>, memory: &'c Memory<'c>) -> Self {
        let (pads, tables, origins) = (HashMap::new(), HashMap::new(), HashMap::new());
        CodeOf { stage, memory, pads, tables, origins }
    }
}

impl CodeOf<'_> {
    /// Where a frame goes on if the call it is in unwinds.
    pub(super) fn pad(&mut self, frame: &Frame) -> Option<u64> {
        if is_outermost(&self.stage.function(frame.function)) {
            return None;
        }
        self.pad_of(frame, frame.registers.pc)
    }

    /// Where a call in the function of this frame goes on if it unwinds.
    fn pad_of(&mut self, frame: &Frame, behind: u64) -> Option<u64> {
        if let Some(known) = self.pads.get(&behind) {
            return *known;
        }
        let look = |at| {
            let table = self.tables.entry(at).or_insert_with(|| {
                let mut table = vec![0; TABLE];
                let length = self.memory.fill(at, &mut table);
                table.truncate(length);
                table
            });
            // The call ends before the address that it returns to.
            landing_pad(table, frame.function, behind - 1)
        };
        let pad = frame.exceptions.and_then(look);
        self.pads.insert(behind, pad);
        pad
    }

    /// Adds what the code of each frame says of the registers that its caller cannot
    /// have saved, from the outermost frame inwards.
    pub(super) fn complete(&mut self, walk: &mut Walk) {
        let mut entry = [None; REGISTERS];
        let mut called = None;
        for at in (0..walk.frames.len()).rev() {
            let frame = &walk.frames[at];
            // Whether the caller calls this very function; else another may have changed
            // what is handed over.
            if called != Some(frame.function) {
                let kept = KEPT.map(|(register, _)| (register, entry[register]));
                entry = [None; REGISTERS];
                for (register, value) in kept {
                    entry[register] = value;
                }
            }
            entry[RSP] = frame.cfa.checked_sub(8);
            let registers = self.origins(frame).map(|origins| origins.map(|origin| origin?.value(&entry)));
            // It must have come to the same place on the stack.
            let registers = registers.filter(|registers| registers[RSP] == Some(frame.registers.sp));
            called = self.target(frame.registers.pc);
            let own = &mut walk.frames[at].registers;
            entry = registers.unwrap_or([None; REGISTERS]);
            for (register, number) in KEPT {
                let known = own.get(number).or(entry[register]);
                own.set(number, known);
                entry[register] = known;
            }
        }
    }

    /// Where the registers of a frame come from at the call that it is in.
    fn origins(&mut self, frame: &Frame) -> Option<Origins> {
        let pc = frame.registers.pc;
        if frame.bare || frame.length == 0 {
            return None;
        }
        if let Some(known) = self.origins.get(&pc) {
            return *known;
        }
        let memory = self.memory;
        let found = at_call(memory, frame.function, pc, &mut CallsOf { code: self, frame });
        self.origins.insert(pc, found);
        found
    }

    /// The name of the function that the call before a return address enters.
    fn called(&self, behind: u64) -> Option<Arc<str>> {
        let mut code = [0; LONGEST_CALL];
        let read = self.memory.fill(behind.checked_sub(LONGEST_CALL as u64)?, &mut code);
        match callee(code, behind).filter(|_| read == code.len())? {
            Callee::Behind(slot) => self.stage.import(slot),
            Callee::At(to) => {
                let mut stub = [0; 11];
                let length = self.memory.fill(to, &mut stub);
                match stub_slot(&stub[..length], to) {
                    Some(slot) => self.stage.import(slot),
                    None => self.stage.function(to).name,
                }
            }
        }
    }

    /// The function that the call before a return address enters.
    fn target(&self, behind: u64) -> Option<u64> {
        let mut code = [0; LONGEST_CALL];
        let read = self.memory.fill(behind.checked_sub(LONGEST_CALL as u64)?, &mut code);
        let word = |at| {
            let mut word = [0; 8];
            (self.memory.fill(at, &mut word) == word.len()).then(|| u64::from_le_bytes(word))
        };
        match callee(code, behind).filter(|_| read == code.len())? {
            Callee::Behind(slot) => word(slot),
            Callee::At(to) => {
                let mut stub = [0; 11];
                let length = self.memory.fill(to, &mut stub);
                stub_slot(&stub[..length], to).map_or(Some(to), word)
            }
        }
    }
}

/// The calls in the function of a frame.
struct CallsOf<'f, 'c> {
    code: &'f mut CodeOf<'c>,
    frame: &'f Frame,
}

impl Calls for CallsOf<'_, '_> {
    fn never_returns(&mut self, behind: u64) -> bool {
        self.code.called(behind).is_some_and(|name| never_returns(&name))
    }

    fn pad(&mut self, behind: u64) -> Option<u64> {
        self.code.pad_of(self.frame, behind)
    }
}

/// Whether a function of this name does not come back to who calls it.
fn never_returns(name: &str) -> bool {
    matches!(kind_of(name, false), Kind::End | Kind::Failure) && name != "__cxa_begin_catch"
}

/// Whether a function of the runtime has called all others: it holds no lock of
/// theirs, and there is much to clean up.
fn is_outermost(function: &Function) -> bool {
    const OF_RUST: [&str; 3] = ["12thread_start", "10lang_start", "19lang_start_internal"];
    function.name.as_ref().is_some_and(|name| OF_RUST.iter().any(|part| name.contains(part)))
}

/// From where a thread goes on, and with which result: behind the function of the
/// C library that it is in, and behind that of its runtime which takes the lock it
/// waits for. These return nothing that they could have found; what they keep in
/// registers is not told.
pub(super) fn beginning<'w>(walk: &'w Walk, timed: bool, stage: &dyn Stage) -> Option<(&'w Frame, Option<u64>)> {
    const RUST: [&str; 8] = [
        "14lock_contended",
        "14read_contended",
        "15write_contended",
        "9lock_slow",
        "16lock_shared_slow",
        "19lock_exclusive_slow",
        "20lock_upgradable_slow",
        "12upgrade_slow",
    ];
    // In musl those without a limit jump to those with one.
    const PTHREAD: [&str; 6] = [
        "pthread_mutex_lock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_wrlock",
        "pthread_mutex_timedlock",
        "pthread_rwlock_timedrdlock",
        "pthread_rwlock_timedwrlock",
    ];
    let mut result = None;
    let mut frames = walk.frames.iter().map(|frame| (frame, stage.function(frame.registers.pc - 1))).peekable();
    // A function without a table is musl's, linked statically.
    while let Some((_, function)) = frames.next_if(|(frame, function)| function.library || frame.bare) {
        let name = function.name.as_deref().unwrap_or("");
        let locks = PTHREAD.iter().any(|function| name.ends_with(function));
        result = (locks && !timed).then_some(0);
    }
    // Linked statically, the library is a part of the program.
    let takes = |(_, function): (&Frame, Function)| {
        function.name.is_some_and(|name| PTHREAD.contains(&name.trim_start_matches('_')))
    };
    if let Some(depth) = frames.clone().take(LIBRARY).position(takes) {
        frames.nth(depth);
        result = (!timed).then_some(0);
    }
    // One of them may have put another into itself, or not; without optimisation each
    // step of parking is a frame.
    let takes = |depth: usize, (_, function): (&Frame, Function)| {
        let name = function.name.unwrap_or_default();
        (depth < 3 || name.contains("11parking_lot")) && RUST.iter().any(|part| name.contains(part))
    };
    let inside = (0..PARKING).rev().find(|&depth| frames.clone().nth(depth).is_some_and(|frame| takes(depth, frame)));
    match inside {
        None => frames.next().map(|(frame, _)| (frame, result)),
        Some(depth) => frames.nth(depth + 1).map(|(frame, _)| (frame, Some(1))),
    }
}
