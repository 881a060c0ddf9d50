//! What exists, where something was asked for that does not.

use clap::CommandFactory;
use clap::error::ErrorKind;

use super::Cli;

/// `  [options: --panel, --theme, …]`; `None` where the error is another.
pub(super) fn after(error: ErrorKind, words: impl Iterator<Item = String>) -> Option<String> {
    let root = Cli::command();
    let words: Vec<String> = words.skip(1).collect();
    // The innermost command that was named: `config` of `config chek`.
    let mut asked = &root;
    for word in &words {
        asked = asked.find_subcommand(word).unwrap_or(asked);
    }
    match error {
        ErrorKind::InvalidSubcommand => {
            let commands = asked.get_subcommands().filter(|command| !command.is_hide_set());
            Some(list("commands", commands.map(|command| command.get_name().to_owned())))
        }
        ErrorKind::UnknownArgument => {
            let options = asked.get_arguments().filter(|option| !option.is_hide_set());
            let names: Vec<String> = options.filter_map(|option| Some(format!("--{}", option.get_long()?))).collect();
            (!names.is_empty()).then(|| list("options", names.into_iter()))
        }
        // The dashboard's own options are also those of `run`.
        ErrorKind::ArgumentConflict
            if words.first().is_some_and(|word| word.starts_with('-')) && words.iter().any(|word| word == "run") =>
        {
            Some("  [behind `run` it is possible: syncscope run --theme day -- CMD]".to_owned())
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
        assert_eq!(said(ErrorKind::InvalidSubcommand, "syncscope config chek"), "  [commands: init, check]");
        let before = said(ErrorKind::ArgumentConflict, "syncscope --theme day run -- ls");
        assert!(before.contains("behind `run`"), "{before}");
        assert_eq!(said(ErrorKind::ArgumentConflict, "syncscope ps --json --csv"), "");
        let cost = said(ErrorKind::UnknownArgument, "syncscope litmus cost --nope");
        assert_eq!(cost, "  [options: --json]");
        assert_eq!(said(ErrorKind::InvalidValue, "syncscope --panel nope"), "", "clap lists the values itself");
    }
}
