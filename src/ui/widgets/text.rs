//! Fitting text into columns.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Cuts `text` to `width` columns; a cut shows as `…`.
pub fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    if width == 0 {
        return String::new();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns > width - 1 {
            break;
        }
        used += columns;
        out.push(c);
    }
    out.push('…');
    out
}

/// [`fit`], padded with spaces on the right to exactly `width` columns.
pub fn left(text: &str, width: usize) -> String {
    let mut out = fit(text, width);
    let used = out.width();
    out.extend(std::iter::repeat_n(' ', width - used));
    out
}

/// [`fit`], padded with spaces on the left to exactly `width` columns.
pub fn right(text: &str, width: usize) -> String {
    let fitted = fit(text, width);
    let mut out: String = std::iter::repeat_n(' ', width - fitted.width()).collect();
    out.push_str(&fitted);
    out
}

/// Breaks `text` into lines of at most `width` columns at spaces.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.split('\n') {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// Breaks `text` into lines of at most `width` columns wherever they are full.
pub fn hard_wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0);
        if used + columns > width.max(2) {
            lines.push(String::new());
            used = 0;
        }
        used += columns;
        if let Some(line) = lines.last_mut() {
            line.push(c);
        }
    }
    lines
}

/// A count with its noun: `1 process`, `2 processes`.
pub fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_hold() {
        assert_eq!(left("abc", 5), "abc  ");
        assert_eq!(right("abc", 5), "  abc");
        assert_eq!(fit("abcdef", 4), "abc…");
        assert_eq!(fit("进程进程", 5), "进程…");
        assert_eq!(left("进程进程", 4), "进… ");
        assert_eq!(fit("abc", 0), "");
    }

    #[test]
    fn paragraphs_wrap() {
        assert_eq!(wrap("one two three\nfour", 8), ["one two", "three", "four"]);
    }

    #[test]
    fn a_hard_wrap_loses_nothing_and_no_line_is_too_wide() {
        for text in ["", "PATH=/usr/bin:/bin", "进程 and 锁 among words", "a\u{301}e\u{301}"] {
            for width in 2..24 {
                let lines = hard_wrap(text, width);
                assert_eq!(lines.concat(), text);
                assert!(lines.iter().all(|line| line.width() <= width), "{width}: {lines:?}");
            }
        }
    }

    #[test]
    fn counts_agree_with_their_nouns() {
        let all = [0, 1, 2].map(|n| count(n, "process", "processes"));
        assert_eq!(all, ["0 processes", "1 process", "2 processes"]);
    }
}
