//! A channel that nobody has attached yet.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::Gauge;
use crate::backend::janitor::NameGuard;

/// What a worker needs to attach one side.
#[derive(Debug, Default)]
pub struct End {
    /// Descriptors; they travel to the worker.
    pub fds: Vec<OwnedFd>,
    /// Ids of System V objects.
    pub ids: Vec<i32>,
    /// Where the worker is to keep its temporary files.
    pub directory: Option<PathBuf>,
}

impl End {
    /// An end of descriptors alone.
    pub fn of<const N: usize>(fds: [OwnedFd; N]) -> Self {
        End { fds: fds.into(), ..End::default() }
    }

    /// Exactly these descriptors.
    ///
    /// # Errors
    /// `InvalidInput` where it holds another number of them.
    pub fn take<const N: usize>(self) -> io::Result<[OwnedFd; N]> {
        <[OwnedFd; N]>::try_from(self.fds).map_err(|_| io::ErrorKind::InvalidInput.into())
    }
}

/// Both ends, and what the lab keeps.
#[derive(Debug)]
pub struct Ends {
    /// Of the side that sends and asks.
    pub asker: End,
    /// Of the side that receives and answers.
    pub answerer: End,
    /// The size its buffer has become, in the kernel's own accounting.
    pub buffer: u64,
    /// The messages it can carry.
    pub sizes: Sizes,
    /// Names that must stay for as long as the channel is used; all others
    /// are gone already.
    pub names: Vec<NameGuard>,
    /// Tells how full the way from asker to answerer is. It may hold an end
    /// open: drop it before the sides are to notice that one is gone.
    pub gauge: Box<dyn Gauge>,
}

/// The sizes of the messages that a channel can carry, in bytes.
#[derive(Clone, Debug)]
pub struct Sizes {
    least: usize,
    most: usize,
    why: String,
}

impl Sizes {
    /// All of them: a message may be larger than the buffer.
    pub const ANY: Sizes = Sizes { least: 1, most: usize::MAX, why: String::new() };

    /// Up to `most`; `why` names the limit: `net.core.wmem_max`.
    pub fn up_to(most: usize, why: impl Into<String>) -> Self {
        Sizes { least: 1, most, why: why.into() }
    }

    /// From `least` to `most`.
    pub fn between(least: usize, most: usize, why: impl Into<String>) -> Self {
        Sizes { least, most, why: why.into() }
    }

    /// Why a message of `size` bytes cannot be carried.
    pub fn refuse(&self, size: usize) -> Option<String> {
        if (self.least..=self.most).contains(&size) {
            return None;
        }
        let range = match (self.least, self.most) {
            (1, most) => format!("at most {most}"),
            (least, most) if least == most => format!("exactly {least}"),
            (least, most) => format!("{least} to {most}"),
        };
        let unit = if size == 1 { "byte" } else { "bytes" };
        Some(format!("a message of {size} {unit} does not fit: it has {range} here ({})", self.why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_does_not_fit_is_refused_with_the_limit() {
        assert_eq!(Sizes::ANY.refuse(1 << 30), None);
        let few = Sizes::up_to(100, "some.limit");
        assert_eq!((few.refuse(1), few.refuse(100)), (None, None));
        assert!(few.refuse(101).unwrap().contains("at most 100 here (some.limit)"));
        assert!(Sizes::between(8, 8, "a counter").refuse(4).unwrap().contains("exactly 8 here"));
        assert!(Sizes::between(8, 8, "a counter").refuse(1).unwrap().starts_with("a message of 1 byte does not fit"));
    }
}
