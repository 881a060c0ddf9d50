//! Calls that a thread may leave though nobody does what it waits for.
//!
//! Another thread of its process may cancel it (`pthread_cancel(3)`), which ends any of the
//! calls that are cancellation points, `pthreads(7)`: those for locks of threads are none.
//! Out of these a handler of a signal may jump (`siglongjmp(3)`). Nothing of a thread says so
//! beforehand; but few programs ever do either, and whose code is not linked to these
//! functions does not. A static C library may have them all the same: nothing is said there.

use std::cell::OnceCell;
use std::sync::Arc;

use super::World;
use super::caught::calls;
use crate::model::Pid;
use crate::model::wait::{Certainty, Mode, Wait, WaitKind};

/// How the threads of one process may leave their calls; asked when it matters.
#[derive(Debug, Default)]
pub(in crate::backend::observe) struct Ways {
    cancels: OnceCell<Option<String>>,
    jumps: OnceCell<Option<String>>,
}

impl Ways {
    /// Says of a wait of process `pid` how it may be left.
    pub(in crate::backend::observe) fn and_left(&self, world: &mut World, pid: Pid, wait: &mut Arc<Wait>) {
        let why = if is_cancellation_point(wait.kind) {
            self.cancels.get_or_init(|| may_cancel(world, pid))
        } else {
            self.jumps.get_or_init(|| may_jump(world, pid))
        };
        // It may have been read before.
        let Some(why) = why.as_ref().filter(|why| !wait.evidence.contains(why)) else { return };
        let wait = Wait::of_ones_own(wait);
        wait.evidence.push(why.clone());
        if is_cancellation_point(wait.kind) {
            wait.add_besides([pid]);
            return;
        }
        wait.partial = true;
        if wait.mode == Mode::All {
            wait.certainty = Certainty::Unknown;
        }
    }
}

/// Whether a call ends when its thread is cancelled.
fn is_cancellation_point(kind: WaitKind) -> bool {
    !kind.is_lock() || matches!(kind, WaitKind::Flock | WaitKind::PosixLock | WaitKind::OfdLock | WaitKind::Lease)
}

fn may_cancel(world: &mut World, pid: Pid) -> Option<String> {
    let may = world.numbers_in(&format!("{pid}/task")).len() > 1 && world.is_linked_to(pid, &["pthread_cancel"]);
    may.then(|| "the program uses pthread_cancel: another thread of the process may cancel it".to_owned())
}

fn may_jump(world: &mut World, pid: Pid) -> Option<String> {
    let signal = calls(world, pid)?;
    // The second is what it is with _FORTIFY_SOURCE, the last how libraries name it.
    world
        .is_linked_to(pid, &["siglongjmp", "__longjmp_chk", "longjmp", "_longjmp"])
        .then(|| format!("the process catches {signal} and uses siglongjmp: a handler may leave the call"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;

    fn machine(tids: &[Pid], called: &'static str) -> Machine {
        let machine = Machine::new("34 0x0 0x0 0x0 0x0 0x0 0x0", "do_pause");
        machine.process(200, tids);
        machine.write("200/maps", "55d000000000-55d000001000 r-xp 00000000 08:01 77 /bin/x\n");
        machine.tables.lock().unwrap().linked_to.push(called);
        machine
    }

    fn left(machine: &Machine, kind: WaitKind) -> (Vec<Pid>, bool) {
        let mut wait = Arc::new(Wait::new(kind, ""));
        Ways::default().and_left(&mut machine.world(), 200, &mut wait);
        (wait.besides.clone(), wait.partial)
    }

    #[test]
    fn who_names_the_function_may_cancel_another_thread() {
        let several = machine(&[200, 201], "pthread_cancel");
        for kind in [WaitKind::PipeRead, WaitKind::Semaphore, WaitKind::ThreadJoin, WaitKind::PosixLock] {
            assert_eq!(left(&several, kind), (vec![200], false));
        }
        assert_eq!(left(&several, WaitKind::PthreadMutex), (vec![], false), "no cancellation point");
        assert_eq!(left(&machine(&[200, 201], "pthread_join"), WaitKind::PipeRead), (vec![], false));
        assert_eq!(left(&machine(&[200], "pthread_cancel"), WaitKind::PipeRead), (vec![], false), "it is alone");
    }

    #[test]
    fn a_handler_may_jump_out_of_a_call_for_a_lock() {
        let caught = |called, caught: &str| {
            let machine = machine(&[200, 201], called);
            machine.write("200/status", &format!("SigCgt:\t{caught}\n"));
            left(&machine, WaitKind::PthreadMutex).1
        };
        let (alarm, terminate) = ("0000000000002000", "0000000000004000");
        assert!(caught("siglongjmp", alarm) && caught("__longjmp_chk", alarm));
        assert!(!caught("siglongjmp", terminate) && !caught("pthread_cancel", alarm));
    }
}
