//! `syncscope completions` and `syncscope man`: what shells and `man` want to
//! know of the command line, made from the command line itself.

use std::io::{self, Write, stdout};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use color_eyre::eyre::WrapErr;

use super::{Cli, Outcome, output};

const EXIT_CODES: &str = ".SH \"EXIT STATUS\"
.TP
0
Done.
.TP
1
Done, and what was looked for was found: a deadlock, a violated invariant, an outcome that the model of this hardware forbids.
.TP
2
Could not do it; a sentence on standard error says why.
.TP
130
Interrupted, everything cleaned up.
.PP
\\fBrun\\fR ends as a shell would: with the command's own code, 128 + n for signal n, 126 where it cannot be executed, 127 where it is not found, 125 for a failure of syncscope's own.
";

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

/// Prints the manual page, for `man -l -`: one page with all commands.
///
/// # Errors
/// Where standard output cannot be written to.
pub fn man() -> color_eyre::Result<Outcome> {
    print(&page().wrap_err("cannot make the manual page")?)
}

/// The page: the dashboard's options, then a section for each command.
fn page() -> io::Result<Vec<u8>> {
    // The library's own list of commands refers to a page for each, which there is not.
    let mut root = Cli::command();
    root.build();
    let man = Man::new(root.clone());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    commands(&root, &mut page)?;
    page.extend_from_slice(EXIT_CODES.as_bytes());
    man.render_version_section(&mut page)?;
    Ok(page)
}

/// A section for each command that does something, with those inside others.
fn commands(of: &Command, page: &mut Vec<u8>) -> io::Result<()> {
    for command in of.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help") {
        if command.has_subcommands() {
            commands(command, page)?;
            continue;
        }
        let man = Man::new(command.clone());
        let mut parts = Vec::new();
        man.render_synopsis_section(&mut parts)?;
        man.render_description_section(&mut parts)?;
        man.render_options_section(&mut parts)?;
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_uppercase();
        writeln!(page, ".SH \"{name}\"")?;
        for line in String::from_utf8_lossy(&parts).lines() {
            // Its parts need no headings of their own, save the options.
            match line {
                ".SH SYNOPSIS" => {}
                ".SH DESCRIPTION" => writeln!(page, ".PP")?,
                ".SH OPTIONS" => writeln!(page, ".SS Options")?,
                line => writeln!(page, "{line}")?,
            }
        }
    }
    Ok(())
}

fn print(bytes: &[u8]) -> color_eyre::Result<Outcome> {
    output::unless_broken_pipe(stdout().write_all(bytes), Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    /// Every option of every command, and no page that does not exist.
    #[test]
    fn the_manual_page_has_every_option() {
        fn options(of: &Command, found: &mut Vec<String>) {
            let shown = of.get_arguments().filter(|option| !option.is_hide_set());
            found.extend(shown.filter_map(|option| option.get_long()).map(|long| long.replace('-', "\\-")));
            of.get_subcommands().filter(|command| !command.is_hide_set()).for_each(|command| options(command, found));
        }
        let page = String::from_utf8(page().unwrap()).unwrap();
        let mut expected = Vec::new();
        options(&Cli::command(), &mut expected);
        assert!(expected.len() > 50, "{expected:?}");
        for option in expected {
            assert!(page.contains(&format!("\\-\\-{option}\\fR")), "--{option} is missing");
        }
        assert!(page.contains(".SH \"SYNCSCOPE LITMUS CHECK\"") && !page.contains("(1)\n"), "{page}");
    }
}
