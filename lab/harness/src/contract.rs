//! A documented JSON contract against what is written: every field stands in the page with its type, and
//! nothing else does. For the tests of each contract.
#![allow(clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The tables of a page by name: of each object the fields with their types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contract(BTreeMap<String, BTreeMap<String, String>>);

impl Contract {
    /// Reads a page: a table below each heading of the second level, whose rows are field, type, meaning.
    ///
    /// # Panics
    /// If a row has another form, says nothing, or stands there twice.
    #[must_use]
    pub fn of(page: &str) -> Self {
        let mut out: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut table = String::new();
        for line in page.lines() {
            if let Some(name) = line.strip_prefix("## ") {
                name.clone_into(&mut table);
            } else if line.starts_with("| `") {
                let cells: Vec<&str> = line.split('|').map(str::trim).collect();
                let [_, field, r#type, meaning, _] = cells[..] else { panic!("{line}") };
                assert!(!meaning.is_empty(), "{line}");
                let field = field.trim_matches('`').to_owned();
                let known = out.entry(table.clone()).or_default().insert(field, r#type.to_owned());
                assert_eq!(known, None, "twice: {line}");
            }
        }
        Self(out)
    }

    /// Holds a document against the table `document`, and notes in `seen` the fields that were there, as
    /// `table.field`.
    ///
    /// # Panics
    /// At what is not documented, or of another type.
    pub fn check(&self, document: &Value, seen: &mut BTreeSet<String>) {
        self.check_at(document, "document", "$", seen);
    }

    fn check_at(&self, value: &Value, r#type: &str, at: &str, seen: &mut BTreeSet<String>) {
        match (r#type, value) {
            (_, Value::Null)
            | ("string", Value::String(_))
            | ("bool", Value::Bool(_))
            | ("number", Value::Number(_)) => {}
            ("integer", Value::Number(n)) if n.is_u64() || n.is_i64() => {}
            (list, Value::Array(elements)) if list.starts_with("list of ") => {
                let element = list.trim_start_matches("list of ");
                elements.iter().for_each(|v| self.check_at(v, element, &format!("{at}[]"), seen));
            }
            (table, Value::Object(fields)) if self.0.contains_key(table) => {
                for (field, v) in fields {
                    let Some(r#type) = self.0.get(table).and_then(|t| t.get(field)) else {
                        panic!("{at}.{field} is not documented in {table}")
                    };
                    if !v.is_null() {
                        seen.insert(format!("{table}.{field}"));
                    }
                    self.check_at(v, r#type, &format!("{at}.{field}"), seen);
                }
            }
            _ => panic!("{at} is documented as {type}, and is {value}"),
        }
    }

    /// Fields that are documented and were not seen, as `table.field`.
    #[must_use]
    pub fn not_in(&self, seen: &BTreeSet<String>) -> Vec<String> {
        let all = self.0.iter().flat_map(|(table, fields)| fields.keys().map(move |f| format!("{table}.{f}")));
        all.filter(|f| !seen.contains(f)).collect()
    }

    /// Names of all fields.
    #[must_use]
    pub fn fields(&self) -> BTreeSet<&str> {
        self.0.values().flat_map(BTreeMap::keys).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const PAGE: &str = "## document\n\n| field | type | meaning |\n|---|---|---|\n| `n` | integer | number |\n| `all` | list of one | all |\n\n## one\n\n| `x` | string | name |\n";

    #[test]
    fn what_is_documented_is_seen() {
        let (contract, mut seen) = (Contract::of(PAGE), BTreeSet::new());
        contract.check(&json!({"n": 1, "all": [{"x": null}]}), &mut seen);
        assert_eq!(contract.not_in(&seen), ["one.x"]);
        contract.check(&json!({"all": [{"x": "y"}]}), &mut seen);
        assert_eq!(contract.not_in(&seen), [""; 0]);
        assert_eq!(contract.fields(), BTreeSet::from(["n", "all", "x"]));
    }

    #[test]
    fn what_is_not_documented_panics() {
        let contract = Contract::of(PAGE);
        for wrong in [json!({"n": 1.5}), json!({"m": 1}), json!({"all": [{"y": 1}]}), json!({"all": {}}), json!([])] {
            let mut seen = BTreeSet::new();
            let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| contract.check(&wrong, &mut seen)));
            assert!(checked.is_err(), "{wrong}");
        }
        assert!(std::panic::catch_unwind(|| Contract::of("## a\n| `x` | string |  |\n")).is_err());
        assert!(
            std::panic::catch_unwind(|| Contract::of("## a\n| `x` | string | y |\n| `x` | string | y |\n")).is_err()
        );
    }
}
