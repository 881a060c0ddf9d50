//! `syncscope`: the dashboard.

use std::io::IsTerminal;
use std::time::Duration;

use color_eyre::eyre::{WrapErr, bail, eyre};

use super::config::Config;
use super::values::{OnOff, duration};
use super::{OWN_FAILURE, Outcome, output};
use crate::backend::{self, Backend, ChildCommand, Command, Update};
use crate::model::child::{ChildSpec, ChildView, Children};
use crate::model::launch::Fate;
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

/// What the dashboard opens on, beside its options.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// A child to start and supervise.
    pub child: Option<ChildSpec>,
    /// The panel, where the option names none.
    pub panel: Option<&'static str>,
}

/// Whether there is a terminal to draw on and to read keys from.
#[must_use]
pub fn has_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
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
    if !has_terminal() {
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
    let sentences = children.as_ref().map(|last| [not_ended(&last.value), left_behind(&last.value)]);
    sentences.into_iter().flatten().flatten().for_each(|sentence| output::complain(&sentence));
    // Ours was the first command, and so its child the first.
    let first = children.as_ref().and_then(|last| last.value.children.iter().find(|child| child.id == 1));
    if let (true, Some(code)) = (supervises, first.and_then(|child| child.code)) {
        return Ok(Outcome::Code(code));
    }
    let goes_on = first.is_some_and(|child| child.pid.is_some());
    Ok(match end {
        End::Quit if supervises && goes_on => Outcome::Code(OWN_FAILURE),
        End::Quit => Outcome::Done,
        End::Signal(signal) => Outcome::Code(128 + signal as u8),
    })
}

/// Which processes go on that descend from children which had ended before we did.
fn left_behind(children: &Children) -> Option<String> {
    let ended = to_end(children).filter(|child| child.pid.is_none());
    let left = ended.flat_map(|child| {
        let alive = child.course.family.iter().filter(|relative| !relative.is_zombie());
        alive.map(|relative| format!("{} {}", relative.pid, relative.name))
    });
    named(&left.collect::<Vec<_>>()).map(|left| format!("syncscope: left running by children that had ended: {left}"))
}

/// Which children go on though they were to end with us: those that have become
/// somebody whom we may not kill.
fn not_ended(children: &Children) -> Option<String> {
    let alive = to_end(children).filter_map(|child| Some(format!("{} {}", child.pid?, child.command)));
    named(&alive.collect::<Vec<_>>()).map(|alive| format!("syncscope: these could not be ended: {alive}"))
}

fn to_end(children: &Children) -> impl Iterator<Item = &ChildView> {
    children.children.iter().map(|child| &**child).filter(|child| child.spec.fate == Fate::End)
}

/// The first of them, where there are any.
fn named(all: &[String]) -> Option<String> {
    let named = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    (!all.is_empty()).then(|| format!("{named}{more}"))
}

/// So many of them are named.
const NAMED: usize = 10;

/// What the command line says, else the configuration, else the default.
fn settings(args: &Args, opening: &Opening, config: &Config) -> color_eyre::Result<Settings> {
    let panel = args.panel.as_deref().or(opening.panel).or(config.panel.as_deref()).unwrap_or(PANELS[0].name);
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
