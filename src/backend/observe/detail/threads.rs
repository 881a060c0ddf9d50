//! The threads of one process, each with what it waits for.

use std::sync::Arc;

use rustix::io::Errno;

use super::source::Source;
use crate::backend::observe::parse::{self, Stat, Units};
use crate::backend::observe::wait::{Call, Facts, World, decode};
use crate::model::Pid;
use crate::model::detail::Section;
use crate::model::process::{ProcessTable, State, Thread};
use crate::model::text::visible_arc;

/// The threads by tid: from the table where it has them with their waits, which
/// then have shares of CPU time too; else read here. One that ends meanwhile is
/// left out.
pub(super) fn read(source: &Source, pid: Pid, table: &ProcessTable, world: &mut World) -> Section<Vec<Arc<Thread>>> {
    let seen = table.threads_of(pid);
    if !seen.is_empty() && seen.iter().all(|thread| thread.wait.is_some() || thread.state == State::Running) {
        return Ok(seen.to_vec());
    }
    Ok(source.threads()?.into_iter().filter_map(|tid| thread(source, pid, tid, world)).map(Arc::new).collect())
}

fn thread(source: &Source, pid: Pid, tid: Pid, world: &mut World) -> Option<Thread> {
    let file = |name: &str| source.bytes(&format!("task/{tid}/{name}"));
    let content = file("stat").ok()?;
    let (stat, units) = (Stat::parse(&content)?, Units::of_kernel());
    let state = stat.state;
    let (call, wchan) = if state == State::Running {
        (Call::Running, String::new())
    } else {
        (blocked_call(source, tid), String::from_utf8_lossy(&file("wchan").unwrap_or_default()).into_owned())
    };
    let wchan = if wchan == "0" { "" } else { wchan.as_str() };
    let wait = decode(&Facts { pid, tid, state, call: &call, wchan, since: None }, world);
    let comm = file("comm").unwrap_or_default();
    Some(Thread {
        pid,
        tid,
        name: visible_arc(comm.strip_suffix(b"\n").unwrap_or(&comm)),
        state,
        cpu: None,
        cpu_time: units.ticks(stat.cpu_ticks),
        started: units.ticks(stat.start_ticks),
        last_cpu: stat.last_cpu,
        switches: file("status").ok().and_then(|status| parse::switches(&status)),
        wchan: (!wchan.is_empty()).then(|| visible_arc(wchan.as_bytes())),
        call: match call {
            Call::Blocked { call, .. } => Some(call),
            Call::Running | Call::Outside | Call::Kernel | Call::Unreadable(_) => None,
        },
        wait: wait.map(Arc::new),
    })
}

fn blocked_call(source: &Source, tid: Pid) -> Call {
    let mut text = Vec::new();
    let file = source.file(&format!("task/{tid}/syscall"));
    let read = file.map(|mut file| std::io::Read::read_to_end(&mut file, &mut text));
    match read {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => return Call::Unreadable(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        Err(_) => return Call::Unreadable(Errno::ACCESS),
    }
    Call::parse(&text).unwrap_or(Call::Unreadable(Errno::INVAL))
}
