//! Work that may hang, done by a thread that can be left behind.

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// What `work` gives, done by a thread of its own; `None` where `patience`, which is asked
/// before it and after every `patrol`, has come to an end: the thread is left behind then.
///
/// # Errors
/// Where no thread can be had.
pub fn do_aside<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
    patrol: Duration,
    mut patience: impl FnMut() -> bool,
) -> io::Result<Option<T>> {
    let (asker, done) = (thread::current(), Arc::new(AtomicBool::new(false)));
    let is_done = Arc::clone(&done);
    let worker = thread::Builder::new().name(name.to_owned()).spawn(move || {
        let answer = work();
        is_done.store(true, Ordering::Relaxed);
        asker.unpark();
        answer
    })?;
    // One that has panicked has not said so.
    while !done.load(Ordering::Relaxed) && !worker.is_finished() {
        if !patience() {
            return Ok(None);
        }
        thread::park_timeout(patrol);
    }
    Ok(Some(worker.join().unwrap_or_else(|payload| resume_unwind(payload))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const PATROL: Duration = Duration::from_millis(1);

    #[test]
    fn what_is_done_is_given_back() {
        assert_eq!(do_aside("test", || 7, Duration::from_hours(1), || true).unwrap(), Some(7));
    }

    #[test]
    fn what_hangs_is_left_behind() {
        let (release, hang) = channel::<()>();
        let mut rounds = 3;
        let patience = || {
            rounds -= 1;
            rounds > 0
        };
        assert_eq!(do_aside("test", move || hang.recv().is_ok(), PATROL, patience).unwrap(), None);
        drop(release);
    }

    #[test]
    #[should_panic(expected = "as it should")]
    fn a_panic_comes_through() {
        let _ = do_aside("test", || panic!("as it should"), PATROL, || true);
    }
}
