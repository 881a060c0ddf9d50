//! What a blocked thread would do next, if its call returned while memory held
//! something else: its own code tells, followed beside it.

use super::World;
use super::frames::CodeOf;
use crate::backend::observe::rehearsal::{Memory, Outcome, Stage, Through, Written, supposed};
use crate::backend::observe::wait::{Call, Facts};

/// So many instructions are followed for one question.
const STEPS: usize = 2_000;

/// And so many frames are looked at.
const FRAMES: usize = 8;

/// What happens next if memory holds these numbers (address, number, bytes), until
/// the word at this address has been come to twice.
type Ask<'s> = dyn Fn(&[(u64, u64, usize)], u64, Through) -> Outcome + 's;

/// How the evidence of what was told in this way begins.
pub(in crate::backend::observe::wait) const BY_CODE: &str = "by its code, for want of symbols";

/// A blocked thread that can be asked.
pub(in crate::backend::observe::wait) struct Supposed<'s> {
    ask: &'s Ask<'s>,
}

impl Supposed<'_> {
    /// What it would do if memory held these numbers (address, number, bytes), until
    /// it has come twice to `word`.
    pub(in crate::backend::observe::wait) fn with(&self, numbers: &[(u64, u64, usize)], word: u64) -> Outcome {
        (self.ask)(numbers, word, Through::Once)
    }

    /// The same, followed through loops.
    pub(in crate::backend::observe::wait) fn through_loops(&self, numbers: &[(u64, u64, usize)], word: u64) -> Outcome {
        (self.ask)(numbers, word, Through::Loops)
    }
}

impl World {
    /// Asks a blocked thread; `None` where its frames cannot be told, or where the code
    /// that made the call has nothing of Rust's standard library in it, but shall have.
    pub(in crate::backend::observe::wait) fn suppose<T>(
        &mut self,
        facts: &Facts<'_>,
        rust: bool,
        look: impl FnOnce(&Supposed<'_>) -> Option<T>,
    ) -> Option<T> {
        let Call::Blocked { call, sp, pc } = facts.call else { return None };
        let stage = self.stage(facts.pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        let memory = Memory::new(&read);
        let mut walk = stage.frames_or_place(&memory, *sp, *pc);
        let own = walk.frames.iter().find(|frame| !stage.function(frame.function).library)?;
        if rust && !stage.is_rust(own.registers.pc) {
            return None;
        }
        // What it does next is done in its innermost frames.
        walk.frames.truncate(FRAMES);
        let mut code = CodeOf::new(&stage, &memory);
        code.tell(&mut walk, call.number.cast_unsigned(), &call.args);
        code.complete(&mut walk);
        let first = walk.frames.first()?;
        let ask = |numbers: &[(u64, u64, usize)], word: u64, through: Through| {
            let before = Written::supposing(&memory, numbers);
            supposed(&first.registers, &call.args, before, (&memory, &stage), STEPS, (&[word], through))
        };
        look(&Supposed { ask: &ask })
    }
}
