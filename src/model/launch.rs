//! What to start, and how: everything a user can say about a child before it
//! runs.

use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildSpec {
    /// The program, looked up in `PATH` where it has no slash.
    pub program: OsString,
    /// Its arguments, without the program's name.
    pub args: Vec<OsString>,
    /// Its environment.
    pub env: Environment,
    /// Its working directory; `None` is ours.
    pub cwd: Option<PathBuf>,
    /// Standard input, output and error.
    pub streams: [Redirect; 3],
    /// What it may use, and as whom.
    pub attributes: Attributes,
    /// What becomes of it when the dashboard ends.
    pub fate: Fate,
    /// Whether it is started again when it has ended.
    pub restart: Restart,
}

/// An environment: ours, changed; or a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// Begin with none instead of ours.
    pub clear: bool,
    /// Variables of ours to leave out.
    pub remove: Vec<OsString>,
    /// Variables to set on top.
    pub set: Vec<(OsString, OsString)>,
}

/// Where a standard stream goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Redirect {
    /// Where ours goes.
    Inherit,
    /// `/dev/null`.
    Null,
    /// A pipe to or from the dashboard.
    #[default]
    Pipe,
    /// A file: read from its beginning, or written to.
    File {
        /// Its name.
        path: PathBuf,
        /// Whether to write at its end instead of emptying it.
        append: bool,
    },
    /// A pseudo-terminal: all streams that say so have the same one.
    Pty,
}

/// What a child may use, and as whom it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Its process group and session.
    pub grouping: Grouping,
    /// The user, by name or number.
    pub user: Option<String>,
    /// The group, by name or number; the user's own where only that is given.
    pub group: Option<String>,
    /// Its nice value, −20 to 19.
    pub nice: Option<i32>,
    /// The CPUs it may run on; all of ours where there is none.
    pub cpus: Vec<usize>,
    /// Its resource limits, where they are not ours.
    pub limits: Vec<ResourceLimit>,
    /// Which permissions the files it makes do not have.
    pub umask: Option<u32>,
}

/// Which process group and session a child is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grouping {
    /// Ours.
    Inherit,
    /// A group of its own in our session.
    Group,
    /// A session of its own, and so without our terminal.
    #[default]
    Session,
}

/// A limit of getrlimit(2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceLimit {
    /// Its name in small letters, without `RLIMIT_`: `nofile`, `as`, `core`.
    pub name: String,
    /// The soft limit; `None` is unlimited.
    pub soft: Option<u64>,
    /// The hard limit; `None` is unlimited.
    pub hard: Option<u64>,
}

/// What becomes of a child that lives when the dashboard ends, however that ends.
/// It is the fate of all that descends from it, daemons included. What a child
/// leaves behind that has ended before stays, as it does with a shell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It ends too: SIGTERM, and SIGKILL half a second later.
    #[default]
    End,
    /// It goes on.
    Keep,
}

/// Whether a child that has ended is started again. The first time half a
/// second later, then after twice the time, up to half a minute; one that ran
/// for ten seconds begins anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Never.
    #[default]
    Never,
    /// Where it did not end with code 0.
    OnFailure,
    /// Always.
    Always,
}
