//! Lines for people, as wide as there is room for.

/// Appends a text and a line feed, in lines of at most `width` columns that are
/// broken between words: the first begins behind `indent` spaces, the others behind
/// `hanging` more. A word that is longer has a line of its own.
pub(super) fn fold(out: &mut String, text: &str, (indent, hanging): (usize, usize), width: usize) {
    let mut line = " ".repeat(indent);
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > width {
            out.push_str(&line);
            out.push('\n');
            line = " ".repeat(indent + hanging);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_between_words() {
        let mut out = String::new();
        fold(&mut out, "one two  three four-and-twenty five", (2, 3), 12);
        assert_eq!(out, "  one two \n     three\n     four-and-twenty\n     five\n");
    }
}
