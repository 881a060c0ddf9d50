//! What the decoders of Rust's standard library share: finding std's own
//! function on the stack.
//!
//! std calls `libc::syscall(SYS_futex, …)`, whose return address stands directly
//! at the stack pointer: the first caller is exact. It is `futex_wait` of std,
//! or what that is inlined into.

use crate::backend::observe::target::stack::{CallSite, Code};

/// The mangled name of the function of std that waits; `None` where the thread
/// is not in a futex call of Rust's standard library, or the program has no
/// symbols.
pub(super) fn std_caller(site: &CallSite) -> Option<&str> {
    if site.at.name() != "syscall" {
        return None;
    }
    let mut names = site.callers.iter().map(Code::name);
    let first = names.next()?;
    let caller = if is_std(first) && first.contains("10futex_wait") { names.next()? } else { first };
    is_std(caller).then_some(caller)
}

/// Whether a mangled name (legacy or v0) is one of Rust's standard library.
fn is_std(name: &str) -> bool {
    // _ZN3std3sys… (legacy), _RNvMNtNtNtNtCs1234_3std3sys… (v0)
    name.starts_with("_ZN3std") || (name.starts_with("_R") && name.contains("_3std"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::target::module::Runtime;

    fn site(names: &[&str]) -> CallSite {
        let code = |name: &&str| Code {
            address: 1,
            file: "x".into(),
            runtime: Runtime::Unknown,
            function: (!name.is_empty()).then(|| (*name).into()),
        };
        let mut all = names.iter().map(code);
        CallSite { at: all.next().unwrap(), callers: all.collect() }
    }

    #[test]
    fn only_std_itself_counts() {
        let mutex = "_ZN3std3sys4sync5mutex5futex5Mutex14lock_contended17h0123456789abcdefE";
        let v0 = "_RNvMNtNtNtNtCs1_3std3sys4sync5mutex5futexNtB2_5Mutex14lock_contended";
        let wait = "_ZN3std3sys3pal4unix5futex10futex_wait17h0123456789abcdefE";
        assert_eq!(std_caller(&site(&["syscall", mutex])), Some(mutex));
        assert_eq!(std_caller(&site(&["syscall", wait, mutex, "main"])), Some(mutex));
        assert_eq!(std_caller(&site(&["syscall", v0])), Some(v0));
        assert_eq!(std_caller(&site(&["", mutex])), None, "not through syscall");
        assert_eq!(std_caller(&site(&["syscall", "", mutex])), None, "a caller without a name");
        assert_eq!(std_caller(&site(&["syscall", "_ZN6my_std3fooE"])), None);
        assert_eq!(std_caller(&site(&["syscall"])), None);
    }
}
