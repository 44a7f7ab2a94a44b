//! Where values came from: the line of a file, a flag, or nowhere (the default).

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

/// Origins of values, by key (`store.path`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origins(BTreeMap<String, String>);

impl Origins {
    /// Origins of what stands in a file's text, which has been parsed already.
    pub(super) fn of_file(text: &str, name: &str) -> Self {
        let mut origins = Self::default();
        if let Ok(table) = DeTable::parse(text) {
            origins.add(table.get_ref(), "", text, name);
        }
        origins
    }

    fn add(&mut self, table: &DeTable<'_>, before: &str, text: &str, name: &str) {
        for (key, value) in table {
            let path = format!("{before}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.add(inner, &format!("{path}."), text, name),
                _ => {
                    let line = 1 + text.get(..value.span().start).unwrap_or(text).matches('\n').count();
                    self.0.insert(path, format!("{name}:{line}"));
                }
            }
        }
    }

    /// Notes that a flag or a variable goes over what was there.
    pub(crate) fn set(&mut self, key: &str, whence: &str) {
        self.0.insert(key.to_owned(), whence.to_owned());
    }

    /// Origin of a key's value: `FILE:LINE`, a flag, a variable, or `default`.
    pub(crate) fn of(&self, key: &str) -> &str {
        self.0.get(key).map_or("default", String::as_str)
    }
}
