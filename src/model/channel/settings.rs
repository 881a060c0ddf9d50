//! How a channel is used.

use serde::{Deserialize, Serialize};

/// Where the two processes run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Both on one CPU: every message is a context switch.
    SameCpu,
    /// Each on a CPU of its own, which may fall asleep when it waits.
    #[default]
    CrossCpu,
    /// Each on a CPU of its own, kept out of idle states while it is measured
    /// (`/dev/cpu_dma_latency` held at 0).
    CrossCpuAwake,
    /// Wherever the scheduler puts them.
    Unpinned,
}

/// How a side waits until it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waiting {
    /// The kernel puts it to sleep in the call that reads or writes.
    Block,
    /// It tries again and again.
    Spin,
    /// It tries for some microseconds, then sleeps on a futex.
    SpinPark,
    /// It sleeps on a futex at once.
    Futex,
    /// It sleeps on a semaphore that both processes share.
    Semaphore,
}

/// How much of a message is written by the sender and checked by the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The sequence number and its check word only.
    Untouched,
    /// Also one word in every 4 KiB, and the last.
    #[default]
    Sampled,
    /// Every byte.
    Scanned,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Round trips in a closed loop: the next message leaves when the answer
    /// has come.
    Latency,
    /// Messages one way, as fast as they go, by the receiver's clock.
    Throughput,
}

macro_rules! named {
    ($type:ident { $($variant:ident => $name:literal),+ }) => {
        impl $type {
            /// All of them.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// Its name on the command line and in JSON.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named!(Placement { SameCpu => "same-cpu", CrossCpu => "cross-cpu", CrossCpuAwake => "cross-cpu-awake", Unpinned => "unpinned" });
named!(Waiting { Block => "block", Spin => "spin", SpinPark => "spin-park", Futex => "futex", Semaphore => "semaphore" });
named!(Payload { Untouched => "untouched", Sampled => "sampled", Scanned => "scanned" });
named!(Mode { Latency => "latency", Throughput => "throughput" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        fn same<T: Serialize + Copy + std::fmt::Display>(all: &[T]) {
            for &value in all {
                assert_eq!(serde_json::to_string(&value).unwrap(), format!("\"{value}\""));
            }
        }
        same(Placement::ALL);
        same(Waiting::ALL);
        same(Payload::ALL);
        same(Mode::ALL);
    }
}
