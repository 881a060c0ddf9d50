//! Files that are registered with an `io_uring` (`io_uring_register_files(3)`): the ring
//! keeps them open, whoever has it may use them, and no descriptor shows them.
//!
//! ```text
//! fdinfo of the ring:  UserFiles:   2
//!                          0: pipe:[48213]
//!                          1: socket:[77]
//!                      SqHead, SqTail, CachedSqHead, CachedCqTail: counters
//! ```
//!
//! What has been handed to a ring goes on by itself while all threads sleep, on any file,
//! registered or not.

use super::End;
use super::listing::descriptors_of;
use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

/// What the link of a ring's descriptor says.
pub(in crate::backend::observe) const RING: &[u8] = b"anon_inode:[io_uring]";

/// The links of the files that are registered with the ring behind this descriptor;
/// none where the kernel does not tell.
pub(in crate::backend::observe) fn registered(root: &ProcRoot, ring: &End) -> Vec<Vec<u8>> {
    let mut content = Vec::new();
    let path = format!("{}/task/{}/fdinfo/{}", ring.pid, ring.tid, ring.fd);
    if root.read_into(&path, &mut content).is_err() {
        return Vec::new();
    }
    links(&content).map(<[u8]>::to_vec).collect()
}

/// Whether an `io_uring` of the process has work under way, or may have for all that the
/// kernel tells: it may do what all threads of the process wait too long to do.
pub(in crate::backend::observe) fn is_at_work(root: &ProcRoot, pid: Pid) -> bool {
    let mut found = false;
    descriptors_of(root, pid, |_, tid, fd, link| {
        let mut content = Vec::new();
        found |= link == RING
            && (root.read_into(&format!("{pid}/task/{tid}/fdinfo/{fd}"), &mut content).is_err() || !is_idle(&content));
    });
    found
}

/// A poll, of which the kernel tells behind `PollList:`.
const POLL: &[u8] = b"  op=";

/// Whether all that a ring was ever given is done: nothing waits to be taken by the kernel,
/// as much has been completed as was taken, and no poll is left that is told more than once.
fn is_idle(content: &[u8]) -> bool {
    let value = |key: &str| {
        let text = str::from_utf8(content).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')?.trim().parse::<u32>().ok())
    };
    let taken = value("CachedSqHead");
    let polls = content.windows(POLL.len()).any(|bytes| bytes == POLL);
    taken.is_some()
        && !polls
        && taken == value("CachedCqTail")
        && value("SqHead").is_some()
        && value("SqHead") == value("SqTail")
}

/// The lines behind `UserFiles:` that begin with a number.
fn links(content: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = content.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let behind = lines.skip_while(|line| !line.starts_with(b"UserFiles:")).skip(1);
    behind.map_while(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        line[..colon].iter().all(u8::is_ascii_digit).then(|| line[colon + 1..].trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_is_idle_only_if_all_is_taken_and_done() {
        let ring = |head: u32, tail: u32, taken: u32, done: u32| {
            is_idle(
                format!("SqHead:\t{head}\nSqTail:\t{tail}\nCachedSqHead:\t{taken}\nCachedCqTail:\t{done}\n").as_bytes(),
            )
        };
        assert!(ring(0, 0, 0, 0) && ring(7, 7, 7, 7));
        assert!(!ring(2, 2, 2, 0), "two are under way");
        assert!(!ring(2, 3, 2, 2), "one is about to be taken");
        assert!(!ring(2, 2, 2, 3), "one completes more than once");
        assert!(!is_idle(b"SqHead:\t0\nSqTail:\t0\n"), "the kernel does not tell");
        let idle = "SqHead:\t1\nSqTail:\t1\nCachedSqHead:\t1\nCachedCqTail:\t1\nPollList:\n";
        assert!(is_idle(idle.as_bytes()));
        assert!(!is_idle(format!("{idle}  op=6, task_works=0\n").as_bytes()), "a poll that is told again and again");
    }

    #[test]
    fn the_registered_files_are_listed_and_nothing_else() {
        let content = b"pos:\t0\nino:\t9\nSqTail:\t0\nUserFiles:\t3\n    0: pipe:[48213]\n    2: socket:[77]\n\
            UserBufs:\t1\n    0: 4096\nPollList:\n";
        assert_eq!(links(content).collect::<Vec<_>>(), [&b"pipe:[48213]"[..], b"socket:[77]"]);
        assert_eq!(links(b"pos:\t0\n    0: pipe:[1]\n").count(), 0, "no ring");
    }
}
