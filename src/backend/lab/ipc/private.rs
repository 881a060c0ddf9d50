//! Names for channels that need one for a moment: a directory that only this
//! user may enter, registered with the janitor before it is made.

use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::backend::janitor::{Name, NameGuard, register_name};
use crate::model::Fault;

/// A random number, another one each time: the hasher's keys come from the
/// kernel, once for each thread, and count on from there.
pub(super) fn random() -> u64 {
    RandomState::new().hash_one(std::process::id())
}

/// A name that nothing else has: `syncscope-PID-RANDOM`.
pub(super) fn name() -> String {
    format!("syncscope-{}-{:016x}", std::process::id(), random())
}

/// A private directory. Dropping it removes it with all that is in it.
#[derive(Debug)]
pub(super) struct Directory {
    path: PathBuf,
    name: NameGuard,
}

impl Directory {
    /// Makes one where temporary files belong.
    pub(super) fn make(source: &'static str) -> Result<Self, Fault> {
        Directory::make_in(&std::env::temp_dir(), source)
    }

    /// Makes one in `parent`.
    pub(super) fn make_in(parent: &Path, source: &'static str) -> Result<Self, Fault> {
        let fault = |error: io::Error| {
            Fault::new(source, format!("cannot make a private directory in {}: {error}", parent.display()))
                .hint("set TMPDIR to a directory that can be written to")
        };
        let parent = std::path::absolute(parent).map_err(fault)?;
        let path = parent.join(name());
        let name = register_name(Name::Directory(path.clone()))?;
        DirBuilder::new().mode(0o700).create(&path).map_err(fault)?;
        Ok(Directory { path, name })
    }

    /// Its path, and what removes it.
    pub(super) fn into_parts(self) -> (PathBuf, NameGuard) {
        (self.path, self.name)
    }

    /// The path of something in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}
