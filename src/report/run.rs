//! What a command's run was, for machines: `syncscope.run/1`.

use serde::Serialize;

use crate::backend::children::headless::Run;
use crate::model::child::ChildSpec;
use crate::model::life::Exit;
use crate::model::process::Switches;
use crate::model::{Bytes, Nanos, Pid, text};

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    pid: Pid,
    cmd: Vec<String>,
    exit: Exit,
    wall_ns: Nanos,
    user_ns: Nanos,
    system_ns: Nanos,
    max_rss: Bytes,
    max_rss_exact: bool,
    switches: Switches,
    faults: Faults,
    stdout_bytes: Option<u64>,
    stderr_bytes: Option<u64>,
    descendants_left: Vec<Left<'a>>,
}

#[derive(Serialize)]
struct Faults {
    minor: u64,
    major: u64,
}

#[derive(Serialize)]
struct Left<'a> {
    pid: Pid,
    name: &'a str,
}

/// The report as one line of JSON, without its line end.
///
/// # Errors
/// What the serialiser says; there is nothing in a report that it refuses.
pub fn json(spec: &ChildSpec, run: &Run) -> serde_json::Result<String> {
    let words = std::iter::once(&spec.program).chain(&spec.args);
    serde_json::to_string(&Report {
        schema: "syncscope.run/1",
        pid: run.pid,
        cmd: words.map(|word| text::visible(word.as_encoded_bytes())).collect(),
        exit: run.exit,
        wall_ns: run.usage.wall,
        user_ns: run.usage.user,
        system_ns: run.usage.system,
        max_rss: run.usage.max_rss,
        max_rss_exact: !run.usage.max_rss_is_ours,
        switches: run.usage.switches,
        faults: Faults { minor: run.usage.minor_faults, major: run.usage.major_faults },
        stdout_bytes: run.stdout_bytes,
        stderr_bytes: run.stderr_bytes,
        descendants_left: run.descendants.iter().map(|left| Left { pid: left.pid, name: &left.name }).collect(),
    })
}
