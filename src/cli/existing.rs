//! What exists, where something was asked for that does not.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::Cli;

/// `  [options: --panel, --theme, …]`; `None` where the error is another.
pub(super) fn after(error: ErrorKind, words: impl Iterator<Item = String>) -> Option<String> {
    let root = Cli::command();
    match error {
        ErrorKind::InvalidSubcommand => {
            let commands = root.get_subcommands().filter(|command| !command.is_hide_set());
            Some(list("commands", commands.map(|command| command.get_name().to_owned())))
        }
        ErrorKind::UnknownArgument => {
            let asked = words.skip(1).find_map(|word| root.find_subcommand(word));
            let options = asked.unwrap_or(&root).get_arguments().filter(|option| !option.is_hide_set());
            Some(list("options", options.filter_map(|option| Some(format!("--{}", option.get_long()?)))))
        }
        _ => None,
    }
}

fn list(what: &str, names: impl Iterator<Item = String>) -> String {
    format!("  [{what}: {}]", names.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(error: ErrorKind, line: &str) -> String {
        after(error, line.split(' ').map(str::to_owned)).unwrap_or_default()
    }

    #[test]
    fn what_exists_is_listed_where_something_unknown_was_asked_for() {
        assert!(said(ErrorKind::UnknownArgument, "syncscope --nope").contains("--panel, "));
        let ps = said(ErrorKind::UnknownArgument, "syncscope ps --nope");
        assert!(ps.contains("--threads") && !ps.contains("--panel"), "{ps}");
        let commands = said(ErrorKind::InvalidSubcommand, "syncscope nope");
        assert!(commands.contains("why, deadlocks") && !commands.contains("worker"), "{commands}");
        assert_eq!(said(ErrorKind::InvalidValue, "syncscope --panel nope"), "", "clap lists the values itself");
    }
}
