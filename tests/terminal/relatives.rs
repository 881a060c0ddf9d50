//! All processes that come from one program, however they were started: they
//! inherit a variable of its environment.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The variable.
pub(crate) const VARIABLE: &str = "SYNCSCOPE_TEST_MARK";

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A value of [`VARIABLE`] that no other run of any test has.
#[derive(Clone, Debug)]
pub(crate) struct Mark(String);

impl Mark {
    pub(crate) fn new() -> Self {
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        Mark(format!("{}-{}-{now}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn value(&self) -> &str {
        &self.0
    }

    /// The processes that carry the mark now, each as `pid command line`. A
    /// zombie carries none.
    pub(crate) fn carriers(&self) -> Vec<String> {
        let variable = format!("{VARIABLE}={}", self.0);
        let carries = |pid: &str| {
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environment.split(|&b| b == 0).any(|entry| entry == variable.as_bytes())
        };
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().into_string().ok());
        pids.filter(|pid| pid.parse::<u32>().is_ok() && carries(pid))
            .map(|pid| {
                let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                format!("{pid} {}", String::from_utf8_lossy(&command).replace('\0', " "))
            })
            .collect()
    }

    /// Fails unless all of them are gone within `limit`.
    #[track_caller]
    pub(crate) fn assert_gone_within(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            let left = self.carriers();
            if left.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "still there after {limit:?}: {left:#?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
