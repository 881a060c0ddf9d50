//! Processes made up for tests.

use std::sync::Arc;

use crate::model::process::{Process, ProcessTable, State, Tally, Thread};
use crate::model::{Bytes, Nanos, Pid};

/// A sleeping process of root.
pub fn process(pid: Pid, ppid: Pid, name: &str) -> Process {
    Process {
        pid,
        ppid,
        pgrp: pid,
        session: pid,
        uid: 0,
        user: Arc::from("root"),
        state: State::Sleeping,
        name: Arc::from(name),
        cmdline: Arc::from([Arc::from(format!("/usr/bin/{name}")), Arc::from("--now")]),
        kernel: false,
        cpu: Some(0.0),
        cpu_time: Nanos::from_millis(120),
        nice: 0,
        rss: Bytes(4 << 20),
        virt: Bytes(64 << 20),
        threads: 1,
        started: Nanos::from_secs(60),
        switches: None,
        io: None,
        wchan: None,
        call: None,
        wait: None,
        stale: None,
    }
}

/// A sleeping thread.
pub fn thread(pid: Pid, tid: Pid) -> Thread {
    Thread {
        pid,
        tid,
        name: Arc::from(format!("worker-{tid}")),
        state: State::Sleeping,
        cpu: Some(0.0),
        cpu_time: Nanos::ZERO,
        started: Nanos::from_secs(61),
        last_cpu: 0,
        switches: None,
        wchan: None,
        call: None,
        wait: None,
    }
}

/// A table of them.
pub fn table(processes: Vec<Process>, threads: Vec<Thread>) -> ProcessTable {
    let tally = Tally {
        processes: processes.len() as u32,
        threads: processes.len() as u32 + threads.len() as u32,
        ..Tally::default()
    };
    ProcessTable {
        processes: processes.into_iter().map(Arc::new).collect(),
        threads: threads.into_iter().map(Arc::new).collect(),
        tally,
        complete: true,
        faults: Vec::new(),
    }
}
