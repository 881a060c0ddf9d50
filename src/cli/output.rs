//! Where results, progress and complaints go: results to standard output, line
//! by line and at once; the rest to standard error, progress only where that is
//! a terminal.

use std::io::{self, IsTerminal, Write};

use color_eyre::eyre::WrapErr;
use unicode_width::UnicodeWidthStr;

use super::Outcome;

/// Whoever read the results has seen enough: the end of the work, and no failure.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("nobody reads the results any more")]
pub(super) struct SeenEnough;

/// How many columns standard output has, where that is a terminal.
pub(super) fn width() -> Option<usize> {
    size().map(|(width, _)| width)
}

/// How many columns and rows standard output has, where that is a terminal.
pub(super) fn size() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some((usize::from(size.ws_col), usize::from(size.ws_row))).filter(|(width, _)| *width > 0)
}

/// As many lines of a text as a screen of this size shows, the cursor behind them; the last
/// one says how many more there are, if there are.
pub(super) fn screenful(text: &str, (width, height): (usize, usize)) -> String {
    let rows = |line: &str| line.width().div_ceil(width.max(1)).max(1);
    // The rows used so far, and how far the text goes with one to spare.
    let (mut used, mut all, mut end, mut more) = (0, 0, 0, 0);
    for line in text.split_inclusive('\n') {
        used += rows(line.trim_end());
        all += line.len();
        (end, more) = if used + 2 <= height { (all, 0) } else { (end, more + 1) };
    }
    // Of a terminal that tells no height nothing is known.
    if used < height || height == 0 {
        return text.to_owned();
    }
    format!("{}{more} more line{}\n", &text[..end], if more == 1 { "" } else { "s" })
}

/// Says what went wrong. Where nobody can be told any more, as after the terminal
/// has been closed, that is no second failure.
pub(super) fn complain(sentence: &str) {
    let _ = writeln!(io::stderr(), "{}", sentence.trim_end());
}

/// What is going on, where standard error is a terminal; an empty text clears
/// the line.
pub(super) fn progress(text: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        // A terminal that is gone needs no progress.
        let _ = write!(err, "\r\x1b[K{text}").and_then(|()| err.flush());
    }
}

/// Prints text and a line feed, at once.
///
/// # Errors
/// [`SeenEnough`] where the reader is gone; what hinders otherwise.
pub(super) fn line(text: &str) -> color_eyre::Result<()> {
    let mut out = io::stdout().lock();
    written(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// What has become of something that was printed.
///
/// # Errors
/// As for [`line`].
pub(super) fn written(printed: io::Result<()>) -> color_eyre::Result<()> {
    if is_broken_pipe(&printed) {
        return Err(SeenEnough.into());
    }
    printed.wrap_err("cannot write the results")
}

/// Whether whoever read the output has seen enough.
pub(super) fn is_broken_pipe(printed: &io::Result<()>) -> bool {
    printed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// The outcome of what has been printed, even to somebody who stopped reading.
///
/// # Errors
/// What hinders, otherwise.
pub(super) fn unless_broken_pipe(printed: io::Result<()>, outcome: Outcome) -> color_eyre::Result<Outcome> {
    match written(printed) {
        Err(error) if !error.is::<SeenEnough>() => Err(error),
        _ => Ok(outcome),
    }
}

#[cfg(test)]
mod tests {
    use super::screenful;

    #[test]
    fn a_text_that_does_not_fit_says_how_much_more_there_is() {
        let text = "one\ntwo\nthree\nfour\n";
        assert_eq!(screenful(text, (80, 5)), text);
        assert_eq!(screenful(text, (80, 4)), "one\ntwo\n2 more lines\n");
        // "three" takes two rows of three columns.
        assert_eq!(screenful(text, (3, 6)), "one\ntwo\nthree\n1 more line\n");
        assert_eq!(screenful(text, (3, 5)), "one\ntwo\n2 more lines\n");
        assert_eq!(screenful(text, (80, 1)), "4 more lines\n");
        assert_eq!(screenful(text, (80, 0)), text);
    }
}
