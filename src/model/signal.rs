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

const OWN: &str = "real-time: queued, never lost, for the program's own use; ends";

/// All signals that a program may send, by number: the standard ones, and those
/// of real time that glibc leaves to programs (signal(7)).
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
    signal(34, "SIGRTMIN", OWN),
    signal(35, "SIGRTMIN+1", OWN),
    signal(36, "SIGRTMIN+2", OWN),
    signal(37, "SIGRTMIN+3", OWN),
    signal(38, "SIGRTMIN+4", OWN),
    signal(39, "SIGRTMIN+5", OWN),
    signal(40, "SIGRTMIN+6", OWN),
    signal(41, "SIGRTMIN+7", OWN),
    signal(42, "SIGRTMIN+8", OWN),
    signal(43, "SIGRTMIN+9", OWN),
    signal(44, "SIGRTMIN+10", OWN),
    signal(45, "SIGRTMIN+11", OWN),
    signal(46, "SIGRTMIN+12", OWN),
    signal(47, "SIGRTMIN+13", OWN),
    signal(48, "SIGRTMIN+14", OWN),
    signal(49, "SIGRTMIN+15", OWN),
    signal(50, "SIGRTMAX-14", OWN),
    signal(51, "SIGRTMAX-13", OWN),
    signal(52, "SIGRTMAX-12", OWN),
    signal(53, "SIGRTMAX-11", OWN),
    signal(54, "SIGRTMAX-10", OWN),
    signal(55, "SIGRTMAX-9", OWN),
    signal(56, "SIGRTMAX-8", OWN),
    signal(57, "SIGRTMAX-7", OWN),
    signal(58, "SIGRTMAX-6", OWN),
    signal(59, "SIGRTMAX-5", OWN),
    signal(60, "SIGRTMAX-4", OWN),
    signal(61, "SIGRTMAX-3", OWN),
    signal(62, "SIGRTMAX-2", OWN),
    signal(63, "SIGRTMAX-1", OWN),
    signal(64, "SIGRTMAX", OWN),
];

/// The name of a signal, as kill(1) has it: `SIGTERM`, `SIGRTMIN+3`,
/// `SIGRTMAX-2`, or `signal 99`.
pub fn name(number: i32) -> String {
    let known = SIGNALS.iter().find(|signal| signal.number == number);
    known.map_or_else(|| format!("signal {number}"), |signal| signal.name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_kernel() {
        for signal in SIGNALS.iter().filter(|signal| signal.number < 32) {
            let known = nix::sys::signal::Signal::try_from(signal.number).unwrap();
            assert_eq!(known.as_str(), signal.name);
        }
        assert_eq!(name(15), "SIGTERM");
        let real_time =
            [(34, "SIGRTMIN"), (37, "SIGRTMIN+3"), (49, "SIGRTMIN+15"), (50, "SIGRTMAX-14"), (64, "SIGRTMAX")];
        for (number, known) in real_time {
            assert_eq!(name(number), known);
        }
        let numbers: Vec<i32> = SIGNALS.iter().map(|signal| signal.number).collect();
        assert_eq!(numbers, (1..=31).chain(34..=64).collect::<Vec<i32>>());
        assert_eq!(name(99), "signal 99");
    }
}
