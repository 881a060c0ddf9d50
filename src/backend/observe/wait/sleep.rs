//! Sleeping for a time: `nanosleep(2)`, `clock_nanosleep(2)`.
//!
//! ```text
//! nanosleep(request, remaining)
//! clock_nanosleep(clock, flags, request, remaining)    flags 1: request is a moment, not a span
//! ```

use super::{Decoder, Facts, World};
use crate::model::Nanos;
use crate::model::process::BlockedCall;
use crate::model::wait::{Wait, WaitKind};
use crate::sys::clock;

const TIMER_ABSTIME: u64 = 1;

/// A thread that sleeps for a time.
#[derive(Debug)]
pub(super) struct Sleep;

impl Decoder for Sleep {
    fn key(&self) -> &'static str {
        "sleep"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Sleep]
    }

    fn explain(&self) -> &'static str {
        "The thread sleeps for a time it has chosen (nanosleep(2), sleep(3), thread::sleep) and goes on by itself. It \
         is recognised by the call and the place in the kernel; how long is read from the call's argument. A sleep \
         that was interrupted by a stop goes on as restart_syscall, whose arguments no longer tell how long."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = facts.blocked()?;
        let resumed = call.number == libc::SYS_restart_syscall;
        if !resumed && !facts.may_sleep_in(&["nanosleep"]) {
            return None;
        }
        let resource = match call.number {
            libc::SYS_nanosleep => span(facts, world, call.args[0]),
            libc::SYS_clock_nanosleep if call.args[1] & TIMER_ABSTIME == 0 => span(facts, world, call.args[2]),
            libc::SYS_clock_nanosleep => {
                let left = left(facts, world, call).map_or_else(String::new, |left| format!(", {left} from now"));
                moment(facts, world, call.args[0] as i32, call.args[2]) + &left
            }
            libc::SYS_restart_syscall if world.resumed_call(facts)?.contains("nanosleep") => {
                "sleep, continued after a stop".to_owned()
            }
            _ => return None,
        };
        let mut wait = Wait::new(WaitKind::Sleep, resource);
        wait.timed = true;
        if facts.has_wchan() {
            wait.evidence.push(format!("sleeps in {}", facts.wchan));
        }
        wait.evidence.push(format!("{} ends by itself", call.name));
        Some(wait)
    }
}

fn span(facts: &Facts<'_>, world: &World, address: u64) -> String {
    match timespec(facts, world, address) {
        Some(span) => format!("sleep of {span}"),
        None => "sleep".to_owned(),
    }
}

fn moment(facts: &Facts<'_>, world: &World, clock: i32, address: u64) -> String {
    let name = match clock {
        libc::CLOCK_REALTIME => "the real-time clock",
        libc::CLOCK_MONOTONIC => "the monotonic clock",
        libc::CLOCK_BOOTTIME => "the boot-time clock",
        _ => "its clock",
    };
    match timespec(facts, world, address) {
        Some(moment) => {
            format!("sleep until {}.{:03} s of {name}", moment.0 / 1_000_000_000, moment.0 / 1_000_000 % 1000)
        }
        None => format!("sleep until a moment of {name}"),
    }
}

/// What is left of a sleep until a moment. Of a span only its length is known:
/// not when it began. `None` in another time namespace, whose clocks differ.
fn left(facts: &Facts<'_>, world: &World, call: &BlockedCall) -> Option<Nanos> {
    if !world.root.is_real() {
        return None;
    }
    let clock = call.args[0] as i32;
    let now = match clock {
        libc::CLOCK_REALTIME => clock::realtime(),
        libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME if other_clocks(facts, world) => return None,
        libc::CLOCK_MONOTONIC => clock::monotonic(),
        libc::CLOCK_BOOTTIME => clock::boottime(),
        _ => return None,
    };
    Some(timespec(facts, world, call.args[2])?.since(now))
}

fn other_clocks(facts: &Facts<'_>, world: &World) -> bool {
    let link = |of: &str| std::fs::read_link(world.root.path().join(of).join("ns/time")).ok();
    link(&facts.pid.to_string()) != link("self")
}

/// A `struct timespec` in the thread's memory.
pub(super) fn timespec(facts: &Facts<'_>, world: &World, address: u64) -> Option<Nanos> {
    let [seconds, nanos] = world.longs(facts.pid, address).ok()?;
    (nanos < 1_000_000_000).then_some(())?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanos).map(Nanos)
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};
    use crate::model::wait::WaitKind;

    fn sleeper(call: &str, wchan: &'static str) -> Machine {
        let machine = Machine::new(call, wchan);
        machine.set_bytes(PID, DATA, &[5u64.to_ne_bytes(), 250_000_000u64.to_ne_bytes()].concat());
        machine
    }

    #[test]
    fn the_span_is_read_from_the_argument() {
        for call in [format!("35 {DATA:#x} 0x0 0x0 0x0 0x0 0x0"), format!("230 0x0 0x0 {DATA:#x} 0x0 0x0 0x0")] {
            let wait = sleeper(&call, "hrtimer_nanosleep").decode().unwrap();
            assert_eq!((wait.kind, wait.timed), (WaitKind::Sleep, true));
            assert!(wait.resource.starts_with("sleep of 5.2"), "{}", wait.resource);
        }
        let wait = sleeper(&format!("230 0x1 0x1 {DATA:#x} 0x0 0x0 0x0"), "hrtimer_nanosleep").decode().unwrap();
        assert_eq!(&*wait.resource, "sleep until 5.250 s of the monotonic clock");
    }

    #[test]
    fn a_resumed_call_is_told_by_the_function_it_was_made_in() {
        let call = "219 0x0 0x0 0x0 0x0 0x0 0x0";
        for (function, kind) in [("clock_nanosleep", WaitKind::Sleep), ("poll", WaitKind::Poll), ("", WaitKind::Other)]
        {
            // The place in the kernel is of no use here: the entry of all calls.
            let machine = sleeper(call, "do_syscall_64");
            machine.stack(function, &["!main"]);
            let wait = machine.decode().unwrap();
            assert_eq!((wait.kind, wait.timed), (kind, kind != WaitKind::Other), "{function}");
        }
        // Memory that is no time does no harm.
        assert_eq!(sleeper("35 0x8 0x0 0x0 0x0 0x0 0x0", "hrtimer_nanosleep").decode().unwrap().kind, WaitKind::Sleep);
    }
}
