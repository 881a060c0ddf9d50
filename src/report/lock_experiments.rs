//! The experiments with locks used wrongly, as JSON Lines and as text.

use std::fmt::Write;

use serde::Serialize;

use crate::backend::lab::locks::experiments::{Experiment, Finding};

/// What an experiment has shown as one line of JSON, schema
/// `syncscope.lock.experiment/1`.
///
/// # Errors
/// None that can happen: there are no keys but strings.
pub fn json(experiment: &Experiment, finding: &Finding) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: &'static str,
        experiment: &'static str,
        title: &'static str,
        #[serde(flatten)]
        finding: &'a Finding,
    }
    let schema = "syncscope.lock.experiment/1";
    serde_json::to_string(&Line { schema, experiment: experiment.key, title: experiment.title, finding })
}

/// The same for people:
///
/// ```text
/// two threads take two locks in opposite order (abba)
///   knot 0: deadlocked, waits for mutex 0x…, held by knot 1 (certain)
///   deadlock: knot 0 → knot 1
///   ⇒ Each holds what the other wants, and neither lets go: a deadlock. …
/// ```
pub fn text(experiment: &Experiment, finding: &Finding) -> String {
    let mut out = format!("{} ({})\n", experiment.title, experiment.key);
    // Writing to a String cannot fail.
    for observed in &finding.observed {
        let _ = writeln!(out, "  {observed}");
    }
    if !finding.as_documented {
        let _ = writeln!(out, "  ⚑ this is not what the manual says");
    }
    let _ = writeln!(out, "  ⇒ {}", finding.statement);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::lab::locks::experiments::EXPERIMENTS;

    #[test]
    fn both_forms_say_what_was_seen() {
        let finding = Finding { observed: vec!["seen".into()], statement: "So it is.", as_documented: false };
        let value: serde_json::Value = serde_json::from_str(&json(&EXPERIMENTS[0], &finding).unwrap()).unwrap();
        assert_eq!(value["schema"], "syncscope.lock.experiment/1");
        assert_eq!((&value["observed"][0], &value["as_documented"]), (&"seen".into(), &false.into()));
        let said = text(&EXPERIMENTS[0], &finding);
        assert!(said.contains("  seen\n") && said.contains("not what the manual says") && said.contains("⇒ So it is."));
    }
}
