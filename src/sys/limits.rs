//! How many descriptors this program may hold: `RLIMIT_NOFILE`, getrlimit(2).
//!
//! The soft limit is mostly 1,024, kept low for programs that use select(2);
//! the hard one is far higher. Sampling with kept-open descriptors wants the
//! hard one; a child must not inherit that, so the original stays readable.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

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
