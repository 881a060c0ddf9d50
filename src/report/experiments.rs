//! The experiments with child processes, as JSON Lines and as text.

use std::fmt::Write;

use serde::Serialize;

use super::{chains, why};
use crate::backend::children::experiments::Experiment;
use crate::model::Fault;
use crate::model::finding::{Chain, Finding};

#[derive(Serialize)]
struct Line<'a> {
    schema: &'static str,
    experiment: &'static str,
    title: &'static str,
    observed: Vec<Observed<'a>>,
    statement: Option<&'a str>,
    as_documented: Option<bool>,
    skipped: Option<String>,
}

#[derive(Serialize)]
struct Observed<'a> {
    text: &'a str,
    as_documented: Option<bool>,
    /// An object as of `why --json`, where the survey was asked.
    why: Option<serde_json::Value>,
}

/// What an experiment has shown as one line of JSON, schema
/// `syncscope.run.experiment/1`.
///
/// # Errors
/// None that can happen: there are no keys but strings.
pub fn json(experiment: &Experiment, found: &Result<Finding, Fault>) -> std::io::Result<String> {
    let finding = found.as_ref().ok();
    let mut observed = Vec::new();
    for seen in finding.map(|finding| finding.observed.as_slice()).unwrap_or_default() {
        let why = seen.chain.as_ref().map(object).transpose()?;
        observed.push(Observed { text: &seen.text, as_documented: seen.as_documented, why });
    }
    Ok(serde_json::to_string(&Line {
        schema: "syncscope.run.experiment/1",
        experiment: experiment.key,
        title: experiment.title,
        observed,
        statement: finding.map(|finding| &*finding.statement),
        as_documented: finding.and_then(Finding::as_documented),
        skipped: found.as_ref().err().map(ToString::to_string),
    })?)
}

fn object(chain: &Chain) -> std::io::Result<serde_json::Value> {
    let mut bytes = Vec::new();
    why::json(&mut bytes, &chain.graph, chain.at, false)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The same for people:
///
/// ```text
/// a child has ended and nobody has waited for it (zombie)
///   4121 has ended; its state is Some('Z')
///   ⇒ A zombie holds nothing but its entry in the process table.
/// ```
pub fn text(experiment: &Experiment, found: &Result<Finding, Fault>) -> String {
    let mut out = format!("{} ({})\n", experiment.title, experiment.key);
    for line in lines(found) {
        // Writing to a String cannot fail.
        let _ = writeln!(out, "  {line}");
    }
    out.push('\n');
    out
}

/// What was seen, line by line, without the heading.
pub fn lines(found: &Result<Finding, Fault>) -> Vec<String> {
    let finding = match found {
        Ok(finding) => finding,
        Err(fault) => return vec![format!("could not be done: {fault}")],
    };
    let mut lines = Vec::new();
    for seen in &finding.observed {
        let mark = match seen.as_documented {
            Some(true) => "",
            Some(false) => "⚑ ",
            None => "? ",
        };
        lines.push(format!("{mark}{}", seen.text));
        lines.extend(seen.chain.iter().flat_map(said).map(|line| format!("  │ {line}")));
    }
    match finding.as_documented() {
        Some(true) => {}
        Some(false) => lines.push("⚑ this is not what the manual says".to_owned()),
        None => {
            lines.push("? it hangs; what could not be seen of why, and what that would need, stands above".to_owned());
        }
    }
    lines.push(format!("⇒ {}", finding.statement));
    lines
}

/// What `syncscope why` says.
fn said(chain: &Chain) -> Vec<String> {
    let mut bytes = Vec::new();
    match chains::explain(&mut bytes, &chain.graph, &[chain.asked], chain.at) {
        Ok(()) => String::from_utf8_lossy(&bytes)
            .lines()
            .map(str::trim_end)
            .filter(|l| !l.is_empty())
            .map(str::to_owned)
            .collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::children::experiments::EXPERIMENTS;
    use crate::model::Nanos;
    use crate::model::finding::Observation;
    use crate::model::graph::WaitGraph;

    #[test]
    fn both_forms_say_what_was_seen_or_why_nothing_was() {
        let chain = Chain { asked: 1, at: Nanos(5), graph: WaitGraph::default() };
        let seen = Observation { text: "seen".into(), as_documented: Some(false), chain: Some(chain) };
        let found = Ok(Finding { observed: vec![seen], statement: "So it is.".into() });
        let value: serde_json::Value = serde_json::from_str(&json(&EXPERIMENTS[0], &found).unwrap()).unwrap();
        assert_eq!(value["schema"], "syncscope.run.experiment/1");
        assert_eq!(value["observed"][0]["why"]["schema"], "syncscope.why/1");
        assert_eq!(value["as_documented"], false);
        let said = text(&EXPERIMENTS[0], &found);
        assert!(said.contains("  ⚑ seen\n") && said.contains("not what the manual says"), "{said}");
        let mut unseen = found;
        unseen.as_mut().unwrap().observed[0].as_documented = None;
        let value: serde_json::Value = serde_json::from_str(&json(&EXPERIMENTS[0], &unseen).unwrap()).unwrap();
        assert!(value["as_documented"].is_null() && value["observed"][0]["as_documented"].is_null());
        let said = text(&EXPERIMENTS[0], &unseen);
        assert!(said.contains("  ? seen\n") && !said.contains('⚑'), "{said}");
        let fault = Err(Fault::new("here", "no way"));
        let value: serde_json::Value = serde_json::from_str(&json(&EXPERIMENTS[0], &fault).unwrap()).unwrap();
        assert!(value["skipped"].as_str().unwrap().contains("no way") && value["statement"].is_null());
        assert!(text(&EXPERIMENTS[0], &fault).contains("could not be done: here: no way"));
    }
}
