//! Who runs the initialisation of a `pthread_once(3)`.
//!
//! The C library calls the program back from inside of it, so the thread that does
//! has a frame of the library with one of the program's on top:
//!
//! ```text
//! init ◄── pthread_once ◄── program       the call enters pthread_once, by its name
//!          its own frame                  holds the address of the control
//! ```
//!
//! In its frame the address stands behind that of a function: there the library
//! keeps what it has to do if the thread is cancelled meanwhile, which tells it from
//! one that waits: mostly, for a frame that waits may have leftovers of earlier calls
//! in it. An initialisation that ends in a call of the library may have left no frame
//! of its own.

use std::collections::HashMap;

use super::Sleeper;
use crate::backend::observe::rehearsal::Stage;
use crate::backend::observe::target::unwind::{Frame, Walk};
use crate::backend::observe::wait::CodeOf;
use crate::model::Pid;
use crate::model::sorting;
use crate::model::wait::WaitKind;

/// The functions that call an initialisation once.
const FUNCTIONS: [&str; 2] = ["pthread_once", "call_once"];
/// A frame of these functions is smaller.
const FRAME: u64 = 1 << 10;

/// Who runs which initialisation, by the address of its control.
#[derive(Debug, Default)]
pub(super) struct Initialisers(HashMap<u64, Vec<Initialiser>>);

/// A thread that runs one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Initialiser {
    pub(super) tid: Pid,
    /// Behind the call that the initialisation is.
    pub(super) pc: u64,
}

impl Initialisers {
    /// Looks for those of the controls that threads wait for.
    pub(super) fn among(code: &CodeOf<'_>, sleepers: &[Sleeper<'_>]) -> Self {
        let open = sleepers.iter().filter_map(|sleeper| sleeper.wait).filter(|wait| wait.kind == WaitKind::PthreadOnce);
        let controls: Vec<u64> = open.filter_map(|wait| wait.address).collect();
        let mut found: HashMap<u64, Vec<Initialiser>> = HashMap::new();
        if controls.is_empty() {
            return Initialisers(found);
        }
        for sleeper in sleepers {
            let walk = code.stage.frames(code.memory, sleeper.sp, sleeper.pc);
            let waits = sleeper.wait.is_some_and(|wait| wait.kind == WaitKind::PthreadOnce);
            for (control, pc) in called_back(code, &walk, &controls, waits) {
                let known = found.entry(control).or_default();
                if known.iter().all(|initialiser| initialiser.tid != sleeper.tid) {
                    known.push(Initialiser { tid: sleeper.tid, pc });
                }
            }
        }
        Initialisers(found)
    }

    /// The thread that runs the initialisation of this control, if it is only one.
    pub(super) fn only(&self, control: u64) -> Option<Initialiser> {
        match self.0.get(&control).map(Vec::as_slice) {
            Some(&[one]) => Some(one),
            _ => None,
        }
    }
}

/// The controls whose initialisation a thread with these frames runs, and where
/// that is called. If it `waits` for one, its innermost call runs none.
fn called_back(code: &CodeOf<'_>, walk: &Walk, controls: &[u64], waits: bool) -> Vec<(u64, u64)> {
    let name = |frame: &Frame| code.stage.function(frame.registers.pc - 1).name;
    let runs_it = |frame: &Frame| name(frame).is_some_and(|name| is_once(&name));
    let is_library =
        |frame: &Frame| frame.bare || code.stage.function(frame.registers.pc - 1).library || runs_it(frame);
    let library: Vec<bool> = walk.frames.iter().map(is_library).collect();
    let mut found = Vec::new();
    for at in 0..walk.frames.len() {
        let within = at > 0 && library[at - 1];
        if !library[at] || within {
            continue;
        }
        let own = library[at..].iter().take_while(|&&library| library).count();
        let Some(outer) = walk.frames.get(at + own) else { continue };
        let frames = &walk.frames[at..at + own];
        let once = &frames[own - 1];
        // Who called it may have jumped there.
        let enters = |name: &str| FUNCTIONS.contains(&name.trim_start_matches('_')) || is_once(name);
        if !runs_it(once) && !code.stage.called_from(outer.registers.pc).is_some_and(|name| enters(&name)) {
            continue;
        }
        // Without one of the program's own in between, the call that waits stands
        // before the one that runs the initialisation. Where a function without a table begins
        // is not known: its name is.
        let is_same = |frame: &&Frame| frame.function == once.function || once.bare && name(frame) == name(once);
        let waiting = if waits && at == 0 { frames.iter().take_while(|frame| !is_same(frame)).count() + 1 } else { 0 };
        let has = |&&control: &&u64| frames[waiting..].iter().any(|frame| cleans_up(code, frame, control));
        found.extend(controls.iter().filter(has).map(|&control| (control, walk.frames[at].registers.pc)));
    }
    sorting::by(&mut found, Ord::cmp);
    found.dedup();
    found
}

/// Whether it is the function of glibc or musl that calls the program back, which has a name
/// of its own where the library is linked statically, as a part of the program.
fn is_once(name: &str) -> bool {
    matches!(name.split('.').next(), Some("__pthread_once" | "__pthread_once_slow" | "__pthread_once_full"))
}

/// Whether a frame keeps the address of a control behind that of a function.
fn cleans_up(code: &CodeOf<'_>, frame: &Frame, control: u64) -> bool {
    let length = frame.cfa.saturating_sub(frame.registers.sp).min(FRAME) as usize & !7;
    let mut bytes = vec![0; length];
    let read = code.memory.fill(frame.registers.sp, &mut bytes);
    let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
    let words: Vec<u64> = bytes[..read].chunks_exact(8).map(word).collect();
    words.windows(2).any(|pair| pair[1] == control && code.stage.is_code(pair[0]))
}
