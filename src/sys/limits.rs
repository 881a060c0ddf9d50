//! How many descriptors this program may hold: `RLIMIT_NOFILE`, getrlimit(2).
//!
//! The soft limit is mostly 1,024, kept low for programs that use select(2);
//! the hard one is far higher. Sampling with kept-open descriptors wants the
//! hard one; a child must not inherit that, so the original stays readable.

use std::sync::OnceLock;

use rustix::io::Errno;
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

/// Fails where a file of `len` bytes is above `RLIMIT_FSIZE`. To make it all the
/// same would end the program, by SIGXFSZ.
///
/// # Errors
/// `EFBIG`.
pub fn file_size(len: usize) -> Result<(), Errno> {
    let limit = getrlimit(Resource::Fsize).current;
    if limit.is_some_and(|limit| len as u64 > limit) { Err(Errno::FBIG) } else { Ok(()) }
}

/// Which limit stands behind the kernel's reason at the end of `what`, and how it
/// is raised.
pub fn behind(what: &str) -> Option<&'static str> {
    let says = |errno: Errno, name: &str| {
        what.ends_with(&format!("(os error {})", errno.raw_os_error())) || what.ends_with(&format!("({name})"))
    };
    if says(Errno::MFILE, "EMFILE") {
        Some("the limit is RLIMIT_NOFILE; raise it: ulimit -n")
    } else if says(Errno::FBIG, "EFBIG") {
        Some("the limit is RLIMIT_FSIZE; raise it: ulimit -f")
    } else {
        None
    }
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

    #[test]
    fn the_limit_behind_an_error_is_named() {
        let error = std::io::Error::from(Errno::MFILE);
        assert!(behind(&format!("cannot make a pipe: {error}")).unwrap().contains("RLIMIT_NOFILE"));
        assert!(behind("cannot make a process: Too many open files (EMFILE)").unwrap().contains("ulimit -n"));
        assert!(behind(&std::io::Error::from(Errno::FBIG).to_string()).unwrap().contains("RLIMIT_FSIZE"));
        assert_eq!(behind("No space left on device (os error 28)"), None);
        assert_eq!(behind(""), None);
    }
}
