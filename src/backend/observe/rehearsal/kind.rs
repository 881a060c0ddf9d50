//! What a function does that matters here, by its name.

/// Functions of `parking_lot`, as mangled names have them, with their modules.
const UPGRADABLE: &str = "22unlock_upgradable_slow";
const WAKING: [(&str, &str); 4] = [
    ("9raw_mutex", "11unlock_slow"),
    ("10raw_rwlock", "18unlock_shared_slow"),
    ("10raw_rwlock", "21unlock_exclusive_slow"),
    ("10raw_rwlock", "35unlock_exclusive_or_upgradable_slow"),
];

/// What is done about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is followed.
    Entered,
    /// It has no effect on what is looked for.
    Passed,
    /// Nor has it but for what it returns, perhaps in memory.
    Asleep,
    /// It locks or unlocks.
    Lock,
    /// It copies memory.
    Copy,
    /// It returns new memory, of which nothing is known.
    Allocation,
    /// A function of the C library without a name.
    Unnamed,
    /// Unwinding goes on with the next frame, or has been caught.
    End,
    /// It has caught the exception, and the frame goes on.
    Caught,
    /// It does not come back, and unwinding does not come here.
    Failure,
}

/// A function of threads by its plain name: linked statically it has underscores.
pub(super) fn plain(name: &str) -> &str {
    if name.contains(UPGRADABLE) {
        return &UPGRADABLE[2..];
    }
    let plain = name.trim_start_matches('_');
    if ["pthread_", "mtx_", "cnd_"].iter().any(|family| plain.starts_with(family)) { plain } else { name }
}

/// Whether a function of Rust, by its mangled name, lets a thread sleep and does nothing else
/// that matters here: of channels, for a thread to end or to wake it, of a barrier. It
/// locks nothing that it returns with.
pub fn only_sleeps(name: &str) -> bool {
    // In the newer mangling only those without parameters, whose names are no others' parts.
    const PLAIN: [&str; 7] = [
        "3std4sync4mpmc",
        "7Barrier4wait",
        "6Thread4join",
        "6Thread4park",
        "9functions4park",
        "9functions5sleep",
        "5Stdin9read_line",
    ];
    const OTHERS: [&str; 3] = ["_ZN3std4sync4mp", "_ZN17crossbeam_channel", "_ZN3std6thread"];
    // What ends a channel drops what is in it, which may do anything.
    const DOES: [&str; 6] = ["4recv", "2recv_", "4send", "2send_", "_select", "4join"];
    let has = |part: &&str| name.contains(part);
    let plain = name.starts_with("_RNv") && has(&"3std") && PLAIN.iter().any(has);
    plain || OTHERS.iter().any(|part| name.starts_with(part)) && DOES.iter().any(has)
}

/// What is done about a function of this name.
pub fn kind_of(name: &str, library: bool) -> Kind {
    let has = |part: &str| name.contains(part);
    match plain(name) {
        "_Unwind_Resume" | "__cxa_begin_catch" | "__cxa_end_cleanup" | "__cxa_rethrow" | "_Unwind_RaiseException" => {
            Kind::End
        }
        "abort" | "_exit" | "exit" | "__stack_chk_fail" | "__clang_call_terminate" | "_ZSt9terminatev" => Kind::Failure,
        "memcpy" | "memmove" => Kind::Copy,
        "malloc" | "realloc" | "reallocarray" | "aligned_alloc" | "_Znwm" | "_Znam" => Kind::Allocation,
        "free" | "cfree" | "munmap" | "close" | "sleep" | "usleep" | "nanosleep" | "clock_nanosleep" => Kind::Passed,
        // Of glibc, linked statically: whether the thread may be cancelled while it sleeps.
        "pthread_enable_asynccancel" | "pthread_disable_asynccancel" => Kind::Passed,
        "puts" | "printf" | "putchar" | "fflush" | "read" | "write" | "syscall" | "__errno_location" => Kind::Passed,
        locks if locks.starts_with("pthread_") && (has("lock") || has("_cond_")) => Kind::Lock,
        // Of C11: the same by other names.
        locks if locks.starts_with("mtx_") || locks.starts_with("cnd_") => Kind::Lock,
        // Of C++: an exception that is thrown is not how it goes on, and none may be
        // by what cleans up.
        "__cxa_throw" | "__cxa_bad_cast" => Kind::Failure,
        _ if name.starts_with("_ZSt") && has("__throw_") => Kind::Failure,
        // A string has nothing but memory.
        _ if name.starts_with("_ZNSt7__cxx1112basic_string") => Kind::Passed,
        // Of C++: the initialisation of a static variable.
        _ if name.starts_with("__cxa_guard_") => Kind::Lock,
        // Of Rust: what they lock they let go of again. The newer mangling parts a name
        // that begins with an underscore from its length by another.
        _ if has("5stdio6_print") || has("5stdio7_eprint") => Kind::Passed,
        _ if has("5stdio6__print") || has("5stdio7__eprint") => Kind::Passed,
        // Of parking_lot: how an upgradable reader leaves a lock that others wait for. What
        // has let go of one already only wakes them.
        _ if has(UPGRADABLE) => Kind::Lock,
        _ if WAKING.iter().any(|(module, function)| has(module) && has(function)) => Kind::Passed,
        // A panic of a cleanup ends the program.
        _ if only_sleeps(name) => Kind::Asleep,
        // The first that ends the program goes on to do so.
        _ if has("18unique_thread_exit") => Kind::Passed,
        _ if has("4core9panicking") || has("7process5abort") || has("slice_index_fail") => Kind::Failure,
        // Nor does the program go on for want of memory.
        _ if has("18handle_alloc_error") || has("7raw_vec12handle_error") || has("alloc_error_handler") => {
            Kind::Failure
        }
        _ if has("__rust_foreign_exception") || has("__rust_drop_panic") => Kind::Failure,
        _ if has("__rust_panic_cleanup") => Kind::Caught,
        _ if has("__rust_dealloc") || has("__rdl_dealloc") || has("__rg_dealloc") || has("sdallocx") => Kind::Passed,
        _ if has("12___rust_alloc") || has("14___rust_realloc") || has("11___rdl_alloc") => Kind::Allocation,
        // operator delete, in all its forms
        _ if name.starts_with("_ZdlPv") || name.starts_with("_ZdaPv") => Kind::Passed,
        "" if library => Kind::Unnamed,
        _ if library => Kind::Passed,
        _ => Kind::Entered,
    }
}
