//! The fields of the builder, and what is read from them.

use std::ffi::OsString;
use std::path::PathBuf;

use super::words;
use crate::model::launch::{Attributes, ChildSpec, Environment, Fate, Grouping, Redirect, ResourceLimit, Restart};
use crate::ui::widgets::prompt::Prompt;

/// A field of the form.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    /// What it can be, where there are only a few; the first is the default.
    pub(super) choices: &'static [&'static str],
    /// Whether it may be something else than one of the choices.
    pub(super) free: bool,
    pub(super) help: &'static str,
}

const fn text(name: &'static str, help: &'static str) -> Field {
    Field { name, choices: &[], free: true, help }
}

const fn choice(name: &'static str, choices: &'static [&'static str], help: &'static str) -> Field {
    Field { name, choices, free: false, help }
}

const STREAMS: &[&str] = &["pipe", "null", "pty", "inherit"];

/// All fields, in order.
pub(super) const FIELDS: [Field; 16] = [
    text("command", "program and arguments; quotes as in a shell, nothing is expanded"),
    choice("through", &["no shell", "sh -c"], "sh -c: the line above goes to a shell as it is"),
    choice("environment", &["ours", "empty"], "what the variables below are changes to"),
    text("variables", "NAME=VALUE sets, -NAME removes"),
    text("directory", "where it runs; ours where empty"),
    Field {
        name: "input",
        choices: STREAMS,
        free: true,
        help: "pipe, null, pty, inherit, or a file's name, to read from",
    },
    Field {
        name: "output",
        choices: STREAMS,
        free: true,
        help: "pipe, null, pty, inherit, or a file's name; >>NAME adds to its end",
    },
    Field {
        name: "errors",
        choices: STREAMS,
        free: true,
        help: "pipe, null, pty, inherit, or a file's name; >>NAME adds to its end",
    },
    choice(
        "group",
        &["new session", "new group", "the dashboard's"],
        "a new session has no terminal but a pty; others reach this one by /dev/tty",
    ),
    text("user", "name or number, and :group; only root may become somebody"),
    text("nice", "-20 (first) to 19 (last)"),
    text("CPUs", "such as 0,2-3; all of ours where empty"),
    text("limits", "such as nofile=256 core=0 as=1G:2G; soft:hard, or both"),
    text("umask", "octal, such as 022"),
    choice(
        "at our end",
        &["it ends", "it goes on"],
        "when the dashboard ends, however it does; with its daemons, while it lives",
    ),
    choice("restart", &["never", "on failure", "always"], "0.5 s later, then twice as long, up to 30 s"),
];

/// What has been typed or chosen.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) values: Vec<Prompt>,
    pub(super) at: usize,
}

impl Default for Form {
    fn default() -> Self {
        let value = |field: &Field| Prompt::with(field.choices.first().copied().unwrap_or_default());
        Form { values: FIELDS.iter().map(value).collect(), at: 0 }
    }
}

impl Form {
    /// Goes to another field.
    pub(super) fn move_by(&mut self, by: isize) {
        let count = FIELDS.len().cast_signed();
        self.at = (self.at.cast_signed() + by).rem_euclid(count).cast_unsigned();
    }

    /// The next of a field's choices, or the one before; whether it has any.
    pub(super) fn choose(&mut self, by: isize) -> bool {
        let choices = FIELDS[self.at].choices;
        if choices.is_empty() {
            return false;
        }
        let now = choices.iter().position(|choice| *choice == self.values[self.at].text());
        let next =
            now.map_or(0, |now| (now.cast_signed() + by).rem_euclid(choices.len().cast_signed()).cast_unsigned());
        self.values[self.at] = Prompt::with(choices[next]);
        true
    }

    fn value(&self, name: &str) -> &str {
        let index = FIELDS.iter().position(|field| field.name == name);
        index.map_or("", |index| self.values[index].text().trim())
    }

    /// What it says, or the field that cannot be understood and why.
    pub(super) fn spec(&self) -> Result<ChildSpec, (usize, String)> {
        let of = |name: &str| FIELDS.iter().position(|field| field.name == name).unwrap_or(0);
        let at = |name: &'static str| move |why: String| (of(name), why);
        let (user, group) = match self.value("user").split_once(':') {
            Some((user, group)) => (some(user), some(group)),
            None => (some(self.value("user")), None),
        };
        let mut spec = self.command().map_err(at("command"))?;
        let variables = variables(self.value("variables")).map_err(at("variables"))?;
        spec.env.set.extend(variables.set);
        spec.env.remove = variables.remove;
        spec.env.clear = self.value("environment") == "empty";
        spec.cwd = some(self.value("directory")).map(PathBuf::from);
        spec.streams = ["input", "output", "errors"].map(|name| redirect(self.value(name)));
        spec.attributes = Attributes {
            grouping: match self.value("group") {
                "new group" => Grouping::Group,
                "the dashboard's" => Grouping::Inherit,
                _ => Grouping::Session,
            },
            user,
            group,
            nice: optional(self.value("nice"), nice).map_err(at("nice"))?,
            cpus: optional(self.value("CPUs"), cpus).map_err(at("CPUs"))?.unwrap_or_default(),
            limits: limits(self.value("limits")).map_err(at("limits"))?,
            umask: optional(self.value("umask"), umask).map_err(at("umask"))?,
        };
        spec.fate = if self.value("at our end") == "it goes on" { Fate::Keep } else { Fate::End };
        spec.restart = match self.value("restart") {
            "always" => Restart::Always,
            "on failure" => Restart::OnFailure,
            _ => Restart::Never,
        };
        Ok(spec)
    }

    fn command(&self) -> Result<ChildSpec, String> {
        let line = self.value("command");
        if line.is_empty() {
            return Err("a command is needed".to_owned());
        }
        if self.value("through") == "sh -c" {
            let args = vec![OsString::from("-c"), line.into()];
            return Ok(ChildSpec { program: "sh".into(), args, ..ChildSpec::default() });
        }
        words::command(line)
    }
}

fn some(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn optional<T>(text: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Result<Option<T>, String> {
    if text.is_empty() { Ok(None) } else { read(text).map(Some) }
}

fn variables(line: &str) -> Result<Environment, String> {
    let mut env = Environment::default();
    for word in shell_words::split(line).map_err(|_| "a quote is not closed".to_owned())? {
        match (word.strip_prefix('-'), word.split_once('=')) {
            (Some(name), _) if !name.is_empty() => env.remove.push(name.into()),
            (None, Some((name, value))) if !name.is_empty() => env.set.push((name.into(), value.into())),
            _ => return Err(format!("{word}: neither NAME=VALUE nor -NAME")),
        }
    }
    Ok(env)
}

fn redirect(value: &str) -> Redirect {
    match value {
        "" | "pipe" => Redirect::Pipe,
        "null" => Redirect::Null,
        "pty" => Redirect::Pty,
        "inherit" => Redirect::Inherit,
        file => {
            let appended = file.strip_prefix(">>");
            Redirect::File { path: appended.unwrap_or(file).trim().into(), append: appended.is_some() }
        }
    }
}

fn nice(text: &str) -> Result<i32, String> {
    text.parse().ok().filter(|nice| (-20..=19).contains(nice)).ok_or_else(|| "-20 to 19".to_owned())
}

fn umask(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).ok().filter(|mask| *mask <= 0o777).ok_or_else(|| "000 to 777".to_owned())
}

/// `0,2-3`; as many as a kernel can have.
fn cpus(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || format!("{text}: not a list such as 0,2-3");
    let mut all = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<usize>().ok().filter(|cpu| *cpu < 8192).ok_or_else(wrong);
        all.extend(number(first)?..=number(last)?);
    }
    if all.is_empty() { Err(wrong()) } else { Ok(all) }
}

fn limits(text: &str) -> Result<Vec<ResourceLimit>, String> {
    let one = |word: &str| {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("{word}: must be NAME=NUMBER"))?;
        let (soft, hard) = value.split_once(':').unwrap_or((value, value));
        Ok(ResourceLimit { name: name.to_lowercase(), soft: number(soft)?, hard: number(hard)? })
    };
    text.split_whitespace().map(one).collect()
}

/// `4096`, `1G`, `unlimited`.
fn number(text: &str) -> Result<Option<u64>, String> {
    if text == "unlimited" {
        return Ok(None);
    }
    let (digits, shift) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
        _ => (text, 0),
    };
    let value = digits.parse::<u64>().ok().and_then(|value| value.checked_mul(1 << shift));
    value.map(Some).ok_or_else(|| format!("{text}: a number, with K, M or G, or unlimited"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: &[(&str, &str)]) -> Form {
        let mut form = Form::default();
        for (name, value) in values {
            let index = FIELDS.iter().position(|field| field.name == *name).unwrap();
            form.values[index] = Prompt::with(value);
        }
        form
    }

    #[test]
    fn a_form_says_what_to_start() {
        let spec = filled(&[
            ("command", "A=1 sort -r"),
            ("environment", "empty"),
            ("variables", "B='x y' -C"),
            ("directory", "/tmp"),
            ("input", "in.txt"),
            ("output", ">> out.txt"),
            ("errors", "null"),
            ("group", "new group"),
            ("user", "nobody:12"),
            ("nice", "-3"),
            ("CPUs", "0,2-3"),
            ("limits", "nofile=64:1K core=unlimited"),
            ("umask", "027"),
            ("at our end", "it goes on"),
            ("restart", "on failure"),
        ])
        .spec()
        .unwrap();
        assert_eq!((spec.program.to_str(), spec.args.len()), (Some("sort"), 1));
        assert_eq!(spec.env.set, [("A".into(), "1".into()), ("B".into(), "x y".into())]);
        assert!(spec.env.clear && spec.env.remove == ["C"]);
        let file = |path: &str, append| Redirect::File { path: path.into(), append };
        assert_eq!(spec.streams, [file("in.txt", false), file("out.txt", true), Redirect::Null]);
        let attributes = spec.attributes;
        assert_eq!(attributes.grouping, Grouping::Group);
        assert_eq!((attributes.user.as_deref(), attributes.group.as_deref()), (Some("nobody"), Some("12")));
        assert_eq!((attributes.nice, attributes.umask), (Some(-3), Some(0o27)));
        assert_eq!(attributes.cpus, [0, 2, 3]);
        let limit = |name: &str, soft, hard| ResourceLimit { name: name.into(), soft, hard };
        assert_eq!(attributes.limits, [limit("nofile", Some(64), Some(1_024)), limit("core", None, None)]);
        assert_eq!((spec.fate, spec.restart), (Fate::Keep, Restart::OnFailure));
    }

    #[test]
    fn an_empty_form_but_for_the_command_is_the_default() {
        assert_eq!(
            filled(&[("command", "true")]).spec().unwrap(),
            ChildSpec { program: "true".into(), ..ChildSpec::default() }
        );
        let shell = filled(&[("command", "echo $HOME | wc"), ("through", "sh -c")]).spec().unwrap();
        assert_eq!((shell.program.to_str(), shell.args[1].to_str()), (Some("sh"), Some("echo $HOME | wc")));
    }

    #[test]
    fn what_cannot_be_read_names_its_field() {
        let cases = [
            ("command", "", "needed"),
            ("command", "x 'y", "quote"),
            ("variables", "A", "neither"),
            ("nice", "40", "-20 to 19"),
            ("CPUs", "x", "not a list"),
            ("limits", "nofile", "NAME=NUMBER"),
            ("limits", "nofile=x", "a number"),
            ("umask", "9", "000 to 777"),
        ];
        for (field, value, words) in cases {
            let (at, why) = filled(&[("command", "true"), (field, value)]).spec().unwrap_err();
            assert_eq!(FIELDS[at].name, field);
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn choices_go_round() {
        let mut form = Form { at: 5, ..Form::default() };
        assert!(form.choose(-1));
        assert_eq!(form.values[5].text(), "inherit");
        form.choose(1);
        assert_eq!(form.values[5].text(), "pipe");
        form.move_by(-6);
        assert_eq!(FIELDS[form.at].name, "restart");
        form.move_by(1);
        assert!(!form.choose(1), "a command has no choices");
    }
}
