//! Children in words, and a typed line as a command.

use std::ffi::OsString;

use crate::backend::children::exit;
use crate::model::child::{ChildSpec, ChildState, ChildView};
use crate::model::launch::Environment;
use crate::model::life::Target;
use crate::model::signal;
use crate::ui::theme::Role;

/// Reads a line as a shell would its words: quotes, backslashes, and
/// `NAME=VALUE` before the command. Nothing is expanded and no shell runs.
pub(super) fn command(line: &str) -> Result<ChildSpec, String> {
    let mut words = shell_words::split(line).map_err(|_| "a quote is not closed".to_owned())?.into_iter().peekable();
    let mut env = Vec::new();
    while let Some((name, value)) = words.peek().and_then(|word| assignment(word)) {
        env.push((OsString::from(name), OsString::from(value)));
        words.next();
    }
    let env = Environment { set: env, ..Environment::default() };
    let program = words.next().ok_or("variables, but no command")?;
    Ok(ChildSpec { program: program.into(), args: words.map(OsString::from).collect(), env, ..ChildSpec::default() })
}

fn assignment(word: &str) -> Option<(String, String)> {
    let (name, value) = word.split_once('=')?;
    let first = name.chars().next()?;
    let plain =
        (first.is_ascii_alphabetic() || first == '_') && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    plain.then(|| (name.to_owned(), value.to_owned()))
}

/// `5200 cargo build`.
pub(super) fn name(child: &ChildView) -> String {
    match child.pid {
        Some(pid) => format!("{pid} {}", child.command),
        None => child.command.to_string(),
    }
}

/// `the whole tree of 5200 cargo build`.
pub(super) fn target(child: &ChildView, target: Target) -> String {
    match target {
        Target::Child => name(child),
        Target::Group => format!("the group of {}", name(child)),
        Target::Tree => format!("the tree of {}", name(child)),
    }
}

/// A glyph and its look for where a child stands.
pub(super) fn glyph(state: &ChildState) -> (&'static str, Role) {
    match state {
        ChildState::Running => ("▶", Role::Good),
        ChildState::Stopped { .. } => ("■", Role::Warn),
        ChildState::Ended { exit, .. } if exit.code == Some(0) => ("✔", Role::Good),
        ChildState::Ended { .. } | ChildState::NotStarted(_) => ("✘", Role::Danger),
    }
}

/// Where it stands, in a few words.
pub(super) fn state(state: &ChildState) -> String {
    match state {
        ChildState::Running => "running".to_owned(),
        ChildState::Stopped { signal } => format!("stopped by {}", signal::name(*signal)),
        ChildState::Ended { exit, .. } => exit::short(*exit),
        ChildState::NotStarted(_) => "not started".to_owned(),
    }
}

/// What the way it ended usually means, where it ended badly.
pub(super) fn meaning(state: &ChildState) -> Option<&'static str> {
    match state {
        ChildState::Ended { exit, .. } if exit.code != Some(0) => exit::meaning(*exit),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_a_shell_reads_words() {
        let spec = command(r#"A=1 B='x y' sh -c "echo \"$A\"" C=3"#).unwrap();
        assert_eq!(spec.program, "sh");
        assert_eq!(spec.args, ["-c", "echo \"$A\"", "C=3"]);
        assert_eq!(spec.env.set, [("A".into(), "1".into()), ("B".into(), "x y".into())]);
        assert_eq!(command("echo 'open").unwrap_err(), "a quote is not closed");
        assert_eq!(command("A=1").unwrap_err(), "variables, but no command");
        assert_eq!(command("--x=1 y").unwrap().program, "--x=1");
    }
}
