//! How many descriptors this program may hold: `RLIMIT_NOFILE`, getrlimit(2).
//!
//! The soft limit is mostly 1,024, kept low for programs that use select(2);
//! the hard one is far higher. Sampling with kept-open descriptors wants the
//! hard one; a child must not inherit that, so the original stays readable.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The resources that can be limited, getrlimit(2), by their names in small
/// letters without `RLIMIT_`.
pub const RESOURCES: [(&str, i32); 16] = [
    ("cpu", libc::RLIMIT_CPU as i32),
    ("fsize", libc::RLIMIT_FSIZE as i32),
    ("data", libc::RLIMIT_DATA as i32),
    ("stack", libc::RLIMIT_STACK as i32),
    ("core", libc::RLIMIT_CORE as i32),
    ("rss", libc::RLIMIT_RSS as i32),
    ("nproc", libc::RLIMIT_NPROC as i32),
    ("nofile", libc::RLIMIT_NOFILE as i32),
    ("memlock", libc::RLIMIT_MEMLOCK as i32),
    ("as", libc::RLIMIT_AS as i32),
    ("locks", libc::RLIMIT_LOCKS as i32),
    ("sigpending", libc::RLIMIT_SIGPENDING as i32),
    ("msgqueue", libc::RLIMIT_MSGQUEUE as i32),
    ("nice", libc::RLIMIT_NICE as i32),
    ("rtprio", libc::RLIMIT_RTPRIO as i32),
    ("rttime", libc::RLIMIT_RTTIME as i32),
];

static ORIGINAL: OnceLock<Rlimit> = OnceLock::new();

/// `RLIMIT_NOFILE` as the program found it: what children are to be given.
pub fn original_nofile() -> Rlimit {
    *ORIGINAL.get_or_init(|| getrlimit(Resource::Nofile))
}

/// Raises the soft limit to the hard one and returns how many descriptors the
/// program may hold from now on. Where the kernel refuses, that is the limit
/// as it was.
pub fn raise_nofile() -> u64 {
    let original = original_nofile();
    let raised = Rlimit { current: original.maximum, maximum: original.maximum };
    let limit = if setrlimit(Resource::Nofile, raised).is_ok() { raised } else { original };
    limit.current.unwrap_or(u64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_rises_and_the_original_stays_known() {
        let before = original_nofile();
        let limit = raise_nofile();
        assert_eq!(Some(limit), getrlimit(Resource::Nofile).current.or(Some(u64::from(u32::MAX))));
        assert!(before.current.is_none_or(|soft| limit >= soft));
        assert_eq!(original_nofile(), before, "raising does not touch what is remembered");
    }
}
