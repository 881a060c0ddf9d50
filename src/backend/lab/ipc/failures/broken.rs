//! A side that dies, and a side that is slow: a worker is killed or stopped in
//! the middle of a stream.

use super::{Finding, Notes, ended};
use crate::backend::lab::ipc::link::{Ended, GoOn, Link};
use crate::backend::lab::ipc::patience::state;
use crate::backend::lab::ipc::placement::Seats;
use crate::backend::lab::ipc::protocol::Side;
use crate::backend::lab::ipc::slice::{Slice, Task};
use crate::backend::lab::ipc::{Setup, Transport, pipe, tcp, unix};
use crate::model::channel::{Fill, Measure, Mode, Payload, Waiting};
use crate::model::{Fault, Nanos};
use crate::sys::clock;

const SIZE: usize = 4096;
/// So long a stream is on the go that is cut off: the machine may be many times
/// faster than when its pace was learnt.
const ENDLESS: Nanos = Nanos::from_secs(120);
/// So long one is whose end is awaited.
const SHORT: Nanos = Nanos::from_secs(2);
/// So often it is tried anew where the stream was over too early.
const TRIES: u32 = 5;

fn kinds() -> [&'static dyn Transport; 4] {
    [&pipe::Pipe, &unix::STREAM, &unix::SEQPACKET, &tcp::V4]
}

/// A channel with both workers at it, and the pace of a stream known.
fn streaming(transport: &'static dyn Transport, go_on: GoOn<'_>) -> Result<(Link, Task), Fault> {
    let setup = Setup { buffer: None, wait: Waiting::Block, size: SIZE };
    let mut link = Link::start(transport, setup, &Seats::default())?;
    link.ready(go_on).map_err(ended)?;
    let time = Nanos::from_millis(100);
    let task = Task { mode: Mode::Throughput, size: SIZE, payload: Payload::Sampled, time, every: None };
    link.warm_up(&task, go_on).map_err(ended)?;
    Ok((link, task))
}

/// Kills one side in the middle of a stream and returns what the other saw.
fn kill(transport: &'static dyn Transport, victim: Side, go_on: GoOn<'_>) -> Result<String, Fault> {
    for _ in 0..TRIES {
        let (mut link, task) = streaming(transport, go_on)?;
        link.blind();
        let target = link.pidfd(victim);
        let mut struck = false;
        let endless = Task { time: ENDLESS, ..task };
        let done = loop {
            let done = link.slice(&endless, false, &mut || {
                // Asked every 50 ms: by now the stream is under way.
                if !struck {
                    struck = target.send(libc::SIGKILL).is_ok();
                }
                go_on()
            });
            // The next is longer: after a slow start the first has few messages.
            if done.is_err() || struck {
                break done;
            }
        };
        match done {
            Err(Ended::Failed(fault)) => return Ok(fault.what.to_string()),
            Err(Ended::Stopped) => return Err(ended(Ended::Stopped)),
            Ok(_) => {}
        }
    }
    Err(Fault::new("experiment", "the stream ended before it could be cut off"))
}

pub(super) fn kill_reader(go_on: GoOn<'_>) -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    for transport in kinds() {
        let seen = kill(transport, Side::Answerer, go_on)?;
        let named = seen.contains("SIGKILL") && (seen.contains("roken pipe") || seen.contains("reset by peer"));
        notes.add(format!("{}: {seen}", transport.about().name), named);
    }
    Ok(notes.end(
        "A writer learns of the reader's end at its next write: EPIPE, and SIGPIPE, which ends a program that does not \
         ignore it; a socket that is closed with data unread is reset, ECONNRESET. What was on its way is lost.",
    ))
}

pub(super) fn kill_writer(go_on: GoOn<'_>) -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    for transport in kinds() {
        let seen = kill(transport, Side::Asker, go_on)?;
        let named = seen.contains("SIGKILL") && seen.contains("end of file");
        notes.add(format!("{}: {seen}", transport.about().name), named);
    }
    Ok(notes.end(
        "A reader gets what was sent before, and then the end of the file: read returns 0. The kernel closes the \
         descriptors of a process however it ends, so even SIGKILL is noticed; half a message may be the last.",
    ))
}

/// Stops the reader in the middle of a stream; how full the channel was then,
/// and the writer's state; none where the stream was over before.
fn stop(transport: &'static dyn Transport, go_on: GoOn<'_>) -> Result<(Option<(Fill, char)>, Slice), Fault> {
    let (mut link, task) = streaming(transport, go_on)?;
    let (gauge, reader) = (link.take_gauge(), link.pidfd(Side::Answerer));
    let writer = link.pid(Side::Asker);
    let (mut stopped, mut seen) = (None, None);
    let slice = link
        .slice(&Task { time: SHORT, ..task }, false, &mut || {
            match stopped {
                None => stopped = reader.send(libc::SIGSTOP).ok().map(|()| clock::monotonic()),
                Some(since) if seen.is_none() => {
                    let (waited, state) = (clock::monotonic() - since, state(writer));
                    let asleep = waited > Nanos::from_millis(150) && state == Some('S');
                    if asleep || waited > Nanos::from_millis(400) {
                        seen = gauge.as_ref().and_then(|gauge| gauge.fill()).zip(state);
                        // It goes on whatever was seen.
                        let _ = reader.send(libc::SIGCONT);
                    }
                }
                Some(_) => {}
            }
            go_on()
        })
        .map_err(ended)?;
    Ok((seen, slice))
}

pub(super) fn slow_reader(go_on: GoOn<'_>) -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    for transport in [&pipe::Pipe as &'static dyn Transport, &unix::STREAM] {
        let mut tried = stop(transport, go_on)?;
        for _ in 1..TRIES {
            if tried.0.is_none() {
                tried = stop(transport, go_on)?;
            }
        }
        let (seen, slice) = tried;
        let name = transport.about().name;
        let Some((fill, state)) = seen else {
            return Err(Fault::new("experiment", format!("{name}: the stream ended before its reader was stopped")));
        };
        // Of a socket the kernel tells the memory, which the last message may exceed.
        let memory = matches!(fill.by, Measure::Siocoutq | Measure::SoMeminfo);
        let unit = if memory { "bytes of kernel memory" } else { "bytes" };
        let share = fill.queued as f64 / fill.capacity as f64;
        notes.add(
            format!(
                "{name}: with its reader stopped, {} of {} {unit} were in it and the writer's state was {state}",
                fill.queued, fill.capacity
            ),
            // A writer to a socket that was full sleeps on until it is three
            // quarters empty (net/unix/af_unix.c).
            share >= 0.25 && state == 'S',
        );
        notes.add(
            format!("{name}: after it went on, all {} messages arrived, {} lost", slice.count, slice.losses().lost),
            !slice.losses().any(),
        );
    }
    Ok(notes.end(
        "A bounded channel fills up and puts its writer to sleep until there is room: back-pressure. Nothing is lost, \
         and the writer is as slow as the reader.",
    ))
}
