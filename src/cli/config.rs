//! `syncscope config`: the configuration file, written and checked.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use clap::ValueEnum;
use color_eyre::eyre::{WrapErr, bail, eyre};
use etcetera::BaseStrategy;

use super::Outcome;
use super::values::{OnOff, duration};
use crate::model::Fault;
use crate::model::settings::Settings;
use crate::ui::panels::PANELS;
use crate::ui::theme::THEMES;

/// The documented default, which `config init` writes.
pub const DEFAULT: &str = include_str!("../../assets/config.toml");

/// What the file may say; what it leaves out keeps its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The panel to open.
    pub panel: Option<String>,
    /// The theme.
    pub theme: Option<String>,
    /// How often to sample, as on the command line.
    pub refresh: Option<String>,
    /// Whether the overview runs its labs.
    pub labs: Option<OnOff>,
    /// Plain ASCII.
    pub ascii: Option<bool>,
}

impl Config {
    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// Where it is no TOML (with line and column), or names what does not
    /// exist.
    pub fn parse(text: &str) -> color_eyre::Result<Self> {
        let config = Settings::parse(text, Config::read)?;
        let panels: Vec<&str> = PANELS.iter().map(|p| p.name).collect();
        let themes: Vec<&str> = THEMES.iter().map(|(n, _)| *n).collect();
        one_of("panel", config.panel.as_deref(), &panels)?;
        one_of("theme", config.theme.as_deref(), &themes)?;
        if let Some(refresh) = &config.refresh {
            duration(refresh).map_err(|e| eyre!("refresh = \"{refresh}\": {e}"))?;
        }
        Ok(config)
    }

    fn read(file: Settings) -> Result<Self, Fault> {
        file.only(&["panel", "theme", "refresh", "labs", "ascii"])?;
        let text = |field| Ok::<_, Fault>(file.text(field)?.map(str::to_owned));
        let labs = |says| OnOff::from_str(says, false).map_err(|_| file.fault("labs", "must be \"on\" or \"off\""));
        Ok(Config {
            panel: text("panel")?,
            theme: text("theme")?,
            refresh: text("refresh")?,
            labs: file.text("labs")?.map(labs).transpose()?,
            ascii: file.switch("ascii")?,
        })
    }

    /// The user's configuration; the default where there is no file.
    ///
    /// # Errors
    /// Where there is one that cannot be read or is wrong.
    pub fn load() -> color_eyre::Result<Self> {
        let Some(path) = path() else { return Ok(Config::default()) };
        match fs::read_to_string(&path) {
            Ok(text) => Config::parse(&text).wrap_err_with(|| path.display().to_string()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Config::default()),
            Err(error) => Err(error).wrap_err_with(|| format!("cannot read {}", path.display())),
        }
    }
}

fn one_of(key: &str, value: Option<&str>, known: &[&str]) -> color_eyre::Result<()> {
    match value {
        Some(value) if !known.contains(&value) => {
            let likeness = |name: &&&str| (strsim::jaro_winkler(value, name) * 1e3) as u32;
            let nearest = known.iter().max_by_key(likeness).filter(|name| likeness(name) > 700);
            let meant = nearest.map_or_else(String::new, |name| format!(" (did you mean `{name}`?)"));
            bail!("{key} = \"{value}\": there is no such {key}; there are {}{meant}", known.join(", "))
        }
        _ => Ok(()),
    }
}

/// Where the file is looked for; `None` where the user has no home.
pub fn path() -> Option<PathBuf> {
    let base = etcetera::choose_base_strategy().ok()?;
    Some(base.config_dir().join("syncscope").join("config.toml"))
}

/// What to do with the configuration.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to do
    #[command(subcommand)]
    pub action: Action,
}

/// The actions.
#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Write the documented default where the program looks for it
    Init {
        /// Replace a file that is there already
        #[arg(long)]
        force: bool,
    },
    /// Read the file and say whether it is right
    Check,
}

/// Does it.
///
/// # Errors
/// Where the file cannot be written, read, or is wrong.
pub fn run(args: &Args) -> color_eyre::Result<Outcome> {
    let path = path().ok_or_else(|| eyre!("no home directory is known; set XDG_CONFIG_HOME"))?;
    match args.action {
        Action::Init { force } => {
            if path.exists() && !force {
                bail!("{} is there already; --force replaces it", path.display());
            }
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).wrap_err_with(|| format!("cannot make {}", folder.display()))?;
            }
            fs::write(&path, DEFAULT).wrap_err_with(|| format!("cannot write {}", path.display()))?;
            println!("wrote {}", path.display());
        }
        Action::Check => {
            if !path.exists() {
                println!("{} does not exist; the defaults hold", path.display());
                return Ok(Outcome::Done);
            }
            Config::load()?;
            println!("{} is right", path.display());
        }
    }
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_default_is_the_default() {
        let config = Config::parse(DEFAULT).unwrap();
        assert_eq!(config.panel.as_deref(), Some("overview"));
        assert_eq!(config.theme.as_deref(), Some(THEMES[0].0));
        assert_eq!(config.labs, Some(OnOff::On));
        for panel in PANELS {
            assert!(DEFAULT.contains(panel.name), "{} is not documented", panel.name);
        }
        for (theme, _) in THEMES {
            assert!(DEFAULT.contains(theme), "{theme} is not documented");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("theme = \"noon\"", "night, day, contrast"),
            ("panel = \"proceses\"", "did you mean `processes`?"),
            ("refresh = \"1h\"", "is no unit"),
            ("colour = \"red\"", "unknown field `colour`"),
            ("labs = \"maybe\"", "line 1, column 8: labs: must be \"on\" or \"off\""),
            ("panel = [", "line 1"),
        ] {
            let error = format!("{:#}", Config::parse(text).unwrap_err());
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
