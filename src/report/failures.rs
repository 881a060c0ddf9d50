//! The experiments of what goes wrong between processes, as JSON Lines and as
//! text.

use std::fmt::Write;

use serde::Serialize;

use crate::backend::lab::ipc::failures::Failure;
use crate::model::Fault;
use crate::model::finding::Finding;

/// What an experiment has shown as one line of JSON, schema
/// `syncscope.ipc.failure/1`.
///
/// # Errors
/// None that can happen: there are no keys but strings.
pub fn json(failure: &Failure, found: &Result<Finding, Fault>) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Line<'a> {
        schema: &'static str,
        experiment: &'static str,
        title: &'static str,
        observed: Vec<&'a str>,
        statement: Option<&'a str>,
        as_documented: Option<bool>,
        skipped: Option<String>,
    }
    let finding = found.as_ref().ok();
    serde_json::to_string(&Line {
        schema: "syncscope.ipc.failure/1",
        experiment: failure.key,
        title: failure.title,
        observed: finding.into_iter().flat_map(|f| &f.observed).map(|seen| seen.text.as_str()).collect(),
        statement: finding.map(|finding| &*finding.statement),
        as_documented: finding.and_then(Finding::as_documented),
        skipped: found.as_ref().err().map(ToString::to_string),
    })
}

/// The same for people:
///
/// ```text
/// the reader is killed (kill-reader)
///   pipe: worker 4121 ended early: killed by SIGKILL; the sender saw: Broken pipe
///   ⇒ A writer learns of the reader's end at its next write.
/// ```
pub fn text(failure: &Failure, found: &Result<Finding, Fault>) -> String {
    let mut out = format!("{} ({})\n", failure.title, failure.key);
    // Writing to a String cannot fail.
    match found {
        Err(fault) => {
            let _ = writeln!(out, "  could not be done: {fault}");
        }
        Ok(finding) => {
            for seen in &finding.observed {
                let _ = writeln!(out, "  {}", seen.text);
            }
            if finding.as_documented() == Some(false) {
                let _ = writeln!(out, "  ⚑ this is not what the manual says");
            }
            let _ = writeln!(out, "  ⇒ {}", finding.statement);
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::lab::ipc::failures::FAILURES;
    use crate::model::finding::Observation;

    #[test]
    fn both_forms_say_what_was_seen_or_why_nothing_was() {
        let seen = Observation { text: "seen".into(), as_documented: Some(false), chain: None };
        let finding = Finding { observed: vec![seen], statement: "So it is.".into() };
        let value: serde_json::Value =
            serde_json::from_str(&json(&FAILURES[0], &Ok(finding.clone())).unwrap()).unwrap();
        assert_eq!((&value["observed"][0], &value["as_documented"]), (&"seen".into(), &false.into()));
        assert!(value["skipped"].is_null());
        let said = text(&FAILURES[0], &Ok(finding));
        assert!(said.contains("  seen\n") && said.contains("not what the manual says") && said.contains("⇒ So it is."));
        let fault = Err(Fault::new("here", "no way"));
        let value: serde_json::Value = serde_json::from_str(&json(&FAILURES[0], &fault).unwrap()).unwrap();
        assert!(value["skipped"].as_str().unwrap().contains("no way") && value["statement"].is_null());
        assert!(text(&FAILURES[0], &fault).contains("could not be done: here: no way"));
    }
}
