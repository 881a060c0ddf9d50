//! `syncscope completions` and `syncscope man`: what shells and `man` want to
//! know of the command line, made from the command line itself.

use std::io::{ErrorKind, Write, stdout};

use clap::CommandFactory;
use clap_complete::Shell;
use color_eyre::eyre::WrapErr;

use super::{Cli, Outcome};

/// The options of `completions`.
#[derive(Debug, clap::Args)]
pub struct Completions {
    /// The shell to complete in
    pub shell: Shell,
}

/// Prints a completion script.
///
/// # Errors
/// Where standard output cannot be written to.
pub fn completions(args: &Completions) -> color_eyre::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "syncscope", &mut script);
    print(&script)
}

/// Prints the manual page, for `man -l -`.
///
/// # Errors
/// Where standard output cannot be written to.
pub fn man() -> color_eyre::Result<Outcome> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).wrap_err("cannot make the manual page")?;
    print(&page)
}

fn print(bytes: &[u8]) -> color_eyre::Result<Outcome> {
    match stdout().write_all(bytes) {
        // A reader that has seen enough is no failure.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).wrap_err("cannot write"),
        _ => Ok(Outcome::Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
