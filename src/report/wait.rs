//! A wait as the machine-readable faces print it; `ps` and `why` share it.

use serde::Serialize;

use crate::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};
use crate::model::{Nanos, Pid};

/// The `wait` object of the JSON contract.
#[derive(Debug, Serialize)]
pub struct WaitObject<'a> {
    kind: WaitKind,
    resource: &'a str,
    address: Option<String>,
    holders: &'a [Holder],
    partial: bool,
    mode: Mode,
    timed: bool,
    since_ns: Option<Nanos>,
    certainty: Certainty,
    evidence: &'a [String],
    orphaned: bool,
    at: Option<&'a str>,
}

impl<'a> WaitObject<'a> {
    /// The object for `wait` as read at `at`: `since_ns` is how long it has
    /// lasted by then.
    pub fn new(wait: &'a Wait, at: Nanos) -> Self {
        WaitObject {
            kind: wait.kind,
            resource: &wait.resource,
            address: wait.address.map(|address| format!("{address:#x}")),
            holders: &wait.holders,
            partial: wait.partial,
            mode: wait.mode,
            timed: wait.timed,
            since_ns: lasted(wait, at),
            certainty: wait.certainty,
            evidence: &wait.evidence,
            orphaned: wait.orphaned,
            at: wait.at.as_deref(),
        }
    }
}

/// How long a wait has lasted at `at`, where that is known.
pub fn lasted(wait: &Wait, at: Nanos) -> Option<Nanos> {
    wait.since.filter(|_| !wait.at_least).map(|since| at.since(since))
}

/// The kind as the JSON contract names it: `pipe_read`.
pub fn kind_name(kind: WaitKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => kind.words().to_owned(),
    }
}

/// A wait in one line for people: `mutex: base.lock ← 4130`.
pub fn line(wait: &Wait) -> String {
    let words = wait.kind.words();
    let mut text = match &*wait.resource {
        "" => words.to_owned(),
        // `other` says nothing that its place does not say better.
        resource if wait.kind == WaitKind::Other || resource.starts_with(words) => resource.to_owned(),
        resource => format!("{words}: {resource}"),
    };
    let ids: Vec<String> = wait.holders.iter().map(|holder| holder_id(*holder).to_string()).collect();
    if wait.orphaned {
        text.push_str(" ← gone");
    } else if !ids.is_empty() {
        text.push_str(" ← ");
        text.push_str(&ids.join(","));
    }
    text
}

/// The thread that holds, or the process where a process does.
pub fn holder_id(holder: Holder) -> Pid {
    holder.tid.unwrap_or(holder.pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_object_is_that_of_the_contract() {
        let mut wait = Wait::new(WaitKind::PthreadMutex, "mutex at 0x55d0");
        wait.address = Some(0x55d0);
        wait.holders = vec![Holder { pid: 7, tid: Some(9) }, Holder { pid: 8, tid: None }];
        wait.since = Some(Nanos(1_000));
        wait.evidence = vec!["owner word = 9".to_owned()];
        let json = serde_json::to_string(&WaitObject::new(&wait, Nanos(5_000))).unwrap();
        assert_eq!(
            json,
            r#"{"kind":"pthread_mutex","resource":"mutex at 0x55d0","address":"0x55d0","holders":[{"pid":7,"tid":9},{"pid":8,"tid":null}],"partial":false,"mode":"any","timed":false,"since_ns":4000,"certainty":"certain","evidence":["owner word = 9"],"orphaned":false,"at":null}"#
        );
        assert_eq!(kind_name(wait.kind), "pthread_mutex");
        assert_eq!(line(&wait), "mutex at 0x55d0 ← 9,8");
        wait.orphaned = true;
        wait.resource = "base.lock".into();
        assert_eq!(line(&wait), "mutex: base.lock ← gone");
        assert_eq!(line(&Wait::new(WaitKind::Sleep, "")), "sleep");
    }
}
