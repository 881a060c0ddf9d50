//! Files that are registered with an `io_uring` (`io_uring_register_files(3)`): the ring
//! keeps them open, whoever has it may use them, and no descriptor shows them.
//!
//! ```text
//! fdinfo of the ring:  UserFiles:   2
//!                          0: pipe:[48213]
//!                          1: socket:[77]
//! ```

use super::End;
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
    fn the_registered_files_are_listed_and_nothing_else() {
        let content = b"pos:\t0\nino:\t9\nSqTail:\t0\nUserFiles:\t3\n    0: pipe:[48213]\n    2: socket:[77]\n\
            UserBufs:\t1\n    0: 4096\nPollList:\n";
        assert_eq!(links(content).collect::<Vec<_>>(), [&b"pipe:[48213]"[..], b"socket:[77]"]);
        assert_eq!(links(b"pos:\t0\n    0: pipe:[1]\n").count(), 0, "no ring");
    }
}
