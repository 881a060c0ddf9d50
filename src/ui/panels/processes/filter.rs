//! The filter line: which processes are shown.
//!
//! Words are joined by *and*; each is plain text, looked for without regard to
//! case in the name, the command line and the pid, or a condition on a field:
//!
//! ```text
//! user:root    state:D    wait:mutex    pid:812    !idle    cpu>5
//! ```

use crate::model::process::Process;

/// A filter, ready to be asked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    terms: Vec<Term>,
}

#[derive(Clone, Debug, PartialEq)]
struct Term {
    negated: bool,
    test: Test,
}

#[derive(Clone, Debug, PartialEq)]
enum Test {
    Text(String),
    User(String),
    State(String),
    Wait(String),
    Pid(String),
    CpuAbove(f32),
}

impl Filter {
    /// Reads a filter line; whatever is no condition is text.
    pub fn parse(line: &str) -> Self {
        Filter { terms: line.split_whitespace().filter_map(term).collect() }
    }

    /// Whether everything passes.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// Whether a process passes.
    pub fn passes(&self, process: &Process) -> bool {
        self.terms.iter().all(|term| term.test.holds(process) != term.negated)
    }
}

fn term(word: &str) -> Option<Term> {
    let (negated, word) = word.strip_prefix('!').map_or((false, word), |rest| (true, rest));
    let lower = word.to_lowercase();
    if lower.is_empty() {
        return None;
    }
    let percent = |text: &str| text.trim_end_matches('%').parse().ok().map(|p: f32| Test::CpuAbove(p / 100.0));
    let test = match lower.split_once(':') {
        Some(("user", value)) => Test::User(value.to_owned()),
        Some(("state", value)) => Test::State(value.to_owned()),
        Some(("wait", value)) => Test::Wait(value.to_owned()),
        Some(("pid", value)) => Test::Pid(value.to_owned()),
        _ => lower.strip_prefix("cpu>").and_then(percent).unwrap_or(Test::Text(lower)),
    };
    Some(Term { negated, test })
}

impl Test {
    fn holds(&self, process: &Process) -> bool {
        match self {
            Test::Text(text) => {
                contains(&process.name, text)
                    || process.cmdline.iter().any(|arg| contains(arg, text))
                    || process.pid.to_string() == *text
            }
            Test::User(user) => contains(&process.user, user),
            Test::State(state) => {
                state.chars().any(|c| c.eq_ignore_ascii_case(&process.state.letter())) && state.len() <= 3
                    || (state.len() > 3 && process.state.word().starts_with(state.as_str()))
            }
            Test::Wait(wait) => process.wait.as_ref().is_some_and(|w| {
                contains(w.kind.words(), wait)
                    || contains(&w.resource, wait)
                    || contains(&format!("{:?}", w.kind), wait)
            }),
            Test::Pid(pid) => process.pid.to_string() == *pid || process.ppid.to_string() == *pid,
            Test::CpuAbove(share) => process.cpu.is_some_and(|cpu| cpu > *share),
        }
    }
}

/// Whether `text` contains `lower`, which is lower-case already.
pub fn contains(text: &str, lower: &str) -> bool {
    if text.is_ascii() && lower.is_ascii() {
        let (text, lower) = (text.as_bytes(), lower.as_bytes());
        return lower.is_empty() || text.windows(lower.len()).any(|w| w.eq_ignore_ascii_case(lower));
    }
    text.to_lowercase().contains(lower)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::panels::processes::fixture::process;

    #[test]
    fn conditions_and_words_combine() {
        let bash = process(812, 1, "bash");
        let cases = [
            ("", true),
            ("BASH", true),
            ("812", true),
            ("zsh", false),
            ("!zsh", true),
            ("bash user:root", true),
            ("bash user:nobody", false),
            ("state:S", true),
            ("state:sleeping", true),
            ("state:RD", false),
            ("wait:pipe", false),
            ("!wait:pipe", true),
            ("pid:1", true),
            ("cpu>5", false),
            ("cpu>nonsense", false),
        ];
        for (line, passes) in cases {
            assert_eq!(Filter::parse(line).passes(&bash), passes, "{line}");
        }
    }
}
