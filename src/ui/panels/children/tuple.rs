//! The process as the tuple that it formally is:
//! P = (pid, state, address space, resources, parent, children).

use std::collections::BTreeMap;

use ratatui::text::{Line, Span};

use crate::model::Bytes;
use crate::model::detail::{DescriptorKind, ProcessDetail};
use crate::model::sorting;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// Columns of a component's name.
const NAME: usize = 10;
const LEAD: &str = "P = ( ";

/// A component after the other, each with as many lines as it takes; what may
/// not be read says so.
pub(super) fn lines(detail: &ProcessDetail, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let process = detail.process.as_ref();
    let state = process.map_or("gone".to_owned(), |process| {
        let waits = match &detail.threads {
            Ok(threads) => threads.iter().filter(|thread| thread.wait.is_some()).count(),
            Err(_) => 0,
        };
        format!("{} · {}, {waits} waiting", process.state.letter(), text::count(process.threads, "thread", "threads"))
    });
    let parent = process.map_or_else(String::new, |process| process.ppid.to_string());
    let children = match &detail.children {
        Ok(children) if children.is_empty() => "∅".to_owned(),
        Ok(children) => {
            let pids: Vec<String> = children.iter().map(ToString::to_string).collect();
            format!("{{{}}}", pids.join(", "))
        }
        Err(fault) => fault.what.to_string(),
    };
    let components = [
        ("pid", detail.pid.to_string()),
        ("state", state),
        ("space", space(detail)),
        ("resources", resources(detail)),
        ("parent", parent),
        ("children", children),
    ];
    let last = components.len() - 1;
    let component = |(index, (name, value)): (usize, (&str, String))| {
        let parts = text::wrap(&value, width.saturating_sub(LEAD.len() + NAME + 2).max(20));
        let ends = parts.len() - 1;
        let line = move |(row, part): (usize, String)| {
            let lead = if (index, row) == (0, 0) { LEAD } else { "      " };
            let end = match (row == ends, index == last) {
                (false, _) => "",
                (true, false) => ",",
                (true, true) => " )",
            };
            Line::from(vec![
                Span::styled(lead, look.style(Role::Accent)),
                Span::styled(text::left(if row == 0 { name } else { "" }, NAME), look.style(Role::Dim)),
                Span::styled(part, look.style(Role::Text)),
                Span::styled(end, look.style(Role::Accent)),
            ])
        };
        parts.into_iter().enumerate().map(line).collect::<Vec<_>>()
    };
    components.into_iter().enumerate().flat_map(component).collect()
}

/// Mappings by kind, the largest first.
fn space(detail: &ProcessDetail) -> String {
    let mappings = match &detail.mappings {
        Ok(mappings) => mappings,
        Err(fault) => return fault.what.to_string(),
    };
    let mut kinds: BTreeMap<String, (Bytes, u32)> = BTreeMap::new();
    for mapping in mappings {
        let kind = kinds.entry(format!("{:?}", mapping.kind).to_lowercase()).or_default();
        *kind = (Bytes(kind.0.0 + mapping.size.0), kind.1 + mapping.count);
    }
    let mut sorted: Vec<_> = kinds.into_iter().collect();
    sorting::by(&mut sorted, |a, b| (b.1.0.0, &a.0).cmp(&(a.1.0.0, &b.0)));
    let words: Vec<String> =
        sorted.iter().map(|(kind, (size, count))| format!("{kind} {} in {count}", size.short())).collect();
    words.join(" · ")
}

fn resources(detail: &ProcessDetail) -> String {
    let mut words = Vec::new();
    match &detail.descriptors {
        Ok(descriptors) => {
            let count = |kind: DescriptorKind| descriptors.iter().filter(|one| one.kind == kind).count();
            let pipes = count(DescriptorKind::Pipe);
            words.push(format!("{} descriptors ({pipes} pipe ends)", descriptors.len()));
        }
        Err(fault) => words.push(fault.what.to_string()),
    }
    if let Ok(memory) = &detail.memory {
        words.push(format!("{} resident", memory.rss.short()));
    }
    if let Ok(limits) = &detail.limits {
        words.push(format!("{} limits", limits.len()));
    }
    if let Ok(namespaces) = &detail.namespaces {
        let others = namespaces.iter().filter(|namespace| !namespace.ours).count();
        words.push(format!("{} namespaces, {others} not ours", namespaces.len()));
    }
    if let Ok(cgroup) = &detail.cgroup {
        words.extend(cgroup.first().map(|path| format!("cgroup {path}")));
    }
    words.join(" · ")
}
