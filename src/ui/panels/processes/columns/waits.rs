//! What the cells say about a wait, and the words for one wherever it is shown.

use super::Cell;
use crate::model::Nanos;
use crate::model::graph::Verdict;
use crate::model::process::ProcessTable;
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};
use crate::ui::theme::Role;

pub(super) fn wait(cell: &Cell<'_>) -> (String, Role) {
    if let Some(since) = cell.process.stale {
        return (format!("stale {}", cell.look.now.since(since).age()), Role::Warn);
    }
    if let Some(stuck) = cell.stuck_within() {
        return stuck;
    }
    let Some(wait) = cell.wait() else {
        return (String::new(), Role::Faint);
    };
    // Most threads of the kernel sleep until there is work: where, the detail view tells.
    if cell.process.kernel && wait.kind == WaitKind::Other {
        return ("kernel work".to_owned(), Role::Faint);
    }
    let role = match wait {
        w if w.orphaned || cell.verdict().is_some_and(Verdict::is_for_ever) => Role::Danger,
        w if !w.holders.is_empty() => Role::Accent,
        _ => Role::Dim,
    };
    (wait_text(wait), role)
}

/// A wait in a few words: `mutex [heap] +0x2a0`, `sleep`.
pub fn wait_text(wait: &Wait) -> String {
    let words = wait.kind.words();
    let resource = &*wait.resource;
    if resource.is_empty() {
        return words.to_owned();
    }
    // `other` says nothing that its place does not say better.
    if wait.kind == WaitKind::Other || resource.starts_with(words) {
        return resource.to_owned();
    }
    // `pipe full` and `pipe 48213` have a word in common.
    match resource.split_once(' ') {
        Some((first, rest)) if words.split(' ').next() == Some(first) => format!("{words} {rest}"),
        _ => format!("{words}: {resource}"),
    }
}

pub(super) fn wait_age(cell: &Cell<'_>) -> (String, Role) {
    let age = cell.wait().and_then(|wait| wait.age(cell.look.now, Nanos::rough_age));
    (age.unwrap_or_default(), Role::Faint)
}

pub(super) fn held_by(cell: &Cell<'_>) -> (String, Role) {
    let Some(wait) = cell.wait() else { return (String::new(), Role::Faint) };
    if wait.orphaned {
        return ("nobody: orphaned".to_owned(), Role::Danger);
    }
    let Some(first) = wait.holders.first() else { return (String::new(), Role::Faint) };
    let mut text = holder_text(*first, cell.table);
    if wait.holders.len() > 1 {
        text = format!("{text} +{}", wait.holders.len() - 1);
    }
    if wait.partial {
        text.push_str(" or unseen");
    }
    let role = match wait.certainty {
        _ if cell.verdict() == Some(Verdict::Deadlocked) => Role::Danger,
        Certainty::Inferred => Role::Dim,
        _ => Role::Strong,
    };
    (text, role)
}

/// A holder with its name where the table knows it: `4133 worker-5`.
pub fn holder_text(holder: Holder, table: &ProcessTable) -> String {
    let id = holder.tid.unwrap_or(holder.pid);
    let thread = table.threads_of(holder.pid).iter().find(|t| Some(t.tid) == holder.tid).map(|t| t.name.clone());
    let name = thread.or_else(|| table.process(holder.pid).map(|p| p.name.clone()));
    name.map_or_else(|| id.to_string(), |name| format!("{id} {name}"))
}
