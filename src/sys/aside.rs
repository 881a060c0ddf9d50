//! Work that may hang, done by a thread that can be left behind.

use std::io;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{current, park_timeout};
use std::time::Duration;

use super::thread::start_thread;

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
    let (asker, answer) = (current(), Arc::new(Mutex::new(None)));
    let told = Arc::clone(&answer);
    let life = move || {
        let done = work();
        *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        asker.unpark();
    };
    let worker = start_thread(name, Box::new(life))?;
    loop {
        let ended = worker.is_finished();
        if let Some(done) = answer.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Ok(Some(done));
        }
        if ended {
            // It has panicked.
            worker.join().unwrap_or_else(|payload| resume_unwind(payload));
            return Ok(None);
        }
        if !patience() {
            return Ok(None);
        }
        park_timeout(patrol);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

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
