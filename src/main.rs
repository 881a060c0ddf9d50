//! The `syncscope` program: install hooks, parse, dispatch; nothing else.

use std::process::ExitCode;

fn main() -> ExitCode {
    syncscope::cli::main()
}
