//! `syncscope`: the dashboard.

use std::io::IsTerminal;
use std::time::Duration;

use clap::ValueEnum;
use color_eyre::eyre::{WrapErr, bail, eyre};
use serde::Deserialize;

use super::Outcome;
use super::config::Config;
use crate::backend::{self, Backend, ChildCommand, Command, Update};
use crate::model::child::ChildSpec;
use crate::sys::heap;
use crate::ui::app::{App, Clock, Settings};
use crate::ui::ascii;
use crate::ui::director::Bursts;
use crate::ui::panels::PANELS;
use crate::ui::run::{self, End};
use crate::ui::theme::{Depth, THEMES};

/// How the dashboard opens.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The panel to open
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(PANELS.iter().map(|p| p.name)))]
    pub panel: Option<String>,
    /// Run the overview's labs at full speed, for a demonstration
    #[arg(long)]
    pub demo: bool,
    /// The colours
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(THEMES.iter().map(|(n, _)| *n)))]
    pub theme: Option<String>,
    /// How often to sample: 500ms, 1s, 2.5s [default: 1s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub refresh: Option<Duration>,
    /// Plain ASCII only
    #[arg(long)]
    pub ascii: bool,
    /// Whether the overview runs its labs in short bursts
    #[arg(long, value_name = "on|off", hide_possible_values = true)]
    pub labs: Option<OnOff>,
}

/// A switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnOff {
    /// On.
    On,
    /// Off.
    Off,
}

/// What the dashboard opens on, beside its options.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// A child to start and supervise.
    pub child: Option<ChildSpec>,
    /// The panel, instead of the option's.
    pub panel: Option<&'static str>,
}

/// Opens the dashboard as the command line says.
///
/// # Errors
/// Where there is no terminal, or it fails.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    open(args, Opening::default())
}

/// Opens the dashboard.
///
/// # Errors
/// Where there is no terminal, or it fails.
pub fn open(args: &Args, opening: Opening) -> color_eyre::Result<Outcome> {
    if !std::io::stdin().is_terminal() || !std::io::stdout().is_terminal() {
        bail!("the dashboard needs a terminal for its input and output; `syncscope ps` prints without one");
    }
    heap::keep_small();
    let settings = settings(args, &opening, &Config::load()?)?;
    let options = backend::Options { refresh: settings.refresh, ..backend::Options::default() };
    let mut backend = Backend::start(&options);
    let mut app = App::new(settings)?;
    let supervises = opening.child.is_some();
    if let Some(spec) = opening.child {
        app.command(Command::Child(ChildCommand::Spawn(Box::new(spec))));
    }
    let end = run::run(&mut app, &mut backend).wrap_err("the dashboard failed")?;
    let mut children = app.store().children.clone();
    backend.end(|update| {
        if let Update::Children(last) = update {
            children = Some(last);
        }
    });
    // Ours was the first command, and so its child the first.
    let first = children.as_ref().and_then(|last| last.value.children.iter().find(|child| child.id == 1));
    if let (true, Some(code)) = (supervises, first.and_then(|child| child.code)) {
        return Ok(Outcome::Code(code));
    }
    Ok(match end {
        End::Quit => Outcome::Done,
        End::Signal(signal) => Outcome::Code(128 + signal as u8),
    })
}

/// What the command line says, else the configuration, else the default.
fn settings(args: &Args, opening: &Opening, config: &Config) -> color_eyre::Result<Settings> {
    let panel = opening.panel.or(args.panel.as_deref()).or(config.panel.as_deref()).unwrap_or(PANELS[0].name);
    let theme = args.theme.as_deref().or(config.theme.as_deref()).unwrap_or(THEMES[0].0);
    let configured = config.refresh.as_deref().map(duration).transpose().map_err(|e| eyre!(e))?;
    Ok(Settings {
        panel: PANELS.iter().position(|p| p.name == panel).unwrap_or(0),
        theme: theme.to_owned(),
        depth: Depth::detect(),
        ascii: args.ascii || config.ascii.unwrap_or(false) || !ascii::locale_is_utf8(),
        bursts: match (args.labs.or(config.labs), args.demo) {
            (_, true) => Bursts::Demo,
            (Some(OnOff::Off), false) => Bursts::Off,
            (_, false) => Bursts::On,
        },
        refresh: args.refresh.or(configured).unwrap_or(Duration::from_secs(1)),
        clock: Clock::Machine,
    })
}

/// Reads a duration as people write it: a number and `ms`, `s` or `m`; seconds
/// where no unit is given.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        other => return Err(format!("`{other}` is no unit; use ms, s or m")),
    };
    let value: f64 = digits.parse().map_err(|_| format!("`{digits}` is no number"))?;
    let secs = value * unit;
    if !(0.05..=3600.0).contains(&secs) {
        return Err("must lie between 50ms and 60m".to_owned());
    }
    Ok(Duration::from_secs_f64(secs))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2.5s"), Ok(Duration::from_millis(2500)));
        assert_eq!(duration("1m"), Ok(Duration::from_mins(1)));
        assert_eq!(duration("3"), Ok(Duration::from_secs(3)));
        for wrong in ["", "0s", "1h", "fast", "-1s", "1e99s", "NaN"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
