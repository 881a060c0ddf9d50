//! A child's standard input: what waits to be written to it.

use std::collections::VecDeque;
use std::io::{ErrorKind, IsTerminal, Write};

use super::Child;
use crate::model::{Bytes, Fault};

/// The most that waits for a child that does not read.
const STDIN_QUEUE: usize = 1 << 20;
/// What ends the input of a terminal: `VEOF`, Ctrl-D.
const END_OF_INPUT: u8 = 4;

impl Child {
    /// Queues bytes for its standard input.
    pub(in crate::backend::children) fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.stdin.is_none() || self.closing {
            return Err(self.fault("its standard input is closed"));
        }
        if self.queue.len() + bytes.len() > STDIN_QUEUE {
            let waiting = Bytes(self.queue.len() as u64);
            return Err(self.fault(&format!("it does not read: {waiting} wait already, nothing was added")));
        }
        self.queue.extend(bytes);
        self.touch();
        Ok(())
    }

    pub(in crate::backend::children) fn close_stdin(&mut self) {
        self.closing = true;
        self.touch();
    }

    /// Writes what it takes; whether something is left to be written.
    pub(in crate::backend::children) fn flush(&mut self) -> bool {
        while let (Some(mut stdin), false) = (self.stdin.as_ref(), self.queue.is_empty()) {
            match stdin.write(self.queue.as_slices().0) {
                Ok(written) => drop(self.queue.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.lose_stdin(),
            }
            self.touch();
        }
        if self.closing
            && let Some(mut stdin) = self.stdin.take()
        {
            if stdin.is_terminal() {
                // A terminal is told by a character that there is no more.
                let _ = stdin.write(&[END_OF_INPUT]);
                (self.stdin, self.closing) = (Some(stdin), false);
            }
            self.touch();
        }
        false
    }

    /// It closed its end.
    pub(in crate::backend::children) fn lose_stdin(&mut self) {
        (self.stdin, self.queue) = (None, VecDeque::new());
        self.touch();
    }
}
