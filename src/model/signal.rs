//! Signals by name, with what they do unless caught; signal(7).

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Its number on x86-64 and aarch64.
    pub number: i32,
    /// Its name.
    pub name: &'static str,
    /// What it is for and what it does unless caught.
    pub meaning: &'static str,
}

const fn signal(number: i32, name: &'static str, meaning: &'static str) -> Signal {
    Signal { number, name, meaning }
}

/// The standard signals, by number.
pub const SIGNALS: &[Signal] = &[
    signal(1, "SIGHUP", "terminal closed, or reread the configuration; ends"),
    signal(2, "SIGINT", "interrupt from the keyboard (Ctrl-C); ends"),
    signal(3, "SIGQUIT", "quit from the keyboard (Ctrl-\\); ends with a core dump"),
    signal(4, "SIGILL", "illegal instruction; ends with a core dump"),
    signal(5, "SIGTRAP", "breakpoint; ends with a core dump"),
    signal(6, "SIGABRT", "abort(); ends with a core dump"),
    signal(7, "SIGBUS", "bad memory access; ends with a core dump"),
    signal(8, "SIGFPE", "arithmetic error; ends with a core dump"),
    signal(9, "SIGKILL", "ends at once; cannot be caught"),
    signal(10, "SIGUSR1", "for the program's own use; ends"),
    signal(11, "SIGSEGV", "invalid memory reference; ends with a core dump"),
    signal(12, "SIGUSR2", "for the program's own use; ends"),
    signal(13, "SIGPIPE", "write to a pipe that nobody reads; ends"),
    signal(14, "SIGALRM", "timer; ends"),
    signal(15, "SIGTERM", "please end; can be caught to clean up"),
    signal(16, "SIGSTKFLT", "unused; ends"),
    signal(17, "SIGCHLD", "a child stopped or ended; ignored"),
    signal(18, "SIGCONT", "go on if stopped"),
    signal(19, "SIGSTOP", "stop; cannot be caught"),
    signal(20, "SIGTSTP", "stop from the terminal (Ctrl-Z)"),
    signal(21, "SIGTTIN", "read from the terminal in the background; stops"),
    signal(22, "SIGTTOU", "write to the terminal in the background; stops"),
    signal(23, "SIGURG", "urgent data on a socket; ignored"),
    signal(24, "SIGXCPU", "CPU time limit exceeded; ends with a core dump"),
    signal(25, "SIGXFSZ", "file size limit exceeded; ends with a core dump"),
    signal(26, "SIGVTALRM", "virtual timer; ends"),
    signal(27, "SIGPROF", "profiling timer; ends"),
    signal(28, "SIGWINCH", "the window changed its size; ignored"),
    signal(29, "SIGIO", "I/O is possible; ends"),
    signal(30, "SIGPWR", "power failure; ends"),
    signal(31, "SIGSYS", "bad system call; ends with a core dump"),
];

/// The name of a signal: `SIGTERM`, `SIGRTMIN+3`, or `signal 99`.
pub fn name(number: i32) -> String {
    match SIGNALS.iter().find(|s| s.number == number) {
        Some(signal) => signal.name.to_owned(),
        None if (34..=64).contains(&number) => format!("SIGRTMIN+{}", number - 34),
        None => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_kernel() {
        for signal in SIGNALS {
            let known = nix::sys::signal::Signal::try_from(signal.number).unwrap();
            assert_eq!(known.as_str(), signal.name);
        }
        assert_eq!(name(15), "SIGTERM");
        assert_eq!(name(37), "SIGRTMIN+3");
        assert_eq!(name(99), "signal 99");
    }
}
