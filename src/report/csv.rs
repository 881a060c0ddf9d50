//! Comma-separated values, RFC 4180: a field with a comma, a quote or a line
//! break is quoted, a quote inside doubled. Unknown is an empty field.

use std::io::{self, Write};

/// Writes one record.
///
/// # Errors
/// Whatever the writer says.
pub fn record<S: AsRef<str>>(out: &mut impl Write, fields: impl IntoIterator<Item = S>) -> io::Result<()> {
    for (at, field) in fields.into_iter().enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        let field = field.as_ref();
        if field.contains([',', '"', '\n', '\r']) {
            write!(out, "\"{}\"", field.replace('"', "\"\""))?;
        } else {
            out.write_all(field.as_bytes())?;
        }
    }
    out.write_all(b"\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut out = Vec::new();
        record(&mut out, ["812", "sh -c \"a, b\"", "", "plain text", "two\nlines"]).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "812,\"sh -c \"\"a, b\"\"\",,plain text,\"two\nlines\"\r\n");
    }
}
