//! Threads that are stopped: by a signal (`T`), or by their tracer (`t`).

use super::{Decoder, Facts, World};
use crate::model::process::State;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

/// A thread that is stopped.
#[derive(Debug)]
pub(super) struct Stopped;

impl Decoder for Stopped {
    fn key(&self) -> &'static str {
        "stopped"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Signal, WaitKind::Ptrace]
    }

    fn explain(&self) -> &'static str {
        "The thread does not wait, it is stopped: by a signal (SIGSTOP, Ctrl-Z), and then anybody who may signal it \
         can send SIGCONT; or by a debugger that traces it, and then that debugger must let it go on. The kernel's \
         state letter says which, and names the tracer."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        match facts.state {
            State::Stopped => {
                let mut wait = Wait::new(WaitKind::Signal, "SIGCONT: it is stopped");
                wait.partial = true;
                wait.evidence
                    .push("state T: stopped by a signal; anybody who may signal it can continue it".to_owned());
                Some(wait)
            }
            State::Traced => Some(traced(facts, world)),
            _ => None,
        }
    }
}

fn traced(facts: &Facts<'_>, world: &World) -> Wait {
    let mut wait = Wait::new(WaitKind::Ptrace, "its tracer");
    wait.evidence.push("state t: stopped by its tracer".to_owned());
    let task = format!("{}/task/{}", facts.pid, facts.tid);
    let tracer = world.status(&task, "TracerPid:").and_then(|ids| ids.first().copied()).filter(|&tid| tid > 0);
    let process = tracer.and_then(|tid| world.status(&tid.to_string(), "Tgid:")?.first().copied());
    if let (Some(tid), Some(pid)) = (tracer, process) {
        wait.holders.push(Holder { pid, tid: Some(tid) });
        wait.evidence.push(format!("TracerPid: {tid}"));
    } else {
        wait.certainty = Certainty::Unknown;
        wait.partial = true;
        wait.evidence.push("its tracer is not visible from here".to_owned());
    }
    wait
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;

    #[test]
    fn a_stop_hides_whatever_call_it_is_in() {
        let futex = "202 0x0 0x80 0x2 0x0 0x0 0x0";
        let stopped = Machine { state: State::Stopped, ..Machine::new(futex, "do_signal_stop") };
        let wait = stopped.decode().unwrap();
        assert_eq!((wait.kind, wait.holders.len()), (WaitKind::Signal, 0));
    }

    #[test]
    fn the_tracer_is_named_where_it_is_visible() {
        let traced = Machine { state: State::Traced, ..Machine::new("202 0x0 0x80 0x2 0x0 0x0 0x0", "ptrace_stop") };
        assert_eq!(traced.decode().unwrap().certainty, Certainty::Unknown);
        traced.process(300, &[300, 301]);
        traced.process(301, &[301]);
        traced.write("301/status", "Tgid:\t300\n");
        traced.write("100/task/101/status", "TracerPid:\t301\nNSpid:\t101\n");
        assert_eq!(traced.decode().unwrap().holders, [Holder { pid: 300, tid: Some(301) }]);
    }
}
