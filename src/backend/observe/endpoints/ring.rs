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
/// kernel tells: it may do what all threads of the process wait too long to do. A ring whose
/// descriptor has been closed (`io_uring_close_ring_fd(3)`) is seen by its memory alone.
pub(in crate::backend::observe) fn is_at_work(root: &ProcRoot, pid: Pid) -> bool {
    let (mut rings, mut at_work) = (0, false);
    let mut content = Vec::new();
    descriptors_of(root, pid, |_, tid, fd, link| {
        if link == RING {
            let read = root.read_into(&format!("{pid}/task/{tid}/fdinfo/{fd}"), &mut content);
            rings += 1;
            at_work |= read.is_err() || !is_unused(&content);
        }
    });
    // Each is mapped twice: its queues, and its entries.
    let has_more = |maps: &[u8]| memchr::memmem::find_iter(maps, RING).count() > 2 * rings;
    at_work || root.read_into(&format!("{pid}/maps"), &mut content).is_ok() && has_more(&content)
}

/// Whether a ring was never given anything. Whether all that it was given is done is not told:
/// a request may complete more than once (`IORING_CQE_F_MORE`) or not at all, and others may
/// add to what it has completed.
fn is_unused(content: &[u8]) -> bool {
    let value = |key: &str| {
        let text = str::from_utf8(content).ok()?;
        text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':')?.trim().parse::<u32>().ok())
    };
    ["CachedSqHead", "SqHead", "SqTail"].into_iter().all(|key| value(key) == Some(0))
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
    fn only_a_ring_that_was_never_used_does_nothing() {
        let ring = |head: u32, tail: u32, taken: u32| {
            is_unused(format!("SqHead:\t{head}\nSqTail:\t{tail}\nCachedSqHead:\t{taken}\n").as_bytes())
        };
        assert!(ring(0, 0, 0));
        assert!(!ring(2, 2, 2), "how much is under way is not told");
        assert!(!ring(0, 1, 0), "one is about to be taken");
        assert!(!is_unused(b"SqHead:\t0\nSqTail:\t0\n"), "the kernel does not tell");
    }

    #[test]
    fn the_registered_files_are_listed_and_nothing_else() {
        let content = b"pos:\t0\nino:\t9\nSqTail:\t0\nUserFiles:\t3\n    0: pipe:[48213]\n    2: socket:[77]\n\
            UserBufs:\t1\n    0: 4096\nPollList:\n";
        assert_eq!(links(content).collect::<Vec<_>>(), [&b"pipe:[48213]"[..], b"socket:[77]"]);
        assert_eq!(links(b"pos:\t0\n    0: pipe:[1]\n").count(), 0, "no ring");
    }
}
