//! A TOML file read field by field, with the line of what is not as it should be.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Fault;

/// A table of a TOML file.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    text: &'a str,
    table: &'a DeTable<'a>,
}

impl<'a> Settings<'a> {
    /// Hands the file's table to `read`.
    ///
    /// # Errors
    /// Where the text is no TOML, and those of `read`.
    pub fn parse<T>(text: &str, read: impl FnOnce(Settings) -> Result<T, Fault>) -> Result<T, Fault> {
        let document = DeTable::parse(text).map_err(|e| wrong(text, e.span().unwrap_or_default(), e.message()))?;
        read(Settings { text, table: document.get_ref() })
    }

    /// That the table has none but these fields.
    ///
    /// # Errors
    /// Where it has another.
    pub fn only(&self, fields: &[&str]) -> Result<(), Fault> {
        match self.table.keys().find(|key| !fields.contains(&key.get_ref().as_ref())) {
            Some(key) => {
                let says = format!("unknown field `{}`; there are {}", key.get_ref(), fields.join(", "));
                Err(wrong(self.text, key.span(), &says))
            }
            None => Ok(()),
        }
    }

    /// The table in this field.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn table(&self, field: &str) -> Result<Option<Settings<'a>>, Fault> {
        let table = self.read(field, "a table", |value| value.as_table())?;
        Ok(table.map(|table| Settings { text: self.text, table }))
    }

    /// The text in this field.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn text(&self, field: &str) -> Result<Option<&'a str>, Fault> {
        self.read(field, "a text", |value| value.as_str())
    }

    /// The `true` or `false` in this field.
    ///
    /// # Errors
    /// Where it is something else.
    pub fn switch(&self, field: &str) -> Result<Option<bool>, Fault> {
        self.read(field, "true or false", DeValue::as_bool)
    }

    /// The texts in this field; none where it is not there.
    ///
    /// # Errors
    /// Where it is no list, or has something else in it.
    pub fn texts(&self, field: &str) -> Result<Vec<&'a str>, Fault> {
        let list = self.read(field, "a list", |value| value.as_array())?;
        let texts = list.into_iter().flat_map(|list| list.iter());
        texts.map(|value| self.found(field, value, "a text", |value| value.as_str())).collect()
    }

    /// A fault of this field, with its line.
    pub fn fault(&self, field: &str, says: &str) -> Fault {
        wrong(self.text, self.table.get(field).map(Spanned::span).unwrap_or_default(), &format!("{field}: {says}"))
    }

    fn read<T>(
        &self,
        field: &str,
        what: &str,
        read: impl Fn(&'a DeValue<'a>) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        self.table.get(field).map(|value| self.found(field, value, what, read)).transpose()
    }

    fn found<T>(
        &self,
        field: &str,
        value: &'a Spanned<DeValue<'a>>,
        what: &str,
        read: impl Fn(&'a DeValue<'a>) -> Option<T>,
    ) -> Result<T, Fault> {
        let says = || format!("{field} must be {what}, not {}", value.get_ref().type_str());
        read(value.get_ref()).ok_or_else(|| wrong(self.text, value.span(), &says()))
    }
}

/// A fault at a place of the text; lines and columns count from 1.
fn wrong(text: &str, at: Range<usize>, says: &str) -> Fault {
    let before = text.get(..at.start).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Fault::new(format!("line {line}, column {column}"), says.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn says(text: &str, read: impl FnOnce(Settings) -> Result<(), Fault>) -> String {
        Settings::parse(text, read).unwrap_err().to_string()
    }

    #[test]
    fn what_is_there_is_read_and_what_is_not_is_none() {
        let text = "name = \"a\"\non = true\nlist = [\"x\", \"y\"]\n[more]\nname = \"b\"\n";
        Settings::parse(text, |file| {
            assert_eq!(file.text("name")?, Some("a"));
            assert_eq!(file.text("other")?, None);
            assert_eq!(file.switch("on")?, Some(true));
            assert_eq!(file.texts("list")?, ["x", "y"]);
            assert!(file.texts("other")?.is_empty());
            assert_eq!(file.table("more")?.unwrap().text("name")?, Some("b"));
            file.only(&["name", "on", "list", "more"])
        })
        .unwrap();
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        assert!(says("a = 1\nb = ", |_| Ok(())).contains("line 2"));
        let unknown = says("a = 1\nd = 1", |file| file.only(&["a", "c"]));
        assert!(unknown.contains("line 2, column 1: unknown field `d`; there are a, c"), "{unknown}");
        let said = says("# é\n  a = 1", |file| file.text("a").map(drop));
        assert!(said.contains("line 2, column 7") && said.contains("a must be a text, not integer"), "{said}");
        let said = says("a = [\"x\", 2]", |file| file.texts("a").map(drop));
        assert!(said.contains("line 1, column 11") && said.contains("integer"), "{said}");
    }
}
