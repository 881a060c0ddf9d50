//! Where the threads run and how urgent they are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Where the threads run and how urgent they are. By default they run wherever
/// the kernel puts them, at a nice value of 5 above the program's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Which CPUs they may run on.
    pub pinning: Pinning,
    /// How urgent they are, one after the other in turn; empty for the default.
    pub priorities: Vec<Priority>,
}

impl Schedule {
    /// How urgent a thread is to be; nothing for the default.
    pub fn priority_of(&self, thread: usize) -> Option<Priority> {
        self.priorities.get(thread % self.priorities.len().max(1)).copied()
    }

    /// The priorities as on the command line: `nice:0,nice:19`; `nice +5` for
    /// the default.
    pub fn priorities_in_words(&self) -> String {
        let words: Vec<String> = self.priorities.iter().map(ToString::to_string).collect();
        if words.is_empty() { "nice +5".to_owned() } else { words.join(",") }
    }
}

/// Which CPUs the threads may run on: `none`, `each`, `one`, or `0,1` for those
/// in turn.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pinning {
    /// Anywhere.
    #[default]
    None,
    /// Each on one CPU, the CPUs in turn.
    Each,
    /// All on one CPU.
    One,
    /// Each on one CPU, these in turn.
    Cpus(Vec<usize>),
}

impl fmt::Display for Pinning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pinning::None => f.write_str("none"),
            Pinning::Each => f.write_str("each"),
            Pinning::One => f.write_str("one"),
            Pinning::Cpus(cpus) => f.write_str(&cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(",")),
        }
    }
}

impl FromStr for Pinning {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let cpus = || text.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>();
        match text {
            "none" => Ok(Pinning::None),
            "each" => Ok(Pinning::Each),
            "one" => Ok(Pinning::One),
            _ => cpus().map(Pinning::Cpus).map_err(|_| "none, each, one, or numbers of CPUs (0,1)".to_owned()),
        }
    }
}

/// How urgent a thread is, sched(7): `nice:5`, `fifo:1`, `rr:1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// An ordinary thread of this nice value, −20 to 19.
    Nice(i32),
    /// `SCHED_FIFO` of this priority, 1 to 99: it runs until it blocks or a
    /// higher one can.
    Fifo(i32),
    /// `SCHED_RR` of this priority, 1 to 99: as FIFO, in turns with its equals.
    RoundRobin(i32),
}

impl Priority {
    /// Whether it runs before every ordinary thread.
    pub fn is_real_time(self) -> bool {
        !matches!(self, Priority::Nice(_))
    }

    /// In words: `nice 5`, `SCHED_FIFO 1`.
    pub fn words(self) -> String {
        match self {
            Priority::Nice(nice) => format!("nice {nice}"),
            Priority::Fifo(level) => format!("SCHED_FIFO {level}"),
            Priority::RoundRobin(level) => format!("SCHED_RR {level}"),
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Priority::Nice(nice) => write!(f, "nice:{nice}"),
            Priority::Fifo(level) => write!(f, "fifo:{level}"),
            Priority::RoundRobin(level) => write!(f, "rr:{level}"),
        }
    }
}

impl FromStr for Priority {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "nice:N (-20 to 19), fifo:N or rr:N (1 to 99)".to_owned();
        let (policy, level) = text.split_once(':').ok_or_else(wrong)?;
        let level: i32 = level.parse().map_err(|_| wrong())?;
        match policy {
            "nice" if (-20..=19).contains(&level) => Ok(Priority::Nice(level)),
            "fifo" if (1..=99).contains(&level) => Ok(Priority::Fifo(level)),
            "rr" if (1..=99).contains(&level) => Ok(Priority::RoundRobin(level)),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_what_cannot_be_is_refused() {
        for text in ["none", "each", "one", "0,3", "1"] {
            assert_eq!(text.parse::<Pinning>().unwrap().to_string(), text);
        }
        for text in ["nice:-20", "nice:19", "fifo:1", "rr:99"] {
            assert_eq!(text.parse::<Priority>().unwrap().to_string(), text);
        }
        for text in ["nice:20", "nice", "fifo:0", "rr:100", "idle:1", "fifo:", ""] {
            assert!(text.parse::<Priority>().unwrap_err().contains("fifo:N"), "{text}");
        }
        assert!("-1".parse::<Pinning>().is_err() && "".parse::<Pinning>().is_err());
    }

    #[test]
    fn priorities_are_given_in_turn() {
        let two = Schedule { priorities: vec![Priority::Fifo(1), Priority::Fifo(2)], ..Schedule::default() };
        let given: Vec<_> = (0..3).map(|thread| two.priority_of(thread).unwrap().to_string()).collect();
        assert_eq!(given, ["fifo:1", "fifo:2", "fifo:1"]);
        assert_eq!(two.priorities_in_words(), "fifo:1,fifo:2");
        assert_eq!(Schedule::default().priority_of(3), None);
    }
}
