//! Who a process is: its row, its children, its environment, its control
//! groups and namespaces.

use std::sync::Arc;

use rustix::fs::{Dir, readlinkat};

use super::source::Source;
use crate::backend::observe::parse::{Stat, Units};
use crate::backend::observe::users::Users;
use crate::model::detail::{Namespace, Section};
use crate::model::process::{Process, ProcessTable, Thread};
use crate::model::sorting;
use crate::model::text::{visible, visible_arc};
use crate::model::{Bytes, Pid};
use crate::sys::procroot::ProcRoot;

/// The process as the table shows it; read here where the table has not seen
/// it, or has seen another with its number. `None` once it is gone.
pub(super) fn process(
    source: &Source,
    pid: Pid,
    table: &ProcessTable,
    users: &mut Users,
    main: Option<&Arc<Thread>>,
) -> Option<Arc<Process>> {
    let content = source.bytes("stat").ok()?;
    let stat = Stat::parse(&content)?;
    let started = Units::of_kernel().ticks(stat.start_ticks);
    match table.process(pid) {
        Some(row) if row.started == started => Some(row.clone()),
        _ => Some(Arc::new(row(source, pid, &stat, users, main))),
    }
}

fn row(source: &Source, pid: Pid, stat: &Stat<'_>, users: &mut Users, main: Option<&Arc<Thread>>) -> Process {
    // The directory belongs to the effective user, whatever the kernel hides.
    let uid = source.process.uid().unwrap_or(u32::MAX);
    let comm = source.bytes("comm").unwrap_or_default();
    let cmdline = source.bytes("cmdline").unwrap_or_default();
    let units = Units::of_kernel();
    Process {
        pid,
        ppid: stat.ppid,
        pgrp: stat.pgrp,
        session: stat.session,
        uid,
        user: if uid == u32::MAX { "?".into() } else { users.name(uid) },
        state: stat.state,
        name: visible_arc(comm.strip_suffix(b"\n").unwrap_or(&comm)),
        cmdline: strings(&cmdline).collect(),
        kernel: stat.is_kernel(),
        cpu: None,
        cpu_time: units.ticks(stat.cpu_ticks),
        nice: stat.nice,
        rss: units.pages(stat.rss_pages),
        virt: Bytes(stat.virt),
        threads: stat.threads,
        started: units.ticks(stat.start_ticks),
        switches: main.and_then(|thread| thread.switches),
        io: None,
        wchan: main.and_then(|thread| thread.wchan.clone()),
        call: main.and_then(|thread| thread.call.clone()),
        wait: main.and_then(|thread| thread.wait.clone()),
        stale: None,
    }
}

/// The strings of a file in which each ends with a NUL.
fn strings(bytes: &[u8]) -> impl Iterator<Item = Arc<str>> {
    let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    let none = bytes.is_empty();
    bytes.split(|&b| b == 0).filter(move |_| !none).map(visible_arc)
}

/// `/proc/PID/environ`, in its order, as it was when the program started.
pub(super) fn environment(source: &Source) -> Section<Vec<Arc<str>>> {
    Ok(strings(&source.bytes("environ")?).filter(|variable| !variable.is_empty()).collect())
}

/// `/proc/PID/cgroup`, cgroups(7): `0::/path` is shown as `/path`, a group of
/// the first version, `3:cpu,cpuacct:/path`, as `cpu,cpuacct:/path`.
pub(super) fn cgroup(source: &Source) -> Section<Vec<Arc<str>>> {
    let text = source.bytes("cgroup")?;
    let path = |line: &[u8]| -> Option<Arc<str>> {
        let rest = &line[line.iter().position(|&b| b == b':')? + 1..];
        Some(visible_arc(rest.strip_prefix(b":").unwrap_or(rest)))
    };
    Ok(text.split(|&b| b == b'\n').filter_map(path).collect())
}

/// `/proc/PID/ns`, namespaces(7): links such as `net:[4026531840]`, ours where
/// `/proc/self` has the same.
pub(super) fn namespaces(source: &Source, root: &ProcRoot) -> Section<Vec<Namespace>> {
    let directory = source.file("ns")?;
    let ours = root.path().join("self/ns");
    let mut namespaces: Vec<Namespace> = Vec::new();
    let entries = Dir::read_from(&directory).map_err(|errno| source.errno("ns", errno))?;
    for entry in entries.flatten().filter(|entry| !entry.file_name().to_bytes().starts_with(b".")) {
        let name = entry.file_name();
        let link = readlinkat(&directory, name, Vec::new()).map_err(|errno| source.errno("ns", errno))?;
        let Some(inode) = inode(link.to_bytes()) else { continue };
        let kind = visible(name.to_bytes());
        let own = std::fs::read_link(ours.join(&kind)).ok();
        let ours = own.is_some_and(|own| std::os::unix::ffi::OsStrExt::as_bytes(own.as_os_str()) == link.to_bytes());
        namespaces.push(Namespace { kind: kind.into(), inode, ours });
    }
    // `pid_for_children` says something only where it differs from `pid`.
    let same = |n: &Namespace| {
        let base = n.kind.strip_suffix("_for_children");
        base.is_some_and(|base| namespaces.iter().any(|other| *other.kind == *base && other.inode == n.inode))
    };
    let mut shown: Vec<Namespace> = namespaces.iter().filter(|n| !same(n)).cloned().collect();
    sorting::by(&mut shown, |a, b| a.kind.cmp(&b.kind));
    Ok(shown)
}

/// The number in `net:[4026531840]`, and likewise `pipe:[48213]`.
pub(super) fn inode(link: &[u8]) -> Option<u64> {
    let digits = link.strip_suffix(b"]")?;
    let digits = &digits[digits.iter().rposition(|&b| b == b'[')? + 1..];
    str::from_utf8(digits).ok()?.parse().ok()
}

/// The children: from the table where there is one, else from
/// `/proc/PID/task/TID/children` of all its threads.
pub(super) fn children(source: &Source, pid: Pid, table: &ProcessTable) -> Section<Vec<Pid>> {
    if table.process(pid).is_some() {
        return Ok(table.processes.iter().filter(|process| process.ppid == pid).map(|process| process.pid).collect());
    }
    let mut children = Vec::new();
    for tid in source.threads()? {
        // A thread that has just ended has handed its children on.
        if let Ok(text) = source.bytes(&format!("task/{tid}/children")) {
            let text = String::from_utf8_lossy(&text);
            children.extend(text.split_ascii_whitespace().filter_map(|child| child.parse::<Pid>().ok()));
        }
    }
    children.sort_unstable();
    Ok(children)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_end_with_nul() {
        let all = |bytes: &[u8]| strings(bytes).map(|s| s.to_string()).collect::<Vec<_>>();
        assert_eq!(all(b"sh\0-c\0\0"), ["sh", "-c", ""]);
        assert_eq!(all(b"no end"), ["no end"]);
        assert_eq!(all(b"\x1b[2J\0"), ["\\x1b[2J"]);
        assert!(all(b"").is_empty() && all(b"\0").is_empty());
    }

    #[test]
    fn the_inode_of_a_link() {
        assert_eq!(inode(b"net:[4026531840]"), Some(4_026_531_840));
        assert_eq!(inode(b"pipe:[7]"), Some(7));
        for link in [&b"/tmp/x"[..], b"net:[]", b"net:[7", b"", b"]", b"x:[-1]"] {
            assert_eq!(inode(link), None);
        }
    }
}
